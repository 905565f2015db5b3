"""A raw value never travels without its place, so that every complaint can say where the operator wrote it.

Loading has four steps, each in its own module: `flags` and `toml_file` read raw values, `merge` lets flags beat the file,
`sites` and `settings` turn raw values into those of `schema`. Complaints are collected all the way and raised together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from edge.errors import ConfigError

T = TypeVar("T")
R = TypeVar("R")


class Given(Struct, Generic[T], frozen=True):
    """A value as the operator wrote it.

    `place` is how complaints name it: `--upstream`, or `edge.toml:7: upstream`. Relative paths start from `base`.
    """

    value: T
    place: str
    base: str = "/"


Number: TypeAlias = int | str
"""A number as the file (already an integer) or a flag (still text) gives it."""


class RawTable(Struct, frozen=True):
    """A table inside a table, its keys and the types of their values checked, nothing else."""

    place: str
    values: dict[str, Given[Any]] = {}


RawRules: TypeAlias = Mapping[str, Given[Any]]
"""Keys of `edge.config.toml_rules` and of `[[site]]` to values of the right type; those of inner tables as `auth.users`."""

NO_RULES: RawRules = {}


class RawRoute(Struct, frozen=True):
    """What was written for a part of a site, nothing checked."""

    place: str
    path: Given[str] | None = None
    upstreams: tuple[Given[str], ...] = ()
    rules: RawRules = NO_RULES


class RawSite(Struct, frozen=True):
    """What was written for one site, nothing checked. A mount is a prefix and a directory."""

    place: str
    names: tuple[Given[str], ...] = ()
    upstreams: tuple[Given[str], ...] = ()
    static: tuple[Given[tuple[str, str]], ...] = ()
    cert: Given[str] | None = None
    key: Given[str] | None = None
    media: tuple[Given[tuple[str, str]], ...] = ()
    internal: tuple[Given[tuple[str, str]], ...] = ()
    routes: tuple[RawRoute, ...] = ()
    rules: RawRules = NO_RULES
    balance: Given[str] | None = None
    health: Given[str] | None = None
    hold_seconds: Given[float] | None = None
    upstream_ca: Given[str] | None = None
    certificate: dict[str, Given[Any]] = {}
    on_demand: Given[bool] | None = None


class RawSettings(Struct, frozen=True):
    """Everything that one source (the flags, the file) said, nothing checked. None and () mean: not given here."""

    sites: tuple[RawSite, ...] = ()
    bind: tuple[Given[str], ...] = ()
    http_port: Given[Number] | None = None
    https_port: Given[Number] | None = None
    trusted_proxies: tuple[Given[str], ...] = ()
    proxy_protocol: Given[bool] | None = None
    max_connections: Given[Number] | None = None
    max_connections_per_client: Given[Number] | None = None
    acme_directory: Given[str] | None = None
    acme_ca_file: Given[str] | None = None
    email: Given[str] | None = None
    access_log: Given[str] | None = None
    log_format: Given[str] | None = None
    storage: Given[str] | None = None
    cache_memory: Given[Number] | None = None
    cache_disk: Given[str] | None = None
    cache_disk_size: Given[Number] | None = None
    workers: Given[Number] | None = None
    user: Given[str] | None = None
    http2_engine: Given[str] | None = None
    loop: Given[str] | None = None
    confinement: Given[str] | None = None
    drain_seconds: Given[float] | None = None
    certificate: dict[str, Given[Any]] = {}
    acme_dns: RawTable | None = None
    acme_fallback: tuple[RawTable, ...] = ()
    acme_staging: Given[str] | None = None
    eab: dict[str, Given[Any]] = {}
    on_demand: RawTable | None = None
    notify_command: Given[Any] | None = None
    notify_webhook: Given[str] | None = None
    notify_webhook_file: Given[str] | None = None
    notify_webhook_env: Given[str] | None = None
    notify_email: RawTable | None = None
    metrics_listen: Given[Number] | None = None


class Complaints:
    """Every problem found so far, one sentence each, in the order of discovery."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, place: str, sentence: str) -> None:
        """Remember one problem; the same words are said once."""
        line = f"{place}: {sentence}"
        if line not in self.sentences:
            self.sentences.append(line)

    def attempt(self, given: Given[T], parse: Callable[[T], R]) -> R | None:
        """`parse(given.value)`; None after its ValueError became a complaint at the value's place."""
        try:
            return parse(given.value)
        except ValueError as error:
            self.add(given.place, str(error))
            return None

    def attempt_or(self, given: Given[T] | None, parse: Callable[[T], R], default: R) -> R:
        """The parsed value; `default` when none was given or a complaint was made."""
        if given is None:
            return default
        value = self.attempt(given, parse)
        return default if value is None else value

    def attempt_path(self, given: Given[T] | None, parse: Callable[[T, str], R]) -> R | None:
        """Like `attempt`, for parsers that also take the directory that relative paths start from; None stays None."""
        if given is None:
            return None
        return self.attempt(given, lambda value: parse(value, given.base))

    def raise_if_any(self) -> None:
        """Raises: ConfigError with all complaints, when there is one."""
        if self.sentences:
            raise ConfigError(self.sentences)
