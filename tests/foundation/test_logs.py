"""Log lines tell what happened, and no secret."""

from __future__ import annotations

import json
import logging

import pytest

from backups.domain.correlation import current_request_id, request_id_scope
from carecircle_ops.logs import JsonFormatter, RedactingFilter, redact

CANARY = "Xq7Canary9zLmN3"


@pytest.mark.parametrize(
    "line",
    [
        f"connecting to postgresql://owner:{CANARY}@ep-a.neon.tech/app?sslmode=require",
        f"postgres://owner:{CANARY}%40x@host/db",
        f"Authorization: Bearer {CANARY}",
        f"{{'Authorization': 'Bearer {CANARY}'}}",
        f"authorization=Basic {CANARY}",
        f"Authorization: {CANARY}",
        f"api_key={CANARY}&x=1",
        f'{{"api_key": "{CANARY}"}}',
        f"NEON_API_KEY={CANARY}",
        f"password='{CANARY}'",
        f"connect(password={CANARY!r}, host='h')",
        f"host=h user=u password={CANARY} dbname=d",
        f"Set-Cookie: {CANARY}",
        f"https://hooks.slack.com/services/T000/B000/{CANARY}",
        f"the key napi_{CANARY.lower()} was refused",
        f"csrfmiddlewaretoken={CANARY}",
    ],
)
def test_secrets_are_hidden(line):
    assert CANARY.lower() not in redact(line).lower()


@pytest.mark.parametrize(
    "line",
    [
        "GET https://console.neon.tech/api/v2/projects/blue-sky-1/branches 200 in 0.1 s",
        "restored br-late-river-1 to 2026-11-22T10:45:00Z at 0/1A2B3C4",
        "127.0.0.1:5432 refused",
        "the token bucket is empty",
    ],
)
def test_everything_else_stays(line):
    assert redact(line) == line


def logged(record: logging.LogRecord) -> dict[str, object]:
    assert RedactingFilter().filter(record)
    entry: dict[str, object] = json.loads(JsonFormatter().format(record))
    return entry


def test_a_line_is_one_object_with_the_requests_id():
    record = logging.makeLogRecord({"msg": "took %s\nlines", "args": (2,), "levelname": "INFO", "name": "x"})

    with request_id_scope("offered-id"):
        entry = logged(record)

    assert (entry["message"], entry["level"], entry["request_id"]) == ("took 2\nlines", "info", "offered-id")


def test_arguments_and_tracebacks_are_redacted_too():
    try:
        raise RuntimeError(f"cannot reach postgres://u:{CANARY}@h/db")
    except RuntimeError as error:
        caught = (type(error), error, error.__traceback__)
    record = logging.makeLogRecord({"msg": "with %s", "args": (f"password={CANARY}",), "exc_info": caught})

    assert CANARY not in json.dumps(logged(record))
    assert "RuntimeError" in str(logged(record)["traceback"])


def test_a_request_id_lasts_as_long_as_its_scope():
    with request_id_scope() as outer, request_id_scope() as inner:
        assert current_request_id() == inner != outer

    assert current_request_id() == ""


@pytest.mark.parametrize("offered", ["short", "x" * 65, "line\nbreak-in-it", 'quote"in-it', ""])
def test_an_offered_id_that_could_do_harm_is_replaced(offered):
    with request_id_scope(offered) as request_id:
        assert request_id != offered
