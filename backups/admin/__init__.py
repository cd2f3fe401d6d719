"""The pages. Django imports this package when it starts, which registers the model pages."""

from __future__ import annotations

from backups.admin import ledger as ledger
from backups.admin import people as people
