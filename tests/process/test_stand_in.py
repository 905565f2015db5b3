"""Ports as `edge doctor` sees them while no edge runs."""

from __future__ import annotations

import asyncio

from edge.certs.doctor.reach import Ports, look_at_ports
from edge.config.schema import Listen
from edge.net.listening import close_listeners, open_listeners
from edge.process.stand_in import StandIn
from tests.pebble.server import free_ports


def test_a_name_that_leads_here_is_seen_to() -> None:
    """Both challenges are answered while they are looked at, and nothing is afterwards: the ports are free again."""
    http, https = free_ports(2)
    listeners = open_listeners(Listen(bind=("127.0.0.1",), http_port=http, https_port=https))
    try:

        async def main() -> list[str]:
            found = await look_at_ports("127.0.0.1", (), StandIn(listeners), Ports(http, https), 1.8e9)
            return [str(each) for each in found]

        assert asyncio.run(main()) == [
            f"ok       port {http}: 127.0.0.1 leads to this edge",
            f"ok       port {https}: 127.0.0.1 leads to this edge",
        ]
        assert StandIn(()).challenge_kinds() == frozenset()
    finally:
        close_listeners(listeners)
    close_listeners(open_listeners(Listen(bind=("127.0.0.1",), http_port=http, https_port=https)))
