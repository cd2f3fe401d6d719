"""Fills a database with synthetic CareCircle rows: python -m demo.seed --dsn postgresql://..."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

import psycopg

SCHEMA = Path(__file__).with_name("schema.sql")

#: Rows at scale 1, in the order of the foreign keys.
ROWS = {
    "families": 500,
    "users": 2_000,
    "care_recipients": 800,
    "medications": 4_000,
    "medication_logs": 60_000,
    "appointments": 8_000,
    "documents": 4_700,
    "notifications": 20_000,
}

# Each statement makes rows 1..%(rows)s. Values follow from the row number alone, times from it and from %(end)s,
# so that two loads with the same end are equal. Multiplying by a prime spreads the references evenly.
_FILL = {
    "families": """
        INSERT INTO families (name, created_at, updated_at)
        SELECT 'Example Family ' || i, t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '40 min' AS t) at""",
    "users": """
        INSERT INTO users (family_id, email, display_name, role, created_at, updated_at)
        SELECT 1 + i * 7919 %% %(families)s, 'person' || i || '@carecircle.example', 'Test Person ' || i,
               (ARRAY['coordinator', 'caregiver', 'caregiver', 'viewer'])[1 + i %% 4], t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '11 min' AS t) at""",
    "care_recipients": """
        INSERT INTO care_recipients (family_id, display_name, birth_year, created_at, updated_at)
        SELECT 1 + i * 7919 %% %(families)s, 'Synthetic Elder ' || i, 1925 + i %% 40, t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '25 min' AS t) at""",
    "medications": """
        INSERT INTO medications (care_recipient_id, name, dose_mg, times_a_day, created_at, updated_at)
        SELECT 1 + i * 7919 %% %(care_recipients)s, 'Placebolin ' || i %% 97, 5 * (1 + i %% 20), 1 + i %% 3, t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '5 min' AS t) at""",
    "medication_logs": """
        INSERT INTO medication_logs
            (medication_id, given_by_id, scheduled_for, given_at, status, created_at, updated_at)
        SELECT 1 + i * 7919 %% %(medications)s, 1 + i * 104729 %% %(users)s, t - interval '4 min',
               CASE WHEN i %% 13 <> 0 THEN t END, (ARRAY['missed', 'given'])[1 + (i %% 13 <> 0)::int], t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '20 s' AS t) at""",
    "appointments": """
        INSERT INTO appointments (care_recipient_id, title, starts_at, status, created_at, updated_at)
        SELECT 1 + i * 7919 %% %(care_recipients)s, 'Visit ' || i, t + interval '14 days',
               (ARRAY['planned', 'done', 'cancelled'])[1 + i %% 3], t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '2 min' AS t) at""",
    "documents": """
        INSERT INTO documents (id, care_recipient_id, uploaded_by_id, title, body, created_at, updated_at)
        SELECT md5('document ' || i)::uuid, 1 + i * 7919 %% %(care_recipients)s, 1 + i * 104729 %% %(users)s,
               'Care plan ' || i, repeat('Synthetic text ' || i || '. ', 20), t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '4 min' AS t) at""",
    "notifications": """
        INSERT INTO notifications (user_id, medication_log_id, kind, read_at, created_at, updated_at)
        SELECT 1 + i * 7919 %% %(users)s, CASE WHEN i %% 2 = 0 THEN 1 + i * 104729 %% %(medication_logs)s END,
               (ARRAY['dose_due', 'dose_missed', 'visit', 'document'])[1 + i %% 4],
               CASE WHEN i %% 3 <> 0 THEN t END, t, t
        FROM generate_series(1, %(rows)s::bigint) i,
            LATERAL (SELECT %(end)s - (%(rows)s - i) * interval '1 min' AS t) at""",
}

_MIGRATIONS = ["0001_initial", "0002_documents", "0003_notifications", "0004_updated_at"]


def load(dsn: str, *, scale: float = 1.0, end: dt.datetime | None = None) -> dict[str, int]:
    """Makes the tables and fills them in one transaction; the newest row is at `end` (default: now).

    Returns rows by table. At scale 1 about 100,000 rows.
    """
    rows = {table: max(4, int(count * scale)) for table, count in ROWS.items()}
    end = end or dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        with connection.transaction():
            connection.execute(SCHEMA.read_text())
            for table, statement in _FILL.items():
                connection.execute(statement, {**rows, "rows": rows[table], "end": end})
            _record_migrations(connection, end)
        connection.execute("ANALYZE")
    return rows


def _record_migrations(connection: psycopg.Connection, end: dt.datetime) -> None:
    for days, name in enumerate(reversed(_MIGRATIONS), start=1):
        connection.execute(
            "INSERT INTO django_migrations (id, app, name, applied) VALUES (%s, 'care', %s, %s)",
            [len(_MIGRATIONS) + 1 - days, name, end - dt.timedelta(days=days)],
        )
    connection.execute("SELECT setval(pg_get_serial_sequence('django_migrations', 'id'), %s)", [len(_MIGRATIONS)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 makes about 100,000 rows")
    chosen = parser.parse_args()
    print(json.dumps(load(chosen.dsn, scale=chosen.scale)))


if __name__ == "__main__":
    main()
