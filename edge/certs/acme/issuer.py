"""The ACME issuer: what outlives an attempt (account, experience, lingering answers), and one attempt at a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from josepy.jwk import JWK

from edge.certs.acme.account import Accounts
from edge.certs.acme.attempt import Attempt, within
from edge.certs.acme.certificate_id import certificate_id
from edge.certs.acme.conversation import Conversation
from edge.certs.acme.limits import Limits
from edge.certs.acme.memory import ChallengeMemory
from edge.certs.acme.network import Network
from edge.certs.acme.ordering import refuse_wildcards
from edge.certs.acme.presence import Presence
from edge.certs.acme.problems import ProblemFailure, clean
from edge.certs.acme.proving import Prover
from edge.certs.acme.rehearsing import rehearse
from edge.certs.acme.renewal_info import ask_renewal_info
from edge.certs.acme.revocation import revoke
from edge.certs.acme.threads import call
from edge.certs.acme.urls import authority_of
from edge.certs.dns.persist import PersistentProof
from edge.certs.dns.records import DNSRecords
from edge.certs.issuer import ErrorClass, IssueFailed, Journal, Progress, RenewalAnswer
from edge.certs.publisher import Publisher
from edge.config.acme_schema import USUAL, CertificateOptions, ExternalAccount
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

log = get_logger("certs")

_NAMES = {
    "acme-v02.api.letsencrypt.org": "Let's Encrypt",
    "acme-staging-v02.api.letsencrypt.org": "Let's Encrypt (staging)",
}


MOST_OBSERVED = 3
"""Names that are looked at from here after a failed validation; the first ones tell enough."""

Observe: TypeAlias = Callable[[str, Publisher], Awaitable[str]]
"""What is seen of a name from here, in one sentence or ""."""


def ca_name(directory_url: str) -> str:
    """What messages call a CA: a name people know, else host and port of its directory."""
    authority = authority_of(directory_url)
    return _NAMES.get(authority, authority)


class AcmeIssuer:
    """An `Issuer` for the CA behind `directory_url`.

    `ca_file` adds a trust root for the directory's own TLS; `external_account` binds a new account to one made on the CA's web
    site; `records` put proofs into DNS, and without them there are no wildcards; `persistent` waits for records that the
    operator makes; `staging` is the CA's test system;
    `observe` looks at a name that was not validated. Several attempts may run at once. Not shared between event loops.
    """

    def __init__(
        self,
        directory_url: str,
        storage: Storage,
        *,
        ca_file: str = "",
        email: str = "",
        external_account: ExternalAccount | None = None,
        records: DNSRecords | None = None,
        persistent: PersistentProof | None = None,
        staging: AcmeIssuer | None = None,
        observe: Observe | None = None,
        limits: Limits | None = None,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = ca_name(directory_url)
        self._directory_url = directory_url
        self._ca_file = ca_file
        self._records = records
        self._persistent = persistent
        self._staging = staging
        self._observe = observe
        self._limits = limits or Limits()
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._accounts = Accounts(
            storage, directory_url, email=email, external=external_account, wall_clock=wall_clock, sleep=sleep
        )
        self._memory = ChallengeMemory(storage, f"{self._accounts.directory}/challenges.json")
        self._presence = Presence(self._limits.linger)
        self._networks: set[Network] = set()

    def __repr__(self) -> str:
        return f"<AcmeIssuer {self.name}>"

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
        """The PEM chain, leaf first, as the CA gave it. Raises: IssueFailed, StorageError."""
        if self._records is None and options.challenge != "dns-persist-01":
            refuse_wildcards(names)
        limit = self._limits.attempt
        async with (
            within(limit, "order", "the attempt came to no end", order_is_dead=False),
            self._talk() as conversation,
        ):
            progress("account")
            await conversation.start(self._directory_url)
            key = await self._accounts.open(conversation)
            prover = self._prover(conversation, key, publisher, options)
            predecessor = certificate_id(replaces) if replaces and conversation.directory.renewal_info else ""
            attempt = Attempt(names, journal, conversation, prover, progress, predecessor, options)
            try:
                return await self._run(attempt)
            except IssueFailed as exc:
                await self._enrich(exc, names, publisher)
                raise

    async def rehearse(
        self, names: tuple[str, ...], publisher: Publisher, *, options: CertificateOptions = USUAL
    ) -> bool:
        """Prove the names at the CA's test system; False when there is none, or it is not to be had. Raises: IssueFailed when
        it finds no proof."""
        if self._staging is None:
            return False
        try:
            await self._staging.prove(names, publisher, options)
        except IssueFailed as exc:
            if exc.error_class is not ErrorClass.VALIDATION:
                log.info("no dry run", ca=self._staging.name, cause=exc.detail)
                return False
            detail = clean(f"in the dry run at {self._staging.name}: {exc.detail}")
            raise IssueFailed(exc.error_class, exc.phase, detail, hint=exc.hint) from exc
        return True

    async def prove(self, names: tuple[str, ...], publisher: Publisher, options: CertificateOptions) -> None:
        """Order, prove, and go away. Raises: IssueFailed, StorageError."""
        limit = self._limits.attempt
        async with (
            within(limit, "order", "the dry run came to no end", order_is_dead=True),
            self._talk() as conversation,
        ):
            await conversation.start(self._directory_url)
            key = await self._accounts.open(conversation)
            await rehearse(conversation, self._prover(conversation, key, publisher, options), names, options)

    async def change_account_key(self) -> None:
        """A new key for the account, for an operator who asks for it. Raises: IssueFailed, StorageError."""
        async with self._talk() as conversation:
            await conversation.start(self._directory_url)
            await self._accounts.change_key(conversation)

    async def deactivate_account(self) -> None:
        """The CA accepts nothing from the account any more; it is put aside. Raises: IssueFailed, StorageError."""
        async with self._talk() as conversation:
            await conversation.start(self._directory_url)
            await self._accounts.deactivate(conversation)

    def put_account_aside(self) -> None:
        """The next order registers another account. Raises: StorageError."""
        self._accounts.put_aside("replaced by command")

    async def revoke(self, chain: bytes, reason: int) -> None:
        """Revoke the leaf of a PEM chain. Raises: IssueFailed, StorageError."""
        async with self._talk() as conversation:
            await conversation.start(self._directory_url)
            await self._accounts.open(conversation)
            await revoke(conversation, chain, reason)

    async def renewal_info(self, chain: bytes) -> RenewalAnswer:
        """The CA's advice for this certificate (PEM chain). Raises: IssueFailed."""
        async with self._talk() as conversation:
            await conversation.start(self._directory_url)
            return await ask_renewal_info(conversation, certificate_id(chain), self._wall_clock())

    async def close(self) -> None:
        """Cut requests under way, take lingering answers back. Does not wait for the network."""
        for network in list(self._networks):
            network.close()
        self._presence.leave_all()
        if self._staging is not None:
            await self._staging.close()

    def _prover(
        self, conversation: Conversation, key: JWK, publisher: Publisher, options: CertificateOptions
    ) -> Prover:
        return Prover(
            conversation,
            key,
            publisher=publisher,
            presence=self._presence,
            records=self._records,
            persistent=self._persistent,
            wanted=options.challenge,
            memory=self._memory,
            wall_clock=self._wall_clock,
        )

    async def _enrich(self, failure: IssueFailed, names: tuple[str, ...], publisher: Publisher) -> None:
        """Put what is seen from here beside what the CA saw."""
        if self._observe is None or failure.error_class is not ErrorClass.VALIDATION or "(dns-" in failure.detail:
            return
        failed = [name for name in names if name in failure.detail][:MOST_OBSERVED]
        seen = await asyncio.gather(*(self._observe(name, publisher) for name in failed))
        failure.hint = clean("; ".join(filter(None, [failure.hint, *seen])))

    async def _run(self, attempt: Attempt) -> bytes:
        """Once more with the account registered again when the CA has forgotten it."""
        try:
            return await attempt.run()
        except ProblemFailure as exc:
            if exc.problem.kind != "accountDoesNotExist":
                raise
        await self._accounts.register_again(attempt.conversation)
        if attempt.journal.order_url:
            attempt.journal.order_dropped()  # it belonged to the forgotten account
        await self._accounts.open(attempt.conversation)
        return await attempt.run()

    @asynccontextmanager
    async def _talk(self) -> AsyncIterator[Conversation]:
        network = await call(lambda: Network(ca_file=self._ca_file, limits=self._limits, wall_clock=self._wall_clock))
        self._networks.add(network)
        try:
            yield Conversation(network, self._limits, wall_clock=self._wall_clock, sleep=self._sleep)
        finally:
            self._networks.discard(network)
            network.close()
