"""Asking the operator's program whether a name is welcome: the contract, and how often it is tried.

The answer is yes or no. Everything else (an error, no answer in time, a status that means neither) is no answer: it is asked
again, and if there is none then either, the name gets nothing for the moment, and the operator reads why.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from edge.errors import EdgeError

ANSWER_TIMEOUT: Final = 5.0
"""Seconds for one answer: a visitor waits for it. Caddy 10 s, kamal-proxy 2 s."""

PAUSES: Final = (0.5, 1.5)
"""Seconds before the second and the third try: as long as an application takes to restart a worker."""


class AskFailed(EdgeError):
    """There was no answer; `str()` says why, in words of ours."""


class Ask(Protocol):
    """Who is asked. `ask` MUST return within a bounded time and MUST NOT follow where an answer points."""

    async def ask(self, name: str) -> bool:
        """Whether `name` (lower-case A-labels) may have a certificate. Raises: AskFailed."""

    async def close(self) -> None:
        """Nothing is asked any more."""


async def ask_patiently(ask: Ask, name: str) -> bool:
    """The answer, from up to three tries. Raises: AskFailed of the last one."""
    for pause in PAUSES:
        try:
            return await ask.ask(name)
        except AskFailed:
            await asyncio.sleep(pause)
    return await ask.ask(name)
