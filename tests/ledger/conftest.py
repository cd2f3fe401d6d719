"""The auditor's command, and checkpoints that somebody kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from backups.ledger.verifier.command import main
from tests.ledger.sample_log import keys_file, sample_log

LOG = sample_log()


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the verifier's command on a bundle: (exit status, what it printed)."""
    keys = keys_file(tmp_path)

    def run(bundle: Path, *anchors: Path, vkeys: Path = keys, strict: bool = False) -> tuple[int, str]:
        arguments = [str(bundle), "--vkeys", str(vkeys), *(["--strict"] if strict else [])]
        for directory in anchors:
            arguments += ["--anchors", str(directory)]
        status = main(arguments)
        return status, capsys.readouterr().out

    return run


@pytest.fixture
def anchors(tmp_path: Path) -> Path:
    return LOG.anchors(tmp_path / "anchors", [4, 8, 12])
