"""A flag beats the file.

Outside sites that is one value for another; a repeatable flag (`--bind`) replaces the file's whole list. The site flags
(`--domain`, `--upstream`, `--static`, `--media`, `--internal`, `--cert`, `--key`) describe one site, therefore:

    file has no site        the flags are the site
    file has one site       each flag beats that value of the site; the rest of the site stays
    file has several sites  refused: nothing says which of them is meant
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from edge.config.given import Complaints, Given, RawSettings, RawSite

REPEATABLE: Final = ("names", "upstreams", "static", "media", "internal")
"""Values of a site that flags replace as whole lists."""


def merge(flags: RawSettings, file: RawSettings, complaints: Complaints) -> RawSettings:
    """The settings that count."""
    fields = [name for name in RawSettings.__struct_fields__ if name != "sites"]
    chosen = {name: getattr(flags, name) or getattr(file, name) for name in fields}
    return RawSettings(sites=_merge_sites(flags.sites, file.sites, complaints), **chosen)


def _merge_sites(flags: tuple[RawSite, ...], file: tuple[RawSite, ...], complaints: Complaints) -> tuple[RawSite, ...]:
    if not flags:
        return file
    if not file:
        return flags
    if len(file) == 1:
        return (_override(file[0], flags[0]),)
    sentence = (
        f"the file has {len(file)} sites and a flag cannot say which is meant; write this below its [[site]] instead"
    )
    for flag in _flags_of(flags[0]):
        complaints.add(flag, sentence)
    return file


def _override(site: RawSite, flags: RawSite) -> RawSite:
    """The file's site with what the flags say in place of its values. A certificate and its key come from one source."""
    changes: dict[str, object] = {name: getattr(flags, name) for name in REPEATABLE if getattr(flags, name)}
    if flags.cert or flags.key:
        changes |= {"cert": flags.cert, "key": flags.key}
    return structs.replace(site, **changes)


def _flags_of(site: RawSite) -> list[str]:
    written: list[Given[Any] | None] = [given for name in REPEATABLE for given in getattr(site, name)]
    written += [site.cert, site.key]
    return list(dict.fromkeys(given.place for given in written if given is not None))
