"""Server name → certificate, replaced by swapping one reference.

The index is an immutable picture: a new certificate makes a new index, and one assignment puts it in force; handshakes under
way keep what they have. Contexts are built on first use and only so many are kept, because one costs memory and 10,000 names
are not visited at once.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from edge.errors import CertificateError
from edge.tls.certified_key import CertifiedKey
from edge.tls.contexts import (
    CertificateContext,
    ChallengeContext,
    EdgeSocket,
    new_certificate_context,
    new_challenge_context,
)

MAX_CONTEXTS: Final = 1000
"""Built contexts kept at a time, about 30 KiB each."""


class Selector:
    """Chooses the certificate of a handshake. `first_name` is served to clients that send no server name."""

    def __init__(self, base: ssl.SSLContext, first_name: str) -> None:
        self.base = base
        self.challenges: Mapping[str, ChallengeContext] = {}
        self._first_name = first_name
        self._index: Mapping[str, CertifiedKey] = {}
        self._contexts: OrderedDict[CertifiedKey, CertificateContext] = OrderedDict()
        base.sni_callback = self._choose

    def __repr__(self) -> str:
        return f"<Selector {len(self._index)} names, {len(self._contexts)} contexts, {len(self.challenges)} challenges>"

    # -- what is served -----------------------------------------------------------------------------------------------

    def replace(self, certified_key: CertifiedKey) -> None:
        """Serve `certified_key` for its names from the next handshake on.

        In a process that is out of descriptors it is taken on trust: the first handshake that finds one builds its context.

        Raises: CertificateError when OpenSSL does not take it; then everything stays as it was.
        """
        try:
            context: CertificateContext | None = new_certificate_context(certified_key)
        except OSError:
            context = None
        index = dict(self._index)
        for name in certified_key.names:
            previous = index.get(name)
            if previous is not None:
                self._contexts.pop(previous, None)
            index[name] = certified_key
        if context is not None:
            self._keep(certified_key, context)
        self._index = index

    def drop(self, names: tuple[str, ...]) -> None:
        """Serve these names no longer."""
        index = dict(self._index)
        for name in names:
            previous = index.pop(name, None)
            if previous is not None:
                self._contexts.pop(previous, None)
        self._index = index

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
        except (CertificateError, OSError):
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
