"""Projects on their pages: what is known, what is not, and a key that is never shown again."""

from __future__ import annotations

import pytest
from django.urls import reverse

from backups.models import Project
from tests.admin.test_pages_show import text_of

pytestmark = pytest.mark.django_db
KEY = "napi_never_shown_again_1234567890"


@pytest.fixture
def erin(people, log_in):
    return log_in(people.erin)


def form(**changes: str) -> dict[str, str]:
    typed = {"neon_project_id": "calm-river-1", "api_host": "http://127.0.0.1:1/api/v2", "api_key": KEY}
    return typed | {"is_sandbox": "on"} | changes


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Nothing was stored."),
        ({"api_host": "http://neon.example/api/v2"}, "must begin with https://"),
        ({"api_host": "https://console.neon.tech/api/v2"}, "it can't be registered as a sandbox"),
        ({"api_host": "ftp://x"}, "must look like https://console.neon.tech/api/v2"),
        ({"api_key": ""}, "This field is required."),
        ({"neon_project_id": ""}, "This field is required."),
    ],
    ids=["nobody answers", "bare network", "real as sandbox", "no address", "no key", "no project"],
)
def test_what_cannot_be_connected_is_said_and_nothing_is_stored(erin, changes, sentence):
    answer = erin.post(reverse("ops:connect"), form(**changes))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert KEY not in answer.content.decode()
    assert not Project.objects.exists()


def test_the_report_is_shown_line_by_line_and_what_it_cannot_tell_as_such(erin, scenes):
    scenes.project.connect_report = {
        "lines": [
            {"status": "ok", "title": "API key", "sentence": "It works."},
            {"status": "to_do", "title": "How far back", "sentence": "1 day.", "next": "Raise it in Neon's console."},
            {"status": "unknown", "title": "Plan", "sentence": "Neon does not tell."},
            {"status": "something new", "title": "Region", "sentence": ""},
        ]
    }
    scenes.project.save()
    words = text_of(erin.get(reverse("ops:project", args=[scenes.project.pk])))
    assert "OK : API key. It works." in words
    assert "To do : How far back. 1 day. Raise it in Neon's console." in words
    assert "Can't tell : Plan. Neon does not tell." in words
    assert "Can't tell : Region" in words


def test_a_project_of_which_nothing_is_known_says_so(erin):
    bare = Project.objects.create(name="bare", neon_project_id="bare-1", api_host="https://console.neon.tech/api/v2")
    words = text_of(erin.get(reverse("ops:project", args=[bare.pk])))
    assert "never asked" in words
    assert "No check is recorded." in words
    assert "No branch is known." in words
    assert words.count("unknown") >= 5


def test_a_branch_without_a_label_is_said_to_be_guarded_as_production(erin, scenes):
    branch = scenes.staging_ready()
    branch.label = None
    branch.save()
    words = text_of(erin.get(reverse("ops:project", args=[scenes.project.pk])))
    assert "not classified, so guarded as production" in words


def test_checking_again_is_given_to_the_worker(erin, scenes):
    answer = erin.post(reverse("ops:check", args=[scenes.project.pk]), follow=True)
    assert "The worker is looking." in text_of(answer)


def test_what_the_portal_made_at_neon_is_listed(erin, scenes):
    restore = scenes.completed()
    words = text_of(erin.get(reverse("ops:project", args=[scenes.project.pk])))
    assert restore.preserve_name in words
    assert "when a person decides" in words
