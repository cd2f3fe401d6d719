from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from neon_sandbox import binaries
from neon_sandbox.binaries import Tools, find_bin_dir, prepare, unprivileged_account
from neon_sandbox.cli import main
from neon_sandbox.cluster import Cluster, free_port
from neon_sandbox.errors import ClusterFailed, PostgresNotFound, SandboxError
from neon_sandbox.testing import running_sandbox, temporary_state_dir

PASSWORD = "with space and ü"


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    with temporary_state_dir() as directory:
        yield prepare(directory / "a state")


@pytest.fixture(scope="module")
def cluster(tools: Tools) -> Iterator[Cluster]:
    made = Cluster(tools.home / "data", free_port(), tools)
    made.initdb(password=PASSWORD)
    yield made
    made.stop()


def test_it_serves_with_a_password_only(cluster: Cluster) -> None:
    cluster.start()
    with psycopg.connect(cluster.dsn("postgres", password=PASSWORD)) as connection:
        assert connection.execute("select current_user").fetchone() == ("cloud_admin",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(cluster.dsn("postgres", password="wrong"))


def test_it_never_runs_as_root(cluster: Cluster) -> None:
    cluster.start()
    pid = cluster.running_pid()
    assert pid
    owner = (cluster.data_dir / "postmaster.pid").stat().st_uid
    assert owner != 0


def test_settings_are_for_one_start(cluster: Cluster) -> None:
    for settings, shown in (({"work_mem": "1234kB"}, "1234kB"), ({}, "4MB")):
        cluster.start(settings)
        with psycopg.connect(cluster.dsn("postgres", password=PASSWORD)) as connection:
            assert connection.execute("show work_mem").fetchone() == (shown,)


def test_somebody_else_can_find_and_stop_it(cluster: Cluster, tools: Tools) -> None:
    cluster.start()
    found = Cluster(cluster.data_dir, cluster.port, tools)
    assert found.running_pid() == cluster.running_pid()
    found.stop()
    assert found.running_pid() is None
    assert cluster.running_pid() is None


def test_a_killed_one_recovers(cluster: Cluster) -> None:
    cluster.start()
    with psycopg.connect(cluster.dsn("postgres", password=PASSWORD), autocommit=True) as connection:
        connection.execute("create table survivor ()")
    cluster.kill()
    cluster.start()
    with psycopg.connect(cluster.dsn("postgres", password=PASSWORD)) as connection:
        connection.execute("table survivor")


def test_a_stale_pid_file_does_not_hinder(cluster: Cluster) -> None:
    cluster.stop()
    (cluster.data_dir / "postmaster.pid").write_text(f"{os.getppid()}\n{cluster.data_dir}\n")
    assert cluster.running_pid() is None
    cluster.start()


def test_failing_to_start_tells_why(cluster: Cluster, tools: Tools) -> None:
    cluster.stop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = Cluster(cluster.data_dir, taken.getsockname()[1], tools)
        with pytest.raises(ClusterFailed, match="Address already in use"):
            other.start()
    assert cluster.running_pid() is None


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ("postgres (PostgreSQL) 18.6", 18),
        ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", 15),
        ("postgres (PostgreSQL) 19beta1", 19),
    ],
)
def test_the_major_version_is_read_from_what_any_build_says(said: str, major: int) -> None:
    assert binaries._major(said) == major


def test_another_major_version_is_refused(cluster: Cluster) -> None:
    cluster.stop()
    version = cluster.data_dir / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("9\n")
    try:
        with pytest.raises(ClusterFailed, match="made by PostgreSQL 9"):
            cluster.start()
    finally:
        version.write_text(made_by)


def test_a_chosen_directory_without_postgres_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    monkeypatch.delenv("SANDBOX_PG_BIN", raising=False)
    with pytest.raises(PostgresNotFound, match="PG_BIN"):
        find_bin_dir()


@pytest.mark.parametrize("name", ['a"b', "a%b", "a$b", "a`b"])
def test_paths_that_a_shell_would_misread_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SandboxError, match="shell"):
        prepare(tmp_path / name)


def test_root_runs_postgres_as_somebody_who_reaches_his_files(monkeypatch: pytest.MonkeyPatch) -> None:
    account = unprivileged_account()
    if os.geteuid() != 0:
        assert account is None
        return
    assert account
    assert account.uid != 0
    with temporary_state_dir() as shared:
        monkeypatch.setattr(binaries, "SHARED_DIR", shared)
        shared.chmod(0o777)
        closed = shared / "closed"
        closed.mkdir(mode=0o700)
        monkeypatch.setenv("SANDBOX_PG_BIN", str(_copy_of_programs(closed)))
        tools = prepare(closed / "state")
        assert tools.home.parent == tools.bin_dir.parents[3] == shared
        assert "PostgreSQL" in tools.run(tools.command("postgres", "--version")).stdout


def _copy_of_programs(directory: Path) -> Path:
    bin_dir = find_bin_dir()
    package = bin_dir.parents[1]
    subprocess.run(["/bin/cp", "-a", str(package), str(directory)], check=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        subprocess.run(["/bin/cp", "-a", str(libraries), str(directory)], check=True)
    return directory / package.name / bin_dir.parent.name / bin_dir.name


def test_help_names_every_command_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["--help"], ["serve", "postgres", "PG_BIN"]),
        (["serve", "--help"], ["--state", "--port", "--database", "--storage", "--key-env", "--plan", "--fsync"]),
        (["postgres", "--help"], ["--state", "--port", "--database", "--exit-with-parent"]),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert all(word in told for word in words)


def test_state_survives_a_restart_without_storage(tmp_path: Path) -> None:
    with running_sandbox(state_dir=tmp_path / "state", plan="scale") as first:
        known = (first.project_id, first.branch_id)
    with running_sandbox(state_dir=tmp_path / "state") as second:
        assert (second.project_id, second.branch_id) == known
        assert second.settings()["plan"] == "scale"


def test_the_package_runs_without_django() -> None:
    code = "import sys, neon_sandbox.cli; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
