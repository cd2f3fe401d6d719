"""Logging in without the log-in page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.factories import People, Person
from tests.support.scenes import Scenes

LogIn = Callable[[Person], Client]


@pytest.fixture
def log_in() -> LogIn:
    def make(person: Person) -> Client:
        client = Client()
        client.force_login(person.user)
        return client

    return make


@pytest.fixture
def scenes(people: People) -> Scenes:
    return Scenes(people)
