"""Is this one statement that only reads? A first look, for the form; the server has the last word (own_sql.py)."""

from __future__ import annotations

import re

MOST_CHARACTERS = 4000

# Comments and what stands in quotes, in the order in which PostgreSQL would recognise them.
_TOKENS = re.compile(
    r"""(?P<line>--[^\n]*)
    |(?P<block>/\*)
    |(?P<dollar>\$(?P<tag>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$.*?\$(?P=tag)\$|\$\$.*?\$\$)
    |(?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")""",
    re.DOTALL | re.VERBOSE,
)
_BEGINNINGS = frozenset({"select", "with", "values", "table"})
# What may stand behind WITH; everything else that changes something can't follow on one of the beginnings.
_CHANGING = re.compile(
    r"\b(insert\s+into|update\s+(only\s+)?\S+\s+((as\s+)?\w+\s+)?set|delete\s+from|merge\s+into)\b", re.IGNORECASE
)
_LOCKING = re.compile(r"\bfor\s+(no\s+key\s+)?(update|share|key\s+share)\b", re.IGNORECASE)
# Functions that reach beyond the transaction: files, other servers, other sessions, settings, text run as SQL.
_REACHING = re.compile(
    r"\b(pg_read_\w+|pg_ls_\w+|pg_stat_file|pg_file_\w+|lo_import|lo_export|lo_\w+|dblink\w*|postgres_fdw_\w+|http\w*"
    r"|pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_promote|pg_wal_\w+"
    r"|pg_create_\w+|pg_drop_\w+|pg_logical_\w+|pg_replication_\w+|pg_export_snapshot|pg_notify|pg_sleep\w*|set_config"
    r"|setval|nextval|pg_advisory_\w+|pg_try_advisory_\w+|query_to_xml\w*|table_to_xml\w*|cursor_to_xml\w*"
    r"|schema_to_xml\w*|database_to_xml\w*|ts_stat|pg_stat_reset\w*|pg_import_\w+|pg_execute_\w+|pg_start_\w+"
    r"|pg_stop_\w+|pg_backup_\w+|crosstab\w*|connectby)\s*\(",
    re.IGNORECASE,
)


def problems_of_statement(sql: str) -> list[str]:
    """Sentences for the form, empty when nothing is wrong. What gets past it, the read-only transaction stops."""
    if not sql.strip():
        return ["Write one statement that reads, such as SELECT count(*) FROM appointments."]
    if len(sql) > MOST_CHARACTERS:
        return [f"The statement is longer than {MOST_CHARACTERS:,} characters."]
    if "\x00" in sql:
        return ["The statement holds a character that PostgreSQL does not take (NUL)."]
    bare, problems = _without_quotes(sql)
    return problems or _problems_of_words(bare)


def cleaned(sql: str) -> str:
    """Without the semicolon that people put at the end."""
    return sql.strip().rstrip(";").strip()


def _problems_of_words(bare: str) -> list[str]:
    body = cleaned(bare)
    first = re.match(r"[\s(]*(\w+)", body)
    problems = []
    if ";" in body:
        problems.append("There is more than one statement. Write one; several checks are several entries.")
    if first is None or first.group(1).lower() not in _BEGINNINGS:
        problems.append("The statement must begin with SELECT, WITH, VALUES or TABLE: it may only read.")
    if found := _CHANGING.search(body):
        problems.append(f"The statement would change something ({_words(found)}). It may only read.")
    if found := _LOCKING.search(body):
        problems.append(f"The statement would lock rows ({_words(found)}). It may only read.")
    if re.search(r"\binto\b", body, re.IGNORECASE) and not _CHANGING.search(body):
        problems.append("SELECT INTO makes a table. The statement may only read.")
    if found := _REACHING.search(body):
        problems.append(f"{found.group(1)}() reaches beyond the data, which a check may not.")
    return problems


def _words(found: re.Match[str]) -> str:
    return " ".join(found.group(0).upper().split())


def _without_quotes(sql: str) -> tuple[str, list[str]]:
    """The statement with texts and comments blanked, so that their words are not taken for SQL. Quoted names stay,
    without their quotes: "set_config" is the same function."""
    if re.search(r"\b[uU]&[\"']", sql):
        return "", ["U& names and texts hide what they say. Write them plainly."]
    parts: list[str] = []
    place = 0
    while found := _TOKENS.search(sql, place):
        parts.append(sql[place : found.start()])
        end = _end_of_block(sql, found.start()) if found["block"] else found.end()
        if end is None:
            return "", ["A comment that begins with /* does not end."]
        parts.append(_replacement(found))
        place = end
    rest = sql[place:]
    if "'" in rest or '"' in rest:
        return "", ["A quote is opened and not closed."]
    return "".join([*parts, rest]), []


def _replacement(found: re.Match[str]) -> str:
    if found["name"]:
        # A word character in its place keeps names with spaces or semicolons from reading as SQL.
        inner = found["name"][1:-1]
        return inner if re.fullmatch(r"\w+", inner) and found.string[found.end() :].lstrip()[:1] == "(" else "name"
    return " " if found["line"] or found["block"] else "''"


def _end_of_block(sql: str, start: int) -> int | None:
    """Block comments nest in PostgreSQL."""
    depth = 0
    for found in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return start + found.end()
    return None
