"""A dump of the portal's database, put back into it as an administrator does it: with PostgreSQL's own programs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connections
from psycopg import sql

from neon_sandbox.binaries import find_bin_dir
from tests.support.database import OWNER, OwnDatabase

_COPY = re.compile(r"COPY \w+\.(\w+) \((.*)\) FROM stdin;")


def dump(database: OwnDatabase, file: Path) -> Path:
    """`pg_dump` in its own format: every row, right, trigger and constraint."""
    _run("pg_dump", "--format=custom", f"--file={file}", database.superuser_url)
    return file


def put_back(database: OwnDatabase, file: Path) -> None:
    """Drops the database, makes it anew under the same name, and restores the dump into it."""
    connections.close_all()
    name = sql.Identifier(database.name)
    with psycopg.connect(_beside(database.superuser_url), autocommit=True) as administrator:
        administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        administrator.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
    _run("pg_restore", "--exit-on-error", f"--dbname={database.superuser_url}", str(file))


def _beside(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path="/postgres"))


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [find_bin_dir() / program, *arguments],
        env=os.environ | {"PGOPTIONS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"


def values(database: OwnDatabase, file: Path) -> Iterator[tuple[str, str]]:
    """What a plain dump of all rows holds: `table.column` and each value, as text."""
    _run("pg_dump", "--format=plain", "--data-only", f"--file={file}", database.superuser_url)
    table, columns = "", list[str]()
    for line in file.read_text(encoding="utf-8").splitlines():
        begins = _COPY.fullmatch(line)
        if begins:
            table, columns = begins[1], [each.strip('"') for each in begins[2].split(", ")]
        elif line == "\\.":
            table = ""
        elif table:
            yield from ((f"{table}.{name}", value) for name, value in zip(columns, line.split("\t"), strict=True))
