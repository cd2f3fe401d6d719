"""Real data: a copy that is spoiled in each way gives a failed drill, each for its own reason; a sound one passes."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from backups.domain.restore import PointKind, RestorePoint
from backups.models import Canary, CheckResult, Drill
from backups.selectors.clock import database_now
from backups.services.canary import set_up_canary
from backups.services.canary_beat import beat_due_canaries, forget_addresses
from backups.services.drill.input import OwnCheck
from backups.services.execution import drill_begin, drill_target
from backups.verification import canary_verdict
from tests.factories import People
from tests.services.drill.rehearsing import begun, ended, left_behind, worked_until
from tests.services.execution.scene import Scene, opened_scene
from tests.support.database import OwnDatabase

SCHEMA = """
    CREATE TABLE patients (id serial PRIMARY KEY, code text UNIQUE NOT NULL,
                           created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE doses (id serial PRIMARY KEY, patient_id int NOT NULL CONSTRAINT doses_patient REFERENCES patients,
                        amount int CONSTRAINT amount_positive CHECK (amount > 0),
                        created_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX doses_by_patient ON doses (patient_id);
    INSERT INTO patients (code) SELECT 'p' || n FROM generate_series(1, 200) n;
    INSERT INTO doses (patient_id, amount) SELECT 1 + n % 200, 1 + n % 9 FROM generate_series(1, 2000) n;
"""


@dataclass(frozen=True)
class Spoiled:
    """What is done to the copy before it is checked, and what the drill must then say."""

    sql: str = ""
    code: str = "check_failed"
    outcome: str = "failed"
    reasons: frozenset[str] = frozenset()
    plan: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Drill], None] = lambda drill: None


SLOW = OwnCheck(
    title="Slow", statement="SELECT count(*) FROM generate_series(1, 300000000)", operator=">", expected="0"
)


def took_too_long(drill: Drill) -> None:
    Drill.objects.filter(pk=drill.pk).update(requested_at=database_now() - dt.timedelta(minutes=16))


WAYS: dict[str, Spoiled] = {
    "sound": Spoiled(code="passed", outcome="passed"),
    "table missing": Spoiled("DROP TABLE doses", reasons=frozenset({"tables_present"})),
    "rows missing": Spoiled("DELETE FROM doses WHERE id <= 10", reasons=frozenset({"row_counts"})),
    "invalid constraint": Spoiled(
        "ALTER TABLE doses DROP CONSTRAINT amount_positive;"
        "ALTER TABLE doses ADD CONSTRAINT amount_positive CHECK (amount > 0) NOT VALID",
        reasons=frozenset({"constraints_validated"}),
    ),
    "foreign key does not hold": Spoiled(
        "SET session_replication_role = replica; UPDATE doses SET patient_id = 999 WHERE id = 5",
        reasons=frozenset({"foreign_keys"}),
    ),
    "sequence behind": Spoiled("SELECT setval('doses_id_seq', 3)", reasons=frozenset({"sequences"})),
    "index broken": Spoiled(
        # A row that the index never hears of, as after a lost page.
        "UPDATE pg_index SET indisready = false, indislive = false WHERE indexrelid = 'doses_by_patient'::regclass;"
        "INSERT INTO doses (patient_id, amount) VALUES (1, 1);"
        "UPDATE pg_index SET indisready = true, indislive = true WHERE indexrelid = 'doses_by_patient'::regclass",
        reasons=frozenset({"indexes_sound"}),
    ),
    "check times out": Spoiled(
        code="check_inconclusive", outcome="inconclusive", reasons=frozenset(), plan={"own_checks": (SLOW,)}
    ),
    "rto missed": Spoiled(code="rto_missed", before=took_too_long),
}


@pytest.fixture
def real_scene(
    own_database: OwnDatabase, quick: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    settings.DRILL_POINT_MARGIN_SECONDS = 0.2
    monkeypatch.setattr(canary_verdict, "COMMIT_MARGIN", dt.timedelta(milliseconds=50))
    forget_addresses()
    with opened_scene(None, People(), storage="postgres") as scene:
        scene.branch.database_name, scene.branch.role_name = "", ""
        with psycopg.connect(scene.sandbox.dsn(), autocommit=True) as source:
            source.execute(SCHEMA)
        set_up_canary(actor=scene.people.bob.actor, branch_id=scene.branch.pk, every_seconds=5)
        assert beat_due_canaries() == 1
        yield scene
    forget_addresses()


def failing(drill: Drill) -> set[str]:
    return set(CheckResult.objects.filter(execution__drill=drill, outcome="failed").values_list("code", flat=True))


def spoiled_drill(scene: Scene, way: Spoiled) -> Drill:
    run = worked_until(begun(scene, point_choice="latest", rpo_objective_seconds=300, **way.plan), "verify")
    drill = Drill.objects.get(executions=run)
    if way.sql:
        with psycopg.connect(as_superuser(scene, run.memory["copy"]["branch_id"]), autocommit=True) as copy:
            for statement in way.sql.split(";"):
                copy.execute(statement.encode())
    way.before(drill)
    return ended(run)


#: The others are tried by `make soak`: each is a drill of its own on real data.
ALWAYS = ("sound", "rows missing", "sequence behind", "index broken", "rto missed")


@pytest.mark.parametrize("names", [ALWAYS, pytest.param(tuple(WAYS), marks=pytest.mark.soak)], ids=["some", "all"])
def test_each_way_to_be_wrong_is_found_for_its_own_reason(
    real_scene: Scene, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    own_check = drill_target._own_check
    monkeypatch.setattr(drill_target, "_own_check", lambda *facts: replace(own_check(*facts), timeout_seconds=0.3))
    wait_past_the_margin()
    for name in names:
        way = WAYS[name]
        drill = spoiled_drill(real_scene, way)
        said = (name, drill.outcome_sentence, results_of(drill))
        assert (drill.outcome, drill.outcome_code) == (way.outcome, way.code), said
        assert way.reasons <= failing(drill), said
    assert left_behind(real_scene) == set()
    real_scene.assert_invariants()


def test_a_copy_of_another_time_is_found_by_its_canary(real_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_past_the_margin()
    plan_of = drill_begin.copy_plan

    def later(drill: Drill) -> Any:
        return replace(plan_of(drill), point=RestorePoint(PointKind.TIMESTAMP, at=real_scene.moment()))

    run = worked_until(begun(real_scene, point_choice="latest"), "copy")
    beat_again()
    wait_past_the_margin()
    monkeypatch.setattr(drill_begin, "copy_plan", later)
    drill = ended(run)
    assert (drill.outcome, drill.outcome_code) == ("failed", "check_failed"), results_of(drill)
    assert "canary" in failing(drill)
    assert left_behind(real_scene) == set()


def as_superuser(scene: Scene, branch_id: str) -> str:
    """Who may break what PostgreSQL itself keeps whole; a drill has no such rights."""
    password = scene.sandbox.sandbox.plane.storage._superuser_password  # type: ignore[attr-defined]
    return make_conninfo(scene.sandbox.dsn(branch_id), user="cloud_admin", password=password)


def beat_again() -> None:
    Canary.objects.update(next_at=database_now())
    assert beat_due_canaries() == 1


def wait_past_the_margin() -> None:
    """What was written must lie before the latest point that a drill chooses."""
    time.sleep(0.3)


def results_of(drill: Drill) -> list[tuple[str, str, str | None, str]]:
    rows = CheckResult.objects.filter(execution__drill=drill).exclude(outcome="passed")
    return list(rows.values_list("code", "subject", "outcome", "sentence"))
