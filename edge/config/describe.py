"""A configuration in words: the plan that `edge check` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from edge.config.acme_schema import DNS, ExecDNS, LexiconDNS, Rfc2136DNS
from edge.config.address import UpstreamAddress
from edge.config.names import is_public
from edge.config.notify_schema import Notify
from edge.config.schema import Caching, Config, Rules, Site
from edge.config.size import format_size

WIDTH = 13
"""Columns of the longest word on the left."""


def describe(config: Config) -> list[str]:
    """Lines for a person: each site with what answers and where its certificate comes from, then the server as a whole."""
    lines: list[str] = []
    for site in config.sites:
        lines += [f"site {site.names[0]}", *(_row(word, text) for word, text in _site_rows(site, config)), ""]
    return [*lines, "server", *(_row(word, text) for word, text in _server_rows(config))]


def _row(word: str, text: str) -> str:
    return f"  {word:<{WIDTH}} {text}".rstrip()


def _site_rows(site: Site, config: Config) -> Iterator[tuple[str, str]]:
    yield "names", ", ".join(site.names)
    if site.redirect:
        yield "redirect", f"{site.redirect.status} to {site.redirect.target}"
    else:
        yield from _content_rows(site)
    if site.on_demand and config.on_demand:
        yield "on demand", f"names that {config.on_demand.ask} allows"
    for text in _certificate_texts(site, config):
        yield "certificate", text
    yield from _rule_rows(site, Rules())
    for route in site.routes:
        rules = "; ".join(f"{word} {text}" for word, text in _rule_rows(route, site))
        origins = ", ".join(map(_upstream, route.upstreams))
        yield "route", "; ".join(filter(None, (route.prefix or "/", f"upstream {origins}" if origins else "", rules)))
    yield from _answer_rows(site)


def _content_rows(site: Site) -> Iterator[tuple[str, str]]:
    for mount in site.static:
        yield "media" if mount.uploads else "static", f"{mount.prefix or '/'} from {mount.directory}"
    for mount in site.internal:
        yield "internal", f"{mount.prefix or '/'} from {mount.directory}"
    yield "upstream", ", ".join(map(_upstream, site.upstreams)) or "none: what no static mount answers gets 404"
    if site.upstreams:
        yield from _balancing_rows(site)


def _rule_rows(rules: Rules, outer: Rules) -> Iterator[tuple[str, str]]:
    """What is not as around it, and a site's body limit in any case. No password hash."""
    if isinstance(rules, Site) or rules.max_body != outer.max_body:
        yield "max body", format_size(rules.max_body)
    if rules.first_byte_timeout != outer.first_byte_timeout:
        yield "first byte", f"within {rules.first_byte_timeout:g} s"
    if rules.allow != outer.allow:
        yield "allow", ", ".join(rules.allow) or "everybody"
    if rules.deny != outer.deny:
        yield "deny", ", ".join(rules.deny) or "nobody"
    if rules.auth != outer.auth:
        yield "auth", ", ".join(user.name for user in rules.auth.users) if rules.auth else "off"
    if rules.rate != outer.rate:
        rate = rules.rate
        yield "rate", f"{1 / rate.interval:g} a second, {rate.burst} at once, for each client" if rate else "off"
    if rules.compress != outer.compress:
        yield "compress", rules.compress
    if rules.cache != outer.cache:
        yield "cache", _caching(rules.cache)


def _caching(cache: Caching | None) -> str:
    if cache is None:
        return "off"
    unsaid = f"{cache.ttl:g} s where nothing is said" if cache.ttl else "as long as responses say"
    ignored = f", without {', '.join(cache.ignore_query)}" if cache.ignore_query else ""
    return f"{unsaid}, up to {format_size(cache.max_body)} each{ignored}"


