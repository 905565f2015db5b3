"""Server name → certificate.

The index changes between two handshakes, never within one: both happen on the thread of the event loop, so all names of a new
certificate change hands at once; handshakes under way keep what they have.

A context costs a millisecond and 20 KiB, and 10,000 names are not visited at once. So only the first few are built when their
certificate arrives; the others when a visitor comes, and only so many are kept. A certificate that *replaces* another is
built at once: only then is it known to be usable before the old one goes.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from edge.errors import CertificateError
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey
from edge.tls.contexts import (
    CertificateContext,
    ChallengeContext,
    EdgeSocket,
    new_certificate_context,
    new_challenge_context,
)

MAX_CONTEXTS: Final = 1000
"""Built contexts kept at a time, about 20 KiB each."""

BUILT_AHEAD: Final = 100
"""Contexts that are built before anybody asks for them: what a usual installation has, and a tenth of a second at the start."""

log = get_logger("tls")


class Selector:
    """Chooses the certificate of a handshake. `first_name` is served to clients that send no server name."""

    def __init__(self, base: ssl.SSLContext, first_name: str) -> None:
        self.base = base
        self.challenges: Mapping[str, ChallengeContext] = {}
        self._first_name = first_name
        self._index: dict[str, CertifiedKey] = {}
        self._contexts: OrderedDict[CertifiedKey, CertificateContext] = OrderedDict()
        base.sni_callback = self._choose

    def __repr__(self) -> str:
        return f"<Selector {len(self._index)} names, {len(self._contexts)} contexts, {len(self.challenges)} challenges>"

    # -- what is served -----------------------------------------------------------------------------------------------

    def replace(self, certified_key: CertifiedKey) -> None:
        """Serve `certified_key` for its names from the next handshake on.

        When it replaces nothing and there are many already, or the process is out of descriptors, it is taken on trust: the
        first handshake builds its context.

        Raises: CertificateError when OpenSSL does not take it; then everything stays as it was.
        """
        context = self._build_ahead(certified_key)
        for name in certified_key.names:
            self._forget_context(self._index.get(name))
            self._index[name] = certified_key
        if context is not None:
            self._keep(certified_key, context)

    def _build_ahead(self, certified_key: CertifiedKey) -> CertificateContext | None:
        replaces = any(name in self._index for name in certified_key.names)
        if not replaces and len(self._contexts) >= BUILT_AHEAD:
            return None
        try:
            return new_certificate_context(certified_key)
        except OSError:
            return None

    def drop(self, names: tuple[str, ...]) -> None:
        """Serve these names no longer."""
        for name in names:
            self._forget_context(self._index.pop(name, None))

    def _forget_context(self, certified_key: CertifiedKey | None) -> None:
        if certified_key is not None:
            self._contexts.pop(certified_key, None)

    def present_challenge(self, server_name: str, chain: bytes, key: bytes) -> None:
        """Answer `acme-tls/1` handshakes for `server_name` until `clean_up_challenge`. Raises: CertificateError."""
        try:
            context = new_challenge_context(chain, key)
        except OSError as error:
            raise CertificateError("out of descriptors, cannot answer a challenge") from error
        self.challenges = {**self.challenges, server_name: context}

    def clean_up_challenge(self, server_name: str) -> None:
        """Answer them no longer."""
        self.challenges = {name: context for name, context in self.challenges.items() if name != server_name}

    # -- choosing -----------------------------------------------------------------------------------------------------

    def find(self, server_name: str) -> CertifiedKey | None:
        """The certificate for a server name: exact, then wildcard; for "" the first site's."""
        index = self._index
        name = server_name or self._first_name
        found = index.get(name)
        if found is None:
            _, dot, parent = name.partition(".")
            found = index.get(f"*.{parent}") if dot else None
        return found

    def _choose(self, tls: ssl.SSLObject | ssl.SSLSocket, server_name: str | None, _base: ssl.SSLContext) -> int | None:
        """The callback of the base context (RFC 6066 §3): an alert number, or None after setting the context."""
        name = (server_name or "").lower().rstrip(".")
        certified_key = self.find(name)
        if certified_key is None:
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        try:
            tls.context = self._context_of(certified_key)
        except CertificateError as problem:
            log.error("certificate refused", certificate=repr(certified_key), problem=str(problem))
            self.drop(certified_key.names)  # visitors must not make us say so again and again
            return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
        except OSError:
            return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
        if isinstance(tls, EdgeSocket):
            tls.server_name = name
        return None

    def _context_of(self, certified_key: CertifiedKey) -> CertificateContext:
        context = self._contexts.get(certified_key)
        if context is None:
            context = new_certificate_context(certified_key)
            self._keep(certified_key, context)
        elif len(self._contexts) == MAX_CONTEXTS:
            self._contexts.move_to_end(certified_key)
        return context

    def _keep(self, certified_key: CertifiedKey, context: CertificateContext) -> None:
        self._contexts[certified_key] = context
        if len(self._contexts) > MAX_CONTEXTS:
            self._contexts.popitem(last=False)


def covers_of(tls: ssl.SSLSocket) -> Callable[[str], bool]:
    """Tells whether the certificate served on this connection is valid for a host (lower-case, without port)."""
    context = tls.context
    return context.covers if isinstance(context, CertificateContext) else _covers_nothing


def _covers_nothing(_host: str) -> bool:
    return False
