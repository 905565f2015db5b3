"""Stand-ins for the far side of a contract, for the tests of every room."""

from __future__ import annotations

from collections.abc import Iterable

from edge.http.exchange import Buffer, Peer, Receiver
from edge.http.message import Field, Fields, Request, ResponseHead, is_bodiless


def make_request(target: str | bytes = "/", method: bytes = b"GET", fields: Iterable[Field] = ()) -> Request:
    """A request as an engine would deliver it."""
    encoded = target.encode("ascii") if isinstance(target, str) else target
    return Request(method=method, scheme=b"https", authority=b"a.test", target=encoded, fields=tuple(fields))


class FakeExchange:
    """An exchange that records its response and holds the handler to the contract.

    `capacity` is how many body bytes the client takes before `can_send` turns False; `take` lets it take more. Like an
    engine, it discards the body of HEAD, 204 and 304 and turns an end at the wrong length into an abort.
    """

    def __init__(self, request: Request, capacity: float = float("inf")) -> None:
        self.request = request
        self.peer = Peer("192.0.2.1", 40000, tls="TLSv1.3", server_name="a.test", covers=lambda host: host == "a.test")
        self.receiver: Receiver | None = None
        self.upstream_seconds = -1.0
        self.held_seconds = 0.0
        self.cache_verdict = ""
        self.request_id = "0123456789abcdef" * 2
        self.head: ResponseHead | None = None
        self.interim: list[tuple[int, Fields]] = []
        self.slices: list[bytes] = []
        self.is_ended = False
        self.trailers: Fields = ()
        self.abort_reason: str | None = None
        self.is_body_paused = False
        self.may_body_rest = False
        self._capacity = capacity
        self._sent = 0

    def __repr__(self) -> str:
        return f"<FakeExchange {self.request.target!r} {self.head!r} {len(self.body)} bytes>"

    # -- the contract -------------------------------------------------------------------------------------------------

    @property
    def head_sent(self) -> bool:
        return self.head is not None

    @property
    def can_send(self) -> bool:
        return self._sent < self._capacity

    def adopt_request_id(self, request_id: str) -> None:
        self.request_id = request_id

    def own_error_page(self, status: int) -> bytes | None:
        return None

    def send_interim(self, status: int, fields: Fields) -> None:
        assert not self.head_sent, "an interim response behind the final head"
        self.interim.append((status, fields))

    def send_head(self, head: ResponseHead) -> None:
        assert not self.is_over, "a head behind the end"
        assert self.head is None, "two heads"
        self.head = head

    def open_tunnel(self, fields: Fields) -> None:
        assert self.request.upgrade, "a tunnel nobody asked for"
        self.send_head(ResponseHead(200 if self.request.method == b"CONNECT" else 101, fields))

    def send_body(self, data: Buffer) -> None:
        assert self.head is not None, "a body without a head"
        assert not self.is_over, "a body behind the end"
        if self.head.status == 101 or not is_bodiless(self.request.method, self.head.status):
            self.slices.append(bytes(data))
            self._sent += len(data)

    def end(self, trailers: Fields = ()) -> None:
        assert self.head is not None, "an end without a head"
        assert not self.is_over, "two ends"
        announced = self.head.content_length
        if not is_bodiless(self.request.method, self.head.status) and announced not in (None, len(self.body)):
            self.abort_reason = "length-mismatch"
        else:
            self.is_ended = True
            self.trailers = trailers

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        self.send_head(head)
        self.send_body(body)
        self.end()

    def abort(self, reason: str) -> None:
        assert not self.is_over, "an abort behind the end"
        self.abort_reason = reason

    def pause_body(self) -> None:
        self.is_body_paused = True

    def resume_body(self) -> None:
        self.is_body_paused = False

    def let_body_rest(self) -> None:
        self.may_body_rest = True

    # -- for tests ----------------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether the response has ended or was given up."""
        return self.is_ended or self.abort_reason is not None

    @property
    def status(self) -> int:
        """The final status; fails when there is none."""
        assert self.head is not None, "no response"
        return self.head.status

    @property
    def body(self) -> bytes:
        """What of the body has been sent so far."""
        return b"".join(self.slices)

    def field(self, name: str) -> str | None:
        """A response field as text, or None; fails when it was sent twice."""
        assert self.head is not None, "no response"
        values = [value.decode("latin-1") for key, value in self.head.fields if key == name.encode()]
        assert len(values) <= 1, f"{name} twice"
        return values[0] if values else None

    def take(self, more: int) -> None:
        """The client has taken what was sent and would take `more` bytes beyond."""
        self._capacity = self._sent + more
        if self.can_send and not self.is_over and self.receiver is not None:
            self.receiver.resume_sending()

    def go_away(self, reason: str = "client-gone") -> None:
        """The client is gone: nothing may be sent from now on."""
        self.abort_reason = reason
        if self.receiver is not None:
            self.receiver.exchange_aborted(reason)
