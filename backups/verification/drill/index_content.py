"""Does each index hold every row of its table? A broken one makes rows invisible to whoever searches by it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from backups.verification.connection import Budget, Snapshot, Watchdog, connect
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import open_copy
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, failed, inconclusive, passed
from backups.verification.structure import named

_CORRUPTED = ("XX001", "XX002")  # data_corrupted, index_corrupted
_MAKE_SECONDS = 10.0

_AVAILABLE = "SELECT count(*) > 0 FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'"
_FUNCTIONS = """
    SELECT p.proname, n.nspname || '.' || p.proname
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'amcheck'
    WHERE d.deptype = 'e' AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
      AND (p.proname = 'gin_index_check'
           OR p.oid::pg_catalog.regprocedure::text LIKE '%bt_index_check(pg_catalog.regclass,boolean)'
           OR p.oid::pg_catalog.regprocedure::text LIKE '%bt_index_check(regclass,boolean)')"""
# Valid indexes of ordinary tables; invalid ones are another check's. `ordered`: its keys, for reading in its order.
_INDEXES = """
    SELECT i.indexrelid::bigint, n.nspname || '.' || x.relname, tn.nspname, t.relname, am.amname::text,
           ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, number::int, true)
                 FROM pg_catalog.generate_series(1, i.indnkeyatts) AS number ORDER BY number),
           ARRAY(SELECT option & 3 FROM pg_catalog.unnest(i.indoption) WITH ORDINALITY AS o (option, place)
                 WHERE place <= i.indnkeyatts ORDER BY place)::int[],
           pg_catalog.pg_get_expr(i.indpred, i.indrelid), x.relname
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relkind = 'i'
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid AND t.relkind = 'r' AND t.relpersistence = 'p'
    JOIN pg_catalog.pg_am am ON am.oid = x.relam
    JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    WHERE i.indisvalid AND i.indisready AND i.indexrelid > {after}
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY i.indexrelid"""
_WAYS = ("seqscan", "indexscan", "indexonlyscan", "bitmapscan", "sort", "incremental_sort")
_BY_TABLE, _BY_INDEX = frozenset({"seqscan", "sort"}), frozenset({"indexscan", "indexonlyscan"})
_ORDER_WORDS = {0: "", 1: " DESC NULLS LAST", 2: " NULLS FIRST", 3: " DESC"}


@dataclass(frozen=True, slots=True)
class Index:
    oid: int
    label: str
    schema: str
    table: str
    method: str
    keys: list[str]
    options: list[int]
    predicate: str | None
    name: str

    def in_its_order(self) -> sql.Composed:
        """SQL that counts the rows which are reached through the index, if the planner takes it."""
        keys = ", ".join(key + _ORDER_WORDS[option] for key, option in zip(self.keys, self.options, strict=True))
        return sql.SQL("SELECT count(*) FROM (SELECT FROM ONLY {} WHERE {} ORDER BY {} OFFSET 0) AS read").format(
            sql.Identifier(self.schema, self.table), sql.SQL(self.predicate or "true"), sql.SQL(keys)
        )

    def by_table(self) -> sql.Composed:
        return sql.SQL("SELECT count(*) FROM ONLY {} WHERE {}").format(
            sql.Identifier(self.schema, self.table), sql.SQL(self.predicate or "true")
        )


@dataclass(frozen=True, slots=True)
class _State:
    """What a cursor holds. `last`: oid of the last index that was looked at; `by`: how, and how many."""

    last: int
    sound: int
    by: dict[str, int]
    broken: list[str]
    unread: list[str]
    late: list[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def with_result(self, index: Index, *, is_sound: bool | None, by: str = "") -> _State:
        return _State(
            last=index.oid,
            sound=self.sound + (is_sound is True),
            by={**self.by, by: self.by.get(by, 0) + 1} if by else self.by,
            broken=[*self.broken, index.label] if is_sound is False else self.broken,
            unread=[*self.unread, index.label] if is_sound is None else self.unread,
            late=self.late,
        )

    def with_late(self, index: Index) -> _State:
        return replace(self, last=index.oid, late=[*self.late, index.label])


def check_index_content(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """With PostgreSQL's own amcheck, which is installed on the copy if it can be; otherwise rows are counted once by
    the index and once without it."""
    state = _State(**cursor) if cursor else _State(0, 0, {}, [], [], [])
    if cursor is None:
        _install_amcheck(target)
    with open_copy(target, budget) as copy:
        functions: dict[str, str] = dict(copy.rows(_FUNCTIONS))
        indexes = [Index(*row) for row in copy.rows(sql.SQL(_INDEXES).format(after=state.last))]
        for number, index in enumerate(indexes):
            try:
                state = _look_at(copy, index, functions, state)
            except OutOfTime:
                # If a whole budget was not enough for this one, it is not asked again.
                return Unfinished(spec, (state if number else state.with_late(index)).to_json())
    return _judge(spec, state)


def _install_amcheck(target: DrillTarget) -> None:
    """On the copy only, which is thrown away. It may be missing, or the role may not: then there is another way."""
    with suppress(psycopg.Error):
        connection = connect(target.copy)
        watchdog = Watchdog(connection, _MAKE_SECONDS)
        try:
            if connection.execute(_AVAILABLE).fetchone() == (True,):
                connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        finally:
            watchdog.end()
            connection.close()


def _look_at(copy: Snapshot, index: Index, functions: dict[str, str], state: _State) -> _State:
    name = {"btree": "bt_index_check", "gin": "gin_index_check"}.get(index.method, "")
    try:
        if name in functions:
            is_sound = _by_amcheck(copy, index, functions[name])
            return state.with_result(index, is_sound=is_sound, by="amcheck")
        if index.method == "btree":
            return state.with_result(index, is_sound=_by_counting(copy, index), by="counting")
    except NotReadable:
        pass
    return state.with_result(index, is_sound=None)


def _by_amcheck(copy: Snapshot, index: Index, function: str) -> bool:
    arguments = "{}::pg_catalog.oid, true" if function.endswith("bt_index_check") else "{}::pg_catalog.oid"
    question = sql.SQL("SELECT {}(" + arguments + ") IS NULL").format(sql.Identifier(*function.split(".")), index.oid)
    try:
        copy.rows(question)
    except NotReadable as error:
        if error.sqlstate in _CORRUPTED:
            return False
        raise
    return True


def _by_counting(copy: Snapshot, index: Index) -> bool | None:
    """None when the planner does not read by this index, whatever it is told."""
    _plan_with(copy, _BY_TABLE)
    by_table = copy.value(index.by_table())
    _plan_with(copy, _BY_INDEX)
    plan = "\n".join(row[0] for row in copy.rows(sql.SQL("EXPLAIN {}").format(index.in_its_order())))
    if f"using {index.name} " not in plan.replace('"', "") or "Sort" in plan:
        return None
    return bool(copy.value(index.in_its_order()) == by_table)


def _plan_with(copy: Snapshot, ways: frozenset[str]) -> None:
    """Leaves the planner only these ways of reading."""
    settings = [f"pg_catalog.set_config('enable_{way}', '{'on' if way in ways else 'off'}', true)" for way in _WAYS]
    copy.rows(f"SELECT {', '.join(settings)}")


def _judge(spec: CheckSpec, state: _State) -> CheckResult:
    figures = {
        "sound": state.sound, "broken": state.broken, "not_checked": state.unread, "too_large": state.late,
        "checked_by": state.by,
    }  # fmt: skip
    if state.broken:
        return failed(
            spec, f"Does not agree with its table: {named(state.broken)}. Searches by it miss rows.", **figures
        )
    if state.late:
        return inconclusive(spec, f"Could not tell: not read in the time allowed: {named(state.late)}.", **figures)
    if state.sound == 0 and state.unread:
        return inconclusive(spec, f"Could not tell: no way to look into {named(state.unread)}.", **figures)
    rest = f"; {len(state.unread)} of other kinds were not looked into: {named(state.unread)}" if state.unread else ""
    return passed(
        spec, f"{counted(state.sound, 'index').replace('indexs', 'indexes')} agree with the table{rest}.", **figures
    )
