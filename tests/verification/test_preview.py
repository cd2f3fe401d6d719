"""The loss preview against what really happened to the rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from backups.verification import CountedBy, Dsn, LossPreview, OutOfTime, Unknown, compare_point_with_now
from tests.verification.timeline import Node, Timeline


class Pairing:
    """A copy at a point, and main after known changes."""

    def __init__(self, timeline: Timeline) -> None:
        self.point = timeline.now()
        self.copy: Node = timeline.copy_at(self.point)
        self.copy.is_kept = True
        self.main = timeline.main

    def preview(self, **options) -> LossPreview:
        return compare_point_with_now(Dsn(self.copy.dsn), Dsn(self.main.dsn), point_at=self.point, **options)


@pytest.fixture(scope="module")
def changed(new_timeline: Callable[..., Timeline]) -> Pairing:
    pairing = Pairing(new_timeline())
    for statement in (
        "DELETE FROM medication_logs WHERE id % 10 = 1",
        "UPDATE users SET display_name = 'Other Person' WHERE id <= 7",
        "UPDATE users SET display_name = 'Other Person again' WHERE id <= 3",
        "INSERT INTO appointments (care_recipient_id, title, starts_at)"
        " SELECT 1, 'x', now() FROM generate_series(1, 5)",
        "INSERT INTO measurements VALUES (1, 1), (2, 2)",
        "DELETE FROM measurements WHERE recipient = 9",
        "DROP TABLE care_team",
        "CREATE TABLE audit_notes AS SELECT i FROM generate_series(1, 4) i",
        "ALTER TABLE documents ADD COLUMN pages int, DROP COLUMN body",
        "DELETE FROM documents WHERE id IN (SELECT id FROM documents LIMIT 2)",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('care', '0005_pages', now())",
    ):
        pairing.main.execute(statement)
    return pairing


def test_losses_are_exact_for_every_kind_of_change(changed: Pairing) -> None:
    losses = {loss.table: loss for loss in changed.preview().tables}
    found = {
        name: (loss.rows_lost, loss.rows_reverted, loss.rows_back)
        for name, loss in losses.items()
        if (loss.rows_lost, loss.rows_reverted, loss.rows_back) != (0, 0, 0)
    }
    deleted_logs = changed.copy.execute("SELECT count(*) FROM medication_logs WHERE id % 10 = 1")[0][0]
    deleted_told = changed.copy.execute("SELECT count(*) FROM notifications WHERE medication_log_id % 10 = 1")[0][0]
    assert found == {
        "public.medication_logs": (0, 0, deleted_logs),
        "public.notifications": (0, 0, deleted_told),
        "public.users": (0, 7, 0),
        "public.appointments": (5, 0, 0),
        "public.measurements": (2, 0, 1),
        "public.care_team": (0, 0, 200),
        "public.audit_notes": (4, 0, 0),
        "public.documents": (0, 0, 2),
        "public.django_migrations": (1, 0, 0),
    }
    assert losses["public.documents"].counted_by is CountedBy.KEYS
    assert losses["public.care_team"].rows_now is None
    assert losses["public.audit_notes"].rows_at_point is None


def test_structure_on_one_side_only(changed: Pairing) -> None:
    preview = changed.preview()
    assert preview.tables_only_at_point == ("public.care_team",)
    assert preview.tables_only_now == ("public.audit_notes",)
    assert preview.columns_only_at_point == ("public.documents.body",)
    assert preview.columns_only_now == ("public.documents.pages",)
    assert (preview.migration_head_at_point, preview.migration_head_now) == ("care.0004_updated_at", "care.0005_pages")


def test_preview_survives_json(changed: Pairing) -> None:
    preview = changed.preview()
    assert LossPreview.from_json(json.loads(json.dumps(preview.to_json()))) == preview


@pytest.mark.usefixtures("questions_cost_a_second")
def test_too_little_time_leaves_unknown_and_further_calls_complete_it(changed: Pairing) -> None:
    whole, preview, calls = changed.preview(budget_seconds=1000, table_budget_seconds=20), None, 0
    while preview is None or preview.unfinished:
        preview = changed.preview(budget_seconds=16, table_budget_seconds=20, previous=preview)
        calls += 1
    assert preview == whole
    assert calls > 2


def test_table_that_is_too_slow_is_unknown_but_for_rows_that_carry_a_time(
    changed: Pairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(*_):
        raise OutOfTime

    monkeypatch.setattr("backups.verification.preview.compare_slice", too_slow)
    losses = {loss.table: loss for loss in changed.preview().tables}
    assert losses["public.appointments"].rows_lost == 5
    assert losses["public.appointments"].counted_by is CountedBy.TIME_COLUMN
    assert isinstance(losses["public.appointments"].rows_back, Unknown)
    assert isinstance(losses["public.measurements"].rows_lost, Unknown)
    assert Counter(loss.counted_by for loss in losses.values())[CountedBy.PRESENCE] == 2
