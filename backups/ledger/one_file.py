"""The auditor's verifier as one file: the parts of `backups.ledger.verifier`, one after the other.

Joined and not written twice, so that what the portal checks with and what an auditor checks with cannot differ.
"""

from __future__ import annotations

import re
from importlib.resources import files

PARTS = ("merkle", "ed25519", "notes", "event", "log", "kept", "timestamps", "bundle", "command")
FILE_NAME = "carecircle_verify.py"

_HEAD = '''#!/usr/bin/env python3
"""Verifies a bundle of the CareCircle Ops ledger. Needs Python 3.9 or later and nothing else; contacts nobody.

    python3 carecircle_verify.py BUNDLE --vkeys YOUR_KEYS.txt --anchors YOUR_CHECKPOINTS

Exit status: 0 verified, 1 altered (it says what, where and between which times), 2 it cannot tell.
The keys and the anchors must be your own copies: nothing in the bundle can vouch for the bundle.
"""

from __future__ import annotations
'''
_OWN_IMPORT = re.compile(r"^from backups\.ledger\.verifier\.[a-z0-9_]+ import (?:\([^)]*\)|[^\n]*)\n", re.MULTILINE)


def one_file() -> str:
    """The whole text of the file. The same source gives the same bytes."""
    return _HEAD + "".join(_part(name) for name in PARTS) + '\n\nif __name__ == "__main__":\n    sys.exit(main())\n'


def _part(name: str) -> str:
    source = files("backups.ledger.verifier").joinpath(f"{name}.py").read_text(encoding="utf-8")
    without = _OWN_IMPORT.sub("", source).replace("from __future__ import annotations\n", "")
    comment, code = re.match(r'"""(.*?)"""\n(.*)', without, re.DOTALL).groups()  # type: ignore[union-attr]
    return "\n\n# --- " + comment.strip().replace("\n", "\n# ").replace("\n# \n", "\n#\n") + "\n" + code.rstrip() + "\n"
