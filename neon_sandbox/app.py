"""The WSGI face: keys, routes, error bodies, recorded calls, and faults."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from neon_sandbox import keys
from neon_sandbox.access import refuse_beyond
from neon_sandbox.api.request import Handler, Reply, Request, query_of
from neon_sandbox.api.routes import CONTROL, NEON, Routes
from neon_sandbox.entities import Key
from neon_sandbox.faults import Fault, without_fields
from neon_sandbox.limits import RateLimits
from neon_sandbox.problems import ApiProblem, locked
from neon_sandbox.sandbox import Sandbox
from neon_sandbox.traffic import Exchange, Observer

log = logging.getLogger(__name__)
PREFIX = "/api/v2"
LARGEST_BODY_BYTES = 1 << 20
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"}
HTML_PAGE = "<!DOCTYPE html><html><head><title>524</title></head><body>A timeout occurred</body></html>"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class ConnectionDropped(Exception):
    """No answer is to be given: the server closes the connection."""


class App:
    # Told of every answer to a call of Neon's API, whichever App of this process gave it.
    observers: ClassVar[list[Observer]] = []

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.limits = RateLimits()

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        request = _request_from(environ)
        if request.path.startswith("/_sandbox"):
            reply, fault = self._control(request), None
        else:
            reply, fault = self._neon(request)
        body = reply.body if isinstance(reply.body, bytes) else reply.encoded()
        headers = _headers(reply, request, body)
        if not request.path.startswith("/_sandbox"):
            self._tell(request, reply, body, dict(headers).get("Content-Type", ""), fault)
        start_response(f"{reply.status} {REASONS.get(reply.status, 'Error')}", headers)
        return self._dripping(fault)(body) if fault and fault.kind == "drip" else [body]

    def _tell(self, request: Request, reply: Reply, body: bytes, content_type: str, fault: Fault | None) -> None:
        if not self.observers:
            return
        exchange = Exchange(
            method=request.method,
            path=request.path,
            status=reply.status,
            query=request.query,
            request_body=request.raw_body.decode(errors="replace"),
            user_agent=request.headers.get("user-agent", ""),
            content_type=content_type,
            body=body.decode(errors="replace"),
            fault=fault.kind if fault else None,
        )
        for observer in self.observers:
            observer(exchange)

    # One call of Neon's API

    def _neon(self, request: Request) -> tuple[Reply, Fault | None]:
        call = self._sandbox.calls.begin(request)
        fault = self._sandbox.faults.take(request.method, request.path)
        call["fault"] = fault.kind if fault else None
        reply = self._perform_badly(request, call, fault) if fault else self._perform(request, call)
        self._sandbox.calls.ended(call, reply.status, answered=True)
        return reply, fault

    def _perform(self, request: Request, call: dict[str, Any]) -> Reply:
        reply = self._answered(request, lambda: self._dispatch_neon(request))
        self._sandbox.calls.performed(call, reply)
        return reply

    def _dispatch_neon(self, request: Request) -> Reply:
        key = self._key(request)
        if key is None or key.revoked_at is not None:
            raise ApiProblem(401, "supplied credentials do not pass authentication")
        refuse_beyond(key, request)
        handler, ids = _route(NEON, request)
        if self._sandbox.plane.settings.rate_limits:
            consumption = request.path.startswith("/consumption_history")
            self.limits.admit(key.id, handler.__name__, consumption=consumption)
        return handler(self._sandbox.plane, replace(request, key_kind=key.kind, key_project_id=key.project_id), **ids)

    def _control(self, request: Request) -> Reply:
        return self._answered(request, lambda: self._dispatch_control(request))

    def _dispatch_control(self, request: Request) -> Reply:
        # A revoked key still steers the sandbox: it is what the tests hold that revoked it.
        if self._key(request) is None:
            raise ApiProblem(401, "a key of the sandbox is required")
        handler, ids = _route(CONTROL, request)
        return handler(self._sandbox, request, **ids)

    def _key(self, request: Request) -> Key | None:
        return keys.key_of(self._sandbox.plane.store, request.headers.get("authorization", ""))

    def _answered(self, request: Request, act: Callable[[], Reply]) -> Reply:
        try:
            return act()
        except ApiProblem as problem:
            return _problem(request, problem)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return _problem(request, ApiProblem(500, "internal error of the sandbox; see its log"))

    # Misbehaviour

    def _perform_badly(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        acts: dict[str, Callable[[Request, dict[str, Any], Fault], Reply]] = {
            "lose_answer": self._lose_answer,
            "apply_late": self._apply_late,
            "status": self._status,
            "error_after_success": self._error_after_success,
            "hang": self._hang,
            "html": self._html,
            "drop_fields": self._drop_fields,
            "delay_operations": self._delay_operations,
            "operation_fails": self._operation_fails,
            "revoke_key": self._revoke_key,
            "foreign_operation": self._foreign_operation,
        }
        act = acts.get(fault.kind)
        return act(request, call, fault) if act else self._perform(request, call)

    def _lose_answer(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        reply = self._perform(request, call)
        self._sandbox.calls.ended(call, reply.status, answered=False)
        raise ConnectionDropped

    def _apply_late(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        self._sandbox.calls.ended(call, None, answered=False)

        def apply() -> None:
            if not self._sandbox.stopping.wait(fault.seconds(1)):
                self._sandbox.calls.ended(call, self._perform(request, call).status, answered=False)

        threading.Thread(target=apply, name="late-call", daemon=True).start()
        raise ConnectionDropped

    def _status(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        status = int(fault.parameters.get("status", 503))
        message = locked().message if status == 423 else f"the sandbox was told to answer {status}"
        reply = _problem(request, ApiProblem(status, str(fault.parameters.get("message", message))))
        if "retry_after" in fault.parameters:
            return replace(reply, headers=(("Retry-After", str(fault.parameters["retry_after"])),))
        return reply

    def _error_after_success(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        self._perform(request, call)
        return _problem(request, ApiProblem(int(fault.parameters.get("status", 500)), "internal server error"))

    def _hang(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        if fault.parameters.get("apply"):
            self._perform(request, call)
        fault.removed.wait(fault.seconds(3600))
        self._sandbox.calls.ended(call, None, answered=False)
        raise ConnectionDropped

    def _html(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        if fault.parameters.get("apply"):
            self._perform(request, call)
        return Reply(int(fault.parameters.get("status", 524)), HTML_PAGE.encode(), (("Content-Type", "text/html"),))

    def _drop_fields(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        reply = self._perform(request, call)
        return replace(reply, body=without_fields(reply.body, set(fault.parameters.get("fields", ()))))

    def _delay_operations(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        return self._perform(replace(request, effects={"extra_seconds": fault.seconds(1)}), call)

    def _operation_fails(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        return self._perform(replace(request, effects={"failure": dict(fault.parameters)}), call)

    def _revoke_key(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        if key := self._key(request):
            keys.revoke(self._sandbox.plane.store, key)
        return self._perform(request, call)

    def _foreign_operation(self, request: Request, call: dict[str, Any], fault: Fault) -> Reply:
        project_id = request.path.split("/")[2]
        if not self._sandbox.plane.locked(project_id):
            self._sandbox.start_foreign_operation(project_id, fault.seconds(1))
        return self._perform(request, call)

    def _dripping(self, fault: Fault) -> Callable[[bytes], Iterator[bytes]]:
        def drip(body: bytes) -> Iterator[bytes]:
            for position in range(len(body)):
                if fault.removed.wait(float(fault.parameters.get("interval_seconds", 1))):
                    yield body[position:]
                    return
                yield body[position : position + 1]

        return drip


def _route(routes: Routes, request: Request) -> tuple[Handler, dict[str, str]]:
    known_path = False
    for method, pattern, handler in routes:
        if found := pattern.fullmatch(request.path):
            known_path = True
            if method == request.method:
                return handler, found.groupdict()
    raise ApiProblem(405, "method not allowed") if known_path else ApiProblem(404, "this route does not exist")


def _problem(request: Request, problem: ApiProblem) -> Reply:
    body = {"request_id": request.id, "code": problem.code, "message": problem.message}
    return Reply(problem.status, body, problem.headers)


def _headers(reply: Reply, request: Request, body: bytes) -> list[tuple[str, str]]:
    headers = {"Content-Type": "application/json", **dict(reply.headers)} if body else dict(reply.headers)
    headers["x-neon-ret-request-id"] = request.id
    if reply.status != 204:
        headers["Content-Length"] = str(len(body))
    return list(headers.items())


def _request_from(environ: Mapping[str, Any]) -> Request:
    headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    path = environ.get("PATH_INFO", "/")
    wanted_id = headers.get("x-request-id", "")
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path.removeprefix(PREFIX) or "/",
        query=query_of(environ.get("QUERY_STRING", "")),
        raw_body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
        headers=headers,
        id=wanted_id if _REQUEST_ID.fullmatch(wanted_id) else str(uuid.uuid4()),
    )
