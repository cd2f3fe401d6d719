"""Requests that people are told of, and channels on this machine."""

from __future__ import annotations

from typing import Any

import pytest

from backups.models import RestoreRequest
from tests import factories
from tests.factories import People

SECRET = "webhook-secret-canary-51c"


@pytest.fixture
def pending(people: People, db: None) -> RestoreRequest:
    """Alice asks; Bob and Carol can vote."""
    assert people.bob
    assert people.carol
    return factories.pending(people.alice, factories.branch())


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.NOTIFICATION_POST_SECONDS = settings.NOTIFICATION_MAIL_SECONDS = 0.4
    settings.WEBHOOK_SECRET = SECRET
