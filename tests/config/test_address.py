"""Addresses of origins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.address import UpstreamAddress, parse_upstream
from tests.config.workspace import must_be_one_line


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("8000", "127.0.0.1:8000"),
        (":8000", "127.0.0.1:8000"),
        ("http://app:8000", "app:8000"),
        ("http://app:8000/", "app:8000"),
        ("https://app.test", "https://app.test:443"),
        ("https://app.test:8443/", "https://app.test:8443"),
        ("https://[::1]", "https://[::1]:443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("my_app.internal:80", "my_app.internal:80"),
        ("[::1]:8000", "[::1]:8000"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("uwsgi://127.0.0.1:3031", "uwsgi://127.0.0.1:3031"),
        ("uwsgi://app:3031/", "uwsgi://app:3031"),
        ("uwsgi://[::1]:3031", "uwsgi://[::1]:3031"),
        ("uwsgi+unix:/run/app.sock", "uwsgi+unix:/run/app.sock"),
        ("h2c://127.0.0.1:50051/", "h2c://127.0.0.1:50051"),
        ("h2c://[::1]:50051", "h2c://[::1]:50051"),
        ("h2c+unix:/run/app.sock", "h2c+unix:/run/app.sock"),
    ],
)
def test_an_address_is_written_in_the_ways_people_know(written: str, shown: str) -> None:
    """Each form gives an address that reads back from what it shows."""
    assert str(parse_upstream(written)) == shown
    assert parse_upstream(shown) == parse_upstream(written)


@pytest.mark.parametrize(
    "written",
    ["", "127.0.0.1", "app", "app:0", "app:65536", "app:80x", "app:" + "9" * 5000, "https://", "ftp://app:21",
     "unix:app.sock", "a b:80", "h2c://app", "h2c://", "h2c:app:80", "h2c+unix:app.sock",
     "[::::]:80", "[]:80", "::1:80", "u@h:80", "app:80/path", "unix:/" + "a" * 200, "unix:/run/a\0b", "app:²", "http://app",
     "uwsgi://", "uwsgi://app", "uwsgi:/run/u.sock", "uwsgi://unix:/run/u.sock", "uwsgi+unix:u.sock", "uwsgis://app:3031"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_sentence(written: str) -> None:
    """The complaint is one printable line."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_upstream(written)
    assert str(caught.value).isprintable()


@given(
    st.text(max_size=40)
    | st.from_regex(r"(((uwsgi|h2c)[+])?unix:|https?://|uwsgi://|h2c://)?[\[\]0-9a-f:./]{0,20}", fullmatch=True)
)
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """There is no third outcome, and an address is a host with a port or a path."""
    try:
        address = parse_upstream(text)
    except ValueError as error:
        must_be_one_line(str(error))
        return
    assert bool(address.path) != bool(address.host)
    assert address.path or 0 < address.port < 65536
    assert parse_upstream(str(address)) == address


def test_an_ipv6_host_is_shown_in_brackets() -> None:
    """Else its port could not be told apart."""
    assert str(UpstreamAddress(host="::1", port=80)) == "[::1]:80"


@pytest.mark.parametrize("written", ["uwsgi:/run/u.sock", "uwsgi://unix:/run/u.sock", "uwsgi://app"])
def test_a_complaint_shows_the_forms_of_the_protocol_that_was_meant(written: str) -> None:
    """nginx writes sockets in another way."""
    with pytest.raises(ValueError, match=r"uwsgi://127.0.0.1:3031, or uwsgi\+unix:/run/app.sock"):
        parse_upstream(written)
