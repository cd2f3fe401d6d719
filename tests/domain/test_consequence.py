from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from backups.domain import consequence
from backups.domain.packet import BoundFacts, ObservedFacts, TableFacts, nothing_observed

AS_OF = "2026-11-22T02:22:00.000Z"


def bound(**changes: object) -> BoundFacts:
    facts: dict[str, object] = {
        "request": "R-0142",
        "revision": 1,
        "project_id": "calm-sea-12345678",
        "branch_id": "br-main-tree-11111111",
        "branch_name": "main",
        "source_branch_id": "br-main-tree-11111111",
        "kind": "in_place",
        "point_kind": "timestamp",
        "point": "2026-11-22T01:31:59.000Z",
        "preserve_name": "main_before_R-0142",
        "databases": ("analytics", "carecircle"),
        "children": (),
        "environment": "production",
        "policy_version": 1,
        "votes_needed": 2,
    }
    return BoundFacts(**(facts | changes))  # type: ignore[arg-type]


def table(name: str, **changes: object) -> TableFacts:
    row: TableFacts = {
        "database": "carecircle",
        "table": name,
        "at_point": 10,
        "now": 10,
        "lost_at_least": 0,
        "back_at_least": 0,
        "changed_at_least": 0,
        "counted_by": "rows",
        "unknown": None,
        "meaning": "",
        "patient_safety": False,
    }
    row.update(changes)  # type: ignore[typeddict-item]
    return row


def observed(*tables: TableFacts) -> ObservedFacts:
    return nothing_observed(AS_OF) | {"tables": list(tables), "sessions": {"count": 38, "by_application": {}}}


SNAPSHOT = {
    "kind": "snapshot",
    "point_kind": "snapshot",
    "point": "snap-calm-1",
    "snapshot_name": "nightly",
    "snapshot_at": "2026-11-21T02:00:00.000Z",
    "snapshot_mode": "preview_first",
}


def test_a_restore_from_a_snapshot_says_from_which_and_what_it_costs() -> None:
    sentence = said(observed(table("public.doses", lost_at_least=37)), **SNAPSHOT, children=("dev (br-2)",))
    assert sentence.startswith(
        "Replaces everything on carecircle-prod / main (databases analytics, carecircle) with what the snapshot "
        "nightly holds, taken 21 Nov 2026 02:00:00 UTC, 1 d ago."
    )
    assert "Discards at least 37 rows written since, in 1 table." in sentence
    assert "kept as main_before_R-0142, without a compute. 1 child branch stays with it." in sentence
    assert sentence.endswith(consequence.SHRINKS)
    assert "so that it can be undone" not in sentence


def test_what_a_restore_from_a_snapshot_loses_is_never_nothing_when_it_is_unknown() -> None:
    assert "How many rows written since are discarded is unknown" in said(nothing_observed(AS_OF), **SNAPSHOT)


def test_facts_of_snapshots_change_the_digest_of_nothing_else() -> None:
    """Requests that wait for votes while the portal is brought up to date keep them."""
    assert not {"snapshot_name", "snapshot_at", "snapshot_mode"} & bound().to_json().keys()
    assert bound(**SNAPSHOT).digest() != bound(**SNAPSHOT | {"snapshot_mode": "one_step"}).digest()
    assert bound(**SNAPSHOT).digest() != bound(**SNAPSHOT | {"snapshot_at": "2026-11-21T03:00:00.000Z"}).digest()


def said(facts: ObservedFacts, **changes: object) -> str:
    return consequence.consequence_sentence(bound=bound(**changes), observed=facts, project_name="carecircle-prod")


def test_it_says_what_when_and_how_much_in_one_statement() -> None:
    facts = observed(
        table("public.medications", lost_at_least=6, back_at_least=18_210),
        table("public.medication_logs", lost_at_least=37, changed_at_least=2),
        table("public.users"),
    )
    assert said(facts, children=("staging (br-a)", "pr-311 (br-b)")) == (
        "Replaces everything on carecircle-prod / main (databases analytics, carecircle) with its state at "
        "22 Nov 2026 01:31:59 UTC, 50 min ago. Discards at least 43 rows written since, in 2 tables. "
        "Takes back changes to at least 2 rows, in 1 table. "
        "Brings back at least 18,210 rows that are gone now, in 1 table. Cuts 38 open sessions for seconds. "
        "Moves 2 child branches under the preserved branch. "
        "The state just before is kept as main_before_R-0142, so that it can be undone."
    )


def test_it_says_that_a_copy_changes_nothing() -> None:
    text = said(observed(table("public.medications", back_at_least=1)), kind="new_branch")
    assert "main itself is not changed" in text
    assert "The copy holds at least 1 row that is gone now" in text
    assert "Cuts" not in text


