"""Are the tables and columns of the source on the copy, save for those that were made after the point?"""

from __future__ import annotations

from psycopg import sql

from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, Snapshot
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import NEXT_XID, open_copy, open_source
from backups.verification.results import CheckResult, CheckSpec, counted, failed, inconclusive, passed
from backups.verification.structure import named
from backups.verification.xids import as_stored, is_later

# The row of a table's own ctid column is written once, by the transaction that makes the table.
_MADE_BY = """
    SELECT n.nspname || '.' || c.relname, a.xmin::text::bigint
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = -1
    WHERE c.relkind = 'r'"""


_COLUMNS = """
    SELECT n.nspname || '.' || c.relname || '.' || a.attname,
           pg_catalog.format_type(a.atttypid, a.atttypmod), a.xmin::text::bigint
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname || '.' || c.relname = ANY ({tables})"""


def check_columns(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By name and type, of the tables on both sides; what was changed at the source since is named, and is no fault."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        tables = sorted(read_tables(copy).keys() & read_tables(source).keys())
        query = sql.SQL(_COLUMNS).format(tables=tables)
        next_xid = as_stored(copy.value(NEXT_XID))
        on_copy = {label: kind for label, kind, _ in copy.rows(query)}
        at_source = source.rows(query)
    other = {label: maker for label, kind, maker in at_source if on_copy.get(label) != kind}
    missing = sorted(label for label, maker in other.items() if is_later(next_xid, maker))
    changed = sorted(other.keys() - set(missing) | on_copy.keys() - {row[0] for row in at_source})
    figures = {"columns": len(on_copy), "missing_or_other": missing, "changed_since": changed}
    if missing:
        return failed(spec, f"Missing or of another type on the copy: {named(missing)}.", **figures)
    rest = f"; changed at the source since: {named(changed)}" if changed else ""
    return passed(spec, f"{counted(len(on_copy), 'column')} as at the source{rest}.", **figures)


def check_tables(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """A table that the source has and the copy has not is missing, unless it was made after the copy was cut off."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        on_copy, at_source = read_tables(copy), read_tables(source)
        known_oids = {table.oid for table in on_copy.values()}
        # The same table under another name was renamed since: both sides count on from one catalogue.
        lacking = [label for label, table in at_source.items() if label not in on_copy and table.oid not in known_oids]
        made_since = _made_since(lacking, source, as_stored(copy.value(NEXT_XID)))
    missing = sorted(set(lacking) - made_since)
    gone = {table.oid for table in on_copy.values()} - {table.oid for table in at_source.values()}
    dropped = sorted(label for label, table in on_copy.items() if table.oid in gone)
    figures = {
        "on_copy": len(on_copy), "at_source": len(at_source), "missing": missing,
        "made_since": sorted(made_since), "dropped_since": dropped,
    }  # fmt: skip
    if missing:
        return failed(spec, f"Missing on the copy: {named(missing)}.", **figures)
    if at_source and not on_copy:
        return inconclusive(spec, "Could not tell: the copy holds no table; the source's were made since.", **figures)
    return passed(spec, _what_is_there(len(on_copy), len(made_since), dropped), **figures)


def _made_since(lacking: list[str], source: Snapshot, next_xid: int) -> set[str]:
    """Those made by a transaction whose id the copy has not given out yet."""
    if not lacking:
        return set()
    makers: dict[str, int] = dict(source.rows(_MADE_BY))
    return {label for label in lacking if label in makers and not is_later(next_xid, makers[label])}


def _what_is_there(on_copy: int, made_since: int, dropped: list[str]) -> str:
    sentence = f"{counted(on_copy, 'table')} as at the source"
    if made_since:
        sentence += f"; {counted(made_since, 'table')} made there since"
    if dropped:
        sentence += f"; {counted(len(dropped), 'table')} no longer there: {named(dropped)}"
    return f"{sentence}."
