"""What a request will do, said in words from the facts. Unknown is said as unknown, never as zero or as nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from backups.domain.packet import BoundFacts, ObservedFacts, TableFacts
from backups.domain.restore import PointKind, RestoreKind

#: How an Unknown about tables begins, so that the sentence can tell it from other unknowns.
TABLES = "tables"

#: What no restore in place costs: said wherever somebody files, votes on or starts a restore from a snapshot.
SHRINKS = (
    "Recovery options shrink afterwards: for a day or longer Neon can't go back to points in time on this branch, "
    "its child branches can't be reset for up to 24 hours, and there is no one-step undo. "
    "The branch gets a new id; host and connection string stay."
)

_Number = Literal["lost_at_least", "back_at_least", "changed_at_least"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of "what is lost" or "what comes back"."""

    text: str
    patient_safety: bool = False
    is_unknown: bool = False


def consequence_sentence(
    *, bound: BoundFacts, observed: ObservedFacts, project_name: str, source_name: str = ""
) -> str:
    """The one statement of what happens; `source_name` is the preserved branch that an undo brings back."""
    say = {
        RestoreKind.IN_PLACE: _in_place,
        RestoreKind.NEW_BRANCH: _new_branch,
        RestoreKind.UNDO: _undo,
        RestoreKind.SNAPSHOT: _snapshot,
    }[RestoreKind(bound.kind)]
    place = f"{project_name} / {bound.branch_name}"
    return " ".join(part for part in say(bound, observed, place, source_name) if part)


def lost_lines(observed: ObservedFacts) -> list[Line]:
    """What was written since the point and will be gone, patient safety first."""
    return _lines(observed, "lost_at_least") or [_nothing_counted(observed, "new rows since the point")]


def changed_lines(observed: ObservedFacts) -> list[Line]:
    """Rows there on both sides whose content goes back to what it was at the point."""
    return _lines(observed, "changed_at_least") or [_nothing_counted(observed, "rows changed since the point")]


def back_lines(observed: ObservedFacts) -> list[Line]:
    """What was there at the point, is gone now and will be back."""
    return _lines(observed, "back_at_least") or [_nothing_counted(observed, "rows that would come back")]


def schema_lines(observed: ObservedFacts) -> list[Line]:
    """Tables, columns and migrations that vanish or come back."""
    schema = observed["schema"]
    parts = (
        (
            "exists now and will vanish",
            "exist now and will vanish",
            schema["tables_only_now"],
            schema["columns_only_now"],
        ),
        ("will come back", "will come back", schema["tables_only_then"], schema["columns_only_then"]),
    )
    said = [_shape_line(one, many, tables, columns) for one, many, tables, columns in parts]
    return [Line(text) for text in (*said, _migration(observed)) if text]


