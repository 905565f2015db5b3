"""Whether an address belongs to one of several networks, and whose it is. Pure; verdicts are remembered: clients come back."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

MEMO_ADDRESSES: Final = 4096
"""Verdicts remembered; a flood of addresses forgets them all and costs a scan each."""


class Networks:
    """A fixed set of networks, given as CIDR text."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(each) for each in networks]
        self._memo: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"<Networks {len(self._networks)}>"

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        """`address` is numeric, without zone; what is no address belongs nowhere."""
        try:
            return self._memo[address]
        except KeyError:
            pass
        if len(self._memo) >= MEMO_ADDRESSES:
            self._memo.clear()
        verdict = self._memo[address] = self._look_up(address)
        return verdict

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def client_key(address: str) -> bytes:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 customer gets at least (RFC 6177)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return b""
    return parsed.packed[:8] if isinstance(parsed, IPv6Address) else parsed.packed
