"""What PostgreSQL enforces of log reviews and of the register: no gap, no second draw, nobody judges himself."""

from __future__ import annotations

LOG_REVIEWS = """
CREATE FUNCTION ccops_log_review_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest record;
BEGIN
    SELECT id, ends_at, signed_at INTO newest FROM backups_logreview ORDER BY ends_at DESC LIMIT 1;
    IF NEW.previous_id IS DISTINCT FROM newest.id THEN
        RAISE EXCEPTION 'A review of the log follows the newest one' USING ERRCODE = 'check_violation';
    END IF;
    IF newest.id IS NOT NULL AND (newest.signed_at IS NULL OR NEW.begins_at <> newest.ends_at) THEN
        RAISE EXCEPTION 'A review of the log begins where the newest one ends, once that one is signed'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.ends_at > clock_timestamp() THEN
        RAISE EXCEPTION 'A review of the log does not look into the future' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.signed_at IS NOT NULL THEN
        RAISE EXCEPTION 'A review of the log is signed after it was done' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER log_review_follows BEFORE INSERT ON backups_logreview
    FOR EACH ROW EXECUTE FUNCTION ccops_log_review_follows();
ALTER TABLE backups_logreview ENABLE ALWAYS TRIGGER log_review_follows;

CREATE FUNCTION ccops_log_mark_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    looked_at record;
BEGIN
    SELECT event.actor_ref, event.target_kind, event.target_id, review.signed_at INTO looked_at
      FROM backups_logreviewitem item
      JOIN backups_ledgerevent event ON event.id = item.event_id
      JOIN backups_logreview review ON review.id = item.review_id
     WHERE item.id = NEW.item_id;
    IF looked_at.signed_at IS NOT NULL THEN
        RAISE EXCEPTION 'The review is signed; it takes no more marks' USING ERRCODE = 'check_violation';
    END IF;
    IF looked_at.actor_ref = 'user:' || NEW.marked_by_id
       OR (looked_at.target_kind = 'account' AND looked_at.target_id = 'user:' || NEW.marked_by_id) THEN
        RAISE EXCEPTION 'Nobody marks an event that he caused, or that is about his own account'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER log_mark_by_another BEFORE INSERT ON backups_logreviewmark
    FOR EACH ROW EXECUTE FUNCTION ccops_log_mark_by_another();
ALTER TABLE backups_logreviewmark ENABLE ALWAYS TRIGGER log_mark_by_another;

CREATE FUNCTION ccops_log_review_is_done() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM backups_logreviewitem item
          LEFT JOIN LATERAL (SELECT mark, words_id FROM backups_logreviewmark given WHERE given.item_id = item.id
                              ORDER BY given.id DESC LIMIT 1) newest ON true
         WHERE item.review_id = NEW.id
           AND (newest.mark IS NULL OR (newest.mark = 'problem' AND newest.words_id IS NULL AND NOT EXISTS (
                SELECT FROM backups_correctiveaction action WHERE action.log_review_item_id = item.id)))
    ) THEN
        RAISE EXCEPTION 'A review is signed when every event is marked and every problem explained'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER log_review_is_done BEFORE UPDATE ON backups_logreview
    FOR EACH ROW WHEN (OLD.signed_at IS NULL AND NEW.signed_at IS NOT NULL)
    EXECUTE FUNCTION ccops_log_review_is_done();
ALTER TABLE backups_logreview ENABLE ALWAYS TRIGGER log_review_is_done;
"""

GUARDS = (
    ("backups_logreview", "log_review_follows"),
    ("backups_logreview", "log_review_is_done"),
    ("backups_logreviewmark", "log_mark_by_another"),
    ("backups_governanceversion", "governance_is_proposed"),
)

# Nobody writes a version that is agreed on from its beginning.
GOVERNANCE = """
CREATE FUNCTION ccops_governance_is_proposed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.agreed_at IS NOT NULL OR NEW.dropped_at IS NOT NULL THEN
        RAISE EXCEPTION 'A version of the register is proposed first' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER governance_is_proposed BEFORE INSERT ON backups_governanceversion
    FOR EACH ROW EXECUTE FUNCTION ccops_governance_is_proposed();
ALTER TABLE backups_governanceversion ENABLE ALWAYS TRIGGER governance_is_proposed;
"""
