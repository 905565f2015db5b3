"""What the command line said: raw text per flag, nothing checked, so that all complaints can be made together."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from edge.config.given import Given, RawSettings, RawSite


class Flags(Struct, frozen=True):
    """One field per flag of the command line; None and () mean that the flag was not given."""

    domain: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    """Each `PREFIX=DIR`."""
    media: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()
    config: str | None = None
    email: str | None = None
    acme_directory: str | None = None
    acme_ca_file: str | None = None
    cert: str | None = None
    key: str | None = None
    storage: str | None = None
    bind: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    http_port: str | None = None
    https_port: str | None = None
    workers: str | None = None
    access_log: str | None = None
    log_format: str | None = None
    user: str | None = None
    http2_engine: str | None = None
    loop: str | None = None
    confinement: str | None = None


SCALARS = (
    "http_port", "https_port", "acme_directory", "acme_ca_file", "email", "access_log", "log_format", "storage", "workers",
    "user", "http2_engine", "loop", "confinement",
)  # fmt: skip
"""Fields that `Flags` and `RawSettings` share and that hold one value."""


def flag_name(field: str) -> str:
    """`acme_ca_file` → `--acme-ca-file`."""
    return "--" + field.replace("_", "-")


def settings_of_flags(flags: Flags) -> RawSettings:
    """The flags as raw settings. The site flags make one site, or none when none of them was given.

    Relative paths start from the present working directory.
    """
    base = str(Path.cwd())

    def given(field: str) -> Given[str] | None:
        value = getattr(flags, field)
        return None if value is None else Given(value, flag_name(field), base)

    return RawSettings(
        sites=_site_of_flags(flags, base),
        bind=tuple(Given(each, "--bind", base) for each in flags.bind),
        trusted_proxies=tuple(Given(each, "--trusted-proxies", base) for each in flags.trusted_proxies),
        **{field: given(field) for field in SCALARS},  # type: ignore[arg-type]  # each field takes text, see SCALARS
    )


def _site_of_flags(flags: Flags, base: str) -> tuple[RawSite, ...]:
    lists = (flags.domain, flags.upstream, flags.static, flags.media, flags.internal)
    if not any(lists) and flags.cert is None and flags.key is None:
        return ()
    site = RawSite(
        place="command line",
        names=tuple(Given(each, "--domain", base) for each in flags.domain),
        upstreams=tuple(Given(each, "--upstream", base) for each in flags.upstream),
        static=_mounts(flags.static, "--static", base),
        media=_mounts(flags.media, "--media", base),
        internal=_mounts(flags.internal, "--internal", base),
        cert=None if flags.cert is None else Given(flags.cert, "--cert", base),
        key=None if flags.key is None else Given(flags.key, "--key", base),
    )
    return (site,)


def _mounts(texts: tuple[str, ...], flag: str, base: str) -> tuple[Given[tuple[str, str]], ...]:
    return tuple(Given(_split_mount(each), flag, base) for each in texts)


def _split_mount(text: str) -> tuple[str, str]:
    """Prefix and directory; a missing part stays empty and is complained about later."""
    prefix, _, directory = text.partition("=")
    return prefix, directory
