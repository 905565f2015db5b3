"""A response that is being kept while visitors read it already.

It is taken at the origin's pace, so a visitor who reads slowly holds nobody up. A response whose length was announced, and for
which room could be taken beforehand, is sent at once to everybody who waits; any other one to the first visitor alone, because it
may turn out too large. Then that visitor gets the rest directly, at his own pace, and the others are let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.handlers.cache.asking import Asking
from edge.handlers.cache.bodies import GrowingBody
from edge.handlers.cache.delivery import Delivery
from edge.handlers.cache.record import SHORT, Response
from edge.handlers.cache.reply import Reply, cut, fields_of_moment, reply_to
from edge.http.cache_key import primary_key, variant_key
from edge.http.cache_status import forwarded
from edge.http.caching import Storable, stored_fields
from edge.http.exchange import Buffer
from edge.http.message import ResponseHead

if TYPE_CHECKING:
    from edge.handlers.cache.fetch import Fetch

MAX_PROMISE: Final = 8 * 1024 * 1024
"""Bytes of a body for which room is taken at once: in memory that costs a millisecond, in which nothing else is served."""

COLLAPSED: Final = "collapsed"
"""The access log's word for a visitor who waited for the answer to another one's request."""


class Fill:
    """The body of one `Fetch` on its way into the store. Use it only if it `has_room`."""

    def __init__(self, fetch: Fetch, head: ResponseHead, storable: Storable, length: int | None) -> None:
        self._fetch = fetch
        self._cache = fetch.cache
        self._head = head
        self._storable = storable
        self._fields = stored_fields(head.fields, self._cache.clock())
        self._is_promised = length is not None and length <= MAX_PROMISE
        most = self._cache.rules.max_body if length is None else length
        self._body = GrowingBody(self._cache.store, most, is_promised=self._is_promised)
        self._readers: list[Delivery] = []
        self._first: Delivery | None = None
        self._overflows = False
        self._is_over = False
        self._is_ending = False
        self.has_room: Final = length is None or length <= SHORT or self._body.open()
        """For what is known of it at its head."""

    def __repr__(self) -> str:
        return f"<Fill {self._body.length} bytes, {len(self._readers)} readers>"

    @property
    def can_append(self) -> bool:
        """What is stored is always taken."""
        return not self._overflows or (self._first is not None and self._first.keeps_up)

    # -- it comes -----------------------------------------------------------------------------------------------------

    def begin(self, asking: Asking | None) -> None:
        """The head is there: visitors begin to read, the first one (None: he has gone) and perhaps those who wait."""
        length = self._head.content_length
        if asking:
            self._first = self._deliver(asking, length, self._fetch.verdict)
        if self._is_promised and length is not None:
            for each in self._fetch.call(self._fits):
                self._deliver(each, length, COLLAPSED)

    def append(self, data: Buffer) -> bool:
        """More of the body. False: it does not fit any more, and who has it gets it directly."""
        if self._overflows and self._first:
            self._first.append(data)
            return False
        rest = self._body.append(data)
        if len(rest):
            self._overflow(rest)
            return False
        for reader in list(self._readers):
            reader.grown(self._body.length)
        return True

    def _overflow(self, rest: Buffer) -> None:
        """Only the first visitor has begun to read, unless a disk broke its promise."""
        self._overflows = True
        self._body.discard()
        self._fetch.release(passes=True)
        for reader in [each for each in self._readers if each is not self._first]:
            reader.abort("cache-full")
        if self._first is None or self._first not in self._readers:
            self._fetch.hang_up("too-large")
            self._body.close()
            return
        self._first.drained = self._fetch.ask_for_more
        self._first.grown(self._body.length, ends=True)
        self._first.append(rest)

    # -- it ends ------------------------------------------------------------------------------------------------------

    def finish(self, asking: Asking | None) -> None:
        """It is whole: store it first, so that whoever looks from now on finds it; then let those have it who want it.

        `asking` is the first visitor, if he has got nothing yet.
        """
        self._is_over = True
        announced = self._head.content_length
        if self._overflows:
            if self._first:
                self._first.close_behind()
        elif announced is not None and announced != self._body.length:
            self.break_off("upstream-truncated")
            self._fetch.release(passes=False)
        else:
            self._is_ending = True  # readers who have everything may leave now, but the body is still needed
            self._send_whole(asking, self._store())
            self._is_ending = False
            if not self._readers:
                self._body.close()

    def _store(self) -> Response:
        body = self._body
        response = self._response(body.length)
        kept = body.short is not None or self._cache.store.settle(body.name, body.length)
        if not (kept and self._cache.keep(self._fetch.request, self._storable.vary, response, body.short or b"")):
            body.discard()
        return response

    def _send_whole(self, asking: Asking | None, response: Response) -> None:
        for reader in list(self._readers):
            reader.drained = None
            reader.grown(response.length, ends=True)
        everybody = [(asking, self._fetch.verdict)] if asking else []
        everybody += [(each, COLLAPSED) for each in self._fetch.call(self._fits)]
        self._fetch.release(passes=False)
        short = self._body.short
        for each, verdict in everybody:
            if short is None:
                self._deliver(each, response.length, verdict)
            else:
                reply = self._reply(each, response, response.length, verdict)
                each.exchange.respond(reply.head, cut(short, reply.pieces))

    def break_off(self, reason: str) -> None:
        """The rest will never come."""
        self._is_over = True
        for reader in list(self._readers):
            reader.abort(reason)
        self._drop()

    def _drop(self) -> None:
        self._body.discard()
        self._body.close()

    # -- who reads ----------------------------------------------------------------------------------------------------

    def _fits(self, asking: Asking) -> bool:
        """Whether the response is the one that this visitor would get (RFC 9111 §4.1), and not void meanwhile."""
        if not self._cache.may_keep(self._fetch.request, self._response(0)):
            return False
        vary = self._storable.vary
        return not vary or variant_key(asking.request, vary) == variant_key(self._fetch.request, vary)

    def _deliver(self, asking: Asking, length: int | None, verdict: str) -> Delivery:
        """Let a visitor read what comes; `length` None: nobody knows yet how much."""
        body = self._body
        reply = self._reply(asking, self._response(length or 0), length, verdict)
        reader = Delivery(asking.exchange, body, reply.pieces, body.length, self._left, self._cache.loop.call_soon)
        if length is None and reply.pieces:
            reader.drained = _nothing_yet
        self._readers.append(reader)
        reader.start(reply.head)
        return reader

    def _reply(self, asking: Asking, response: Response, length: int | None, verdict: str) -> Reply:
        asking.exchange.cache_verdict = verdict
        member = forwarded(self._fetch.why, stored=True, collapsed=verdict == COLLAPSED)
        fields = fields_of_moment(response, asking.exchange, member, self._cache.clock())
        return reply_to(asking.request, response, fields, length)

    def _response(self, length: int) -> Response:
        request, body = self._fetch.request, self._body
        return Response(
            key=primary_key(request),
            variant=variant_key(request, self._storable.vary),
            site=self._cache.site,
            status=self._head.status,
            fields=self._fields,
            lifetime=self._storable.lifetime,
            asked_at=self._fetch.asked_at,
            length=length,
            for_all=self._storable.for_all,
            file=body.name,
            checksums=body.checksums if body.name else (),
        )

    def _left(self, reader: Delivery) -> None:
        """A reader has all he wanted, or is gone."""
        self._readers.remove(reader)
        if self._readers or self._is_ending:
            return
        if self._is_over:
            self._body.close()
        elif self._overflows or not self._is_worth_finishing:
            self._is_over = True
            self._fetch.hang_up("client-gone")
            self._drop()
            self._fetch.release(passes=False)

    @property
    def _is_worth_finishing(self) -> bool:
        """Whether somebody waits, or most of a response of known length has come."""
        length = self._head.content_length
        return self._fetch.is_awaited or (length is not None and 2 * self._body.length >= length)


def _nothing_yet() -> None:
    """What a reader does who has read everything that has come."""
