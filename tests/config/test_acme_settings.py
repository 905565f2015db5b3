"""`[acme]` with its inner tables, and what sites say about their certificates."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.config.acme_schema import CA, DNS, CertificateOptions, ExecDNS, ExternalAccount, LexiconDNS, Rfc2136DNS
from edge.config.describe import describe
from edge.config.endpoint import Endpoint, parse_name_server, parse_update_server
from edge.config.flags import Flags
from edge.config.load import load
from edge.config.schema import Acme, Config
from edge.config.secret import Secret
from tests.config.workspace import ENVIRON, complaints_about, load_text, must_be_one_line, write

SITE = '[[site]]\nnames = ["example.com", "*.example.com"]\n'
RFC2136 = '[acme.dns]\nprovider = "rfc2136"\nserver = "ns1.example.com"\nkey_name = "edge_key."\nkey_secret_file = "tsig.key"\n'


def dns_of(directory: Path, text: str) -> DNS:
    dns = load_text(directory, SITE + text).acme.dns
    assert dns is not None
    return dns


def test_signed_updates(tmp_path: Path) -> None:
    """Everything about them, with the defaults."""
    key = write(tmp_path, "secret", "tsig.key")
    dns = dns_of(tmp_path, RFC2136)
    assert dns.provider == Rfc2136DNS(Endpoint("ns1.example.com"), "edge_key", Secret(file=key))
    assert (dns.propagation_timeout, dns.servers, dns.resolvers) == (120.0, (), ())
    more = (
        'zone = "_acme-challenge.Example.com"\nalgorithm = "hmac-sha512"\npropagation_timeout = 0\nresolvers = "::1"\n'
    )
    dns = dns_of(tmp_path, RFC2136 + more + 'servers = ["192.0.2.1", "[2001:db8::1]:5353"]\n')
    assert isinstance(dns.provider, Rfc2136DNS)
    assert (dns.provider.zone, dns.provider.algorithm) == ("_acme-challenge.example.com", "hmac-sha512")
    assert dns.servers == (Endpoint("192.0.2.1"), Endpoint("2001:db8::1", 5353))
    assert (dns.resolvers, dns.propagation_timeout) == ((Endpoint("::1"),), 0.0)


def test_a_program(tmp_path: Path) -> None:
    """By a path from the file's directory with arguments, or a word on the PATH."""
    path = Path(write(tmp_path, "#!/bin/sh\n", "hook"))
    path.chmod(0o755)
    dns = dns_of(tmp_path, '[acme.dns]\nprovider = "exec"\ncommand = ["./hook", "-v"]\ntimeout = 5\n')
    assert dns.provider == ExecDNS((str(path), "-v"), 5.0)
    provider = dns_of(tmp_path, '[acme.dns]\nprovider = "exec"\ncommand = "true"\n').provider
    assert isinstance(provider, ExecDNS)
    assert provider.command[0].endswith("bin/true")


