"""What both HTTP/2 engines know of one stream: how much of its request and response bodies is still to come."""

from __future__ import annotations

from edge.http.message import Request, ResponseHead, is_bodiless
from edge.wire.http2_priority import DEFAULT_PRIORITY, Priority, priority_of


class Stream:
    """One exchange from its request head until both sides have ended or either gave up.

    `owed` counts the flow-control credit of body bytes that were delivered and not yet given back.
    """

    __slots__ = (
        "bodiless",
        "continued",
        "end_sent",
        "head_sent",
        "ignored",
        "is_head",
        "is_tunnel",
        "owed",
        "request",
        "request_ended",
        "request_left",
        "response_ended",
        "response_left",
        "response_size",
        "stream_id",
        "taken",
        "unwanted",
        "wished_priority",
    )

    def __init__(self, stream_id: int, request_ended: bool) -> None:
        self.stream_id = stream_id
        self.request: Request | None = None
        self.is_head = False
        self.is_tunnel = False
        self.request_ended = request_ended
        self.request_left: int | None = None
        self.unwanted = False  # refused: its body is thrown away
        self.owed = 0
        self.taken = 0  # credit given back so far
        self.ignored = 0  # credit of body bytes that came when nobody wanted them any more
        self.continued = False
        self.head_sent = False
        self.bodiless = False
        self.response_left: int | None = None
        self.response_size = 0  # body bytes taken from the handler so far
        self.response_ended = False  # the handler has said its last word
        self.end_sent = False  # END_STREAM has been written while the request body was still to come
        self.wished_priority: Priority | None = None  # by PRIORITY_UPDATE

    def __repr__(self) -> str:
        return f"<Stream {self.stream_id} request_ended={self.request_ended} response_ended={self.response_ended}>"

    def begin_request(self, request: Request) -> None:
        """The head is valid and goes to a handler."""
        self.request = request
        self.is_head = request.method == b"HEAD"
        self.request_left = request.content_length

    @property
    def is_heard(self) -> bool:
        """Whether somebody still wants the request body."""
        return not (self.unwanted or self.response_ended)

    @property
    def priority(self) -> Priority:
        """Read when a response has to queue, which most do not."""
        if self.wished_priority is not None:
            return self.wished_priority
        return priority_of(self.request.fields) if self.request is not None else DEFAULT_PRIORITY

    def take_request_body(self, size: int, ended: bool) -> bool:
        """Body bytes have come, or the end. False when the length is not the announced one."""
        self.request_ended = ended
        left = self.request_left
        if left is None:
            return True
        self.request_left = left = left - size
        return left == 0 if ended else left >= 0

    def may_send_interim(self, status: int) -> bool:
        """Before the final head; 100 only once, and only to a client that waits for it (RFC 9110 §10.1.1)."""
        if self.head_sent:
            return False
        if status != 100:
            return True
        due = self.request is not None and self.request.expects_continue and not self.continued
        self.continued = True
        return due

    def begin_response(self, head: ResponseHead) -> None:
        """The final head goes out."""
        self.head_sent = True
        self.bodiless = self.is_head or is_bodiless(b"", head.status)
        self.response_left = None if self.bodiless else head.content_length

    def take_response_body(self, size: int, end: bool) -> bool:
        """Body bytes are to be sent, or the end. False when the length is not the announced one."""
        self.response_size += size
        left = self.response_left
        if left is None:
            return True
        self.response_left = left = left - size
        return left == 0 if end else left >= 0
