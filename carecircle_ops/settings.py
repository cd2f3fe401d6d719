"""Settings. Every difference between two installations is an environment variable (or a line of ``.env``).

Any of them can be given as ``NAME_FILE``, the path of a file that holds the value. Names of numbers carry their unit.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carecircle_ops.environment import database, load_dotenv, number, optional, refusal, required, switch, words

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / "var"
load_dotenv(BASE_DIR / ".env")

# First of all: it forgets what this process is not to know.
from carecircle_ops.settings_ledger import *  # noqa: E402, F403
from carecircle_ops.settings_ledger import IS_SEALER, sealers_database_url  # noqa: E402
from carecircle_ops.settings_retention import *  # noqa: E402, F403

# Commands that only read the code (makemigrations, collectstatic while an image is built) have no secrets at hand.
MIGRATION_TOOLING = switch("MIGRATION_TOOLING", default=False)


def _needed(name: str, *, for_tooling: str) -> str:
    return required(name, without=for_tooling if MIGRATION_TOOLING or IS_SEALER else None)


# --- The site -------------------------------------------------------------------------------------------------

DEBUG = switch("DEBUG", default=False)
SECRET_KEY = _needed("SECRET_KEY", for_tooling="only-for-commands-that-read-code-" + "0" * 40)
# Sessions signed by these still count; waiting tasks do not, so drain the queue before the key is changed.
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS", [])

# Where people reach the portal: links in messages, and whether cookies demand https, follow from it.
SITE_URL = _needed("SITE_URL", for_tooling="http://localhost:8000").rstrip("/")
_SITE = urlsplit(SITE_URL)
if _SITE.scheme not in {"http", "https"} or not _SITE.hostname:
    raise refusal("SITE_URL must look like https://ops.example.org.")
HTTPS_ONLY = _SITE.scheme == "https"
ALLOWED_HOSTS = words("ALLOWED_HOSTS", [_SITE.hostname])
CSRF_TRUSTED_ORIGINS = [f"{_SITE.scheme}://{_SITE.netloc}"]

ROOT_URLCONF = "carecircle_ops.urls"
WSGI_APPLICATION = "carecircle_ops.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "backups.apps.BackupsConfig",
    "carecircle_ops.apps.OpsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_q",
]

MIDDLEWARE = [
    "carecircle_ops.middleware.RequestIdMiddleware",
    "carecircle_ops.middleware.ResponseHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "carecircle_ops.sessions.SessionLimitsMiddleware",
    "carecircle_ops.acting.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

LANGUAGE_CODE = "en-us"
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = Path(optional("STATIC_ROOT", str(STATE_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Who is logged in, and for how long -----------------------------------------------------------------------

CSRF_FAILURE_VIEW = "carecircle_ops.errors.csrf_failure"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_IDLE_SECONDS = number("SESSION_IDLE_SECONDS", 15 * 60)
SESSION_TOTAL_SECONDS = number("SESSION_TOTAL_SECONDS", 12 * 3600)
SESSION_COOKIE_AGE = int(SESSION_TOTAL_SECONDS)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
# Not "Strict": the link in a message must arrive logged in.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
# The prefix makes a browser refuse the cookie from a neighbouring host or over plain http.
SESSION_COOKIE_NAME = "__Host-session" if HTTPS_ONLY else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS_ONLY else "csrf"

# --- What browsers are told -----------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = int(number("HSTS_SECONDS", 365 * 24 * 3600)) if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = switch("HSTS_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = switch("HSTS_PRELOAD", default=True)
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# Only when a proxy in front sets the header itself and drops what a client sent.
if switch("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How many proxies of ours append to X-Forwarded-For; what stands left of theirs was written by the caller.
TRUSTED_PROXY_COUNT = int(number("TRUSTED_PROXY_COUNT", 1)) if optional("TRUSTED_PROXY_COUNT") else 0
# Django 6 reads a setting of this name itself; until then the middleware does.
SECURE_CSP: dict[str, list[str]] = {
    "default-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

# --- The database ---------------------------------------------------------------------------------------------

# Tables are made and changed by their owner; everything else runs under a role that cannot touch events.
OWNER_COMMANDS = {"migrate", "setup_roles"}
MIGRATE_DATABASE_URL = optional("MIGRATE_DATABASE_URL")


def _database_url() -> str:
    running = sys.argv[1] if len(sys.argv) > 1 else ""
    if running in OWNER_COMMANDS and MIGRATE_DATABASE_URL:
        return MIGRATE_DATABASE_URL
    if IS_SEALER:
        return sealers_database_url()
    return _needed("DATABASE_URL", for_tooling="postgres://nobody@127.0.0.1:1/none")


def _database(url: str) -> dict[str, Any]:
    config = database(url)
    options = {
        "connect_timeout": 5,
        # The server cuts a slow statement; this cuts the wait for a server that is gone.
        "tcp_user_timeout": 20_000,
        "application_name": f"carecircle-{optional('ROLE', 'web')}",
        "options": "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000",
    }
    return config | {
        # Persistent, because the queue is polled fifty times a second. No connection pool: the worker
        # forks, and its children would share the pool's sockets.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": options | config.get("OPTIONS", {}),
    }


DATABASES = {"default": _database(_database_url())}

# --- Neon -----------------------------------------------------------------------------------------------------

NEON_API_KEY = optional("NEON_API_KEY")
NEON_PROJECT_ID = optional("NEON_PROJECT_ID")
NEON_API_HOST = optional("NEON_API_HOST", "https://console.neon.tech/api/v2").rstrip("/")
NEON_CALL_DEADLINE_SECONDS = number("NEON_CALL_DEADLINE_SECONDS", 20)
# Encrypt the stored API keys. Several, with commas, while one is replaced: the first writes, all of them read.
SECRETS_KEYS = words("SECRETS_KEY", [])

# --- Messages -------------------------------------------------------------------------------------------------

from carecircle_ops.settings_messages import *  # noqa: E402, F403
from carecircle_ops.settings_monitor import *  # noqa: E402, F403
from carecircle_ops.settings_worker import *  # noqa: E402, F403

DEFAULT_FROM_EMAIL = SERVER_EMAIL = optional("MAIL_FROM", f"carecircle-ops@{_SITE.hostname}")

# --- For the hour in which the portal is down ---------------------------------------------------------------------

# Where the worker keeps one printable page for each project: a directory that is copied off this machine.
RUNBOOK_DIR = optional("RUNBOOK_DIR")
# One line on each of them: the number that is answered at night, and the thread.
RUNBOOK_CONTACT = optional("RUNBOOK_CONTACT")

# --- The worker -----------------------------------------------------------------------------------------------

# A lease outlives the longest task (timeout, hard kill after 3 s, guard cycle) and the longest call to Neon.
EXECUTION_LEASE_SECONDS = number("EXECUTION_LEASE_SECONDS", 60)
EXECUTION_BUDGET_SECONDS = number("EXECUTION_BUDGET_SECONDS", 20)
# Polling of Neon's operations: short at first, because most take a second or two.
EXECUTION_POLL_SECONDS = number("EXECUTION_POLL_SECONDS", 0.1)
EXECUTION_POLL_LONGEST_SECONDS = number("EXECUTION_POLL_LONGEST_SECONDS", 3)
# How long after a lost call's deadline its effect may still appear at Neon.
EXECUTION_SETTLE_SECONDS = number("EXECUTION_SETTLE_SECONDS", 30)
# How often Neon is asked about an effect that contradicts itself before a person decides.
EXECUTION_LOOK_UPS = int(number("EXECUTION_LOOK_UPS", 6))
# Neon may still retry an operation that it calls failed.
EXECUTION_FAILED_GRACE_SECONDS = number("EXECUTION_FAILED_GRACE_SECONDS", 60)
# Waits that stay without an end for this long are handed to a person.
EXECUTION_PATIENCE_SECONDS = number("EXECUTION_PATIENCE_SECONDS", 30 * 60)
EXECUTION_CONNECT_SECONDS = number("EXECUTION_CONNECT_SECONDS", 5 * 60)
EXECUTION_CONNECT_TRY_SECONDS = number("EXECUTION_CONNECT_TRY_SECONDS", 5)
# Waits between two tries, doubled each time up to the longest.
EXECUTION_RETRY_SECONDS = number("EXECUTION_RETRY_SECONDS", 1)
EXECUTION_RETRY_LONGEST_SECONDS = number("EXECUTION_RETRY_LONGEST_SECONDS", 15)
# A run whose workers die this often without progress is handed to a person.
EXECUTION_ABANDONED_LIMIT = int(number("EXECUTION_ABANDONED_LIMIT", 5))
# A task that nobody took within this time counts as lost and is enqueued again.
EXECUTION_REQUEUE_SECONDS = number("EXECUTION_REQUEUE_SECONDS", 10)

# After a restore: the first look whether the application is back, then twice as long after each; and how long its
# health address may take to answer.
AFTERWARDS_FIRST_LOOK_SECONDS = number("AFTERWARDS_FIRST_LOOK_SECONDS", 15)
AFTERWARDS_HEALTH_SECONDS = number("AFTERWARDS_HEALTH_SECONDS", 5)
# Calls a minute that one token may make.
TOKEN_CALLS_PER_MINUTE = int(number("TOKEN_CALLS_PER_MINUTE", 30))

# How often a drill that yields to a production request looks whether it may go on.
DRILL_YIELD_SECONDS = number("DRILL_YIELD_SECONDS", 2)
# Drills stay this far from both ends of the history: Neon needs a moment for what was just written.
DRILL_POINT_MARGIN_SECONDS = number("DRILL_POINT_MARGIN_SECONDS", 5)

TASK_TIMEOUT_SECONDS = int(number("TASK_TIMEOUT_SECONDS", 45))
WORKER_PROCESSES = int(number("WORKER_PROCESSES", 2))
_PREFETCH = WORKER_PROCESSES
_MAX_RSS_KILOBYTES = 200_000
Q_CLUSTER: dict[str, Any] = {
    # Also the salt that signs tasks: tasks that wait while it changes are lost.
    "name": "carecircle",
    # The same database as the models, so that a task is enqueued in the transaction of the change.
    "orm": "default",
    "workers": WORKER_PROCESSES,
    # No more is fetched than can start soon; what is fetched counts towards `retry`.
    "queue_limit": _PREFETCH,
    "bulk": 1,
    "timeout": TASK_TIMEOUT_SECONDS,
    # Longer than the last prefetched task can take to end, or a task is delivered twice while it runs.
    "retry": TASK_TIMEOUT_SECONDS * (1 + math.ceil((_PREFETCH + 1) / WORKER_PROCESSES)) + 45,
    # Failures are recorded and retried by the row that a task serves, not by the queue.
    "ack_failures": True,
    "max_attempts": 1,
    # Rows of finished tasks are pickles that nobody reads.
    "save_limit": -1,
    "catch_up": False,
    "poll": number("TASK_POLL_SECONDS", 0.02),
    "recycle": 200,
    # macOS counts resident memory in bytes, Linux in kilobytes.
    "max_rss": _MAX_RSS_KILOBYTES * (1024 if sys.platform == "darwin" else 1),
    "guard_cycle": 0.5,
}

# --- Logs -----------------------------------------------------------------------------------------------------

_LOG_LEVEL = optional("LOG_LEVEL", "INFO")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "carecircle_ops.logs.RedactingFilter"}},
    "formatters": {"json": {"()": "carecircle_ops.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["redact"]}},
    "root": {"handlers": ["stderr"], "level": _LOG_LEVEL},
    "loggers": {
        # Django's own handlers would mail tracebacks to ADMINS and print to a development console.
        "django": {"handlers": [], "level": _LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "level": _LOG_LEVEL, "propagate": True},
        # It writes three lines for each task, and a heartbeat is a task every five seconds.
        "django-q": {"handlers": [], "level": "DEBUG" if _LOG_LEVEL == "DEBUG" else "WARNING", "propagate": True},
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}
