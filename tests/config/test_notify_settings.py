"""`[notify]` and `[metrics]`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.describe import describe
from edge.config.endpoint import Endpoint
from edge.config.flags import Flags
from edge.config.load import load
from edge.config.notify_schema import Email, Notify
from edge.config.notify_settings import parse_metrics, parse_webhook
from edge.config.schema import Config
from edge.config.secret import Secret
from edge.errors import ConfigError
from tests.config.workspace import must_be_one_line


def load_text(tmp_path: Path, text: str, **environ: str) -> Config:
    (tmp_path / "edge.toml").write_text(text)
    return load(Flags(config=str(tmp_path / "edge.toml"), storage=str(tmp_path)), {"HOME": str(tmp_path), **environ})


def complaints_about(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_text(tmp_path, text)
    return [complaint.replace(f"{tmp_path}/", "") for complaint in raised.value.complaints]


def test_all_ways_at_once(tmp_path: Path) -> None:
    """A program, a secret webhook and a mail server that wants a password."""
    (tmp_path / "password").write_text("secret\n")
    text = """
        [notify]
        command = ["/bin/true", "--loud"]
        webhook_env = "HOOK"
        [notify.email]
        to = ["a@example.com", "b@example.com"]
        from = "edge@example.com"
        server = "smtp.example.com"
        user = "edge"
        password_file = "password"
    """
    config = load_text(tmp_path, text, HOOK="https://hooks.example.com/T0/secret")
    assert config.notify == Notify(
        command=("/bin/true", "--loud"),
        webhook_secret=Secret(variable="HOOK"),
        email=Email(
            to=("a@example.com", "b@example.com"),
            sender="edge@example.com",
            server=Endpoint("smtp.example.com", 587),
            user="edge",
            password=Secret(file=str(tmp_path / "password")),
        ),
    )
    assert "secret" not in "\n".join(describe(config)).replace("the secret in", "")


def test_the_usual_is_short(tmp_path: Path) -> None:
    """A local mail server needs two keys and one word; nothing at all is None."""
    text = '[notify.email]\nto = "a@example.com"\nserver = "127.0.0.1"\nencryption = "none"\n'
    notify = load_text(tmp_path, text).notify
    assert notify is not None
    assert notify.email == Email(("a@example.com",), "a@example.com", Endpoint("127.0.0.1", 25), "none")
    assert load_text(tmp_path, "").notify is None
    assert load_text(tmp_path, "[notify]\n").notify is None


GOLDEN = [
    ('[notify]\nwebhook = "http://example.com/"\n', "write an https:// URL; plain http:// goes to this host only"),
    ('[notify]\nwebhook = "https://user:pw@example.com/"\n', "this is no URL like https://hooks.example.com/edge"),
    ('[notify]\nwebhook_file = "nowhere"\n', "does not exist"),
    ('[notify]\nwebhook_env = "NOWHERE"\n', "the environment variable NOWHERE is not set"),
    ('[notify]\ncommand = "no-such-program"\n', "'no-such-program' is not on the PATH"),
    ('[notify.email]\nto = "a@example.com"\n', "edge.toml:1: notify.email: an e-mail needs server"),
    ('[notify.email]\nto = "a"\nserver = "x"\n', "'a' is no e-mail address"),
    ('[notify.email]\nto = "a@b.c"\nserver = "a b"\n', "write the mail server, like smtp.example.com"),
    ('[notify.email]\nto = "a@b.c"\nserver = "x"\nuser = "u"\n', "logging in takes user, and password_file or password_env"),
    ("[notify]\nwebhok = 'x'\n", "did you mean 'webhook'?"),
    ("[metrics]\nlisten = 0\n", "'0': write a port, or a numeric address and a port, like 127.0.0.1:9180"),
    ('[metrics]\nlisten = "localhost:9180"\n', "write a port, or a numeric address"),
    ('[metrics]\nlisten = "127.0.0.1"\n', "write a port, or a numeric address"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), GOLDEN)
def test_mistakes_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    """Each in one sentence at its place."""
    found = complaints_about(tmp_path, text)
    assert any(complaint in each for each in found), found


def test_a_password_does_not_travel_in_clear_text(tmp_path: Path) -> None:
    """Except to this host."""
    (tmp_path / "p").write_text("x")
    login = 'encryption = "none"\nuser = "u"\npassword_file = "p"\nto = "a@b.c"\n'
    assert load_text(tmp_path, f'[notify.email]\nserver = "127.0.0.1"\n{login}').notify
    (found,) = complaints_about(tmp_path, f'[notify.email]\nserver = "mail.example.com"\n{login}')
    assert "clear text" in found


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [(9180, Endpoint("127.0.0.1", 9180)), ("9180", Endpoint("127.0.0.1", 9180)), ("[::1]:9180", Endpoint("::1", 9180)),
     ("0.0.0.0:9180", Endpoint("0.0.0.0", 9180))],
)  # fmt: skip
def test_metrics_are_for_this_host_unless_told(written: int | str, endpoint: Endpoint) -> None:
    """A port alone is one of 127.0.0.1; other addresses are written out."""
    assert parse_metrics(written) == endpoint


@given(st.text(max_size=40))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    """There is no third outcome, and a complaint is one line."""
    for parse in (parse_webhook, parse_metrics):
        try:
            parse(text)
        except ValueError as error:
            must_be_one_line(str(error))
