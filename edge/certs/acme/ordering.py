"""Getting an order: the one of an earlier attempt when it still lives, else a new one (RFC 8555 §7.4)."""

from __future__ import annotations

from acme import messages
from josepy.json_util import field

from edge.certs.acme.conversation import Conversation
from edge.certs.acme.problems import ProblemFailure, clean
from edge.certs.acme.resources import Order
from edge.certs.acme.transport import nonsense
from edge.certs.acme.urls import require_https, same_server
from edge.certs.issuer import ErrorClass, IssueFailed, Journal
from edge.config.acme_schema import CertificateOptions
from edge.config.names import is_address
from edge.telemetry.logs import get_logger

log = get_logger("certs")

ALIVE = frozenset({"pending", "ready", "processing", "valid"})
"""Order statuses that lead to a certificate; any other one, also one of the future, does not."""

SHORT_LIVED = "shortlived"
"""The profile in which Let's Encrypt certifies IP addresses. Otherwise edge names none unless it is told to: the CA's default
is what the CA recommends, and it changes with the years."""


class NewOrder(messages.NewOrder):
    """newOrder with the certificate that the new one replaces (RFC 9773 §5)."""

    replaces: str | None = field("replaces", omitempty=True)


async def resume_order(conversation: Conversation, names: tuple[str, ...], journal: Journal) -> Order | None:
    """The journal's order when it can still become a certificate for these names; else None, and the journal forgets it.

    Raises: IssueFailed, StorageError."""
    if not journal.order_url:
        return None
    if not same_server(journal.order_url, conversation.directory.new_order):
        log.info("order belongs to another CA, making a new one", order=clean(journal.order_url))
        journal.order_dropped()
        return None
    try:
        order = await conversation.read("order", journal.order_url, Order)
    except ProblemFailure as exc:
        if exc.error_class in (ErrorClass.TRANSPORT, ErrorClass.RATE) or exc.problem.kind == "accountDoesNotExist":
            raise
        log.info("order is gone, making a new one", cause=exc.detail)
    else:
        if order.status in ALIVE and {identifier.value.lower() for identifier in order.identifiers or ()} == set(names):
            return order
        log.info("order cannot be resumed, making a new one", status=clean(order.status[:20]))
    journal.order_dropped()
    return None


async def create_order(
    conversation: Conversation,
    names: tuple[str, ...],
    journal: Journal,
    *,
    replaces: str,
    options: CertificateOptions,
) -> Order:
    """A new order, its URL in the journal. `replaces` is an ARI identifier or "".

    A CA that dislikes the predecessor (replaced already, made by another account, unknown) fails the whole order, so it is
    asked once more without. Raises: IssueFailed, StorageError."""
    profile = profile_for(names, conversation.directory.profiles, options)
    if not replaces:
        return await _order(conversation, names, journal, profile, None)
    try:
        return await _order(conversation, names, journal, profile, replaces)
    except ProblemFailure as exc:
        if exc.error_class is ErrorClass.RATE or exc.problem.kind in ("badNonce", "accountDoesNotExist"):
            raise
        log.info("ordering without naming the predecessor", cause=exc.detail)
        return await _order(conversation, names, journal, profile, None)


async def _order(
    conversation: Conversation, names: tuple[str, ...], journal: Journal, profile: str | None, replaces: str | None
) -> Order:
    message = NewOrder(
        identifiers=[_identifier(name) for name in names],
        profile=profile,
        replaces=replaces,
    )
    reply = await conversation.post("order", conversation.directory.new_order, message, repeatable=replaces is None)
    url = reply.headers.get("location", "")
    try:
        require_https(url)
    except ValueError as exc:
        raise nonsense("order", f"the CA gave the order no usable URL: {exc}") from exc
    journal.order_created(url)
    return reply.decode(Order, "order")


def refuse_wildcards(names: tuple[str, ...]) -> None:
    """Raises: IssueFailed for names that HTTP-01 and TLS-ALPN-01 cannot prove (RFC 8555 §7.1.3, RFC 8737 §3)."""
    for name in names:
        if name.startswith("*."):
            raise IssueFailed(
                ErrorClass.POLICY,
                "order",
                f"{name} is a wildcard: CAs want it proved by a DNS record, and there is no [acme.dns] to make one",
                hint="say in [acme.dns] how DNS is changed, list the host names one by one, or bring cert and key",
            )


def profile_for(names: tuple[str, ...], offered: frozenset[str], options: CertificateOptions) -> str | None:
    """The certificate profile to ask for, None for the CA's default. Raises: IssueFailed when a required one is not offered."""
    if options.profile in offered and options.profile:
        return options.profile
    if options.profile_required:
        raise IssueFailed(
            ErrorClass.POLICY,
            "order",
            clean(
                f"the CA does not offer the profile {options.profile}; it offers {', '.join(sorted(offered)) or 'none'}"
            ),
            hint="change profile, drop profile_required, or ask another CA",
        )
    return SHORT_LIVED if SHORT_LIVED in offered and any(map(is_address, names)) else None


def _identifier(name: str) -> messages.Identifier:
    kind = messages.IDENTIFIER_IP if is_address(name) else messages.IDENTIFIER_FQDN
    return messages.Identifier(typ=kind, value=name)
