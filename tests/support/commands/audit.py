"""Acts of auditors on the record."""

from __future__ import annotations

from tests.support.commands.world import NOTHING, Act

# fmt: off
ACTS: dict[str, Act] = {
    "ops:audit-export-new": Act("dana", "ledger.export_asked", lambda w: ((), {"format": "csv"}), wrong=NOTHING),
}
# fmt: on
