"""The review of a restore: five sections that anybody concerned writes, and the signature of a manager who took no
part in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from backups.domain.afterwards import PointCode, PointState, ReviewSection, missing_sections
from backups.domain.afterwards_rules import ReviewSituation, review_refusal
from backups.domain.people import Actor, Capability
from backups.models import Checklist, Review, ReviewText
from backups.selectors.afterwards import newest_texts
from backups.selectors.clock import database_now
from backups.services.afterwards.points import change_point
from backups.services.afterwards.records import need, record_after, refuse, refuse_unless, working_on
from backups.services.restore.errors import InvalidInput

MAX_SECTION_CHARACTERS = 5000


def write_review(*, actor: Actor, checklist_id: int, sections: Mapping[ReviewSection, str]) -> list[ReviewText]:
    """Stores the sections whose words changed, each as a text of its own beside the ledger. Raises Refused,
    InvalidInput."""
    with working_on(actor=actor, checklist_id=checklist_id) as (checklist, person):
        user_id = need(person, Capability.WORK_AFTERWARDS, "Your role does not let you write the review of a restore.")
        review = Review.objects.select_for_update().get(checklist=checklist)
        refuse_unless(review.signed_at is None, "review_signed", "This review is signed; it is not changed any more.")
        _check(sections)
        before = {section: text.text.text for section, text in newest_texts(review).items()}
        changed = {section: words.strip() for section, words in sections.items() if _differs(words, before, section)}
        return [_write(checklist, review, section, words, person, user_id) for section, words in changed.items()]


def sign_review(*, actor: Actor, checklist_id: int) -> Review:
    """The signature settles the review's point. Raises Refused."""
    with working_on(actor=actor, checklist_id=checklist_id) as (checklist, person):
        review = Review.objects.select_for_update().get(checklist=checklist)
        texts = newest_texts(review)
        written = {section: text.text.text for section, text in texts.items()}
        refuse(review_refusal(situation_of(review, person, written)), "sign_not_allowed")
        user_id = need(person, Capability.SIGN_REVIEW, "Only a manager can sign a review.")
        review.signed_by_id, review.signed_by_name = user_id, person.name
        review.signed_at, review.texts_sha256 = database_now(), _hash_of(texts)
        review.save()
        record_after(checklist, type="review.signed", actor=person, details={"evidence_sha256": review.texts_sha256})
        point = checklist.points.select_for_update().filter(code=PointCode.REVIEW).first()
        if point is not None and point.state == PointState.OPEN:
            change_point(checklist, point, state=PointState.DONE, actor=person, user_id=user_id)
        return review


def situation_of(review: Review, actor: Actor, written: Mapping[ReviewSection, str]) -> ReviewSituation:
    """What the rule for a signature looks at."""
    return ReviewSituation(
        actor=actor,
        asked_by=review.asked_by_id,
        ran_by=review.ran_by_id,
        is_signed=review.signed_at is not None,
        is_complete=not missing_sections(written),
    )


def _differs(words: str, before: Mapping[ReviewSection, str], section: ReviewSection) -> bool:
    return bool(words.strip()) and words.strip() != before.get(section, "")


def _check(sections: Mapping[ReviewSection, str]) -> None:
    sentence = f"Please use at most {MAX_SECTION_CHARACTERS} characters."
    errors = {s.value: sentence for s, words in sections.items() if len(words) > MAX_SECTION_CHARACTERS}
    if errors:
        raise InvalidInput(errors)


def _write(
    checklist: Checklist, review: Review, section: ReviewSection, words: str, actor: Actor, user_id: int
) -> ReviewText:
    event = record_after(checklist, type="review.written", actor=actor, details={"section": section.value}, text=words)
    return ReviewText.objects.create(
        review=review,
        section=section.value,
        text=event.free_text,
        written_by_id=user_id,
        written_by_name=actor.name,
        at=database_now(),
    )


def _hash_of(texts: Mapping[ReviewSection, ReviewText]) -> str:
    """Over the commitments of the texts, in the order of the sections: what exactly was signed."""
    lines = [f"{section.value} {texts[section].text.event.text_commitment}" for section in ReviewSection]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()
