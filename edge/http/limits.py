"""Every limit of the HTTP path: its value, its reason, its precedent. Sizes in bytes, times in seconds."""

from __future__ import annotations

from typing import Final

# -- request heads ----------------------------------------------------------------------------------------------------
MAX_REQUEST_LINE: Final = 8 * 1024
"""Longest request line or `:path`; 414 beyond. nginx: one buffer of 8 KiB."""

MAX_HEAD: Final = 32 * 1024
"""Largest request head, decoded; 431 beyond. nginx 4×8 KiB, Caddy 16 KiB, h2 64 KiB."""

MAX_FIELDS: Final = 100
"""Most field lines in a head, cookie crumbs counted before they are joined (CVE-2026-49975); 431 beyond. Envoy 100."""

MAX_CONTENT_LENGTH_DIGITS: Final = 15
"""A petabyte. More digits are an attack on somebody's integer parser."""

MAX_PIPELINED: Final = 32 * 1024
"""Bytes behind an unanswered request of an HTTP/1.1 connection at which reading stops; they wait unparsed."""

MAX_CHUNK_OVERHEAD: Final = 16 * 1024
"""Bytes of chunk sizes and extensions that may exceed the body they carry; 400 beyond."""

# -- clients ----------------------------------------------------------------------------------------------------------
MAX_CONNECTIONS: Final = 10_000
"""Connections of a worker, as far as its descriptors allow; the longest idle one gives way. nginx 512 to 1024."""

CONNECTIONS_PER_CLIENT: Final = 1000
"""Connections of one client (an IPv4 address, an IPv6 /64) at a worker: more than an office behind one address needs, and what
they hold in memory stays under 64 MiB. The longest idle one gives way."""

HANDSHAKES_PER_TURN: Final = 2
"""Handshake steps of one client in a turn of the event loop, half a millisecond each; then it is everybody else's turn."""

CROWD: Final = 8
"""Connections of one client that are read from as they come. More than that take turns while there are other clients. Browsers
open 6 per name."""

READS_PER_TURN_OF_A_CROWD: Final = 4
"""How many of those are read from in a turn of the event loop."""

MISDEEDS_FORGIVEN: Final = 100
"""HTTP/2 connections of one client that may end in a flood or in broken frames before new ones have to wait."""

MISDEED_INTERVAL: Final = 0.2
"""Seconds after which one of them is forgiven."""

# -- deadlines and idle times -----------------------------------------------------------------------------------------
HANDSHAKE_TIMEOUT: Final = 10.0
"""From accept to the end of the TLS handshake. nginx 60 s, which keeps stalled sockets too long."""

HEAD_TIMEOUT: Final = 10.0
"""Total, from the first byte of a request head to its end: idle timeouts do not stop one byte a second."""

KEEP_ALIVE_TIMEOUT: Final = 75.0
"""A connection without an exchange. nginx 75 s."""

BODY_IDLE_TIMEOUT: Final = 60.0
"""Without a byte of a request body that is wanted. nginx 60 s."""

MIN_BODY_RATE: Final = 256
"""Bytes a second that a request body must average after BODY_IDLE_TIMEOUT. Apache asks 500."""

SEND_TIMEOUT: Final = 60.0
"""With bytes to send and none leaving, whatever WINDOW_UPDATEs arrive. nginx 60 s."""

LINGER_TIMEOUT: Final = 5.0
"""How long the rest of an unwanted body is read and thrown away before the connection ends."""

MAX_LINGER: Final = 64 * 1024
"""How much of an unwanted body is read and thrown away before the connection ends."""

# -- buffers ----------------------------------------------------------------------------------------------------------
READ_SIZE: Final = 64 * 1024
"""One read from a socket. Four TLS records."""

WRITE_SLICE: Final = 64 * 1024
"""One write to a socket."""

HIGH_WATER: Final = 128 * 1024
"""Unsent response bytes of one exchange or connection at which its source is paused."""

LOW_WATER: Final = 32 * 1024
"""Unsent response bytes at which the source goes on."""

MAX_HELD_PER_CONNECTION: Final = 1024 * 1024
"""Unsent response bytes of a connection beyond which each of its streams gets a slice at a time: a hundred streams that nobody
reads would hold 13 MiB."""

MAX_HELD_PER_CLIENT: Final = 32 * 1024 * 1024
"""Bytes that one client makes a worker keep by not taking its responses; then its heaviest connections end. Slow visitors hold
some hundred KiB."""

STREAM_WEIGHT: Final = 4 * 1024
"""What a request that waits for its client counts for besides its bytes."""

MAX_SPOOLED_IN_MEMORY: Final = 16 * 1024 * 1024
"""Request bodies, and likewise responses, that all spools of a worker keep in memory; beyond, they go to files at once."""

# -- HTTP/2 -----------------------------------------------------------------------------------------------------------
MAX_STREAMS: Final = 100
"""SETTINGS_MAX_CONCURRENT_STREAMS: what clients assume before they have read our SETTINGS."""

STREAM_WINDOW: Final = 64 * 1024 - 1
"""SETTINGS_INITIAL_WINDOW_SIZE: what one upload may have in flight."""

CONNECTION_WINDOW: Final = 1024 * 1024
"""What all uploads of one connection may have in flight. Go 1 MiB."""

UPLOAD_WINDOW: Final = CONNECTION_WINDOW // 2
"""What one upload may have in flight once its handler has taken a first STREAM_WINDOW, which alone would mean 1.3 MB/s over a
round trip of 50 ms. Half of the connection's, so that an upload that gets stuck leaves room for the others."""

