"""A file ready to be sent: its variants with their heads, the small ones with their bytes.

An entry is made from one look at the disk and never changes, but for the moment of the next look. Which variant a client
gets depends on its Accept-Encoding value alone; browsers send a handful of them, so the choice is remembered by value.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from edge.handlers.static.files import Snapshot
from edge.handlers.static.heads import Heads
from edge.http.conditional import Validators
from edge.http.negotiation import IDENTITY, choose_coding

_MEMO_VALUES: Final = 32
"""Accept-Encoding values remembered per entry; all browsers together send fewer than ten."""

_MEMO_VALUE_SIZE: Final = 128
"""Longer values are not worth remembering, nor the memory."""

ENTRY_OVERHEAD: Final = 4096
"""Bytes an entry takes beside its bodies, roughly, with heads in every engine's form."""


class Variant(Struct, frozen=True):
    """The file in one coding. `body` is None when it is too large to keep and has to be streamed from `name`."""

    name: bytes
    snapshot: Snapshot
    validators: Validators
    heads: Heads
    body: bytes | None

    @property
    def size(self) -> int:
        """Bytes of the variant as stored."""
        return self.snapshot.size


class Entry:
    """All variants of one file by coding, the identity among them.

    `is_settled`: the file had been left alone for a while, so that a later change must show in its times.
    """

    __slots__ = ("_choices", "_sizes", "is_settled", "key", "look_again_at", "only", "variants")

    def __init__(self, key: bytes, variants: dict[str, Variant], *, is_settled: bool) -> None:
        self.key = key
        self.variants = variants
        self.is_settled = is_settled
        self.only = variants[IDENTITY] if len(variants) == 1 else None
        self.look_again_at = 0.0
        self._sizes = {coding: variant.size for coding, variant in variants.items()}
        self._choices: dict[bytes | None, Variant] = {}

    def __repr__(self) -> str:
        return f"<Entry {self.key!r} {self._sizes!r}>"

    @property
    def weight(self) -> int:
        """Bytes of memory, roughly."""
        return ENTRY_OVERHEAD + sum(len(variant.body) for variant in self.variants.values() if variant.body)

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        """What the disk looked like, by coding."""
        return {coding: variant.snapshot for coding, variant in self.variants.items()}

    def variant_for(self, accept_encoding: bytes | None) -> Variant:
        """The variant for a client that sent this Accept-Encoding value, or None."""
        return self.only or self._choices.get(accept_encoding) or self._choose(accept_encoding)

    def _choose(self, accept_encoding: bytes | None) -> Variant:
        variant = self.variants[choose_coding(accept_encoding, self._sizes)]
        if accept_encoding is None or len(accept_encoding) <= _MEMO_VALUE_SIZE:
            if len(self._choices) >= _MEMO_VALUES:
                self._choices.clear()
            self._choices[accept_encoding] = variant
        return variant
