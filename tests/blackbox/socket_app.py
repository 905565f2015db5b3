"""An ASGI application that does with a WebSocket what its path says, run by uvicorn."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """`/refuse` answers 403; everything else accepts, with the first subprotocol offered."""
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"not a socket"})
        return
    await receive()
    if scope["path"] == "/refuse":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    if scope["path"] == "/scope":
        await send({"type": "websocket.send", "text": describe(scope)})
    if scope["path"] == "/close":
        await send({"type": "websocket.close", "code": 4321, "reason": "enough"})
        return
    if scope["path"] == "/die":
        os._exit(1)
    await echo(receive, send)


async def echo(receive: Receive, send: Send) -> None:
    """Everything back, until the client leaves; `pid` as text gives the process id."""
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "pid":
            message = {"text": str(os.getpid())}
        await send({"type": "websocket.send", **{key: message.get(key) for key in ("text", "bytes")}})


def describe(scope: Message) -> str:
    """Scheme, path, client and the fields that edge writes."""
    fields = {name.decode(): value.decode() for name, value in scope["headers"]}
    named = ("host", "x-forwarded-proto", "x-forwarded-for", "connection", "upgrade")
    return " ".join([scope["path"], *(f"{name}={fields.get(name)}" for name in named)])
