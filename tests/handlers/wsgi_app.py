"""A tiny WSGI application for real application servers: it tells what it saw."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

StartResponse = Callable[..., Any]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes] | list[bytes]:
    """`/echo` tells the environ and the body's hash; the other paths misbehave as they are called."""
    path = environ["PATH_INFO"]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return stream()
    if path == "/truncated":
        start_response("200 OK", [("Content-Length", "100")])
        return [b"short"]
    if path == "/raises":
        raise RuntimeError
    if path == "/unread":
        start_response("403 Forbidden", [("Content-Length", "2")])
        return [b"no"]
    if path == "/big":
        start_response("200 OK", [("Content-Length", str(8 * 1024 * 1024))])
        return (bytes(64 * 1024) for _ in range(128))
    body = environ["wsgi.input"].read()
    answer = json.dumps(
        {
            "scheme": environ["wsgi.url_scheme"],
            "host": environ["HTTP_HOST"],
            "length": environ.get("CONTENT_LENGTH"),
            "sha256": hashlib.sha256(body).hexdigest(),
            "fields": {key: value for key, value in environ.items() if key.startswith("HTTP_")},
            "target": environ["RAW_URI"],
        }
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def stream() -> Iterator[bytes]:
    """Two events with a pause that shows whether somebody holds them back."""
    yield b"data: 1\n\n"
    time.sleep(0.05)
    yield b"data: 2\n\n"
