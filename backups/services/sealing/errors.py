"""What the sealer cannot or must not do."""

from __future__ import annotations


class SealingError(RuntimeError):
    """Nothing was signed. The message says what happened and what to do next."""


class SealRefused(SealingError):
    """The database does not continue what was signed before. It stays refused until a person has looked."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class KeyUnusable(SealingError):
    """There is no key, or not one for this log."""


class AnchorFailed(SealingError):
    """The anchor did not take the checkpoint. It is tried again; what waits for it goes on waiting."""
