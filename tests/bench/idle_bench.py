"""What a branch costs while nobody uses it, and how many questions the control plane answers a second."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from neon_sandbox.entities import Branch
from neon_sandbox.storage.postgres import PostgresStorage
from neon_sandbox.testing import RunningSandbox, running_postgres, running_sandbox, temporary_state_dir
from tests.bench.measuring import Figure, figure
from tests.sandbox.api import Api
from tests.sandbox.programs import Program

IDLE_BRANCHES = 8
REQUESTS = 3_000
MB = 1_000_000.0

_BARE_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
body = b"x" * int(sys.argv[1])
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def figures() -> list[Figure]:
    return [*_idle_branches(), _requests()]


def _idle_branches() -> list[Figure]:
    with (
        temporary_state_dir(on_disk=True) as directory,
        running_sandbox("postgres", directory / "state") as sandbox,
        running_postgres("carecircle", state_dir=directory / "plain") as plain,
    ):
        api = Api(sandbox)
        with api.http:
            branches = [
                api.make_branch(f"idle-{number}", endpoint=True)["branch"]["id"] for number in range(IDLE_BRANCHES)
            ]
        time.sleep(2)  # until what their start left to do is done
        with psycopg.connect(plain.url("carecircle")) as connection:
            connection.execute("select 1")
        plain_pid = plain.cluster.running_pid() or 0
        data_dirs = [_data_dir(sandbox, branch_id) for branch_id in branches]
        disk = [_own_disk_bytes(data_dir.parent) / MB for data_dir in data_dirs]
        plain_disk = _disk_bytes(plain.cluster.data_dir) / MB
        found = [
            figure(
                "disk of an idle empty branch, without bases and spares",
                disk,
                [plain_disk],
                "a plain new cluster with the same database",
                goal=30.0,
                unit="MB",
            )
        ]
        if Path("/proc/self/smaps_rollup").exists():
            memory = [_memory_bytes(_postmaster(data_dir)) / MB for data_dir in data_dirs]
            plain_memory = [_memory_bytes(plain_pid) / MB]
            found.append(
                figure(
                    "memory of an idle empty branch, its share of pages that several have included",
                    memory,
                    plain_memory,
                    "a plain PostgreSQL that nobody uses",
                    goal=10.0,
                    unit="MB",
                )
            )
        return found


def _requests() -> Figure:
    """Both servers in processes of their own, one connection that is kept open."""
    with temporary_state_dir() as directory:
        program = Program("serve", "--state", str(directory / "state"), "--storage", "none", "--no-rate-limits")
        try:
            path = f"/api/v2/projects/{program.ready['project_id']}/branches"
            key = Path(program.ready["api_key_file"]).read_text()
            answered, size = _rate(int(urlsplit(program.ready["url"]).port or 0), path, key)
        finally:
            program.stop()
    with _bare_server(size) as port:
        bare, _ = _rate(port, "/", "")
    return figure(
        "GET .../branches without storage, one client",
        [answered],
        [bare],
        "Python's bare HTTP server with an answer of the same length",
        goal=500.0,
        unit="/s",
    )


def _rate(port: int, path: str, key: str) -> tuple[float, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {key}"}
    size = 0

    def ask(times: int) -> None:
        nonlocal size
        for _ in range(times):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            size = len(answer.read())
            if answer.status != 200:
                raise AssertionError(f"GET {path} answered {answer.status}")

    ask(100)
    taken = _seconds_of(lambda: ask(REQUESTS))
    connection.close()
    return REQUESTS / taken, size


def _seconds_of(act: Callable[[], None]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


@contextmanager
def _bare_server(size: int) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", _BARE_SERVER, str(size)], stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise AssertionError("its output is not read")
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _data_dir(sandbox: RunningSandbox, branch_id: str) -> Path:
    storage = sandbox.sandbox.plane.storage
    if not isinstance(storage, PostgresStorage):
        raise TypeError("there are no data")
    return storage.nodes.data_dir(sandbox.sandbox.plane.store.must(Branch, branch_id).node_id)


def _postmaster(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().splitlines()[0])


def _memory_bytes(postmaster: int) -> int:
    """PSS of a server with its processes: pages that others have too are divided among all who have them."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return sum(_pss(pid) for pid in [str(postmaster), *children])


def _pss(pid: str) -> int:
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _own_disk_bytes(node_dir: Path) -> int:
    return sum(_disk_bytes(node_dir / part) for part in ("data", "wal"))


def _disk_bytes(directory: Path) -> int:
    statuses = [path.lstat() for path in directory.rglob("*")]
    return sum({found.st_ino: found.st_blocks * 512 for found in statuses}.values())


def main() -> int:
    found = figures()
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if all(each["met"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
