"""From flags and file to one configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.config.address import parse_upstream
from edge.config.flags import Flags
from edge.config.load import load, load_storage
from edge.config.schema import Acme, KeyPair, Listen, Log, Site, StaticMount
from edge.config.storage_setting import default_storage
from edge.errors import ConfigError
from tests.config.workspace import CERTIFICATE, ENVIRON, KEY, complaints_about, flag_complaints, load_text, write


def test_without_any_flag_localhost_is_served() -> None:
    """The defaults are those of the documentation."""
    config = load(Flags(), ENVIRON)
    assert config.sites == (Site(names=("localhost",)),)
    assert config.listen == Listen(bind=(), http_port=80, https_port=443)
    assert config.acme == Acme(directory="https://acme-v02.api.letsencrypt.org/directory", explicit=False)
    assert config.log == Log(access="-", format="auto")
    assert config.workers == len(os.sched_getaffinity(0))
    assert (config.http2_engine, config.loop, config.drain_seconds, config.user) == ("auto", "auto", 30.0, "")


def test_every_flag_reaches_its_field(tmp_path: Path) -> None:
    """No flag is read and then forgotten."""
    cert, key = write(tmp_path, CERTIFICATE, "c.pem"), write(tmp_path, KEY, "k.pem")
    flags = Flags(
        domain=("Example.com", "192.0.2.1"),
        upstream=("8000", "unix:/run/app.sock"),
        static=(f"/static/={tmp_path}", f"/={tmp_path}"),
        email="a@example.com",
        acme_directory="letsencrypt-staging",
        acme_ca_file=cert,
        cert=cert,
        key=key,
        storage=str(tmp_path / "state"),
        bind=("127.0.0.1", "[::1]"),
        http_port="0",
        https_port="8443",
        workers="3",
        access_log=str(tmp_path / "access.log"),
        log_format="json",
        http2_engine="h2",
        loop="uvloop",
    )
    config = load(flags, ENVIRON)
    assert config.sites == (
        Site(
            names=("example.com", "192.0.2.1"),
            upstreams=(parse_upstream("127.0.0.1:8000"), parse_upstream("unix:/run/app.sock")),
            static=(StaticMount("/static", str(tmp_path)), StaticMount("", str(tmp_path))),
            key_pair=KeyPair(cert, key),
        ),
    )
    assert config.listen == Listen(bind=("127.0.0.1", "::1"), http_port=0, https_port=8443)
    staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert config.acme == Acme(directory=staging, explicit=True, email="a@example.com", ca_file=cert)
    assert config.log == Log(access=str(tmp_path / "access.log"), format="json")
    assert (config.storage, config.workers) == (str(tmp_path / "state"), 3)
    assert (config.http2_engine, config.loop) == ("h2", "uvloop")


def test_the_file_can_say_everything_that_flags_say(tmp_path: Path) -> None:
    """Relative paths start from the file's directory, whatever the working directory."""
    write(tmp_path, CERTIFICATE, "c.pem")
    write(tmp_path, KEY, "k.pem")
    (tmp_path / "static").mkdir()
    config = load_text(
        tmp_path,
        """
        [[site]]
        names = ["a.example", "*.b.example"]
        upstream = "8000"
        cert = "c.pem"
        key = "./k.pem"
        max_body = "10M"
        [site.static]
        "/static" = "static"
        [listen]
        bind = "::1"
        http_port = 0
        [acme]
        directory = "https://ca.example/directory"
        email = "a@example.com"
        ca_file = "c.pem"
        [log]
        access = "access.log"
        format = "text"
        [server]
        storage = "state"
        workers = 2
        loop = "asyncio"
        http2_engine = "ngh2"
        drain_seconds = 5
        """,
    )
    (site,) = config.sites
    assert site.names == ("a.example", "*.b.example")
    assert site.static == (StaticMount("/static", f"{tmp_path}/static"),)
    assert site.key_pair == KeyPair(f"{tmp_path}/c.pem", f"{tmp_path}/k.pem")
    assert site.max_body == 10 * 1024 * 1024
    assert config.listen == Listen(bind=("::1",), http_port=0)
    assert config.acme == Acme("https://ca.example/directory", True, "a@example.com", f"{tmp_path}/c.pem")
    assert config.log == Log(f"{tmp_path}/access.log", "text")
    assert (config.storage, config.workers, config.drain_seconds) == (f"{tmp_path}/state", 2, 5.0)
    assert (config.loop, config.http2_engine) == ("asyncio", "ngh2")


