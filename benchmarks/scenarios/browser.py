"""Requests as a browser makes them: 17 fields, cookies that change, many paths.

Load generators send the same 60 bytes again and again, which flatters every server that remembers heads.
"""

from __future__ import annotations

from hashlib import sha256

FIELDS = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Referer", "https://localhost/notes/?page=3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
)
"""With Host and Cookie 17. HTTP/2 knows no Connection and no Host."""

FIELDS_OF_HTTP2 = FIELDS[1:]

PAGES = tuple(f"/notes/{number}/edit?next=/notes/{number + 1}/" for number in range(997))
"""A prime number of paths, so that paths and cookies meet in every pair."""


def cookies(count: int) -> tuple[str, ...]:
    """Cookie values of a Django visitor who has been measured by an analytics script; no two are the same."""
    return tuple(_cookie(number) for number in range(count))


def _cookie(number: int) -> str:
    random = sha256(str(number).encode()).hexdigest()
    return f"csrftoken={random[:32]}; sessionid={random[32:]}; _ga=GA1.1.{int(random[:8], 16)}.{1760000000 + number}"
