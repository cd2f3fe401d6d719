"""python -m tests.bench: every measurement, one JSON object a line. Exit status 0 only if each goal is met."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tests.bench import (
    checks_bench,
    drill_bench,
    idle_bench,
    ledger_bench,
    ledger_stored_bench,
    monitor_bench,
    portal_bench,
    sandbox_bench,
)

BENCHES: tuple[Callable[[], Iterable[dict[str, Any]]], ...] = (
    sandbox_bench.figures,
    idle_bench.figures,
    checks_bench.figures,
    drill_bench.figures,
    monitor_bench.figures,
    ledger_bench.figures,
    ledger_stored_bench.figures,
    portal_bench.figures,
)


def main() -> int:
    """Prints each figure as soon as its bench is done."""
    met = True
    for bench in BENCHES:
        for figure in bench():
            met = met and figure["met"]
            sys.stdout.write(json.dumps(figure) + "\n")
            sys.stdout.flush()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
