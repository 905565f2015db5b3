"""The application behind edge: pages, uploads, an event stream and a WebSocket. Run by uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

EVENTS: Final = 5
EVENT: Final = b"data: tick\n\n"


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """`/events` is a stream of EVENTS events; a body is answered with its length; a WebSocket gets back what it sends."""
    if scope["type"] == "websocket":
        await _echo(receive, send)
    elif scope["type"] == "http":
        length = await _length(receive)
        if scope["path"] == "/events":
            await _tell_events(send)
        else:
            await _answer(send, b"%d\n" % length)


async def _length(receive: Receive) -> int:
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    return length


async def _answer(send: Send, body: bytes) -> None:
    fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _tell_events(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for _ in range(EVENTS):
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b""})


async def _echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text")})
