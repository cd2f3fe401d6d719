"""A small log as the sealer leaves it, and the bundles and anchors that are made of it. No database."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor, ActorKind
from backups.ledger.bundle_file import BundleWriter
from backups.ledger.record import Happening, World, record_bytes
from backups.ledger.signer import Signer
from backups.ledger.text import SealedText, commitment_of
from backups.ledger.tree import inclusion_proof, subtrees_of
from backups.ledger.verifier.merkle import leaf_hash, root_of
from backups.ledger.verifier.notes import proof_text

ORIGIN = "ops.carecircle.example/audit/2026"
SIGNER = Signer(ORIGIN, bytes(range(32)))
BEGAN = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
BOB = Actor(kind=ActorKind.HUMAN, name="bob", user_id=7)


def event(number: int, *, recorded_at: dt.datetime | None = None, text: str = "") -> bytes:
    """The bytes of one comment; one a minute."""
    at = recorded_at or BEGAN + dt.timedelta(minutes=number)
    return record_bytes(
        Happening(
            id=UUID(int=0x01A202E9_0117_7D0E_AD18_000000000000 + number),
            type="request.commented",
            occurred_at=at,
            recorded_at=at,
            actor=BOB,
            target=Target(kind="restore_request", id="R-0007"),
            outcome=Outcome.SUCCESS,
            world=World.REAL,
            details={},
            text_commitment=words(number, text).commitment if text else "",
        )
    )


def words(number: int, text: str) -> SealedText:
    salt = f"{number:064x}"
    return SealedText(text=text, salt=salt, commitment=commitment_of(text=text, salt=salt))


@dataclass(frozen=True)
class SampleLog:
    """Entries, and the sizes at which a checkpoint was signed, each when its last event was recorded."""

    bodies: list[bytes]
    sizes: Sequence[int] = (4, 8, 12)
    signer: Signer = SIGNER
    noted: list[bytes] | None = None
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(body) for body in self.bodies]

    def with_bodies(self, bodies: Sequence[bytes]) -> SampleLog:
        """As somebody leaves it who changes the rows of events and nothing else."""
        return replace(self, bodies=list(bodies), noted=self.noted or self.leaves)

    def note(self, size: int) -> str:
        return self.signer.checkpoint(size=size, root=root_of(self.leaves[:size]))

    def notes(self) -> list[tuple[str, dt.datetime]]:
        return [(self.note(size), BEGAN + dt.timedelta(minutes=size)) for size in self.sizes]

    def bundle(
        self, directory: Path, *, notes: list[tuple[str, dt.datetime]] | None = None, name: str = "bundle"
    ) -> Path:
        """The whole log. `notes`: the checkpoints as they stand in the database, if they were not made anew."""
        path = directory / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            writer = BundleWriter(archive)
            writer.add_events(self.bodies)
            writer.add_leaves(self.noted or self.leaves)
            writer.add_checkpoints(notes or self.notes())
            self._add_texts(writer)
            writer.finish(origin=ORIGIN, size=len(self.bodies), whole=True, made_at=BEGAN)
        return path

    def selection(self, directory: Path, numbers: Sequence[int]) -> Path:
        """Some events with their proofs, unpacked and without the hashes of its files."""
        (directory / "proofs").mkdir(parents=True)
        chosen = [self.bodies[number] for number in numbers]
        (directory / "events.jsonl").write_bytes(b"".join(body + b"\n" for body in chosen))
        for number, body in zip(numbers, chosen, strict=True):
            proof_of = directory / "proofs" / f"{json.loads(body)['id']}.tlog-proof"
            proof_of.write_text(self.proof(number), encoding="utf-8")
        manifest = {"format": "ccops.bundle/1", "origin": ORIGIN, "size": len(numbers), "whole": False}
        (directory / "manifest.json").write_text(json.dumps(manifest))
        return directory

    def proof(self, number: int) -> str:
        size = len(self.bodies)
        path = inclusion_proof(index=number, size=size, subtree=subtrees_of(self.leaves))
        return proof_text(number, path, self.note(size))

    def anchors(self, directory: Path, sizes: Sequence[int]) -> Path:
        """What somebody kept elsewhere at those sizes."""
        directory.mkdir(exist_ok=True)
        for size in sizes:
            at = BEGAN + dt.timedelta(minutes=size)
            (directory / f"{at:%Y%m%dT%H%M%SZ}-{size:012d}.checkpoint").write_text(self.note(size), encoding="utf-8")
        return directory

    def _add_texts(self, writer: BundleWriter) -> None:
        sealed = [(number, words(number, text)) for number, text in self.texts.items() if self.bodies]
        writer.add_texts((json.loads(self.bodies[number])["id"], each.salt, each.text) for number, each in sealed)


def sample_log(count: int = 12) -> SampleLog:
    said = "Which table was it?"
    return SampleLog([event(number, text=said if number == 2 else "") for number in range(count)], texts={2: said})


def keys_file(directory: Path, *lines: str, name: str = "vkeys.txt") -> Path:
    path = directory / name
    path.write_text("\n".join(lines or (SIGNER.verifier_key.text(),)) + "\n", encoding="utf-8")
    return path