def test_it_names_the_preserved_branch_that_an_undo_brings_back() -> None:
    text = consequence.consequence_sentence(
        bound=bound(kind="undo", point_kind="head", point="head", source_branch_id="br-old"),
        observed=observed(table("public.users", lost_at_least=14)),
        project_name="carecircle-prod",
        source_name="main_before_R-0142",
    )
    assert text.startswith("Undoes a restore: replaces everything on carecircle-prod / main")
    assert "what is kept in main_before_R-0142" in text
    assert "Discards at least 14 rows" in text


def test_it_counts_what_could_not_be_counted() -> None:
    facts = observed(
        table("public.users", lost_at_least=5),
        table("public.documents", lost_at_least=None, back_at_least=None, changed_at_least=None, unknown="too slow"),
    )
    assert "Discards at least 5 rows written since, in 1 table; 1 table could not be counted." in said(facts)


def test_it_says_why_nothing_is_known() -> None:
    facts = nothing_observed(AS_OF)
    facts["unknown"] = [{"what": "tables at the point", "why": "the copy was not ready after 20 s"}]
    text = said(facts)
    assert "How many rows written since are discarded is unknown: the copy was not ready after 20 s." in text
    assert "how many there are is unknown" in text
    assert [line.is_unknown for line in consequence.lost_lines(facts)] == [True]


def test_lines_carry_meaning_safety_and_reason() -> None:
    facts = observed(
        table("public.medication_logs", lost_at_least=37, meaning="doses given", patient_safety=True),
        table("public.documents", lost_at_least=None, unknown="it was locked"),
    )
    first, second = consequence.lost_lines(facts)
    assert (first.text, first.patient_safety) == ("37 doses given (public.medication_logs)", True)
    assert (second.text, second.is_unknown) == ("public.documents: unknown, it was locked", True)


def test_schema_lines_say_what_vanishes_and_that_the_release_must_fit() -> None:
    facts = observed(table("public.users"))
    facts["schema"]["tables_only_now"] = ["carecircle/public.audit"]
    facts["schema"]["columns_only_now"] = ["carecircle/public.users.a", "carecircle/public.users.b"]
    facts["migration_head"] = {"then": "care.0041", "now": "care.0042"}
    texts = [line.text for line in consequence.schema_lines(facts)]
    assert texts[0].startswith("1 table and 2 columns exist now and will vanish: carecircle/public.audit")
    assert (
        texts[1] == "The newest migration goes from care.0042 back to care.0041: the application's release must fit it"
    )


def test_spans_have_at_most_two_units() -> None:
    assert [consequence.span(s) for s in (0, 59, 3_000, 11_100, 90_000)] == [
        "0 s",
        "59 s",
        "50 min",
        "3 h 5 min",
        "1 d 1 h",
    ]


maybe_count = st.none() | st.integers(min_value=0, max_value=50)
rows = st.builds(
    lambda name, lost, back, changed: table(
        f"public.{name}",
        lost_at_least=lost,
        back_at_least=back,
        changed_at_least=changed,
        unknown="its reason" if None in (lost, back, changed) else None,
    ),
    st.text("abc", min_size=1, max_size=4),
    maybe_count,
    maybe_count,
    maybe_count,
)
kinds = st.sampled_from(["in_place", "new_branch", "undo"])
STANDS_ALONE = re.compile(r"(?<![\d,:-])0 (row|table|open session)")


@given(st.lists(rows, max_size=6), st.none() | st.integers(0, 9), kinds)
def test_it_never_says_zero_and_never_hides_an_unknown(
    tables: list[TableFacts], sessions: int | None, kind: str
) -> None:
    facts = observed(*tables)
    facts["sessions"]["count"] = sessions
    text = said(facts, kind=kind)
    shown = text + " ".join(line.text for line in (*consequence.lost_lines(facts), *consequence.back_lines(facts)))
    assert not STANDS_ALONE.search(shown)
    numbers = ["back_at_least"] if kind == "new_branch" else ["lost_at_least", "back_at_least", "changed_at_least"]
    if any(row[number] is None for row in tables for number in numbers):  # type: ignore[literal-required]
        assert "unknown" in text or "could not be counted" in text
    if sessions is None and kind != "new_branch":
        assert "how many there are is unknown" in text


@given(st.lists(rows, max_size=6))
def test_an_unread_table_is_a_line_of_its_own(tables: list[TableFacts]) -> None:
    facts = observed(*tables)
    unread = [row for row in tables if row["lost_at_least"] is None]
    lines = consequence.lost_lines(facts)
    assert sum(line.is_unknown for line in lines) >= max(len(unread), 0 if tables else 1)
    assert not any("No new rows" in line.text for line in lines) or not unread
