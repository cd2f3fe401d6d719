"""Without Node the tests that need it are skipped with a reason; in CI that is a failure."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import node

NEEDS_NODE = "tests/openapi/test_traffic.py::test_a_right_answer_passes"


def test_the_reason_is_told_and_ci_does_not_take_it(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", NEEDS_NODE]
    environment = inherited | {"PATH": str(tmp_path), "CI": "true"}
    done = subprocess.run(command, cwd=node.ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "skipped although CI is set" in done.stdout
    assert "Node with npm is not installed." in done.stdout


def test_an_old_node_does_not_do(tmp_path, monkeypatch):
    for name, answer in (("node", "v18.20.4"), ("npm", "9.2.0")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {answer}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(node.NodeMissing, match=r"Node is v18.20.4; Neon's command line needs 20.19 or newer"):
        node._check_node.__wrapped__()
