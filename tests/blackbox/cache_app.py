"""A WSGI application whose responses may be kept. It writes down each request that reaches it, whichever process serves it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

StartResponse = Callable[[str, list[tuple[str, str]]], object]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """`/path?cc=…&sleep=…&size=…&etag=…&vary=…`: what the query asks for."""
    with open(os.environ["CACHE_APP_LOG"], "ab", buffering=0) as log:
        log.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}\n".encode())
        number = log.tell()
    wishes = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    time.sleep(float(wishes.get("sleep", "0")))
    fields = [("Content-Type", "text/plain")]
    fields += [
        (name, wishes[key])
        for key, name in (("cc", "Cache-Control"), ("etag", "ETag"), ("vary", "Vary"))
        if key in wishes
    ]
    if "etag" in wishes and environ.get("HTTP_IF_NONE_MATCH") == wishes["etag"]:
        start_response("304 Not Modified", fields)
        return []
    body = b"%d\n" % number + b"x" * int(wishes.get("size", "0"))
    if environ["PATH_INFO"] == "/echo":
        body = "\n".join(f"{key}: {value}" for key, value in environ.items() if isinstance(value, str)).encode()
    fields.append(("Content-Length", str(len(body))))
    start_response("200 OK", fields)
    return [body]
