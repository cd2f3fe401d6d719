"""How long records are kept, and whether a legal matter keeps them all. Read by settings.py, after .env is loaded."""

from __future__ import annotations

import math

from carecircle_ops.environment import number, optional

# Whole years from the day of a record; a part of a year counts as a whole one. `check --deploy` refuses less than the
# six of 45 CFR 164.316(b)(2)(i).
RETENTION_YEARS = math.ceil(number("RETENTION_YEARS", 7))
# A legal matter for which nothing may go, not even by erasing: its name, or true. Empty or false: there is none.
_HOLD = optional("LEGAL_HOLD").strip()
LEGAL_HOLD = {"true": "not named", "yes": "not named", "on": "not named", "1": "not named"}.get(_HOLD.lower(), _HOLD)
if _HOLD.lower() in {"false", "no", "off", "0"}:
    LEGAL_HOLD = ""
