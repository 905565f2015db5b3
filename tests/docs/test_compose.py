"""The Compose file and the Dockerfile fit together and fit edge, as far as can be told without a container engine."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from gunicorn.config import Config as GunicornConfig

from edge.config.schema import Config
from edge.config.storage_setting import SYSTEM_STORAGE
from tests.docs.pages import REPOSITORY
from tests.docs.readers_machine import ReadersMachine

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
FLAGS = dict(word.removeprefix("--").split("=", 1) for word in SERVICES["edge"]["command"] if "static" not in word)
MOUNTS = dict(word.removeprefix("--static=").split("=") for word in SERVICES["edge"]["command"] if "static" in word)


def volumes_of(service: str) -> dict[str, str]:
    """Where a service sees a volume, or a file of the repository, by its source."""
    return {parts[0]: parts[1] for each in SERVICES[service].get("volumes", []) if (parts := each.split(":"))}


def address_of(service: str) -> str:
    """The fixed address of a service."""
    address: str = SERVICES[service]["networks"]["inside"]["ipv4_address"]
    return address


def gunicorn_of_site() -> Any:
    """gunicorn's options in the site's start script, read by gunicorn itself."""
    script = SERVICES["site"]["command"][-1]
    line = next(line for line in script.splitlines() if "gunicorn" in line)
    return GunicornConfig().parser().parse_args(shlex.split(line)[2:])


def test_edge_accepts_its_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every flag of the service `edge` is one of the real command line, with a value that it takes."""
    ReadersMachine(tmp_path).check_edge(SERVICES["edge"]["command"], capsys)


def test_volumes_are_declared_and_used() -> None:
    """Every named volume is declared, every declared one is used, every mounted file is in the repository."""
    sources = {source for service in SERVICES for source in volumes_of(service)}
    assert {source for source in sources if not source.startswith(".")} == set(COMPOSE["volumes"])
    for source in sources:
        assert not source.startswith(".") or (REPOSITORY / source).exists(), source


def test_certificates_survive_the_container() -> None:
    """The storage directory of the root user is a volume, in the image and in the Compose file."""
    assert volumes_of("edge")["edge-state"] == SYSTEM_STORAGE
    assert f"VOLUME {SYSTEM_STORAGE}" in DOCKERFILE


def test_static_files_are_where_django_puts_them() -> None:
    """What edge mounts lies on the volume below the site's SITE_STATE, where its settings have STATIC_ROOT and MEDIA_ROOT."""
    state = re.search(r"SITE_STATE=(\S+)", DOCKERFILE)
    assert state
    assert volumes_of("site")["site-state"] == volumes_of("edge")["site-state"] == state[1]
    assert {"/static": f"{state[1]}/static", "/media": f"{state[1]}/media"} == MOUNTS


def test_edge_starts_when_the_static_directories_exist() -> None:
    """edge refuses missing directories, so it waits until the site is healthy, which is after collectstatic."""
    assert SERVICES["edge"]["depends_on"]["site"] == {"condition": "service_healthy"}
    script = SERVICES["site"]["command"][-1]
    assert script.index("mkdir") < script.index("collectstatic") < script.index("gunicorn")


def test_edge_gets_the_root_of_the_directorys_tls() -> None:
    """--acme-ca-file lies on the volume that Pebble's image fills with its test certificates, before edge starts."""
    ca_file = Path(FLAGS["acme-ca-file"])
    assert str(ca_file.parent) == volumes_of("edge")["pebble-certs"]
    assert ca_file.name == "pebble.minica.pem"
    assert volumes_of("pebble")["pebble-certs"] == "/test/certs"
    assert "pebble" in SERVICES["edge"]["depends_on"]


def test_pebble_validates_where_edge_listens() -> None:
    """Pebble asks on the ports edge listens on, and its directory is where edge looks for it."""
    words = SERVICES["pebble"]["command"]
    mounted = {target: source for source, target in volumes_of("pebble").items()}
    config = json.loads((REPOSITORY / mounted[words[words.index("-config") + 1]]).read_text())["pebble"]
    assert (config["httpPort"], config["tlsPort"]) == (
        Config((), "").listen.http_port,
        Config((), "").listen.https_port,
    )
    assert FLAGS["acme-directory"] == f"https://pebble:{config['listenAddress'].rpartition(':')[2]}/dir"
    assert config["certificate"].startswith(volumes_of("pebble")["pebble-certs"])
    assert config["privateKey"].startswith(volumes_of("pebble")["pebble-certs"])
    management = config["managementListenAddress"].rpartition(":")[2]
    assert f"127.0.0.1:{management}:{management}" in SERVICES["pebble"]["ports"]


def test_every_name_leads_pebble_to_edge() -> None:
    """Pebble asks the DNS server of the stack, and that one knows a single address: edge's."""
    pebble, dns = SERVICES["pebble"]["command"], SERVICES["challtestsrv"]["command"]
    assert pebble[pebble.index("-dnsserver") + 1] == f"{address_of('challtestsrv')}:8053"
    assert dns[dns.index("-defaultIPv4") + 1] == address_of("edge")
    assert dns[dns.index("-defaultIPv6") + 1] == ""


def test_gunicorn_believes_edge_and_nobody_else() -> None:
    """gunicorn listens where edge looks for it, and takes X-Forwarded-Proto from edge's address only."""
    gunicorn = gunicorn_of_site()
    assert gunicorn.forwarded_allow_ips == address_of("edge")
    assert FLAGS["upstream"] == f"site:{gunicorn.bind[0].rpartition(':')[2]}"
    assert FLAGS["domain"] in SERVICES["site"]["environment"]["SITE_HOSTS"].split(",")


def test_docker_waits_for_the_drain() -> None:
    """Docker kills later than edge ends by itself."""
    assert float(SERVICES["edge"]["stop_grace_period"].removesuffix("s")) > Config((), "").drain_seconds + 10


def test_stages_exist() -> None:
    """Compose builds stages of the Dockerfile; the last one is edge."""
    stages = re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert stages[-1] == "edge"
    assert {service["build"]["target"] for service in SERVICES.values() if "build" in service} <= set(stages)


def test_what_the_image_copies_is_there() -> None:
    """Sources of COPY exist, reach the build (.dockerignore), and include what the package's metadata names."""
    kept = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert {"edge", "pyproject.toml", "README.md", "LICENSE"} <= set(sources)
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert source in kept, f"{source} is kept from the build by .dockerignore"
