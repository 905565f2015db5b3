"""A generation: what all workers started from one configuration have in common, checked before any of them exists."""

from __future__ import annotations

from msgspec import Struct

from edge.config.schema import Config
from edge.config.storage_setting import local_directory
from edge.errors import ConfigError
from edge.net.listening import ListeningSocket, open_listeners
from edge.process.channel import MessageTooLarge, encode
from edge.process.messages import Configure
from edge.process.preload import preload
from edge.process.privileges import Account, find_account
from edge.process.provisions import provide_access_log, provide_cache, provide_storage


class Generation(Struct, frozen=True):
    """`number` counts from 1. `listeners` are shared with the generations before and after where addresses stay the same."""

    number: int
    config: Config
    listeners: tuple[ListeningSocket, ...]
    account: Account | None

    @property
    def configure(self) -> Configure:
        """What the keeper is told about it."""
        return Configure(self.config, self.number)


def prepare(config: Config, predecessor: Generation | None = None) -> Generation:
    """The generation for this configuration, its sockets listening; those of `predecessor` are used again where they fit.

    The storage directory, an access log that workers can write to, and a directory for the cache are made if need be.
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
    listeners = open_listeners(config.listen, predecessor.listeners if predecessor else ())
    return Generation(number, config, listeners, account)
