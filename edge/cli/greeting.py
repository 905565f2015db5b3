"""What a person at a terminal reads first: who speaks, what will be served, and whether the applications answer."""

from __future__ import annotations

import ipaddress
import sys

from edge.config.address import UpstreamAddress
from edge.config.schema import Config
from edge.process.inspection import upstream_problem
from edge.telemetry.announce import MAX_NAMES, Announcer
from edge.telemetry.terminal import is_terminal
from edge.telemetry.version import edge_version


def greet(config: Config) -> Announcer:
    """Begin the account of a start on standard error; whoever starts edge goes on with it. Without a terminal it is silent."""
    is_watched = is_terminal(sys.stderr) and config.log.format != "json"
    announcer = Announcer(sys.stderr, is_watched)
    if is_watched:
        announcer.heading(edge_version(), config.storage)
        _introduce_static(config, announcer)
        _introduce_upstreams(config, announcer)
    return announcer


def _introduce_static(config: Config, announcer: Announcer) -> None:
    mounts = [mount for site in config.sites for mount in site.static]
    for mount in mounts[:MAX_NAMES]:
        announcer.done("static", f"{mount.prefix or '/'} from {mount.directory}")


def _introduce_upstreams(config: Config, announcer: Announcer) -> None:
    """Nobody waits here for a name server: addresses by name are left to the workers, who say what they find."""
    addresses = dict.fromkeys(address for site in config.sites for address in site.upstreams)
    for address in [address for address in addresses if _is_near(address)][:MAX_NAMES]:
        problem, _, fix = upstream_problem(address).partition("; ")
        if problem:
            announcer.warning(
                "upstream", f"{address} {problem}", "Visitors see an error page until it answers.", fix=fix
            )
        else:
            announcer.done("upstream", f"{address} takes connections")


def _is_near(address: UpstreamAddress) -> bool:
    if address.path or address.host == "localhost":
        return True
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return False
    return True
