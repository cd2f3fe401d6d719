"""What PostgreSQL enforces of drills: what a drill that is over has shown can't be made better afterwards."""

from __future__ import annotations

#: Columns that keep their value from the end of the drill on. Findings, actions and signatures are rows of their own.
KEPT = (
    "state",
    "outcome",
    "outcome_code",
    "seed",
    "point_at",
    "window_from",
    "window_to",
    "plan_facts",
    "verified_at",
    "rto_milliseconds",
    "rpo_milliseconds",
    "rpo_is_exact",
    "yielded_milliseconds",
    "rto_objective_seconds",
    "rpo_objective_seconds",
)

DRILL_IS_OVER = f"""
CREATE FUNCTION ccops_drill_is_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({", ".join(f"OLD.{column}" for column in KEPT)})
       IS DISTINCT FROM ({", ".join(f"NEW.{column}" for column in KEPT)}) THEN
        RAISE EXCEPTION 'UPDATE on % refused: the drill is over', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER drill_is_over BEFORE UPDATE ON backups_drill
    FOR EACH ROW WHEN (OLD.state IN ('ended', 'cancelled')) EXECUTE FUNCTION ccops_drill_is_over();
ALTER TABLE backups_drill ENABLE ALWAYS TRIGGER drill_is_over;
CREATE TRIGGER never_removed BEFORE DELETE ON backups_drill
    FOR EACH ROW EXECUTE FUNCTION ccops_refuse_change();
ALTER TABLE backups_drill ENABLE ALWAYS TRIGGER never_removed;
"""

GUARDS = (("backups_drill", "drill_is_over"), ("backups_drill", "never_removed"))
