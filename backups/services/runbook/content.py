"""What stands in a runbook, as plain sections; how it looks on paper or as text is decided elsewhere."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from backups.domain.consequence import span
from backups.domain.drill import Proof
from backups.selectors.runbook import BranchProof, RunbookBranch, RunbookPerson, Setup
from backups.services.runbook.commands import Command, kept_name, looking, restoring

_CONSOLE = "https://console.neon.tech/app/projects"
_PROOF = {
    Proof.PROVEN: "proven",
    Proof.DOUBTFUL: "in doubt: a newer drill failed",
    Proof.FADING: "proof is fading",
    Proof.STALE: "proof is too old to count",
    Proof.NEVER: "never proven",
    Proof.NO_PLAN: "no drill plan, so nothing proves it",
}
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with what stands below it, in this order."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Runbook:
    """A project's runbook."""

    title: str
    stamp: str
    sections: list[Section]


def runbook_of(setup: Setup, proofs: list[BranchProof], *, now: dt.datetime) -> Runbook:
    """Everything that somebody needs who has this page, a browser and Neon's command line, and nothing else."""
    title = f"Runbook: restore {setup.project_name} without the portal"
    stamp = f"Written {now.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC. Throw away what is older than two weeks."
    roots = [branch for branch in setup.branches if branch.is_root is not False]
    sections = [_first(setup), _who(setup), _ids(setup), _console(setup)]
    sections += [_branch_commands(setup, branch) for branch in roots]
    return Runbook(title, stamp, [*sections, _looking(setup), _proof(proofs, roots), _region(setup), _after(setup)])


def _first(setup: Setup) -> Section:
    steps = [
        "Write down when the damage was noticed and when it began, in UTC.",
        f"{setup.in_place_votes} of the people below agree in writing on branch and moment, each for themselves. "
        "Whoever asks for the restore is not one of them.",
        "Decide whether the applications that write are stopped. What is written after the moment is taken away.",
        "Look before you restore: a copy shows what the moment holds and changes nothing.",
        "Keep the present state under a name. Without it there is no way back.",
        "Check the tables that matter before applications write again.",
    ]
    about = "A restore in place replaces every database on the branch."
    lines = [about, "This is a SANDBOX, not a real project: practise here."] if setup.is_sandbox else [about]
    return Section("Before anything is changed", paragraphs=lines, steps=steps)


def _who(setup: Setup) -> Section:
    contact = setup.contact or "write the numbers here: ______________________________"
    rows = [("Phone and thread", contact)]
    rows += [("May decide", _said(person)) for person in setup.deciders] or [
        ("May decide", f"{_UNKNOWN}: nobody has the role")
    ]
    rows += [("May start", _said(person)) for person in setup.starters]
    return Section("Who decides", rows=rows)


def _said(person: RunbookPerson) -> str:
    return f"{person.name} ({person.login}) {person.email}".strip()


def _ids(setup: Setup) -> Section:
    window = span(setup.history_seconds) if setup.history_seconds is not None else _UNKNOWN
    rows = [
        ("Project", f"{setup.project_name}, {setup.neon_project_id}"),
        ("Region", setup.region or _UNKNOWN),
        ("Plan", setup.plan or _UNKNOWN),
        ("Neon can go back", window),
        ("Root branches allowed", str(setup.root_branch_cap) if setup.root_branch_cap is not None else _UNKNOWN),
        ("API", setup.api_host),
        ("Portal", setup.site),
    ]
    rows += [(f"Branch {branch.name}", _branch_line(branch)) for branch in setup.branches]
    return Section("What is where", rows=rows)


def _branch_line(branch: RunbookBranch) -> str:
    root = {True: "root", False: "child, can't be restored to a time", None: "root unknown"}[branch.is_root]
    parts = [branch.neon_id, branch.environment.upper(), root]
    parts += ["default branch"] if branch.is_default else []
    parts += ["from a snapshot: no points in time for now"] if branch.is_from_snapshot else []
    parts += [f"database {branch.database}, role {branch.role}"] if branch.database else []
    return ", ".join(parts)


def _console(setup: Setup) -> Section:
    if setup.is_sandbox:
        return Section("In Neon's console", paragraphs=["The sandbox has no console: use the commands below."])
    steps = [
        f"Open {_CONSOLE}/{setup.neon_project_id} and log in.",
        "Branches, then the branch by its name and id above.",
        "Restore, from history: the moment. Mind the zone that the console shows; agree on UTC.",
        f"Keep the current state under a new name, such as {kept_name('main')}. Read the confirmation aloud.",
        "Wait until Operations shows no unfinished one.",
        "The connection string stays the same; sessions are cut for some seconds.",
    ]
    return Section("In Neon's console", steps=steps)


def _branch_commands(setup: Setup, branch: RunbookBranch) -> Section:
    lines = ["TIME is a moment in UTC such as 2026-11-24T10:00:00Z. NEON_API_KEY must be set; it is not on this page."]
    if setup.is_sandbox:
        lines.append(f"export NEON_API_HOST={setup.api_host} NO_PROXY=127.0.0.1")
    if not branch.is_default:
        lines.append("A copy by TIME alone is one of the default branch: for this branch make it in the console.")
    commands = restoring(setup, branch.name)
    return Section(
        f"By command: {branch.name}", paragraphs=lines, commands=commands if branch.is_default else commands[2:5]
    )


def _looking(setup: Setup) -> Section:
    return Section("By command: look around", commands=looking(setup))


def _proof(proofs: list[BranchProof], branches: list[RunbookBranch]) -> Section:
    rows = [(f"{each.branch}: last good drill", _proof_line(each)) for each in proofs]
    rows += [(f"{each.name}: objectives", _objectives(each)) for each in branches]
    return Section("What is proven", rows=rows)


def _proof_line(each: BranchProof) -> str:
    at = f"{each.last_good_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC, " if each.last_good_at else "none, "
    return at + _PROOF[each.proof]


def _objectives(branch: RunbookBranch) -> str:
    rto, rpo = branch.rto_objective_seconds, branch.rpo_objective_seconds
    recover = f"recover within {span(rto)}" if rto is not None else "no objective for the time to recover"
    lose = f"lose at most {span(rpo)}" if rpo is not None else "no objective for lost data"
    return f"{recover}, {lose}"


def _region(setup: Setup) -> Section:
    return Section(
        "When Neon's region is down",
        paragraphs=[
            "Neon does not fail over to another region by itself, and nothing on this page helps while the region is "
            "down. Watch https://neonstatus.com, tell people, and decide whether to bring up a copy kept outside.",
            f"Region: {setup.region or _UNKNOWN}. The portal knows of no copy outside Neon: see your contingency plan.",
        ],
    )


def _after(setup: Setup) -> Section:
    steps = [
        "Write down who did what, when, and which operations Neon shows.",
        f"When the portal is back ({setup.site}): file a record of the restore by hand. Two people sign it.",
        "Tell the care teams what was taken away, in counts and times.",
        f"Keep the branch {kept_name('…')} until somebody decides about it.",
    ]
    return Section("Afterwards", steps=steps)
