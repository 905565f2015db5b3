"""The contract between the certificate manager and whoever issues: an ACME CA, the local CA.

The manager decides when and for which names, keeps the journal and the backoff. An issuer runs one attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from edge.certs.publisher import Publisher
from edge.config.acme_schema import USUAL, CertificateOptions
from edge.errors import CertificateError


class ErrorClass(StrEnum):
    """What kind of failure it was; decides what happens next (facts: RFC 8555 §6.7 problem types and HTTP status)."""

    TRANSPORT = "transport"
    """The CA could not be reached or answered nonsense."""
    RATE = "rate"
    """The CA said "not now": no request of that kind before `retry_after`."""
    VALIDATION = "validation"
    """The CA looked and did not find proof of control."""
    DNS = "dns"
    """The record that proves a name could not be put into DNS, or is not seen there; the CA was not asked to look."""
    POLICY = "policy"
    """The CA refuses these names, this key or this profile."""
    ACCOUNT = "account"
    """The account is missing, deactivated, or needs a human."""
    ORDER = "order"
    """The order died; a new one may succeed."""
    LOCAL = "local"
    """Disk, permissions, workers: nothing that the CA did."""


class IssueFailed(CertificateError):
    """One attempt failed.

    `phase` is the word an operator sees: account, order, challenge, finalize, download, check, save. `detail` is the cause in
    words, stripped of control characters and capped at 500 characters. `retry_after` is a POSIX time before which the CA
    does not want to be asked (already corrected for clock skew), or None. `hint` says what to do, or is "". `order_is_dead`
    tells the manager to drop the journal entry's order URL. `is_shared`: the wait until `retry_after` concerns every certificate
    of this CA.
    """

    def __init__(
        self,
        error_class: ErrorClass,
        phase: str,
        detail: str,
        *,
        retry_after: float | None = None,
        hint: str = "",
        order_is_dead: bool = False,
        is_shared: bool = False,
    ) -> None:
        super().__init__(f"{phase}: {detail}")
        self.error_class = error_class
        self.phase = phase
        self.detail = detail
        self.retry_after = retry_after
        self.hint = hint
        self.order_is_dead = order_is_dead
        self.is_shared = is_shared


class RenewalInfo(Struct, frozen=True):
    """A CA's advice on when to renew (RFC 9773 §4.2). POSIX times; `start` < `end` has been checked."""

    start: float
    end: float
    explanation_url: str = ""


class RenewalAnswer(Struct, frozen=True):
    """The outcome of one ARI poll: the window (None when the CA has no valid advice), and when to ask again (POSIX time)."""

    info: RenewalInfo | None
    poll_again: float


class Journal(Protocol):
    """The pending entry of one certificate on disk. Every method returns after the state is durable; raises StorageError."""

    key: bytes
    """PEM private key of the certificate to be, written before the first request to a CA."""

    csr: bytes
    """DER certificate signing request (RFC 2986) for that key and all names."""

    order_url: str
    """URL of the order to resume, or ""."""

    def order_created(self, url: str) -> None:
        """MUST be called before anything else is asked about the order."""

    def finalizing(self) -> None:
        """MUST be called before the finalize request: from here on the CA may have issued."""

    def order_dropped(self) -> None:
        """The order is dead or foreign: forget its URL, keep key and CSR."""


Progress: TypeAlias = Callable[[str], None]
"""Called with constant phases: "account", "order", "challenge", "validated", "finalize", "issued"."""


class Issuer(Protocol):
    """Issues certificates. Safe to call again after any failure or crash: with the same journal it resumes."""

    name: str
    """For messages: "Let's Encrypt", or the host of the directory."""

    async def issue(
        self,
        names: tuple[str, ...],
        journal: Journal,
        publisher: Publisher,
        *,
        replaces: bytes | None,
        progress: Progress,
        options: CertificateOptions = USUAL,
    ) -> bytes:
        """The PEM chain, leaf first, exactly as the CA gave it (the manager checks it).

        `options` say how the names are proved.
        `replaces` is the PEM chain of the predecessor if this CA issued it (RFC 9773 §5), else None.
        Raises: IssueFailed, StorageError.
        """

    async def rehearse(
        self, names: tuple[str, ...], publisher: Publisher, *, options: CertificateOptions = USUAL
    ) -> bool:
        """Prove the names where failures are cheap; False when this CA has no such place. Raises: IssueFailed, StorageError."""

    async def renewal_info(self, chain: bytes) -> RenewalAnswer:
        """The CA's advice for this certificate (PEM chain). Raises: IssueFailed."""

    async def revoke(self, chain: bytes, reason: int) -> None:
        """Tell everybody not to trust the leaf of this PEM chain any more (RFC 8555 §7.6); one that is revoked already is no
        error. `reason` is a code of RFC 5280 §5.3.1. Raises: IssueFailed."""

    async def close(self) -> None:
        """Release threads and connections; returns within 5 s."""


@runtime_checkable
class AccountHolder(Protocol):
    """An issuer with an account at its CA. Nothing may be ordered there meanwhile."""

    async def change_account_key(self) -> None:
        """The same account with a new key (RFC 8555 §7.3.5). Raises: IssueFailed, StorageError."""

    async def deactivate_account(self) -> None:
        """The CA accepts nothing from the account any more (RFC 8555 §7.3.6); it is put aside.

        Raises: IssueFailed, StorageError."""

    def put_account_aside(self) -> None:
        """Forget the account, keep its files in quarantine: the next order registers another. Raises: StorageError."""
