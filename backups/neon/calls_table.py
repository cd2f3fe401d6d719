"""docs/neon-calls.md, made of the catalogue that the client works with:
`python -m backups.neon.calls_table > docs/neon-calls.md`."""

from __future__ import annotations

import sys
from itertools import groupby

from backups.neon.catalogue import CATALOGUE, NOT_OFFERED, ApiCall
from backups.neon.deadline import Deadlines
from backups.neon.operations import FAILED_GRACE_SECONDS, Polling
from backups.neon.retry import DEFAULT_POLICY, CallKind

_HEAD = """# Calls to Neon

Every call that the client in `backups/neon/` can make. This page is written by
`python -m backups.neon.calls_table > docs/neon-calls.md`; a test compares it with the code.

## How long a call waits

The times are those of the client itself. The portal sets its own: `NEON_CALL_DEADLINE_SECONDS` is the time of a
whole call, and a step with less time left gives its calls that.

- A **read** is tried up to {attempts} times until {total:g} seconds are over, from the name look-up to the last
  byte of the answer. One attempt waits up to {connect:g} seconds for the connection and up to {read:g} for the
  next byte. In between it waits up to {base:g} seconds, twice that after each attempt, and up to {busy:g}
  instead after 423 and 429; never less than Neon asks for, and not at all when that would not end in time. A
  list with pages has all this for each page.
- A **change** is sent once and waits up to {total:g} seconds for its answer. It is never sent again from here.
- 423, 429, Neon's own 503 and a connection that was never made mean that nothing was done. The error says after
  how many seconds the call may come again: up to {base:g} ({busy:g} after 423 and 429) at first, {cap:g} later,
  or what Neon asks for, up to {asked:g}. That holds for every call, whether it may be repeated or not. Neon
  limits the calls for consumption on their own, to about 30 a minute.
- What a change has started is done when its operations are. `operations.wait_for` asks again after {first:g}
  seconds, then less and less often down to every {longest:g} seconds, until the time that its caller gives.
  `failed` counts only after {grace:g} seconds without a change, because Neon may try again.

## After a lost answer

A change whose answer was lost, cut off or unreadable ends in `OutcomeUnknown`. The column "looked up after a
lost answer" says where it shows whether Neon did it. "May be repeated" says whether a second one would do no
harm; even then it is the caller who decides.
"""

_COLUMNS = (
    "| method of the client | call | may be repeated | looked up after a lost answer | waits |\n|---|---|---|---|---|"
)

_REPEATED = {
    CallKind.READ: "yes, by itself",
    CallKind.REPEATABLE: "yes",
    CallKind.ONCE: "**no**",
}


def render() -> str:
    """The whole page."""
    parts = [_head()]
    groups = groupby(sorted(CATALOGUE.values(), key=_place), key=_group)
    parts += [f"## {name}\n\n{_COLUMNS}\n" + "\n".join(_row(call) for call in calls) + "\n" for name, calls in groups]
    rows = [f"| `{call}` | {why} |" for call, why in NOT_OFFERED]
    parts.append("## Not offered\n\n| call | why |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _head() -> str:
    limits, policy, polling = Deadlines(), DEFAULT_POLICY, Polling()
    return _HEAD.format(
        attempts=policy.read_attempts,
        total=limits.total_seconds,
        connect=limits.connect_seconds,
        read=limits.read_seconds,
        base=policy.base_seconds,
        busy=policy.busy_base_seconds,
        cap=policy.cap_seconds,
        asked=policy.retry_after_cap_seconds,
        first=polling.first_seconds,
        longest=polling.longest_seconds,
        grace=FAILED_GRACE_SECONDS,
    )


def _group(call: ApiCall) -> str:
    head, dot, _ = call.name.partition(".")
    return head if dot else "the client itself"


def _place(call: ApiCall) -> tuple[str, bool, str]:
    return _group(call), call.kind is not CallKind.READ, call.name


def _row(call: ApiCall) -> str:
    cells = [f"`{call.name}`", f"`{call.method} {call.path}`", _REPEATED[call.kind], call.look_up or "-", _waits(call)]
    return f"| {' | '.join(cells)} |"


def _waits(call: ApiCall) -> str:
    total = f"{Deadlines().total_seconds:g} s"
    if call.kind is not CallKind.READ:
        return f"{total}, sent once"
    return f"{total}{' a page' if call.paged else ''}, up to {DEFAULT_POLICY.read_attempts} attempts"


if __name__ == "__main__":
    sys.stdout.write(render())
