"""Settings of the ledger's seal. Names of numbers carry their unit."""

from __future__ import annotations

import sys
from pathlib import Path

from carecircle_ops.environment import forget, moment, number, optional, refusal, switch, words

_STATE_DIR = Path(__file__).resolve().parent.parent / "var"

# These run under the sealer's role and hold the key of the ledger. No other process keeps either, not even in its
# environment; run_worker hands them to the sealer alone.
SEALER_COMMANDS = {"run_sealer", "set_up_ledger", "rotate_ledger_key", "adopt_ledger_state"}
IS_SEALER = bool(SEALER_COMMANDS & set(sys.argv[1:2]))
_SEALERS_OWN = ("LEDGER_KEY", "LEDGER_DATABASE_URL", "LEDGER_DIGEST_EMAIL_URL", "LEDGER_DIGEST_SLACK_URL")
if not IS_SEALER and not {"run_worker", "setup_roles"} & set(sys.argv[1:2]):
    forget(*_SEALERS_OWN)
# The other way round, the sealer keeps nothing that only pages and worker need, and does not even open their files.
_NOT_THE_SEALERS = (
    *("SECRET_KEY", "SECRET_KEY_FALLBACKS", "SECRETS_KEY", "DATABASE_URL", "MIGRATE_DATABASE_URL", "NEON_API_KEY"),
    *("WEBHOOK_URL", "WEBHOOK_SECRET", "PAGERDUTY_ROUTING_KEY", "HEALTH_TOKEN"),
    *("HEARTBEAT_URL_MONITOR", "HEARTBEAT_URL_WORKER", "HEARTBEAT_URL_DRILLS", "HEARTBEAT_URL_LEDGER"),
)
if IS_SEALER:
    forget(*_NOT_THE_SEALERS)


def sealers_database_url() -> str:
    """The address for the sealer's own commands, which run under no other role."""
    url = optional("LEDGER_DATABASE_URL")
    if not url:
        raise refusal("LEDGER_DATABASE_URL is not set: the sealer has a database role of its own.")
    return url


# The name of the log, written into every checkpoint, such as ops.example.org/audit/2026. Without it nothing is sealed.
LEDGER_ORIGIN = optional("LEDGER_ORIGIN")
# Where the sealer remembers, outside of the database, what it signed last. Each sealer needs its own.
LEDGER_STATE_DIR = Path(optional("LEDGER_STATE_DIR", str(_STATE_DIR / "ledger")))
# The public keys that this host trusts when it verifies. Without it, the list in the sealer's directory.
LEDGER_VKEYS_FILE = optional("LEDGER_VKEYS_FILE")
# Directories that take checkpoints, best mounts from elsewhere. An act waits until one of the first kind has it.
LEDGER_ANCHOR_DIRS = words("LEDGER_ANCHOR_DIRS", [])
LEDGER_FURTHER_ANCHOR_DIRS = words("LEDGER_FURTHER_ANCHOR_DIRS", [])
# A time-stamp authority (RFC 3161), the PEM file with its root certificate, whether acts wait for it, and how often it
# is asked when none does.
LEDGER_TSA_URL = optional("LEDGER_TSA_URL")
LEDGER_TSA_ROOTS = optional("LEDGER_TSA_ROOTS")
LEDGER_TSA_GATES = switch("LEDGER_TSA_GATES", default=False)
LEDGER_TSA_SECONDS = number("LEDGER_TSA_SECONDS", 3600)
# An anchor over the network has so long to answer, and after a failure rests so long unless an act waits for it.
LEDGER_ANCHOR_CALL_SECONDS = number("LEDGER_ANCHOR_CALL_SECONDS", 5)
LEDGER_ANCHOR_RETRY_SECONDS = number("LEDGER_ANCHOR_RETRY_SECONDS", 60)
# Once a day the newest checkpoint goes to these addresses, and to the Slack channel of this name, from this time on
# (UTC). By the mail server and webhook of all messages, or by those of the sealer's own settings.
LEDGER_DIGEST_MAIL = words("LEDGER_DIGEST_MAIL", [])
LEDGER_DIGEST_SLACK = optional("LEDGER_DIGEST_SLACK")
LEDGER_DIGEST_AT = moment("LEDGER_DIGEST_AT", "06:00")
DIGEST_EMAIL_URL = optional("LEDGER_DIGEST_EMAIL_URL") if IS_SEALER else ""
DIGEST_SLACK_URL = optional("LEDGER_DIGEST_SLACK_URL") if IS_SEALER else ""
if IS_SEALER and (DIGEST_EMAIL_URL or not LEDGER_DIGEST_MAIL):
    forget("EMAIL_URL")
if IS_SEALER and (DIGEST_SLACK_URL or not LEDGER_DIGEST_SLACK):
    forget("SLACK_WEBHOOK_URL")
# How often events are sealed that nothing waits for, and how often the tree's head is then anchored.
LEDGER_SEAL_SECONDS = number("LEDGER_SEAL_SECONDS", 1)
LEDGER_ANCHOR_SECONDS = number("LEDGER_ANCHOR_SECONDS", 300)
# All events and leaves are looked at again this often: what came late into the table, and what was changed in it.
LEDGER_FULL_LOOK_SECONDS = number("LEDGER_FULL_LOOK_SECONDS", 600)
# An event that nothing happened but time, so that silence shows.
LEDGER_BEAT_SECONDS = number("LEDGER_BEAT_SECONDS", 600)
# No order that overwrites data goes to Neon before its approvals are sealed and anchored.
SEAL_BEFORE_ACT = switch("SEAL_BEFORE_ACT", default=bool(LEDGER_ORIGIN))
# How long such an order waits before a person is asked.
SEAL_WAIT_SECONDS = number("SEAL_WAIT_SECONDS", 60)
# The log is reviewed so often (45 CFR 164.308(a)(1)(ii)(D)), and so many events of each period are drawn by lot.
LOG_REVIEW_DAYS = number("LOG_REVIEW_DAYS", 7)
LOG_REVIEW_SAMPLE = int(number("LOG_REVIEW_SAMPLE", 25))
# Files that auditors asked for. Web and worker both reach it; nobody else may. After so many days the files go.
LEDGER_EXPORT_DIR = Path(optional("LEDGER_EXPORT_DIR", str(_STATE_DIR / "exports")))
LEDGER_EXPORT_KEEP_DAYS = number("LEDGER_EXPORT_KEEP_DAYS", 7)