def test_a_flag_beats_the_file(tmp_path: Path) -> None:
    """A repeatable flag replaces the file's list; what no flag names stays as the file says."""
    site = '[[site]]\nnames = "a.test"\nupstream = "8000"\nmax_body = "1M"\n'
    text = site + '[listen]\nbind = ["127.0.0.1", "::1"]\nhttps_port = 444\n'
    config = load_text(tmp_path, text, upstream=("9000",), bind=("127.0.0.2",))
    assert config.sites == (Site(names=("a.test",), upstreams=(parse_upstream("9000"),), max_body=1024 * 1024),)
    assert config.listen == Listen(bind=("127.0.0.2",), https_port=444)


def test_site_flags_are_the_site_when_the_file_has_none(tmp_path: Path) -> None:
    """The file may hold only the server's settings."""
    config = load_text(tmp_path, "[listen]\nhttp_port = 0\n", domain=("a.test",))
    assert config.sites == (Site(names=("a.test",)),)
    assert config.listen.http_port == 0


def test_site_flags_are_refused_beside_several_sites(tmp_path: Path) -> None:
    """Nothing says which site is meant, so nothing is guessed; each flag is named."""
    text = '[[site]]\nnames = "a.test"\n[[site]]\nnames = "b.test"\n'
    complaints = complaints_about(tmp_path, text, upstream=("8000",), domain=("c.test",))
    assert [each.split(":")[0] for each in complaints] == ["--domain", "--upstream"]
    assert "the file has 2 sites" in complaints[0]


def test_a_name_belongs_to_one_site(tmp_path: Path) -> None:
    """Two spellings of one name are the same name."""
    text = '[[site]]\nnames = ["a.test", "b.test"]\n[[site]]\nnames = "B.TEST."\n'
    assert complaints_about(tmp_path, text) == [
        "edge.toml:4: names of [[site]] 2: 'b.test' already belongs to site 1; a name has one site"
    ]


def test_every_one_of_several_sites_needs_a_name(tmp_path: Path) -> None:
    """Only a single site may fall back to localhost."""
    text = '[[site]]\nupstream = "8000"\n[[site]]\nnames = "b.test"\n'
    assert complaints_about(tmp_path, text) == [
        'edge.toml:1: [[site]] 1: no name says when this site is meant; add names = ["example.com"]'
    ]


GOLDEN = [
    ({"http_port": "80", "https_port": "80"},
     "--https-port: plain HTTP and HTTPS cannot share port 80; choose another for one of them"),
    ({"http_port": "443"}, "--http-port: plain HTTP and HTTPS cannot share port 443; choose another for one of them"),
    ({"https_port": "0"}, "--https-port: '0': only --http-port can be turned off; serving HTTPS is what edge is for"),
    ({"http_port": "65536"}, "--http-port: '65536': a port is a whole number from 0 to 65535"),
    ({"http_port": "eighty"}, "--http-port: 'eighty': a port is a whole number from 0 to 65535"),
    ({"workers": "0"}, "--workers: '0': the number of workers is a whole number from 1 to 512"),
    ({"bind": ("localhost",)},
     "--bind: 'localhost' is no numeric address; write one like 127.0.0.1 or ::, ports have flags of their own"),
    ({"acme_directory": "http://ca.test/dir"},
     "--acme-directory: 'http://ca.test/dir': write an https:// URL (RFC 8555 §6.1), or letsencrypt or letsencrypt-staging"),
    ({"acme_directory": "https://"}, "--acme-directory: 'https://' is no directory URL; it looks like https://ca.example/directory"),
    ({"acme_directory": "https://[x"}, "--acme-directory: 'https://[x' is no URL"),
    ({"email": "mailto:a@b.example"},
     "--email: 'mailto:a@b.example' is no e-mail address; write one like admin@example.com, without mailto:"),
    ({"cert": "/x"}, "--cert: a certificate and its private key go together; --key is missing"),
    ({"key": "/x"}, "--key: a certificate and its private key go together; --cert is missing"),
    ({"static": ("/static",)}, "--static: '/static=': write a URL prefix and a directory, like /static=/srv/static"),
    ({"static": ("static=/",)}, "--static: 'static': a URL prefix begins with a slash, like /static"),
    ({"static": ("/a/../b=/",)}, "--static: '/a/../b' is no plain URL prefix; write one like /static or /files/media"),
    ({"static": ("/a=/", "/a/=/")}, "--static: the prefix '/a' is mounted twice; a prefix has one directory"),
    ({"static": ("/s=/nowhere/static",)},
     "--static: '/nowhere/static' does not exist; create it first (Django: python manage.py collectstatic)"),
    ({"static": ("/s=/etc/passwd",)}, "--static: '/etc/passwd' is a file; name a directory"),
    ({"storage": "/etc/passwd"}, "--storage: '/etc/passwd' is a file; name a directory, which edge creates when it is missing"),
    ({"access_log": "/nowhere/a.log"}, "--access-log: the directory '/nowhere' does not exist; create it first"),
    ({"access_log": "/etc"}, "--access-log: '/etc' is a directory; name a file in it, or use off or -"),
    ({"log_format": "xml"}, "--log-format: 'xml': write auto, text or json"),
    ({"http2_engine": "x"}, "--http2-engine: 'x': write auto, h2 or ngh2"),
    ({"loop": "x"}, "--loop: 'x': write auto, asyncio or uvloop"),
    ({"user": "no such user"}, "--user: there is no user 'no such user' on this system"),
    ({"acme_ca_file": "/nowhere"}, "--acme-ca-file: '/nowhere' cannot be read: no such file or directory"),
    ({"acme_ca_file": "/etc/passwd"},
     "--acme-ca-file: '/etc/passwd' holds no certificate; a PEM file has lines like -----BEGIN …-----"),
    ({"domain": ("*.example.com",)},
     ("--domain: '*.example.com': CAs want a wildcard proved by DNS; say in [acme.dns] of a --config file how it is changed,"
      " name each host, or bring --cert and --key")),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "complaint"), GOLDEN, ids=lambda value: str(value)[:40])
