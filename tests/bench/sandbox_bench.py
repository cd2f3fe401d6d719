"""How quickly the sandbox branches, restores and takes snapshots, each beside what PostgreSQL or a copy needs here."""

from __future__ import annotations

import json
import secrets
import sys
import time
from typing import Any

import psycopg

from neon_sandbox.entities import Branch
from neon_sandbox.storage.postgres import PostgresStorage
from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.bench.measuring import Figure, at_once, execute, figure, longest_gap, restart, seconds
from tests.sandbox.api import Api
from tests.sandbox.real import quiet_moment

ROUNDS = 9
AT_ONCE = 8
SETTLE_SECONDS = 1.0
ROWS_OF_64_MB = 58_000
RESTART = "stop, start and first query of the same PostgreSQL"


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """On disk, where the demo keeps its state as well."""
    with temporary_state_dir(on_disk=True) as directory, running_sandbox("postgres", directory / "state") as sandbox:
        sandbox.settings(plan="scale", root_cap=100)
        api = Api(sandbox)
        with api.http:
            return [
                _branching_small(sandbox, api, rounds),
                _all_at_once(sandbox, rounds),
                _branching_large(sandbox, api, rounds),
                *_snapshots(sandbox, api, rounds),
                _cutting(sandbox, api, rounds),
            ]


def _branching_small(sandbox: RunningSandbox, api: Api, rounds: int) -> Figure:
    _make_small(sandbox, sandbox.branch_id)
    return _branching("small", sandbox, api, rounds, "delete from small where id > 500", rows=1000)


def _branching_large(sandbox: RunningSandbox, api: Api, rounds: int) -> Figure:
    execute(
        sandbox.dsn(),
        "create table large as select i as id, repeat('x', 1000) as said from generate_series(1, %s::int) i",
        ROWS_OF_64_MB,
    )
    return _branching("large", sandbox, api, rounds, "delete from large where id > 57000", rows=ROWS_OF_64_MB)


def _branching(table: str, sandbox: RunningSandbox, api: Api, rounds: int, damage: str, *, rows: int) -> Figure:
    _settle(sandbox)
    moment = quiet_moment()
    execute(sandbox.dsn(), damage)
    branches, plain_starts = [], []
    for _ in range(rounds):
        _settle(sandbox)
        name = _new_name()
        branches.append(seconds(lambda n=name: _branch(api, n, moment, table, rows)))  # type: ignore[misc]
        plain_starts.append(seconds(lambda: restart(sandbox, sandbox.branch_id)))
        api.done(api.call("DELETE", f"/branches/{api.named(name)['id']}"))
    size = "a small database" if table == "small" else "a 64 MB database"
    name = f"branch of {size} at a timestamp, POST to first query"
    return figure(name, branches, plain_starts, RESTART, goal=0.3)


