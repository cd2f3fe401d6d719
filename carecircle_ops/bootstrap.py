"""Makes `.venv` and fills it with the pinned packages. Run as a file, by any Python from 3.11 on, before anything else.

Takes no time when nothing has changed, and only one process at a time builds; the others wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements-dev.txt"
STAMP = VENV / "built-from"
LOCK = ROOT / "var" / "bootstrap.lock"


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 (whatever Python the machine offers runs this file)
        return _failed("Python 3.11 or newer is needed; name one with `make PYTHON=/path/to/python3.11 ...`.")
    try:
        if not _is_current():
            with _only_one():
                if not _is_current():
                    _build()
    except subprocess.CalledProcessError as error:
        return _failed(f"`{' '.join(map(str, error.cmd[1:4]))} ...` failed, see above. Run the same command again.")
    except PermissionError as error:
        return _failed(f"{error.filename} cannot be written: it was made by another user. Remove .venv and var.")
    return 0


def _is_current() -> bool:
    return STAMP.is_file() and VENV_PYTHON.exists() and STAMP.read_text(encoding="utf-8") == _wanted()


def _wanted() -> str:
    # Environments hold absolute paths, so one that was moved or copied has to be built again.
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{digest} {VENV}\n"


@contextmanager
def _only_one() -> Iterator[None]:
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another command is installing the packages; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build() -> None:
    started = time.monotonic()
    _say("Installing the pinned packages into .venv (once; takes about a minute).")
    STAMP.unlink(missing_ok=True)
    if not _usable():
        _make_environment()
    _install()
    STAMP.write_text(_wanted(), encoding="utf-8")
    _say(f"Installed in {time.monotonic() - started:.0f} s.")


def _usable() -> bool:
    """Whether there is an environment that runs, lies where it was made, and has a new enough Python."""
    if not VENV_PYTHON.exists():
        return False
    question = "import sys, pip; print(sys.prefix if sys.version_info >= (3, 11) else '')"
    answer = subprocess.run([VENV_PYTHON, "-c", question], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == str(VENV)


def _make_environment() -> None:
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(VENV))
    except subprocess.CalledProcessError:
        _say("On Debian and Ubuntu the package python3-venv is needed for this.")
        raise


def _install() -> None:
    _run(
        str(VENV_PYTHON),
        *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"),
        *("--require-hashes", "--requirement", str(REQUIREMENTS)),
    )


def _run(*command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH"}}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)


def _failed(sentence: str) -> int:
    _say(sentence)
    return 1


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
