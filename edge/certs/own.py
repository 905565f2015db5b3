"""The operator's own certificates (`--cert FILE --key FILE`): read, checked, and read again when the files change.

A renewal tool replaces two files one after the other, so a pair that does not fit is normal for a moment: the pair read
before stays in service, and the files are looked at again a minute later.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from edge.certs.chain import Leaf, public_key_of, read_leaf
from edge.certs.renewal import Urgency, urgency
from edge.config.files import read_at_most
from edge.config.schema import KeyPair, Site
from edge.errors import CertificateError, ConfigError
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey, covers

CHECK_INTERVAL = 60.0
"""Seconds between two looks at the files' times."""

LARGEST_FILE = 256 * 1024
"""Bytes. Any real chain or key is far smaller; whatever else the path names is not read into memory."""

Stamp: TypeAlias = tuple[tuple[int, int, int], ...]

log = get_logger("certs")


class OwnKey(Struct, frozen=True):
    """A pair that fits, as read from its files."""

    chain: bytes
    key: bytes
    leaf: Leaf

    def for_site(self, site: Site) -> CertifiedKey | None:
        """The certified key for those names of the site that the certificate covers; None when there are none."""
        names = tuple(name for name in site.names if covers(self.leaf.names, name))
        if not names:
            return None
        return CertifiedKey(names, self.chain, self.key, self.leaf.serial, self.leaf.not_after, "own")


def load_own(pair: KeyPair) -> OwnKey:
    """Read and check one pair. Raises: ConfigError with one sentence that names the file and what to do."""
    chain, key = _read(pair.certificate), _read(pair.key)
    try:
        leaf = read_leaf(chain)
    except CertificateError as exc:
        raise ConfigError(
            [f"{pair.certificate}: {exc}; it must hold PEM certificates, the server's own first"]
        ) from exc
    try:
        public = public_key_of(key)
    except CertificateError as exc:
        raise ConfigError([f"{pair.key}: {exc}; it must hold one unencrypted PEM private key"]) from exc
    if public != leaf.public_key:
        complaint = f"{pair.key} is not the key of {pair.certificate}: give the two files that were made together"
        raise ConfigError([complaint])
    return OwnKey(chain, key, leaf)


def _read(path: str) -> bytes:
    try:
        data = read_at_most(path, LARGEST_FILE + 1)
    except OSError as exc:
        raise ConfigError([f"{path}: {exc.strerror or exc}; edge needs to read it"]) from exc
    if len(data) > LARGEST_FILE:
        raise ConfigError([f"{path}: larger than {LARGEST_FILE // 1024} KiB, so no PEM file of a certificate"])
    return data


class OwnKeys:
    """The pairs of a configuration and what was last read from them."""

    def __init__(self) -> None:
        self._loaded: dict[KeyPair, OwnKey] = {}
        self._stamps: dict[KeyPair, Stamp] = {}
        self._warned: dict[KeyPair, float] = {}

    def get(self, pair: KeyPair) -> OwnKey | None:
        """The last good reading, or None when there has been none."""
        return self._loaded.get(pair)

    def refresh(self, pairs: list[KeyPair], now: float) -> bool:
        """Look at all files; True when something else is to be served. What cannot be used is logged, once a change."""
        for gone in set(self._stamps) - set(pairs):
            self._loaded.pop(gone, None)
            del self._stamps[gone]
        changed = [self._reread(pair) for pair in pairs]
        for pair in pairs:
            self._warn_of_expiry(pair, now)
        return any(changed)

    def _reread(self, pair: KeyPair) -> bool:
        stamp = _stamp(pair)
        if self._stamps.get(pair) == stamp:
            return False
        self._stamps[pair] = stamp
        try:
            fresh = load_own(pair)
        except ConfigError as exc:
            serving = "the pair read before" if pair in self._loaded else "a placeholder"
            log.error("own certificate unusable", cause=str(exc), serving=serving)
            return False
        changed = self._loaded.get(pair) != fresh
        self._loaded[pair] = fresh
        return changed

    def _warn_of_expiry(self, pair: KeyPair, now: float) -> None:
        own = self._loaded.get(pair)
        if own is None or urgency(own.leaf, now) < Urgency.PRESSING or now < self._warned.get(pair, 0.0) + 86400:
            return
        self._warned[pair] = now
        event = "own certificate expired" if own.leaf.not_after <= now else "own certificate expires soon"
        log.warning(event, path=pair.certificate, days_left=round((own.leaf.not_after - now) / 86400, 1))


def _stamp(pair: KeyPair) -> Stamp:
    return tuple(_file_stamp(path) for path in (pair.certificate, pair.key))


def _file_stamp(path: str) -> tuple[int, int, int]:
    try:
        status = Path(path).stat()  # follows links: renewal tools swap a link
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
