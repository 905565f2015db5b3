"""Property tests: the HTTP/1.1 engine on bytes that nobody thought of, cut in any way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.wire.chunked import ChunkedDecoder
from tests.corpus.http1 import ABORTED, ACCEPTED, REFUSED
from tests.wire.driving import Visit, cut, whole

SEEDS = [row[1] for row in REFUSED if len(row[1]) < 2000] + [row[1] for row in ABORTED if len(row[1]) < 2000]
SEEDS += [row[1] for row in ACCEPTED if len(row[1]) < 2000]
PARTS = [
    *(b"\r\n", b"\n", b"\r", b" ", b":", b"0", b"5", b"a", b"\x00", b"GET ", b"/", b" HTTP/1.1\r\n", b"Host: a\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"Connection: close\r\n"),
]
NOISE = st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=12).map(b"".join)
INPUT = st.one_of(
    st.binary(max_size=200),
    NOISE,
    st.lists(st.sampled_from(SEEDS) | NOISE, min_size=1, max_size=4).map(b"".join),
    st.tuples(st.sampled_from(SEEDS), NOISE, st.integers(0, 300)).map(lambda t: t[0][: t[2]] + t[1] + t[0][t[2] :]),
)


@settings(max_examples=300, deadline=None)
@given(INPUT, st.lists(st.integers(1, 40), max_size=30))
def test_events_do_not_depend_on_how_the_input_is_cut(data: bytes, sizes: list[int]) -> None:
    """Any bytes, in any chunking, never raise, and say and answer the same."""
    one, many = Visit().read(whole(data)), Visit().read(cut(data, sizes))
    assert many.events == one.events
    assert many.engine.must_close == one.engine.must_close
    assert many.end().events == one.end().events


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.just(b"\r\n\r\n"), st.just(b"0\r\n\r\n")), max_size=8),
    st.binary(max_size=20),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_a_chunked_body_ends_exactly_where_it_ends(chunks: list[bytes], behind: bytes, sizes: list[int]) -> None:
    """The decoder returns the chunks' bytes and leaves every byte behind the body alone, however the input is cut."""
    raw = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    decoder, body, used = ChunkedDecoder(), b"", 0
    for piece in cut(raw + behind, sizes):
        if not decoder.ended:
            used += decoder.feed(piece)
            body += decoder.take()
    assert (decoder.ended, used, body) == (True, len(raw), b"".join(chunks))
