"""The definitions in a database, without its rows: as SQL, as tables, or compared with another branch's.

Neon reads them from a running compute, so a call may wake one, which takes seconds and costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.sending import one_point
from backups.neon.wire import Raw, UnusableShape


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str | None
    nullable: bool | None
    generated: bool | None

    @classmethod
    def of(cls, raw: Raw) -> Column:
        return cls(
            name=wire.required_text(raw, "name"),
            type=wire.text(raw, "type"),
            nullable=wire.boolean(raw, "nullable"),
            generated=wire.boolean(raw, "generated"),
        )


@dataclass(frozen=True, slots=True)
class Constraint:
    """`references` is the schema and name of the table that a foreign key points to."""

    type: str
    name: str | None
    columns: tuple[str, ...]
    references: tuple[str, str] | None

    @classmethod
    def of(cls, raw: Raw) -> Constraint:
        target = raw.get("referenced_table")
        columns = raw.get("columns")
        return cls(
            type=wire.required_text(raw, "type"),
            name=wire.text(raw, "name"),
            columns=tuple(str(column) for column in columns) if isinstance(columns, list) else (),
            references=(
                (wire.required_text(target, "schema"), wire.required_text(target, "table"))
                if isinstance(target, dict)
                else None
            ),
        )


@dataclass(frozen=True, slots=True)
class Table:
    schema: str
    name: str
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]

    @classmethod
    def of(cls, raw: Raw) -> Table:
        constraints = wire.objects_in(raw, "constraints") if raw.get("constraints") is not None else ()
        return cls(
            schema=wire.required_text(raw, "schema"),
            name=wire.required_text(raw, "name"),
            columns=tuple(Column.of(item) for item in wire.objects_in(raw, "columns")),
            constraints=tuple(Constraint.of(item) for item in constraints),
        )


class Schemas:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def sql(
        self,
        project_id: str,
        branch_id: str,
        *,
        database_name: str,
        timestamp: datetime | None = None,
        lsn: str | None = None,
    ) -> str:
        """The statements that would make the database's objects, at the head or at a point of the history. Empty
        for a database without any."""
        params = {"db_name": database_name, "format": "sql"} | one_point(timestamp, lsn, "timestamp", "lsn")
        return self._caller.read("schemas.sql", _sql_of, params, project_id=project_id, branch_id=branch_id)

    def tables(
        self,
        project_id: str,
        branch_id: str,
        *,
        database_name: str,
        timestamp: datetime | None = None,
        lsn: str | None = None,
    ) -> tuple[Table, ...]:
        """The tables with their columns and constraints, at the head or at a point of the history."""
        params = {"db_name": database_name, "format": "json"} | one_point(timestamp, lsn, "timestamp", "lsn")
        return self._caller.read("schemas.tables", _tables_of, params, project_id=project_id, branch_id=branch_id)

    def compare(
        self,
        project_id: str,
        branch_id: str,
        *,
        database_name: str,
        base_branch_id: str,
        timestamp: datetime | None = None,
        lsn: str | None = None,
        base_timestamp: datetime | None = None,
        base_lsn: str | None = None,
    ) -> str:
        """A unified diff from the base branch to this one; empty when they are equal. Without a moment or an LSN
        a side is taken at its head."""
        params = {"db_name": database_name, "base_branch_id": wire.checked_id(base_branch_id)}
        params |= one_point(timestamp, lsn, "timestamp", "lsn")
        params |= one_point(base_timestamp, base_lsn, "base_timestamp", "base_lsn")
        return self._caller.read("schemas.compare", _diff_of, params, project_id=project_id, branch_id=branch_id)


def _sql_of(raw: Raw) -> str:
    return _told(raw, "sql")


def _diff_of(raw: Raw) -> str:
    # Neon may leave the field out when there is no difference.
    return _told(raw, "diff") if "diff" in raw else ""


def _told(raw: Raw, key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str):
        raise UnusableShape(f"no {key}")
    return value


def _tables_of(raw: Raw) -> tuple[Table, ...]:
    return tuple(Table.of(item) for item in wire.objects_in(wire.object_in(raw, "json"), "tables"))
