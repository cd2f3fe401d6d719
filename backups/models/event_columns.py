"""The searchable columns of an event: which they are, and how each is read out of the event's exact bytes.

A trigger fills them from one reading of the bytes, whatever the INSERT says; PostgreSQL's generated columns would
read the bytes anew for each column, which cost five times as much as the rest of an insert. A superuser can go past a
trigger, so `verify_ledger` reads the columns out of the bytes once more (selectors/sealed_log.py) and compares.
"""

from __future__ import annotations


def _text(path: str) -> str:
    """A member of the event as text; empty where it is absent."""
    return f"coalesce(event #>> '{{{path}}}', '')"


def _time(name: str) -> str:
    return f"(event ->> '{name}')::timestamp with time zone"


#: Column → its SQL, in which `event` is the JSON of the bytes.
COLUMNS: dict[str, str] = {
    "members": "event",
    "type": _text("type"),
    # What stands before the dot of the event's type.
    "family": f"split_part({_text('type')}, '.', 1)",
    "recorded_at": _time("rec"),
    "occurred_at": _time("time"),
    "actor_ref": _text("actor,id"),
    "actor_kind": _text("actor,kind"),
    # Out of a list of code words.
    "roles": f"string_to_array(translate({_text('actor,roles')}, '[]\" ', ''), ',')",
    "target_kind": _text("target,kind"),
    "target_id": _text("target,id"),
    "project": _text("target,proj"),
    "branch": _text("target,branch"),
    "environment": _text("target,env"),
    "outcome": _text("out,s"),
    "world": _text("env"),
    "correlation": _text("corr,wf"),
    "web_request": _text("src,req"),
    "text_commitment": _text("reason,text_commit"),
}

_TIMES = "____-__-__T__:__:__.______Z"

# Types are written so that no temporary table of the session, named like one of them, is taken in their place.
EVENT_COLUMNS = f"""
CREATE FUNCTION ccops_event_columns() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event pg_catalog.jsonb := NEW.body::pg_catalog.jsonb;
BEGIN
    IF event ->> 'rec' NOT LIKE '{_TIMES}' OR event ->> 'time' NOT LIKE '{_TIMES}' THEN
        RAISE EXCEPTION 'The times of an event are written in UTC with microseconds'
            USING ERRCODE = 'check_violation';
    END IF;
    {"; ".join(f"NEW.{column} := {expression}" for column, expression in COLUMNS.items())};
    RETURN NEW;
END $$;
CREATE TRIGGER event_columns BEFORE INSERT ON backups_ledgerevent
    FOR EACH ROW EXECUTE FUNCTION ccops_event_columns();
ALTER TABLE backups_ledgerevent ENABLE ALWAYS TRIGGER event_columns;
"""

GUARDS = (("backups_ledgerevent", "event_columns"),)

_DIFFERENT = " OR ".join(f"stored.{column} IS DISTINCT FROM {expression}" for column, expression in COLUMNS.items())

#: Of the next events by their ids: the last id, and the ids of those of which a column says something else than the
#: bytes. LIMIT keeps PostgreSQL from reading the bytes anew for each column.
CONTRADICTIONS = f"""
SELECT max(stored.id::text), array_agg(stored.id) FILTER (
           WHERE event ->> 'id' IS DISTINCT FROM stored.id::text OR {_DIFFERENT})
  FROM (SELECT *, body::jsonb AS event FROM backups_ledgerevent WHERE id > %s ORDER BY id LIMIT %s) stored
"""  # noqa: S608 - of the constants above