def _answer_rows(site: Site) -> Iterator[tuple[str, str]]:
    if site.hsts:
        yield "hsts", site.hsts
    for name in site.fields.remove:
        yield "fields", f"remove {name}"
    for name, value in site.fields.set:
        yield "fields", f"set {name}: {value}"
    for name, value in site.fields.add:
        yield "fields", f"add {name}: {value}"
    for page in site.error_pages:
        yield "error page", f"{page.status} {page.path}"


def _upstream(address: UpstreamAddress) -> str:
    return f"{address} weight={address.weight}" if address.weight > 1 else str(address)


def _balancing_rows(site: Site) -> Iterator[tuple[str, str]]:
    balancing = site.balancing
    if len(site.upstreams) > 1:
        yield "balance", f"{balancing.policy}{':' if balancing.header else ''}{balancing.header}"
    if balancing.health:
        yield "health", f"{balancing.health}, every 2 s"
    yield "hold", f"{balancing.hold_seconds:g} s while no upstream accepts" if balancing.hold_seconds else "off"


def _certificate_texts(site: Site, config: Config) -> Iterator[str]:
    if site.key_pair:
        yield f"your own, {site.key_pair.certificate} with key {site.key_pair.key}"
    ordered = [name for name in site.names if config.acme.explicit or is_public(name)]
    local = [name for name in site.names if name not in ordered]
    besides = ", for names that it does not cover" if site.key_pair else ""
    if ordered:
        yield f"from {config.acme.directory}: {', '.join(ordered)}{besides}"
    if local:
        yield f"from the local CA: {', '.join(local)}{besides}"


def _dns_provider(dns: DNS) -> str:
    match dns.provider:
        case ExecDNS(command):
            return " ".join(command)
        case Rfc2136DNS(server, key_name):
            return f"signed updates at {server} with the key {key_name}"
        case LexiconDNS(service):
            return f"lexicon at {service}"


def _ways(notify: Notify) -> Iterator[str]:
    """No webhook's URL: its path may be a password."""
    if notify.command:
        yield notify.command[0]
    if notify.webhook or notify.webhook_secret:
        yield str(notify.webhook_secret or f"a webhook at {urlsplit(notify.webhook).netloc}")
    if notify.email:
        yield f"{', '.join(notify.email.to)} through {notify.email.server}"


def _server_rows(config: Config) -> Iterator[tuple[str, str]]:
    listen = config.listen
    yield (
        "listen",
        f"{', '.join(listen.bind) or 'all addresses'}, https {listen.https_port}, http {listen.http_port or 'off'}",
    )
    if listen.trusted_proxies:
        how = ", with PROXY protocol" if listen.proxy_protocol else ""
        yield "trusted", f"{', '.join(listen.trusted_proxies)}{how}"
    yield "storage", config.storage
    yield "acme", f"{config.acme.directory}{' (named explicitly)' if config.acme.explicit else ''}"
    if config.acme.email:
        yield "email", config.acme.email
    if config.acme.ca_file:
        yield "acme ca file", config.acme.ca_file
    for ca in config.acme.fallback:
        yield "fallback ca", ca.directory
    if config.acme.dns:
        yield "dns", f"changed by {_dns_provider(config.acme.dns)}"
    if any(rules.cache for site in config.sites for rules in (site, *site.routes)):
        cache = config.cache
        place = (
            f"{cache.disk}, {format_size(cache.disk_size)}" if cache.disk else f"memory, {format_size(cache.memory)}"
        )
        yield "cache", place
    if config.notify:
        yield "notify", ", ".join(_ways(config.notify))
    if config.metrics:
        yield "metrics", f"http://{config.metrics}/metrics"
    yield "workers", f"{config.workers}{f' as user {config.user}' if config.user else ''}"
    yield "access log", {"-": "standard output", "off": "off"}.get(config.log.access, config.log.access)
    yield "log format", config.log.format
    yield "http/2 engine", config.http2_engine
    yield "event loop", config.loop
    yield "confinement", config.confinement
    yield "drain", f"{config.drain_seconds:g} s"
