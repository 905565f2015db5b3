"""One order from wherever it stands to the chain (RFC 8555 §7.1.6).

    pending ──prove──► ready ──finalize──► processing ──wait──► valid ──download──► chain
       └──────────────────┴───────────────────┴──► anything else: the order is dead

What happens next is read from the order's status alone, so an attempt that follows a crash needs nothing but its URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from acme import messages
from cryptography import x509
from msgspec import Struct

from edge.certs.acme.conversation import Conversation
from edge.certs.acme.network import CHAIN_TYPE
from edge.certs.acme.ordering import create_order, resume_order
from edge.certs.acme.problems import ProblemFailure, clean, failure, parse_problem
from edge.certs.acme.proving import Prover
from edge.certs.acme.resources import Order
from edge.certs.acme.transport import nonsense
from edge.certs.issuer import ErrorClass, IssueFailed, Journal, Progress
from edge.config.acme_schema import USUAL, CertificateOptions

MOST_FINALIZE_TRIES = 3
"""A finalize request whose reply was lost is sent again only if the order says that it never arrived."""


class Attempt(Struct):
    """What one attempt needs; `replaces` is an ARI identifier or ""."""

    names: tuple[str, ...]
    journal: Journal
    conversation: Conversation
    prover: Prover
    progress: Progress
    replaces: str
    options: CertificateOptions = USUAL

    async def run(self) -> bytes:
        """The PEM chain. Raises: IssueFailed, StorageError."""
        self.progress("order")
        order = await resume_order(self.conversation, self.names, self.journal)
        if order is None:
            order = await create_order(
                self.conversation, self.names, self.journal, replaces=self.replaces, options=self.options
            )
        if order.status == "pending":
            order = await self._prove(order)
        limit = self.conversation.limits.finalize
        async with within(limit, "finalize", "the CA has not issued the certificate", order_is_dead=False):
            return await self._finish(order)

    async def _prove(self, order: Order) -> Order:
        self.progress("challenge")
        limit = self.conversation.limits.authorize
        async with within(limit, "challenge", "the CA has not finished its validations", order_is_dead=True):
            await self.prover.prove(order)
            self.progress("validated")
            order = await self._read()
            return order if order.status != "pending" else await self._poll("order", "pending")

    async def _finish(self, order: Order) -> bytes:
        for _ in range(MOST_FINALIZE_TRIES):
            if order.status == "ready":
                order = await self._finalize(order)
            if order.status == "processing":
                order = await self._poll("finalize", "processing")
            if order.status == "valid":
                return await self._download(order)
            if order.status != "ready":
                raise dead(order)
        raise nonsense("finalize", "the CA keeps the order ready, whatever is sent to it")

    async def _finalize(self, order: Order) -> Order:
        self.progress("finalize")
        self.journal.finalizing()
        try:
            await self.conversation.post("finalize", order.finalize or "", self._request(), repeatable=False)
        except ProblemFailure as exc:
            if exc.error_class not in (ErrorClass.TRANSPORT, ErrorClass.RATE):
                exc.order_is_dead = True
            if exc.error_class is not ErrorClass.TRANSPORT:
                raise
        except IssueFailed as exc:
            if exc.error_class is not ErrorClass.TRANSPORT:
                raise
        return await self._read()  # the reply may be lost though the request arrived: only the order itself knows

    def _request(self) -> messages.CertificateRequest:
        try:
            return messages.CertificateRequest(csr=x509.load_der_x509_csr(self.journal.csr))
        except ValueError as exc:
            raise IssueFailed(
                ErrorClass.LOCAL, "finalize", "the stored certificate request is damaged", order_is_dead=True
            ) from exc

    async def _download(self, order: Order) -> bytes:
        if not order.certificate:
            raise nonsense("download", "the CA's order is valid and names no certificate")
        reply = await self.conversation.post("download", order.certificate, None, accept=CHAIN_TYPE)
        if b"-----BEGIN CERTIFICATE-----" not in reply.body:
            raise nonsense("download", "the CA sent something else instead of a certificate chain")
        self.progress("issued")
        return reply.body

    async def _read(self) -> Order:
        return await self.conversation.read("order", self.journal.order_url, Order)

    async def _poll(self, phase: str, status: str) -> Order:
        return await self.conversation.poll(phase, self.journal.order_url, Order, lambda order: order.status != status)


def dead(order: Order) -> IssueFailed:
    """The failure of an order that is invalid, or whose status nobody knows."""
    if order.status == "invalid" and order.error is not None:
        return failure(parse_problem(order.error), "finalize", order_is_dead=True)
    detail = clean(f"the CA says that the order is {order.status[:20]}, and gives no reason")
    return IssueFailed(ErrorClass.ORDER, "finalize", detail, order_is_dead=True)


@asynccontextmanager
async def within(seconds: float, phase: str, what: str, *, order_is_dead: bool) -> AsyncIterator[None]:
    """A deadline for everything inside. Raises: IssueFailed when it passes."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        detail = f"{what} within {seconds:g} s"
        raise IssueFailed(ErrorClass.ORDER, phase, detail, order_is_dead=order_is_dead) from exc
