"""Events as lines of a CSV file (RFC 4180) that a spreadsheet can open without running anything that is in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLUMNS = (
    "place", "id", "recorded_at", "happened_at", "type", "meaning", "actor", "actor_name", "actor_kind", "roles",
    "session", "address", "target_kind", "target", "project", "branch", "environment", "outcome", "evidence", "reason",
    "ticket", "words_sha256", "correlation", "approval", "details", "leaf_hash",
)  # fmt: skip

#: What a spreadsheet may take for the beginning of a formula or of another cell: OWASP, "CSV Injection".
_STARTS_A_FORMULA = frozenset("=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20")
_MARK = "'"
#: Whether an event proves anything, by the world that its project is in.
EVIDENCE = {"sandbox": "no: sandbox", "unknown": "not known: no such project"}


def guarded(cell: str) -> str:
    """With a mark before it where a spreadsheet could run it.

    Also where it begins with that mark already: so `unguarded` gives back every cell exactly.
    """
    first = cell.lstrip(" \u3000\u00a0")[:1]
    return _MARK + cell if first in _STARTS_A_FORMULA or first == _MARK else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell.startswith(_MARK) else cell


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Records with CRLF at their ends, in UTF-8."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows([guarded(cell) for cell in row] for row in rows)
    return file.getvalue().encode("utf-8")


def csv_cells(
    event: Mapping[str, Any], *, actor_name: str, meaning: str, place: int | None, leaf_hash: bytes | None
) -> list[str]:
    """One event in the order of COLUMNS. `event`: its members. The words of people are not among them."""
    actor, target, source = event["actor"], event["target"], event.get("src", {})
    reason, correlation = event.get("reason", {}), event.get("corr", {})
    details = event.get("data", {}) | {name: value for name, value in correlation.items() if name != "wf"}
    cells = (
        "" if place is None else str(place), event["id"], event["rec"], event["time"], event["type"], meaning,
        actor["id"], actor_name, actor["kind"], " ".join(actor.get("roles", ())), actor.get("sess"), source.get("ip"),
        target["kind"], target["id"], target.get("proj"), target.get("branch"), target.get("env"),
        event["out"]["s"], EVIDENCE.get(event["env"], "yes"), reason.get("code"), reason.get("ticket"),
        reason.get("text_commit"), correlation.get("wf"), _json(event.get("appr")), _json(details),
        leaf_hash.hex() if leaf_hash else "",
    )  # fmt: skip
    return [cell or "" for cell in cells]


def _json(members: Mapping[str, Any] | None) -> str:
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if members else ""
