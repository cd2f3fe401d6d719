"""Planted keys, connection strings and patients' data, looked for in everything that an incident leaves behind.

A real worker, a local Neon that holds a patient's row, a portal that is used through its pages. Then the database's
dump, the queue, the logs of both processes, every page that each role reaches, and the exports are searched.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import logging
import re
import time
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from django_q.models import OrmQ, Task

from backups.domain.export import ExportFormat
from backups.domain.people import SYSTEM
from backups.models import Drill, OutboxMessage, Project, ProtectedBranch, RestoreRequest
from backups.services.sealing.bundle import export_bundle
from backups.services.secrets import api_key_of
from carecircle_ops.logs import JsonFormatter, RedactingFilter
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.admin.test_access_table import PAGES
from tests.admin.test_filing import typed
from tests.factories import People
from tests.neon.scripted_server import answers, http, scripted_server
from tests.support.drills import plan_of
from tests.support.dump import values
from tests.support.exports import exported, exports_in, file_of  # noqa: F401 - a fixture
from tests.support.sealing import SealedPortal, portal  # noqa: F401 - a fixture
from tests.support.worker import RunningWorker, running_worker, wait_until

pytestmark = pytest.mark.acceptance

ECHOED = "napi_EchoCanary0123456789abcdef"
TYPED = "napi_TypedCanary0123456789abcdef"
TYPED_DSN_PASSWORD = "TypedDsnCanary"
HOOK_SECRET = "whsec_HookCanary0123456789"
SLACK = "https://127.0.0.1:9/services/T000/B000/SlackCanary0123"
PATIENT, NUMBER = "Zebulon Quagmire-Canary", "321-54-9876"
SAID = {name: f"Resident Ophelia-{name} was touched" for name in ("reason", "vote", "second", "comment")}
_PATIENTS = "CREATE TABLE patients (id serial PRIMARY KEY, name text, ssn text, created_at timestamptz DEFAULT now())"
#: The only columns in which a planted thing may stand, and what: words that can be erased, keys that are encrypted.
WORDS_COLUMN, KEY_COLUMN = "backups_freetext.text", "backups_project.api_key_encrypted"


@dataclass
class Canaries:
    """What must be nowhere. Each is looked for as it is and as it looks when something encoded it."""

    planted: dict[str, str]

    def found_in(self, text: str) -> set[str]:
        return {name for name, forms in self._forms.items() if any(form in text for form in forms)}

    @cached_property
    def _forms(self) -> dict[str, set[str]]:
        return {name: set(_forms_of(value)) for name, value in self.planted.items()}


def _forms_of(value: str) -> Iterator[str]:
    yield from (value, urllib.parse.quote(value), value.encode().hex(), repr(value)[1:-1])
    for offset in range(3):  # wherever in a group of three bytes it begins
        coded = base64.b64encode(b"\0" * offset + value.encode()).decode()
        yield coded[(4 if offset else 0) : -4]


class Site:
    """The portal's pages for each person, and a log of this process as an installation writes it."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.tasks: set[str] = set()
        self._clients: dict[str, Client] = {}

    def of(self, name: str) -> Client:
        if name not in self._clients:
            self._clients[name] = Client(raise_request_exception=False)
            self._clients[name].force_login(getattr(self.people, name).user)
        return self._clients[name]

    def watch_the_queue(self) -> None:
        """Arguments and results of tasks, unpickled: base64 of a pickle hides everything. What is done is not kept."""
        self.tasks |= {repr(entry.task) for entry in OrmQ.objects.all()}
        self.tasks |= {repr((task.func, task.args, task.kwargs, task.result)) for task in Task.objects.all()}

    def send(self, who: str, address: str, fields: dict[str, Any], *arguments: Any, status: int = 302) -> str:
        answer = self.of(who).post(reverse(address, args=arguments), fields)
        assert answer.status_code == status, f"{address}: {answer.status_code} {_text(answer)[:3000]}"
        return _text(answer)

    def crawled(self, who: str, *, each: int = 1) -> Iterator[tuple[str, str, str]]:
        """(name of the page, address, content) of what can be reached from the start; of each kind, `each`."""
        waiting, seen, count = ["/", reverse("ops:queue"), reverse("admin:index")], set[str](), dict[str, int]()
        while waiting:
            path = waiting.pop(0)
            if path in seen:
                continue
            seen.add(path)
            name = _name_of(path)
            if not name or count.get(name, 0) >= each:
                continue
            count[name] = count.get(name, 0) + 1
            answer = self.of(who).get(path)
            text = _text(answer)
            yield name, path, text
            waiting += [link.partition("#")[0] for link in re.findall(r'href="(/[^"?#]*)', text)]


