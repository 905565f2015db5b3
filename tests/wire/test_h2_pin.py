"""python-h2's private names that `hardened_h2` builds on: a release that renames one fails here, not in production."""

from __future__ import annotations

import inspect

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import StreamClosedError
from h2.stream import H2Stream, StreamClosedBy, StreamInputs
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from edge.wire.client_h2 import ClientConnection
from edge.wire.flood_budget import reset_budget
from edge.wire.server_h2 import ServerConnection

METHODS = {
    "_begin_new_stream": ["stream_id", "allowed_ids"],
    "_prepare_for_sending": ["frames"],
    "_receive_data_frame": ["frame"],
    "_receive_frame": ["frame"],
    "_receive_goaway_frame": ["frame"],
    "_receive_headers_frame": ["frame"],
    "_receive_settings_frame": ["frame"],
    "_stream_is_closed_by_reset": ["stream_id"],
}

ATTRIBUTES = [
    "_closed_streams",
    "_data_to_send",
    "_frame_dispatch_table",
    "_inbound_flow_control_window_manager",
    "decoder",
    "encoder",
    "highest_inbound_stream_id",
    "highest_outbound_stream_id",
    "incoming_buffer",
    "local_settings",
    "max_inbound_frame_size",
    "outbound_flow_control_window",
    "state_machine",
    "streams",
]


@pytest.fixture
def connection() -> H2Connection:
    return H2Connection(H2Configuration(client_side=False))


@pytest.mark.parametrize(("name", "parameters"), METHODS.items())
def test_a_method_we_override_or_call_is_still_there(name: str, parameters: list[str]) -> None:
    """Same name, same parameters."""
    assert list(inspect.signature(getattr(H2Connection, name)).parameters)[1:] == parameters


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_we_use_is_still_there(connection: H2Connection, name: str) -> None:
    """A server connection has it from its beginning."""
    assert hasattr(connection, name)


def test_the_handlers_are_still_looked_up_by_frame_class() -> None:
    """Our handlers stand in the table, and the table is what `_receive_frame` asks."""
    stock = H2Connection(H2Configuration(client_side=False))
    for connection in (ServerConnection(reset_budget()), ClientConnection(reset_budget())):
        assert connection._frame_dispatch_table.keys() == stock._frame_dispatch_table.keys()
    assert "_frame_dispatch_table" in inspect.getsource(H2Connection._receive_frame)


def test_streams_and_errors_have_the_shape_we_use() -> None:
    """Names inside stream objects, window managers and errors."""
    stream = H2Stream(1, H2Configuration(client_side=False), 65535, 65535)
    assert stream.state_machine.process_input(StreamInputs.RECV_HEADERS)
    assert stream.outbound_flow_control_window == 65535
    assert StreamClosedError(1)._events == []
    assert {each.name for each in StreamClosedBy} >= {"SEND_RST_STREAM", "SEND_END_STREAM"}
    assert callable(stream.acknowledge_received_data)
    assert stream.state_machine.headers_received
    manager = H2Connection(H2Configuration(client_side=False))._inbound_flow_control_window_manager
    assert callable(manager.window_consumed)
    assert callable(manager.process_bytes)


def test_hpack_still_has_its_tables() -> None:
    """RFC 7541 appendices A and B, as the library keeps them."""
    assert len(HeaderTable.STATIC_TABLE) == 61
    assert HeaderTable.STATIC_TABLE[7] == (b":status", b"200")
    assert decode_huffman(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")) == b"www.example.com"
