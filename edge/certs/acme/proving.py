"""Proving control of every name of an order (RFC 8555 §7.5): all authorizations at once, each with one challenge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from josepy.json_util import JSONObjectWithFields
from josepy.jwk import JWK

from edge.certs.acme.challenges import answer_for, answerable_kinds, choose
from edge.certs.acme.conversation import Conversation
from edge.certs.acme.memory import ChallengeMemory
from edge.certs.acme.presence import Presence
from edge.certs.acme.problems import clean, failure, parse_problem
from edge.certs.acme.resources import Authorization, Challenge, Order
from edge.certs.dns.persist import PersistentProof, PersistentRecord
from edge.certs.dns.provider import TXTRecord
from edge.certs.dns.records import DNSRecords
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.publisher import ChallengeAnswer, Publisher
from edge.config.acme_schema import ChallengeKind


class Ready(JSONObjectWithFields):
    """The answer to a challenge is in place: an empty object (RFC 8555 §7.5.1)."""

    def __bool__(self) -> bool:
        return True  # an empty message must not be taken for POST-as-GET


class Prover:
    """Proves names for one account, through one publisher, and through DNS where there is a way to change it."""

    def __init__(
        self,
        conversation: Conversation,
        account_key: JWK,
        *,
        publisher: Publisher,
        presence: Presence,
        records: DNSRecords | None,
        persistent: PersistentProof | None,
        wanted: ChallengeKind,
        memory: ChallengeMemory,
        wall_clock: Callable[[], float],
    ) -> None:
        self._conversation = conversation
        self._account_key = account_key
        self._publisher = publisher
        self._presence = presence
        self._records = records
        self._persistent = persistent
        self._wanted = wanted
        self._memory = memory
        self._wall_clock = wall_clock

    async def prove(self, order: Order) -> None:
        """Returns when the CA has accepted the proof for every name of the order.

        One name's failure does not stop the others: what the CA says about each is worth knowing. Raises: IssueFailed."""
        outcomes = await asyncio.gather(*map(self._prove_one, order.authorizations or ()), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            raise _together(failures)

    async def _prove_one(self, url: str) -> None:
        authorization = await self._conversation.read("challenge", url, Authorization)
        if authorization.status == "valid":  # proved for an earlier order
            return
        if authorization.status != "pending":
            raise verdict(authorization, None)
        challenge = self._choose(authorization)
        answer = answer_for(
            authorization, challenge, self._account_key, self._conversation.account_url, self._wall_clock()
        )
        async with self._presented(answer):
            final = await self._ask_to_look(url, challenge)
        name = authorization.name
        if final.status == "valid":
            self._memory.learn(name, challenge.type, success=True)
            return
        failed = verdict(final, challenge.type)
        if failed.error_class is ErrorClass.VALIDATION:
            self._memory.learn(name, challenge.type, success=False)
        raise failed

    def _presented(self, answer: ChallengeAnswer | TXTRecord | PersistentRecord) -> AbstractAsyncContextManager[None]:
        if isinstance(answer, PersistentRecord):
            return self._waited_for(answer)
        if not isinstance(answer, TXTRecord):
            return self._presence.presented(self._publisher, answer)
        assert self._records is not None  # else dns-01 would not have been chosen
        return self._records.presented(answer)

    @asynccontextmanager
    async def _waited_for(self, record: PersistentRecord) -> AsyncIterator[None]:
        """Somebody else makes it, and nobody takes it away."""
        if self._persistent is not None:
            await self._persistent.wait(record)
        yield

    async def _ask_to_look(self, url: str, challenge: Challenge) -> Authorization:
        if challenge.status == "pending":  # else the CA has been asked before a crash, and may refuse to be asked again
            await self._conversation.post("challenge", challenge.url, Ready())
        return await self._conversation.poll(
            "challenge", url, Authorization, lambda authorization: authorization.status != "pending"
        )

    def _choose(self, authorization: Authorization) -> Challenge:
        name = authorization.name
        listeners = self._publisher.challenge_kinds()
        answerable = answerable_kinds(authorization, self._wanted, listeners, has_dns=self._records is not None)
        challenge = choose(authorization.challenges or (), answerable, self._memory.recall(name))
        if challenge is None:
            offered = ", ".join(sorted(challenge.type for challenge in authorization.challenges or ())) or "nothing"
            raise IssueFailed(
                ErrorClass.POLICY,
                "challenge",
                clean(
                    f"{name}: the CA offers {offered}; this server can answer {', '.join(sorted(answerable)) or 'none'}"
                ),
                hint="http-01 needs --http-port 80, tls-alpn-01 needs --https-port 443 (as visitors see them), dns-01 and every"
                " wildcard need [acme.dns]",
            )
        return challenge


def verdict(authorization: Authorization, kind: str | None) -> IssueFailed:
    """The failure of an authorization that is final and not valid. `kind` is the challenge we answered."""
    name = clean(authorization.name)
    failed = next((challenge for challenge in authorization.challenges or () if challenge.error is not None), None)
    if authorization.status == "invalid" and failed is not None:
        about = f"{name} ({failed.type})"
        return failure(parse_problem(failed.error), "challenge", validating=True, about=about, order_is_dead=True)
    error_class = ErrorClass.VALIDATION if authorization.status == "invalid" else ErrorClass.ORDER
    detail = f"{name} ({kind or 'no challenge'}): the authorization is {authorization.status}, the CA gave no reason"
    return IssueFailed(error_class, "challenge", clean(detail), order_is_dead=True)


def _together(failures: list[BaseException]) -> BaseException:
    """One failure for all: the first one's kind, everybody's words. What is no `IssueFailed` goes first: it is a defect."""
    issue_failures = [one for one in failures if isinstance(one, IssueFailed)]
    if len(issue_failures) < len(failures):
        return next(one for one in failures if not isinstance(one, IssueFailed))
    first = min(issue_failures, key=lambda one: one.error_class is not ErrorClass.RATE)
    if len(failures) == 1:
        return first
    return IssueFailed(
        first.error_class,
        first.phase,
        clean("; ".join(dict.fromkeys(one.detail for one in issue_failures))),
        retry_after=first.retry_after,
        hint=first.hint,
        order_is_dead=any(one.order_is_dead for one in issue_failures),
        is_shared=first.is_shared,
    )
