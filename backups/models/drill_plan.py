"""Plans of automatic drills, and checks of one's own."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from backups.domain.drill import PointChoice, ScheduleKind
from backups.domain.restore import Scenario
from backups.models.choices import choices, one_of
from backups.models.project import ProtectedBranch


class DrillPlan(models.Model):
    """How one branch's recovery is rehearsed, how often, and against which objectives."""

    name = models.CharField(max_length=120)
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="drill_plans")
    scenario = models.CharField(max_length=30, choices=choices(Scenario), default=Scenario.REHEARSAL)
    schedule_kind = models.CharField(max_length=10, choices=choices(ScheduleKind), default=ScheduleKind.BY_HAND)
    cron = models.CharField(max_length=100, blank=True, help_text="Five fields, in UTC")
    interval_seconds = models.PositiveIntegerField(null=True, blank=True)
    interval_from = models.DateTimeField(null=True, blank=True, help_text="Intervals are counted from here")
    point_choice = models.CharField(max_length=10, choices=choices(PointChoice), default=PointChoice.RANDOM)
    point_age_seconds = models.PositiveIntegerField(null=True, blank=True)
    row_tolerance_parts_per_million = models.PositiveIntegerField(default=0)
    left_out_checks = models.JSONField(default=list, blank=True, help_text="Codes of built-in checks not made")
    rto_objective_seconds = models.PositiveIntegerField(default=15 * 60)
    rpo_objective_seconds = models.PositiveIntegerField(
        default=5 * 60, null=True, blank=True, help_text="Empty: the age of the newest data is measured and not judged"
    )
    time_limit_seconds = models.PositiveIntegerField(default=30 * 60)
    good_for_seconds = models.PositiveIntegerField(
        default=7 * 24 * 3600, help_text="How long a good drill proves recovery; after that it fades"
    )
    slot_grace_seconds = models.PositiveIntegerField(
        default=3600, help_text="A drill that could not begin within this time was missed"
    )
    is_active = models.BooleanField(default=True)
    planned_until = models.DateTimeField(null=True, help_text="Every planned time up to here has its slot")
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["branch", "name"], name="drill_plan_name_once"),
            one_of("schedule_kind", ScheduleKind, "drill_plan_schedule"),
            one_of("point_choice", PointChoice, "drill_plan_point"),
            models.CheckConstraint(
                condition=Q(schedule_kind=ScheduleKind.BY_HAND, cron="", interval_seconds__isnull=True)
                | Q(schedule_kind=ScheduleKind.CRON, interval_seconds__isnull=True) & ~Q(cron="")
                | Q(
                    schedule_kind=ScheduleKind.INTERVAL,
                    cron="",
                    interval_seconds__gte=60,
                    interval_from__isnull=False,
                ),
                name="drill_plan_schedule_shape",
            ),
            models.CheckConstraint(
                condition=Q(point_choice=PointChoice.FIXED_AGE, point_age_seconds__isnull=False)
                | (~Q(point_choice=PointChoice.FIXED_AGE) & Q(point_age_seconds__isnull=True)),
                name="drill_plan_point_shape",
            ),
            models.CheckConstraint(condition=Q(time_limit_seconds__gte=30), name="drill_plan_time_limit"),
        ]

    def __str__(self) -> str:
        return self.name


class DrillCheck(models.Model):
    """A check of one's own: one reading statement and what its result must be."""

    plan = models.ForeignKey(DrillPlan, on_delete=models.CASCADE, related_name="own_checks")
    title = models.CharField(max_length=120)
    database = models.CharField(max_length=63, blank=True, help_text="Empty: the branch's main database")
    statement = models.TextField(max_length=4000)
    operator = models.CharField(max_length=20)
    expected = models.CharField(max_length=200, blank=True)
    expected_to = models.CharField(max_length=200, blank=True, help_text="For between: the upper end")
    is_required = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["plan", "position", "pk"]
        constraints = [models.UniqueConstraint(fields=["plan", "title"], name="drill_check_title_once")]

    def __str__(self) -> str:
        return self.title
