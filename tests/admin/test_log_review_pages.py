"""The pages of log reviews: opened, marked in one go, refused beside the field, and signed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups.admin.charts import strip
from backups.domain.log_review import MOST_OF_A_REASON
from backups.models import CorrectiveAction, LedgerEvent, LogReview, LogReviewMark
from backups.selectors.clock import database_now
from backups.selectors.log_review import concerns
from tests.admin.test_pages_show import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def dana(people, log_in):
    people.all()
    return log_in(people.dana)


@pytest.fixture
def review(people, dana) -> LogReview:
    dana.post(reverse("ops:log-review-open"))
    return LogReview.objects.get()


def page(review: LogReview, number: int = 1) -> str:
    return f"{reverse('ops:log-review', args=[review.pk])}?page={number}"


def typed(review: LogReview, person, mark: str = "ok", number: int = 1) -> dict[str, str]:
    """One mark for everything on the page that this person may mark."""
    items = review.items.select_related("event")[(number - 1) * 20 : number * 20]
    return {f"mark-{item.pk}": mark for item in items if not concerns(item, person.actor)}


def mark_all(review: LogReview, people, log_in) -> None:
    for person in (people.dana, people.carol):
        client = log_in(person)
        for number in range(1, review.items.count() // 20 + 2):
            assert client.post(page(review, number), typed(review, person, number=number)).status_code == 302


def test_a_review_is_opened_marked_and_signed(dana, review, people, log_in):
    words = text_of(dana.get(page(review)))
    assert str(review.seed) in words
    assert "drawn by lot" in words
    mark_all(review, people, log_in)
    assert "Sign this review" in text_of(dana.get(page(review)))
    answer = dana.post(reverse("ops:log-review-sign", args=[review.pk]), follow=True)
    assert "Nothing of this review changes any more." in text_of(answer)
    listed = text_of(dana.get(reverse("ops:log-reviews")))
    assert f"{review.reference}" in listed
    assert "dana," in listed


def test_own_events_are_for_somebody_else(people, review, log_in):
    bob = log_in(people.bob)
    own = next(each for each in review.items.select_related("event") if concerns(each, people.bob.actor))
    answer = bob.post(page(review, (own.position - 1) // 20 + 1), {f"mark-{own.pk}": "ok"})
    assert (answer.status_code, "marked by somebody else" in text_of(answer)) == (422, True)
    assert not LogReviewMark.objects.exists()


def test_nothing_is_lost_when_one_mark_is_refused(dana, review, people):
    body = typed(review, people.dana)
    first, second = list(body)[:2]
    body[first] = "question"
    body[second.replace("mark", "words")] = "Seen with Erin."
    answer = dana.post(page(review), body)
    words = answer.content.decode()
    assert (answer.status_code, "Write the question down." in text_of(answer)) == (422, True)
    assert 'value="Seen with Erin."' in words
    assert words.count('value="question" checked') == 1
    assert not LogReviewMark.objects.exists()


def test_words_without_a_mark_are_not_lost(dana, review, people):
    field = next(iter(typed(review, people.dana))).replace("mark", "words")
    answer = dana.post(page(review), {field: "Who is this?"})
    assert (answer.status_code, "Choose fine, question or problem." in text_of(answer)) == (422, True)
    assert "Who is this?" in answer.content.decode()


def test_signing_early_is_refused_and_recorded(dana, review):
    answer = dana.post(reverse("ops:log-review-sign", args=[review.pk]), follow=True)
    assert "have no mark yet" in text_of(answer)
    review.refresh_from_db()
    assert review.signed_at is None
    assert LedgerEvent.objects.filter(type="access.refused", target_id=review.reference).exists()


def test_an_administrator_reads_and_does_not_mark(people, review, log_in):
    erin = log_in(people.erin)
    answer = erin.get(page(review))
    assert "<fieldset" not in answer.content.decode()
    body = typed(review, people.erin)
    assert "Only an auditor or a manager" in text_of(erin.post(page(review), body))


def test_a_problem_gets_an_action(dana, review, people):
    item = next(each for each in review.items.select_related("event") if not concerns(each, people.dana.actor))
    number = (item.position - 1) // 20 + 1
    dana.post(page(review, number), {f"mark-{item.pk}": "problem"})
    where = reverse("ops:log-review-action", args=[review.pk, item.pk])
    assert where in dana.get(page(review, number)).content.decode()
    body = {"title": "Close it", "owner": str(people.erin.user.pk), "due_on": "2020-01-01"}
    wrong = dana.post(where, body)
    assert (wrong.status_code, "This day is over" in text_of(wrong)) == (422, True)
    day = database_now().date().isoformat()
    assert dana.post(where, body | {"due_on": day}).status_code == 302
    action = CorrectiveAction.objects.get()
    assert review.reference in text_of(dana.get(reverse("ops:action", args=[action.pk])))
    assert "Close it" in text_of(dana.get(page(review, number)))


def test_what_was_left_out_is_counted(dana, people, log_in):
    charlie = log_in(people.charlie)
    for _ in range(MOST_OF_A_REASON + 20):
        charlie.get("/tokens/")
    dana.post(reverse("ops:log-review-open"))
    review = LogReview.objects.get()
    words = text_of(dana.get(page(review)))
    assert review.left_out["refused"] == 20
    assert "20 (always: something was refused)" in words
    assert "The machine chose which are shown." in words


def test_reading_is_recorded(dana, review, people):
    dana.get(page(review))
    dana.get(reverse("ops:log-reviews"))
    read = LedgerEvent.objects.filter(type="ledger.read", actor_ref=people.dana.actor.ref)
    assert {event.members["data"]["page"] for event in read} >= {"log_review", "log_reviews"}


def test_the_number_of_questions_does_not_grow(dana, people, log_in):
    charlie = log_in(people.charlie)
    for _ in range(20):
        charlie.get("/tokens/")
    dana.post(reverse("ops:log-review-open"))
    review = LogReview.objects.get()
    last = -(-review.items.count() // 20)
    assert last > 1
    counts = []
    for number in (1, last):
        with CaptureQueriesContext(connection) as asked:
            dana.get(page(review, number))
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 16
    with CaptureQueriesContext(connection) as asked:
        dana.get(reverse("ops:log-reviews"))
    assert len(asked) <= 18


def test_it_waits_on_the_start_page(dana, review, people, log_in):
    assert f"Review of the log, {review.reference}" in text_of(dana.get("/"))
    assert "Review of the log" not in text_of(log_in(people.alice).get("/"))


def test_an_unknown_review_is_not_found(dana):
    assert dana.get(reverse("ops:log-review", args=[987654])).status_code == 404
    assert dana.get(reverse("ops:log-review-action", args=[987654, 1])).status_code == 404


def test_weeks_are_drawn_with_a_sign_that_needs_no_colour():
    drawn = strip([("✓", "good", "one"), ("✗", "bad", "two")])
    assert drawn.count("<rect") == 2
    assert "✗" in drawn