def test_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options as they are; those that end in _file and _env are places of secrets."""
    token = write(tmp_path, "x", "token")
    text = '[acme.dns]\nprovider = "lexicon"\nservice = "cloudflare"\n'
    text += 'options = { zone_id = "7", auth_token_file = "token", auth_key_env = "EDGE_KEY" }\n'
    dns = load(Flags(config=write(tmp_path, SITE + text)), {**ENVIRON, "EDGE_KEY": "s"}).acme.dns
    assert dns is not None
    secrets = {"auth_token": Secret(file=token), "auth_key": Secret(variable="EDGE_KEY")}
    assert dns.provider == LexiconDNS("cloudflare", {"zone_id": "7"}, secrets)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (ExecDNS(("/h", "-v")), "/h -v"),
        (Rfc2136DNS(Endpoint("ns1.net"), "k", Secret("/s")), "signed updates at ns1.net:53 with the key k"),
        (LexiconDNS("ovh"), "lexicon at ovh"),
    ],
)
def test_the_plan_tells_how_dns_is_changed(provider: ExecDNS | Rfc2136DNS | LexiconDNS, words: str) -> None:
    """In one line."""
    config = Config(sites=(), storage="/s", acme=Acme(dns=DNS(provider)))
    assert f"  dns           changed by {words}" in describe(config)


def test_a_configuration_with_dns_travels_between_processes(tmp_path: Path) -> None:
    """It is sent as JSON; the provider comes back as what it was."""
    write(tmp_path, "secret", "tsig.key")
    config = load_text(tmp_path, SITE + RFC2136)
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config
    assert "secret" not in str(msgspec.json.encode(config)).replace("tsig.key", "")


GOLDEN = [
    ('[acme.dns]\nserver = "a"\n', 'edge.toml:3: acme.dns: no provider is named; add provider = "exec", "rfc2136" or "lexicon"'),
    ('[acme.dns]\nprovider = "x"\n', "edge.toml:4: acme.dns.provider: write 'exec', 'rfc2136' or 'lexicon'"),
    ('[acme.dns]\nprovider = "exec"\n', "edge.toml:3: acme.dns: the provider exec needs command"),
    ('[acme.dns]\nprovider = "exec"\ncommand = "true"\nserver = "a"\n',
     "edge.toml:6: acme.dns.server: this is for the provider rfc2136, not for exec"),
    ('[acme.dns]\nprovider = "exec"\ncommand = "/nowhere/x"\n',
     "edge.toml:5: acme.dns.command: '/nowhere/x' does not exist"),
    ('[acme.dns]\nprovider = "exec"\ncommand = "/etc/passwd"\n',
     "edge.toml:5: acme.dns.command: '/etc/passwd' cannot be executed; chmod +x it, or name the program that runs it first"),
    ('[acme.dns]\nprovider = "exec"\ncommand = []\n',
     'edge.toml:5: acme.dns.command: write the program and its arguments, like ["/etc/edge/hook", "--zone", "example.com"]'),
    (RFC2136, "edge.toml:7: acme.dns.key_secret_file: 'tsig.key' does not exist"),
    (RFC2136.replace('file = "tsig.key"', 'env = "EDGE_NO"'),
     "edge.toml:7: acme.dns.key_secret_env: the environment variable EDGE_NO is not set; set it for the process that runs edge"),
    (RFC2136.replace('key_secret_file = "tsig.key"', ""),
     "edge.toml:3: acme.dns: say where the TSIG key is: key_secret_file or key_secret_env, one of them"),
    ('[acme.dns]\nprovider = "exec"\ncommand = "true"\npropagation_timeout = 1000\n',
     "edge.toml:6: acme.dns.propagation_timeout: 1000.0: seconds from 0 to 240"),
    ('[acme.dns]\nprovider = "exec"\ncommand = "true"\nresolvers = ["dns.google"]\n',
     ("edge.toml:6: acme.dns.resolvers: 'dns.google': write a numeric address, with a port unless it is 53,"
      " like 192.0.2.1 or [::1]:5353")),
    ('[acme.dns]\nprovder = "exec"\n', "edge.toml:4: acme.dns.provder: unknown key; did you mean 'provider'?"),
    ('[acme]\ndns = 1\n', "edge.toml:4: acme.dns: write a table: [acme.dns]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), GOLDEN, ids=lambda text: str(text)[:50])
def test_a_complaint_names_the_key_and_the_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    """With its line; no complaint holds a secret."""
    complaints = complaints_about(tmp_path, SITE + text)
    assert complaint in complaints
    for each in complaints:
        must_be_one_line(each)


def test_dns_by_choice_needs_a_way_to_change_dns(tmp_path: Path) -> None:
    """In `[acme]` and in a site."""
    site = '[[site]]\nnames = "example.com"\n'
    remedy = "dns-01 needs a way to change DNS; add a table [acme.dns]"
    assert complaints_about(tmp_path, site + 'challenge = "dns-01"\n') == [
        f"edge.toml:3: challenge of [[site]] 1: {remedy}"
    ]
    assert complaints_about(tmp_path, '[acme]\nchallenge = "dns-01"\n') == [f"edge.toml:2: acme.challenge: {remedy}"]


def test_a_site_overrides_the_general_choice(tmp_path: Path) -> None:
    """Key by key."""
    text = '[acme]\nchallenge = "http-01"\n[[site]]\nnames = "a.com"\n[[site]]\nnames = "b.com"\nchallenge = "tls-alpn-01"\n'
    assert [site.certificate.challenge for site in load_text(tmp_path, text).sites] == ["http-01", "tls-alpn-01"]
    assert load_text(tmp_path, '[acme]\nchallenge = "http-01"\n').sites[0].certificate.challenge == "http-01"


def test_wildcards_need_dns(tmp_path: Path) -> None:
    """With a table they are accepted, without one refused."""
    write(tmp_path, "secret", "tsig.key")
    assert load_text(tmp_path, SITE + RFC2136).names == ("example.com", "*.example.com")
    assert "wildcard" in complaints_about(tmp_path, SITE)[0]


@pytest.mark.parametrize(
    "text", ["", "a b", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "[::1", "::1]:5", "ns1.a.b:x", "-a.b"]
)
def test_what_is_no_name_server(text: str) -> None:
    """Refused in one sentence."""
    for parse in (parse_name_server, parse_update_server):
        with pytest.raises(ValueError, match="write") as caught:
            parse(text)
        must_be_one_line(str(caught.value))


def test_spellings_of_a_name_server() -> None:
    """Addresses in canonical form, the port 53 unless another is said."""
    assert str(parse_name_server("2001:DB8::1")) == "[2001:db8::1]:53"
    assert str(parse_update_server("ns1.example.com:5353")) == "ns1.example.com:5353"
    assert parse_update_server("ns1") == Endpoint("ns1", 53)


def test_what_certificates_are_to_be(tmp_path: Path) -> None:
    """Key type, profile and grouping, in general and for a site."""
    text = '[acme]\nkey_type = "p384"\nprofile = "tlsserver"\n[[site]]\nnames = "a.com"\n'
    text += '[[site]]\nnames = "b.com"\nkey_type = "rsa2048"\ncertificate = "per-site"\nprofile_required = true\n'
    first, second = (site.certificate for site in load_text(tmp_path, text).sites)
    assert first == CertificateOptions(key_type="p384", profile="tlsserver")
    assert second == CertificateOptions("rsa2048", "tlsserver", profile_required=True, grouping="per-site")
    assert complaints_about(tmp_path, "[acme]\nprofile_required = true\n") == [
        'edge.toml:2: acme.profile_required: no profile is named that could be required; add profile = "shortlived"'
    ]
    assert "is no name of a profile" in complaints_about(tmp_path, '[acme]\nprofile = "a b"\n')[0]


FALLBACK = '[acme]\neab_kid = "k1"\neab_hmac_env = "EDGE_MAC"\n[[acme.fallback]]\ndirectory = "https://b.example/dir"\n'
FALLBACK += '[[acme.fallback]]\ndirectory = "https://c.example/dir"\neab_kid = "k3"\neab_hmac_file = "mac"\n'


def test_cas_in_the_operators_order(tmp_path: Path) -> None:
    """The preferred one with its external account, then the fallbacks with theirs."""
    mac = write(tmp_path, "x", "mac")
    acme = load(Flags(config=write(tmp_path, FALLBACK)), {**ENVIRON, "EDGE_MAC": "y"}).acme
    assert acme.authorities == (
        CA(acme.directory, "", ExternalAccount("k1", Secret(variable="EDGE_MAC"))),
        CA("https://b.example/dir"),
        CA("https://c.example/dir", "", ExternalAccount("k3", Secret(file=mac))),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[acme.fallback]]\n", 'edge.toml:1: [[acme.fallback]] 1: no CA is named; add directory = "https://ca.example/directory"'),
        ('[[acme.fallback]]\ndirectory = "letsencrypt"\n',
         ("edge.toml:1: [[acme.fallback]] 1: https://acme-v02.api.letsencrypt.org/directory is asked already;"
          " a CA is no fallback for itself")),
        ('[[acme.fallback]]\n[[acme.fallback]]\ndirectory = "http://a"\n',
         ("edge.toml:3: directory of [[acme.fallback]] 2: 'http://a': write an https:// URL (RFC 8555 §6.1), or letsencrypt"
          " or letsencrypt-staging")),
        ('[acme.fallback]\ndirectory = "x"\n', "edge.toml:1: acme.fallback: write each as a table of its own: [[acme.fallback]]"),
        ('[acme]\neab_kid = "x"\n',
         "edge.toml:2: acme.eab_kid: an external account needs eab_kid, and eab_hmac_file or eab_hmac_env, one of them"),
        ('[acme]\neab_kid = "a b"\neab_hmac_env = "HOME"\n',
         "edge.toml:2: acme.eab_kid: the key identifier has 1 to 256 printable ASCII characters without spaces"),
    ],
)  # fmt: skip
def test_complaints_about_cas(tmp_path: Path, text: str, complaint: str) -> None:
    """With line, table and remedy."""
    assert complaint in complaints_about(tmp_path, text)
