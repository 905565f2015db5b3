"""A generation: what all workers started from one configuration have in common, checked before any of them exists."""

from __future__ import annotations

from msgspec import Struct

from edge.config.schema import Config
from edge.config.storage_setting import local_directory
from edge.errors import ConfigError
from edge.net.adopting import GivenSocket, assign_purposes
from edge.net.listening import ListeningSocket, close_listeners, open_listeners
from edge.process.channel import MessageTooLarge, encode
from edge.process.inheritance import Inheritance
from edge.process.messages import Configure
from edge.process.preload import preload
from edge.process.privileges import Account, find_account
from edge.process.provisions import provide_access_log, provide_cache, provide_storage


class Generation(Struct, frozen=True):
    """`number` counts from 1. `listeners` are shared with the generations before and after where addresses stay the same;
    `managed` are those among them that a service manager opened: then there are no others."""

    number: int
    config: Config
    listeners: tuple[ListeningSocket, ...]
    account: Account | None
    managed: tuple[GivenSocket, ...] = ()

    @property
    def configure(self) -> Configure:
        """What the keeper is told about it."""
        return Configure(self.config, self.number)


def prepare(
    config: Config, predecessor: Generation | None = None, inheritance: Inheritance | None = None
) -> Generation:
    """The generation for this configuration, its sockets listening; those of `predecessor` are used again where they fit.

    The first generation may inherit sockets instead; what it has no use for is closed. The storage directory, an access
    log that workers can write to, and a directory for the cache are made if need be.
    Raises: ConfigError, StartError; nothing is left open then.
    """
    number = 1 if predecessor is None else predecessor.number + 1
    preload(config)
    account = find_account(config.user)
    try:
        encode(Configure(config, number))
    except MessageTooLarge as problem:
        raise ConfigError([f"the configuration is too large: {problem}"]) from problem
    if predecessor is not None and predecessor.config.storage != config.storage:
        raise ConfigError(
            [f"--storage: stays {predecessor.config.storage} until edge is started anew; a reload cannot move it"]
        )
    provide_storage(local_directory(config.storage))
    provide_access_log(config.log.access, account)
    provide_cache(config.cache.disk, account)
    managed = (
        predecessor.managed if predecessor else inheritance.sockets if inheritance and inheritance.is_managed else ()
    )
    if managed:
        return Generation(number, config, assign_purposes(config.listen, managed), account, managed)
    if predecessor is not None:
        return Generation(number, config, open_listeners(config.listen, predecessor.listeners), account)
    return Generation(number, config, _listen_first(config, inheritance or Inheritance()), account)


def _listen_first(config: Config, inheritance: Inheritance) -> tuple[ListeningSocket, ...]:
    """Sockets of an edge that this one replaces are used again where they fit; the others are closed here."""
    inherited = tuple(ListeningSocket(each.sock, each.address, each.port, tls=False) for each in inheritance.sockets)
    listeners = open_listeners(config.listen, inherited)
    close_listeners(inherited, keep=listeners)
    return listeners
