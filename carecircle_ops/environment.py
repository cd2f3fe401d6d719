"""Reads the settings of an installation. What is wrong is said in one sentence that names the variable."""

from __future__ import annotations

import datetime as dt
import math
import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def load_dotenv(path: Path) -> None:
    """What is in the environment already wins over the file."""
    if path.is_file():
        environ.Env.read_env(path)


def optional(name: str, default: str = "") -> str:
    """The value of NAME, or what the file named by NAME_FILE holds, or the default."""
    file_name = env.str(f"{name}_FILE", default="")
    if not file_name:
        return str(env.str(name, default=default))
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise refusal(f"{name}_FILE names {file_name}, which cannot be read: {error.strerror}.") from None


def required(name: str, *, without: str | None = None) -> str:
    """As `optional`, but stops the start when there is no value, unless `without` stands in for it."""
    value = optional(name)
    if value:
        return value
    if without is not None:
        return without
    raise refusal(f"{name} is not set. Set it in the environment or in .env, or let {name}_FILE name a file with it.")


def forget(*names: str) -> None:
    """Takes the variables, and their files' names, out of this process's environment and so out of its children's."""
    for name in names:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)


def number(name: str, default: float) -> float:
    try:
        value = float(optional(name, str(default)))
    except ValueError:
        value = math.nan
    if math.isfinite(value) and value > 0:
        return value
    raise refusal(f"{name} must be a number above zero.")


def moment(name: str, default: str) -> dt.time:
    """A time of the day, UTC."""
    try:
        time = dt.time.fromisoformat(optional(name, default))
    except ValueError:
        time = None
    if time is None or time.tzinfo is not None:
        raise refusal(f"{name} must be a time of the day in UTC, without a zone, such as 06:00.")
    return time


def switch(name: str, *, default: bool) -> bool:
    text = optional(name, str(default)).lower()
    if text in {"true", "1", "yes", "on"}:
        return True
    if text in {"false", "0", "no", "off", ""}:
        return False
    raise refusal(f"{name} must be true or false.")


def words(name: str, default: list[str]) -> list[str]:
    text = optional(name)
    return [part.strip() for part in text.split(",") if part.strip()] if text else default


def database(url: str) -> dict[str, Any]:
    """Django's description of the database at a postgres:// address."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise refusal("DATABASE_URL must be a postgres:// address: the portal runs on PostgreSQL only.")
    config: dict[str, Any] = environ.Env.db_url_config(url)
    return config


def mail(url: str) -> dict[str, Any]:
    """Django's mail settings out of an address such as smtp+tls://user:password@mail.example.org:587."""
    try:
        config: dict[str, Any] = environ.Env.email_url_config(url)
    except ImproperlyConfigured:
        raise refusal("EMAIL_URL must begin with smtp://, smtp+tls:// or smtp+ssl://.") from None
    return {
        "EMAIL_BACKEND": config["EMAIL_BACKEND"],
        "EMAIL_HOST": config["EMAIL_HOST"] or "localhost",
        "EMAIL_PORT": config["EMAIL_PORT"] or 25,
        "EMAIL_HOST_USER": config["EMAIL_HOST_USER"] or "",
        "EMAIL_HOST_PASSWORD": config["EMAIL_HOST_PASSWORD"] or "",
        "EMAIL_FILE_PATH": config["EMAIL_FILE_PATH"] or "",
        "EMAIL_USE_TLS": bool(config.get("EMAIL_USE_TLS")),
        "EMAIL_USE_SSL": bool(config.get("EMAIL_USE_SSL")),
    }


def refusal(sentence: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{sentence} Nothing was started.")
