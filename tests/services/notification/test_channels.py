"""What goes out on each channel, and what becomes of a message when the other side misbehaves. All over sockets."""

from __future__ import annotations

import base64
import datetime as dt
import email
import json
import ssl
import time
from dataclasses import replace
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.core import mail as django_mail

from backups.domain.notification import Severity
from backups.models import Channel
from backups.services.notification.channels import send
from backups.services.notification.errors import NotDelivered
from backups.services.notification.letter import Letter
from backups.services.notification.pagerduty import pagerduty_event
from backups.services.notification.post import post
from backups.services.notification.signature import signature_headers
from backups.services.notification.slack import slack_message
from tests.services.notification import receivers
from tests.services.notification.conftest import SECRET
from tests.services.notification.receivers import answer, http_receiver, smtp_receiver

LETTER = Letter(
    id="msg_12",
    topic="votes_wanted",
    reference="R-0001",
    text="URGENT: R-0001: Alice <!channel> & Co ask to undo the restore of PRODUCTION main.",
    link="https://ops.example.org/restores/1/",
    written_at=dt.datetime(2026, 3, 1, 2, 31, tzinfo=dt.UTC),
    to="bob@carecircle.example",
    kind="request",
    subject_key="request:R-0001",
    severity=Severity.CRITICAL,
    project="calm-river-12345678",
    is_sandbox=True,
    is_request=True,
)
MARGIN_SECONDS = 3.0  # for a busy machine; each of these would last for minutes without its deadline


