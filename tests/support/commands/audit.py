"""Acts of auditors on the record."""

from __future__ import annotations

from backups.domain.log_review import Mark
from backups.models import LogReview, TextErasure
from backups.selectors.log_review import concerns
from backups.services.log_review import Marking, mark_items, open_review
from backups.services.saved_filters import save_filter
from tests.factories import Person
from tests.support.commands.world import NOTHING, WHY, Act, Sent, World, in_days
from tests.support.erasing import asked_erasure
from tests.support.governance import governance_proposal


def _review(w: World) -> LogReview:
    return open_review(actor=w.people.dana.actor)


def _markable(review: LogReview, person: Person) -> list[int]:
    """Events that are not this person's own."""
    return [item.pk for item in review.items.select_related("event") if not concerns(item, person.actor)]


def _marks(w: World) -> Sent:
    review = _review(w)
    return (review.pk,), {f"mark-{item}": "ok" for item in _markable(review, w.people.dana)[:1]}


def _all_marked(w: World) -> Sent:
    review = _review(w)
    for person in (w.people.dana, w.people.carol):
        markings = {item: Marking(Mark.OK, "", None) for item in _markable(review, person)}
        left = {pk: marking for pk, marking in markings.items() if not review.items.get(pk=pk).marks.exists()}
        mark_items(actor=person.actor, review_id=review.pk, markings=left)
    return (review.pk,), {}


def _action(w: World) -> Sent:
    review = _review(w)
    item = review.items.first()
    assert item is not None
    return (review.pk, item.pk), {"title": WHY, "owner": w.id_of("bob"), "due_on": in_days(9)}


def _register(w: World) -> Sent:
    today = {"review_on": in_days(90), "owner": w.id_of("carol"), "technical_owner": w.id_of("alice")}
    kept = {"data_class": "phi", "criticality": "critical", "rto_minutes": "60", "rpo_minutes": "5", "plan_title": WHY}
    return (w.scenes.project.pk,), kept | today


def _agreement(w: World) -> Sent:
    return (governance_proposal(w.people, w.scenes.project).pk,), {"answer": "agree"}


def _erasure(w: World) -> TextErasure:
    reason = w.scenes.draft().reason
    assert reason is not None
    return asked_erasure(reason, w.people.erin)


def _kept_filter(w: World) -> Sent:
    return (save_filter(actor=w.people.dana.actor, name=WHY, narrowed_by={"outcome": "denied"}).pk,), {}


# fmt: off
ACTS: dict[str, Act] = {
    "ops:audit-export-new": Act("dana", "ledger.export_asked", lambda w: ((), {"format": "csv"}), wrong=NOTHING),
    "ops:audit-verify": Act("dana", "ledger.verification_asked", lambda w: ((), {})),
    "ops:audit-filter-save": Act(
        "dana", "ledger.filter_saved", lambda w: ((), {"name": WHY, "outcome": "denied"})),
    "ops:audit-filter-remove": Act("dana", "ledger.filter_removed", _kept_filter),
    "ops:erase-words": Act("erin", "text.erase_asked",
                           lambda w: ((w.scenes.draft().reason_id,), {"reason": "secret"}), wrong=NOTHING),
    "ops:erasure agree": Act("bob", "text.erased", lambda w: ((_erasure(w).pk,), {"answer": "erase"})),
    "ops:erasure refuse": Act("bob", "text.erase_refused", lambda w: ((_erasure(w).pk,), {"answer": "refuse"})),
    "ops:erasure withdraw": Act("erin", "text.erase_withdrawn", lambda w: ((_erasure(w).pk,), {"answer": "withdraw"})),
    "ops:governance-new": Act("erin", "governance.proposed", _register, wrong=NOTHING),
    "ops:governance-decide": Act("bob", "governance.agreed", _agreement, wrong={"answer": "refuse"}),
    "ops:log-review-open": Act("dana", "log_review.opened", lambda w: ((), {})),
    "ops:log-review": Act("dana", "log_review.marked", _marks),
    "ops:log-review-sign": Act("dana", "log_review.signed", _all_marked),
    "ops:log-review-action": Act("dana", "action.added", _action, wrong=NOTHING),
}
# fmt: on
