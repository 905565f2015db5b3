"""Which challenge works for which name, kept over restarts. Only advice: damage or a full disk never fails an attempt."""

from __future__ import annotations

import msgspec

from edge.certs.acme.challenges import Experience
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

log = get_logger("certs")


class ChallengeMemory:
    """The experience with each name, stored as one small JSON file."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage = storage
        self._key = key
        self._experiences: dict[str, Experience] | None = None

    def recall(self, name: str) -> Experience:
        """What is known about `name`; nothing at first."""
        return self._loaded().get(name, Experience())

    def learn(self, name: str, kind: str, *, success: bool) -> None:
        """Remember the outcome of one validation."""
        self._experiences = None  # other processes learn, too
        experiences = self._loaded()
        experience = experiences.get(name, Experience()).after(kind, success=success)
        if experiences.get(name) == experience:
            return
        experiences[name] = experience
        try:
            self._storage.store(self._key, msgspec.json.encode(experiences))
        except StorageError as exc:
            log.warning("challenge experience not saved", cause=str(exc))

    def _loaded(self) -> dict[str, Experience]:
        if self._experiences is None:
            self._experiences = self._load()
        return self._experiences

    def _load(self) -> dict[str, Experience]:
        try:
            value = self._storage.load(self._key)
            return {} if value is None else msgspec.json.decode(value, type=dict[str, Experience])
        except (StorageError, msgspec.DecodeError) as exc:
            log.warning("challenge experience lost", cause=str(exc))
            return {}
