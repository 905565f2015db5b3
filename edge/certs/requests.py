"""What an operator may ask of the certificate manager, and its answers: values that travel from a command to the keeper."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct


class Reason(StrEnum):
    """Why a certificate is revoked: the reasons that CAs take from subscribers."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    SUPERSEDED = "superseded"
    CESSATION = "cessation"

    @property
    def code(self) -> int:
        """RFC 5280 §5.3.1."""
        return {"unspecified": 0, "key-compromise": 1, "superseded": 4, "cessation": 5}[self.value]


class Renew(Struct, frozen=True, tag="renew"):
    """Order anew for the certificates that hold these names; `force` does so before they are due."""

    names: tuple[str, ...]
    force: bool = False


class Revoke(Struct, frozen=True, tag="revoke"):
    """Revoke the certificate that holds this name, and replace it when the name is still served."""

    name: str
    reason: Reason = Reason.UNSPECIFIED


class ChangeAccount(Struct, frozen=True, tag="change-account"):
    """`new-key`: the same account, another key. `replace`: put the account aside, the next order registers another.
    `deactivate`: tell the CA to accept nothing from it any more, then put it aside. `ca` is a name or directory host; ""
    means the preferred CA."""

    action: Literal["new-key", "replace", "deactivate"]
    ca: str = ""


class LookAgain(Struct, frozen=True, tag="look-again"):
    """Certificates have been put into the storage: serve those that are better than what is served."""


Request: TypeAlias = Renew | Revoke | ChangeAccount | LookAgain


class Answer(Struct, frozen=True):
    """Whether everything was done as asked, and a sentence about each thing."""

    is_done: bool
    sentences: tuple[str, ...]
