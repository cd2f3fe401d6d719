"""Calls that arrive in the same instant are counted one by one."""

from __future__ import annotations

from typing import Any

from backups.domain.safety_copy import TokenScope
from backups.models import ApiToken
from backups.services.tokens import TokenRefused, authenticate
from tests.factories import People
from tests.services.test_tokens import token
from tests.support.at_once import at_once
from tests.support.database import OwnDatabase


def test_the_limit_holds_for_calls_at_once(own_database: OwnDatabase, settings: Any) -> None:
    settings.TOKEN_CALLS_PER_MINUTE = 2
    _, header = token(People())
    raised = at_once(*[lambda: authenticate(header, TokenScope.SAFETY_COPY)] * 4)
    assert [isinstance(error, TokenRefused) for error in raised].count(True) == 2
    assert ApiToken.objects.get().window_calls == 4
