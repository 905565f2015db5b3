"""Revoking a certificate (RFC 8555 §7.6), signed with the account that it was issued to."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding
from josepy.b64 import b64encode
from josepy.json_util import JSONObjectWithFields, field

from edge.certs.acme.conversation import Conversation
from edge.certs.acme.problems import ProblemFailure
from edge.certs.chain import parse_chain
from edge.certs.issuer import ErrorClass, IssueFailed


class Revocation(JSONObjectWithFields):
    """Which certificate, and why (RFC 5280 §5.3.1)."""

    certificate: str = field("certificate")
    reason: int = field("reason")


async def revoke(conversation: Conversation, chain: bytes, reason: int) -> None:
    """Revoke the leaf of `chain` (PEM). Raises: IssueFailed."""
    url = conversation.directory.revoke_cert
    if not url:
        raise IssueFailed(ErrorClass.POLICY, "revoke", "the CA takes no revocations over ACME")
    leaf = b64encode(parse_chain(chain)[0].public_bytes(Encoding.DER)).decode()
    try:
        await conversation.post("revoke", url, Revocation(certificate=leaf, reason=reason))
    except ProblemFailure as exc:
        if exc.problem.kind != "alreadyRevoked":
            raise
