"""A real ACME server for tests: Pebble on ephemeral loopback ports, with its DNS server.

    with Pebble() as ca:
        edge … --acme-directory ca.directory_url --acme-ca-file ca.ca_file --http-port ca.http_port --https-port ca.tls_port

Without Pebble such tests fail and say how to get it; they are never skipped.
"""

from tests.pebble.programs import PebbleMissing
from tests.pebble.server import Pebble

__all__ = ["Pebble", "PebbleMissing"]
