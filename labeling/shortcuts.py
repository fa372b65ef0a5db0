"""The keys that a person has changed on the Label page, as they are kept."""

import json
import re
from typing import Any

BINDING = re.compile(r"[a-z0-9-]{1,40}")
KEYS = re.compile(r"(Ctrl\+)?(Alt\+)?(Shift\+)?([^\s\x00-\x20\x7f\ud800-\udfff]|[A-Z][A-Za-z0-9]{1,19})")
MOST_BINDINGS = 200
MOST_KEYS = 6


class NoShortcuts(Exception):
    """Why what was sent cannot be kept, in a sentence for people."""


def read(body: bytes) -> tuple[dict[str, list[str]], bool]:
    """Return the combinations by the shortcut's id, and whether single keys work. Raises NoShortcuts."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoShortcuts("The keys are sent as JSON.") from error
    keys = sent.get("keys") if isinstance(sent, dict) else None
    if not isinstance(keys, dict) or not isinstance(sent.get("single_keys"), bool):
        raise NoShortcuts("The keys are {keys: {shortcut: [combinations]}, single_keys: true or false}.")
    return checked(keys), sent["single_keys"]


def checked(keys: Any) -> dict[str, list[str]]:
    """Return the combinations by the shortcut's id as they were sent. Raises NoShortcuts."""
    if not isinstance(keys, dict) or len(keys) > MOST_BINDINGS:
        raise NoShortcuts("The keys are {shortcut: [combinations]}.")
    if not all(is_shortcut(*each) for each in keys.items()):
        raise NoShortcuts("Combinations are written like Ctrl+Shift+Z, for shortcuts that exist.")
    return keys


def is_shortcut(binding: str, combinations: Any) -> bool:
    return (
        BINDING.fullmatch(binding) is not None
        and isinstance(combinations, list)
        and len(combinations) <= MOST_KEYS
        and all(isinstance(each, str) and KEYS.fullmatch(each) is not None for each in combinations)
    )
