"""What PostgreSQL itself enforces, written as SQL for the migrations: rows that never change, roles with a date.

The triggers are ENABLE ALWAYS, or a superuser's `session_replication_role = replica` would pass them silently.
They stop mistakes and a taken-over web process; an owner of the tables can still drop them, which is what the
signatures and anchors of the ledger are for.
"""

from __future__ import annotations

from collections.abc import Iterator

from backups.models import drill_rules, erasing_rules, event_columns, log_review_rules

# Rows of these tables are written once.
APPEND_ONLY = (
    "backups_ledgerevent",
    "backups_restoretransition",
    "backups_decisionpacket",
    "backups_executionstep",
    "backups_comment",
    "backups_policyversion",
    "backups_drillsignoff",
    "backups_drillfinding",
    "backups_drillattachment",
    "backups_reviewtext",
    "backups_drillnote",
    "backups_drillslot",
    "backups_logreviewitem",
    "backups_logreviewmark",
    "backups_ledgerleaf",
    "backups_ledgernode",
    "backups_ledgercheckpoint",
    "backups_anchorreceipt",
)

# Rows of these change only by giving one of the columns, still empty, its one value.
SET_ONCE: dict[str, tuple[str, ...]] = {
    "backups_vote": ("taken_back_at",),
    "backups_rolemembership": ("until",),
    "backups_review": ("signed_by_id", "signed_by_name", "signed_at", "texts_sha256"),
    "backups_retrospectiverecord": (
        "signed_by_id",
        "signed_by_name",
        "signed_at",
        "dropped_by_name",
        "dropped_at",
    ),
    "backups_removalrequest": (
        "confirmed_by_id",
        "confirmed_by_name",
        "confirmed_at",
        "dropped_by_name",
        "dropped_at",
    ),
    "backups_governanceversion": (
        "agreed_by_id",
        "agreed_by_name",
        "agreed_at",
        "dropped_by_id",
        "dropped_by_name",
        "dropped_at",
    ),
    "backups_logreview": ("signed_by_id", "signed_by_name", "signed_at", "marks_sha256"),
    "backups_sealerrefusal": ("resolved_at", "resolved_by_name", "resolution"),
    erasing_rules.TABLE: erasing_rules.ANSWERS,
}

# Of later migrations, which bring their rules along.
LATER = frozenset({erasing_rules.TABLE})

# Written by triggers alone.
TRIGGER_WRITTEN = ("backups_rolemembership",)

# Written by the sealer's own role alone: its rights on each. Web and worker read them.
SEALER_WRITTEN: dict[str, str] = {
    "backups_ledgerleaf": "SELECT, INSERT",
    "backups_ledgernode": "SELECT, INSERT",
    "backups_ledgercheckpoint": "SELECT, INSERT",
    "backups_anchorreceipt": "SELECT, INSERT",
    "backups_sealerrefusal": "SELECT, INSERT, UPDATE",
    "backups_sealerheartbeat": "SELECT, INSERT, UPDATE",
}
# What else the sealer reads.
SEALER_READS = ("backups_ledgerevent",)

# Text and salt go together, once and for ever.
ERASABLE = ("backups_freetext",)

MAX_EVENT_BYTES = 60 * 1024
MAX_CLOCK_DISTANCE_SECONDS = 60

_REFUSE_CHANGE = """
CREATE FUNCTION ccops_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % refused: its rows are never changed or removed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

_SET_ONCE = """
CREATE FUNCTION ccops_set_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    name text;
BEGIN
    IF before - TG_ARGV <> after - TG_ARGV THEN
        RAISE EXCEPTION 'UPDATE on % refused: only % may be set', TG_TABLE_NAME, array_to_string(TG_ARGV, ', ')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH name IN ARRAY TG_ARGV LOOP
        IF before -> name <> after -> name AND before ->> name IS NOT NULL THEN
            RAISE EXCEPTION 'UPDATE on % refused: % has its value already', TG_TABLE_NAME, name
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
"""

_ERASE_ONLY = """
CREATE FUNCTION ccops_erase_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL OR NEW.text <> '' OR NEW.salt <> ''
       OR NEW.event_id <> OLD.event_id THEN
        RAISE EXCEPTION 'UPDATE on % refused: a text can only be erased, with its salt', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
"""

# Not ALWAYS: a replica applies old events, and only a superuser can pretend to be one.
_PRESENT_TIME = f"""
CREATE FUNCTION ccops_event_is_of_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF abs(extract(epoch FROM clock_timestamp() - NEW.recorded_at)) > {MAX_CLOCK_DISTANCE_SECONDS} THEN
        RAISE EXCEPTION 'An event must be recorded with the time of its recording'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_is_of_now AFTER INSERT ON backups_ledgerevent
    FOR EACH ROW EXECUTE FUNCTION ccops_event_is_of_now();
