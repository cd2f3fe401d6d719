"""docs/event-catalogue.md, made of the catalogue that the portal writes by:
`python -m backups.ledger.catalogue_page > docs/event-catalogue.md`."""

from __future__ import annotations

import sys
from itertools import groupby

from backups.ledger.catalogue import CATALOGUE
from backups.ledger.event_types import FIELDS_OF_PEOPLE, EventType, Retention
from backups.ledger.fields import FIELDS, kind_words

RETENTION = {
    Retention.DECISION: "while the portal is in use, and six years more",
    Retention.ACTIVITY: "seven years, or RETENTION_YEARS",
}
_HEAD = """# Event catalogue

Every type of event that the portal can write to its ledger, and every field that one may carry. A type or a field
that is not here cannot be written. This page is written by
`python -m backups.ledger.catalogue_page > docs/event-catalogue.md`; a test compares it with the code. In the portal:
`/audit/catalogue/`.

“By” says who can cause the event: `human`, `service` (a program with an account or token), `system` (the portal
itself), `anonymous`. “Words” says whether a person's own words may accompany it; the event holds their salted hash.
The OCSF class is the one under which the event is exported. Nothing is disposed of yet; “kept” is how long it must be
kept at least.

Each event that a person or a program can cause may also carry `scan_overridden`: the kinds of personal data that the
portal thought it saw in what was typed, where the writer said that it is none.
"""


def render() -> str:
    """The whole page."""
    families = groupby(CATALOGUE.values(), key=lambda declared: declared.family)
    # A family may be declared in several places.
    together: dict[str, list[EventType]] = {}
    for family, types in families:
        together.setdefault(family, []).extend(types)
    parts = [_family(family, types) for family, types in sorted(together.items())]
    return _HEAD + "".join(parts) + _fields()


def _family(family: str, types: list[EventType]) -> str:
    columns = "| type | meaning | fields | by | words | kept | OCSF class |\n|---|---|---|---|---|---|---|\n"
    return f"\n## {family}\n\n{columns}" + "".join(_row(declared) for declared in types)


def _row(declared: EventType) -> str:
    cells = (
        f"`{declared.code}`",
        declared.meaning,
        ", ".join(sorted(declared.fields - FIELDS_OF_PEOPLE)) or "none",
        ", ".join(sorted(kind.value for kind in declared.actors)),
        "yes" if declared.text else "no",
        RETENTION[declared.retention],
        f"{declared.ocsf_class.value} {declared.ocsf_class.label}",
    )
    return f"| {' | '.join(cells)} |\n"


def _fields() -> str:
    rows = "".join(f"| {name} | {kind_words(name)} |\n" for name in sorted(FIELDS))
    return f"\n## Fields\n\n| field | kind |\n|---|---|\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(render())