MAX_REQUESTS_PER_CONNECTION: Final = 10_000
"""Then a graceful GOAWAY: bounds what a connection can accumulate. nginx 1000."""

MAX_FRAME: Final = 16 * 1024
"""SETTINGS_MAX_FRAME_SIZE, the smallest value allowed: frames are buffered whole before they count."""

MAX_HEADER_BLOCK: Final = 64 * 1024
"""Compressed bytes of one header block, HEADERS and CONTINUATION frames together; twice MAX_HEAD."""

MAX_CONTINUATIONS: Final = 8
"""CONTINUATION frames of one header block (VU#421644). nghttp2 8."""

HEAD_TOLERANCE: Final = 4
"""A head may exceed MAX_HEAD and MAX_FIELDS by this factor and still be answered with 431 on its stream; beyond, the
connection ends. hyperium 4."""

MAX_SETTINGS: Final = 32
"""Entries of one SETTINGS frame. nghttp2 32."""

MAX_EMPTY_DATA: Final = 10
"""Consecutive DATA frames without a byte (CVE-2019-9518). Envoy 1, hyperium 100."""

RESET_BURST: Final = 200
"""Streams that may be reset in a row, by either side (CVE-2023-44487, CVE-2025-8671): twice MAX_STREAMS, so that a page
load can be cancelled whole. nghttp2 1000."""

RESET_RATE: Final = 20
"""Resets forgiven per second."""

CONTROL_BURST: Final = 1000
"""Frames in a row that carry neither head nor body (CVE-2019-9512, -9513, -9515, -9517). Envoy 1000."""

CONTROL_RATE: Final = 100
"""Such frames forgiven per second."""

CONTROL_PER_HEAD: Final = 2
"""Such frames forgiven per request head: Firefox opens each stream's window with a WINDOW_UPDATE."""

CONTROL_PER_PIECE: Final = 2
"""Such frames forgiven per piece of a body sent: gRPC in Go answers each message with a WINDOW_UPDATE and a PING, to measure
the way. Envoy 10."""

BYTES_PER_CONTROL: Final = 2048
"""One such frame is forgiven for so many bytes sent: clients open windows in steps of a frame, some twice."""

MAX_CONTROL_OUTPUT: Final = 64 * 1024
"""Unsent bytes at which an engine asks for no more input: a peer that does not read makes no new answers."""

MIN_SLICE: Final = 1024
"""No DATA frame is smaller unless it ends the body (CVE-2019-9511): a window that small waits for more."""

# -- upstream ---------------------------------------------------------------------------------------------------------
CONNECT_TIMEOUT: Final = 3.0
"""To an origin's accept. Loopback and local networks answer in milliseconds."""

FIRST_BYTE_TIMEOUT: Final = 60.0
"""From the end of the request to the first byte of the response. gunicorn kills its worker at 30 s."""

UPSTREAM_IDLE_TIMEOUT: Final = 60.0
"""Between two reads of a response body that has a length. Event streams have no such limit."""

POOL_IDLE_TIMEOUT: Final = 1.5
"""A pooled connection older than this is not used again: gunicorn closes idle ones after 2 s."""

ORIGIN_STREAMS: Final = 100
"""Most streams on one HTTP/2 connection to an origin, if it allows as many. Beyond, a further connection is opened."""

ORIGIN_CONNECTIONS: Final = 32
"""Most HTTP/2 connections to one origin from one worker. Beyond, requests wait for a stream, as for a connection."""

ORIGIN_STREAM_WINDOW: Final = 256 * 1024
"""What an HTTP/2 origin may send of one response before its visitor has taken it. It waits in memory, like READ_AHEAD_MEMORY."""

ORIGIN_CONNECTION_WINDOW: Final = 1024 * 1024
"""What all responses of one such connection may have in flight. Given back at once: one slow visitor must not stop the others."""

ORIGIN_IDLE_TIMEOUT: Final = 60.0
"""A connection to an HTTP/2 origin without a stream is closed after so long; such origins say GOAWAY before they close it."""

ORIGIN_PING_INTERVAL: Final = 330.0
"""A connection to an HTTP/2 origin with open streams that has been silent for so long is asked by PING. gRPC servers take
more than one in five minutes for an attack ("too_many_pings"). TCP keep-alive finds a dead host sooner."""

ORIGIN_PING_TIMEOUT: Final = 20.0
"""To the answer. gRPC 20 s."""

MAX_RESPONSE_HEAD: Final = 64 * 1024
"""Largest response head; 502 beyond. Django's cookies and CSP fit many times."""

MAX_TRAILERS: Final = 16 * 1024
"""Largest trailer section of a response, each field counted with 32 bytes more; 502 beyond. gRPC's own hard limit."""

MAX_INTERIM_RESPONSES: Final = 16
"""1xx heads before the final one; 502 beyond."""

READ_AHEAD_MEMORY: Final = 256 * 1024
"""Of a response that its visitor takes slowly, so much is kept in memory, then a temporary file is used. Pages fit."""

MAX_READ_AHEAD: Final = 64 * 1024 * 1024
"""Of such a response, so much is written to a file; beyond, the origin waits. nginx 1 GiB."""

MAX_READ_AHEAD_FILES: Final = 1024 * 1024 * 1024
"""In all such files of a worker: a thousand slow visitors must not fill the disk."""

SPOOL_MEMORY: Final = 256 * 1024
"""A request body of unknown length stays in memory up to here, then goes to a temporary file."""
