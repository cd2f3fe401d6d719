"""The whole portal on one machine: two databases, the local Neon, web and worker."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from demo import ledger
from demo.children import Children, wait_until
from demo.seed import load

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "carecircle"
#: Who works at CareCircle in the demo: login, role, full name.
PEOPLE = (
    ("alice", "engineer", "Alice Okafor"),
    ("bob", "manager", "Bob Lindqvist"),
    ("carol", "manager", "Carol Reyes"),
    ("dana", "auditor", "Dana Whitfield"),
    ("erin", "administrator", "Erin Kowalski"),
)


@dataclass(frozen=True)
class Stack:
    """Where everything is. `dsn`: the application's own connection to CareCircle; `records_dsn`: the portal's data."""

    site: str
    dsn: str
    password: str
    project_id: str
    branch_id: str
    records_dsn: str
    neon_url: str
    neon_key: str
    env: dict[str, str] = field(repr=False)


@contextmanager
def running(
    state: Path, *, port: int = 0, scale: float = 1.0, plan: str = "launch"
) -> Iterator[tuple[Stack, Children]]:
    """Starts everything below `state` and ends it with the block. Raises ChildFailed, TimeoutError.

    `scale`: size of the CareCircle database, 1.0 makes about 100,000 rows. `plan`: Neon's, which decides the caps.
    """
    state.mkdir(parents=True, exist_ok=True)
    with Children(state / "logs") as children:
        web_port = port or _free_port()
        env = _environment(state, web_port)
        neon = _start_neon(children, state, env, plan)
        env |= {
            "NEON_API_HOST": neon["url"],
            "NEON_API_KEY": env["DEMO_NEON_KEY"],
            "NEON_PROJECT_ID": neon["project_id"],
        }
        env |= _start_portal_database(children, state, env)
        load(neon["connection_uri"], scale=scale)
        _let_neon_keep_less(neon, env["DEMO_NEON_KEY"])
        _prepare_portal(children, env)
        _start_portal(children, env, web_port)
        yield (
            Stack(
                site=env["SITE_URL"],
                dsn=neon["connection_uri"],
                password=env["DEMO_PASSWORD"],
                project_id=neon["project_id"],
                branch_id=neon["branch_id"],
                records_dsn=env["MIGRATE_DATABASE_URL"],
                neon_url=neon["url"],
                neon_key=env["DEMO_NEON_KEY"],
                env=env,
            ),
            children,
        )


def _environment(state: Path, web_port: int) -> dict[str, str]:
    for name in ("mail", "runbooks"):
        (state / name).mkdir(exist_ok=True)
    return dict(os.environ) | {
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SECRETS_KEY": _fernet_key(),
        "SITE_URL": f"http://127.0.0.1:{web_port}",
        "EMAIL_URL": f"filemail:///{quote(str(state / 'mail'))}",
        "STATIC_ROOT": str(state / "static"),
        "DEMO_NEON_KEY": "napi_demo_" + secrets.token_hex(16),
        "DEMO_PASSWORD": "demo-" + secrets.token_urlsafe(9),
        "RUNBOOK_DIR": str(state / "runbooks"),
        "ROLE": "demo",
        # The history of the demo is seconds long; five seconds' distance from now would leave nothing to choose from.
        "DRILL_POINT_MARGIN_SECONDS": "1",
        **ledger.environment(state),
    }


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _start_neon(children: Children, state: Path, env: dict[str, str], plan: str) -> dict[str, str]:
    key = env["DEMO_NEON_KEY"]
    command = ["neon_sandbox", "serve", "--state", str(state / "neon"), "--database", DATABASE, "--plan", plan]
    return children.start_ready("neon", command, env | {"NEON_API_KEY": key})


def _let_neon_keep_less(neon: dict[str, str], key: str) -> None:
    """Neon's own schedule keeps its snapshots for a day, where a week is declared: the monitor must find it."""
    path = f"/projects/{neon['project_id']}/branches/{neon['branch_id']}/backup_schedule"
    request = urllib.request.Request(  # noqa: S310 - the demo's own http address
        neon["url"] + path,
        method="PUT",
        data=json.dumps({"schedule": [{"frequency": "daily", "hour": 2, "retention_seconds": 86_400}]}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20):  # noqa: S310
        pass


def _start_portal_database(children: Children, state: Path, env: dict[str, str]) -> dict[str, str]:
    command = ["neon_sandbox", "postgres", "--state", str(state / "portal-db"), "--database", "carecircle_ops"]
    url = children.start_ready("portal-db", command, env)["url"]
    owner = _with_user(url, "portal_owner", secrets.token_urlsafe(24))
    _make_owner(url, owner)
    return {
        "MIGRATE_DATABASE_URL": owner,
        "DATABASE_URL": _with_user(url, "portal_web", secrets.token_urlsafe(24)),
        "LEDGER_DATABASE_URL": _with_user(url, "portal_sealer", secrets.token_urlsafe(24)),
    }


def _make_owner(superuser_url: str, owner_url: str) -> None:
    owner = urlsplit(owner_url)
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner.username]).fetchone()
        verb = sql.SQL(
            "ALTER ROLE {} LOGIN CREATEROLE PASSWORD {}" if exists else "CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}"
        )
        connection.execute(verb.format(sql.Identifier(str(owner.username)), sql.Literal(owner.password)))
        database = sql.Identifier(owner.path.lstrip("/"))
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(str(owner.username)))
        )


def _prepare_portal(children: Children, env: dict[str, str]) -> None:
    manage = str(ROOT / "manage.py")
    children.run("migrate", [manage, "migrate", "--verbosity", "0"], env)
    children.run("setup_roles", [manage, "setup_roles"], env)
    children.run("collectstatic", [manage, "collectstatic", "--noinput", "--verbosity", "0"], env)
    children.run("connect", [manage, "connect"], env)
    describe = [manage, "describe_table", "--branch", "main", "--patient-safety"]
    children.run("describe", [*describe, "public.medication_logs=doses given", "public.medications=prescriptions"], env)
    with ThreadPoolExecutor() as together:
        list(together.map(lambda person: _add_person(children, env, *person), PEOPLE))
    say(f"The ledger's key, {ledger.set_up(children, env)}")


def _add_person(children: Children, env: dict[str, str], login: str, role: str, name: str) -> None:
    mail = f"{login}@carecircle.example"
    command = [str(ROOT / "manage.py"), "add_person", login, "--role", role, "--name", name, "--email", mail]
    children.run(f"add_{login}", [*command, "--password-stdin"], env, said=env["DEMO_PASSWORD"] + "\n")


def _start_portal(children: Children, env: dict[str, str], port: int) -> None:
    web = ["-m", "gunicorn", "carecircle_ops.wsgi:application", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    web += ["--threads", "8", "--worker-class", "gthread", "--no-control-socket", "--chdir", str(ROOT)]
    children.start("web", web, ledger.without_secrets(env) | {"ROLE": "web"})
    children.start("worker", [str(ROOT / "manage.py"), "run_worker", "--die-with-parent"], env | {"ROLE": "worker"})
    wait_until("the web pages", lambda: _answers(env["SITE_URL"] + "/healthz"))
    wait_until("the worker", lambda: _answers(env["SITE_URL"] + "/readyz"))
    children.all_alive()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the demo's own http address
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password)}@{place}"))


def say(text: str) -> None:
    """One line for the person who watches; standard output is kept for the last, machine-readable line."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
