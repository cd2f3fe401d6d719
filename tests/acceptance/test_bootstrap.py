"""The environment that every make target builds first: once, by one process, wherever the clone lies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.acceptance


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The script in a directory with a space in its name, and nothing to download."""
    root = tmp_path / "a clone"
    (root / "carecircle_ops").mkdir(parents=True)
    shutil.copy(settings.BASE_DIR / "carecircle_ops" / "bootstrap.py", root / "carecircle_ops")
    (root / "requirements-dev.txt").write_text("# nothing\n")
    return root


def begin(clone: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "carecircle_ops/bootstrap.py"], cwd=clone, stderr=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    return said


def test_two_at_once_build_it_once_and_the_next_has_nothing_to_do(clone):
    said = [end(process) for process in [begin(clone), begin(clone)]]

    assert sum("Installing" in words for words in said) == 1
    assert "Installing" not in end(begin(clone))
    subprocess.run([clone / ".venv/bin/python", "-c", "import pip"], check=True)

    (clone / "requirements-dev.txt").write_text("# changed\n")
    assert "Installing" in end(begin(clone))

    moved = clone.rename(clone.with_name("moved"))
    assert "Installing" in end(begin(moved))
    subprocess.run([moved / ".venv/bin/python", "-m", "pip", "--version"], check=True, stdout=subprocess.DEVNULL)


def test_a_failed_installation_says_what_to_do_and_is_not_taken_for_done(clone):
    (clone / "requirements-dev.txt").write_text("no-such-package-anywhere==1 --hash=sha256:" + "0" * 64 + "\n")
    environment = {"PIP_NO_INDEX": "1", "PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"}

    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "carecircle_ops/bootstrap.py"], cwd=clone, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "Run the same command again" in done.stderr
