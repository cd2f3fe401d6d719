"""The addresses of drills, their plans and what people add to them."""

from __future__ import annotations

from django.urls import path

from backups.admin.drill import action, acts, canary, exercise, overview, plans, report, trends

urlpatterns = [
    path("drills/", overview.drills, name="drills"),
    path("drills/trends/", trends.show, name="drill-trends"),
    path("branches/<int:pk>/canary/", canary.show, name="canary"),
    path("drills/new/", exercise.new, name="drill-new"),
    path("drills/<int:pk>/", report.show, name="drill"),
    path("drills/<int:pk>/live/", report.live, name="drill-live"),
    path("drills/<int:pk>/edit/", exercise.edit, name="drill-edit"),
    path("drills/<int:pk>/add/<slug:what>/", acts.add, name="drill-add"),
    path("drills/<int:pk>/sign/", acts.sign, name="drill-sign"),
    path("drills/<int:pk>/participants/<int:participant>/take-off/", exercise.take_off, name="drill-take-off"),
    path("drills/<int:pk>/files/<int:file>/", exercise.file, name="drill-file"),
    path("drills/<int:pk>/cancel/", plans.cancel, name="drill-cancel"),
    path("drills/plans/new/", plans.new, name="plan-new"),
    path("drills/plans/<int:pk>/", plans.show, name="plan"),
    path("drills/plans/<int:pk>/edit/", plans.edit, name="plan-edit"),
    path("drills/plans/<int:pk>/retire/", plans.retire, name="plan-retire"),
    path("drills/plans/<int:pk>/run/", plans.run, name="plan-run"),
    path("actions/<int:pk>/", action.show, name="action"),
]
