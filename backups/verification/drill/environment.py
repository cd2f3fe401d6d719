"""What stands around the data: newest migration, extensions, roles."""

from __future__ import annotations

import datetime as dt

from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, Snapshot
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import NEXT_XID, open_copy, open_source
from backups.verification.errors import NotReadable
from backups.verification.migrations import read_migration_head, read_migration_head_at
from backups.verification.results import CheckResult, CheckSpec, Unknown, counted, failed, inconclusive, passed
from backups.verification.structure import named
from backups.verification.xids import as_stored, is_later

# amcheck is put on the copy by another check.
_EXTENSIONS = "SELECT extname || ' ' || extversion, extname::text, xmin::text::bigint FROM pg_catalog.pg_extension"
_OURS = "amcheck"
_ROLES = """
    SELECT r.rolname || CASE WHEN r.rolsuper THEN ' superuser' ELSE '' END
                     || CASE WHEN r.rolcanlogin THEN ' login' ELSE '' END
                     || CASE WHEN r.rolbypassrls THEN ' bypassrls' ELSE '' END
                     || coalesce(' in ' || (SELECT pg_catalog.string_agg(g.rolname, ',' ORDER BY g.rolname)
                                            FROM pg_catalog.pg_auth_members m
                                            JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), ''),
           r.rolname::text
    FROM pg_catalog.pg_roles r WHERE r.rolname NOT LIKE 'pg\\_%'"""
# Only a superuser may read when a role was last changed.
_ROLE_MAKERS = "SELECT rolname::text, xmin::text::bigint FROM pg_catalog.pg_authid"


def check_migration_head(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """The newest migration of the copy must be the source's newest as of the point."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        on_copy, at_source = read_migration_head(copy), read_migration_head(source)
        at_point = _head_at(source, target.point_at)
    if isinstance(on_copy, Unknown) or isinstance(at_source, Unknown):
        return _unknown_head(spec, on_copy, at_source)
    figures = {
        "on_copy": on_copy,
        "at_source": at_source,
        "at_point": None if isinstance(at_point, Unknown) else at_point,
    }
    if on_copy == at_source:
        return passed(spec, f"The newest migration is {on_copy}, as at the source.", **figures)
    if isinstance(at_point, Unknown):
        return inconclusive(
            spec, f"Could not tell: the newest migration is {on_copy}, at the source it is {at_source} now.", **figures
        )
    if on_copy != at_point:
        return failed(spec, f"The newest migration is {on_copy}, at the point it was {at_point}.", **figures)
    return passed(
        spec, f"The newest migration is {on_copy}, as at the point; the source has {at_source} now.", **figures
    )


def _head_at(source: Snapshot, moment: dt.datetime | None) -> str | Unknown:
    if moment is None:
        return Unknown("the time of the point is not known")
    return read_migration_head_at(source, moment, read_tables(source))


def _unknown_head(spec: CheckSpec, on_copy: str | Unknown, at_source: str | Unknown) -> CheckResult:
    if isinstance(on_copy, Unknown) and on_copy == at_source:
        return passed(spec, f"Neither side tells a newest migration: {on_copy.reason}.")
    reason = f"on the copy, {on_copy.reason}" if isinstance(on_copy, Unknown) else ""
    return inconclusive(spec, f"Could not tell: {reason or f'at the source, {_reason(at_source)}'}.")


def _reason(fact: str | Unknown) -> str:
    return fact.reason if isinstance(fact, Unknown) else fact


def check_extensions(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By name and version; one that was installed or changed at the source since is named, and is no fault."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        next_xid = as_stored(copy.value(NEXT_XID))
        on_copy, at_source = copy.rows(_EXTENSIONS), source.rows(_EXTENSIONS)
    mine, theirs = {row[0] for row in on_copy if row[1] != _OURS}, {row[0] for row in at_source if row[1] != _OURS}
    since = {row[0] for row in at_source if not is_later(next_xid, row[2])}
    missing = sorted(theirs - mine - since)
    figures = {
        "extensions": len(mine), "missing": missing,
        "only_on_copy": sorted(mine - theirs), "made_since": sorted((theirs - mine) & since),
    }  # fmt: skip
    if missing:
        return failed(spec, f"Not on the copy: {named(missing)}.", **figures)
    return passed(spec, f"{counted(len(mine), 'extension')}, {_as_source(figures)}.", **figures)


def check_roles(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By name, rights and memberships. Passwords are not compared: a copy may rightly have others."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        next_xid = as_stored(copy.value(NEXT_XID))
        on_copy: dict[str, str] = dict(copy.rows(_ROLES))
        at_source: dict[str, str] = dict(source.rows(_ROLES))
        missing = sorted(at_source.keys() - on_copy.keys())
        since = _made_since(source, [at_source[role] for role in missing], next_xid) if missing else set()
    figures = {
        "roles": len(on_copy), "missing": missing, "only_on_copy": sorted(on_copy.keys() - at_source.keys()),
        "made_since": sorted(role for role in missing if since and at_source[role] in since),
    }  # fmt: skip
    if since is None:
        return inconclusive(
            spec, f"Could not tell: not on the copy, perhaps made or changed since: {named(missing)}.", **figures
        )
    if lacking := [role for role in missing if at_source[role] not in since]:
        return failed(spec, f"Not on the copy: {named(lacking)}.", **figures)
    return passed(spec, f"{counted(len(on_copy), 'role')}, {_as_source(figures)}.", **figures)


def _made_since(source: Snapshot, names: list[str], next_xid: int) -> set[str] | None:
    """Which of the roles were made or changed after the copy was cut off; None when we may not know."""
    try:
        makers: dict[str, int] = dict(source.rows(_ROLE_MAKERS))
    except NotReadable:
        return None
    return {name for name in names if name in makers and not is_later(next_xid, makers[name])}


def _as_source(figures: dict[str, object]) -> str:
    return (
        "the source has been changed since" if figures["made_since"] or figures["only_on_copy"] else "as at the source"
    )
