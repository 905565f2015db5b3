"""Certificates on storage. A generation is written once, checked, pointed at, and never touched again.

    certs/NAME/gen/G/privkey.pem, fullchain.pem, meta.json    G = start of validity in UTC and serial; immutable
    certs/NAME/current -> gen/G                               what is served
    certs/NAME/pending/                                       see `journal`
    certs/NAME/state.json                                     see `state`

`current` moves only after the new generation has been read back and its key fits; the working pair is never overwritten, so
a full disk or a crash at any point leaves something to serve. G follows from the certificate, which makes `save` repeatable.

Others may work on the same directory. Whoever writes does so inside `exclusive`, where writes are fenced (see
`storage.contract`), and state is written only by those who know the generation in service.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from edge.certs.chain import Leaf, covers_all, public_key_of, read_leaf
from edge.certs.state import CertificateState, format_state, parse_state
from edge.errors import CertificateError, StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey

KEPT_GENERATIONS = 3
"""The one in service and two before it, for an operator who must go back."""

_POINTED = re.compile(r"gen/([A-Za-z0-9-]+)").fullmatch

log = get_logger("certs")


class Meta(Struct, frozen=True):
    """meta.json of a generation: `issuer` is the name of the CA that issued it."""

    issuer: str = ""


class Stored(Struct, frozen=True):
    """A certificate with everything known about it: PEM key and chain that fit, facts of the leaf, name of the issuer."""

    key: bytes
    chain: bytes
    leaf: Leaf
    issuer: str

    @property
    def generation(self) -> str:
        """The name of its directory."""
        start = datetime.fromtimestamp(self.leaf.not_before, UTC)
        return f"{start:%Y%m%dT%H%M%SZ}-{self.leaf.serial[:16]}"

    def certified_key(self, names: tuple[str, ...], kind: str) -> CertifiedKey:
        """What a worker needs to serve it for `names`."""
        return CertifiedKey(names, self.chain, self.key, self.leaf.serial, self.leaf.not_after, kind)

    def __repr__(self) -> str:
        return f"<Stored {','.join(self.leaf.names)} {self.generation}>"


class CertificateStore:
    """One certificate's directory. Methods raise StorageError unless they say otherwise."""

    def __init__(self, storage: Storage, directory: str, names: tuple[str, ...]) -> None:
        self.storage = storage
        self.directory = directory
        self._names = names
        self._base = f"certs/{directory}"
        self._held: Storage | None = None
        self.seen: str | None = None
        """The generation that this process knows to be in service; None before it has looked."""

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Inside, nobody else works on this certificate, and `writer` is fenced; False when somebody else does. May be nested:
        then the outer one counts."""
        if self._held is not None:
            yield True
            return
        with self.storage.lock(self.directory) as held:
            self._held = held
            try:
                yield held is not None
            finally:
                self._held = None

    @property
    def writer(self) -> Storage:
        """What changes are made through."""
        return self._held or self.storage

    def load(self) -> Stored | None:
        """What `current` points at, else the newest generation that can be used, else None. Damaged ones are put aside."""
        current = self.current()
        if current:  # nearly always; with 10,000 certificates at the start the shortest way counts
            with contextlib.suppress(CertificateError):
                return self.read(current)
        for generation in self.generations():
            try:
                return self.read(generation)
            except CertificateError as exc:
                self._put_aside(f"{self._base}/gen/{generation}", str(exc))
        return None

    def generations(self) -> list[str]:
        """Their names: the current one, then the others from new to old."""
        generations = sorted(self.storage.list(f"{self._base}/gen"), reverse=True)
        current = self.seen = self.current()
        if current in generations:
            generations.remove(current)
            generations.insert(0, current)
        return generations

    def current(self) -> str:
        """The generation in service, or "" when there is none or the pointer makes no sense."""
        match = _POINTED(self.storage.resolve(f"{self._base}/current") or "")
        return match[1] if match else ""

    def read(self, generation: str) -> Stored:
        """One generation, checked. Raises: CertificateError when it is damaged or for other names."""
        place = f"{self._base}/gen/{generation}"
        key = self.storage.load(f"{place}/privkey.pem") or b""
        chain = self.storage.load(f"{place}/fullchain.pem") or b""
        leaf = read_leaf(chain)
        if public_key_of(key) != leaf.public_key:
            raise CertificateError("the private key does not fit the certificate")
        if not covers_all(leaf, self._names):
            raise CertificateError("the certificate does not name " + ", ".join(self._names))
        return Stored(key, chain, leaf, self._issuer(place))

    def _issuer(self, place: str) -> str:
        try:
            return msgspec.json.decode(self.storage.load(f"{place}/meta.json") or b"", type=Meta).issuer
        except msgspec.MsgspecError:
            return ""  # a pair that works is worth more than the knowledge of where it came from

    def save(self, stored: Stored) -> None:
        """Make `stored` the current generation. May be repeated after StorageError."""
        place = f"{self._base}/gen/{stored.generation}"
        if stored.generation not in self.storage.list(f"{self._base}/gen"):
            meta = msgspec.json.encode(Meta(stored.issuer))
            files = {"privkey.pem": stored.key, "fullchain.pem": stored.chain, "meta.json": meta}
            self.writer.store_directory(place, files)
        self._check_written(stored, place)
        self.writer.point(f"{self._base}/current", f"gen/{stored.generation}")
        self.seen = stored.generation
        self._prune(stored.generation)

    def _check_written(self, stored: Stored, place: str) -> None:
        try:
            written = self.read(stored.generation)
        except CertificateError as exc:
            written, reason = None, str(exc)
        else:
            reason = "it differs from what was written"
        if written is None or (written.key, written.chain) != (stored.key, stored.chain):
            self._put_aside(place, reason)
            raise StorageError(f"{place} was written but read back wrong: {reason}")

    def put_aside(self, stored: Stored, reason: str) -> None:
        """Never load this generation again; it stays in quarantine."""
        if stored.generation in self.storage.list(f"{self._base}/gen"):
            self.storage.quarantine(f"{self._base}/gen/{stored.generation}", reason)

    def _prune(self, current: str) -> None:
        try:
            others = [name for name in self.storage.list(f"{self._base}/gen") if name != current]
            for old in sorted(others, reverse=True)[KEPT_GENERATIONS - 1 :]:
                self.writer.delete(f"{self._base}/gen/{old}")
        except StorageError as exc:
            log.warning("old certificates not removed", name=self.directory, cause=str(exc))

    def load_state(self) -> CertificateState:
        """What is remembered; a blank memory when there is none or it cannot be read."""
        data = self.storage.load(f"{self._base}/state.json")
        if data is None:
            return CertificateState()
        try:
            return parse_state(data)
        except CertificateError as exc:
            self._put_aside(f"{self._base}/state.json", str(exc))
            return CertificateState()

    def store_state(self, state: CertificateState) -> bool:
        """Remember `state`; False when somebody else works on the certificate, or has moved on to another generation."""
        with self.exclusive() as got:
            if not got or self.seen not in (None, self.current()):
                return False
            self.writer.store(f"{self._base}/state.json", format_state(state))
            return True

    def _put_aside(self, key: str, reason: str) -> None:
        log.warning("damaged file put aside", name=self.directory, path=key, cause=reason, check="see quarantine/")
        try:
            self.writer.quarantine(key, reason)
        except StorageError as exc:
            log.warning("damaged file could not be moved", path=key, cause=str(exc))
