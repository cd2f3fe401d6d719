"""What an automatic drill has shown: one pure function from what was measured to passed, failed or inconclusive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backups.domain.drill import DrillOutcome
from backups.domain.execution import CheckOutcome


@dataclass(frozen=True, slots=True)
class Judged:
    """One check. `outcome` is None when it never came to an end."""

    title: str
    required: bool
    outcome: CheckOutcome | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the drill could not go on. `shows_failure`: what happened would stop a real recovery too."""

    code: str
    sentence: str
    shows_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that the verdict looks at. Times in milliseconds; the time in which the drill yielded is not in them.

    `rto_milliseconds` is None when the copy was never verified; `elapsed_milliseconds` is then how long it took
    without getting there. `rpo_is_exact` tells a canary's age from the age of the newest row, which only bounds it:
    nobody may have written. `nothing_newer`: the source was asked and holds nothing newer from before the point.
    """

    checks: Sequence[Judged]
    trouble: Trouble | None
    rto_milliseconds: int | None
    elapsed_milliseconds: int
    rto_objective_seconds: int
    rpo_milliseconds: int | None
    rpo_is_exact: bool
    nothing_newer: bool
    rpo_objective_seconds: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, a code for it and a sentence for people."""

    outcome: DrillOutcome
    code: str
    sentence: str


def verdict(measured: Measured) -> Verdict:
    """Passed only when everything that is asked for was shown; failed when something was shown to be wrong.

    What shows a failure counts before what could not be told: a check that failed, then what stopped the recovery,
    then the objectives. An objective that was exceeded before the drill was stopped is missed, whatever stopped it.
    """
    return (
        _failed_checks(measured)
        or _stopped_for_good(measured)
        or _rto_missed(measured)
        or _rpo_missed(measured)
        or _stopped(measured)
        or _checks_missing(measured)
        or _rpo_unknown(measured)
        or Verdict(DrillOutcome.PASSED, "passed", _passed(measured))
    )


def _failed_checks(m: Measured) -> Verdict | None:
    wrong = [check.title for check in m.checks if check.required and check.outcome is CheckOutcome.FAILED]
    if not wrong:
        return None
    return Verdict(DrillOutcome.FAILED, "check_failed", f"{_listed(wrong)}: not as it must be.")


def _stopped_for_good(m: Measured) -> Verdict | None:
    if m.trouble is None or not m.trouble.shows_failure:
        return None
    return Verdict(DrillOutcome.FAILED, m.trouble.code, m.trouble.sentence)


def _rto_missed(m: Measured) -> Verdict | None:
    took = m.elapsed_milliseconds if m.rto_milliseconds is None else m.rto_milliseconds
    if took <= m.rto_objective_seconds * 1000:
        return None
    ended = "verified after" if m.rto_milliseconds is not None else "not verified within"
    sentence = f"The copy was {ended} {_seconds(took)}; the objective is {_seconds(m.rto_objective_seconds * 1000)}."
    return Verdict(DrillOutcome.FAILED, "rto_missed", sentence if m.trouble is None else f"{sentence} {_why(m)}")


def _rpo_missed(m: Measured) -> Verdict | None:
    if m.rpo_objective_seconds is None or m.rpo_milliseconds is None or not m.rpo_is_exact:
        return None
    if m.rpo_milliseconds <= m.rpo_objective_seconds * 1000:
        return None
    return Verdict(
        DrillOutcome.FAILED,
        "rpo_missed",
        f"The newest canary on the copy was {_seconds(m.rpo_milliseconds)} old; the objective is "
        f"{_seconds(m.rpo_objective_seconds * 1000)}.",
    )


def _stopped(m: Measured) -> Verdict | None:
    return None if m.trouble is None else Verdict(DrillOutcome.INCONCLUSIVE, m.trouble.code, m.trouble.sentence)


def _checks_missing(m: Measured) -> Verdict | None:
    required = [check for check in m.checks if check.required]
    if not required:
        return Verdict(DrillOutcome.INCONCLUSIVE, "nothing_checked", "No check was made, so nothing is shown.")
    if m.rto_milliseconds is None:
        return Verdict(DrillOutcome.INCONCLUSIVE, "not_verified", "The checks did not come to an end.")
    unclear = [check.title for check in required if check.outcome is not CheckOutcome.PASSED]
    if not unclear:
        return None
    return Verdict(DrillOutcome.INCONCLUSIVE, "check_inconclusive", f"{_listed(unclear)}: could not be told.")


def _rpo_unknown(m: Measured) -> Verdict | None:
    if m.rpo_objective_seconds is None:
        return None
    if m.rpo_milliseconds is not None and m.rpo_milliseconds <= m.rpo_objective_seconds * 1000:
        return None
    if m.nothing_newer:
        return None
    found = "nothing on the copy tells its age"
    if m.rpo_milliseconds is not None:
        found = f"the newest row is {_seconds(m.rpo_milliseconds)} old, and perhaps nobody wrote since"
    return Verdict(
        DrillOutcome.INCONCLUSIVE,
        "rpo_unknown",
        f"Whether the objective for lost data is met can't be told: {found}. A canary would tell.",
    )


def _passed(m: Measured) -> str:
    parts = [f"All {sum(check.required for check in m.checks)} required checks passed"]
    if m.rto_milliseconds is not None:
        parts.append(f"verified after {_seconds(m.rto_milliseconds)}")
    if m.rpo_milliseconds is not None:
        parts.append(f"newest data {_seconds(m.rpo_milliseconds)} old at the point")
    return ", ".join(parts) + "."


def _why(m: Measured) -> str:
    return m.trouble.sentence if m.trouble else ""


def _listed(titles: list[str]) -> str:
    shown = ", ".join(titles[:3])
    return shown if len(titles) <= 3 else f"{shown} and {len(titles) - 3} more"


def _seconds(milliseconds: int) -> str:
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
