"""One request to the origin on behalf of everybody who wants the same: an exchange for the proxy, which no visitor owns.

    asking ──head──┬─ not to be kept ──▶ relay: the visitor who came first gets it as it comes, the others are let go
                   ├─ to be kept ──▶ fill: everybody reads what comes, then it is stored (see `fill`)
                   ├─ 304 ──▶ the stored response is renewed and sent
                   └─ an error that a stored response may replace ──▶ that is sent

The first visitor may leave: as long as others wait, the answer is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from msgspec import structs

from edge.errors import HTTPError
from edge.handlers.cache.asking import Asking
from edge.handlers.cache.fill import Fill
from edge.handlers.cache.record import Response
from edge.handlers.error_page import respond_error
from edge.http.cache_status import forwarded, with_cache_status
from edge.http.caching import ERROR_STATUSES, Storable, judge, parse_vary, updated_fields
from edge.http.exchange import Buffer, Exchange, Handler, Receiver
from edge.http.message import Fields, Request, ResponseHead

if TYPE_CHECKING:
    from edge.handlers.cache.handler import Cache


class State(Enum):
    """How far it is."""

    ASKING = auto()
    RELAY = auto()
    FILL = auto()
    OVER = auto()


class Fetch:
    """`edge.http.exchange.Exchange` for the proxy, and the receiver of the first visitor's exchange.

    `asking` is the first visitor's; with `leads` False there is none, and only the store wants the answer. `stored` is what
    the answer may renew or be replaced by. `is_claimed`: others wait for it, under `name`.
    """

    def __init__(
        self,
        cache: Cache,
        asking: Asking,
        request: Request,
        name: bytes,
        why: bytes,
        stored: tuple[Response, bytes] | None = None,
        *,
        is_claimed: bool = True,
        leads: bool = True,
    ) -> None:
        self.request = request
        self.peer = asking.exchange.peer
        self.receiver: Receiver | None = None
        self.upstream_seconds = -1.0
        self.held_seconds = 0.0
        self.cache_verdict = ""
        self.request_id = asking.exchange.request_id
        self.head_sent = False
        self.cache: Final = cache
        self.why: Final = why
        self.asked_at: Final = cache.clock()
        self._asking = asking
        self._leader: Exchange | None = asking.exchange if leads else None
        self._name = name
        self._stored = stored
        self._is_claimed = is_claimed
        self._state = State.ASKING
        self._fill: Fill | None = None
        if self._leader:
            self._leader.receiver = self

    def __repr__(self) -> str:
        return f"<Fetch {self._state.name} {self.request.target!r} {self._fill!r}>"

    def start(self, handler: Handler) -> None:
        """Ask."""
        try:
            handler(self)
        except HTTPError as error:
            respond_error(self, error)

    # -- what the proxy may ask ---------------------------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """What is stored is always taken; what only one visitor wants, as fast as he takes it."""
        if self._fill:
            return self._fill.can_append
        return self._state is not State.RELAY or (self._leader is not None and self._leader.can_send)

    def adopt_request_id(self, request_id: str) -> None:
        """It has one already."""

    def own_error_page(self, status: int) -> bytes | None:
        """Of the site."""
        return self._leader.own_error_page(status) if self._leader else None

    def open_tunnel(self, fields: Fields) -> None:
        """Handshakes are never asked for here."""
        self.abort("no-tunnel")

    def pause_body(self) -> None:
        """The request has no body."""

    def resume_body(self) -> None:
        """See `pause_body`."""

    def let_body_rest(self) -> None:
        """See `pause_body`."""

    # -- the response -------------------------------------------------------------------------------------------------

    def send_interim(self, status: int, fields: Fields) -> None:
        """To the first visitor, who is the only one that asked."""
        if self._leader:
            self._leader.send_interim(status, fields)

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        """The whole response."""
        relayed = self._receive_head(head, len(body))
        if relayed and self._leader:
            leader, self._leader = self._leader, None
            self._state = State.OVER
            leader.respond(relayed, body)
            self.release(passes=head.status < 500)
        elif self._fill and self._fill.append(body):
            self._end_fill(self._fill)
        elif self._leader:  # a disk has failed just now
            self._leader.respond(head, body)

    def send_head(self, head: ResponseHead) -> None:
        """The decision falls here."""
        relayed = self._receive_head(head, head.content_length)
        if relayed and self._leader:
            self._leader.send_head(relayed)
            self.release(passes=head.status < 500)
        elif self._fill:
            leader, self._leader = self._leader, None
            self._fill.begin(self._asking if leader else None)

    def send_body(self, data: Buffer) -> None:
        """Keep it, or pass it on."""
        if self._fill:
            self._fill.append(data)
        elif self._state is State.RELAY and self._leader:
            self._leader.send_body(data)

    def end(self, trailers: Fields = ()) -> None:
        """The response is whole. Trailers go to whoever hears it as it comes; they are not kept (RFC 9111 §3.1 allows it)."""
        if self._fill:
            self._end_fill(self._fill)
        elif self._state is State.RELAY and self._leader:
            leader, self._leader = self._leader, None
            self._state = State.OVER
            leader.end(trailers)

    def abort(self, reason: str) -> None:
        """The origin broke off."""
        if self._state is State.OVER:
            return
        self._state = State.OVER
        leader, self._leader = self._leader, None
        fill, self._fill = self._fill, None
        if fill:
            fill.break_off(reason)
        if leader:
            leader.abort(reason)
        self.release(passes=False)

    def _end_fill(self, fill: Fill) -> None:
        self._state = State.OVER
        self._fill = None
        leader, self._leader = self._leader, None
        fill.finish(self._asking if leader else None)

    # -- what becomes of it -------------------------------------------------------------------------------------------

    def _receive_head(self, head: ResponseHead, length: int | None) -> ResponseHead | None:
        """Decide. Returns the head that the first visitor gets if the response is to be passed on."""
        self.head_sent = True
        if self._leader:
            self._leader.upstream_seconds = self.upstream_seconds
            self._leader.held_seconds += self.held_seconds
        now = self.cache.clock()
        stored = self._stored
        is_error = head.status in ERROR_STATUSES
        if stored and head.status == 304:
            self._renew(head, stored, now)
        elif stored and is_error and self._may_replace_error(stored[0], now):
            self._send_stored(stored, now, "stale", head.status)
        elif not self._begin_fill(head, length, now):
            return self._relay(head)
        return None

    def _may_replace_error(self, stored: Response, now: float) -> bool:
        return stored.lifetime.may_replace_error(now) and self.cache.may_keep(self.request, stored)

    def _begin_fill(self, head: ResponseHead, length: int | None, now: float) -> bool:
        """Whether it is to be kept and there is room for it."""
        storable = self._judge(head, length, now)
        if storable is None:
            return False
        fill = Fill(self, head, storable, length)
        if not fill.has_room:
            return False
        self._fill = fill
        self._state = State.FILL
        return True

    def _judge(self, head: ResponseHead, length: int | None, now: float) -> Storable | None:
        rules = self.cache.rules
        if not self._asking.may_store or (length is not None and length > rules.max_body):
            return None
        return judge(self.request, head, self.asked_at, now, rules.ttl)

    def _relay(self, head: ResponseHead) -> ResponseHead | None:
        """From here on this is an exchange between the origin and one visitor, like any other."""
        is_error = head.status >= 500
        if self._stored and not is_error:
            self.cache.store.remove(self._name)  # what it was has ended
        self._state = State.RELAY
        leader = self._leader
        if leader is None:
            self.hang_up("not-stored")
            self.release(passes=not is_error)
            return None
        leader.cache_verdict = self.verdict
        leader.receiver = self.receiver
        member = forwarded(self.why, status=head.status if self._stored else 0)
        return ResponseHead(head.status, with_cache_status(head.fields, member), head.content_length)

    @property
    def verdict(self) -> str:
        """The access log's word for a visitor who got what the origin said just now."""
        return "expired" if self._stored else "miss"

    def _renew(self, head: ResponseHead, stored: tuple[Response, bytes], now: float) -> None:
        """RFC 9111 §4.3.4."""
        response, body = stored
        fields = updated_fields(response.fields, head.fields, now)
        merged = ResponseHead(response.status, fields)
        storable = judge(self.request, merged, self.asked_at, now, self.cache.rules.ttl)
        renewed = structs.replace(response, fields=fields, asked_at=self.asked_at)
        if storable and storable.vary == parse_vary(response.fields):
            renewed = structs.replace(renewed, lifetime=storable.lifetime, for_all=storable.for_all)
            if self.cache.may_keep(self.request, renewed):
                self.cache.store.save(self._name, renewed, body)
        else:
            self.cache.store.remove(self._name)
        self._send_stored((renewed, body), now, "revalidated", 304)

    def _send_stored(self, stored: tuple[Response, bytes], now: float, verdict: str, status: int) -> None:
        """To everybody who wants it."""
        asking = [self._asking] if self._leader else []
        if self.cache.may_keep(self.request, stored[0]):  # else those who wait look again
            asking += self.call()
        self._leader = None
        self.hang_up("stored-sent")
        self.release(passes=False)
        member = forwarded(self.why, status=status)
        for each in asking:
            self.cache.send(each, self._name, *stored, member, verdict, now)

    # -- the first visitor's part, until the head ---------------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        """There is none."""

    def body_ended(self) -> None:
        """See `body_received`."""

    def resume_sending(self) -> None:
        """Nothing has been sent to him yet."""

    def exchange_aborted(self, reason: str) -> None:
        """He is gone. If nobody else waits, the origin need not work for nobody."""
        self._leader = None
        if not self.is_awaited:
            self.hang_up(reason)
            self.release(passes=False)

    # -- those who wait, and the end ----------------------------------------------------------------------------------

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it in this worker."""
        return self._is_claimed and self.cache.room.has(self._name)

    def call(self, wanted: Callable[[Asking], bool] | None = None) -> list[Asking]:
        """Those who wait for this, and are wanted; they wait no longer."""
        return self.cache.room.call(self._name, wanted) if self._is_claimed else []

    def release(self, *, passes: bool) -> None:
        """Nobody need wait for this any longer; those who do look again. `passes`: it is of no use to others."""
        if self._is_claimed:
            self._is_claimed = False
            self.cache.fetch_ended(self._name, self, passes=passes)

    def hang_up(self, reason: str) -> None:
        """The rest of the origin's answer is not wanted."""
        self._state = State.OVER
        self._fill = None
        receiver, self.receiver = self.receiver, None
        if receiver:
            receiver.exchange_aborted(reason)

    def ask_for_more(self) -> None:
        """Everything that has come has been taken."""
        if self.receiver:
            self.receiver.resume_sending()
