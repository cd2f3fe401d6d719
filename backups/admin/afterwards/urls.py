"""The addresses of what is left after a restore, of safety copies and of tokens."""

from __future__ import annotations

from django.urls import path

from backups.admin import api, tokens
from backups.admin.afterwards import checklist, removal, retrospective, review
from backups.admin.safety_copy import pages

urlpatterns = [
    path("afterwards/", checklist.listed, name="afterwards-list"),
    path("afterwards/<int:pk>/", checklist.show, name="afterwards"),
    path("afterwards/<int:pk>/points/<int:point_id>/", checklist.point, name="afterwards-point"),
    path("afterwards/<int:pk>/keep/", checklist.keep, name="afterwards-keep"),
    path("afterwards/<int:pk>/actions/new/", checklist.action, name="afterwards-action"),
    path("afterwards/<int:pk>/remove/", removal.ask_for_state, name="removal-state"),
    path("afterwards/<int:pk>/review/", review.show, name="review"),
    path("afterwards/<int:pk>/review/write/", review.write, name="review-write"),
    path("afterwards/<int:pk>/review/sign/", review.sign, name="review-sign"),
    path("branches/<int:pk>/afterwards/", checklist.setup, name="afterwards-setup"),
    path("removals/<int:pk>/", removal.decide, name="removal"),
    path("retrospectives/new/", retrospective.new, name="retrospective-new"),
    path("retrospectives/<int:pk>/", retrospective.show, name="retrospective"),
    path("retrospectives/<int:pk>/decide/", retrospective.decide, name="retrospective-decide"),
    path("safety-copies/", pages.listed, name="safety-copies"),
    path("safety-copies/new/", pages.new, name="safety-copy-new"),
    path("safety-copies/<int:pk>/", pages.show, name="safety-copy"),
    path("safety-copies/<int:pk>/remove/", removal.ask_for_copy, name="safety-copy-remove"),
    path("branches/<int:pk>/safety-copies/", pages.schedule, name="safety-schedule"),
    path("tokens/", tokens.listed, name="tokens"),
    path("tokens/new/", tokens.new, name="token-new"),
    path("tokens/<int:pk>/revoke/", tokens.revoke, name="token-revoke"),
    path("api/safety-copies", api.safety_copies, name="api-safety-copies"),
    path("api/safety-copies/<slug:reference>", api.safety_copy, name="api-safety-copy"),
]
