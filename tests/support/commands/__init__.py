"""Every act that a page offers, as a person would send it: from which situation, by whom, with which fields.

An address with several acts has a row for each: `ops:drill-add note`. A new address that takes POST needs a row in
the module of its subject, or `test_event_coverage` fails and says so.
"""

from __future__ import annotations

from tests.support.commands import accounts, audit, drill, kept, restore, setup
from tests.support.commands.world import Act, World

COMMANDS: dict[str, Act] = {**restore.ACTS, **drill.ACTS, **kept.ACTS, **setup.ACTS, **accounts.ACTS, **audit.ACTS}

__all__ = ["COMMANDS", "Act", "World"]
