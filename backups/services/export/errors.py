"""Why there is no file."""

from __future__ import annotations


class ExportFailed(Exception):
    """The export cannot be made as it was asked for. `code` goes to the ledger, `sentence` to the page."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class LeaseLost(Exception):
    """Another worker has taken the export on; whatever this one does now counts for nothing."""
