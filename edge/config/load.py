"""From flags and file to one checked `Config`, with all complaints at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from edge.config.caching import resolve_cache_storage
from edge.config.certificate_options import with_options
from edge.config.flags import Flags, settings_of_flags
from edge.config.given import Complaints, RawSettings
from edge.config.merge import merge
from edge.config.names import is_public
from edge.config.notify_settings import parse_metrics, resolve_notify
from edge.config.on_demand import resolve_on_demand
from edge.config.schema import Config, Site
from edge.config.settings import (
    CONFINEMENTS,
    ENGINES,
    LOOPS,
    default_workers,
    one_of,
    parse_drain,
    parse_user,
    parse_workers,
    resolve_acme,
    resolve_listen,
    resolve_log,
)
from edge.config.sites import resolve_sites
from edge.config.storage_setting import default_storage, local_directory, parse_storage
from edge.config.toml_file import read_file


def load(flags: Flags, environ: Mapping[str, str]) -> Config:
    """What the operator asked for, checked as a whole.

    Reads the file that `--config` names, looks at the files and directories that are named, and changes nothing.
    Raises: ConfigError with every problem found, each naming its flag, or its file, line and key.
    """
    complaints = Complaints()
    raw = _read(flags, complaints)
    config = _resolve(raw, environ, complaints)
    _complain_about_wildcards(raw, config, complaints)
    complaints.raise_if_any()
    return config


def load_storage(flags: Flags, environ: Mapping[str, str]) -> str:
    """Only the storage, a directory or a server's URL, for commands that look at it; other mistakes do not matter to them.

    Raises: ConfigError about the file as a whole or the storage setting.
    """
    complaints = Complaints()
    storage = _resolve_storage(_read(flags, complaints), environ, complaints)
    complaints.raise_if_any()
    return storage


def _read(flags: Flags, complaints: Complaints) -> RawSettings:
    file = RawSettings() if flags.config is None else read_file(flags.config, complaints)
    return merge(settings_of_flags(flags), file, complaints)


def _resolve(raw: RawSettings, environ: Mapping[str, str], complaints: Complaints) -> Config:
    default = Config(sites=(), storage="")
    storage = _resolve_storage(raw, environ, complaints)
    sites = with_options(resolve_sites(raw.sites, complaints), raw, complaints)
    return Config(
        sites=sites,
        storage=storage,
        listen=resolve_listen(raw, local_directory(storage), complaints),
        acme=resolve_acme(raw, environ, complaints),
        log=resolve_log(raw, complaints),
        cache=resolve_cache_storage(raw, complaints),
        notify=resolve_notify(raw, environ, complaints),
        metrics=complaints.attempt_or(raw.metrics_listen, parse_metrics, default.metrics),
        workers=complaints.attempt_or(raw.workers, parse_workers, 0) or default_workers(),
        user=complaints.attempt_or(raw.user, parse_user, default.user),
        http2_engine=complaints.attempt_or(raw.http2_engine, one_of(ENGINES), default.http2_engine),
        loop=complaints.attempt_or(raw.loop, one_of(LOOPS), default.loop),
        on_demand=resolve_on_demand(raw, sites, complaints),
        confinement=complaints.attempt_or(raw.confinement, one_of(CONFINEMENTS), default.confinement),
        drain_seconds=complaints.attempt_or(raw.drain_seconds, parse_drain, default.drain_seconds),
    )


def _resolve_storage(raw: RawSettings, environ: Mapping[str, str], complaints: Complaints) -> str:
    if raw.storage is None:
        return default_storage(environ, os.geteuid())
    return complaints.attempt_path(raw.storage, partial(parse_storage, environ=environ)) or ""


def _complain_about_wildcards(raw: RawSettings, config: Config, complaints: Complaints) -> None:
    """ACME proves a wildcard by DNS-01 only (RFC 8555 §8.4 and the CAs' rules), which needs a way to change DNS."""
    if raw.acme_dns is not None:
        return
    for written, site in zip(raw.sites, config.sites, strict=False):
        for name in _unprovable(site, config):
            place = written.names[0].place if written.names else written.place
            complaints.add(
                place,
                f"{name!r}: CAs want a wildcard proved by DNS; say in [acme.dns] of a --config file how it is changed, name each"
                " host, or bring --cert and --key",
            )


def _unprovable(site: Site, config: Config) -> list[str]:
    if site.key_pair is not None or site.certificate.challenge == "dns-persist-01":
        return []
    return [name for name in site.names if name.startswith("*.") and (config.acme.explicit or is_public(name))]
