"""The portal's own settings, with values for tests where an installation must choose."""

from __future__ import annotations

import os

for _name in [
    name
    for name in os.environ
    if name.startswith(("NEON_", "EMAIL_", "SLACK_", "WEBHOOK_", "PAGERDUTY_", "HEARTBEAT_", "LEDGER_", "SEAL_"))
]:
    del os.environ[_name]  # a developer's own key must never be used by a test
os.environ.update(
    SECRET_KEY="tests-only-" + "k" * 50,
    SITE_URL="http://testserver",
    ALLOWED_HOSTS="testserver,127.0.0.1,localhost",
    # The real address is known once the server runs: see tests/support/database.py.
    DATABASE_URL="postgres://portal_web@127.0.0.1:1/not-started-yet",
    LOG_LEVEL="WARNING",
    SECRETS_KEY="dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
)

from carecircle_ops.settings import *  # noqa: E402, F403

# A login costs a millisecond rather than half a second.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
