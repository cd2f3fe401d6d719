"""Tokens for programs: made here, shown once, switched off here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.afterwards.checklist import act
from backups.admin.form_parts import PlainForm
from backups.admin.frame import reader_zone_name, render
from backups.domain.people import Actor, Capability
from backups.domain.safety_copy import TokenScope
from backups.models import ApiToken, Project
from backups.selectors.clock import database_now
from backups.selectors.safety_copy import tokens
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.tokens import LONGEST_DAYS, make_token, revoke_token

SCOPE = {
    TokenScope.SAFETY_COPY: "Make safety copies, and see those that it asked for",
    TokenScope.READ_HEALTH: "Read the state of the backups",
}


class TokenForm(PlainForm):
    """Which program, what it may do, and how long."""

    label = forms.CharField(label="For which program", max_length=80, help_text="Such as: deploy pipeline.")
    scopes = forms.MultipleChoiceField(
        label="What it may do, and nothing else",
        widget=forms.CheckboxSelectMultiple,
        choices=[(scope.value, words) for scope, words in SCOPE.items()],
        error_messages={"required": "Choose at least one thing that it may do."},
    )
    project = forms.ChoiceField(label="In which project", required=False)
    days = forms.IntegerField(label="Expires after so many days", min_value=1, max_value=LONGEST_DAYS, initial=90)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(str(project.pk), project.name) for project in Project.objects.order_by("name")]
        self.fields["project"].choices = [("", "Every project"), *found]  # type: ignore[attr-defined]


@for_people_who_may(Capability.MANAGE_TOKENS)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Every token, without its secret, which is nowhere."""
    now = database_now()
    rows = [
        {
            "token": token,
            "scopes": [SCOPE[TokenScope(scope)] for scope in token.scopes],
            "is_over": token.revoked_at is not None or token.expires_at <= now,
        }
        for token in tokens()
    ]
    return render(request, "token/list.html", {"rows": rows})


@for_people_who_may(Capability.MANAGE_TOKENS, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Makes one. Its secret is on the answer to this request and on no other page."""
    form = TokenForm(request.POST or None, reader_zone=reader_zone_name(request))
    form.is_bound = request.method == "POST"
    if not form.is_bound or not form.is_valid():
        return _form(request, form)
    data = form.cleaned_data
    try:
        token, secret = make_token(
            actor=actor,
            label=data["label"],
            scopes=[TokenScope(scope) for scope in data["scopes"]],
            days=data["days"],
            project_id=int(data["project"]) if data["project"] else None,
        )
    except InvalidInput as invalid:
        form.take(invalid)
        return _form(request, form)
    except Refused as refused:
        form.add_error(None, refused.sentence)
        return _form(request, form)
    return render(request, "token/made.html", {"token": token, "secret": secret})


@for_people_who_may(Capability.MANAGE_TOKENS, "POST")
def revoke(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Switches one off at once."""
    if not ApiToken.objects.filter(pk=pk).exists():
        raise Http404
    done = "It is switched off. Whatever uses it is refused from now on."
    return act(request, reverse("ops:tokens"), done, lambda: revoke_token(actor=actor, token_id=pk))


def _form(request: HttpRequest, form: TokenForm) -> HttpResponse:
    return render(request, "token/new.html", {"form": form}, status=422 if form.is_bound else 200)
