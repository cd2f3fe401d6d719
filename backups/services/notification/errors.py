"""Why a message did not get through."""

from __future__ import annotations


class NotDelivered(Exception):
    """The channel did not take the message; it may still have arrived when the answer was lost.

    `code` is for the ledger, `sentence` for people. Neither holds anything that the other side wrote, nor its address:
    the address of a webhook is a secret.
    """

    def __init__(
        self, code: str, sentence: str, *, status: int | None = None, wait_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.status = status
        self.wait_seconds = wait_seconds
