"""Ask by HTTP: `GET /ask?domain=NAME`. Only the status of the answer counts, so only that is read.

200 is yes, 403 and 404 are no. A redirection is neither: who is asked about strangers' names must be who the operator named.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Final

from edge.certs.on_demand.ask import ANSWER_TIMEOUT, AskFailed
from edge.config.on_demand_schema import AskURL

YES: Final = frozenset({200})
NO: Final = frozenset({403, 404})

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n").fullmatch
_LONGEST_LINE: Final = 1024


class AskByURL:
    """Implements `Ask`."""

    def __init__(self, settings: AskURL) -> None:
        self._settings = settings
        self._context = ssl.create_default_context() if settings.address.tls else None

    async def ask(self, name: str) -> bool:
        """See `Ask`."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                status = await self._status(name)
        except TimeoutError as exc:
            raise AskFailed(f"{self._settings} did not answer within {ANSWER_TIMEOUT:g} s") from exc
        except ssl.SSLCertVerificationError as exc:
            raise AskFailed(f"{self._settings}: its certificate is not good: {exc.verify_message}") from exc
        except (OSError, ValueError) as exc:  # ValueError: a line longer than the limit
            reason = getattr(exc, "strerror", None) or "it ended the connection"
            raise AskFailed(f"{self._settings} cannot be asked: {reason.lower()}") from exc
        if status in YES:
            return True
        if status in NO:
            return False
        raise AskFailed(f"{self._settings} answered {status}; 200 means yes, 403 and 404 mean no")

    async def close(self) -> None:
        """There is nothing between two questions."""

    async def _status(self, name: str) -> int:
        reader, writer = await self._connect()
        try:
            writer.write(self._request(name))
            line = await reader.readline()
        finally:
            writer.transport.abort()  # the rest of the answer is of no interest, and no goodbye is worth waiting for
        match = _STATUS(line)
        if not match:
            raise AskFailed(f"{self._settings} did not answer in HTTP")
        return int(match[1])

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._settings.address
        if address.path:
            return await asyncio.open_unix_connection(address.path, limit=_LONGEST_LINE)
        return await asyncio.open_connection(
            address.host,
            address.port,
            limit=_LONGEST_LINE,
            ssl=self._context,
            server_hostname=address.host if self._context else None,
        )

    def _request(self, name: str) -> bytes:
        lines = (
            f"GET {self._settings.target}{name} HTTP/1.1",
            f"Host: {self._settings.host}",
            "User-Agent: edge",
            "X-Forwarded-Proto: https",  # an application that redirects to https would never answer otherwise
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode("ascii")
