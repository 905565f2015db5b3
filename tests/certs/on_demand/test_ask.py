"""Asking the operator's program: by HTTP with a real server, by a call with a real child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from edge.certs.on_demand import ask, ask_callable, ask_url
from edge.certs.on_demand.ask import AskFailed, ask_patiently
from edge.certs.on_demand.ask_callable import AskByCall, rights_of
from edge.certs.on_demand.ask_url import AskByURL
from edge.certs.on_demand.build import secret_variables
from edge.config.acme_schema import CA, DNS, Acme, ExternalAccount, LexiconDNS
from edge.config.address import UpstreamAddress
from edge.config.on_demand_schema import AskCallable, AskURL
from edge.config.secret import Secret

NO_HINTS: frozenset[str] = frozenset()


class Asked:
    """Listens, keeps the requests and answers each with `answer`; None: not at all."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.tasks: list[asyncio.Task[None] | None] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
        writer.transport.abort() if self.answer is None else writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def by_url(answer: bytes | None, use: Callable[[AskByURL, Asked], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        asked = Asked(answer)
        server = await asyncio.start_server(asked, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = UpstreamAddress("127.0.0.1", port)
        await use(AskByURL(AskURL(address, f"127.0.0.1:{port}", "/ask?domain=")), asked)
        server.close()
        await asyncio.gather(*filter(None, asked.tasks))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "verdict"), [("200 OK", True), ("200", True), ("404 Not Found", False), ("403 No", False)]
)
def test_the_status_is_the_answer(status: str, verdict: bool) -> None:
    """200 is yes, 403 and 404 are no, whatever else the answer holds."""

    async def use(by_http: AskByURL, asked: Asked) -> None:
        assert await by_http.ask("www.customer.com") is verdict
        assert asked.requests[0].startswith(b"GET /ask?domain=www.customer.com HTTP/1.1\r\nHost: 127.0.0.1:")

    by_url(f"HTTP/1.1 {status}\r\nContent-Length: 99999\r\n\r\n".encode(), use)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", "answered 302; 200 means yes"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "answered 500"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "answered 204"),
        (b"yes\r\n", "did not answer in HTTP"),
        (b"", "did not answer in HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 5000, "cannot be asked"),
        (b"HTTP/2 200\r\n", "did not answer in HTTP"),
    ],
)
def test_anything_else_is_no_answer(answer: bytes, words: str) -> None:
    """No redirection is followed, no body is waited for, and the operator reads what came."""

    async def use(by_http: AskByURL, _asked: Asked) -> None:
        with pytest.raises(AskFailed, match=words):
            await by_http.ask("customer.com")

    by_url(answer, use)


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that takes the question and says nothing costs a bounded time."""
    monkeypatch.setattr(ask_url, "ANSWER_TIMEOUT", 0.05)

    async def use(by_http: AskByURL, _asked: Asked) -> None:
        with pytest.raises(AskFailed, match="did not answer within"):
            await by_http.ask("customer.com")

    by_url(None, use)


def test_nobody_there_is_said_in_words(tmp_path: Path) -> None:
    """A unix socket that does not exist."""
    asking = AskByURL(AskURL(UpstreamAddress(path=str(tmp_path / "app.sock")), "service.test", "/ask?domain="))
    with pytest.raises(AskFailed, match=r"^http://service.test/ask cannot be asked: no such file"):
        asyncio.run(asking.ask("customer.com"))


class Moody:
    """Fails so often, then says yes."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked = 0

    async def ask(self, name: str) -> bool:
        self.asked += 1
        if self.asked <= self.failures:
            raise AskFailed("not now")
        return True

    async def close(self) -> None:
        pass


