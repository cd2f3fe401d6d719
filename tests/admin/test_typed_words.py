"""Patients' data and secrets in what is typed: asked about or refused before anything is saved, on every form."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from backups.admin.typed_words import NOT_WORDS
from backups.domain.people import ActorKind
from backups.models import LedgerEvent, RestoreRequest, SafetyCopy
from backups.selectors.clock import database_now
from tests.admin.test_access_table import PAGES
from tests.admin.test_api import ask, header
from tests.admin.test_filing import NEW, typed
from tests.admin.test_pages_show import text_of
from tests.factories import branch as make_branch
from tests.support.drills import ExerciseScene

pytestmark = pytest.mark.django_db
SSN = "123-45-6789"
KEY = "napi_CANARY0123456789"


@pytest.fixture
def branch(scenes):
    return make_branch(scenes.project)


@pytest.fixture
def alice(people, log_in):
    return log_in(people.alice)


def form_of(html: str) -> dict[str, Any]:
    """The fields of the page's main form, as a browser would send them with the Enter key."""
    main = html[html.index("<main") : html.index("</main>")]
    inputs = re.findall(r'<input [^>]*name="([^"]+)"[^>]*?value="([^"]*)"', main)
    areas = re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', main, re.DOTALL)
    first_button = re.findall(r'<button [^>]*name="([^"]+)" value="([^"]*)"', main)[:1]
    return {name: unescape(value) for name, value in [*inputs, *areas, *first_button]}


def events() -> int:
    return LedgerEvent.objects.exclude(type__startswith="access.").count()


# --- Every form -----------------------------------------------------------------------------------------------------


def test_what_is_sent_to_any_address_is_looked_through_before_it_is_used(people, log_in):
    """Also to a form that nobody has written yet: it is the door that looks, whatever a field is called."""
    clients: dict[str, Client] = {name: log_in(getattr(people, name)) for name in ("alice", "bob", "dana", "erin")}
    before, wrong = LedgerEvent.objects.count(), []
    acts = {name: methods["POST"] for name, methods in PAGES.items() if "POST" in methods}
    assert len(acts) > 60
    for name, who in acts.items():
        answer = clients[min(who)].post(_address(name), {"a_new_field": f"of {SSN}", "reason": f"with {KEY}"})
        html = answer.content.decode()
        if answer.status_code != 422 or "Nothing was saved and nothing was done" not in html or KEY in html:
            wrong.append(f"{name}: {answer.status_code}")
    assert wrong == []
    assert LedgerEvent.objects.count() == before


def _address(name: str) -> str:
    """With ids of nothing: whether it exists is asked later."""
    samples = {"int": 999_999, "uuid": "00000000-0000-4000-8000-000000000000", "slug": "x", "str": "accept"}
    pattern = next(each for each in _patterns(get_resolver()) if each.name == name.removeprefix("ops:"))
    kinds = {key: type(converter).__name__.removesuffix("Converter").lower() or "str"
             for key, converter in pattern.pattern.converters.items()}  # fmt: skip
    return reverse(name, kwargs={key: samples.get(kind.replace("string", "str"), "x") for key, kind in kinds.items()})


def _patterns(resolver: URLResolver) -> list[URLPattern]:
    found: list[URLPattern] = []
    for entry in resolver.url_patterns:
        found += _patterns(entry) if isinstance(entry, URLResolver) else [entry]
    return found


def test_no_field_for_words_is_left_out():
    """All fields in which something can be typed, of forms and of templates, against the list of what is not words."""
    fields = {name for form in _forms(forms.BaseForm) for name in _typed_in(form)}
    for template in (settings.BASE_DIR / "templates").rglob("*.html"):
        tags = re.findall(r"<(?:textarea|input)\b[^>]*>", template.read_text(encoding="utf-8"))
        fields |= {
            name for tag in tags if 'type="hidden"' not in tag for name in re.findall(r'\bname="([a-z_]+)"', tag)
        }
    assert {"reason", "text", "words", "story", "note", "title", "statement", "label"} <= fields | {"words"}
    assert fields & NOT_WORDS == {"api_key", "mail_to"}


def _forms(base: Any) -> list[Any]:
    own = [each for each in base.__subclasses__() if hasattr(each, "base_fields")]
    return own + [deeper for each in base.__subclasses__() for deeper in _forms(each)]


def _typed_in(form: Any) -> list[str]:
    return [
        name
        for name, field in form.base_fields.items()
        if form.__module__.startswith("backups.") and isinstance(field, forms.CharField)
    ]


# --- A patient's data -----------------------------------------------------------------------------------------------


