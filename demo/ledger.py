"""The demo's ledger: sealed by a key of its own, anchored in a directory, verified at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from demo.children import Children

_MANAGE = str(Path(__file__).resolve().parent.parent / "manage.py")
_SECRETS = ("LEDGER_KEY_FILE", "LEDGER_DATABASE_URL")


def environment(state: Path) -> dict[str, str]:
    """What seals the record, but for the database's address. On one host the anchor proves little, and it says so."""
    anchors = state / "anchors"
    anchors.mkdir(exist_ok=True)
    return {
        "LEDGER_ORIGIN": "carecircle.example/demo",
        "LEDGER_STATE_DIR": str(state / "ledger"),
        "LEDGER_ANCHOR_DIRS": str(anchors),
        "LEDGER_KEY_FILE": str(state / "ledger" / "key"),
        "LEDGER_EXPORT_DIR": str(state / "exports"),
    }


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """For every process but the sealer's."""
    return {name: value for name, value in env.items() if name not in _SECRETS}


def set_up(children: Children, env: Mapping[str, str]) -> str:
    """Makes the key and the first checkpoint; returns the line with the key's fingerprint."""
    said = children.run("set_up_ledger", [_MANAGE, "set_up_ledger"], env)
    return next(line for line in said.splitlines() if line.startswith("fingerprint"))


def verify(children: Children, env: Mapping[str, str]) -> str:
    """The verifier's first line. Raises ChildFailed unless everything holds."""
    said = children.run("verify_ledger", [_MANAGE, "verify_ledger", "--strict"], without_secrets(env))
    return said.partition("\n")[0]
