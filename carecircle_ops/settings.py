"""Settings. Every difference between two installations is an environment variable (or a line of ``.env``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / "var"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# Commands that read only the code (makemigrations, collectstatic in an image build) have no secrets at hand.
MIGRATION_TOOLING = env.bool("MIGRATION_TOOLING", default=False)


def required(name: str, *, tooling_default: str) -> str:
    """The value of NAME, or what the file named by NAME_FILE holds; stops the start when there is neither."""
    value = optional(name)
    if value:
        return value
    if MIGRATION_TOOLING:
        return tooling_default
    raise ImproperlyConfigured(
        f"{name} is not set. Set it in the environment or in .env, or point {name}_FILE at a file that holds it."
    )


def optional(name: str, default: str = "") -> str:
    """As ``required``, for settings that the portal can start without."""
    file_name = env.str(f"{name}_FILE", default="")
    if not file_name:
        return str(env.str(name, default=default))
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}_FILE points at {file_name}, which cannot be read: {error.strerror}."
        ) from None


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = required("SECRET_KEY", tooling_default="tooling-only-" + "0" * 50)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
ROLE = env.str("ROLE", default="web")

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
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "carecircle_ops.urls"
WSGI_APPLICATION = "carecircle_ops.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

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

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(required("DATABASE_URL", tooling_default="postgres://nobody@127.0.0.1:1/none"))
    | {
        # No pool: the worker forks, and forked processes would share the pool's sockets.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            "connect_timeout": 5,
            "application_name": f"carecircle-{ROLE}",
            "options": "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000",
        },
    }
}

Q_CLUSTER: dict[str, Any] = {
    "name": "carecircle",
    "orm": "default",
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "timeout": 45,
    "retry": 180,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.05,
    "recycle": 200,
    "max_rss": 200_000,
    "guard_cycle": 0.5,
}

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(STATE_DIR / "static")))
