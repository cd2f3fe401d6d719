"""The addresses of the portal's own pages. Django's admin lies below them."""

from __future__ import annotations

from django.urls import path

from backups.admin import display, look, notification, overview, project, readiness
from backups.admin.afterwards import urls as afterwards_urls
from backups.admin.audit import urls as audit_urls
from backups.admin.drill import urls as drill_urls
from backups.admin.monitor import urls as monitor_urls
from backups.admin.restore import filing, request, resolve, start, unsealed, vote

app_name = "ops"

urlpatterns = [
    path("", overview.start, name="start"),
    path("display/", display.set_display, name="display"),
    path("restores/", overview.queue, name="queue"),
    path("restores/new/", filing.file, name="file"),
    path("restores/<int:pk>/", request.show, name="request"),
    path("restores/<int:pk>/live/", request.live, name="live"),
    path("restores/<int:pk>/edit/", filing.edit, name="edit"),
    path("restores/<int:pk>/submit/", request.submit, name="submit"),
    path("restores/<int:pk>/withdraw/", vote.withdraw, name="withdraw"),
    path("restores/<int:pk>/vote/", vote.vote, name="vote"),
    path("restores/<int:pk>/take-back/", request.take_back, name="take-back"),
    path("restores/<int:pk>/comment/", vote.comment, name="comment"),
    path("restores/<int:pk>/start/", start.start, name="start-restore"),
    path("restores/<int:pk>/stop/", request.stop, name="stop"),
    path("restores/<int:pk>/unsealed/", unsealed.unsealed, name="unsealed"),
    path("restores/<int:pk>/look-again/", request.look, name="look-again"),
    path("restores/<int:pk>/verify-again/", request.verify, name="verify-again"),
    path("restores/<int:pk>/resolve/<slug:kind>/", resolve.propose, name="resolve"),
    path("restores/<int:pk>/confirm/", resolve.confirm, name="confirm"),
    path("restores/<int:pk>/drop-proposal/", request.drop, name="drop-proposal"),
    path("restores/<int:pk>/undo/", filing.undo, name="undo"),
    path("looks/new/", look.new, name="look-new"),
    path("looks/<int:pk>/", look.show, name="look"),
    path("looks/<int:pk>/live/", look.live, name="look-live"),
    path("looks/<int:pk>/close/", look.close, name="look-close"),
    *drill_urls.urlpatterns,
    path("readiness/", readiness.show, name="readiness"),
    path("readiness/duties/<slug:code>/", readiness.say, name="duty"),
    path("projects/<int:pk>/runbook/", readiness.runbook, name="runbook"),
    *afterwards_urls.urlpatterns,
    *monitor_urls.urlpatterns,
    *audit_urls.urlpatterns,
    path("projects/", project.projects, name="projects"),
    path("projects/new/", project.connect, name="connect"),
    path("projects/<int:pk>/check/", project.check, name="check"),
    path("projects/<int:pk>/", project.show, name="project"),
    path("branches/<int:pk>/environment/", project.environment, name="environment"),
    path("proposals/<int:pk>/", project.proposal, name="proposal"),
    path("notifications/", notification.notifications, name="notifications"),
    path("notifications/routes/", notification.routes, name="notifications-routes"),
    path("notifications/test/", notification.try_out, name="notifications-test"),
]