def _all_at_once(sandbox: RunningSandbox, rounds: int) -> Figure:
    """In eight projects: Neon, too, lets a project have one at a time."""
    apis = [_another_project(sandbox) for _ in range(AT_ONCE)]
    mains = [api.get("/branches")["branches"][0]["id"] for api in apis]
    moment = quiet_moment()
    together, restarts = [], []
    for _ in range(max(3, rounds // 2)):
        _settle(sandbox)
        name = _new_name()
        together.append(at_once([lambda a=api, n=name: _branch(a, n, moment, "small", 1000) for api in apis]))  # type: ignore[misc]
        restarts.append(at_once([lambda m=main: restart(sandbox, m) for main in mains]))  # type: ignore[misc]
        for api in apis:
            api.done(api.call("DELETE", f"/branches/{api.named(name)['id']}"))
    for api in apis:
        api.call("DELETE", "").raise_for_status()
        api.http.close()
    return figure(
        "8 branches at once, each of a small database at a timestamp, until the last one's first query",
        together,
        restarts,
        "stop, start and first query of the eight parents at once",
        goal=AT_ONCE * 0.3,
    )


def _snapshots(sandbox: RunningSandbox, api: Api, rounds: int) -> list[Figure]:
    taken, restored, copies = [], [], []
    for _ in range(max(3, rounds // 2)):
        _settle(sandbox)
        name = _new_name()
        taken.append(seconds(lambda n=name: api.take_snapshot(sandbox.branch_id, name=n)))  # type: ignore[misc]
        snapshot = next(each for each in api.get("/snapshots")["snapshots"] if each["name"] == name)
        restored.append(seconds(lambda s=snapshot["id"], n=name: _restore(sandbox, api, s, n)))  # type: ignore[misc]
        copies.append(seconds(lambda: _copy_main(sandbox)))
        api.done(api.call("DELETE", f"/branches/{api.named(name)['id']}"))
        api.done(api.call("DELETE", f"/snapshots/{snapshot['id']}"))
    copying = "a copy of its parent's data directory with cp"
    return [
        figure("snapshot of a 64 MB database, POST to complete", taken, copies, copying, goal=2.0),
        figure("restore of a 64 MB snapshot as a new branch, POST to first query", restored, copies, copying, goal=2.0),
    ]


def _cutting(sandbox: RunningSandbox, api: Api, rounds: int) -> Figure:
    cuts, restarts = [], []
    for number in range(rounds):
        _settle(sandbox)
        moment = quiet_moment()
        execute(sandbox.dsn(), "delete from large where id / 50 = %s", number)
        with longest_gap(sandbox.dsn()) as gap:
            body = {"source_branch_id": sandbox.branch_id, "source_timestamp": moment}
            api.done(api.restore(sandbox.branch_id, **body, preserve_under_name=_new_name()))
        cuts.append(gap())
        with longest_gap(sandbox.dsn()) as gap:
            restart(sandbox, sandbox.branch_id)
        restarts.append(gap())
    return figure(
        "restore in place of a 64 MB database, longest time without an answered query",
        cuts,
        restarts,
        "the same gap when the same PostgreSQL is only stopped and started",
        goal=0.1,
    )


def _settle(sandbox: RunningSandbox) -> None:
    """What happens anyway while nobody asks for anything, done for certain on a busy machine too."""
    time.sleep(SETTLE_SECONDS)
    sandbox.sandbox.tidy()


def _another_project(sandbox: RunningSandbox) -> Api:
    project = sandbox.sandbox.create_project(name="at once", databases=["carecircle"])
    api = Api(sandbox, project_id=project.id)
    _make_small(sandbox, api.get("/branches")["branches"][0]["id"])
    return api


def _make_small(sandbox: RunningSandbox, branch_id: str) -> None:
    execute(sandbox.dsn(branch_id), "create table small as select generate_series(1, 1000) as id")


def _branch(api: Api, name: str, moment: str, table: str, rows: int) -> None:
    made = api.make_branch(name, endpoint=True, parent_timestamp=moment)
    _expect(made["connection_uris"][0]["connection_uri"], table, rows)


def _restore(sandbox: RunningSandbox, api: Api, snapshot_id: str, name: str) -> None:
    made: Any = api.done(api.restore_snapshot(snapshot_id, name=name, target_branch_id=sandbox.branch_id))
    with psycopg.connect(sandbox.dsn(made["branch"]["id"])) as connection:
        connection.execute("select count(*) from large")


def _expect(uri: str, table: str, rows: int) -> None:
    with psycopg.connect(uri) as connection:
        found = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - one of two names above
    if found != (rows,):
        raise AssertionError(f"the branch holds {found} rows, not {rows}")


def _copy_main(sandbox: RunningSandbox) -> None:
    storage = sandbox.sandbox.plane.storage
    if not isinstance(storage, PostgresStorage):
        raise TypeError("there is nothing to copy")
    node_id = sandbox.sandbox.plane.store.must(Branch, sandbox.branch_id).node_id
    storage.nodes.copy_tree(storage.nodes.data_dir(node_id), storage.nodes.trash / _new_name())


def _new_name() -> str:
    return f"bench-{secrets.token_hex(4)}"


def main() -> int:
    found = figures()
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if all(each["met"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
