"""Every address, method and role: one event of the catalogue, or a reason for which it is read in silence.

Who gets in, and what being refused or reading a page writes, is `test_access_table`'s to try. Here it is asked that no
address is without a line, and what acts write: their leading event, the consequences that are named, nothing else; and
nothing at all where what was typed can't be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg import sql

from backups.models import LedgerEvent
from tests.admin.test_access_table import DJANGO, PAGES
from tests.factories import People
from tests.support.commands import COMMANDS, World
from tests.support.commands.world import Fields
from tests.support.database import SHARED, PortalDatabases
from tests.support.reads import HOW, READS, SILENT_READS, events_since

pytestmark = pytest.mark.django_db

#: Addresses that take POST and are no act on what the portal keeps.
NO_ACT = {"ops:display": "colours and time zone of one browser, in its own cookie"}
#: Django's addresses that take POST; the rest of what its log-in and log-out show is open to everybody.
DJANGO_ACTS = {"admin:password_change", "admin:auth_user_add", "admin:auth_user_change",
               "admin:auth_user_password_change", "admin:login", "admin:logout"}  # fmt: skip


def uncovered(pages: set[str], acts: set[str]) -> list[str]:
    """What is in no table, in two, or gone."""
    listed, done = set(READS) | set(SILENT_READS), {key.split()[0] for key in COMMANDS} | set(NO_ACT)
    wrong = [HOW.format(name=name) for name in sorted((pages - listed) | (acts - done))]
    wrong += [f"{name} is both an event and read in silence" for name in sorted(set(READS) & set(SILENT_READS))]
    return wrong + [f"{name} is gone" for name in sorted(listed - pages)]


PAGES_READ = {name for name, methods in PAGES.items() if "GET" in methods} | {name for name in DJANGO if DJANGO[name]}
ACTS_SENT = {name for name, methods in PAGES.items() if "POST" in methods} | DJANGO_ACTS


def test_every_address_is_in_a_table():
    assert not (wrong := uncovered(PAGES_READ, ACTS_SENT)), "\n".join(wrong)


def test_a_new_address_without_a_line_is_complained_about():
    page, act = uncovered(PAGES_READ | {"ops:a-secret-page"}, ACTS_SENT | {"ops:b-secret-act"})
    assert page.startswith("ops:a-secret-page: a page that is read needs a line")
    assert act.startswith("ops:b-secret-act")


@pytest.fixture
def world(people: People) -> Iterator[World]:
    made = World(people)
    yield made
    made.close()


class Sender:
    """One act and the person who does it."""

    def __init__(self, world: World, key: str) -> None:
        self.act = COMMANDS[key]
        arguments, self.fields = self.act.send(world)
        self.url = reverse(key.split()[0], args=arguments)
        self.client = Client(raise_request_exception=False)
        if self.act.who:
            self.client.force_login(getattr(world.people, self.act.who).user)

    def send(self, fields: Fields) -> tuple[Any, Counter[str]]:
        """The answer, and the events that came of it."""
        for value in fields.values():
            if hasattr(value, "seek"):
                value.seek(0)
        last = LedgerEvent.objects.latest("recorded_at")
        return self.client.post(self.url, {"csrfmiddlewaretoken": "-"} | dict(fields)), events_since(last)


@pytest.fixture(scope="module")
def an_event_can_be_refused(portal_databases: PortalDatabases, django_db_setup: None) -> Iterator[None]:
    """The database refuses events of the type that the setting tests.refused_event names."""
    statements = (
        "CREATE FUNCTION refuse_one_type() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.body::jsonb ->> 'type' = current_setting('tests.refused_event', true) THEN "
        "RAISE EXCEPTION 'this event cannot be written'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse_one_type BEFORE INSERT ON backups_ledgerevent "
        "FOR EACH ROW EXECUTE FUNCTION refuse_one_type()",
    )
    portal_databases.administrate(*[sql.SQL(each).format() for each in statements], database=SHARED)
    yield
    portal_databases.administrate(sql.SQL("DROP FUNCTION refuse_one_type CASCADE").format(), database=SHARED)


_NOT_COMPARED = {"backups_ledgerevent", "backups_freetext", "django_session"}


@contextmanager
def refused(event: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('tests.refused_event', %s, true)", [event])
        yield
        cursor.execute("SELECT set_config('tests.refused_event', '', true)")


def content() -> dict[str, str]:
    """A hash of the rows of every table but those of events: calls to Neon that were made stay on record.

    Sessions are left out too: what is said on the next page may stand in one.
    """
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) - _NOT_COMPARED
        hashes = " UNION ALL ".join(
            f"SELECT '{name}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{name}\" t"  # noqa: S608
            for name in sorted(tables)
        )
        cursor.execute(hashes)
        return dict(cursor.fetchall())


@pytest.mark.parametrize("key", COMMANDS)
def test_an_act_is_recorded_or_does_not_happen(an_event_can_be_refused, world, key):
    """First with what can't be used, then with a database that does not take the event, then properly."""
    sender, act = Sender(world, key), COMMANDS[key]
    before = content()
    if act.wrong is not None:
        answer, events = sender.send(act.wrong and {**sender.fields, **act.wrong})
        assert answer.status_code == act.wrong_status
        assert dict(events) == ({act.refused: 1} if act.refused else {})
        assert content() == before or act.refused

    before = content()
    with refused(act.leading):
        answer, events = sender.send(sender.fields)
    assert answer.status_code == 500
    assert "a change is stored whole or not at all" in answer.content.decode()
    assert content() == before, changed(before)

    answer, events = sender.send(sender.fields)
    said = f"{answer.status_code} {answer.headers.get('Location', '')} {dict(events)}"
    assert events.pop(act.leading, 0) == 1, said
    assert set(events) == act.consequences, said


def changed(before: dict[str, str]) -> str:
    return f"changed without its event: {[name for name, rows in content().items() if rows != before[name]]}"
