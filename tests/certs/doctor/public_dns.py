"""A public resolver and all authoritative servers at once, on loopback: names are what a table says, all others do not exist."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from edge.certs.doctor.questions import Questions
from tests.certs.dns.name_server import NameServer


class PublicDNS(NameServer):
    """`records[name, kind]` are presentation forms. `bogus` names get SERVFAIL from whoever checks DNSSEC, `mute` ones no proper
    answer at all. What `fresh` says counts for authoritative questions (without RD) before `records`."""

    def __init__(self) -> None:
        super().__init__("test")
        self.records: dict[tuple[str, str], list[str]] = {
            ("test", "NS"): ["ns1.test."],
            ("test", "SOA"): ["ns1.test. a.test. 1 1 1 1 1"],
            ("ns1.test", "A"): ["127.0.0.1"],
        }
        self.fresh: dict[tuple[str, str], list[str]] = {}
        self.bogus: set[str] = set()
        self.mute: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    @property
    def questions(self) -> Questions:
        """Asks this server, as two resolvers."""
        return Questions((self.endpoint, self.endpoint), port=self.port)

    def answer(self, packet: bytes) -> bytes:
        query = dns.message.from_wire(packet)
        reply = dns.message.make_response(query)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, kind))
        is_public = bool(query.flags & dns.flags.RD)
        if not is_public:
            reply.flags |= dns.flags.AA
        if name in self.mute or (name in self.bogus and is_public and not query.flags & dns.flags.CD):
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply.to_wire()
        reply.answer += self._found(name, kind, is_fresh=not is_public)
        known = {owner for owner, _ in (*self.records, *self.fresh)}
        if not any(owner == name or owner.endswith(f".{name}") for owner in known):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if not reply.answer:
            reply.authority.append(dns.rrset.from_text("test.", 60, "IN", "SOA", "ns1.test. a.test. 1 1 1 1 1"))
        return reply.to_wire()

    def _found(self, name: str, kind: str, *, is_fresh: bool) -> list[dns.rrset.RRset]:
        alias = self.records.get((name, "CNAME"))
        if alias and kind != "CNAME":
            target = alias[0].rstrip(".")
            first = dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{target}.")
            return [first, *self._found(target, kind, is_fresh=is_fresh)]
        values = self.records.get((name, kind), [])
        if is_fresh:
            values = self.fresh.get((name, kind), values)
        return [dns.rrset.from_text(f"{name}.", 60, "IN", kind, *values)] if values else []
