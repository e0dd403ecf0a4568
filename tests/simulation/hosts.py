"""The sites of the world and their characters: one class for each way in which a site can be good or bad."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from random import Random
from urllib.parse import parse_qs, urlsplit

from tests.simulation.clock import DAY, HOUR
from tests.simulation.network import FOREVER, Act, Network, Pause, Reset
from tests.simulation.pages import CHALLENGE, MISSING, article, feed
from tests.simulation.spells import Spells

POISON = b"zzpoisonzz"
ARCHIVE = "archive.example.net"  # of .example itself no archive would be told
_COPY = re.compile(r"/web/\d{14}id_/(http://.+)")


def reply(status: int, body: bytes = b"", *, kind: str = "text/html; charset=utf-8", **fields: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    head = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **named}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body


class Host:
    """A good one. `dead` spells are those in which nothing can be reached."""

    def __init__(self, name: str, address: str, dice: Random, days: float) -> None:
        self.name = name
        self.address = address
        self.dice = dice
        self.distance = dice.uniform(0.02, 0.2)
        self.bad = Spells(dice, days * DAY, every=3 * DAY, lasting=(HOUR, 10 * HOUR))

    def heals_within(self, seconds: float) -> bool:
        """Whether it never is bad for longer."""
        return all(end - start <= seconds for start, end in self.bad.spans)

    def nameless(self, _now: float) -> bool:
        return False

    def silent(self, _now: float) -> bool:
        return False

    def refuses(self, _now: float) -> bool:
        return False

    def answer(self, target: str, network: Network) -> Iterable[Act]:
        if target == "/robots.txt":
            return [reply(404)]
        return self.page(target, network)

    def page(self, target: str, _network: Network) -> Iterable[Act]:
        return [reply(200, article(f"http://{self.name}{target}"))]


class Slow(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        (whole,) = super().page(target, network)
        assert isinstance(whole, bytes)
        half = len(whole) // 2
        return [Pause(self.dice.uniform(1, 8)), whole[:half], Pause(self.dice.uniform(1, 8)), whole[half:]]


class Flaky(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        return [Reset()] if self.dice.random() < 0.05 else super().page(target, network)


class Failing(Host):
    """Answers 500 for hours, then heals."""

    def page(self, target: str, network: Network) -> Iterable[Act]:
        return [reply(500, b"oops")] if self.bad.now(network.clock.now()) else super().page(target, network)


class Hanging(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        return [FOREVER] if self.bad.now(network.clock.now()) else super().page(target, network)


class Silent(Host):
    """Does not answer connections for hours."""

    def silent(self, now: float) -> bool:
        return self.bad.now(now)


class Refusing(Host):
    def refuses(self, now: float) -> bool:
        return self.bad.now(now)


class Nameless(Host):
    def nameless(self, now: float) -> bool:
        return self.bad.now(now)


class Truncating(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        (whole,) = super().page(target, network)
        assert isinstance(whole, bytes)
        return [whole[:-300]] if self.dice.random() < 0.3 else [whole]


class Dripping(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        if not self.bad.now(network.clock.now()):
            return super().page(target, network)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        return [head, *(act for _ in range(100) for act in (b"x", Pause(5.0)))]


class Limiting(Host):
    """429 or 503 with a Retry-After in one of its forms."""

    def page(self, target: str, network: Network) -> Iterable[Act]:
        if self.dice.random() > 0.08:
            return super().page(target, network)
        status, seconds = self.dice.choice([(429, 30.0), (503, 120.0), (429, 3600.0), (503, 400.0)])
        form = self.dice.randrange(4)
        if form == 0:  # absurd: held to a day
            network.hold(self.name, 86_400.0)
            return [reply(status, Retry_After="99999999999")]
        if form == 1:
            wall = network.clock.wall_ms() / 1000
            network.hold(self.name, seconds - 1)  # a date has whole seconds
            return [reply(status, Retry_After=formatdate(wall + seconds, usegmt=True))]
        if form == 2:
            return [reply(status, Retry_After="soon")]
        network.hold(self.name, seconds)
        return [reply(status, Retry_After=str(int(seconds)))]


class Missing(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        return [reply(404, MISSING)] if "gone" in target or self.dice.random() < 0.2 else super().page(target, network)


class SoftMissing(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        return [reply(200, MISSING)] if hash_of(target) % 3 == 0 else super().page(target, network)


class Challenging(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        return [reply(403, CHALLENGE)] if hash_of(target) % 2 == 0 else super().page(target, network)


class Redirecting(Host):
    def page(self, target: str, network: Network) -> Iterable[Act]:
        if target.startswith("/to"):
            return super().page(target, network)
        loops = hash_of(target) % 5 == 0
        return [reply(302, Location=target if loops else f"/to{target}")]


class Bombing(Host):
    """A small body that unpacks to a large one."""

    _BOMB = gzip.compress(b"\0" * 30_000_000, mtime=0)

    def page(self, target: str, network: Network) -> Iterable[Act]:
        if hash_of(target) % 4:
            return super().page(target, network)
        return [reply(200, self._BOMB, Content_Encoding="gzip")]


class Poisonous(Host):
    """Some pages kill whatever parses them."""

    def page(self, target: str, network: Network) -> Iterable[Act]:
        if hash_of(target) % 4:
            return super().page(target, network)
        return [reply(200, article(f"http://{self.name}{target}") + POISON)]


class Lying(Host):
    """Calls a picture a page, and sends what is no HTTP at times."""

    def page(self, target: str, network: Network) -> Iterable[Act]:
        kind = hash_of(target) % 4
        if kind == 0:
            return [reply(200, b"\x89PNG\r\n\x1a\n" + bytes(2000))]
        return [b"220 mail ready\r\n"] if self.dice.random() < 0.1 else super().page(target, network)


class Dead(Host):
    """Gone for good after a third of the time; the archive has its pages."""

    def __init__(self, name: str, address: str, dice: Random, days: float) -> None:
        super().__init__(name, address, dice, days)
        self._dies_at = days * DAY / 3

    def heals_within(self, seconds: float) -> bool:
        return False

    def nameless(self, now: float) -> bool:
        return now > self._dies_at


class Feeding(Host):
    """A site with a feed that gets an entry every few hours, as long as the world lives."""

    def __init__(self, name: str, address: str, dice: Random, days: float) -> None:
        super().__init__(name, address, dice, days)
        self._until = days * DAY

    def answer(self, target: str, network: Network) -> Iterable[Act]:
        if target == "/robots.txt":
            return [reply(200, b"User-agent: *\nDisallow: /private\n", kind="text/plain")]
        return self.page(target, network)

    def page(self, target: str, network: Network) -> Iterable[Act]:
        if target != "/feed":
            return super().page(target, network)
        newest = int(min(network.clock.now(), self._until) // (5 * HOUR)) + 1
        body = feed(self.name, range(max(0, newest - 20), newest))
        return [reply(200, body, kind="application/rss+xml")]


class Archive(Host):
    """The Wayback Machine: away for a day; knows most of what the dead hosts had."""

    def __init__(self, name: str, address: str, dice: Random, days: float) -> None:
        super().__init__(name, address, dice, days)
        self._away = (days * DAY * 0.5, days * DAY * 0.5 + DAY)

    def refuses(self, now: float) -> bool:
        return self._away[0] < now < self._away[1]

    def page(self, target: str, _network: Network) -> Iterable[Act]:
        parts = urlsplit(target)
        if parts.path == "/wayback/available":
            url = parse_qs(parts.query)["url"][0]
            closest = {"available": True, "status": "200", "timestamp": "20260101000000"}
            found = {"closest": closest} if self._has(url) else {}
            return [reply(200, json.dumps({"archived_snapshots": found}).encode(), kind="application/json")]
        if parts.path == "/cdx":
            return [reply(200, b"[]", kind="application/json")]
        copy = _COPY.fullmatch(target)
        return [reply(404) if copy is None else reply(200, article(copy[1]))]

    def _has(self, url: str) -> bool:
        return "dead" in url and hash_of(url) % 10 < 8


def hash_of(text: str) -> int:
    """A number of a text's own, the same in every run."""
    return sum(ord(letter) * (31**place % 1009) for place, letter in enumerate(text))


KINDS: tuple[tuple[Callable[[str, str, Random, float], Host], int], ...] = (
    (Host, 12), (Slow, 3), (Flaky, 4), (Failing, 3), (Hanging, 2), (Silent, 1), (Refusing, 1), (Nameless, 1),
    (Truncating, 1), (Dripping, 1), (Limiting, 3), (Missing, 1), (SoftMissing, 1), (Challenging, 1), (Redirecting, 2),
    (Bombing, 1), (Poisonous, 1), (Lying, 1), (Dead, 2), (Feeding, 3),
)  # fmt: skip


def settle(dice: Random, days: float) -> dict[str, Host]:
    """All hosts, by name."""
    hosts: dict[str, Host] = {}
    for kind, count in KINDS:
        for number in range(count):
            name = f"{getattr(kind, '__name__', '').lower()}{number}.example.net"
            hosts[name] = kind(name, f"8.8.{len(hosts)}.8", Random(dice.random()), days)
    hosts[ARCHIVE] = Archive(ARCHIVE, "8.9.9.8", Random(dice.random()), days)
    return hosts
