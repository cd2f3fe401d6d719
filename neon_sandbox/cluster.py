"""One PostgreSQL cluster: made, started, stopped, found again after its owner was killed."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import quote

from neon_sandbox import processes
from neon_sandbox.binaries import Tools
from neon_sandbox.errors import ClusterFailed

LOOPBACK = "127.0.0.1"
SUPERUSER = "cloud_admin"


def free_port(*, avoid: Collection[int] = ()) -> int:
    """A port below the range that systems hand to outgoing connections, which could take it while we restart."""
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        if port not in avoid and _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def base_settings(major: int, *, fsync: bool = False) -> dict[str, str]:
    """Settings of a small, quickly started cluster. Without fsync it survives kill -9, not a power cut."""
    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        # In the data directory instead of /dev/shm, where a killed server would leave its segments.
        "dynamic_shared_memory_type": "mmap",
        "fsync": "on" if fsync else "off",
        "full_page_writes": "on" if fsync else "off",
        "shared_buffers": "16MB",
        "max_connections": "100",
        "wal_buffers": "1MB",
        "min_wal_size": "2MB",
        "max_wal_size": "64MB",
        "jit": "off",
        "huge_pages": "off",
        "max_worker_processes": "2",
        "max_logical_replication_workers": "0",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
    }
    if major >= 18:
        settings["io_method"] = "sync"
    return settings


class Cluster:
    """A data directory with a fixed port on 127.0.0.1."""

    def __init__(self, data_dir: Path, port: int, tools: Tools, *, log_path: Path | None = None) -> None:
        self.data_dir = data_dir
        self.port = port
        self.tools = tools
        self.log_path = log_path or data_dir.with_name(data_dir.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None

    def exists(self) -> bool:
        return (self.data_dir / "PG_VERSION").exists()

    def initdb(self, *, password: str) -> None:
        """Makes an empty cluster whose superuser `cloud_admin` has this password."""
        self.tools.make_dir(self.data_dir.parent)
        password_file = self.data_dir.with_name(self.data_dir.name + ".pw")
        password_file.touch(mode=0o600)
        try:
            password_file.write_text(password)
            self.tools.give(password_file)
            self.tools.run(self._initdb_command(password_file))
        finally:
            password_file.unlink()

    def start(self, settings: Mapping[str, str] | None = None, *, timeout_seconds: float = 60) -> None:
        """Returns when connections are accepted. Raises ClusterFailed, with nothing left running."""
        self._refuse_other_major()
        self.stop()
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        merged = {**base_settings(self.tools.major), **(settings or {}), "port": str(self.port)}
        options = [part for name, value in merged.items() for part in ("-c", f"{name}={value}")]
        log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._process = self.tools.spawn(
            self.tools.command("postgres", "-D", str(self.data_dir), *options), self.log_path
        )
        self._wait_ready(self._process, timeout_seconds, log_from)

    def running_pid(self) -> int | None:
        """The postmaster's id, if this data directory really is being served, by whomever it was started."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        if self._process is not None and self._process.pid == pid:
            return pid if self._process.poll() is None else None
        return pid if self._marker in processes.command_line(pid) else None

    def stop(self, *, timeout_seconds: float = 15) -> None:
        """Fast shutdown: sessions are cut, a checkpoint is written. Harmless when nothing runs."""
        for number, seconds in ((signal.SIGINT, timeout_seconds), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if self._signal_and_wait(number, seconds):
                return
        raise ClusterFailed(f"PostgreSQL in {self.data_dir} does not end.")

    def kill(self) -> None:
        """Immediate shutdown without a checkpoint; the next start recovers."""
        if not self._signal_and_wait(signal.SIGQUIT, 5.0):
            self._signal_and_wait(signal.SIGKILL, 5.0)

    def dsn(self, database: str, *, user: str = SUPERUSER, password: str) -> str:
        # The embedded PostgreSQL is built without TLS, so a client that prefers it must not try.
        return (
            f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{LOOPBACK}:{self.port}"
            f"/{quote(database, safe='')}?sslmode=disable"
        )

    @property
    def _marker(self) -> str:
        return f"-D {self.data_dir} "

    def _initdb_command(self, password_file: Path) -> list[str]:
        locale = ["--locale=C.UTF-8"]
        if self.tools.major >= 17:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return self.tools.command(
            "initdb",
            "-D",
            str(self.data_dir),
            "-E",
            "UTF8",
            *locale,
            "-U",
            SUPERUSER,
            "-A",
            "scram-sha-256",
            f"--pwfile={password_file}",
            "-N",
            "--no-instructions",
            "--wal-segsize=1",
        )

    def _refuse_other_major(self) -> None:
        made_by = (self.data_dir / "PG_VERSION").read_text().strip()
        if made_by != str(self.tools.major):
            raise ClusterFailed(
                f"{self.data_dir} was made by PostgreSQL {made_by}, but {self.tools.bin_dir} is {self.tools.major}. "
                f"Set PG_BIN to a PostgreSQL {made_by}, or start with an empty state directory."
            )

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _wait_ready(self, process: subprocess.Popen[bytes], timeout_seconds: float, log_from: int) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise ClusterFailed(f"PostgreSQL in {self.data_dir} did not start:\n{self._log_since(log_from)}")
            if time.monotonic() > deadline:
                self.kill()
                raise ClusterFailed(f"PostgreSQL in {self.data_dir} was not ready within {timeout_seconds} s.")
            time.sleep(processes.POLL_SECONDS)

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file_lines()
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _log_since(self, position: int) -> str:
        with self.log_path.open("rb") as log:
            log.seek(position)
            return log.read()[-3000:].decode(errors="replace").strip()

    def _signal_and_wait(self, number: signal.Signals, timeout_seconds: float) -> bool:
        process = self._process
        if process is not None and process.poll() is None:
            return self._end_child(process, number, timeout_seconds)
        self._process = None
        pid = self.running_pid()
        if pid is None:
            return True
        processes.send(pid, number)
        return processes.wait_until_gone(pid, self._marker, timeout_seconds)

    def _end_child(self, process: subprocess.Popen[bytes], number: signal.Signals, timeout_seconds: float) -> bool:
        process.send_signal(number)
        deadline = time.monotonic() + timeout_seconds
        while process.poll() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(processes.POLL_SECONDS)
        self._process = None
        return True
