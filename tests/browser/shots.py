"""`python -m tests.browser.shots` photographs every page, on phone and laptop, light and dark, into var/shots."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__).with_name("photographs.py")), "-q", *sys.argv[1:]]))
