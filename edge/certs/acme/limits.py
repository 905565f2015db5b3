"""How long and how large anything may get while talking to a CA."""

from __future__ import annotations

from msgspec import Struct

LARGEST_DOCUMENT = 64 * 1024
"""Bytes of a JSON reply. An order of 100 names, the most of any CA, is about 12 KiB."""

LARGEST_CHAIN = 32 * 1024
"""Bytes of a PEM chain. The longest of Let's Encrypt is 6 KiB; a leaf with 100 long names stays below 20 KiB."""

MOST_NONCE_TRIES = 10
"""POSTs of one request. Pebble rejects 5 % of good nonces by default and 15 % in our tests; ten in a row is a defect."""


class Limits(Struct, frozen=True):
    """Timeouts in seconds. The defaults are for public CAs; tests use shorter ones."""

    connect: float = 10.0
    """TCP and TLS, each."""

    read: float = 30.0
    """Silence while a reply is awaited. Slow CAs take 10 s to answer a finalize request."""

    request: float = 60.0
    """One HTTP request from the first packet to the last, whatever trickles in."""

    authorize: float = 300.0
    """All challenges of an order. Validations take seconds; some CAs queue them for minutes."""

    finalize: float = 300.0
    """From the finalize request to the chain. Afterwards the order is kept and looked at in the next attempt."""

    attempt: float = 600.0
    """Everything in one `issue` call."""

    linger: float = 60.0
    """How long a challenge answer stays after its authorization is final: other vantage points of the CA may still ask."""

    retries: tuple[float, ...] = (1.0, 3.0, 9.0)
    """Waits before the CA is asked again within an attempt after it could not be reached or failed by itself."""
