"""Identifiers: public sortable uids, lease tokens, boot ids, secrets. Randomness arrives as an argument."""

from __future__ import annotations

import secrets
from collections.abc import Callable

# Crockford's alphabet: no I, L, O, U, so that a uid can be read over the telephone.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Random = Callable[[int], bytes]


def system_random(count: int) -> bytes:
    """`count` random bytes from the operating system."""
    return secrets.token_bytes(count)


def new_uid(now_ms: int, random: Random = system_random) -> str:
    """A ULID: 26 characters, sorts by its millisecond of birth; 80 random bits keep two of one millisecond apart."""
    number = (now_ms << 80) | int.from_bytes(random(10), "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_uid(text: str) -> bool:
    """Whether `text` has the form of a uid (it may still name nothing)."""
    return len(text) == 26 and all(letter in _ALPHABET for letter in text)


def new_token(random: Random = system_random) -> str:
    """128 random bits as hex: lease tokens and boot ids."""
    return random(16).hex()
