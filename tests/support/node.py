"""Neon's own command lines and its description of its API: pinned npm packages, installed once into var/node.

The directory is named after the lock file, so that a changed lock is installed anew. A lock keeps two test processes
from installing at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "tests" / "cli"
PINNED_FILES = ("package.json", "package-lock.json")
INSTALLED = ROOT / "var" / "node"
OLDEST_NODE = (20, 19)
INSTALL_SECONDS = 300
DESCRIPTION = "@neondatabase/api-client/public-v2-for-users.gen.yaml"


class NodeMissing(Exception):
    """Says what is missing, as a sentence."""


@cache
def node_modules() -> Path:
    """The directory with the pinned packages, installed now if need be. Raises NodeMissing."""
    directory = INSTALLED / _fingerprint()
    if not _is_complete(directory):
        _check_node()
        with _only_one():
            if not _is_complete(directory):
                _install(directory)
    return directory / "node_modules"


def node() -> str:
    """The program. Raises NodeMissing when it is absent or too old."""
    _check_node()
    return shutil.which("node") or "node"


@pytest.fixture(scope="session")
def pinned_packages() -> Path:
    """The directory node_modules; without Node the test is skipped, which CI counts as a failure."""
    try:
        _check_node()
        return node_modules()
    except NodeMissing as missing:
        pytest.skip(str(missing))


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in PINNED_FILES:
        digest.update((PINNED / name).read_bytes())
    return digest.hexdigest()[:16]


def _is_complete(directory: Path) -> bool:
    return (directory / "installed").exists()


@cache
def _check_node() -> None:
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        raise NodeMissing("Node with npm is not installed.")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    version = tuple(int(part) for part in said.removeprefix("v").split(".")[:2])
    if version < OLDEST_NODE:
        wanted = ".".join(map(str, OLDEST_NODE))
        raise NodeMissing(f"Node is {said}; Neon's command line needs {wanted} or newer.")


@contextmanager
def _only_one() -> Iterator[None]:
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name in PINNED_FILES:
        shutil.copy(PINNED / name, directory)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("npm_config_")}
    try:
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NodeMissing(f"npm ci did not end within {INSTALL_SECONDS} s.") from None
    if done.returncode != 0:
        raise NodeMissing(f"npm ci failed: {done.stderr.strip()[-400:]}")
    (directory / "installed").touch()
