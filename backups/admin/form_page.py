"""One form on a page of its own: shown, sent, refused beside its fields, or done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.form_parts import PlainForm
from backups.admin.frame import render
from backups.services.restore.errors import InvalidInput, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage:
    """The words around a form. `back`: the address that both “Back” and a refusal lead to.

    `template`: one that extends the usual page and fills its block `before`, with what `more` gives it.
    """

    title: str
    button: str
    back: str
    back_words: str
    hint: str = ""
    is_grave: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    template: str = "parts/form_page.html"


#: Does it and says where to go next, and what to say there. None: a sentence stands beside a field now.
Doing = Callable[[Any], "tuple[str, str] | None"]


def show_or_do(request: HttpRequest, page: FormPage, form: PlainForm, do: Doing) -> HttpResponse:
    """The form on GET; on POST what it is for. A refusal is told on the page that “Back” leads to."""
    if request.method != "POST":
        return _shown(request, page, form)
    form.is_bound = True
    try:
        done = do(form) if form.is_valid() else None
    except InvalidInput as invalid:
        form.take(invalid)
        done = None
    except Refused as refused:
        messages.error(request, refused.sentence)
        return redirect(page.back)
    if done is None:
        return _shown(request, page, form)
    url, sentence = done
    messages.success(request, sentence)
    return redirect(url)


def _shown(request: HttpRequest, page: FormPage, form: PlainForm) -> HttpResponse:
    context = {"page_words": page, "form": form} | dict(page.more)
    return render(request, page.template, context, status=422 if form.is_bound else 200)
