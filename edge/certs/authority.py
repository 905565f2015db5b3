"""One CA with what all certificates share when they ask it: how many orders at once, how fast, and not before when."""

from __future__ import annotations

from edge.certs.issuer import Issuer
from edge.certs.pacing import OrderGate
from edge.certs.throttle import Throttle


class Authority:
    """An issuer, its gate and its throttle. Two of the same configuration MUST have different names."""

    def __init__(self, issuer: Issuer, gate: OrderGate, throttle: Throttle) -> None:
        self.issuer = issuer
        self.gate = gate
        self.throttle = throttle

    @property
    def name(self) -> str:
        """The issuer's."""
        return self.issuer.name

    def __repr__(self) -> str:
        return f"<Authority {self.name}>"
