"""One whole population: its list, and a sample that anybody can draw again."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.export_link import export_of_population
from backups.admin.audit.links import address, case_of, page_of
from backups.admin.audit.period_form import Chosen, chosen_period
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.people import Actor, Capability
from backups.selectors.audit import populations, sample
from backups.selectors.audit.populations import POPULATIONS, Item, Population
from backups.selectors.clock import database_now
from backups.services.audit_sample import record_sample
from backups.services.reading import record_reading

_SEED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{sample.MAX_SEED - 1}}}")


@dataclass(frozen=True, slots=True)
class Line:
    """One member with the page that shows it, and its case file if it has one; `hash` only in a sample."""

    item: Item
    url: str
    case_url: str
    hash: str = ""


@for_people_who_may(Capability.READ_LEDGER)
def population(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    """The list, newest first, or with `size` in the address a sample."""
    found = POPULATIONS.get(slug)
    if found is None:
        raise Http404("There is no such population.")
    chosen = chosen_period(request, database_now())
    with_sandbox = request.GET.get("sandbox") == "1"
    context = {
        "tabs": audit_tabs(actor, "overview"),
        "population": found,
        "chosen": chosen,
        "with_sandbox": with_sandbox,
        "excluded": 0 if with_sandbox else found.excluded(chosen.period),
        "total": found.within(chosen.period, with_sandbox=with_sandbox).count(),
        "most_sample": sample.MAX_SAMPLE,
        "back_url": address("ops:audit", first=chosen.period.first, last=chosen.period.last),
        "switch_url": _here(found, chosen, sandbox="" if with_sandbox else "1"),
        "export_url": _export(actor, found, chosen, with_sandbox),
        "file_url": address(
            "ops:audit-population-file",
            found.slug,
            first=chosen.period.first,
            last=chosen.period.last,
            sandbox="1" if with_sandbox else "",
        ),
    }
    if "size" in request.GET:
        return _sampled(request, actor, found, chosen, context)
    return _listed(request, actor, found, chosen, context)


def _listed(
    request: HttpRequest, actor: Actor, found: Population, chosen: Chosen, context: dict[str, object]
) -> HttpResponse:
    sandbox = bool(context["with_sandbox"])
    try:
        page = populations.page_of(found, chosen.period, with_sandbox=sandbox, after=request.GET.get("after", ""))
    except ValueError:
        raise Http404("There is no such page.") from None
    record_reading(actor=actor, page=found.slug)
    more = _here(found, chosen, sandbox="1" if sandbox else "", after=page.after) if page.after else ""
    return render(request, "audit/population.html", context | {"lines": _lines(found, page.items), "more_url": more})


def _sampled(
    request: HttpRequest, actor: Actor, found: Population, chosen: Chosen, context: dict[str, object]
) -> HttpResponse:
    """Drawing is an event; without a seed in the address one is made first and written into the address."""
    seed, size = request.GET.get("seed", "").strip(), request.GET["size"].strip()
    error = _error(seed, size)
    if error:
        record_reading(actor=actor, page=found.slug)
        page = populations.page_of(found, chosen.period, with_sandbox=bool(context["with_sandbox"]))
        shown = context | {"lines": _lines(found, page.items), "sample_error": error, "seed": seed, "size": size}
        return render(request, "audit/population.html", shown, status=422)
    seed = seed or secrets.token_hex(8)
    sandbox = bool(context["with_sandbox"])
    drawn = sample.drawn(found, chosen.period, seed=seed, size=int(size), with_sandbox=sandbox)
    record_sample(
        actor=actor, population=found.slug, period=chosen.period, seed=seed, size=int(size), with_sandbox=sandbox
    )
    again = _here(found, chosen, sandbox="1" if sandbox else "", size=size, seed=seed)
    lines = _lines(found, drawn, seed)
    shown = context | {"lines": lines, "seed": seed, "size": size, "is_sample": True, "again_url": again}
    return render(request, "audit/population.html", shown)


def _export(actor: Actor, found: Population, chosen: Chosen, with_sandbox: bool) -> str:
    if not actor.may(Capability.EXPORT_LEDGER):
        return ""
    return export_of_population(found.slug, chosen.period, with_sandbox=with_sandbox)


def _error(seed: str, size: str) -> str:
    if not size.isdecimal() or not 1 <= int(size) <= sample.MAX_SAMPLE:
        return f"Write a number from 1 to {sample.MAX_SAMPLE} as the size. No sample was drawn."
    if seed and not _SEED.fullmatch(seed):
        return "A seed is up to 64 letters, digits, points and dashes, a letter or digit first. No sample was drawn."
    return ""


def _lines(found: Population, items: list[Item], seed: str = "") -> list[Line]:
    return [
        Line(
            item,
            page_of(item.kind, _pk(item)),
            case_of("access" if found.slug == "access-changes" else item.kind, _pk(item)),
            sample.hash_of(seed, item.id) if seed else "",
        )
        for item in items
    ]


def _pk(item: Item) -> str:
    """References such as R-0142 and finding-7 end in the number that addresses use."""
    return item.id if item.kind == "event" else str(int(item.id.rpartition("-")[2]))


def _here(found: Population, chosen: Chosen, **query: object) -> str:
    period = chosen.period
    return address("ops:audit-population", found.slug, first=period.first, last=period.last, **query)