"""

_EVENT_SHAPE = f"""
ALTER TABLE backups_ledgerevent
    ADD CONSTRAINT event_id_is_in_its_bytes CHECK (coalesce(members ->> 'id' = id::text, false)),
    ADD CONSTRAINT event_has_a_known_form CHECK (coalesce(members ->> 'v' = 'ccops.audit/1', false)),
    ADD CONSTRAINT event_fits_one_entry CHECK (octet_length(body) <= {MAX_EVENT_BYTES}),
    ADD CONSTRAINT event_says_what_who_and_how CHECK (
        type <> '' AND actor_ref <> '' AND actor_kind <> '' AND target_kind <> '' AND outcome <> '' AND world <> ''
    );
"""

# SECURITY DEFINER: whoever changes a group membership has no right to write the history of it. The search path is
# fixed with pg_temp at its end, or a temporary table named auth_group would be read in the place of the real one.
_ROLE_HISTORY = """
CREATE FUNCTION ccops_sync_roles(person integer) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER AS $$
BEGIN
    UPDATE backups_rolemembership held SET until = clock_timestamp()
     WHERE held.until IS NULL AND (person IS NULL OR held.user_id = person)
       AND NOT EXISTS (SELECT FROM auth_user_groups belongs JOIN auth_group named ON named.id = belongs.group_id
                        WHERE belongs.user_id = held.user_id AND named.name = initcap(held.role));
    INSERT INTO backups_rolemembership (user_id, role, since, database_user)
    SELECT DISTINCT belongs.user_id, lower(named.name), clock_timestamp(), session_user::text
      FROM auth_user_groups belongs JOIN auth_group named ON named.id = belongs.group_id
     WHERE named.name IN ('Engineer', 'Manager', 'Auditor', 'Administrator')
       AND (person IS NULL OR belongs.user_id = person)
        ON CONFLICT (user_id, role) WHERE until IS NULL DO NOTHING;
END $$;
REVOKE ALL ON FUNCTION ccops_sync_roles(integer) FROM PUBLIC;

