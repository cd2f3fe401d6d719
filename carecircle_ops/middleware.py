"""Headers that every answer carries."""

from __future__ import annotations
