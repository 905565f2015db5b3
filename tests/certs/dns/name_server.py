"""A primary name server on loopback: one zone in memory, updates only with the right TSIG signature, and an address for all.

It stands for resolver, primary and secondary at once: every name outside `_acme-challenge` has the address 127.0.0.1.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections import defaultdict
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import dns.zone

from edge.config.endpoint import Endpoint
from tests.pebble.server import free_ports

KEY_NAME, SECRET = "edge-key", "c2VjcmV0IG9mIHRoZSB0ZXN0IG5hbWUgc2VydmVyISE="


class NameServer:
    """Holds `zones` (names, the longest that fits counts); `values[name]` are TXT values, `aliases[name]` CNAME targets.

    `hidden` values are accepted and not shown; `shy` counts the questions about values that are still answered with nothing.
    """

    def __init__(self, *zones: str) -> None:
        self.zones = zones or ("test",)
        self.values: dict[str, list[str]] = defaultdict(list)
        self.aliases: dict[str, str] = {}
        self.history: list[tuple[str, str, str]] = []
        self.shy = 0
        self.refuses = False
        (self.port,) = free_ports(1)
        self.endpoint = Endpoint("127.0.0.1", self.port)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in (_Datagrams(("127.0.0.1", self.port), self), _Streams(("127.0.0.1", self.port), self)):
                thread = threading.Thread(target=server.serve_forever, args=(0.01,))
                thread.start()
                for step in (server.server_close, thread.join, server.shutdown):
                    stack.callback(step)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def answer(self, packet: bytes) -> bytes:
        """One question or update, one reply."""
        key = dns.tsig.Key(dns.name.from_text(KEY_NAME), SECRET, "hmac-sha256")
        try:
            message = dns.message.from_wire(packet, keyring={key.name: key})
        except dns.message.UnknownTSIGKey:
            return self._refusal(packet, dns.rcode.NOTAUTH)
        except dns.tsig.BadSignature:
            return self._refusal(packet, dns.rcode.NOTAUTH)
        reply = dns.message.make_response(message)
        if isinstance(message, dns.update.UpdateMessage):
            reply.set_rcode(self._update(message))
        else:
            reply.flags |= dns.flags.AA
            self._fill(reply, message.question[0])
        return reply.to_wire()

    def _refusal(self, packet: bytes, code: dns.rcode.Rcode) -> bytes:
        message = dns.message.from_wire(packet, keyring=False, continue_on_error=True)
        reply = dns.message.Message(id=message.id)
        reply.flags = dns.flags.QR | dns.opcode.to_flags(message.opcode())
        reply.set_rcode(code)
        return reply.to_wire()

    def _update(self, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        if not message.had_tsig or self.refuses:
            return dns.rcode.REFUSED
        if message.zone[0].name.to_text(omit_final_dot=True) not in self.zones:
            return dns.rcode.NOTZONE
        for group in message.update:
            name = group.name.to_text(omit_final_dot=True)
            for record in group:
                value = b"".join(record.strings).decode()
                adds = group.deleting is None
                self.history.append(("add" if adds else "delete", name, value))
                if adds and value not in self.values[name]:
                    self.values[name].append(value)
                elif not adds and value in self.values[name]:
                    self.values[name].remove(value)
        return dns.rcode.NOERROR

    def _fill(self, reply: dns.message.Message, question: dns.rrset.RRset) -> None:
        name = question.name.to_text(omit_final_dot=True).lower()
        found = self._records(name, dns.rdatatype.to_text(question.rdtype))
        reply.answer += found
        if not found:
            zone = next(
                (zone for zone in sorted(self.zones, key=len, reverse=True) if f".{name}".endswith(f".{zone}")), ""
            )
            reply.authority.append(dns.rrset.from_text(f"{zone}.", 60, "IN", "SOA", "ns1.test. a.test. 1 1 1 1 1"))

    def _records(self, name: str, kind: str) -> list[dns.rrset.RRset]:
        if name in self.aliases:
            target = self.aliases[name]
            alias = dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{target}.")
            return [alias, *(self._records(target, kind) if kind != "CNAME" else [])]
        texts = {
            "A": ["127.0.0.1"],
            "NS": ["ns1.test."] if name in self.zones else [],
            "SOA": ["ns1.test. a.test. 1 1 1 1 1"] if name in self.zones else [],
            "TXT": [f'"{value}"' for value in self._shown(name)],
        }.get(kind, [])
        return [dns.rrset.from_text(f"{name}.", 60, "IN", kind, *texts)] if texts else []

    def _shown(self, name: str) -> list[str]:
        if not self.shy:
            return self.values.get(name, [])
        self.shy -= 1
        return []


class _Datagrams(socketserver.ThreadingUDPServer):
    def __init__(self, address: tuple[str, int], zone: NameServer) -> None:
        self.zone = zone
        super().__init__(address, _DatagramHandler)


class _Streams(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], zone: NameServer) -> None:
        self.zone = zone
        super().__init__(address, _StreamHandler)


class _DatagramHandler(socketserver.BaseRequestHandler):
    server: _Datagrams

    def handle(self) -> None:
        packet, sock = self.request
        sock.sendto(self.server.zone.answer(packet), self.client_address)


class _StreamHandler(socketserver.StreamRequestHandler):
    server: _Streams

    def handle(self) -> None:
        while head := self.rfile.read(2):
            (length,) = struct.unpack("!H", head)
            reply = self.server.zone.answer(self.rfile.read(length))
            self.wfile.write(struct.pack("!H", len(reply)) + reply)