CREATE FUNCTION ccops_membership_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' OR TG_TABLE_NAME = 'auth_group' THEN
        PERFORM ccops_sync_roles(NULL);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM ccops_sync_roles(OLD.user_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM ccops_sync_roles(NEW.user_id);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION ccops_membership_changed() FROM PUBLIC;

DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION ccops_sync_roles(integer) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION ccops_membership_changed() SET search_path = %I, pg_temp', current_schema());
END $$;

CREATE TRIGGER role_history AFTER INSERT OR UPDATE OR DELETE ON auth_user_groups
    FOR EACH ROW EXECUTE FUNCTION ccops_membership_changed();
CREATE TRIGGER role_history_emptied AFTER TRUNCATE ON auth_user_groups
    FOR EACH STATEMENT EXECUTE FUNCTION ccops_membership_changed();
CREATE TRIGGER role_history_renamed AFTER INSERT OR UPDATE OR DELETE ON auth_group
    FOR EACH STATEMENT EXECUTE FUNCTION ccops_membership_changed();
ALTER TABLE auth_user_groups ENABLE ALWAYS TRIGGER role_history;
ALTER TABLE auth_user_groups ENABLE ALWAYS TRIGGER role_history_emptied;
ALTER TABLE auth_group ENABLE ALWAYS TRIGGER role_history_renamed;
"""

# A column of the row says who ran the drill; this holds it against the drill itself and its participants.
SIGN_OFF_BY_ANOTHER = """
CREATE FUNCTION ccops_sign_off_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    drill record;
BEGIN
    SELECT state, asked_by_id INTO drill FROM backups_drill WHERE id = NEW.drill_id;
    IF drill.state <> 'ended' THEN
        RAISE EXCEPTION 'A drill is signed off once it has ended' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.ran_by_id IS DISTINCT FROM drill.asked_by_id
       OR EXISTS (SELECT FROM backups_drillparticipant took_part
                   WHERE took_part.drill_id = NEW.drill_id AND took_part.ran_it
                     AND took_part.person_id = NEW.signed_by_id) THEN
        RAISE EXCEPTION 'A drill is signed off by somebody who did not run it' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sign_off_by_another BEFORE INSERT ON backups_drillsignoff
    FOR EACH ROW EXECUTE FUNCTION ccops_sign_off_by_another();
ALTER TABLE backups_drillsignoff ENABLE ALWAYS TRIGGER sign_off_by_another;
"""

# A corrective action may get another owner or date while it is open. Done is done, and none disappears.
ACTION_DONE_IS_DONE = """
CREATE FUNCTION ccops_action_done_is_done() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.done_at IS NOT NULL THEN
        RAISE EXCEPTION 'UPDATE on % refused: the action is done', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER action_done_is_done BEFORE UPDATE ON backups_correctiveaction
    FOR EACH ROW EXECUTE FUNCTION ccops_action_done_is_done();
ALTER TABLE backups_correctiveaction ENABLE ALWAYS TRIGGER action_done_is_done;
CREATE TRIGGER never_removed BEFORE DELETE ON backups_correctiveaction
    FOR EACH ROW EXECUTE FUNCTION ccops_refuse_change();
ALTER TABLE backups_correctiveaction ENABLE ALWAYS TRIGGER never_removed;
"""

# An act may be waiting for the seal of these; the others are sealed at the sealer's next round.
SEALED_AT_ONCE = ("request.voted", "request.approved", "request.started", "request.vote_taken_back")
SEAL_CHANNEL = "ccops_seal"

SEALING = f"""
ALTER TABLE backups_ledgerleaf ADD CONSTRAINT ledger_leaf_is_a_hash CHECK (octet_length(hash) = 32);
ALTER TABLE backups_ledgernode ADD CONSTRAINT ledger_node_is_a_hash CHECK (octet_length(hash) = 32);
ALTER TABLE backups_ledgercheckpoint ADD CONSTRAINT ledger_checkpoint_root_is_a_hash CHECK (octet_length(root) = 32);

CREATE FUNCTION ccops_wake_sealer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{SEAL_CHANNEL}', '');
    RETURN NULL;
END $$;
CREATE TRIGGER wake_sealer AFTER INSERT ON backups_ledgerevent
    FOR EACH ROW WHEN (NEW.type IN ({", ".join(f"'{code}'" for code in SEALED_AT_ONCE)}))
    EXECUTE FUNCTION ccops_wake_sealer();
"""


def statements() -> Iterator[str]:
    """Everything, in an order in which it can be run on the tables of the first migration."""
    yield from (_REFUSE_CHANGE, _SET_ONCE, _ERASE_ONLY, event_columns.EVENT_COLUMNS, _PRESENT_TIME)
    yield _EVENT_SHAPE
    for table in APPEND_ONLY:
        yield append_only(table)
    for table, columns in SET_ONCE.items():
        if table not in LATER:
            yield set_once(table, columns)
    for table in ERASABLE:
        yield erase_only(table)
    yield _ROLE_HISTORY
    yield from (SIGN_OFF_BY_ANOTHER, ACTION_DONE_IS_DONE, SEALING)
    yield from (drill_rules.DRILL_IS_OVER, log_review_rules.LOG_REVIEWS, log_review_rules.GOVERNANCE)


def guards() -> Iterator[tuple[str, str]]:
    """(table, trigger) of every trigger that must be there and ALWAYS enabled."""
    for table in APPEND_ONLY:
        yield from ((table, "never_changed"), (table, "never_emptied"))
    for table in (*SET_ONCE, *ERASABLE):
        yield from ((table, "never_changed"), (table, "never_emptied"))
    yield from ((table, "set_once") for table in SET_ONCE)
    yield from ((table, "erase_only") for table in ERASABLE)
    yield from (("auth_user_groups", "role_history"), ("auth_user_groups", "role_history_emptied"))
    yield ("auth_group", "role_history_renamed")
    yield ("backups_drillsignoff", "sign_off_by_another")
    yield from (("backups_correctiveaction", "action_done_is_done"), ("backups_correctiveaction", "never_removed"))
    yield from event_columns.GUARDS
    yield from drill_rules.GUARDS
    yield from log_review_rules.GUARDS
    yield from erasing_rules.GUARDS


def append_only(table: str) -> str:
    """Refuses UPDATE, DELETE and TRUNCATE."""
    return _guard(table, "BEFORE UPDATE OR DELETE", "ccops_refuse_change()") + _never_emptied(table)


def set_once(table: str, columns: tuple[str, ...]) -> str:
    """Refuses DELETE, TRUNCATE and every UPDATE but the first that fills one of the columns."""
    arguments = ", ".join(f"'{column}'" for column in columns)
    return (
        _guard(table, "BEFORE UPDATE", f"ccops_set_once({arguments})", name="set_once")
        + _guard(table, "BEFORE DELETE", "ccops_refuse_change()")
        + _never_emptied(table)
    )


def erase_only(table: str) -> str:
    """Refuses DELETE, TRUNCATE and every UPDATE but the erasure of text and salt."""
    return (
        _guard(table, "BEFORE UPDATE", "ccops_erase_only()", name="erase_only")
        + _guard(table, "BEFORE DELETE", "ccops_refuse_change()")
        + _never_emptied(table)
    )


def _guard(table: str, when: str, function: str, *, name: str = "never_changed") -> str:
    return (
        f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {function};\n"
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};\n"
    )


def _never_emptied(table: str) -> str:
    return (
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ccops_refuse_change();\n"
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER never_emptied;\n"
    )
