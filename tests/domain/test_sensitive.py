"""What must not be kept is found in what people type, and ordinary words of an incident raise no alarm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.sensitive import PERSONAL, Kind, kinds_in, masked, sensitive_in, without_secrets

FOUND: dict[Kind, tuple[str, ...]] = {
    Kind.SOCIAL_SECURITY: ("SSN 123-45-6789", "ssn:123456789", "social security number is 123 45 6789"),
    Kind.RECORD_NUMBER: ("MRN 00482231", "mrn: AB-123456", "medical record number 1234567", "patient id 48213"),
    Kind.BIRTH: ("DOB 1961-04-03", "dob: 4/3/1961", "born on 3 April 1961", "Date of birth (d/m/y): 03.04.1961"),
    Kind.MAIL: ("jane.doe@example.org", "write to o'neil+x@mail.hospital.co.uk."),
    Kind.CONNECTION: (
        "postgres://u:CANARY@host/db", "postgresql://owner:CAN/ARY@ep/x", "PGPASSWORD=CANARY psql",
        "host=ep-x user=care password=CANARY dbname=x", "password = CANARY host=x",
    ),
    Kind.NEON_KEY: ("napi_CANARY012345",),
    Kind.NEON_PASSWORD: ("npg_CANARY0123",),
    Kind.PORTAL_TOKEN: ("ccops_ab12cd34_CANARY0123456789abcdef",),
    Kind.BEARER: ("Authorization: Bearer CANARY.abcdefghijklmnop", "eyJCANARY012345.eyJCANARY012345.CANARY"),
    Kind.PRIVATE_KEY: ("-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----",
                       "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY"),
    Kind.AWS_KEY: ("AKIACANARY0123456789", "aws_secret_access_key = CANARY0123456789abcdefghij"),
    Kind.SLACK: ("xoxb-CANARY0123456", "https://hooks.slack.com/services/T0/B0/CANARY"),
    Kind.GITHUB_TOKEN: ("ghp_CANARY0123456789abcdef0123456789",),
}  # fmt: skip

ORDINARY = (
    "INC-2026-11-22, OPS-4711 and INC-881, see https://status.example.org/incidents/881",
    "back to 0/1E19478 or 1A/2B3C4D5E, taken 2026-11-22T01:31:59Z, 2026-11-22 09:40:41.123 UTC, 22/11/2026",
    "br-calm-sea-12345678 at ep-calm-sea-a1b2c3d4.eu-central-1.aws.neon.tech:5432, project calm-river-48211234",
    "sha256:" + "0123456789abcdef" * 4 + " of 550e8400-e29b-41d4-a716-446655440000",
    "R-0007, D-0088, S-0003; snap-calm-sea-1; xid 48211234; migration 0042 since 02:31; version 16.4.1234",
    "postgresql://carecircle_owner@ep-calm-sea.aws.neon.tech/app, connect as carecircle_owner at 10.0.0.7:5432",
    "git@github.com:org/repo.git; password=**** host=x; reset the password, the host is down",
    "0171-2345678, +49 171 2345678, 555-123-4567, 000-12-3456",
    "table patients: 41022 expected, 41,020 found; 37 patients; the branch was born 2026-11-22 01:31",
    "@carol please look; patient 2026-11-22; patients 20261122T0131",
)


def test_every_kind_is_found_and_a_secret_is_gone_from_what_is_shown_again():
    assert set(FOUND) == set(Kind)
    for kind, texts in FOUND.items():
        for text in texts:
            assert kinds_in(text) == {kind}, text
            around = f"First line\nhere: {text}"
            (finding,) = sensitive_in(around)
            assert (finding.kind, finding.line) == (kind, 2), text
            assert around[finding.start : finding.end] in text
            assert not any(character.isalnum() for character in masked(around, finding))
            assert "CANARY" not in without_secrets(around)
            assert (without_secrets(around) == around) == (kind in PERSONAL)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_of_an_incident_raise_no_alarm(text):
    assert [(finding.kind, text[finding.start : finding.end]) for finding in sensitive_in(text)] == []


def test_a_secret_is_a_secret_also_where_it_looks_like_an_address():
    (finding,) = sensitive_in("x.napi_CANARY012345@example.org")
    assert finding.kind is Kind.NEON_KEY
    assert "CANARY" not in without_secrets("x.napi_CANARY012345@example.org, npg_CANARY01 napi_CANARY012345")


def test_places_are_counted_from_one():
    first, second = sensitive_in("a\nbc MRN 00482231\nDOB 1961-04-03")
    assert [(first.line, first.column), (second.line, second.column)] == [(2, 4), (3, 1)]


_HEX = st.text("0123456789abcdef", min_size=8, max_size=64)
_IDS = st.one_of(
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    st.datetimes().map(lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC"),
    st.dates().map(str),
    st.integers(0, 2**64).map(lambda number: f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"),
    st.uuids().map(str),
    st.integers(0, 10**9).map(lambda number: f"INC-{number}"),
    st.integers(0, 10**9).map(lambda number: f"{number:,} rows"),
    _HEX.map(lambda digits: f"br-calm-sea-{digits[:8]}"),
    _HEX.map(lambda digits: f"ep-calm-sea-{digits[:8]}.aws.neon.tech"),
    _HEX.map(lambda digits: f"sha256:{digits}"),
)


@given(st.lists(_IDS, min_size=1, max_size=6))
def test_ids_times_and_numbers_in_any_order_raise_no_alarm(parts):
    assert not sensitive_in("Rows gone: " + ", ".join(parts) + ".")


@given(st.text())
def test_places_lie_within_any_text_and_do_not_overlap(text):
    ends = [0]
    for finding in sensitive_in(text):
        assert ends[-1] <= finding.start < finding.end <= len(text)
        ends.append(finding.end)


def test_no_text_takes_long():
    """Written to make a careless pattern try every way of dividing it."""
    began = time.process_time()
    for part in ("a@", "password=", "host=a ", "//:", "a:", "a.", "1-", "born ", "bearer ", "eyJaaaaaaaaaa", "mrn "):
        kinds_in(part * (10_000 // len(part)))
    assert time.process_time() - began < 2
