"""What was written about the response cache becomes fields of the schema. Each `parse_*` raises ValueError with one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from edge.config.duration import parse_duration
from edge.config.files import absolute
from edge.config.given import Complaints, Number, RawRules, RawSettings
from edge.config.schema import CacheStorage, Caching
from edge.config.size import format_size, parse_size

MIN_STORAGE: Final = 1024 * 1024
"""Bytes; below this a cache holds a handful of pages."""

MAX_BODY: Final = 256 * 1024 * 1024
"""Bytes of one response: its checksums must fit into its head."""

MAX_IGNORED: Final = 100

_PARAMETER = re.compile(r"[!-\"$%'-<>-~]{1,128}").fullmatch
"""As it stands in a URL: no `&`, `=` or `#`."""


def resolve_cache_storage(raw: RawSettings, complaints: Complaints) -> CacheStorage:
    """Where responses are kept."""
    default = CacheStorage()
    if raw.cache_disk is not None and raw.cache_memory is not None:
        complaints.add(
            raw.cache_memory.place,
            "with a disk the system itself keeps hot files in memory; write one of memory and disk",
        )
    if raw.cache_disk is None and raw.cache_disk_size is not None:
        complaints.add(raw.cache_disk_size.place, 'no disk is used; add disk = "/var/cache/edge"')
    return CacheStorage(
        memory=complaints.attempt_or(raw.cache_memory, parse_storage_size, default.memory),
        disk=complaints.attempt_path(raw.cache_disk, absolute) or default.disk,
        disk_size=complaints.attempt_or(raw.cache_disk_size, parse_storage_size, default.disk_size),
    )


def parse_storage_size(value: Number) -> int:
    """Bytes."""
    size = parse_size(value)
    if size < MIN_STORAGE:
        raise ValueError(f"{value!r}: a cache has at least {format_size(MIN_STORAGE)}")
    return size


def resolve_caching(raw: RawRules, complaints: Complaints) -> Iterator[tuple[str, Caching | None]]:
    """The field `cache`, if something was written about it."""
    written = raw.get("cache")
    if written is None:
        return
    if written.value is False:
        yield "cache", None
        return
    default = Caching()
    ttl, ignored = raw.get("cache.ttl"), raw.get("cache.ignore_query")
    yield (
        "cache",
        Caching(
            ttl=float(complaints.attempt_or(ttl, parse_duration, 0)),
            max_body=complaints.attempt_or(raw.get("cache.max_body"), parse_cached_body, default.max_body),
            ignore_query=complaints.attempt_or(ignored, parse_parameters, default.ignore_query),
        ),
    )


def parse_cached_body(value: Number) -> int:
    """Bytes."""
    size = parse_size(value)
    if size > MAX_BODY:
        raise ValueError(f"{value!r}: a response that is kept has at most {format_size(MAX_BODY)}")
    return size


def parse_parameters(value: str | list[str]) -> tuple[str, ...]:
    """Names of query parameters, each once."""
    names = [value] if isinstance(value, str) else value
    for name in names:
        if not _PARAMETER(name):
            raise ValueError(f"{name[:40]!r} is no name of a query parameter, as it stands in a URL")
    if len(names) > MAX_IGNORED:
        raise ValueError(f"more than {MAX_IGNORED} query parameters")
    return tuple(dict.fromkeys(names))
