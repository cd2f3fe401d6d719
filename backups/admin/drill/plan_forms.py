"""The form of a drill plan, with checks of one's own below it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, ClassVar

from django import forms
from django.utils.datastructures import MultiValueDict

from backups.admin.drill import words
from backups.admin.drill.forms import minutes_field, seconds_of
from backups.admin.form_parts import PlainForm
from backups.admin.restore.forms import branch_choices
from backups.admin.words import SCENARIO
from backups.domain.drill import PointChoice, ScheduleKind
from backups.domain.restore import Scenario
from backups.models import DrillPlan
from backups.services.drill.check_words import built_in_checks, operator_choices
from backups.services.drill.input import OwnCheck, PlanWish
from backups.services.restore.errors import InvalidInput

#: Empty rows offered below the checks that there are; saving a plan brings new ones.
BLANK_CHECKS = 2

#: Field of the service -> field of the form, where they differ.
_FIELD = {
    "interval_seconds": "interval_minutes",
    "point_age_seconds": "point_age_minutes",
    "row_tolerance_parts_per_million": "tolerance_parts_per_million",
    "rto_objective_seconds": "rto_minutes",
    "rpo_objective_seconds": "rpo_minutes",
    "time_limit_seconds": "limit_minutes",
    "good_for_seconds": "good_for_days",
    "slot_grace_seconds": "grace_minutes",
}
_SCHEDULES = {
    ScheduleKind.BY_HAND: "Only when somebody presses Run now",
    ScheduleKind.CRON: "At fixed times (five fields of cron, in UTC)",
    ScheduleKind.INTERVAL: "Again and again, so many minutes apart",
}


class PlanForm(PlainForm):
    """What a plan says. Lengths are typed in minutes or days."""

    MOMENTS: ClassVar[dict[str, str]] = {}

    branch = forms.ChoiceField(label="Branch", error_messages={"required": "Choose the branch."})
    name = forms.CharField(label="Name", max_length=120)
    scenario = forms.ChoiceField(
        label="Scenario",
        choices=[(each.value, text) for each, text in SCENARIO.items()],
        initial=Scenario.REHEARSAL.value,
    )
    schedule_kind = forms.ChoiceField(
        label="When",
        widget=forms.RadioSelect,
        choices=[(each.value, text) for each, text in _SCHEDULES.items()],
        initial=ScheduleKind.BY_HAND.value,
    )
    cron = forms.CharField(
        label="Cron",
        required=False,
        max_length=100,
        help_text="Minute, hour, day of month, month, day of week: 0 3 * * 1 is each Monday at 03:00 UTC.",
    )
    interval_minutes = minutes_field("Minutes apart")
    point_choice = forms.ChoiceField(
        label="Which moment is recovered",
        widget=forms.RadioSelect,
        choices=[(each.value, f"{text[0].upper()}{text[1:]}") for each, text in words.POINT.items()],
        initial=PointChoice.RANDOM.value,
    )
    point_age_minutes = minutes_field("How old that moment is")
    rto_minutes = minutes_field("Recovery time wanted")
    rpo_minutes = minutes_field("Lost data allowed")
    limit_minutes = minutes_field("Time limit of the drill")
    good_for_days = forms.IntegerField(
        label="A good drill counts for",
        min_value=1,
        max_value=400,
        initial=7,
        help_text="In days. After that the proof fades; after twice as long it is worth nothing.",
    )
    grace_minutes = minutes_field("May begin late by")
    tolerance_parts_per_million = forms.IntegerField(
        label="Rows that may differ", min_value=0, max_value=1_000_000, initial=0, help_text="Of a million. 0: none."
    )
    left_out_checks = forms.MultipleChoiceField(
        label="Built-in checks to leave out", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, plan: DrillPlan | None = None, **kwargs: Any) -> None:
        super().__init__(*args, initial=kwargs.pop("initial", None) or initial_of(plan), **kwargs)
        self.fields["branch"].choices = [("", "Choose…"), *branch_choices()]  # type: ignore[attr-defined]
        self.fields["left_out_checks"].choices = built_in_checks()  # type: ignore[attr-defined]
        for name in ("rto_minutes", "limit_minutes", "grace_minutes"):
            self.fields[name].required = True
        if plan is not None:
            self.fields["branch"].disabled = True

    def wish(self, checks: CheckRows) -> PlanWish:
        """What was typed; call it only when form and rows are valid."""
        typed = self.cleaned_data
        return PlanWish(
            branch_id=int(typed["branch"]),
            name=typed["name"],
            scenario=Scenario(typed["scenario"]),
            schedule_kind=ScheduleKind(typed["schedule_kind"]),
            cron=typed["cron"],
            interval_seconds=seconds_of(typed["interval_minutes"]),
            point_choice=PointChoice(typed["point_choice"]),
            point_age_seconds=seconds_of(typed["point_age_minutes"]) if self._is_aged else None,
            row_tolerance_parts_per_million=typed["tolerance_parts_per_million"],
            left_out_checks=tuple(typed["left_out_checks"]),
            rto_objective_seconds=typed["rto_minutes"] * 60,
            rpo_objective_seconds=seconds_of(typed["rpo_minutes"]),
            time_limit_seconds=typed["limit_minutes"] * 60,
            good_for_seconds=typed["good_for_days"] * 24 * 3600,
            slot_grace_seconds=typed["grace_minutes"] * 60,
            own_checks=checks.own_checks(),
        )

    def take(self, invalid: InvalidInput) -> None:
        """The service speaks of seconds; the sentence stands beside the field that people see."""
        super().take(InvalidInput({_FIELD.get(name, name): words for name, words in invalid.errors.items()}))

    @property
    def _is_aged(self) -> bool:
        return bool(self.cleaned_data["point_choice"] == PointChoice.FIXED_AGE)


def initial_of(plan: DrillPlan | None) -> dict[str, Any]:
    """The form's fields for a plan; without one, what suits most."""
    if plan is None:
        return {"rto_minutes": 15, "rpo_minutes": 5, "limit_minutes": 30, "grace_minutes": 60}
    return {
        "branch": str(plan.branch_id),
        "name": plan.name,
        "scenario": plan.scenario,
        "schedule_kind": plan.schedule_kind,
        "cron": plan.cron,
        "interval_minutes": _minutes(plan.interval_seconds),
        "point_choice": plan.point_choice,
        "point_age_minutes": _minutes(plan.point_age_seconds),
        "rto_minutes": _minutes(plan.rto_objective_seconds),
        "rpo_minutes": _minutes(plan.rpo_objective_seconds),
        "limit_minutes": _minutes(plan.time_limit_seconds),
        "good_for_days": max(1, round(plan.good_for_seconds / 86_400)),
        "grace_minutes": _minutes(plan.slot_grace_seconds),
        "tolerance_parts_per_million": plan.row_tolerance_parts_per_million,
        "left_out_checks": plan.left_out_checks,
    }


