"""Records of restores that were done by hand: filed by one person, signed by another."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.afterwards.checklist import act
from backups.admin.afterwards.forms import RetrospectiveForm
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render
from backups.admin.moments import moment_initial
from backups.admin.restore.blocks import band_of
from backups.admin.words import KIND
from backups.domain.afterwards_rules import record_refusal
from backups.domain.people import Actor, Capability
from backups.domain.restore import RestoreKind
from backups.models import Checklist, Finding, RetrospectiveRecord
from backups.services.afterwards.retrospective import Account, drop_record, file_record, sign_record, situation_of


@for_people_who_may(Capability.FILE_RETROSPECTIVE, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The first person's account; a finding of the monitor fills in what it knows."""
    zone = reader_zone_name(request)
    finding = _finding(request)
    form = RetrospectiveForm(request.POST or None, initial=_initial(finding, zone), reader_zone=zone)

    def do(typed: RetrospectiveForm) -> tuple[str, str] | None:
        done_at = typed.needed("done_at")
        if done_at is None:
            return None
        data = typed.cleaned_data
        record = file_record(
            actor=actor,
            account=Account(
                branch_id=int(data["branch"]),
                kind=RestoreKind(data["kind"]),
                done_at=done_at,
                done_by_id=int(data["done_by"]) if data["done_by"] else None,
                done_by_name=data["done_by_name"],
                point_at=data["point_at"],
                why=data["why"],
                lost=data["lost"],
                finding_id=int(data["finding"]) if data["finding"] else None,
            ),
        )
        return reverse("ops:retrospective", args=[record.pk]), "On record. A manager has to sign it."

    page = FormPage(
        title="A restore was done outside the portal",
        button="Put it on record",
        back=reverse("ops:afterwards-list"),
        back_words="After a restore",
        hint="Two people sign: you, and a manager who neither filed this nor did the restore. Every record of it says "
        "“outside the portal”.",
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.READ_REQUESTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """What is on record, and who signed it."""
    record = _get(pk)
    is_open = record.signed_at is None and record.dropped_at is None
    context = {
        "record": record,
        "band": band_of(record.branch),
        "kind_words": KIND[RestoreKind(record.kind)],
        "checklist": Checklist.objects.filter(record=record).first(),
        "is_open": is_open,
        "why_not": record_refusal(situation_of(record, actor)),
        "may_drop": is_open and actor.is_human and actor.may(Capability.FILE_RETROSPECTIVE),
    }
    return render(request, "afterwards/record.html", context)


@for_people_who_may(Capability.FILE_RETROSPECTIVE, "POST")
def decide(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The second signature, or the record taken back."""
    _get(pk)
    is_yes = request.POST.get("answer") == "sign"
    decided = sign_record if is_yes else drop_record
    done = "Signed. Checklist and review are open." if is_yes else "Taken back."
    back = reverse("ops:retrospective", args=[pk])
    return act(request, back, done, lambda: decided(actor=actor, record_id=pk))


def _get(pk: int) -> RetrospectiveRecord:
    found = RetrospectiveRecord.objects.select_related("branch__project", "finding", "why", "lost", "done_by")
    record = found.filter(pk=pk).first()
    if record is None:
        raise Http404
    return record


def _finding(request: HttpRequest) -> Finding | None:
    number = request.GET.get("finding", "")
    return Finding.objects.filter(pk=int(number)).first() if number.isdigit() and len(number) < 12 else None


def _initial(finding: Finding | None, zone: str) -> dict[str, object]:
    if finding is None:
        return {}
    when: dict[str, object] = dict(moment_initial("done_at", finding.since, zone))
    return when | {
        "finding": str(finding.pk),
        "branch": str(finding.branch_id or ""),
        "kind": RestoreKind.IN_PLACE.value,
    }