def _name_of(path: str) -> str:
    try:
        name = resolve(path).view_name
    except Resolver404:
        return ""
    return "" if name in ("ops:audit-export-file", "admin:logout") else name


def _text(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    answer.close()
    return f"{answer.headers} {content.decode('utf-8', 'replace')}"


@contextmanager
def web_log() -> Iterator[io.StringIO]:
    """What the web process would write, at its most talkative, through the installation's own filter and form."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


# --- The incident ---------------------------------------------------------------------------------------------------


def incident(site: Site, sandbox: RunningSandbox) -> RestoreRequest:
    """From the project's key to a restore that is done, a drill that ended, and what people do wrong on the way."""
    with psycopg.connect(sandbox.dsn(), autocommit=True) as database:
        database.execute(_PATIENTS)
        rows = "INSERT INTO patients (name, ssn) SELECT %s, %s FROM generate_series(1, 20)"
        database.execute(rows, [PATIENT, NUMBER])
        time.sleep(1.1)  # the form takes whole seconds
        good = sandbox.now().replace(microsecond=0)
        database.execute("DELETE FROM patients WHERE id <= 5")
    _connect(site, sandbox)
    branch = ProtectedBranch.objects.get(is_default=True)
    request = _restored(site, branch, good)
    with psycopg.connect(sandbox.dsn(), autocommit=True) as database:
        assert database.execute("SELECT count(*) FROM patients").fetchone() == (20,)
    _drilled(site, branch)
    refused = {"text": f"Key {TYPED} and postgres://owner:{TYPED_DSN_PASSWORD}@host/db"}
    page = site.send("bob", "ops:comment", refused, request.pk, status=422)
    assert "What you typed holds a key or a password" in page
    site.send("bob", "ops:comment", {"text": SAID["comment"]}, request.pk)
    return request


def _connect(site: Site, sandbox: RunningSandbox) -> None:
    """First at an address that answers with the key that it was shown, then properly."""
    said = {"message": f"bad header Authorization: Bearer {ECHOED}", "code": ECHOED, "request_id": ECHOED}
    project = {"neon_project_id": sandbox.project_id, "is_sandbox": "on"}
    with scripted_server(answers(http(401, said, x_neon_ret_request_id=ECHOED))) as echoing:
        site.send("erin", "ops:connect", project | {"api_host": echoing.url, "api_key": ECHOED}, status=422)
        assert ECHOED in echoing.requests[0].head, "the key was sent, and came back"
    site.send("erin", "ops:connect", project | {"api_host": sandbox.url, "api_key": sandbox.api_key})


def _restored(site: Site, branch: ProtectedBranch, at: dt.datetime) -> RestoreRequest:
    point = {"point_date": f"{at:%Y-%m-%d}", "point_time": f"{at:%H:%M:%S}", "point_zone": "UTC"}
    site.send("alice", "ops:file", typed(branch, reason=SAID["reason"]) | point)
    request = RestoreRequest.objects.get()
    site.send("alice", "ops:submit", {}, request.pk)
    _wait_for(site, request, "pending")
    for name, words in (("bob", "vote"), ("carol", "second")):
        assert request.packet is not None
        ballot = {"digest": request.packet.digest, "choice": "approve", "reason": SAID[words]}
        site.send(name, "ops:vote", ballot, request.pk)
    site.send("alice", "ops:start-restore", {"writers_stopped": "yes", "minutes": "0"}, request.pk)
    _wait_for(site, request, "completed")
    return request


def _drilled(site: Site, branch: ProtectedBranch) -> None:
    site.send("alice", "ops:plan-run", {}, plan_of(branch).pk)

    def has_ended() -> bool:
        site.watch_the_queue()
        return Drill.objects.filter(state="ended").exists()

    wait_until(has_ended, "the drill has ended")


def _wait_for(site: Site, request: RestoreRequest, state: str) -> None:
    def is_there() -> bool:
        site.watch_the_queue()
        request.refresh_from_db()
        assert request.state not in ("failed", "needs_attention"), request.outcome_sentence
        return request.state == state

    wait_until(is_there, f"the request is {state}")


# --- The search -----------------------------------------------------------------------------------------------------


def all_in(canaries: Canaries, texts: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for where, text in texts:
        for name in canaries.found_in(text):
            found.setdefault(name, set()).add(where)
    return found


def test_nothing_planted_is_found_where_it_must_not_be(
    portal: SealedPortal,  # noqa: F811
    exports_in: Path,  # noqa: F811
    people: People,
    settings: Any,
    tmp_path: Path,
) -> None:
    told = {"WEBHOOK_URL": "https://127.0.0.1:9/hook", "WEBHOOK_SECRET": HOOK_SECRET, "SLACK_WEBHOOK_URL": SLACK}
    for name, value in told.items():
        setattr(settings, name, value)
    people.all()
    site, quick = Site(people), {"DRILL_POINT_MARGIN_SECONDS": "0.2"}
    with running_sandbox("postgres") as sandbox, web_log() as log:
        with running_worker(portal.database, tmp_path, **quick, **told) as worker:
            incident(site, sandbox)
        password = urllib.parse.urlsplit(sandbox.dsn()).password or ""
        secrets = Canaries({
            "the project's key": sandbox.api_key, "the echoed key": ECHOED, "the typed key": TYPED,
            "the typed password": TYPED_DSN_PASSWORD, "the database's password": password,
            "the webhook's secret": HOOK_SECRET, "Slack's address": SLACK, "the patient": PATIENT, "the number": NUMBER,
        })  # fmt: skip
        assert len(password) > 8, "too short to be looked for"
        words = Canaries(SAID)
        _look_at_the_portal(site, portal, worker, log, secrets, words)


def _look_at_the_portal(
    site: Site,
    portal: SealedPortal,  # noqa: F811
    worker: RunningWorker,
    log: io.StringIO,
    secrets: Canaries,
    words: Canaries,
) -> None:
    # Every page of every role. People's words stand on pages, for that is what they are written for.
    pages = [(who, *page) for who in ("alice", "bob", "dana", "erin") for page in site.crawled(who)]
    assert all_in(secrets, ((f"{who} {path}", text) for who, _, path, text in pages)) == {}
    assert len({name for _, name, _, _ in pages} & PAGES.keys()) > 50
    assert all_in(words, ((path, text) for _, _, path, text in pages)).keys() == SAID.keys()

    # Exports. Words stand in bundles alone.
    portal.seal()
    tables = [
        (each.value, file_of(exported(site.people, each)).read_text()) for each in (ExportFormat.CSV, ExportFormat.OCSF)
    ]
    bundle = portal.directory / "ledger.zip"
    export_bundle(bundle, actor=SYSTEM)
    inside = list(_files_of(bundle))
    assert all_in(secrets, [*tables, *inside]) == {}
    assert all_in(words, [*tables, *inside]) == {name: {"texts.jsonl"} for name in SAID}

    # The database, after all that. Keys stand in it encrypted, in one column.
    rows = list(values(portal.database, portal.directory / "dump.sql"))
    assert all_in(secrets, rows) == {}
    assert all_in(words, rows) == {name: {WORDS_COLUMN} for name in SAID}
    assert {column for column, _ in rows if "encrypted" in column} == {KEY_COLUMN}
    assert api_key_of(Project.objects.get()).reveal() == secrets.planted["the project's key"]
    assert OutboxMessage.objects.filter(channel__in=["slack", "webhook"]).exists(), "there was something to send"
    tasks = [("queue", text) for text in site.tasks]
    assert all_in(secrets, tasks) == all_in(words, tasks) == {}
    assert tasks

    # Logs, and whether the search would notice.
    logs = [("worker", worker.log), ("web", log.getvalue())]
    assert min(len(text) for _, text in logs) > 1000
    assert all_in(secrets, logs) == all_in(words, logs) == {}
    logging.getLogger("backups.canary").warning("rows of %s are gone", PATIENT)
    assert all_in(secrets, [("web", log.getvalue())]) == {"the patient": {"web"}}
    assert secrets.found_in(f"args {base64.b64encode(b'x' + ECHOED.encode() + b'y').decode()}") == {"the echoed key"}


def _files_of(bundle: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            yield name, archive.read(name).decode("utf-8", "replace")
