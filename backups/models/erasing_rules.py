"""What PostgreSQL enforces of erasures: words go only when two people agreed, and none of them is who wrote them."""

from __future__ import annotations

TABLE = "backups_texterasure"
#: Given once, after it was asked.
ANSWERS = ("agreed_by_id", "agreed_by_name", "agreed_at", "dropped_by_id", "dropped_by_name", "dropped_at")

ERASING = """
CREATE FUNCTION ccops_erasure_is_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.agreed_at IS NOT NULL OR NEW.dropped_at IS NOT NULL THEN
        RAISE EXCEPTION 'An erasure is asked for first' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER erasure_is_asked BEFORE INSERT ON backups_texterasure
    FOR EACH ROW EXECUTE FUNCTION ccops_erasure_is_asked();
ALTER TABLE backups_texterasure ENABLE ALWAYS TRIGGER erasure_is_asked;

CREATE FUNCTION ccops_erasure_by_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM backups_ledgerevent event
                WHERE event.id = NEW.words_id AND event.actor_ref = 'user:' || NEW.agreed_by_id) THEN
        RAISE EXCEPTION 'Nobody agrees to erase what he wrote himself' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER erasure_by_others BEFORE UPDATE ON backups_texterasure
    FOR EACH ROW WHEN (NEW.agreed_by_id IS NOT NULL) EXECUTE FUNCTION ccops_erasure_by_others();
ALTER TABLE backups_texterasure ENABLE ALWAYS TRIGGER erasure_by_others;

CREATE FUNCTION ccops_erasure_is_agreed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM backups_texterasure erasure
                    WHERE erasure.words_id = OLD.event_id AND erasure.agreed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'Words are erased when a second person has agreed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- Its name is behind that of erase_only, which speaks first of what is no erasure at all.
CREATE TRIGGER erasure_is_agreed BEFORE UPDATE ON backups_freetext
    FOR EACH ROW EXECUTE FUNCTION ccops_erasure_is_agreed();
ALTER TABLE backups_freetext ENABLE ALWAYS TRIGGER erasure_is_agreed;
"""

GUARDS = (
    (TABLE, "erasure_is_asked"),
    (TABLE, "erasure_by_others"),
    ("backups_freetext", "erasure_is_agreed"),
)
