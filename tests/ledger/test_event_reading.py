"""Whichever way the verifier reads an event, it finds what the JSON says, however the event was forged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.ledger.verifier import event as reading
from backups.ledger.verifier.event import Told, canonical, parsed_time, told_by
from tests.ledger.sample_log import event

BODY = event(0, text="Which table?")
OTHER_ID, OTHER_TIME = "01a202e9-0117-7d0e-ad18-0000000000ff", "2020-01-01T00:00:00.000000Z"
PLAIN = json.loads(BODY)


def as_json_says(body: bytes) -> Told:
    told = json.loads(body)
    recorded = str(told.get("rec", ""))
    return Told(str(told.get("id", "")), recorded if parsed_time(recorded) else "")


def test_what_the_portal_writes_is_read_without_json(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "read_event", lambda body: pytest.fail("the whole of it was read"))
    assert told_by(BODY) == as_json_says(BODY)


@pytest.mark.parametrize(
    "changed",
    [
        {"rec": "2026-02-30T09:00:00.000000Z"},
        {"rec": "2026-11-22T24:00:00.000000Z"},
        {"rec": "now"},
        {"rec": None},
        {"id": 7},
        {"id": None},
        {"data": {"rec": OTHER_TIME, "id": OTHER_ID, "out": {"s": "success"}}},
        {"data": {"words": f',"id":"{OTHER_ID}","out":{{}},"rec":"{OTHER_TIME}","target":{{}},"time":"","type":"'}},
        {"reason": {"ticket": "a } and a { in it"}, "target": {"id": 'a " and a \\', "kind": "k", "rec": OTHER_TIME}},
        {"out": {"s": {"id": OTHER_ID, "rec": OTHER_TIME}}},
        {"zz": {"id": OTHER_ID, "rec": OTHER_TIME}},
        {"type": 'a","v":"ccops.audit/1"}'},
    ],
)
def test_a_forged_event_tells_what_its_json_says(changed: dict[str, Any]):
    body = canonical({**PLAIN, **changed})
    assert told_by(body) == as_json_says(body)


def test_of_two_members_of_one_name_the_last_counts_as_in_json():
    twice = BODY.replace(b'"env":', f'"id":"{OTHER_ID}","rec":"{OTHER_TIME}","env":'.encode(), 1)
    assert twice != BODY
    assert told_by(twice) == as_json_says(twice) == as_json_says(BODY)
    at_the_end = BODY[:-1] + f',"rec":"{OTHER_TIME}"}}'.encode()
    assert told_by(at_the_end) == as_json_says(at_the_end) == Told(PLAIN["id"], OTHER_TIME)


NESTED = st.recursive(
    st.text(alphabet='"\\{}[]:,idrecoutv é', max_size=12) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "out", "rec", "v", '"']), inner),
    max_leaves=8,
)


@given(data=NESTED, target=NESTED, reason=NESTED)
def test_whatever_its_members_hold_it_tells_what_its_json_says(data: Any, target: Any, reason: Any):
    body = canonical({**PLAIN, "data": data, "target": target, "reason": reason})
    assert told_by(body) == as_json_says(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"v":"ccops.audit/2"}', BODY[:-1], BODY + b" x", b"\xff"])
def test_what_is_no_event_is_not_read_as_one(body: bytes):
    assert told_by(body) is None