@pytest.fixture
def over_smtp(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"

    def go(receiver):
        settings.EMAIL_PORT = receiver.port
        send(Channel.MAIL, LETTER)

    return go


def test_slack_gets_the_sentence_and_a_link_and_rings_nobody(settings):
    with http_receiver() as receiver:
        settings.SLACK_WEBHOOK_URL = receiver.address
        send(Channel.SLACK, LETTER)
    [got] = receiver.posts
    assert got.headers["x-message-id"] == "msg_12"
    message = json.loads(got.body)
    text = message["text"]
    assert text.endswith("<https://ops.example.org/restores/1/|Open R-0001>")
    assert "&lt;!channel&gt; &amp; Co" in text
    assert "<!" not in got.body.decode()


def test_slacks_blocks_have_a_link_and_nothing_that_acts():
    header, section, actions, context = slack_message(LETTER)["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "CRITICAL R-0001: votes wanted", "emoji": False}
    assert [field["text"] for field in section["fields"]] == [
        "*About*\nrequest R-0001",
        "*Severity*\ncritical",
        "*Project*\ncalm-river-12345678",
        "*World*\nsandbox, not real",
    ]
    [button] = actions["elements"]
    assert button["url"] == "https://ops.example.org/restores/1/"
    assert "value" not in button, "nothing that an answer could act on"
    assert "msg_12" in context["elements"][0]["text"]
    assert "Nobody can vote from here" in context["elements"][0]["text"]


def test_the_end_of_a_trouble_looks_like_one():
    over = replace(LETTER, resolves=True, topic="finding.closed", reference="F-7" + "7" * 200)
    header, section, *_ = slack_message(over)["blocks"]
    assert not header["text"]["text"].startswith("CRITICAL")
    assert len(header["text"]["text"]) <= 150
    assert "*Severity*\nresolved" in [field["text"] for field in section["fields"]]
    assert pagerduty_event(over)["event_action"] == "resolve"


@pytest.mark.parametrize("kind", ["trigger", "acknowledge", "resolve"])
def test_pagerduty_knows_the_incident_by_its_subject(kind):
    letter = {
        "trigger": LETTER,
        "acknowledge": replace(LETTER, topic="finding.acknowledged"),
        "resolve": replace(LETTER, resolves=True),
    }[kind]
    event = pagerduty_event(letter)
    assert (event["event_action"], event["dedup_key"]) == (kind, "testserver/request:R-0001")
    assert len(pagerduty_event(replace(letter, subject_key="x" * 300))["dedup_key"]) <= 255


def test_an_answer_that_is_not_pagerdutys_is_no_delivery(settings):
    settings.PAGERDUTY_ROUTING_KEY = "key"
    with http_receiver(answer(200, b"<html>Please log in</html>")) as receiver:
        settings.PAGERDUTY_URL = receiver.address
        with pytest.raises(NotDelivered, match="not as PagerDuty does"):
            send(Channel.PAGERDUTY, LETTER)


def test_the_webhook_is_signed_so_that_a_receiver_can_tell_who_sent_it(settings):
    with http_receiver(answer(204, b"")) as receiver:
        settings.WEBHOOK_URL = receiver.address
        send(Channel.WEBHOOK, LETTER)
    [got] = receiver.posts
    timestamp = got.headers["webhook-timestamp"]
    assert abs(int(timestamp) - time.time()) < 60
    assert got.headers["webhook-id"] == "msg_12"
    mac = hmac.HMAC(SECRET.encode(), hashes.SHA256())
    mac.update(b"msg_12." + timestamp.encode() + b"." + got.body)
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(mac.finalize()).decode()
    assert json.loads(got.body) == {
        "type": "restore.votes_wanted",
        "timestamp": "2026-03-01T02:31:00.000+00:00",
        "data": {
            "request": "R-0001",
            "subject": {"kind": "request", "reference": "R-0001", "key": "request:R-0001"},
            "severity": "critical",
            "resolves": False,
            "sandbox": True,
            "text": LETTER.text,
            "link": LETTER.link,
        },
    }


@pytest.mark.parametrize("secret", [SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_receiver_written_after_the_page_of_the_docs_verifies_it(settings, secret):
    page = (settings.BASE_DIR / "docs" / "notifications.md").read_text(encoding="utf-8")
    example: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], example)  # noqa: S102
    settings.WEBHOOK_SECRET = secret
    with http_receiver() as receiver:
        settings.WEBHOOK_URL = receiver.address
        send(Channel.WEBHOOK, LETTER)
    [got] = receiver.posts
    assert example["verify"](got.headers, got.body, secret) == "msg_12"
    with pytest.raises(ValueError, match="not signed"):
        example["verify"](got.headers, got.body + b" ", secret)
    with pytest.raises(ValueError, match="not signed"):
        example["verify"](got.headers | {"webhook-id": "msg_13"}, got.body, secret)
    with pytest.raises(ValueError, match="too old"):
        example["verify"](got.headers | {"webhook-timestamp": "1614265330"}, got.body, secret)


def test_the_signature_is_the_one_of_standard_webhooks():
    """The specification's own example."""
    headers = signature_headers(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_seconds=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("act", "code", "status"),
    [
        (answer(500, b"SECRET-CANARY"), "refused", 500),
        (answer(404, b"no_service"), "refused", 404),
        (answer(200, b"<html>Please log in</html>"), "unexpected_answer", 200),
        (receivers.hang, "timed_out", None),
        (receivers.drip_head, "timed_out", None),
        (receivers.drip_body, "timed_out", None),
        (lambda handler, receiver: handler.wfile.write(b"SECRET-CANARY\r\n\r\n"), "broke_off", None),
        (lambda handler, receiver: None, "broke_off", None),
    ],
    ids=["500", "404", "html", "hang", "drip in the head", "drip in the body", "no http", "no answer"],
)
def test_a_misbehaving_receiver_is_a_failure_in_time(settings, act, code, status):
    with http_receiver(act) as receiver:
        settings.SLACK_WEBHOOK_URL = receiver.address
        began = time.monotonic()
        with pytest.raises(NotDelivered) as failure:
            send(Channel.SLACK, LETTER)
        assert time.monotonic() - began < settings.NOTIFICATION_POST_SECONDS + MARGIN_SECONDS
    assert (failure.value.code, failure.value.status) == (code, status)
    assert "CANARY" not in f"{failure.value!r} {failure.value.sentence}"
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__ or failure.value.__context__ is None


def test_a_redirect_is_not_followed():
    with (
        http_receiver() as elsewhere,
        http_receiver(answer(307, Location=elsewhere.address)) as receiver,
        pytest.raises(NotDelivered, match="redirects are not followed"),
    ):
        post(url=receiver.address, body=b"{}", headers={}, within_seconds=2)
    assert len(receiver.posts) == 1
    assert not elsewhere.posts


def test_a_proxy_of_the_environment_gets_nothing(monkeypatch):
    with http_receiver() as proxy, http_receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        post(url=receiver.address, body=b"{}", headers={}, within_seconds=2)
    assert len(receiver.posts) == 1
    assert not proxy.posts


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.org/x", "ftp://127.0.0.1/x", "not an address", "https://u:p@example.org/", "https://[::1/"],
)
def test_only_https_leaves_this_machine(url):
    with pytest.raises(NotDelivered) as failure:
        post(url=url, body=b"{}", headers={}, within_seconds=2)
    assert failure.value.code == "bad_address"


def test_an_encrypted_connection_that_is_never_agreed_on_ends_in_time():
    with smtp_receiver(receivers.hang) as silent, pytest.raises(NotDelivered) as failure:
        post(url=f"https://127.0.0.1:{silent.port}/", body=b"{}", headers={}, within_seconds=0.3)
    assert failure.value.code == "timed_out"


def test_nothing_is_sent_to_a_receiver_that_cannot_prove_its_name(tmp_path):
    with http_receiver(tls=_self_signed(tmp_path)) as impostor, pytest.raises(NotDelivered) as failure:
        post(url=impostor.address, body=b"{}", headers={}, within_seconds=10)
    assert failure.value.code == "tls_failed"
    assert not impostor.posts


def test_a_closed_port_is_said():
    with http_receiver() as gone:
        url = gone.address
    with pytest.raises(NotDelivered) as failure:
        post(url=url, body=b"{}", headers={}, within_seconds=2)
    assert failure.value.code == "unreachable"


@pytest.mark.parametrize(("secret", "code"), [("", "no_secret"), ("whsec_no*base64", "bad_secret")])
def test_nothing_is_sent_unsigned(settings, secret, code):
    settings.WEBHOOK_SECRET = secret
    with http_receiver() as receiver:
        settings.WEBHOOK_URL = receiver.address
        with pytest.raises(NotDelivered) as failure:
            send(Channel.WEBHOOK, LETTER)
    assert failure.value.code == code
    assert not receiver.posts


def test_a_mail_server_gets_sentence_link_and_an_id_that_stays(settings, over_smtp):
    settings.NOTIFICATION_MAIL_SECONDS = 10
    with smtp_receiver() as receiver:
        over_smtp(receiver)
    [mail] = [_parsed(text) for text in receiver.mails]
    assert mail["To"] == "bob@carecircle.example"
    assert mail["Subject"] == "CRITICAL R-0001: votes wanted"
    assert mail["Message-ID"] == "<msg_12@testserver>"
    body = mail.get_payload()
    assert LETTER.text in body
    assert f"\n{LETTER.link}\n" in body.replace("\r\n", "\n")
    assert "This is about a sandbox" in body
    assert mail["Importance"] == "high"


def test_mails_about_one_thing_are_one_thread_and_its_end_is_not_urgent(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    over = replace(LETTER, id="msg_13", topic="approved", resolves=True, is_sandbox=False)
    other = replace(LETTER, id="msg_14", subject_key="request:R-0002\nBcc: x@y.example")
    for letter in (LETTER, over, other):
        send(Channel.MAIL, letter)
    first, end, another = (message.extra_headers for message in django_mail.outbox)
    assert first["References"] == end["References"] != another["References"]
    assert "Importance" not in end
    assert "sandbox" not in django_mail.outbox[1].body


def test_a_mail_that_was_taken_counts_however_the_farewell_goes(over_smtp):
    with smtp_receiver(receivers.leave_without_farewell) as receiver:
        over_smtp(receiver)
    assert receiver.mails == ["taken"]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (receivers.hang, "timed_out"),
        (receivers.drip_greeting, "timed_out"),
        (receivers.refuse_recipient, "recipient_refused"),
        (lambda handler, receiver: handler.wfile.write(b"554 SECRET-CANARY go away\r\n"), "refused"),
        (lambda handler, receiver: None, "unreachable"),
    ],
    ids=["hang", "drip", "recipient refused", "refused", "gone"],
)
def test_a_misbehaving_mail_server_is_a_failure_in_time(settings, over_smtp, act, code):
    if code != "timed_out":
        settings.NOTIFICATION_MAIL_SECONDS = 10
    with smtp_receiver(act) as receiver:
        began = time.monotonic()
        with pytest.raises(NotDelivered) as failure:
            over_smtp(receiver)
        assert time.monotonic() - began < settings.NOTIFICATION_MAIL_SECONDS + MARGIN_SECONDS
    assert failure.value.code == code
    assert "CANARY" not in failure.value.sentence


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def _parsed(text: str) -> Message:
    return email.message_from_string(text)
