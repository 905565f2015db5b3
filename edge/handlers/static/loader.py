"""From the disk to an entry: the file, the compressed copies beside it, and what their heads will say.

A copy (sidecar) `app.css.br` stands for `app.css` as long as it is not older. It is no resource of its own: asked for
directly it does not exist, so that nobody gets a stylesheet as a download of unknown bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from edge.handlers.static.entry import Entry, Variant
from edge.handlers.static.files import OpenedFile, Root, Snapshot
from edge.handlers.static.heads import Traits, make_heads
from edge.handlers.static.immutable import ImmutableNames, Promise
from edge.http.conditional import Validators
from edge.http.media_types import media_type_of
from edge.http.negotiation import IDENTITY

SMALL: Final = 64 * 1024
"""Largest body kept in memory: one write to a socket (`edge.http.limits.WRITE_SLICE`)."""

SETTLED_AFTER: Final = 1.0
"""Seconds without a change after which a file's times tell its versions apart (RFC 9110 §8.8.2.2)."""

_SIDECARS: Final[Mapping[str, bytes]] = {"zstd": b".zst", "br": b".br", "gzip": b".gz"}


class Loader:
    """Makes entries of the files beneath `root`. `wall_clock` gives POSIX seconds.

    `names` None: the files come from users. Then a name promises nothing, and no file is a compressed copy of another.
    """

    def __init__(self, root: Root, names: ImmutableNames | None, wall_clock: Callable[[], float]) -> None:
        self._root = root
        self._names = names
        self._wall_clock = wall_clock
        self._suffixes = {} if names is None else _SIDECARS

    def load(self, key: bytes, name: bytes, known: Entry | None) -> Entry | None:
        """The present state of the file `name`: `known` itself if that is it, a new entry, or None without such a file.

        Raises: BrokenRead when the file changes meanwhile, HTTPError 503 when the disk or the process cannot serve.
        """
        with ExitStack() as stack:
            files = _open_variants(self._root, name, self._suffixes, stack)
            if not files:
                return None
            if known is not None and known.is_settled and known.snapshots == _snapshots(files):
                return known
            return self._make_entry(key, name, files)

    def _make_entry(self, key: bytes, name: bytes, files: dict[str, OpenedFile]) -> Entry:
        promise = Promise(False) if self._names is None else self._names.promise_of(name, files[IDENTITY])
        traits = Traits(
            media_type=media_type_of(name.rpartition(b"/")[2].decode()),
            is_immutable=promise.is_immutable,
            has_variants=len(files) > 1,
            content_hash=promise.content_hash,
            is_upload=self._names is None,
        )
        now = self._wall_clock()
        variants = {coding: _make_variant(name, coding, opened, traits, now) for coding, opened in files.items()}
        return Entry(key, variants, is_settled=all(v.validators.is_date_strong for v in variants.values()))


def _open_variants(root: Root, name: bytes, suffixes: Mapping[str, bytes], stack: ExitStack) -> dict[str, OpenedFile]:
    """The file and its sidecars, opened; empty when visitors cannot have the file."""
    identity = root.open_file(name)
    if identity is None:
        return {}
    stack.enter_context(identity)
    if _is_sidecar(root, name, suffixes):
        return {}
    files = {IDENTITY: identity}
    for coding, suffix in suffixes.items():
        sidecar = root.open_file(name + suffix)
        if sidecar is None:
            continue
        stack.enter_context(sidecar)
        # Whole seconds: some compressors copy the file's time on to the sidecar and lose the fraction.
        if sidecar.snapshot.modified_seconds >= identity.snapshot.modified_seconds:
            files[coding] = sidecar
    return files


def _is_sidecar(root: Root, name: bytes, suffixes: Mapping[str, bytes]) -> bool:
    for suffix in suffixes.values():
        if name.endswith(suffix):
            original = root.open_file(name.removesuffix(suffix))
            if original is not None:
                original.close()
                return True
    return False


def _snapshots(files: dict[str, OpenedFile]) -> dict[str, Snapshot]:
    return {coding: opened.snapshot for coding, opened in files.items()}


def _make_variant(name: bytes, coding: str, opened: OpenedFile, traits: Traits, posix_now: float) -> Variant:
    snapshot = opened.snapshot
    validators = Validators(
        etag=_etag(snapshot, coding, traits.content_hash),
        # Never later than Date (RFC 9110 §8.8.2.1), nor before dates begin to be sure to have four-digit years.
        modified=max(0, min(snapshot.modified_seconds, int(posix_now))),
        is_date_strong=posix_now - snapshot.modified_seconds > SETTLED_AFTER,
    )
    encoded = b"" if coding == IDENTITY else coding.encode()
    return Variant(
        name=name + _SIDECARS.get(coding, b""),
        snapshot=snapshot,
        validators=validators,
        heads=make_heads(traits, encoded, validators, snapshot.size),
        body=opened.read(0, snapshot.size) if snapshot.size <= SMALL else None,
    )


def _etag(snapshot: Snapshot, coding: str, content_hash: bytes) -> bytes:
    """A strong entity tag, different for each coding.

    The hash in an immutable name is the same on every server and after every deploy, a time is not. A compressed copy can
    be made anew from the same content, hence its size.
    """
    version = content_hash or b"%x" % snapshot.modified
    if content_hash and coding == IDENTITY:
        return b'"%b"' % version
    return b'"%b-%x-%b"' % (version, snapshot.size, coding.encode())
