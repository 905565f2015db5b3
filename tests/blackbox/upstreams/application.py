"""A Django project in one file, as `wsgi` and as `asgi`: tells what it sees, streams when it is told to, notes who leaves."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias

from django.conf import settings

DIRECTORY = Path(os.environ["UPSTREAM_DIRECTORY"])
"""Where tests and views leave files for each other."""

PATIENCE = 30.0
"""Seconds after which a view gives up on a test that has."""

PAUSE = 0.01

settings.configure(
    SECRET_KEY="not secret",
    ALLOWED_HOSTS=[".localhost"],
    ROOT_URLCONF=__name__,
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)

from django.core.asgi import get_asgi_application  # noqa: E402  # these need the settings
from django.core.handlers.asgi import ASGIRequest  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.urls import path  # noqa: E402

Message: TypeAlias = MutableMapping[str, Any]


def about(request: HttpRequest, name: str = "") -> JsonResponse:
    """What Django believes about a request, with nothing set and with SECURE_PROXY_SSL_HEADER."""
    told = {
        "scheme": request.scheme,
        "host": request.get_host(),
        "path": request.path,
        "query": request.META["QUERY_STRING"],
        "address": request.META["REMOTE_ADDR"],
        "fields": {name: value for name, value in request.META.items() if name.startswith("HTTP_")},
    }
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        told["scheme by header"] = request.scheme
    return JsonResponse(told)


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"hello", headers={"Content-Length": "5"})


def echo(request: HttpRequest) -> JsonResponse:
    """Length and hash of the body."""
    body = request.body
    return JsonResponse({"length": len(body), "sha256": hashlib.sha256(body).hexdigest()})


def big(request: HttpRequest, size: int) -> HttpResponse:
    return HttpResponse(bytes(size), headers={"Content-Length": str(size)})


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def unchanged(request: HttpRequest) -> HttpResponseNotModified:
    return HttpResponseNotModified(headers={"ETag": '"1"'})


def stream(request: HttpRequest, mark: str) -> StreamingHttpResponse:
    """One piece, and another one when the file `go-MARK` is there; as events if that is what was asked for."""
    pieces = _pieces_async(mark) if isinstance(request, ASGIRequest) else _pieces(mark)
    return StreamingHttpResponse(pieces, content_type=request.GET.get("type", "text/plain"))


def _pieces(mark: str) -> Iterator[bytes]:
    yield b"data: 1\n\n"
    deadline = time.monotonic() + PATIENCE
    while not (DIRECTORY / f"go-{mark}").exists() and time.monotonic() < deadline:
        time.sleep(PAUSE)
    yield b"data: 2\n\n"


async def _pieces_async(mark: str) -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    deadline = time.monotonic() + PATIENCE
    while not (DIRECTORY / f"go-{mark}").exists() and time.monotonic() < deadline:
        await asyncio.sleep(PAUSE)
    yield b"data: 2\n\n"


def endless(request: HttpRequest, mark: str) -> StreamingHttpResponse:
    """Events for ever; the file `end-MARK` appears when the server has stopped asking for more."""
    pieces = _endless_async(mark) if isinstance(request, ASGIRequest) else _endless(mark)
    return StreamingHttpResponse(pieces, content_type="text/event-stream")


def _endless(mark: str) -> Iterator[bytes]:
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            yield b"data: tick\n\n"
            time.sleep(PAUSE)
    except GeneratorExit:
        (DIRECTORY / f"end-{mark}").touch()
        raise


async def _endless_async(mark: str) -> AsyncIterator[bytes]:
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            yield b"data: tick\n\n"
            await asyncio.sleep(PAUSE)
    except (GeneratorExit, asyncio.CancelledError):
        (DIRECTORY / f"end-{mark}").touch()
        raise


urlpatterns = [
    path("", hello),
    path("about", about),
    path("about/<path:name>", about),
    path("echo", echo),
    path("big/<int:size>", big),
    path("nothing", nothing),
    path("unchanged", unchanged),
    path("stream/<str:mark>", stream),
    path("endless/<str:mark>", endless),
]

wsgi = get_wsgi_application()
_django = get_asgi_application()


async def asgi(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Django, and beside it a WebSocket that says everything back: Django alone has none."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["type"] == "http":
        await _django(scope, receive, send)
