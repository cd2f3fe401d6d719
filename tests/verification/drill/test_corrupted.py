"""Each way in which a copy can be wrong fails the check that is there for it, with its own reason."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import pytest

from backups.domain.execution import CheckOutcome
from backups.verification import Dsn
from backups.verification.drill import CheckPack, PlannedCheck, run_check
from tests.verification.drill.databases import Sides, execute

REPLICA = "SET session_replication_role = replica"


def behind_the_index(index: str, statement: str) -> tuple[str, ...]:
    """Writes rows that an index never hears of, as after a lost page."""
    switch = "UPDATE pg_index SET indisready = {0}, indislive = {0} WHERE indexrelid = '{1}'::regclass"
    return switch.format("false", index), statement, switch.format("true", index)


@dataclass(frozen=True)
class Damage:
    """What is done to the copy, which check must fail by it, and what its sentence must say."""

    code: str
    says: str
    statements: tuple[str, ...]
    subject: str = ""
    at_source: tuple[str, ...] = ()


DAMAGES = {
    "table missing": Damage("tables_present", "Missing on the copy: public.tags", ("DROP TABLE tags",)),
    "required table missing": Damage("required_tables", "Missing: public.tags", ("DROP TABLE tags",)),
    "table of the plan gone": Damage(
        "row_counts", "The table is missing on the copy", ("DROP TABLE tags",), "public.tags"
    ),
    "column missing": Damage(
        "columns_present",
        "Missing or of another type on the copy: public.doses.note, public.families.name",
        ("ALTER TABLE doses DROP COLUMN note", "ALTER TABLE families ALTER COLUMN name TYPE varchar(80)"),
    ),
    "rows missing": Damage(
        "row_counts",
        "480 rows on the copy, but there were 500 or more",
        ("DELETE FROM doses WHERE id > 480",),
        "public.doses",
    ),
    "all rows missing": Damage("row_counts", "0 rows on the copy", ("TRUNCATE tags",), "public.tags"),
    "a row changed": Damage(
        "fingerprint", "1 row of the source", ("UPDATE doses SET amount = amount + 1 WHERE id = 7",), "public.doses"
    ),
    "a row without a key doubled": Damage(
        "row_counts", "29 rows on the copy", ("DELETE FROM tags WHERE ctid = '(0,1)'",), "public.tags"
    ),
    "two rows exchange a value": Damage(
        "fingerprint",
        "2 rows of the source from before the point missing or different",
        ("UPDATE doses SET note = 'n' || (CASE id WHEN 7 THEN 8 ELSE 7 END) WHERE id IN (7, 8)",),
        "public.doses",
    ),
    "json changed": Damage(
        "fingerprint", "1 row of the source", ("UPDATE doses SET facts = '{\"i\": 0}' WHERE id = 9",), "public.doses"
    ),
    "recovered to a later time": Damage(
        "point_time",
        "a row from 300.0 s after the point: it was recovered to a later time",
        ("INSERT INTO doses (family_id, amount, created_at) VALUES (1, 1, '2026-03-01 12:05Z')",),
    ),
    "newest row from after the point": Damage(
        "newest_row",
        "The newest row is from 300.0 s after the point",
        ("INSERT INTO doses (family_id, amount, created_at) VALUES (1, 1, '2026-03-01 12:05Z')",),
    ),
    "recovered to an earlier time": Damage(
        "point_time",
        "recovered to an earlier time",
        (),
        at_source=("INSERT INTO doses (family_id, amount, created_at) VALUES (1, 1, '2026-03-01 11:55Z')",),
    ),
    "rows of the last minutes missing": Damage(
        "row_counts",
        "1 missing",
        (),
        "public.doses",
        ("INSERT INTO doses (family_id, amount, created_at) VALUES (1, 1, '2026-03-01 11:55Z')",),
    ),
    "constraint never validated": Damage(
        "constraints_validated",
        "1 constraint never validated: public.doses.small",
        ("ALTER TABLE doses ADD CONSTRAINT small CHECK (amount < 100) NOT VALID",),
    ),
    "check constraint broken": Damage(
        "constraints_hold",
        "1 row or more against the rule: public.doses.doses_amount_check",
        (
            "ALTER TABLE doses DROP CONSTRAINT doses_amount_check",
            "UPDATE doses SET amount = 0 WHERE id = 3",
            "ALTER TABLE doses ADD CONSTRAINT doses_amount_check CHECK (amount > 0) NOT VALID",
            "UPDATE pg_constraint SET convalidated = true WHERE conname = 'doses_amount_check'",
        ),
    ),
    "unique constraint broken": Damage(
        "constraints_hold",
        "public.families.families_name_key",
        behind_the_index("families_name_key", "INSERT INTO families (name) VALUES ('family 1')"),
    ),
    "empty where none may be": Damage(
        "not_null",
        "1 row with an empty value where none may be: public.families",
        (
            "UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'families'::regclass AND attname = 'name'",
            "UPDATE families SET name = NULL WHERE id = 3",
            "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'families'::regclass AND attname = 'name'",
        ),
    ),
    "foreign key that does not hold": Damage(
        "foreign_keys",
        "25 rows or more without its parent: public.doses.doses_family_id_fkey",
        (REPLICA, "DELETE FROM families WHERE id = 3"),
    ),
    "foreign key never validated that does not hold": Damage(
        "foreign_keys",
        "30 rows or more without its parent: public.tags.tags_of_families",
        ("ALTER TABLE tags ADD CONSTRAINT tags_of_families FOREIGN KEY (name) REFERENCES families (name) NOT VALID",),
    ),
    "sequence behind": Damage(
        "sequences", "Behind the ids of its table: public.doses_id_seq", ("SELECT setval('doses_id_seq', 10)",)
    ),
    "index invalid": Damage(
        "indexes_valid",
        "1 invalid index: public.doses_by_family",
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'doses_by_family'::regclass",),
    ),
    "index broken": Damage(
        "indexes_sound",
        "Does not agree with its table: public.doses_by_family",
        behind_the_index("doses_by_family", "INSERT INTO doses (family_id, amount, created_at) VALUES (1, 1, now())"),
    ),
    "migration missing": Damage(
        "migration_head",
        "The newest migration is care.0003, at the point it was care.0004",
        ("DELETE FROM django_migrations WHERE id = 4",),
    ),
    "trigger switched off": Damage(
        "definitions",
        "Missing or other on the copy: trigger public.doses.stamped",
        ("ALTER TABLE doses DISABLE TRIGGER stamped",),
    ),
    "function of another text": Damage(
        "definitions",
        "Missing or other on the copy: function public.stamp()",
        ("CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",),
    ),
    "view, policy and index missing": Damage(
        "definitions",
        "index public.doses_by_note, policy public.django_migrations.applied_ones, view public.given",
        ("DROP VIEW given", "DROP POLICY applied_ones ON django_migrations", "DROP INDEX doses_by_note"),
    ),
    "row security switched off": Damage(
        "definitions",
        "row security of public.django_migrations",
        ("ALTER TABLE django_migrations DISABLE ROW LEVEL SECURITY",),
    ),
    "extension missing": Damage("extensions", "Not on the copy: pg_trgm", ("DROP EXTENSION pg_trgm",)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_fails_its_check(request: pytest.FixtureRequest, damage: Damage) -> None:
    sides: Sides = request.getfixturevalue("sides" if damage.at_source else "other_copy")
    sides.pack = CheckPack(required_tables=("tags",))
    sides.on_copy(*damage.statements)
    sides.at_source(*damage.at_source)
    verdict = sides.run(damage.code, damage.subject)
    assert (verdict.outcome, damage.says in verdict.sentence) == (CheckOutcome.FAILED, True), verdict.sentence


def test_missing_rows_within_the_stated_tolerance_pass(other_copy: Sides) -> None:
    other_copy.pack = CheckPack(row_tolerance_share=0.01)
    other_copy.on_copy("DELETE FROM doses WHERE id > 495")
    verdict = other_copy.run("row_counts", "public.doses")
    assert verdict.outcome is CheckOutcome.PASSED
    assert (verdict.figures["missing"], verdict.figures["tolerance_rows"]) == (5, 5)
    assert "5 missing, 5 allowed" in verdict.sentence
    other_copy.on_copy("DELETE FROM doses WHERE id > 494")
    assert other_copy.run("row_counts", "public.doses").outcome is CheckOutcome.FAILED


@pytest.mark.parametrize("is_broken", [False, True])
def test_without_amcheck_rows_are_counted_by_each_index(other_copy: Sides, is_broken: bool) -> None:
    if is_broken:
        other_copy.on_copy(
            *behind_the_index(
                "doses_by_note", "INSERT INTO doses (family_id, amount, note, created_at) VALUES (1, 3, 'X', now())"
            )
        )
    other_copy.changes["copy"] = reader_of_copy(other_copy)
    verdict = other_copy.run("indexes_sound")
    assert verdict.figures["checked_by"] == {"counting": 7}
    assert verdict.figures["not_checked"] == ["public.visits_by_words"]
    assert verdict.figures["broken"] == (["public.doses_by_note"] if is_broken else [])
    assert verdict.outcome is (CheckOutcome.FAILED if is_broken else CheckOutcome.PASSED)


def reader_of_copy(sides: Sides) -> Dsn:
    """As at Neon: a role that is no superuser."""
    execute(
        sides.server.url("postgres"),
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN PASSWORD 'synthetic' IN ROLE pg_read_all_data",
    )
    place = sides.server.url(sides.copy).rpartition("@")[2]
    return Dsn(f"postgresql://reader:synthetic@{place}")


def test_what_is_broken_at_the_source_too_is_for_a_person_to_judge(sides: Sides) -> None:
    loose = "ALTER TABLE tags ADD CONSTRAINT loose FOREIGN KEY (name) REFERENCES families (name) NOT VALID"
    sides.on_copy(loose)
    sides.at_source(loose)
    keys, validated = sides.run("foreign_keys"), sides.run("constraints_validated")
    assert {keys.outcome, validated.outcome} == {CheckOutcome.INCONCLUSIVE}
    assert "broken at the source as well" in keys.sentence
    assert "so at the source as well" in validated.sentence


@pytest.mark.parametrize("code", ["row_counts", "fingerprint"])
def test_a_check_that_times_out_is_inconclusive(sides: Sides, code: str) -> None:
    target = sides.target()
    first = PlannedCheck("copy_read", "", "carecircle", "", True)
    target = target.learn("copy_read", run_check(first, target).figures)
    planned = PlannedCheck(code, "", "carecircle", "public.tags", True)
    with psycopg.connect(sides.server.url(sides.copy)) as other:
        other.execute("LOCK TABLE tags")
        begun = run_check(planned, target, budget_seconds=0.2)
        assert not begun.has_ended
        ended = begun
        while not ended.has_ended:
            ended = run_check(planned, target, budget_seconds=0.2, cursor=ended.cursor)
    assert ended.outcome is CheckOutcome.INCONCLUSIVE
    assert "time allowed" in ended.sentence


@pytest.mark.parametrize(
    ("change", "says"),
    [({"source": None}, "there is no source to compare with"),
     ({"source": Dsn("postgresql://somebody:secret@127.0.0.1:1/none")}, "the source did not answer")],
)  # fmt: skip
@pytest.mark.parametrize("code", ["tables_present", "row_counts", "fingerprint", "migration_head", "roles"])
def test_without_a_source_nothing_is_compared(shared: Sides, code: str, change: dict, says: str) -> None:
    target = Sides(shared.server, shared.source, shared.copy, changes=change)
    verdict = target.run(code, "public.tags" if code in ("row_counts", "fingerprint") else "")
    assert verdict.outcome is CheckOutcome.INCONCLUSIVE
    assert says in verdict.sentence
    assert "secret" not in verdict.sentence


def test_a_copy_that_does_not_answer_fails_the_check_of_the_connection(shared: Sides) -> None:
    target = Sides(shared.server, shared.source, "no_such_database").target()
    verdict = run_check(PlannedCheck("connection", "", "carecircle", "", True), target)
    assert verdict.outcome is CheckOutcome.FAILED
    assert "Nothing was changed" in verdict.sentence
