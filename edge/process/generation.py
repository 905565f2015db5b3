"""A generation: what all workers started from one configuration have in common, checked before any of them exists."""

from __future__ import annotations

from msgspec import Struct

from edge.config.schema import Config
from edge.errors import ConfigError
from edge.net.listening import ListeningSocket, open_listeners
from edge.process.channel import MessageTooLarge, encode
from edge.process.event_loop import check_loop
from edge.process.messages import Configure
from edge.process.privileges import Account, find_account


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

    Raises: ConfigError, StartError; nothing is left open then.
    """
    number = 1 if predecessor is None else predecessor.number + 1
    check_loop(config.loop)
    account = find_account(config.user)
    try:
        encode(Configure(config, number))
    except MessageTooLarge as problem:
        raise ConfigError([f"the configuration is too large: {problem}"]) from problem
    listeners = open_listeners(config.listen, predecessor.listeners if predecessor else ())
    return Generation(number, config, listeners, account)
