"""One request to the origin on behalf of everybody who wants the same: an exchange for the proxy, which no visitor owns.

    asking ──head──┬─ not to be kept ──▶ relay: the visitor who came first gets it as it comes, the others are let go
                   ├─ to be kept ──▶ fill: everybody reads what comes from the body that grows, then it is stored
                   ├─ 304 ──▶ the stored response is renewed and sent
                   └─ an error that a stored response may replace ──▶ that is sent

The first visitor may leave: as long as others wait, the answer is still wanted. What is to be kept is taken at the origin's
pace, so a visitor who reads slowly holds nobody up. When it turns out too large, the first visitor gets the rest directly and
nobody else has begun: only a response whose length was announced, and fits, is sent to others before its end.
"""

from __future__ import annotations

import time
from enum import Enum, auto
from typing import TYPE_CHECKING

from edge.errors import HTTPError
from edge.handlers.cache.asking import Asking
from edge.handlers.cache.delivery import Delivery
from edge.handlers.cache.record import SHORT, Response
from edge.handlers.cache.reply import Reply, cut, fields_of_moment, reply_to
from edge.handlers.cache.store import GrowingBody
from edge.handlers.error_page import respond_error
from edge.http.cache_key import variant_key
from edge.http.cache_status import forwarded, with_cache_status
from edge.http.caching import ERROR_STATUSES, Storable, judge, parse_vary, stored_fields, updated_fields
from edge.http.exchange import Buffer, Exchange, Handler, Receiver
from edge.http.message import Fields, Request, ResponseHead

if TYPE_CHECKING:
    from edge.handlers.cache.handler import Cache


