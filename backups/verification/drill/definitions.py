"""Functions, views, triggers, policies, indexes and constraints: does the copy have them as the source does?

Rows can be right and the application still fail, or show what it must not, for want of a trigger or a policy.
"""

from __future__ import annotations

from psycopg import sql

from backups.verification.catalog import FOREIGN_SCHEMAS
from backups.verification.connection import Budget, Snapshot
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import NEXT_XID, open_copy, open_source
from backups.verification.results import CheckResult, CheckSpec, counted, failed, passed
from backups.verification.structure import named
from backups.verification.xids import as_stored, is_later

# Kind, name, a hash of the definition and the transaction that wrote it last. What belongs to an extension is its.
_DEFINITIONS = """
    SELECT kind || ' ' || name, pg_catalog.md5(definition), maker FROM (
        SELECT 'function' AS kind, n.nspname || '.' || p.proname || '('
                   || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS name,
               CASE WHEN p.prokind = 'a' THEN p.prosrc ELSE pg_catalog.pg_get_functiondef(p.oid) END AS definition,
               p.xmin::text::bigint AS maker, n.nspname AS schema, p.oid AS oid
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        UNION ALL
        SELECT 'view', n.nspname || '.' || c.relname, pg_catalog.pg_get_viewdef(c.oid), r.xmin::text::bigint,
               n.nspname, c.oid
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
        WHERE c.relkind IN ('v', 'm')
        UNION ALL
        SELECT 'trigger', n.nspname || '.' || c.relname || '.' || t.tgname,
               pg_catalog.pg_get_triggerdef(t.oid) || t.tgenabled::text, t.xmin::text::bigint, n.nspname, c.oid
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
        UNION ALL
        SELECT 'policy', n.nspname || '.' || c.relname || '.' || p.polname,
               pg_catalog.concat_ws('; ', p.polcmd, p.polpermissive,
                   (SELECT pg_catalog.string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY r.rolname)
                    FROM pg_catalog.unnest(p.polroles) AS role LEFT JOIN pg_catalog.pg_roles r ON r.oid = role),
                   pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)),
               p.xmin::text::bigint, n.nspname, c.oid
        FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        UNION ALL
        SELECT 'row security of', n.nspname || '.' || c.relname, c.relrowsecurity::text || c.relforcerowsecurity::text,
               c.xmin::text::bigint, n.nspname, c.oid
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity
        UNION ALL
        SELECT 'index', n.nspname || '.' || c.relname, pg_catalog.pg_get_indexdef(c.oid), i.xmin::text::bigint,
               n.nspname, c.oid
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        UNION ALL
        SELECT 'constraint', n.nspname || '.' || c.relname || '.' || k.conname, pg_catalog.pg_get_constraintdef(k.oid),
               k.xmin::text::bigint, n.nspname, c.oid
        FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) AS found
    WHERE schema <> ALL ({foreign_schemas}) AND schema NOT LIKE 'pg\\_t%'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = found.oid AND d.deptype = 'e')"""


def check_definitions(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By hashes of their text; what was made or changed at the source since is named, and is no fault."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        next_xid = as_stored(copy.value(NEXT_XID))
        on_copy, at_source = _definitions(copy), _definitions(source)
    other = {name: maker for name, (text, maker) in at_source.items() if on_copy.get(name, ("", 0))[0] != text}
    missing = sorted(name for name, maker in other.items() if is_later(next_xid, maker))
    changed = sorted(other.keys() - set(missing) | on_copy.keys() - at_source.keys())
    figures = {"definitions": len(on_copy), "missing_or_other": missing, "changed_since": changed}
    if missing:
        return failed(spec, f"Missing or other on the copy: {named(missing)}.", **figures)
    rest = f"; changed at the source since: {named(changed)}" if changed else ""
    return passed(spec, f"{counted(len(on_copy), 'definition')} as at the source{rest}.", **figures)


def _definitions(snapshot: Snapshot) -> dict[str, tuple[str, int]]:
    rows = snapshot.rows(sql.SQL(_DEFINITIONS).format(foreign_schemas=FOREIGN_SCHEMAS))
    return {name: (text, maker) for name, text, maker in rows}
