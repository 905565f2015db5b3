"""Challenge answers that are being given: presented before the CA is asked to look, taken back a while after it is done.

A CA looks from several places; when the authorization is final some of them may still be on their way, so an answer lingers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.publisher import TLSALPN01, ChallengeAnswer, Publisher
from edge.errors import CertificateError


class Presence:
    """Answers of all attempts. Not thread-safe: used on the event loop."""

    def __init__(self, linger: float) -> None:
        self._linger = linger
        self._leaving: dict[str, tuple[asyncio.TimerHandle, Publisher, ChallengeAnswer]] = {}

    @asynccontextmanager
    async def presented(self, publisher: Publisher, answer: ChallengeAnswer) -> AsyncIterator[None]:
        """Inside, every worker gives the answer; it is taken back in every case, `linger` seconds after leaving.

        Raises: IssueFailed when the answer could not be published."""
        slot = _slot(answer)
        self._leave(slot)
        try:
            await publisher.present(answer)
        except CertificateError as exc:
            publisher.clean_up(answer)
            raise IssueFailed(ErrorClass.LOCAL, "challenge", f"the challenge could not be published: {exc}") from exc
        except BaseException:
            publisher.clean_up(answer)
            raise
        try:
            yield
        finally:
            timer = asyncio.get_running_loop().call_later(self._linger, self._leave, slot)
            self._leaving[slot] = (timer, publisher, answer)

    def leave_all(self) -> None:
        """Take back every answer that lingers."""
        for slot in list(self._leaving):
            self._leave(slot)

    def _leave(self, slot: str) -> None:
        timer, publisher, answer = self._leaving.pop(slot, (None, None, None))
        if timer is not None and publisher is not None and answer is not None:
            timer.cancel()
            publisher.clean_up(answer)


def _slot(answer: ChallengeAnswer) -> str:
    """What can hold one answer at a time: a server name, or a token below a name."""
    if isinstance(answer, TLSALPN01):
        return f"tls-alpn-01 {answer.server_name}"
    return f"http-01 {answer.name} {answer.token}"