def test_no_answer_is_asked_for_twice_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that restarts gets a moment; one that stays away is left alone."""
    monkeypatch.setattr(ask, "PAUSES", (0.0, 0.0))
    assert asyncio.run(ask_patiently(Moody(2), "a.com"))
    away = Moody(9)
    with pytest.raises(AskFailed):
        asyncio.run(ask_patiently(away, "a.com"))
    assert away.asked == 3


# -- a function -------------------------------------------------------------------------------------------------------

MODULE = """\
import os
def allowed(name):
    print("noise")
    if name == "raise.com":
        raise LookupError("no table")
    if name == "hang.com":
        import time
        time.sleep(60)
    if name == "die.com":
        os._exit(1)
    if name == "odd.com":
        return "yes"
    if name == "pid.com":
        raise RuntimeError(os.getpid(), os.environ.get("EDGE_TEST_SECRET"))
    return name == "customer.com"
number = 3
"""


async def said(by_call: AskByCall, name: str) -> str:
    try:
        return str(await by_call.ask(name))
    except AskFailed as failure:
        return str(failure)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    (tmp_path / "domains_for_test.py").write_text(MODULE)
    return str(tmp_path)


def test_a_function_answers_in_one_process(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """True and False are answers; what it raises or returns otherwise is told, and the next question finds it well."""
    monkeypatch.setenv("EDGE_TEST_SECRET", "hush")

    async def main() -> None:
        by_call = AskByCall(AskCallable("domains_for_test", "allowed", directory), "", frozenset({"EDGE_TEST_SECRET"}))
        names = ("customer.com", "other.com", "raise.com", "odd.com", "die.com", "customer.com")
        answers = [await said(by_call, name) for name in names]
        assert answers[:2] == ["True", "False"]
        assert answers[2] == "domains_for_test:allowed: raised LookupError: no table"
        assert answers[3] == "domains_for_test:allowed: returned str; it must return True or False"
        assert answers[4] == "domains_for_test:allowed: its process ended"
        assert answers[5] == "True"
        first, second = await said(by_call, "pid.com"), await said(by_call, "pid.com")
        assert first == second
        assert first.endswith(", None)")
        assert str(os.getpid()) not in first
        await by_call.close()

    asyncio.run(main())


def test_a_function_that_hangs_is_ended(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is killed, and the next question gets a new one."""

    async def main() -> None:
        by_call = AskByCall(AskCallable("domains_for_test", "allowed", directory), "", NO_HINTS)
        assert await said(by_call, "customer.com") == "True"
        monkeypatch.setattr(ask_callable, "ANSWER_TIMEOUT", 0.05)
        assert "did not return within" in await said(by_call, "hang.com")
        monkeypatch.undo()
        assert await said(by_call, "customer.com") == "True"
        await by_call.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("module", "function", "words"),
    [
        ("no_such_module", "f", "no_such_module:f: cannot be imported: ModuleNotFoundError: No module named"),
        ("domains_for_test", "f", "cannot be imported: AttributeError"),
        ("domains_for_test", "number", "cannot be imported: TypeError: number is no function"),
    ],
)
def test_what_cannot_be_imported_is_told(directory: str, module: str, function: str, words: str) -> None:
    """In words, and without starting a process for every question."""

    async def main() -> None:
        by_call = AskByCall(AskCallable(module, function, directory), "", NO_HINTS)
        assert words in await said(by_call, "customer.com")
        assert words in await said(by_call, "customer.com")
        await by_call.close()

    asyncio.run(main())


def test_the_function_runs_as_the_workers_do() -> None:
    """As root it becomes their user with that user's group alone; otherwise nothing changes."""
    expected = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
    assert rights_of("nobody") == (expected if os.geteuid() == 0 else {})
    assert rights_of("") == {}


def test_secrets_of_ours_are_known_by_name() -> None:
    """Variables with keys of accounts and DNS services are kept from the function."""
    account = ExternalAccount("kid", Secret(variable="EAB"))
    acme = Acme(
        fallback=(CA("https://ca.test", external_account=account),),
        dns=DNS(LexiconDNS("x", secrets={"token": Secret(variable="TOKEN"), "other": Secret(file="/f")})),
    )
    assert secret_variables(acme) == {"EAB", "TOKEN"}
