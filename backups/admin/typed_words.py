"""What was typed is looked through before anything is done with it: each field of each form that is sent.

A secret is refused. What looks like a patient's data is asked about; the person changes it or says that it is none.
Nothing was saved then, and what was typed stands on the page that asks, in fields that can be changed at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from backups.admin.frame import render
from backups.domain.sensitive import Kind, masked, sensitive_in, without_secrets

#: Fields that hold no words and must hold what would be refused elsewhere. Each has a place where it is encrypted or
#: is not kept at all. A name that is not here is looked through.
NOT_WORDS = frozenset({"csrfmiddlewaretoken", "api_key", "mail_to"})
#: Of these, what must not be sent back within a page.
_NOT_SHOWN = frozenset({"csrfmiddlewaretoken", "api_key"})
_ANSWER, _ASKED, _ANYWAY = "scan_answer", "scan_asked", "anyway"
_OWN = frozenset({_ANSWER, _ASKED})

_LABELS = {
    "text": "What you wrote",
    "words": "What you wrote",
    "note": "Note",
    "reason": "Why",
    "title": "Title",
    "name": "Name",
    "story": "What is rehearsed",
    "conclusion": "What came of it",
    "before": "Before what",
}
_LONGEST_LINE = 120


@dataclass(frozen=True, slots=True)
class Place:
    """One thing that was found in a field. `masked` has no letter or digit of it."""

    kind: Kind
    line: int
    column: int
    masked: str


@dataclass(frozen=True, slots=True)
class AskedField:
    """A field in which something was found. `shown` is its value without secrets."""

    name: str
    label: str
    value: str
    shown: str
    places: tuple[Place, ...]

    @property
    def is_long(self) -> bool:
        return len(self.shown) > _LONGEST_LINE or "\n" in self.shown


@dataclass(frozen=True, slots=True)
class Doubts:
    """Everything that was found in what was sent. `asked` is a seal on exactly these values of these fields."""

    fields: tuple[AskedField, ...]
    asked: str
    are_answered: bool

    @property
    def kinds(self) -> frozenset[Kind]:
        return frozenset(place.kind for field in self.fields for place in field.places)

    @property
    def has_secret(self) -> bool:
        return any(kind.is_secret for kind in self.kinds)


def doubts_about(request: HttpRequest) -> Doubts | None:
    """What must be asked about this form; None when nothing was found.

    It is answered when the person saw this question for this very text and chose to save it. A secret never is.
    """
    fields = tuple(_doubtful(request))
    if not fields:
        return None
    asked = _seal(request, fields)
    says_anyway = request.POST.get(_ANSWER) == _ANYWAY and constant_time_compare(request.POST.get(_ASKED, ""), asked)
    doubts = Doubts(fields=fields, asked=asked, are_answered=says_anyway)
    return Doubts(fields=fields, asked=asked, are_answered=False) if doubts.has_secret else doubts


def question_page(request: HttpRequest, doubts: Doubts) -> HttpResponse:
    """The page that asks. The rest of the form goes along in hidden fields; a key or a file is asked for again."""
    asked = {(field.name, field.value) for field in doubts.fields}
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _OWN | _NOT_SHOWN
        for value in values
        if (name, value) not in asked
    ]
    context = {
        "doubts": doubts,
        "kept": kept,
        "again": [name for name in request.POST if name in _NOT_SHOWN - {"csrfmiddlewaretoken"}],
        "files": list(request.FILES),
    }
    return render(request, "typed_words.html", context, status=422)


def _doubtful(request: HttpRequest) -> Iterator[AskedField]:
    for name, values in request.POST.lists():
        for value in values if name not in NOT_WORDS | _OWN else ():
            text = value.replace("\r\n", "\n")
            found = sensitive_in(text)
            if found:
                places = tuple(Place(each.kind, each.line, each.column, masked(text, each)) for each in found)
                yield AskedField(name, _label(name), value, without_secrets(text), places)


def _label(name: str) -> str:
    """The form is not known here, so the field's name has to do."""
    return _LABELS.get(name.partition("-")[0]) or name.replace("_", " ").replace("-", " ").capitalize()


def _seal(request: HttpRequest, fields: tuple[AskedField, ...]) -> str:
    """Of the person, the address and the text: another text, person or form is asked about anew."""
    parts = [str(request.user.pk), request.path, *(f"{field.name}\0{_plain(field.value)}" for field in fields)]
    return salted_hmac("backups.typed_words", "\0\0".join(parts), algorithm="sha256").hexdigest()


def _plain(text: str) -> str:
    """As two browsers agree on it: ends of lines and the blanks around a text differ between fields."""
    return text.replace("\r\n", "\n").strip()
