"""Fetches a revocation list: a plain HTTP GET, bounded in size and time. The door to `requests` for that.

Lists are signed, so they need no TLS, and CAs offer them without (a certificate that must be checked cannot vouch for it).
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import requests
import urllib3

from edge.certs.acme.network import USER_AGENT, proxies_for
from edge.certs.acme.threads import call
from edge.errors import CertificateError

LARGEST_LIST = 16 * 1024 * 1024
"""Bytes. Shards of large CAs have up to 2 MiB; after an incident with millions of certificates some ten."""

CONNECT, READ = 10.0, 10.0
"""Seconds."""

DEADLINE = 120.0
"""Seconds for a whole list."""


async def fetch_list(url: str) -> bytes:
    """The body. Raises: CertificateError with the reason."""
    return await call(partial(_fetch, url))


def _fetch(url: str) -> bytes:
    end = time.monotonic() + DEADLINE
    try:
        with requests.Session() as session:
            session.trust_env = False  # ~/.netrc has no business here
            with session.get(
                url,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                timeout=(CONNECT, READ),
                allow_redirects=False,
                stream=True,
                proxies=proxies_for(url),
            ) as response:
                if response.status_code != 200:
                    raise CertificateError(f"the server of the revocation list answered {response.status_code}")
                return _read(response.raw, end)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
        raise CertificateError(f"the revocation list could not be fetched ({type(exc).__name__})") from exc


def _read(raw: Any, end: float) -> bytes:
    """`read1` returns what has come: a server that drips bytes meets the deadline."""
    body = bytearray()
    while chunk := raw.read1(64 * 1024, decode_content=False):
        body += chunk
        if len(body) > LARGEST_LIST:
            raise CertificateError(f"the revocation list is longer than {LARGEST_LIST} bytes")
        if time.monotonic() > end:
            raise CertificateError(f"the revocation list did not come within {DEADLINE:g} s")
    return bytes(body)
