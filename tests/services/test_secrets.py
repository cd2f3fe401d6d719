from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import transaction

from backups.domain.people import SYSTEM
from backups.models import LedgerEvent, Project
from backups.neon.secret import Secret
from backups.services.secrets import (
    SecretsKeyUnusable,
    SecretUnreadable,
    api_key_of,
    fingerprint,
    problem_with_secrets_key,
    store_api_key,
)
from tests import factories

pytestmark = pytest.mark.django_db

KEY = "napi_1234567890abcdefcanary"


@pytest.fixture
def project() -> Project:
    made = factories.project()
    with transaction.atomic():
        store_api_key(project=made, api_key=Secret(KEY), actor=SYSTEM)
    return Project.objects.get(pk=made.pk)


def test_it_comes_back_and_is_nowhere_in_the_clear(project: Project) -> None:
    assert api_key_of(project).reveal() == KEY
    assert KEY.encode() not in bytes(project.api_key_encrypted or b"")
    event = LedgerEvent.objects.get(type="secret.changed")
    assert KEY not in event.body
    assert event.members["data"]["secret_fingerprint"] == fingerprint(Secret(KEY))


@pytest.mark.parametrize("field", ["api_host", "neon_project_id"])
def test_a_row_that_was_pointed_elsewhere_gives_no_key(project: Project, field: str) -> None:
    Project.objects.filter(pk=project.pk).update(**{field: "https://attacker.example/api/v2"})
    with pytest.raises(SecretUnreadable, match="Nothing was sent"):
        api_key_of(Project.objects.get(pk=project.pk))


def test_the_key_of_another_project_is_not_taken(project: Project) -> None:
    other = factories.project(neon_project_id="other-river-12345678")
    Project.objects.filter(pk=other.pk).update(api_key_encrypted=project.api_key_encrypted)
    with pytest.raises(SecretUnreadable):
        api_key_of(Project.objects.get(pk=other.pk))


def test_keys_are_replaced_one_after_the_other(project: Project, settings: Any) -> None:
    old, new = settings.SECRETS_KEYS[0], Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [new, old]
    assert api_key_of(project).reveal() == KEY
    settings.SECRETS_KEYS = [new]
    with pytest.raises(SecretUnreadable, match="Store the key again"):
        api_key_of(project)


def test_a_project_without_a_key_says_how_to_give_one() -> None:
    with pytest.raises(SecretUnreadable, match="No API key is stored"):
        api_key_of(factories.project())


@pytest.mark.parametrize("keys", [[], ["not-a-key"]])
def test_an_unusable_secrets_key_is_said_with_the_remedy(project: Project, settings: Any, keys: list[str]) -> None:
    assert problem_with_secrets_key() == ""
    settings.SECRETS_KEYS = keys
    assert "Fernet.generate_key" in problem_with_secrets_key()
    with pytest.raises(SecretsKeyUnusable):
        api_key_of(project)
