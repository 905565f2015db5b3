"""What visitors are told while a site is under maintenance. Not part of the configuration: it comes and goes while edge runs."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

MAX_PAGE: Final = 100 * 1024
"""Characters of a page. It has everything in itself, a logo too; and it must fit into one message to a worker."""

MAX_RETRY_AFTER: Final = 30 * 24 * 3600
"""Seconds; a month."""

DEFAULT_RETRY_AFTER: Final = 60
"""Seconds: search engines and other programs come back soon, and a minute's silence hurts nobody."""


class MaintenanceNotice(Struct, frozen=True):
    """`page` is HTML, "" for edge's own; `retry_after` is what the field of that name says, in seconds."""

    page: Annotated[str, Meta(max_length=MAX_PAGE)] = ""
    retry_after: Annotated[int, Meta(ge=0, le=MAX_RETRY_AFTER)] = DEFAULT_RETRY_AFTER


def parse_page(data: bytes, name: str) -> str:
    """The HTML in the file called `name`. Raises: ValueError with one sentence."""
    try:
        page = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{name!r} is not UTF-8 text; save the page as UTF-8") from None
    if len(page) > MAX_PAGE:
        raise ValueError(f"{name!r} has more than {MAX_PAGE // 1024} Ki characters; make the page smaller")
    if not page.strip() or "\0" in page:
        raise ValueError(f"{name!r} is no HTML page")
    return page


def parse_retry_after(text: str) -> int:
    """Seconds. Raises: ValueError with one sentence."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > MAX_RETRY_AFTER:
        raise ValueError(f"{text!r}: seconds from 0 to {MAX_RETRY_AFTER}")
    return int(text)
