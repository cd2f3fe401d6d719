"""What an installation can get wrong in its environment is refused in one sentence that names the variable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from carecircle_ops import environment
from carecircle_ops.checks import check_settings, records_are_kept_long_enough

COMPLETE = {
    "SECRET_KEY": "k" * 60,
    "SITE_URL": "https://ops.example.org",
    "DATABASE_URL": "postgres://web:pw@127.0.0.1:1/portal",
}


def start(show: str, *, command: str | None = None, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Loads the settings in a process of its own, with this environment and no other, and prints an expression."""
    given = {name: value for name, value in (COMPLETE | variables).items() if value is not None}
    code = (
        f"import os, sys; sys.argv[1:] = {(command or '').split()}; from carecircle_ops import settings; print({show})"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=django_settings.BASE_DIR,
        env={"PATH": os.environ["PATH"]} | given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_what_is_missing_is_named(name):
    done = start("0", **{name: None})

    assert done.returncode != 0
    assert f"{name} is not set." in done.stderr


def test_commands_that_only_read_code_need_nothing():
    assert start("'started'", **dict.fromkeys(COMPLETE), MIGRATION_TOOLING="1").stdout == "started\n"


def test_owner_commands_use_the_owners_database():
    show = "(__import__('sys').argv.append('migrate'), settings._database_url())[1]"

    assert start(show, MIGRATE_DATABASE_URL="postgres://owner@h/portal").stdout == "postgres://owner@h/portal\n"


@pytest.mark.parametrize(
    ("site", "secure", "cookie"),
    [("https://ops.example.org", True, "__Host-session"), ("http://localhost:8000", False, "session")],
)
def test_cookies_demand_https_where_the_site_has_it(site, secure, cookie):
    show = "(settings.SESSION_COOKIE_SECURE, settings.SECURE_SSL_REDIRECT, settings.SESSION_COOKIE_NAME)"

    assert start(show, SITE_URL=site).stdout == f"{(secure, secure, cookie)}\n"


def test_the_database_keeps_the_options_of_its_address():
    show = "settings.DATABASES['default']['OPTIONS']['sslmode'], settings.DATABASES['default']['OPTIONS']['options']"

    answer = start(show, DATABASE_URL="postgres://web:pw@h/portal?sslmode=require").stdout

    assert "require" in answer
    assert "statement_timeout" in answer


def test_another_database_than_postgresql_is_refused():
    assert "PostgreSQL only" in start("0", DATABASE_URL="sqlite:///x.db").stderr


def test_a_task_is_not_delivered_again_while_it_can_still_run():
    show = "settings.Q_CLUSTER['retry'] > settings.TASK_TIMEOUT_SECONDS * 3"

    assert start(show, TASK_TIMEOUT_SECONDS="200").stdout == "True\n"


def test_a_webhook_needs_the_secret_that_signs_it():
    done = start("0", WEBHOOK_URL="https://hooks.example.org/secret-path")
    assert "WEBHOOK_SECRET is not set" in done.stderr
    assert "secret-path" not in done.stderr


def test_a_secret_is_read_from_its_file(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("SOME_KEY", "from the environment")
    monkeypatch.setenv("SOME_KEY_FILE", str(tmp_path / "key"))

    assert environment.required("SOME_KEY") == "from the file"


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY_FILE", str(tmp_path / "nothing"))

    with pytest.raises(ImproperlyConfigured, match=r"SOME_KEY_FILE names .*nothing.* Nothing was started"):
        environment.required("SOME_KEY")


@pytest.mark.parametrize("wrong", ["abc", "0", "-1", "nan", "inf"])
def test_a_number_must_be_one_above_zero(monkeypatch, wrong):
    monkeypatch.setenv("SOME_SECONDS", wrong)

    with pytest.raises(ImproperlyConfigured, match="SOME_SECONDS must be a number above zero"):
        environment.number("SOME_SECONDS", 1)


def test_a_switch_must_be_true_or_false(monkeypatch):
    monkeypatch.setenv("SOME_SWITCH", "perhaps")

    with pytest.raises(ImproperlyConfigured, match="SOME_SWITCH must be true or false"):
        environment.switch("SOME_SWITCH", default=False)


def test_the_mail_address_may_be_wrong_without_being_shown(monkeypatch):
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.mail("smpt://user:secret-word@host")

    assert "EMAIL_URL" in str(refused.value)
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"EXECUTION_LEASE_SECONDS": 45}, ["carecircle_ops.E001"]),
        ({"NEON_CALL_DEADLINE_SECONDS": 90}, ["carecircle_ops.E001"]),
        ({"WORKER_WATCHDOG_SECONDS": 10}, ["carecircle_ops.E002"]),
        ({"NOTIFICATION_LEASE_SECONDS": 20}, ["carecircle_ops.E005"]),
        ({"NOTIFICATION_POST_SECONDS": 61}, ["carecircle_ops.E005"]),
        ({"NOTIFICATION_LAST_WARNING_PERCENT": 50}, ["carecircle_ops.E006"]),
        ({"NOTIFICATION_LAST_WARNING_PERCENT": 100}, ["carecircle_ops.E006"]),
        ({"LEDGER_BEAT_SECONDS": 601}, ["carecircle_ops.E008"]),
        ({"WORKER_DUTIES": {"backups.services.worker.no_such_thing": 1.0}}, ["carecircle_ops.E003"]),
        ({"HTTPS_ONLY": False, "SITE_URL": "http://ops.example.org"}, ["carecircle_ops.E004"]),
        ({"HTTPS_ONLY": False, "SITE_URL": "http://127.0.0.1:8000"}, []),
        ({"DATABASES": {"default": {"HOST": "ep-a-b-1.eu-central-1.aws.neon.tech"}}}, ["carecircle_ops.W001"]),
    ],
)
def test_settings_that_would_fail_only_in_an_incident(monkeypatch, changes, found):
    for name, value in changes.items():
        monkeypatch.setattr(django_settings, name, value)

    assert [message.id for message in check_settings()] == found


