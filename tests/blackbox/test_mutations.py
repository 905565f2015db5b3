"""Any bytes are legal or refused, nothing third: the corpora with a few bytes changed, against the running command."""

from __future__ import annotations

import contextlib
import os
import random

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, head, request
from tests.blackbox.recorded import read_request
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.visitor import Incomplete, Visitor, dial_tls
from tests.corpus.http1 import ABORTED, ACCEPTED, OK, REFUSED
from tests.corpus.http2.header_lists import SHAPES
from tests.wire import http2_frames as wire

SEED = int(os.environ.get("EDGE_MUTATION_SEED", "1"))
ROUNDS = int(os.environ.get("EDGE_MUTATION_ROUNDS", "150"))

INTERESTING = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"\x80", b"\xff", b"%", b"\\", b"/", b"#", b"_",
               b"\r\n\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: a\r\n", OK]  # fmt: skip


def mutate(chance: random.Random, data: bytes) -> bytes:
    """A few bytes inserted, removed, replaced, doubled."""
    mutated = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        where = chance.randrange(len(mutated) + 1)
        piece = chance.choice(INTERESTING) if chance.random() < 0.7 else chance.randbytes(1)
        kind = chance.randrange(4)
        if kind == 0:
            mutated[where:where] = piece
        elif kind == 1:
            del mutated[where : where + chance.randint(1, 4)]
        elif kind == 2:
            mutated[where : where + len(piece)] = piece
        else:
            mutated[where:where] = mutated[max(0, where - 10) : where]
    return bytes(mutated)


class Silence(Exception):
    """Edge waits for more of a request."""


def read_status(visitor: Visitor) -> int:
    """The status of the next response. Raises: Silence; Incomplete when a response is not whole."""
    try:
        return visitor.read().status
    except Incomplete as error:
        if "Timeout" in str(error) and not error.seen:
            raise Silence from error
        raise


def test_http1_mutations(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """Every response is well formed, every request at the origin clean, and there are as many of one as of the other."""
    chance = random.Random(SEED)
    corpus = [row[1] for rows in (REFUSED, ABORTED, ACCEPTED) for row in rows if len(row[1]) < 2000]
    for _ in range(ROUNDS):
        data = mutate(chance, chance.choice(corpus))
        origin.requests.clear()
        with Visitor(dial_tls(site.https_port)) as visitor:
            visitor.send(data, b"\r\n\r\nGET /stop HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            visitor.sock.settimeout(0.2)
            statuses = []
            with contextlib.suppress(Silence):
                while not visitor.is_closed():
                    statuses.append(read_status(visitor))
        recorded = [read_request(each) for each in origin.requests]
        assert statuses.count(200) == len(recorded), (data, statuses, recorded)
        assert set(statuses) <= {200, 400, 405, 408, 413, 414, 417, 421, 431, 501, 505}, (data, statuses)


def test_http2_mutations(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """The same with header blocks and frames."""
    chance = random.Random(SEED)
    shapes = [shape for shape in SHAPES if sum(len(name) + len(value) for name, value in shape.headers) < 2000]
    for _ in range(ROUNDS):
        shape = chance.choice(shapes)
        origin.requests.clear()
        if chance.random() < 0.5:
            fields = [list(field) for field in shape.headers]
            field = chance.choice(fields)
            side = chance.randrange(2)
            field[side] = mutate(chance, field[side])
            data = head(1, [(name, value) for name, value in fields], shape.ended)
            data += b"" if shape.ended else wire.data(1, b"hello", end=True)
        else:
            data = mutate(chance, head(1, shape.headers, shape.ended) + wire.data(1, b"hello", end=True))
        with HTTP2Visitor(site_with.https_port) as visitor:
            visitor.send(data, wire.headers(3, request(b"/stop")))
            visitor.sock.settimeout(0.2)
            with contextlib.suppress(AssertionError):  # a frame that waits for its rest
                visitor.read_until(lambda: visitor.is_over(3))
            answered = sum(fields[b":status"] == b"200" for fields in visitor.fields.values())
        recorded = [read_request(each) for each in origin.requests]
        assert answered <= len(recorded) <= 2, (data, recorded)
