"""The daily digest: the newest checkpoint, by mail or to Slack, to people who keep it where we have no hands.

No act waits for it: nobody can tell whether a message was read. The verifier takes the message itself as an anchor,
see `backups.ledger.verifier.kept`, which also reads the line that begins with `Sent`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.conf import settings

from backups.domain.anchor import Daily, Rhythm
from backups.domain.notification import Channel
from backups.ledger.one_file import FILE_NAME
from backups.ledger.signer import fingerprint
from backups.ledger.verifier.notes import Checkpoint, NoteRefused, VerifierKey, verified_by
from backups.selectors.routing import is_configured
from backups.services.notification.errors import NotDelivered
from backups.services.notification.mail import send_mail
from backups.services.notification.slack import escaped, post_to_slack
from backups.services.sealing.anchors import Taken
from backups.services.sealing.errors import AnchorFailed
from backups.services.sealing.keys import known_keys

_MAIL = """This is the copy of an audit log's newest checkpoint that lies outside of the hands of those who run the log.
Nothing is asked of you: keep this mail.

{facts}

{note}

What it is for: with it, an auditor sees whether something was changed in the log, or cut off it, that was there when
this mail was sent. Save the mail as a file (or a whole folder of them, as .eml or .mbox) and run, beside a bundle of
the log and on a machine of yours:

    python3 {program} BUNDLE --vkeys YOUR-KEYS --anchors THIS-MAIL.eml

The keys are those on the sheet that was given out when the log was set up. Compare the fingerprint above with the
sheet's. If it is another one and nobody told you of a change of the key, or if a newer mail shows fewer records than
an older one, or if no mail has come for two days: say so to the auditor, not only to those who run the log.
"""


@dataclass(frozen=True, slots=True)
class MailDigest:
    """One mail a day to one address."""

    to: str
    gates: bool = False

    @property
    def name(self) -> str:
        return f"mail:{self.to}"

    @property
    def rhythm(self) -> Rhythm:
        return Daily(settings.LEDGER_DIGEST_AT)

    def take(self, checkpoint: Checkpoint, *, at: dt.datetime) -> Taken:
        if not is_configured(Channel.MAIL):
            raise AnchorFailed(
                f"The digest for {self.to} was not sent: no mail server is set up for the sealer (EMAIL_URL, or "
                "LEDGER_DIGEST_EMAIL_URL for a sealer with settings of its own)."
            )
        message_id = _message_id(self.name, self.rhythm.day(at))
        body = _MAIL.format(facts=_facts(checkpoint, at), note=checkpoint.note.rstrip("\n"), program=FILE_NAME)
        try:
            send_mail(
                to=self.to,
                subject=f"Checkpoint of the audit log {checkpoint.origin}: {checkpoint.size:,} records",
                body=body,
                message_id=message_id,
                within_seconds=settings.NOTIFICATION_MAIL_SECONDS,
            )
        except NotDelivered as lost:
            raise AnchorFailed(f"The digest for {self.to} was not sent. {lost}") from None
        return Taken(message_id)

    def newest(self) -> Checkpoint | None:
        """A mailbox cannot be asked."""
        return None


@dataclass(frozen=True, slots=True)
class SlackDigest:
    """One message a day. `channel` is only a name for people; the webhook decides where it goes."""

    channel: str
    gates: bool = False

    @property
    def name(self) -> str:
        return f"slack:{self.channel}"

    @property
    def rhythm(self) -> Rhythm:
        return Daily(settings.LEDGER_DIGEST_AT)

    def take(self, checkpoint: Checkpoint, *, at: dt.datetime) -> Taken:
        message_id = _message_id(self.name, self.rhythm.day(at))
        text = (
            "*Checkpoint of the audit log.* Nothing is asked of you; this message is the copy outside of the portal. "
            f"Compare the fingerprint with the sheet from the set-up.\n"
            f"```\n{escaped(_facts(checkpoint, at))}\n\n{escaped(checkpoint.note)}```\n"
            f"Copied into a file it is an anchor: `python3 {FILE_NAME} BUNDLE --vkeys YOUR-KEYS --anchors FILE`"
        )
        try:
            post_to_slack({"text": text, "unfurl_links": False, "unfurl_media": False}, message_id=message_id)
        except NotDelivered as lost:
            raise AnchorFailed(f"The digest for the Slack channel {self.channel} was not sent. {lost}") from None
        return Taken(message_id)

    def newest(self) -> Checkpoint | None:
        """A webhook only writes."""
        return None


def _facts(checkpoint: Checkpoint, at: dt.datetime) -> str:
    return (
        f"Sent         {at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        f"Log          {checkpoint.origin}\n"
        f"Records      {checkpoint.size:,}\n"
        f"Signed by    {fingerprint(_signing_key(checkpoint))}"
    )


def _signing_key(checkpoint: Checkpoint) -> VerifierKey:
    """Raises AnchorFailed: what none of the sealer's own keys has signed is sent to nobody."""
    try:
        return verified_by(checkpoint.note, known_keys())[0]
    except NoteRefused as refused:
        raise AnchorFailed(f"No digest was sent: the checkpoint of {checkpoint.size} records: {refused}") from None


def _message_id(anchor: str, day: dt.date | None) -> str:
    """The same for each try of one day, so that a second copy is shown as one where mailboxes look."""
    return hashlib.sha256(f"{settings.LEDGER_ORIGIN}\n{anchor}\n{day}".encode()).hexdigest()[:32]
