"""What holds for every request: its id, and the headers of its answer."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from backups.domain.correlation import request_id_scope

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with request_id_scope(request.headers.get("X-Request-ID", "")) as request_id:
            request.request_id = request_id  # type: ignore[attr-defined]
            response = self.get_response(request)
            response.headers["X-Request-ID"] = request_id
            return response


class ResponseHeadersMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.headers = {
            "Content-Security-Policy": content_security_policy(settings.SECURE_CSP),
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in self.headers.items():
            # A view may only be stricter: a file that people attached is served in a sandbox.
            response.headers.setdefault(name, value)
        # Static files say themselves how long they keep; nothing else may stay in a cache or behind "back".
        if "immutable" not in response.headers.get("Cache-Control", "") and not _is_static(request):
            response.headers["Cache-Control"] = "no-store, private"
        return response


def content_security_policy(directives: dict[str, list[str]]) -> str:
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


def _is_static(request: HttpRequest) -> bool:
    return request.path.startswith(settings.STATIC_URL)