class OwnCheckForm(forms.Form):
    """One check of one's own. A row without title and statement is no check."""

    title = forms.CharField(label="Title", max_length=120, required=False)
    statement = forms.CharField(
        label="Statement", required=False, max_length=4000, widget=forms.Textarea({"rows": 3, "spellcheck": "false"})
    )
    operator = forms.ChoiceField(label="Its answer", required=False)
    expected = forms.CharField(label="Expected", max_length=200, required=False)
    expected_to = forms.CharField(label="and (for “between”)", max_length=200, required=False)
    database = forms.CharField(label="Database, if not the main one", max_length=63, required=False)
    is_required = forms.BooleanField(label="The drill fails when this fails", required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["operator"].choices = operator_choices()  # type: ignore[attr-defined]

    @property
    def is_blank(self) -> bool:
        typed = getattr(self, "cleaned_data", {})
        return not typed.get("title", "").strip() and not typed.get("statement", "").strip()

    def own_check(self) -> OwnCheck:
        known = [each.name for each in fields(OwnCheck)]
        return OwnCheck(**{name: self.cleaned_data[name] for name in known})


class CheckRows:
    """The rows of one's own checks, and the sentences that refuse one of them."""

    def __init__(self, plan: DrillPlan | None, data: MultiValueDict[str, str] | None = None) -> None:
        stored = list(plan.own_checks.all()) if plan is not None else []
        count = len(stored) + BLANK_CHECKS
        if data is not None:
            count = max(count, sum(key.startswith("check-") and key.endswith("-title") for key in data))
        initials = [{name: getattr(each, name, "") for name in OwnCheckForm.base_fields} for each in stored]
        self.forms = [
            OwnCheckForm(data, prefix=f"check-{number}", initial=initials[number] if number < len(stored) else None)
            for number in range(min(count, 60))
        ]
        self.error = ""

    def __iter__(self) -> Iterator[OwnCheckForm]:
        return iter(self.forms)

    def is_valid(self) -> bool:
        verdicts = [form.is_valid() for form in self.forms]
        return all(verdicts)

    def own_checks(self) -> tuple[OwnCheck, ...]:
        """Those that are filled in, in their order."""
        return tuple(form.own_check() for form in self.forms if not form.is_blank)

    def take(self, invalid: InvalidInput) -> None:
        """Puts the sentence beside the row that it names, else above them all."""
        sentence = invalid.errors.get("own_checks", "")
        for form in self.forms:
            title = form.cleaned_data.get("title", "").strip()
            if title and sentence.startswith(f"{title}: "):
                form.add_error("statement", sentence.removeprefix(f"{title}: "))
                return
        self.error = sentence


def _minutes(seconds: int | None) -> int | None:
    return None if seconds is None else max(1, round(seconds / 60))


class PreviewedSchedule:
    """What was typed, as far as it says when; for the next times before anything is saved."""

    def __init__(self, form: PlanForm, now: dt.datetime) -> None:
        typed = form.cleaned_data
        self.schedule_kind: str = typed.get("schedule_kind") or ScheduleKind.BY_HAND.value
        self.cron: str = typed.get("cron", "")
        self.interval_seconds = seconds_of(typed.get("interval_minutes"))
        self.interval_from: dt.datetime | None = now