def count(number: int, one: str, many: str = "") -> str:
    """`1 row`, `1,377 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(seconds: float) -> str:
    """A length of time in at most two units, rounded down: `50 min`, `3 h 5 min`, `2 d 1 h`."""
    left = int(seconds)
    units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    first = next((index for index, (_, size) in enumerate(units) if left >= size), len(units) - 1)
    words: list[str] = []
    for name, size in units[first : first + (1 if units[first][0] in {"min", "s"} else 2)]:
        amount, left = divmod(left, size)
        words += [f"{amount} {name}"] if amount or not words else []
    return " ".join(words)


def _in_place(bound: BoundFacts, observed: ObservedFacts, place: str, _: str) -> tuple[str, ...]:
    return (
        f"Replaces everything on {place} ({_databases(bound)}) with its state at {_when(bound, observed)}.",
        _losses(observed),
        _changes(observed),
        _returns(observed),
        _sessions(observed),
        _children(bound),
        f"The state just before is kept as {bound.preserve_name}, so that it can be undone.",
    )


def _undo(bound: BoundFacts, observed: ObservedFacts, place: str, source_name: str) -> tuple[str, ...]:
    source = source_name or bound.source_branch_id
    return (
        f"Undoes a restore: replaces everything on {place} ({_databases(bound)}) with what is kept in {source}.",
        _losses(observed),
        _changes(observed),
        _returns(observed),
        _sessions(observed),
        _children(bound),
        f"The state just before is kept as {bound.preserve_name}.",
    )


def _snapshot(bound: BoundFacts, observed: ObservedFacts, place: str, _: str) -> tuple[str, ...]:
    return (
        f"Replaces everything on {place} ({_databases(bound)}) with what the snapshot {bound.snapshot_name} holds, "
        f"taken {_moment(bound.snapshot_at, observed)}.",
        _losses(observed),
        _changes(observed),
        _returns(observed),
        _sessions(observed),
        f"The state just before is kept as {bound.preserve_name}, without a compute.",
        _children_stay(bound),
        SHRINKS,
    )


def _new_branch(bound: BoundFacts, observed: ObservedFacts, place: str, _: str) -> tuple[str, ...]:
    return (
        f"Makes a copy beside {place} ({_databases(bound)}) as it was at {_when(bound, observed)}.",
        f"{bound.branch_name} itself is not changed: no row is lost and no session is cut.",
        _returns(observed, verb="The copy holds"),
    )


def _databases(bound: BoundFacts) -> str:
    if not bound.databases:
        return "its databases are unknown"
    word = "database" if len(bound.databases) == 1 else "databases"
    return f"{word} {', '.join(bound.databases)}"


def _when(bound: BoundFacts, observed: ObservedFacts) -> str:
    if bound.point_kind != PointKind.TIMESTAMP:
        return f"log position {bound.point}"
    return _moment(bound.point, observed)


def _moment(text: str, observed: ObservedFacts) -> str:
    at = dt.datetime.fromisoformat(text)
    ago = (dt.datetime.fromisoformat(observed["as_of"]) - at).total_seconds()
    return f"{at:%d %b %Y %H:%M:%S} UTC, {span(ago)} ago" if ago >= 0 else f"{at:%d %b %Y %H:%M:%S} UTC"


def _losses(observed: ObservedFacts) -> str:
    return _total(
        observed,
        "lost_at_least",
        some=lambda rows, tables: f"Discards at least {rows} written since, in {tables}",
        none="No row written since was found",
        unknown="How many rows written since are discarded is unknown",
    )


def _changes(observed: ObservedFacts) -> str:
    return _total(
        observed,
        "changed_at_least",
        some=lambda rows, tables: f"Takes back changes to at least {rows}, in {tables}",
        none="",
        unknown="How many changed rows go back is unknown",
    )


def _returns(observed: ObservedFacts, *, verb: str = "Brings back") -> str:
    return _total(
        observed,
        "back_at_least",
        some=lambda rows, tables: f"{verb} at least {rows} that {_are(rows)} gone now, in {tables}",
        none="",
        unknown="How many rows come back is unknown",
    )


def _are(rows: str) -> str:
    return "is" if rows.startswith("1 ") else "are"


def _total(
    observed: ObservedFacts, number: _Number, *, some: Callable[[str, str], str], none: str, unknown: str
) -> str:
    known = [value for row in observed["tables"] if (value := row[number]) is not None]
    unread = len(observed["tables"]) - len(known)
    if not known:
        return f"{unknown}{_because(observed)}."
    tail = (f"; {count(unread, 'table')} could not be counted" if unread else "") + _partly(observed)
    total = sum(known)
    if total:
        changed = sum(1 for value in known if value)
        return f"{some(count(total, 'row'), count(changed, 'table'))}{tail}."
    return f"{none}{tail}." if none else (f"{unknown} for a part{tail}." if tail else "")


def _partly(observed: ObservedFacts) -> str:
    """Whole databases may be unread although every listed table was counted."""
    missed = [item for item in observed["unknown"] if item["what"].startswith(TABLES)]
    return f"; unknown: {missed[0]['what']}, {missed[0]['why'].rstrip('.')}" if missed else ""


def _because(observed: ObservedFacts) -> str:
    why = next((item["why"] for item in observed["unknown"] if item["what"].startswith(TABLES)), "")
    why = why or next((row["unknown"] for row in observed["tables"] if row["unknown"]), "") or ""
    return f": {why.rstrip('.')}" if why else ""


def _sessions(observed: ObservedFacts) -> str:
    open_now = observed["sessions"]["count"]
    if open_now is None:
        return "Cuts all open sessions for seconds; how many there are is unknown."
    if open_now == 0:
        return "No other session is open now."
    return f"Cuts {count(open_now, 'open session')} for seconds."


def _children(bound: BoundFacts) -> str:
    if not bound.children:
        return ""
    return f"Moves {count(len(bound.children), 'child branch', 'child branches')} under the preserved branch."


def _children_stay(bound: BoundFacts) -> str:
    if not bound.children:
        return ""
    one = len(bound.children) == 1
    return f"{count(len(bound.children), 'child branch', 'child branches')} {'stays' if one else 'stay'} with it."


def _lines(observed: ObservedFacts, number: _Number) -> list[Line]:
    counted = [row for row in observed["tables"] if row[number]]
    unread = [row for row in observed["tables"] if row[number] is None]
    return [_line(row, row[number] or 0) for row in counted] + [_unread_line(row) for row in unread]


def _line(row: TableFacts, rows: int) -> Line:
    what = (
        f"{rows:,} {row['meaning']} ({row['table']})" if row["meaning"] else f"{count(rows, 'row')} of {row['table']}"
    )
    return Line(what, patient_safety=row["patient_safety"])


def _unread_line(row: TableFacts) -> Line:
    name = f"{row['meaning']} ({row['table']})" if row["meaning"] else row["table"]
    why = row["unknown"] or "it could not be counted"
    return Line(f"{name}: unknown, {why}", patient_safety=row["patient_safety"], is_unknown=True)


def _nothing_counted(observed: ObservedFacts, what: str) -> Line:
    if not observed["tables"] or _partly(observed):
        return Line(f"Unknown{_because(observed)}", is_unknown=True)
    return Line(f"No {what} were found")


def _shape_line(one: str, many: str, tables: Sequence[str], columns: Sequence[str]) -> str:
    if not tables and not columns:
        return ""
    counted = [count(len(tables), "table")] if tables else []
    counted += [count(len(columns), "column")] if columns else []
    verb = one if len(tables) + len(columns) == 1 else many
    return f"{' and '.join(counted)} {verb}: {', '.join((*tables, *columns))}"


def _migration(observed: ObservedFacts) -> str:
    then, now = observed["migration_head"]["then"], observed["migration_head"]["now"]
    if then is None or now is None or then == now:
        return ""
    return f"The newest migration goes from {now} back to {then}: the application's release must fit it"
