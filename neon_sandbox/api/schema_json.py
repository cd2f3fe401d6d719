"""The tables of a pg_dump, in the form of Neon's JSON schema."""

from __future__ import annotations

import re
from typing import Any

_NAME = r'(?:"(?:[^"]|"")+"|[^\s".(),;]+)'
_TABLE = re.compile(
    rf"^CREATE (?:UNLOGGED |FOREIGN )?TABLE (?P<schema>{_NAME})\.(?P<table>{_NAME}) \(\n(?P<columns>.*?)^\)",
    re.MULTILINE | re.DOTALL,
)
_CONSTRAINT = re.compile(
    rf"^ALTER TABLE(?: ONLY)? (?P<schema>{_NAME})\.(?P<table>{_NAME})\n    ADD CONSTRAINT (?P<name>{_NAME}) "
    rf"(?P<type>PRIMARY KEY|UNIQUE|FOREIGN KEY)(?: NULLS NOT DISTINCT)? \((?P<columns>[^)]*)\)"
    rf"(?: REFERENCES (?P<to_schema>{_NAME})\.(?P<to_table>{_NAME})\((?P<to_columns>[^)]*)\))?",
    re.MULTILINE,
)
_COLUMN = re.compile(rf"^    (?P<name>{_NAME}) (?P<rest>.+?),?$")
# What may stand behind a column's type.
_AFTER_TYPE = re.compile(r" (?:COLLATE|DEFAULT|GENERATED|CONSTRAINT|NOT NULL|OPTIONS|CHECK)\b.*$")


def tables_of(dump: str) -> list[dict[str, Any]]:
    """Tables with their columns, and with their keys; `dump` is what `pg_dump --schema-only` wrote."""
    tables: dict[tuple[str, str], dict[str, Any]] = {
        (_plain(found["schema"]), _plain(found["table"])): {
            "schema": _plain(found["schema"]),
            "name": _plain(found["table"]),
            "columns": _columns(found["columns"]),
        }
        for found in _TABLE.finditer(dump)
    }
    for found in _CONSTRAINT.finditer(dump):
        table = tables.get((_plain(found["schema"]), _plain(found["table"])))
        if table is not None:
            table.setdefault("constraints", []).append(_constraint(found))
    return list(tables.values())


def _columns(text: str) -> list[dict[str, Any]]:
    found = (_COLUMN.match(line) for line in text.split("\n"))
    return [_column(column) for column in found if column and column["name"] not in ("CONSTRAINT", "CHECK")]


def _column(found: re.Match[str]) -> dict[str, Any]:
    rest = found["rest"]
    return {
        "name": _plain(found["name"]),
        "type": _AFTER_TYPE.sub("", rest),
        "nullable": "NOT NULL" not in rest,
        "generated": "GENERATED ALWAYS AS (" in rest,
    }


def _constraint(found: re.Match[str]) -> dict[str, Any]:
    constraint: dict[str, Any] = {
        "name": _plain(found["name"]),
        "type": found["type"].lower().replace(" ", "_"),
        "columns": _names(found["columns"]),
    }
    if found["to_table"]:
        constraint["referenced_table"] = {
            "schema": _plain(found["to_schema"]),
            "table": _plain(found["to_table"]),
            "columns": _names(found["to_columns"]),
        }
    return constraint


def _names(text: str) -> list[str]:
    return [_plain(name) for name in re.findall(_NAME, text)]


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
