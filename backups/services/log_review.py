"""The regular review of the log: the machine draws, people mark, one signs. 45 CFR 164.308(a)(1)(ii)(D)."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Max

from backups.domain.ledger import Target
from backups.domain.log_review import MAX_WORDS_CHARACTERS, OVERLAP, Mark, sign_refusal
from backups.domain.people import Actor, Capability
from backups.ledger.errors import TextRefused
from backups.ledger.fields import Detail
from backups.ledger.text import check_text
from backups.models import CorrectiveAction, LedgerLeaf, LogReview, LogReviewItem, LogReviewMark
from backups.selectors.clock import database_now
from backups.selectors.log_review import began_at, concerns, items_of, newest_marks, situation_of
from backups.selectors.log_review_draw import Draw, draw
from backups.services.afterwards.records import need, refuse, refuse_unless
from backups.services.corrective_action import add_action_in_transaction
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

_ROLE = "Only an auditor or a manager reviews the log."
#: As many bits as an integer of the ledger holds.
_SEED_BITS = 53


@dataclass(frozen=True, slots=True)
class Marking:
    """What somebody says of one event. `seen`: the key of the mark that stood beside it then, 0 for none; without it
    nobody asks whether somebody else was faster."""

    mark: Mark
    words: str = ""
    seen: int | None = None


def open_review(*, actor: Actor) -> LogReview:
    """Draws the events from the end of the last review to now. Nobody chooses: the seed comes from the machine and is
    in the ledger before the first event is shown. Raises Refused while an earlier review is not signed."""
    with refusals_recorded(actor=actor, target=Target(kind="log_review", id="new")):
        person = with_roles_of_now(actor)
        user_id = need(person, Capability.REVIEW_LOG, _ROLE)
        _one_at_a_time()
        last = LogReview.objects.order_by("-ends_at").first()
        refuse_unless(
            last is None or last.signed_at is not None, "review_open", "The last review is not signed yet. Finish it."
        )
        now, since = database_now(), last.ends_at if last else began_at()
        if since is None or since >= now:
            raise Refused(action=None, code="nothing_to_review", sentence="Nothing was recorded since the last review.")
        seed, size = secrets.randbits(_SEED_BITS), settings.LOG_REVIEW_SAMPLE
        drawn = draw(since=since - OVERLAP, until=now, seed=seed, sample_size=size)
        first_leaf, last_leaf = _leaves()
        review = LogReview.objects.create(
            previous=last,
            begins_at=since,
            ends_at=now,
            first_leaf=first_leaf,
            last_leaf=last_leaf,
            population=drawn.population,
            sample_size=size,
            seed=seed,
            left_out=dict(drawn.left_out),
            opened_by_id=user_id,
            opened_by_name=person.name,
            opened_at=database_now(),
        )
        _write_items(review, drawn)
        _record_opened(review, drawn, person)
        return review


def mark_items(*, actor: Actor, review_id: int, markings: Mapping[int, Marking]) -> int:
    """Keeps what differs from what counted before; returns how many that was. By the keys of the review's items.

    Raises Refused; InvalidInput with an error under `words-<key>` of each item whose words can't be kept.
    """
    with _on_review(actor, review_id) as (review, person, user_id):
        refuse_unless(review.signed_at is None, "review_signed", "This review is signed; it takes no more marks.")
        items = {item.pk: item for item in items_of(review) if item.pk in markings}
        refuse_unless(len(items) == len(markings), "not_of_this_review", "An event is not of this review.")
        own = [item for item in items.values() if concerns(item, person)]
        refuse_unless(
            not own,
            "own_event",
            f"Events that you caused, or that are about your account, are marked by somebody else: "
            f"{', '.join(str(item) for item in own)}. Nothing was saved.",
        )
        before = newest_marks(items.values())
        changed = {key: each for key, each in markings.items() if _differs(each, before.get(key))}
        _check(changed, before)
        for key, marking in changed.items():
            _write_mark(review, items[key], marking, person, user_id)
        if changed:
            counts = Counter(marking.mark for marking in changed.values())
            _record(review, "log_review.marked", person, _counted(len(changed), counts))
        return len(changed)


def sign_review(*, actor: Actor, review_id: int) -> LogReview:
    """Closes the review; nothing of it changes any more. Raises Refused."""
    with _on_review(actor, review_id) as (review, person, user_id):
        items = items_of(review)
        marks = newest_marks(items)
        refuse(sign_refusal(situation_of(review, person, items, marks)), "sign_not_allowed")
        counts = Counter(Mark(mark.mark) for mark in marks.values())
        review.signed_by_id, review.signed_by_name, review.signed_at = user_id, person.name, database_now()
        review.marks_sha256 = _hash_of(items, marks)
        review.save(update_fields=["signed_by", "signed_by_name", "signed_at", "marks_sha256"])
        details = _counted(len(items), counts) | {"evidence_sha256": review.marks_sha256}
        _record(review, "log_review.signed", person, details)
        return review


def add_review_action(
    *, actor: Actor, review_id: int, item_id: int, title: str, owner_id: int, due_on: dt.date
) -> CorrectiveAction:
    """Something that somebody does because of a problem seen in the log. Raises Refused, InvalidInput."""
    with _on_review(actor, review_id) as (review, person, _):
        item = review.items.filter(pk=item_id).first()
        refuse_unless(item is not None, "not_of_this_review", "The event is not of this review.")
        refuse_unless(review.signed_at is None, "review_signed", "This review is signed; it is not changed any more.")
        return add_action_in_transaction(
            actor=person, title=title, owner_id=owner_id, due_on=due_on, log_review_item=item
        )


@contextmanager
def _on_review(actor: Actor, review_id: int) -> Iterator[tuple[LogReview, Actor, int]]:
    with refusals_recorded(actor=actor, target=Target(kind="log_review", id=f"L-{review_id:04d}")):
        review = LogReview.objects.select_for_update().filter(pk=review_id).first()
        if review is None:
            raise Refused(action=None, code="unknown_review", sentence="There is no such review. Nothing was changed.")
        person = with_roles_of_now(actor)
        yield review, person, need(person, Capability.REVIEW_LOG, _ROLE)


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('log_review', 8021))")


def _leaves() -> tuple[int | None, int | None]:
    """The places in the sealed log since the last review; they follow the order of sealing."""
    newest = LedgerLeaf.objects.aggregate(newest=Max("index"))["newest"]
    looked_at = LogReview.objects.aggregate(last=Max("last_leaf"))["last"]
    first = 0 if looked_at is None else looked_at + 1
    return (first, newest) if newest is not None and newest >= first else (None, None)


def _write_items(review: LogReview, drawn: Draw) -> None:
    LogReviewItem.objects.bulk_create(
        LogReviewItem(review=review, event_id=event_id, position=position, reason=reason.value)
        for position, (event_id, reason) in enumerate(drawn.items, start=1)
    )


def _record_opened(review: LogReview, drawn: Draw, actor: Actor) -> None:
    ids = "\n".join(f"{event_id} {reason.value}" for event_id, reason in drawn.items)
    details: dict[str, Detail] = {
        "window_from": review.begins_at,
        "window_to": review.ends_at,
        "first_leaf": review.first_leaf,
        "last_leaf": review.last_leaf,
        "events": review.population,
        "sample_size": review.sample_size,
        "seed": review.seed,
        "items": len(drawn.items),
        "evidence_sha256": _sha256(ids),
    }
    _record(review, "log_review.opened", actor, details)


def _record(review: LogReview, type: str, actor: Actor, details: Mapping[str, Detail]) -> None:
    record_event(
        type=type,
        actor=actor,
        target=Target(kind="log_review", id=review.reference),
        details={"log_review": review.reference} | dict(details),
        correlation=review.reference,
    )


def _counted(items: int, counts: Counter[Mark]) -> dict[str, Detail]:
    return {
        "items": items,
        "marked_ok": counts[Mark.OK],
        "questions": counts[Mark.QUESTION],
        "problems": counts[Mark.PROBLEM],
    }


def _differs(marking: Marking, before: LogReviewMark | None) -> bool:
    if before is None:
        return True
    words = before.words.text if before.words else ""
    return (marking.mark.value, marking.words.strip()) != (before.mark, words)


def _check(markings: Mapping[int, Marking], before: Mapping[int, LogReviewMark]) -> None:
    errors = {
        f"words-{key}": wrong for key, marking in markings.items() if (wrong := _wrong_with(marking, before.get(key)))
    }
    if errors:
        raise InvalidInput(errors)


def _wrong_with(marking: Marking, before: LogReviewMark | None) -> str:
    words = marking.words.strip()
    if marking.seen is not None and marking.seen != (before.pk if before else 0):
        return "Somebody marked this while you looked at it. See what they say, and save again if you still mean it."
    if marking.mark is Mark.QUESTION and not words:
        return "Write the question down."
    if len(words) > MAX_WORDS_CHARACTERS:
        return f"Please use at most {MAX_WORDS_CHARACTERS:,} characters."
    try:
        check_text(words)
    except TextRefused as refused:
        return str(refused)
    return ""


def _write_mark(review: LogReview, item: LogReviewItem, marking: Marking, actor: Actor, user_id: int) -> None:
    event = None
    if marking.words.strip():
        event = record_event(
            type="log_review.remarked",
            actor=actor,
            target=Target(kind="log_review", id=review.reference),
            details={"log_review": review.reference, "item": item.position, "mark": marking.mark.value},
            text=marking.words.strip(),
            correlation=review.reference,
        )
    LogReviewMark.objects.create(
        item=item,
        mark=marking.mark.value,
        words_id=event.pk if event else None,
        marked_by_id=user_id,
        marked_by_name=actor.name,
        at=database_now(),
    )


def _hash_of(items: list[LogReviewItem], marks: Mapping[int, LogReviewMark]) -> str:
    """What exactly was signed: each event, its mark, who gave it, and the hash of the words."""
    lines = [
        f"{item.position} {item.event_id} {mark.mark} user:{mark.marked_by_id} "
        f"{mark.words.event.text_commitment if mark.words else '-'}"
        for item in items
        for mark in (marks[item.pk],)
    ]
    return _sha256("\n".join(lines))


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
