"""Keys of other systems, encrypted at rest. Write-only for people: nothing here shows one on a page or in an event.

What is encrypted names its owner and where the key is sent, so a row whose address was changed in the database can
no longer be opened: the key never goes to a host that nobody has entrusted it to.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.models import Project
from backups.neon.secret import Secret
from backups.services.ledger import record_event

HOW_TO_MAKE_A_KEY = (
    'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)


class SecretsKeyUnusable(Exception):
    """SECRETS_KEY is missing or malformed, so no stored key can be written or read. Nothing was changed."""


class SecretUnreadable(Exception):
    """A stored key is missing, or was made under another SECRETS_KEY or for another address. Nothing was sent."""


def store_api_key(*, project: Project, api_key: Secret, actor: Actor) -> None:
    """Encrypts and stores the project's key, in the caller's transaction. Raises SecretsKeyUnusable."""
    project.api_key_encrypted = _box().encrypt(_bound_to(project) + api_key.reveal().encode())
    project.save(update_fields=["api_key_encrypted"])
    record_event(
        type="secret.changed",
        actor=actor,
        target=Target(kind="project", id=project.neon_project_id, project=project.neon_project_id),
        details={
            "secret": "neon_api_key",
            "secret_fingerprint": fingerprint(api_key),
            "project": project.neon_project_id,
        },
        sandbox=project.is_sandbox,
    )


def api_key_of(project: Project) -> Secret:
    """The project's key. Raises SecretsKeyUnusable, SecretUnreadable."""
    if not project.api_key_encrypted:
        raise SecretUnreadable(f"No API key is stored for {project.name}. Store one with: manage.py connect.")
    try:
        opened = _box().decrypt(bytes(project.api_key_encrypted))
    except InvalidToken:
        raise _not_ours(project) from None
    owner = _bound_to(project)
    if not opened.startswith(owner):
        raise _not_ours(project)
    return Secret(opened[len(owner) :].decode())


def fingerprint(secret: Secret) -> str:
    """Tells two keys apart in the ledger; keyed, so that it can't be tried against guesses."""
    key = hashlib.sha256(b"fingerprint" + _keys()[0].encode()).digest()
    return hmac.new(key, secret.reveal().encode(), hashlib.sha256).hexdigest()[:16]


def problem_with_secrets_key() -> str:
    """What is wrong with SECRETS_KEY, as a sentence; empty when it can be used."""
    try:
        _box()
    except SecretsKeyUnusable as problem:
        return str(problem)
    return ""


def _bound_to(project: Project) -> bytes:
    return f"neon_api_key\0{project.api_host}\0{project.neon_project_id}\0".encode()


def _not_ours(project: Project) -> SecretUnreadable:
    return SecretUnreadable(
        f"The stored API key of {project.name} can't be opened: SECRETS_KEY or the project's address has changed. "
        "Nothing was sent. Store the key again with: manage.py connect."
    )


def _box() -> MultiFernet:
    """The first key writes; the others still read, so that keys can be replaced one after the other."""
    try:
        return MultiFernet([Fernet(key) for key in _keys()])
    except ValueError:
        raise SecretsKeyUnusable(f"SECRETS_KEY is not a usable key. {HOW_TO_MAKE_A_KEY}") from None


def _keys() -> list[str]:
    keys: list[str] = list(settings.SECRETS_KEYS)
    if not keys:
        raise SecretsKeyUnusable(f"SECRETS_KEY is not set, so no API key can be kept. {HOW_TO_MAKE_A_KEY}")
    return keys
