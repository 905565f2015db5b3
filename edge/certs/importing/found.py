"""What another program has: bytes of its files, not judged yet, and a sentence for everything that could not be read."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

LARGEST_FILE = 256 * 1024
"""Bytes. Chains and keys have a few KiB."""


class FoundPair(Struct, frozen=True):
    """A chain and its key, PEM. `ca` is the directory URL of the CA that issued it, "" when nobody knows."""

    place: str
    chain: bytes
    key: bytes
    ca: str = ""


class FoundAccount(Struct, frozen=True):
    """An account: its URL at the CA with this directory URL, and its private key, PEM."""

    place: str
    ca: str
    url: str
    key: bytes


class Found(Struct):
    """Everything that was found."""

    pairs: list[FoundPair] = field(default_factory=list)
    accounts: list[FoundAccount] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read(self, path: Path) -> bytes | None:
        """The file's bytes; None after a complaint."""
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except OSError as exc:
            self.problems.append(f"{path}: {(exc.strerror or 'cannot be read').lower()}")
            return None
        if len(data) > LARGEST_FILE:
            self.problems.append(f"{path}: larger than {LARGEST_FILE // 1024} KiB, so neither certificate nor key")
            return None
        return data

    def list(self, path: Path) -> list[Path]:
        """What is in a directory, sorted; [] when there is none, or after a complaint."""
        try:
            return sorted(path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as exc:
            self.problems.append(f"{path}: {(exc.strerror or 'cannot be read').lower()}")
            return []


def read_pair(certificate: str, key: str) -> Found:
    """A pair of files that the operator names."""
    found = Found()
    chain_bytes, key_bytes = found.read(Path(certificate)), found.read(Path(key))
    if chain_bytes is not None and key_bytes is not None:
        found.pairs.append(FoundPair(certificate, chain_bytes, key_bytes))
    return found
