"""The part of the settings that is about telling people. Read by settings.py, after .env is loaded."""

from __future__ import annotations

from carecircle_ops.environment import mail, number, optional, refusal
from carecircle_ops.settings_ledger import DIGEST_EMAIL_URL, DIGEST_SLACK_URL

SLACK_WEBHOOK_URL = DIGEST_SLACK_URL or optional("SLACK_WEBHOOK_URL")
WEBHOOK_URL = optional("WEBHOOK_URL")
WEBHOOK_SECRET = optional("WEBHOOK_SECRET")
if WEBHOOK_URL and not WEBHOOK_SECRET:
    raise refusal("WEBHOOK_SECRET is not set: receivers at WEBHOOK_URL could not tell who sent a message.")
# The integration key of a service at PagerDuty, Events API v2.
PAGERDUTY_ROUTING_KEY = optional("PAGERDUTY_ROUTING_KEY")
PAGERDUTY_URL = optional("PAGERDUTY_URL", "https://events.pagerduty.com/v2/enqueue")
# Without it no mail is sent.
globals().update(mail(DIGEST_EMAIL_URL or optional("EMAIL_URL", "dummymail://")))
EMAIL_TIMEOUT = 10
# One whole delivery, from the look-up of the name to the last byte. The lease outlives both.
NOTIFICATION_MAIL_SECONDS = number("NOTIFICATION_MAIL_SECONDS", 20)
NOTIFICATION_POST_SECONDS = number("NOTIFICATION_POST_SECONDS", 10)
NOTIFICATION_LEASE_SECONDS = number("NOTIFICATION_LEASE_SECONDS", 60)
NOTIFICATION_ROUND_SECONDS = number("NOTIFICATION_ROUND_SECONDS", 20)
# 5 s, 10 s, 20 s, ... 5 min: about 45 minutes until a message is given up.
NOTIFICATION_RETRY_SECONDS = number("NOTIFICATION_RETRY_SECONDS", 5)
NOTIFICATION_RETRY_LONGEST_SECONDS = number("NOTIFICATION_RETRY_LONGEST_SECONDS", 300)
NOTIFICATION_ATTEMPTS = int(number("NOTIFICATION_ATTEMPTS", 15))
# A subject that opens or closes again within this time is told as one summary at its end.
NOTIFICATION_DAMPING_SECONDS = number("NOTIFICATION_DAMPING_SECONDS", 15 * 60)
# Who has not opened an urgent request is told again so often, and then those who can reach them are told.
NOTIFICATION_REPEAT_SECONDS = number("NOTIFICATION_REPEAT_SECONDS", 5 * 60)
NOTIFICATION_REPEATS = int(number("NOTIFICATION_REPEATS", 2))
NOTIFICATION_ESCALATE_SECONDS = number("NOTIFICATION_ESCALATE_SECONDS", 15 * 60)
# Of the time for votes, and of the time to start: when so much of it is over, people are warned.
NOTIFICATION_FIRST_WARNING_PERCENT = int(number("NOTIFICATION_FIRST_WARNING_PERCENT", 50))
NOTIFICATION_LAST_WARNING_PERCENT = int(number("NOTIFICATION_LAST_WARNING_PERCENT", 80))
# A message that waits for longer counts as late.
NOTIFICATION_LATE_SECONDS = number("NOTIFICATION_LATE_SECONDS", 5 * 60)
# Addresses outside that expect a sign of life of each control (healthchecks.io and the like). They are secrets.
HEARTBEAT_URLS = {
    "monitor": optional("HEARTBEAT_URL_MONITOR"),
    "worker": optional("HEARTBEAT_URL_WORKER"),
    "drills": optional("HEARTBEAT_URL_DRILLS"),
    "ledger": optional("HEARTBEAT_URL_LEDGER"),
}
HEARTBEAT_EVERY_SECONDS = number("HEARTBEAT_EVERY_SECONDS", 60)
HEARTBEAT_POST_SECONDS = number("HEARTBEAT_POST_SECONDS", 5)
