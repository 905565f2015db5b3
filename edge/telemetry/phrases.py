"""What a log line says to a person at a terminal. Pure: an event and its fields become a topic, a sentence, details and remedies.

Events that every first run shows have sentences of their own; all others are shown as they are, with causes and remedies on lines
of their own. What only a machine wants to know (a renewal window, steps of an order) is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

Fields: TypeAlias = Mapping[str, Any]


class Phrase(Struct, frozen=True):
    """`text` about `topic`; `details` explain, `fixes` are what to do. `is_progress`: a later line tells how it ends."""

    topic: str
    text: str
    details: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    is_progress: bool = False


def phrase_for(room: str, event: str, fields: Fields) -> Phrase | None:
    """What to show, or None for nothing. Fields that a sentence of its own does not expect are left out."""
    special = _SPECIAL.get((room, event))
    if special is None:
        return _general(room, event, fields)
    try:
        return special(fields)
    except (KeyError, TypeError, ValueError):  # fields have changed: what was said is worth more than how
        return _general(room, event, fields)


_DETAILS: Final = ("cause", "problem", "reason", "complaints")
_FIXES: Final = ("fix", "check", "hints")
_NOISE: Final = ("pid", "child_pid", "generation")


def _general(room: str, event: str, fields: Fields) -> Phrase:
    set_apart = (*_DETAILS, *_FIXES, *_NOISE)
    words = "".join(f"  {key}={format_value(value)}" for key, value in fields.items() if key not in set_apart)
    return Phrase(room, event + words, _texts(fields, _DETAILS), _texts(fields, _FIXES))


def _texts(fields: Fields, keys: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for key in keys:
        value = fields.get(key)
        found += value if isinstance(value, list) else [str(value)] if value else []
    return tuple(found)


def format_value(value: Any) -> str:
    """A field's value as text: plain words as they are, everything else as JSON."""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    is_plain = bool(text) and not any(character in text for character in " =\"'")
    return text if is_plain or not isinstance(value, str) else msgspec.json.encode(text).decode()


# -- certificates -------------------------------------------------------------------------------------------------------


def _progress(fields: Fields) -> Phrase | None:
    """Of all steps only the first: what follows takes seconds, and ends with a line that says how."""
    if fields["phase"] != "account":
        return None
    return Phrase("certificate", f"asking {fields['ca']} for {fields['name']}", is_progress=True)


def _issued(fields: Fields) -> Phrase:
    until, renewal = (str(fields[key])[: len("2027-02-20")] for key in ("not_after", "renewal"))
    text = f"{fields['name']} by {fields['ca']}, valid until {until}, renews itself around {renewal}"
    return Phrase("certificate", text)


def _loaded(fields: Fields) -> Phrase:
    number = f"{fields['certificates']} certificates" if fields["certificates"] > 1 else "one certificate"
    return Phrase("certificate", f"{number} from disk, next renewal around {str(fields['next_renewal'])[:10]}")


def _failed(fields: Fields) -> Phrase:
    meanwhile = f"Next try {fields['next_try']}. Serving {fields['serving']}."
    text = f"{fields['name']} not issued by {fields['ca']} ({fields['phase']}, attempt {fields['attempt']})"
    return Phrase("certificate", text, (str(fields["cause"]), meanwhile), (str(fields["check"]),))


# -- processes ----------------------------------------------------------------------------------------------------------


def _serving(fields: Fields) -> Phrase | None:
    return Phrase("reload", "serving the new configuration") if fields["generation"] > 1 else None


def _reloading(_fields: Fields) -> Phrase:
    return Phrase("reload", "starting new workers", is_progress=True)


def _refused(fields: Fields) -> Phrase:
    return Phrase("reload", "refused, serving as before", _texts(fields, ("complaints",)), _texts(fields, ("hints",)))


def _stopping(fields: Fields) -> Phrase:
    seconds = fields["within_seconds"]
    text = f"finishing what is in flight, {seconds:g} s at most; once more ends it now" if seconds else "ending now"
    return Phrase("stop", text, is_progress=True)


def _stopped(_fields: Fields) -> Phrase:
    return Phrase("stop", "stopped")


def _root(fields: Fields) -> Phrase:
    return Phrase("user", "workers run as root", fixes=(str(fields["fix"]),))


def _ended(fields: Fields) -> Phrase:
    again = (
        f"the next one starts in {fields['again_in_seconds']:g} s"
        if fields["again_in_seconds"]
        else "starting another one"
    )
    return Phrase("process", f"a {fields['child']} ended unexpectedly ({fields['cause']}), {again}")


def _nothing(_fields: Fields) -> None:
    return None


_SPECIAL: Final[Mapping[tuple[str, str], Callable[[Fields], Phrase | None]]] = {
    ("certs", "certificate progress"): _progress,
    ("certs", "certificate issued"): _issued,
    ("certs", "certificates loaded"): _loaded,
    ("certs", "certificate attempt failed"): _failed,
    ("certs", "renewal window"): _nothing,
    ("certs", "account registered"): _nothing,
    ("process", "serving"): _serving,
    ("process", "reloading"): _reloading,
    ("process", "reload refused, serving as before"): _refused,
    ("process", "stopping"): _stopping,
    ("process", "stopped"): _stopped,
    ("process", "workers run as root"): _root,
    ("process", "process ended unexpectedly"): _ended,
}
