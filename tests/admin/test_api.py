"""The door for programs: a token opens two addresses, and every other one stays shut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from backups.domain.safety_copy import TokenScope
from backups.models import Execution, LedgerEvent, ProtectedBranch, SafetyCopy
from backups.services import token_refusals
from backups.services.tokens import make_token
from tests import factories
from tests.factories import People

pytestmark = pytest.mark.django_db
COPIES = "/api/safety-copies"


@pytest.fixture(autouse=True)
def fresh_refusals() -> None:
    token_refusals.forget()


@pytest.fixture
def branch() -> ProtectedBranch:
    return factories.branch()


def header(people: People, *scopes: TokenScope, project_id: int | None = None) -> str:
    _, secret = make_token(
        actor=people.erin.actor,
        label="pipeline",
        scopes=scopes or (TokenScope.SAFETY_COPY,),
        days=1,
        project_id=project_id,
    )
    return f"Bearer {secret}"


def ask(auth: str, body: Any = None, *, key: str = "run-1", method: str = "POST", path: str = COPIES) -> Any:
    text = body if isinstance(body, str) else json.dumps({"before": "migration 0042"} if body is None else body)
    headers = {"Authorization": auth, "Idempotency-Key": key}
    # Cookies and forms are checked for forgery here as in a browser; a token needs neither.
    client = Client(enforce_csrf_checks=True)
    return client.generic(method, path, text, content_type="application/json", headers=headers)


def test_a_pipeline_asks_and_looks(people: People, branch: ProtectedBranch) -> None:
    auth = header(people)
    answer = ask(auth)
    assert answer.status_code == 202, answer.content
    told = answer.json()
    assert (told["state"], told["is_made"], told["is_final"]) == ("asked", False, False)
    copy = SafetyCopy.objects.get()
    assert (copy.origin, copy.asked_by, copy.keep_days) == ("token", None, 7)
    assert Execution.objects.filter(safety_copy=copy, purpose="safety_copy").count() == 1
    seen = ask(auth, "", method="GET", path=answer.headers["Location"])
    assert (seen.status_code, seen.json()["id"]) == (200, copy.reference)
    event = LedgerEvent.objects.get(type="copy.asked")
    assert (event.actor_kind, event.members["data"]["means"]) == ("service", "token")
    assert not answer.cookies


def test_the_same_key_gives_the_same_copy(people: People, branch: ProtectedBranch) -> None:
    auth = header(people)
    first, second = ask(auth), ask(auth)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    other = ask(auth, {"before": "migration 0043"})
    assert (other.status_code, list(other.json()["error"]["fields"])) == (422, ["idempotency_key"])
    assert ask(header(people)).status_code == 202, "another token has keys of its own"
    assert SafetyCopy.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("not json", "body"),
        ("[1]", "body"),
        ("[" * 5000, "body"),
        ("x" * 20_000, "body"),
        ({}, "reason"),
        ({"before": 1}, "before"),
        ({"before": "x", "keep_days": "7"}, "keep_days"),
        ({"before": "x", "keep_days": True}, "keep_days"),
        ({"before": "x", "keep_days": 99}, "keep_days"),
        ({"before": "x", "kind": "tape"}, "kind"),
        ({"before": "x", "branch": "no such"}, "branch"),
        ({"before": "x", "sql": "DROP"}, "sql"),
    ],
)
def test_what_cant_be_is_said_by_field(people: People, branch: ProtectedBranch, body: Any, field: str) -> None:
    answer = ask(header(people), body)
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, [field])
    assert not SafetyCopy.objects.exists()


@pytest.mark.parametrize("key", ["", "two words", "x" * 81])
def test_a_wish_needs_a_key_of_its_own(people: People, branch: ProtectedBranch, key: str) -> None:
    assert ask(header(people), key=key).status_code == 422


def test_a_token_of_one_project_sees_no_other(people: People, branch: ProtectedBranch) -> None:
    other = factories.branch(
        factories.project(neon_project_id="other-project-1", name="other"), neon_branch_id="br-other-1"
    )
    auth = header(people, project_id=other.project_id)
    answer = ask(auth, {"before": "x", "project": branch.project.neon_project_id})
    assert answer.status_code == 422
    assert ask(auth).json()["project"] == "other-project-1"


def test_a_token_sees_its_own_copies_only(people: People, branch: ProtectedBranch) -> None:
    where = ask(header(people)).headers["Location"]
    stranger = header(people)
    for path in (where, f"{COPIES}/S-9999", f"{COPIES}/nothing", f"{COPIES}/{'9' * 30}"):
        assert ask(stranger, "", method="GET", path=path).status_code == 404


@pytest.mark.parametrize("auth", ["", "Bearer nonsense", "Basic YTpi"])
def test_without_a_token_nothing_is_told(people: People, branch: ProtectedBranch, auth: str) -> None:
    answer = ask(auth)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert LedgerEvent.objects.filter(type="access.refused").count() == 1


def test_a_log_in_is_no_token(people: People, branch: ProtectedBranch) -> None:
    client = Client()
    client.force_login(people.alice.user)
    assert client.post(COPIES, "{}", content_type="application/json").status_code == 401
    assert client.get(f"{COPIES}/S-0001").status_code == 401


def test_the_wrong_scope_and_the_wrong_method_are_refused(people: People, branch: ProtectedBranch) -> None:
    assert ask(header(people, TokenScope.READ_HEALTH)).status_code == 403
    assert ask(header(people), method="DELETE").status_code == 405
    assert not SafetyCopy.objects.exists()


#: What a token of every scope opens, and what is open to everybody.
OPENED = {"ops:api-safety-copies", "ops:api-safety-copy", "health-backups", "metrics"}
OPEN_TO_ALL = {
    "healthz", "readyz", "workerz", "favicon", "ops:display", "admin:login", "admin:logout", "admin:jsi18n",
}  # fmt: skip


def _patterns(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Any:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry, path, f"{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name}", path


def test_no_other_address_opens_to_a_token(people: People, branch: ProtectedBranch) -> None:
    """A token of every scope is shown at every address, with every method: it changes nothing and reads nothing."""
    import re

    auth = header(people, *TokenScope)
    opened = []
    for name, pattern in _patterns(get_resolver()):
        if name in OPENED | OPEN_TO_ALL:
            continue
        url = "/" + re.sub(r"<[^>]*>", "1", pattern).replace("^", "").replace("$", "").replace("\\", "")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            status = ask(auth, "{}", method=method, path=url).status_code
            if 200 <= status < 300:
                opened.append(f"{method} {name} {url}: {status}")
    assert not opened, "\n".join(opened)
