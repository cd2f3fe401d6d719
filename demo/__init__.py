"""A synthetic CareCircle: schema, rows and live traffic. No row describes a real person."""

from __future__ import annotations