COLLAPSED = "collapsed"
"""The access log's word for a visitor who waited for the answer to another one's request."""


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
        self._cache = cache
        self._asking = asking
        self._leader: Exchange | None = asking.exchange if leads else None
        self._name = name
        self._why = why
        self._stored = stored
        self._is_claimed = is_claimed
        self._asked_at = time.time()
        self._state = State.ASKING
        self._storable: Storable | None = None
        self._head = ResponseHead(0)
        self._fields: Fields = ()
        self._body: GrowingBody | None = None
        self._deliveries: list[Delivery] = []
        self._first: Delivery | None = None
        self._overflows = False
        self._passes = False
        self._is_ending = False
        if self._leader:
            self._leader.receiver = self

    def __repr__(self) -> str:
        return f"<Fetch {self._state.name} {self.request.target!r} readers={len(self._deliveries)}>"

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
        if self._overflows:
            return self._first is not None and self._first.keeps_up
        if self._state is State.RELAY:
            return self._leader is not None and self._leader.can_send
        return True

    def adopt_request_id(self, request_id: str) -> None:
        """It has one already."""

    def own_error_page(self, status: int) -> bytes | None:
        """Of the site."""
        return self._asking.exchange.own_error_page(status) if self._leader else None

    def open_tunnel(self, fields: Fields) -> None:
        """Handshakes are never asked for here."""
        self.abort("no-tunnel")

    def pause_body(self) -> None:
        """The request has no body."""

    def resume_body(self) -> None:
        """See `pause_body`."""

    # -- the response -------------------------------------------------------------------------------------------------

    def send_interim(self, status: int, fields: Fields) -> None:
        """To the first visitor, who is the only one that asked."""
        if self._leader:
            self._leader.send_interim(status, fields)

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        """The whole response."""
        self._receive_head(head, len(body))
        if self._state is State.RELAY and self._leader:
            leader, self._leader = self._leader, None
            self._over()
            leader.respond(self._head, body)
            self._release(passes=self._passes)
        else:
            self.send_body(body)
            self.end()

    def send_head(self, head: ResponseHead) -> None:
        """The decision falls here."""
        self._receive_head(head, head.content_length)
        if self._state is State.RELAY and self._leader:
            self._leader.send_head(self._head)
            self._release(passes=self._passes)
        elif self._state is State.FILL:
            self._begin_delivery()

    def _receive_head(self, head: ResponseHead, length: int | None) -> None:
        self.head_sent = True
        self._note()
        now = time.time()
        stored = self._stored
        if stored and head.status == 304:
            self._renew(head, stored, now)
        elif stored and head.status in ERROR_STATUSES and stored[0].lifetime.may_replace_error(now):
            self._send_stored(stored, now, "stale", head.status)
        elif (storable := self._judge(head, length, now)) is not None:
            self._fill(head, storable, length)
        else:
            self._relay(head)

    def _note(self) -> None:
        if self._leader:
            self._leader.upstream_seconds = self.upstream_seconds
            self._leader.held_seconds += self.held_seconds

    def _judge(self, head: ResponseHead, length: int | None, now: float) -> Storable | None:
        rules = self._cache.rules
        if not self._asking.may_store or (length is not None and length > rules.max_body):
            return None
        return judge(self.request, head, self._asked_at, now, rules.ttl)

    # -- not to be kept -----------------------------------------------------------------------------------------------

    def _relay(self, head: ResponseHead) -> None:
        """From here on this is an exchange between the origin and one visitor, like any other."""
        self._passes = head.status < 500
        if self._stored and self._passes:
            self._cache.store.remove(self._name)  # what it was has ended
        self._state = State.RELAY
        leader = self._leader
        if leader is None:
            self._hang_up("not-stored")
            self._release(passes=self._passes)
            return
        leader.cache_verdict = self._verdict
        leader.receiver = self.receiver
        member = forwarded(self._why, status=head.status if self._stored else 0)
        self._head = ResponseHead(head.status, with_cache_status(head.fields, member), head.content_length)

    @property
    def _verdict(self) -> str:
        """The access log's word for a visitor who got what the origin said just now."""
        return "expired" if self._stored else "miss"

    # -- renewed, or replaced -----------------------------------------------------------------------------------------

    def _renew(self, head: ResponseHead, stored: tuple[Response, bytes], now: float) -> None:
        """RFC 9111 §4.3.4."""
        response, body = stored
        fields = updated_fields(response.fields, head.fields, now)
        storable = judge(
            self.request, ResponseHead(response.status, fields), self._asked_at, now, self._cache.rules.ttl
        )
        renewed = Response(
            key=response.key,
            variant=response.variant,
            site=response.site,
            status=response.status,
            fields=fields,
            lifetime=storable.lifetime if storable else response.lifetime,
            asked_at=self._asked_at,
            length=response.length,
            for_all=bool(storable and storable.for_all),
            file=response.file,
            checksums=response.checksums,
        )
        if storable and storable.vary == parse_vary(response.fields) and self._cache.may_keep(self.request, renewed):
            self._cache.store.save(self._name, renewed, body)
        else:
            self._cache.store.remove(self._name)
        self._send_stored((renewed, body), now, "revalidated", 304)

    def _send_stored(self, stored: tuple[Response, bytes], now: float, verdict: str, status: int) -> None:
        """To everybody who wants it."""
        asking = [self._asking] if self._leader else []
        if self._is_claimed:
            asking += self._cache.room.call(self._name)
        self._leader = None
        self._hang_up("stored-sent")
        self._release(passes=False)
        member = forwarded(self._why, status=status)
        for each in asking:
            self._cache.send(each, self._name, *stored, member, verdict, now)

    # -- to be kept ---------------------------------------------------------------------------------------------------

    def _fill(self, head: ResponseHead, storable: Storable, length: int | None) -> None:
        body = GrowingBody(self._cache.store, self._cache.rules.max_body if length is None else length)
        if length is not None and length > SHORT and not body.open():
            self._relay(head)  # the disk is full: to the visitors it is as if there were no cache
            return
        self._head, self._storable, self._body = head, storable, body
        self._fields = stored_fields(head.fields, time.time())
        self._state = State.FILL

    def _begin_delivery(self) -> None:
        """Visitors begin to read; those who wait only if it is sure that all of it will be there."""
        length = self._head.content_length
        if self._leader:
            self._leader = None
            self._first = self._deliver(self._asking, length, self._verdict)
        if length is not None and self._is_claimed:
            for asking in self._cache.room.call(self._name, self._fits):
                self._deliver(asking, length, COLLAPSED)

    def _fits(self, asking: Asking) -> bool:
        assert self._storable
        vary = self._storable.vary
        return not vary or variant_key(asking.request, vary) == variant_key(self.request, vary)

    def _deliver(self, asking: Asking, length: int | None, verdict: str) -> Delivery:
        """Let a visitor read what comes; `length` None: nobody knows yet how much."""
        body = self._body
        assert body
        reply = self._reply(asking, self._response(length or 0), length, verdict)
        delivery = Delivery(asking.exchange, body, reply.pieces, body.length, self._left, self._cache.loop.call_soon)
        if length is None and reply.pieces:
            delivery.drained = _nothing_yet
        self._deliveries.append(delivery)
        delivery.start(reply.head)
        return delivery

    def _reply(self, asking: Asking, response: Response, length: int | None, verdict: str) -> Reply:
        asking.exchange.cache_verdict = verdict
        member = forwarded(self._why, stored=True, collapsed=verdict == COLLAPSED)
        return reply_to(
            asking.request, response, fields_of_moment(response, asking.exchange, member, time.time()), length
        )

    def _response(self, length: int) -> Response:
        assert self._storable
        body = self._body
        return Response(
            key=self._cache.key(self.request),
            variant=variant_key(self.request, self._storable.vary) if self._storable.vary else b"",
            site=self._cache.site,
            status=self._head.status,
            fields=self._fields,
            lifetime=self._storable.lifetime,
            asked_at=self._asked_at,
            length=length,
            for_all=self._storable.for_all,
            file=body.name if body else b"",
            checksums=body.checksums if body and body.name else (),
        )

    def send_body(self, data: Buffer) -> None:
        """Keep it, and let everybody read; or pass it on."""
        if self._state is State.RELAY and self._leader:
            self._leader.send_body(data)
        elif self._overflows and self._first:
            self._first.append(data)
        elif self._state is State.FILL and self._body:
            rest = self._body.append(data)
            if len(rest):
                self._overflow(rest)
                return
            for delivery in list(self._deliveries):
                delivery.grown(self._body.length)

    def _overflow(self, rest: Buffer) -> None:
        """It does not fit, or the disk is full. Nobody but the first visitor has begun, unless a disk broke its promise."""
        assert self._body
        self._overflows = True
        self._body.discard()
        self._release(passes=True)
        for delivery in [each for each in self._deliveries if each is not self._first]:
            delivery.abort("cache-full")
        if self._first is None or self._first not in self._deliveries:
            self._hang_up("too-large")
            self._drop_body()
            return
        self._first.drained = self._drained
        self._first.grown(self._body.length, ends=True)
        self._first.append(rest)

    def _drained(self) -> None:
        """The first visitor has everything that has come."""
        if self.receiver:
            self.receiver.resume_sending()

    def end(self) -> None:
        """The response is whole."""
        if self._state is State.RELAY and self._leader:
            leader, self._leader = self._leader, None
            self._over()
            leader.end()
        elif self._overflows and self._first:
            self._over()
            self._first.close_behind()
        elif self._state is State.FILL:
            self._store_whole()

    def _store_whole(self) -> None:
        """Store it first, so that whoever looks from now on finds it; then let those who wait have it."""
        body, storable = self._body, self._storable
        assert body
        assert storable
        self._over()
        self._is_ending = True  # readers who have everything may leave now, but the body is still needed
        announced = self._head.content_length
        if announced is not None and announced != body.length:
            self._break_off("upstream-truncated")
            return
        short = body.short
        response = self._response(body.length)
        kept = short is not None or self._cache.store.settle(body)
        if not (kept and self._cache.keep(self.request, storable.vary, response, short or b"")):
            body.discard()
        for delivery in list(self._deliveries):
            delivery.drained = None
            delivery.grown(body.length, ends=True)
        self._send_whole(response, short)
        self._is_ending = False
        if not self._deliveries:
            body.close()

    def _send_whole(self, response: Response, short: bytes | None) -> None:
        """To the first visitor of a response that came in one piece, and to those who waited for the end of another."""
        asking = [(self._asking, self._verdict)] if self._leader else []
        self._leader = None
        if self._is_claimed:
            asking += [(each, COLLAPSED) for each in self._cache.room.call(self._name, self._fits)]
        self._release(passes=False)
        for each, verdict in asking:
            if short is None:
                self._deliver(each, response.length, verdict)
            else:
                reply = self._reply(each, response, response.length, verdict)
                each.exchange.respond(reply.head, cut(short, reply.pieces))

    def abort(self, reason: str) -> None:
        """The origin broke off."""
        if self._state is State.OVER:
            return
        leader, self._leader = self._leader, None
        self._over()
        if leader:
            leader.abort(reason)
        self._break_off(reason)

    def _break_off(self, reason: str) -> None:
        for delivery in list(self._deliveries):
            delivery.abort(reason)
        self._drop_body()
        self._release(passes=False)

    def _drop_body(self) -> None:
        if self._body:
            self._body.discard()
            self._body.close()

    # -- the first visitor's part -------------------------------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        """There is none."""

    def body_ended(self) -> None:
        """See `body_received`."""

    def resume_sending(self) -> None:
        """Nothing has been sent to him yet."""

    def exchange_aborted(self, reason: str) -> None:
        """He is gone, before the head. If nobody else waits, the origin need not work for nobody."""
        self._leader = None
        if not (self._is_claimed and self._cache.room.has(self._name)):
            self._hang_up(reason)
            self._release(passes=False)

    def _left(self, delivery: Delivery) -> None:
        """A reader has all he wanted, or is gone."""
        self._deliveries.remove(delivery)
        if self._deliveries or not self._body or self._is_ending:
            return
        if self._state is State.OVER:
            self._body.close()
        elif self._overflows or not self._is_worth_finishing:
            self._hang_up("client-gone")
            self._drop_body()
            self._release(passes=False)

    @property
    def _is_worth_finishing(self) -> bool:
        """Whether somebody waits, or most of a response of known length has come."""
        length = self._head.content_length
        assert self._body
        if self._is_claimed and self._cache.room.has(self._name):
            return True
        return length is not None and 2 * self._body.length >= length

    # -- the end ------------------------------------------------------------------------------------------------------

    def _hang_up(self, reason: str) -> None:
        """The origin's answer is not wanted any more."""
        self._over()
        receiver, self.receiver = self.receiver, None
        if receiver:
            receiver.exchange_aborted(reason)

    def _over(self) -> None:
        self._state = State.OVER

    def _release(self, *, passes: bool) -> None:
        """Nobody need wait for this any longer. Those who do go alone, or look again if that may help."""
        if not self._is_claimed:
            return
        self._is_claimed = False
        self._cache.fetch_ended(self._name, self, passes=passes)


def _nothing_yet() -> None:
    """What a reader does who has read everything that has come."""
