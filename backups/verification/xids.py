"""Transaction ids as PostgreSQL stores them in rows: 32 bits that start over.

Two copies that were recovered from one history give out the same numbers again after the point at which they part.
The newest xmin that the copy at the point holds is therefore a boundary: on a branch that was brought back to that
point, a row with an older or equal xmin is from before it, and a row with a younger one was written afterwards.
"""

from __future__ import annotations

from psycopg import sql

MODULUS = 2**32
FIRST_NORMAL = 3


def as_stored(full_xid: int) -> int:
    """The 32 bits that a row would show; the ids 0 to 2 are never given out."""
    return max(full_xid % MODULUS, FIRST_NORMAL)


def is_fresh(boundary: int) -> sql.Composed:
    """SQL: the row was written by transaction `boundary` (32 bits) or a later one. age() compares in a circle."""
    return sql.SQL('pg_catalog.age("_row".xmin) <= pg_catalog.age({}::pg_catalog.xid)').format(str(boundary))


#: SQL: the youngest xmin in the table and how many rows show an xmin from the future, which only rows frozen more
#: than two billion transactions ago can do.
NEWEST = (
    "count(*), count(*) FILTER (WHERE pg_catalog.age(xmin) < 0),"
    " min(pg_catalog.age(xmin)) FILTER (WHERE pg_catalog.age(xmin) BETWEEN 0 AND 2147483646),"
    " pg_catalog.age('3'::pg_catalog.xid)::bigint"
)


def is_later(one: int, other: int) -> bool:
    """True when the 32-bit id `one` was given out after `other`, as PostgreSQL compares them."""
    return 0 < (one - other) % MODULUS < MODULUS // 2


def xid_of_age(age: int, age_of_three: int) -> int:
    """The 32-bit id that is `age` transactions old, given the age of id 3 in the same snapshot."""
    return as_stored((age_of_three + FIRST_NORMAL - age) % MODULUS)
