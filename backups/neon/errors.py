"""Every way in which a call to Neon can end badly.

Each message says what happened, what was not done, and what to do next. None holds a secret: the path has
ids only, and Neon's own words are cleaned before they get here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """Which call failed. `status` is None when no answer came."""

    method: str
    path: str
    request_id: str
    status: int | None = None
    neon_request_id: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class NeonError(Exception):
    """Base of all. `str()` is fit for a page and for an event."""

    happened = "the call failed"
    not_done = "Nothing was changed."
    next_step = "Look at the worker's log."

    def __init__(self, call: Call, detail: str = "", *, code: str = "") -> None:
        self.call = call
        self.detail = detail
        self.code = code
        super().__init__(call, detail)

    @property
    def method(self) -> str:
        return self.call.method

    @property
    def path(self) -> str:
        return self.call.path

    @property
    def request_id(self) -> str:
        return self.call.request_id

    @property
    def status(self) -> int | None:
        return self.call.status

    @property
    def neon_request_id(self) -> str | None:
        return self.call.neon_request_id

    def __str__(self) -> str:
        answer = f" (HTTP {self.status})" if self.status is not None else ""
        code = f" {self.code}:" if self.code else ""
        detail = f":{code} {self.detail}" if self.detail else (f":{code[:-1]}" if code else "")
        return (
            f"{self.happened}, {self.call}{answer}{detail}. {self.not_done} {self.next_step}"
            f" [request {self.request_id}]"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.call} status={self.status} request={self.request_id}>"


class TryLater(NeonError):
    """Nothing was done, and the same call may be made again after `retry_after_seconds`.

    `asked_by_neon` tells whether Neon named that time; otherwise it is our own back-off for a first
    attempt, and a caller that counts attempts should use `retry.backoff_seconds`.
    """

    next_step = "It is safe to try again."

    def __init__(
        self,
        call: Call,
        detail: str = "",
        *,
        code: str = "",
        retry_after_seconds: float = 0.0,
        asked_by_neon: bool = False,
    ) -> None:
        super().__init__(call, detail, code=code)
        self.retry_after_seconds = retry_after_seconds
        self.asked_by_neon = asked_by_neon

    def __str__(self) -> str:
        return f"{super().__str__()} (earliest in {self.retry_after_seconds:.1f} s)"


class NeonBusy(TryLater):
    """423: the project has other operations under way, ours or Neon's own."""

    happened = "Neon is busy with other operations of this project"
    next_step = "Try again when they have finished."


class NeonRateLimited(TryLater):
    happened = "Neon's rate limit was reached"
    next_step = "Try again after the wait."


class NeonUnavailable(TryLater):
    """No connection, or Neon said that it could not serve us; for a read also a lost or broken answer."""

    happened = "Neon could not be reached or could not answer"
    next_step = "Try again; if it lasts, look at neonstatus.com and at this machine's network."


class HeldBack(TryLater):
    """Not sent: whoever made the client said, just before this call, that none may go out now."""

    happened = "The portal held the call back"


class NeonKeyRejected(NeonError):
    happened = "Neon does not accept the API key"
    next_step = "Put a valid key into NEON_API_KEY and restart the worker."


class NeonForbidden(NeonError):
    happened = "The API key may not do this"
    next_step = "Check the key's rights and the plan of the Neon project."


class NeonNotFound(NeonError):
    happened = "Neon knows no such object, or hides it from this key"
    next_step = "Check that the project and the branch still exist and that the key may see them."


class NeonRefused(NeonError):
    """Neon understood the call and declined it; `code` and `detail` are Neon's own words."""

    happened = "Neon refused the call"
    next_step = "Read the reason; the same call will be refused again."

    @property
    def limit_reached(self) -> bool:
        """A cap of the plan, such as BRANCHES_LIMIT_EXCEEDED or ROOT_BRANCHES_LIMIT_EXCEEDED."""
        return self.code.endswith("LIMIT_EXCEEDED")

    @property
    def not_ready_yet(self) -> bool:
        """The branch is still being made. Neon has no code for it, so its words decide."""
        return "not ready yet" in self.detail


class NeonOutOfWindow(NeonRefused):
    """406: figures of consumption are kept for a week by the hour, 60 days by the day and a year by the month."""

    happened = "Neon keeps no figures for this range at this granularity"
    next_step = "Ask for a later begin or a coarser granularity."


class AnswerUnusable(NeonError):
    """A read came back in a form that can't be trusted (HTML, broken JSON, a redirect, a missing part)."""

    happened = "Neon's answer could not be used"
    not_done = "Nothing was changed, and nothing was concluded from it."
    next_step = "Try again; if it lasts, check NEON_API_HOST and what stands between this machine and Neon."


class AnswerTooLarge(AnswerUnusable):
    happened = "Neon's answer was larger than this portal reads"
    next_step = "Check NEON_API_HOST."


class OutcomeUnknown(NeonError):
    """A change was sent and no usable answer came back: it may have happened, or may still happen.

    Never send it again before having looked. `safe_to_repeat` is True only for calls that do no harm when
    they happen twice (see `catalogue`).
    """

    happened = "No usable answer came back, so it is not known whether Neon did it"
    not_done = "It was not sent a second time."
    next_step = "Look at the branch and its operations at Neon before anything else is sent."

    def __init__(self, call: Call, detail: str = "", *, code: str = "", safe_to_repeat: bool = False) -> None:
        super().__init__(call, detail, code=code)
        self.safe_to_repeat = safe_to_repeat
