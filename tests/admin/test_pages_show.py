"""Every page answers for every state, with the words that people need."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import Person
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db

STATES = (
    "draft", "preparing", "pending", "half_approved", "approved", "copy_pending", "started", "waiting", "running",
    "completed", "unverified", "unknown_effect", "proposed", "rejected", "withdrawn", "expired", "failed",
)  # fmt: skip


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", ["alice", "bob", "dana", "erin"])
def test_the_request_page_answers_in_every_state(people, state, who):
    request = getattr(Scenes(people), state)()
    answer = browser(getattr(people, who)).get(reverse("ops:request", args=[request.pk]))
    assert answer.status_code == 200
    assert request.reference in answer.content.decode()