def test_a_complaint_names_the_flag_and_the_remedy(flags: dict[str, object], complaint: str) -> None:
    """One sentence per mistake."""
    assert flag_complaints(**flags) == [complaint]


def test_complaints_about_flags_come_at_once() -> None:
    """In the order site, storage, listening, ACME, log, processes."""
    complaints = flag_complaints(domain=("a b", "https://x"), upstream=("x",), http_port="x", workers="-1", email="x")
    assert [each.split(":")[0] for each in complaints] == [
        "--domain", "--domain", "--upstream", "--http-port", "--email", "--workers",
    ]  # fmt: skip


def test_swapped_key_and_certificate_are_recognised(tmp_path: Path) -> None:
    """The commonest mistake with two files gets its own words."""
    cert, key = write(tmp_path, CERTIFICATE, "c.pem"), write(tmp_path, KEY, "k.pem")
    complaints = flag_complaints(cert=key, key=cert)
    assert len(complaints) == 2
    assert all("swapped?" in each for each in complaints)


@pytest.mark.parametrize("label", ["ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY"])
def test_an_encrypted_key_is_refused(tmp_path: Path, label: str) -> None:
    """PKCS #8 and the older form; nobody is there to type a pass phrase."""
    inner = "Proc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n" if label.startswith("EC") else ""
    key = write(tmp_path, f"-----BEGIN {label}-----\n{inner}AAAA\n-----END {label}-----\n", "k.pem")
    (complaint,) = flag_complaints(cert=write(tmp_path, CERTIFICATE, "c.pem"), key=key)
    assert "is encrypted" in complaint


def test_private_wildcards_come_from_the_local_ca() -> None:
    """Only a wildcard that would be ordered by ACME is refused."""
    assert load(Flags(domain=("*.test",)), ENVIRON).names == ("*.test",)
    assert flag_complaints(domain=("*.test",), acme_directory="https://ca.test/")


def test_the_storage_of_root_is_the_systems() -> None:
    """Others get XDG_DATA_HOME, which counts only when absolute."""
    assert default_storage({}, 0) == "/var/lib/edge"
    assert default_storage({"HOME": "/home/a"}, 1000) == "/home/a/.local/share/edge"
    assert default_storage({"HOME": "/home/a", "XDG_DATA_HOME": "/data"}, 1000) == "/data/edge"
    assert default_storage({"HOME": "/home/a", "XDG_DATA_HOME": "data"}, 1000) == "/home/a/.local/share/edge"


def test_the_storage_can_be_asked_for_alone(tmp_path: Path) -> None:
    """Looking at certificates must not fail because a static directory is gone; an unreadable file still counts."""
    name = write(tmp_path, '[server]\nstorage = "state"\n[[site]]\nstatic = {"/s" = "gone"}\n')
    assert load_storage(Flags(config=name), ENVIRON) == f"{tmp_path}/state"
    with pytest.raises(ConfigError):
        load_storage(Flags(config=f"{tmp_path}/gone.toml"), ENVIRON)


def test_relative_flags_start_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are kept absolute, because processes may go elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert load(Flags(storage="state"), ENVIRON).storage == f"{tmp_path}/state"
    assert load(Flags(access_log="a.log"), ENVIRON).log.access == f"{tmp_path}/a.log"


@pytest.mark.parametrize("word", ["off", "-"])
def test_words_for_the_access_log_are_no_paths(word: str) -> None:
    """`off` and `-` stay what they are."""
    assert load(Flags(access_log=word), ENVIRON).log.access == word
