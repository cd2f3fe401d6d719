"""By what a branch or snapshot at Neon is recognised as the portal's own."""

from __future__ import annotations

import re
from collections.abc import Mapping

MADE_BY = "carecircle-ops"
_OUR_NAMES = re.compile(
    r"preview_R-\d{4,}_\d+|look_L-\d{4,}|drill_D-\d{4,}|.+_before_R-\d{4,}|.+_copy_R-\d{4,}|safety-.+-S-\d{4,}|auto-backup-.+-S-\d{4,}"
)


def looks_like_ours(name: str, annotation: Mapping[str, str] | None = None) -> bool:
    """Whether the name is of a form that only the portal gives, or its own mark is on the branch."""
    marked = bool(annotation) and (annotation or {}).get("made-by") == MADE_BY
    return marked or _OUR_NAMES.fullmatch(name) is not None
