"""What a server is told to do, and how one is started: values only, so that a configuration can be read in a test."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class KeyPair(Struct, frozen=True):
    """Names and the PEM files (chain, key) that prove them."""

    names: tuple[str, ...]
    certificate: Path
    key: Path


class Assignment(Struct, frozen=True, kw_only=True):
    """The same work for every server.

    Listen on `port` of loopback with TLS; serve each directory in `mounts` under its prefix; pass everything else to the
    `origin` (host:port) over connections that are kept; log to `access_log`, or not at all."""

    port: int
    key_pairs: tuple[KeyPair, ...]
    mounts: dict[str, Path]
    origin: str
    workers: int = 1
    access_log: Path | None = None


class Recipe(Struct, frozen=True):
    """Files to write (relative to the server's own directory) and the command to run there."""

    argv: tuple[str, ...]
    files: dict[str, str] = {}
