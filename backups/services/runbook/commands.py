"""The commands of a runbook, for Neon's own command line. tests/cli runs them against it where Node is there.

TIME stands where people put the moment: 2026-11-24T10:00:00Z, in UTC.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from backups.selectors.runbook import Setup

TIME, SNAPSHOT, KEPT = "TIME", "SNAPSHOT_ID", "before_by_hand"


@dataclass(frozen=True, slots=True)
class Command:
    """One command and what it is for."""

    what: str
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        """As it is typed into a shell."""
        return shlex.join(self.argv)


def neon(setup: Setup, *words: str) -> tuple[str, ...]:
    """`neon … --no-analytics --project-id …`."""
    return ("neon", *words, "--no-analytics", "--project-id", setup.neon_project_id)


def kept_name(branch: str) -> str:
    """The name under which the state before a restore by hand is kept."""
    return f"{branch}_{KEPT}"


def looking(setup: Setup) -> list[Command]:
    """They change nothing that is there."""
    return [
        Command("Which branches there are", neon(setup, "branches", "list")),
        Command("What Neon is doing", neon(setup, "operations", "list")),
        Command("Which snapshots there are", neon(setup, "snapshots", "list")),
    ]


def restoring(setup: Setup, branch: str) -> list[Command]:
    """In the order in which they are needed for one branch."""
    kept = kept_name(branch)
    return [
        Command(
            f"Look first: a copy of {branch} as it was at TIME",
            neon(setup, "branches", "create", "--name", f"look_{branch}", "--parent", TIME),
        ),
        Command(
            "The copy's connection string, to check its rows with psql",
            neon(setup, "connection-string", f"look_{branch}"),
        ),
        Command(
            f"Take {branch} back to TIME and keep what it is now as {kept}",
            neon(setup, "branches", "restore", branch, f"^self@{TIME}", "--preserve-under-name", kept),
        ),
        Command(
            f"Undo it: {branch} becomes again what was kept",
            neon(setup, "branches", "restore", branch, kept, "--preserve-under-name", f"{branch}_undone"),
        ),
        Command(
            f"Beyond Neon's history: replace {branch} by a snapshot (it gets another id)",
            neon(setup, "snapshots", "restore", SNAPSHOT, "--target-branch", branch, "--finalize"),
        ),
        Command("Throw the copy away", neon(setup, "branches", "delete", f"look_{branch}")),
    ]
