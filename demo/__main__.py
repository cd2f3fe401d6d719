"""python -m demo: one incident from damage to undo, then the portal stays up for you to decide on the next one."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import psycopg

from demo import ledger
from demo.audit import play_audit
from demo.browser import PageFailed
from demo.children import ChildFailed, Children
from demo.damage import do_damage
from demo.incident import Story, StoryBroke, file_restore, file_snapshot_restore, play
from demo.rehearsal import play_canary_drill, play_drill, play_failing_drill, play_more_drills
from demo.stack import PEOPLE, ROOT, Stack, running, say


def main() -> int:
    """Exit status 0 only if every step held."""
    options = _options()
    _stop_on_signals()
    try:
        return _run(options)
    except KeyboardInterrupt:
        shutil.rmtree(options.state, ignore_errors=True)
        say("Stopped.")
        return 130
    except (ChildFailed, PageFailed, StoryBroke, TimeoutError, OSError, psycopg.Error) as problem:
        say(f"The demo stopped: {problem}")
        sys.stdout.write(json.dumps({"ok": False, "problem": str(problem)}) + "\n")
        return 1


def _run(options: argparse.Namespace) -> int:
    say("Starting two PostgreSQL servers, the local Neon, web and worker …")
    with running(options.state, port=options.port) as (stack, children):
        story = Story(stack, children)
        say("")
        result = play(story)
        drills = [play_drill(story), play_canary_drill(story)]
        result["seconds"]["drill"] = drills[0]["rto_milliseconds"] / 1000
        result["audit"] = play_audit(story)
        result["ledger"] = ledger.verify(children, stack.env)
        say(f"\nThe ledger: {result['ledger']}")
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
        if not options.once:
            play_more_drills(story, drills[1]["plan_id"])
            _stay(story, stack, children)
    # After a failure the logs stay; after a success nothing is left behind.
    shutil.rmtree(options.state, ignore_errors=True)
    return 0


def _stay(story: Story, stack: Stack, children: Children) -> None:
    number = file_restore(story, do_damage(stack.dsn, third=1).good_at)
    story.wait_for_state(number, "pending")
    play_failing_drill(story)
    from_snapshot = file_snapshot_restore(story)
    story.wait_for_state(from_snapshot, "pending")
    people = "\n".join(f"    {login:<8} {role}" for login, role, _ in PEOPLE)
    say(
        f"\nThe portal is up: {stack.site}\n\n  Password of everybody here: {stack.password}\n{people}\n\n"
        f"R-{number:04d} waits for two votes: log in as bob, then as carol, and decide.\n"
        f"  {stack.site}/restores/{number}/\n\n"
        f"R-{from_snapshot:04d} waits too: it would replace production by a snapshot, under a new id at Neon.\n"
        f"  {stack.site}/restores/{from_snapshot}/\n\n"
        f"Dana, the auditor, begins here, with a log review half done, an export and a verification:\n"
        f"  {stack.site}/audit/\n\nCtrl-C stops everything."
    )
    while True:
        children.all_alive()
        threading.Event().wait(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--once", action="store_true", default=_said_once(), help="stop after the incident (ONCE=1)")
    parser.add_argument("--port", type=int, default=0, help="port of the pages (default: any free one)")
    parser.add_argument("--state", type=Path, default=ROOT / "var" / f"demo-{os.getpid()}", help="directory for data")
    return parser.parse_args()


def _said_once() -> bool:
    return os.environ.get("ONCE", "") not in {"", "0"}


def _stop_on_signals() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stop)


if __name__ == "__main__":
    sys.exit(main())
