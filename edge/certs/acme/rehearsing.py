"""An order that is never finalized: are the proofs accepted? Then its authorizations are given back (RFC 8555 §7.5.2)."""

from __future__ import annotations

import msgspec
from josepy.json_util import JSONObjectWithFields, field

from edge.certs.acme.conversation import Conversation
from edge.certs.acme.ordering import create_order
from edge.certs.acme.proving import Prover
from edge.certs.acme.resources import Order
from edge.certs.issuer import IssueFailed
from edge.config.acme_schema import CertificateOptions
from edge.telemetry.logs import get_logger

log = get_logger("certs")


class Deactivation(JSONObjectWithFields):
    """What ends an authorization or an account (RFC 8555 §7.5.2, §7.3.6)."""

    status: str = field("status", default="deactivated")


class UnkeptJournal:
    """Implements `Journal` for an order that nobody resumes."""

    key = csr = b""
    order_url = ""

    def order_created(self, url: str) -> None:
        """Not worth remembering."""

    def finalizing(self) -> None:
        """Never happens."""

    def order_dropped(self) -> None:
        """Nothing to forget."""


async def rehearse(
    conversation: Conversation, prover: Prover, names: tuple[str, ...], options: CertificateOptions
) -> None:
    """Returns when every name has been proved. Raises: IssueFailed."""
    options = msgspec.structs.replace(options, profile_required=False)
    order = await create_order(conversation, names, UnkeptJournal(), replaces="", options=options)
    try:
        if order.status == "pending":
            await prover.prove(order)
    finally:
        await _give_back(conversation, order)


async def _give_back(conversation: Conversation, order: Order) -> None:
    """An authorization that stays would make the next rehearsal succeed without a look."""
    for url in order.authorizations or ():
        try:
            await conversation.post("challenge", url, Deactivation())
        except IssueFailed as exc:
            log.debug("authorization not given back", cause=exc.detail)