def test_a_patients_number_is_asked_about_and_saved_when_its_writer_says_that_it_is_none(alice, branch):
    reason = f"Rows are gone.\r\nThe test patient {SSN} too, and <b>more</b>."
    before, wish = events(), typed(branch, reason=reason)
    asked = alice.post(NEW, wish)
    html = asked.content.decode()
    assert asked.status_code == 422
    assert "line 2, character 18" in text_of(asked)
    assert "•••-••-••••" in html
    assert not RestoreRequest.objects.exists()
    assert events() == before

    form = form_of(html)
    assert {name: form[name] for name in wish} == wish | {"reason": reason.replace("\r\n", "\n")}, "nothing is lost"
    assert form["scan_answer"] == "changed", "the Enter key saves nothing that was asked about"
    assert alice.post(NEW, form).status_code == 422
    other = alice.post(NEW, form | {"scan_answer": "anyway", "reason": "DOB 1961-04-03"})
    assert (other.status_code, RestoreRequest.objects.count()) == (422, 0), "another text than the one asked about"
    assert alice.post(reverse("ops:safety-copy-new"), form | {"scan_answer": "anyway"}).status_code == 422
    assert alice.post(NEW, typed(branch, reason=reason, scan_answer="anyway")).status_code == 422, "never asked"

    assert alice.post(NEW, form | {"scan_answer": "anyway"}).status_code == 302
    event = LedgerEvent.objects.get(type="request.drafted")
    assert event.members["data"]["scan_overridden"] == ["social_security_number"]
    assert event.free_text.text == reason.replace("\r\n", "\n")
    assert SSN not in event.body


def test_what_was_changed_is_saved_without_a_mark(alice, branch):
    form = form_of(alice.post(NEW, typed(branch, reason=f"Also {SSN}")).content.decode())
    assert alice.post(NEW, form | {"reason": "Also one more"}).status_code == 302
    assert "scan_overridden" not in LedgerEvent.objects.get(type="request.drafted").members["data"]


def test_another_person_does_not_answer_the_question(people, log_in, scenes, branch):
    request = scenes.pending()
    address, text = reverse("ops:comment", args=[request.pk]), {"text": f"See {SSN}"}
    form = form_of(log_in(people.bob).post(address, text).content.decode())
    assert log_in(people.alice).post(address, form | {"scan_answer": "anyway"}).status_code == 422
    assert log_in(people.bob).post(address, form | {"scan_answer": "anyway"}).status_code == 302
    assert request.comments.order_by("-pk").first().text.text == f"See {SSN}"


# --- Secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_is_refused_whatever_is_answered_and_not_shown_again(alice, branch):
    reason = f"Key {KEY} of jane@example.org stopped working"
    asked = alice.post(NEW, typed(branch, reason=reason))
    html = asked.content.decode()
    assert KEY not in html
    assert "Save it anyway" not in html
    form = form_of(html)
    assert form["reason"] == "Key [a Neon API key was taken out] of jane@example.org stopped working"
    assert alice.post(NEW, form | {"reason": reason, "scan_answer": "anyway"}).status_code == 422
    assert not RestoreRequest.objects.exists()


def test_a_key_and_a_file_are_asked_for_again_and_never_sent_back(people, log_in, branch):
    asked = log_in(people.erin).post(
        reverse("ops:connect"), {"neon_project_id": f"x {SSN}", "api_host": "https://console.neon.tech", "api_key": KEY}
    )
    assert KEY not in asked.content.decode()
    assert '<input type="password" id="again-1" name="api_key" autocomplete="off">' in asked.content.decode()

    drill = ExerciseScene(people, branch).drill
    file = SimpleUploadedFile("notes.txt", b"minutes of the exercise", "text/plain")
    asked = log_in(people.alice).post(reverse("ops:drill-add", args=[drill.pk, "file"]), {"name": SSN, "file": file})
    assert 'type="file"' in asked.content.decode()
    assert 'enctype="multipart/form-data"' in asked.content.decode()


def test_a_key_in_its_own_field_is_no_finding(people, log_in):
    answer = log_in(people.erin).post(reverse("ops:connect"), {"neon_project_id": "", "api_host": "", "api_key": KEY})
    assert "Nothing was saved and nothing was done" not in answer.content.decode()


# --- Programs -------------------------------------------------------------------------------------------------------


def test_a_program_is_refused_with_the_kinds_and_without_the_words(people, branch):
    answer = ask(header(people), {"before": f"migration for {SSN}, {KEY}"})
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"] == {
        "before": "This seems to hold a Neon API key, a US social security number. Take it out and send it again."
    }
    assert not SafetyCopy.objects.exists()
    assert LedgerEvent.objects.filter(actor_kind=ActorKind.SERVICE, recorded_at__gt=database_now()).count() == 0
