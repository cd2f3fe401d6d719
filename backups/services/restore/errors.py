"""Why a wish about a restore request was not carried out. In each case nothing was changed."""

from __future__ import annotations

from collections.abc import Mapping

from backups.domain.actions import Action


class Refused(Exception):
    """The person may not do this now. `code` goes to the ledger, `sentence` to the page."""

    def __init__(self, *, action: Action | None, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.action = action
        self.code = code
        self.sentence = sentence


class InvalidInput(Exception):
    """What was typed can't be used. `errors` maps a field's name to one sentence; nothing was changed."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


class StartRefused(Exception):
    """At the last look before the call something was not as it must be. Nothing was sent to Neon."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
