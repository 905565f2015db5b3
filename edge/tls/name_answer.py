"""What a worker is told about a name that no site lists, as long as it has no certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from edge.tls.certified_key import CertifiedKey

BUSY_SECONDS: Final = 5.0
"""How long a refusal holds that is about us, not about the name."""


class NameAnswer(Struct, frozen=True, tag="name-answer"):
    """Holds for `seconds`.

    `pending`: the name is welcome, its certificate is being ordered. `failed`: it is welcome, and there is none for the moment.
    `refused`: it is not welcome, or nobody could be asked. `problem` is one sentence for visitors, or "".
    """

    name: str
    verdict: Literal["pending", "failed", "refused"]
    seconds: float
    problem: str = ""


Reply: TypeAlias = Callable[[CertifiedKey | NameAnswer], None]
"""Hears about a name: a certificate, or that there is none; perhaps `pending` before."""


def refuse(name: str, _client: str, _caller: int, reply: Reply) -> None:
    """Nobody is there who could know the name."""
    reply(NameAnswer(name, "refused", BUSY_SECONDS))
