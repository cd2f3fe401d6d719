"""The addresses of the auditor's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from backups.admin import governance
from backups.admin.audit import (
    approvers,
    case_drill,
    case_restore,
    cases,
    catalogue,
    erasing,
    event,
    events,
    exports,
    population,
    population_file,
    reviews,
    start,
    verifications,
)

urlpatterns: list[URLPattern] = [
    path("audit/", start.start, name="audit"),
    path("audit/populations/<slug:slug>/", population.population, name="audit-population"),
    path("audit/verifications/", verifications.ask, name="audit-verify"),
    path("audit/verifications/<int:pk>/", verifications.show, name="audit-verification"),
    path("audit/verifications/<int:pk>/live/", verifications.live, name="audit-verification-live"),
    path("audit/populations/<slug:slug>/file/", population_file.download, name="audit-population-file"),
    path("audit/approvers/", approvers.approvers, name="audit-approvers"),
    path("audit/cases/", cases.listed, name="audit-cases"),
    path("audit/cases/drills/<int:pk>/", case_drill.drill, name="audit-case-drill"),
    path("audit/cases/access/<uuid:event_id>/", cases.access, name="audit-case-access"),
    path("audit/cases/restores/<int:pk>/", case_restore.restore, name="audit-case-restore"),
    path("audit/catalogue/", catalogue.catalogue, name="audit-catalogue"),
    path("audit/events/<uuid:event_id>/proof/", event.proof_file, name="audit-event-proof"),
    path("audit/events/<uuid:event_id>/bytes/", event.bytes_file, name="audit-event-bytes"),
    path("audit/events/<uuid:event_id>/erase/", erasing.ask, name="erase-words"),
    path("audit/erasures/", erasing.listed, name="erasures"),
    path("audit/erasures/<int:pk>/", erasing.decide, name="erasure"),
    path("audit/filters/", events.save, name="audit-filter-save"),
    path("audit/filters/<int:pk>/remove/", events.remove, name="audit-filter-remove"),
    path("audit/exports/", exports.listed, name="audit-exports"),
    path("audit/exports/new/", exports.new, name="audit-export-new"),
    path("audit/exports/<int:pk>/", exports.show, name="audit-export"),
    path("audit/exports/<int:pk>/live/", exports.live, name="audit-export-live"),
    path("audit/exports/<int:pk>/file/", exports.download, name="audit-export-file"),
    path("audit/governance/", governance.listed, name="register"),
    path("projects/<int:pk>/governance/", governance.show, name="governance"),
    path("projects/<int:pk>/governance/new/", governance.propose, name="governance-new"),
    path("governance/<int:pk>/decide/", governance.decide, name="governance-decide"),
    path("audit/reviews/", reviews.listed, name="log-reviews"),
    path("audit/reviews/open/", reviews.start, name="log-review-open"),
    path("audit/reviews/<int:pk>/", reviews.show, name="log-review"),
    path("audit/reviews/<int:pk>/sign/", reviews.sign, name="log-review-sign"),
    path("audit/reviews/<int:pk>/events/<int:item_id>/action/", reviews.action, name="log-review-action"),
]
