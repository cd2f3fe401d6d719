"""The addresses of the monitor's pages."""

from __future__ import annotations

from django.urls import path

from backups.admin.monitor import branch, finding, overview, plan

urlpatterns = [
    path("monitor/", overview.monitor, name="monitor"),
    path("monitor/findings/<int:pk>/", finding.show, name="finding"),
    path("monitor/findings/<int:pk>/acknowledge/", finding.acknowledge, name="finding-acknowledge"),
    path("monitor/findings/<int:pk>/give/", finding.give, name="finding-give"),
    path("monitor/findings/<int:pk>/explain/", finding.explain, name="finding-explain"),
    path("monitor/branches/<int:pk>/", branch.show, name="branch-health"),
    path("monitor/branches/<int:pk>/declare/", plan.declare, name="declare-backups"),
    path("monitor/branches/<int:pk>/propose/", plan.propose, name="propose-backups"),
    path("monitor/plan-proposals/<int:pk>/", plan.proposal, name="plan-proposal"),
]
