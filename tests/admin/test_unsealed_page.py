"""A restore whose approvals are not sealed: who is asked, on which page, and what comes of it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from backups.models import Execution, LedgerEvent
from backups.services.execution.seal import WAITING_FOR_PERSON
from tests.admin.test_pages_show import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_in_vain(scenes):
    request = scenes.waiting()
    Execution.objects.filter(request=request, purpose="restore").update(
        waiting_for=WAITING_FOR_PERSON, memory={"seal_since": "2026-11-26T02:00:00+00:00", "seal_asked": True}
    )
    return request


def url(name, request):
    return reverse(f"ops:{name}", args=[request.pk])


def test_the_page_says_what_it_waits_for_and_asks_a_manager(people, log_in, request_in_vain):
    page = log_in(people.bob).get(url("request", request_in_vain))
    assert WAITING_FOR_PERSON in text_of(page)
    assert url("unsealed", request_in_vain) in page.content.decode()
    assert (
        url("unsealed", request_in_vain)
        not in log_in(people.alice).get(url("request", request_in_vain)).content.decode()
    )


def test_a_reason_is_needed_and_kept(people, log_in, request_in_vain):
    bob = log_in(people.bob)
    assert "Let R-" in text_of(bob.get(url("unsealed", request_in_vain)))
    refused = bob.post(url("unsealed", request_in_vain), {"reason": " "})
    assert refused.status_code == 422
    assert "Say why it can't wait. Nothing was changed." in text_of(refused)
    secret = bob.post(url("unsealed", request_in_vain), {"reason": "with napi_0123456789abcdef"})
    assert "A Neon API key: line 1, character 6" in text_of(secret)
    assert "with [a Neon API key was taken out]" in secret.content.decode(), "what was typed is not lost"
    done = bob.post(url("unsealed", request_in_vain), {"reason": "The anchor's disk is full"}, follow=True)
    assert "Your decision is recorded." in text_of(done)
    assert Execution.objects.get(request=request_in_vain, purpose="restore").seal_waived_by_name == "bob"
    assert LedgerEvent.objects.get(type="request.seal_waived").free_text.text == "The anchor's disk is full"


def test_nobody_is_asked_while_it_may_still_come(people, log_in, scenes):
    answer = log_in(people.bob).get(url("unsealed", scenes.waiting()), follow=True)
    assert "Nobody has to decide about the seal." in text_of(answer)