def test_less_than_six_years_is_no_installation(monkeypatch):
    found = {}
    for years in (5, 6, 7):
        monkeypatch.setattr(django_settings, "RETENTION_YEARS", years)
        found[years] = [message.id for message in records_are_kept_long_enough()]
    assert found == {5: ["carecircle_ops.E007"], 6: [], 7: []}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, (7, "")),
        ({"RETENTION_YEARS": "9.5", "LEGAL_HOLD": "Doe v. CareCircle"}, (10, "Doe v. CareCircle")),
        ({"LEGAL_HOLD": "True"}, (7, "not named")),
        ({"LEGAL_HOLD": "No"}, (7, "")),
    ],
)
def test_retention_and_legal_hold_are_read(given, read):
    assert start("(settings.RETENTION_YEARS, settings.LEGAL_HOLD)", **given).stdout == f"{read}\n"


SEALER = {
    "DATABASE_URL": None,
    "SECRET_KEY": None,
    "LEDGER_DATABASE_URL": "postgres://sealer:pw@h/portal",
    **{f"{name}_FILE": "/not/for/the/sealer" for name in ("SECRET_KEY", "SECRETS_KEY", "DATABASE_URL", "NEON_API_KEY")},
    **{f"{name}_FILE": "/not/for/the/sealer" for name in ("EMAIL_URL", "SLACK_WEBHOOK_URL", "HEARTBEAT_URL_WORKER")},
}


def test_the_sealer_opens_no_file_with_a_secret_of_pages_or_worker():
    show = "settings.DATABASES['default']['USER'], [name for name in os.environ if name.endswith('_FILE')]"
    assert start(show, command="run_sealer", **SEALER).stdout == "sealer []\n"
    assert "SECRET_KEY_FILE names /not/for/the/sealer" in start("0", **SEALER).stderr


def test_the_digest_goes_by_the_sealers_own_server_or_by_that_of_all_messages():
    digest = SEALER | {"LEDGER_DIGEST_MAIL": "a@example.org, b@example.org", "LEDGER_DIGEST_SLACK": "#audit"}
    own = {
        "LEDGER_DIGEST_EMAIL_URL": "smtp://mail.example.org:25",
        "LEDGER_DIGEST_SLACK_URL": "https://hooks.slack.com/own",
    }
    show = "settings.EMAIL_HOST, settings.SLACK_WEBHOOK_URL, settings.LEDGER_DIGEST_MAIL"
    said = start(show, command="run_sealer", **digest, **own).stdout
    assert said == "mail.example.org https://hooks.slack.com/own ['a@example.org', 'b@example.org']\n"
    assert "names /not/for/the/sealer, which cannot be read" in start("0", command="run_sealer", **digest).stderr
    everyones = {"EMAIL_URL": "smtp://all.example.org:25", "SLACK_WEBHOOK_URL": "https://hooks.slack.com/all"}
    shared = {"LEDGER_DIGEST_MAIL": "a@example.org", "LEDGER_DATABASE_URL": "postgres://sealer:pw@h/portal"}
    assert start("settings.EMAIL_HOST", command="run_sealer", **everyones, **shared).stdout == "all.example.org\n"
    show = "settings.EMAIL_HOST, settings.SLACK_WEBHOOK_URL"
    for command in ("run_worker", "runserver"):  # the supervisor sends messages, and passes the sealer's settings on
        said = start(show, command=command, **everyones, **own).stdout
        assert said == "all.example.org https://hooks.slack.com/all\n"
    kept = start("'LEDGER_DIGEST_EMAIL_URL' in os.environ", command="runserver", **everyones, **own).stdout
    assert kept == "False\n"


@pytest.mark.parametrize("wrong", ["6 o'clock", "06:00+02:00", "24:30"])
def test_a_time_of_the_day_is_one_in_utc(monkeypatch, wrong):
    monkeypatch.setenv("SOME_TIME", wrong)

    with pytest.raises(ImproperlyConfigured, match="SOME_TIME must be a time of the day in UTC"):
        environment.moment("SOME_TIME", "06:00")
