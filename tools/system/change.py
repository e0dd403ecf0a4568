"""From one release to another: switch, restart the worker, then the api behind its socket, watch; and back by itself
when the other one does not stay well. Only the code goes back: migrations add, so the release before runs on."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.system import health, history, services, units
from tools.system import release as releases
from tools.system.layout import API, WORKER, Layout
from tools.system.machine import Refused, nameservers, say, systemctl
from tools.system.release import Release
from tools.system.units import Settings

STOP_SECONDS = 35.0  # for what runs to end: the worker's TimeoutStopSec, and a little
START_SECONDS = 10.0  # from then on, until the role is ready
HEALTHY_SECONDS = 8.0  # until /health says so
STEADY_SECONDS = 8.0  # for which it has to stay so: whatever falls over and over has fallen by then
SLOW_SECONDS = 2.0  # an answer that takes longer is none
LOOK_SECONDS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOWN = ("ActiveState", "SubState", "MainPID", "InvocationID", "Result")


class NotWell(Refused):
    """A release does not run as it should."""


@dataclass(frozen=True)
class State:
    """A role, as systemd sees it at one moment."""

    active: str
    sub: str
    pid: int
    invocation: str
    result: str

    @property
    def runs(self) -> bool:
        """It has said that it is ready."""
        return self.active == "active" and self.sub == "running"

    @property
    def has_ended(self) -> bool:
        return self.active == "failed" or self.sub in ("auto-restart", "dead")


def state(role: str) -> State:
    lines = systemctl("show", f"--property={','.join(_SHOWN)}", role).splitlines()
    told = dict(line.split("=", 1) for line in lines)
    return State(*(told[name] for name in _SHOWN[:2]), int(told["MainPID"]), told["InvocationID"], told["Result"])


def release_of(pid: int) -> Path | None:
    """The folder of the release that a process runs from, whatever `current` leads to by now."""
    try:
        told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((Path(each[11:].decode()) for each in told if each.startswith(b"PYTHONPATH=")), None)


def runs_well(release: Release, chosen: Settings) -> bool:
    """Whether both roles run from this release, and are well."""
    states = [state(role) for role in (WORKER, API)]
    return all(each.runs and release_of(each.pid) == release.folder.resolve() for each in states) and health.is_well(
        chosen
    )


def is_in_use(layout: Layout, release: Release) -> bool:
    """Whether a role runs from it, or would when it is started."""
    current = releases.current(layout)
    is_next = current is not None and current.id == release.id
    return is_next or any(release_of(state(role).pid) == release.folder.resolve() for role in (WORKER, API))


def failed(layout: Layout, what: str, before: Release, after: Release) -> None:
    """Say in the history what became of it."""
    outcome = "it is in place, and not known to be well" if is_in_use(layout, after) else "what ran before runs"
    history.note(layout, what, before, after, f"failed; {outcome}")


class Change:
    """One change of the release that runs. `before` is what it goes back to."""

    def __init__(self, layout: Layout, chosen: Settings, *, before: Release, after: Release) -> None:
        self._layout, self._chosen = layout, chosen
        self._before, self._after = before, after
        self._previous = releases.previous(layout)

    def make(self) -> None:
        """Raises Refused when the release did not stay well: the one before runs again then, or the error says that it
        does not either. Whatever interrupts it takes it back as well. What was accepted meanwhile is kept throughout.
        """
        try:
            self._put_in_place(self._after)
            for role in (WORKER, API):  # the api serves while the worker restarts, and its socket while it restarts
                self._restart(role, self._after)
            self._watch()
        except BaseException as error:
            with undisturbed():
                say(f"{self._after.id} is not well: {error}")
                self._back()
            raise
        with undisturbed():
            self._note(self._after)

    def _put_in_place(self, release: Release) -> None:
        releases.switch(self._layout, release)
        units.install(self._layout, release, self._chosen, nameservers())
        systemctl("daemon-reload")
        systemctl("reset-failed", WORKER, API, check=False)

    def _back(self) -> None:
        """At once: nothing waits for what does not work. What fails keeps nothing after it from being done."""
        begun, faults = time.monotonic(), list[str]()
        steps = (
            partial(releases.switch, self._layout, self._before),
            partial(self._put_in_place, self._before),
            self._previous_again,
            partial(self._restart_other, WORKER, self._before),
            partial(self._restart_other, API, self._before),
            partial(self._wait_well, HEALTHY_SECONDS),
        )
        for step in steps:
            try:
                step()
            except (Refused, OSError) as error:
                faults.append(str(error))
        if faults:
            what = f"went back to {self._before.id}, which is not well either: {'; '.join(faults)}"
            raise NotWell(what, "see: sudo just status; sudo just logs")
        self._note(self._before)
        say(f"went back: {self._before.id} runs again and is well, after {time.monotonic() - begun:.1f} s")

    def _previous_again(self) -> None:
        if self._previous is not None:
            releases.point(self._layout.previous, self._previous)
        else:
            self._layout.previous.unlink(missing_ok=True)

    def _restart_other(self, role: str, release: Release) -> None:
        """Unless it runs from that release already."""
        if release_of(state(role).pid) != release.folder.resolve():
            systemctl("kill", "--signal=KILL", role, check=False)
            self._restart(role, release)

    def _note(self, release: Release) -> None:
        with contextlib.suppress(OSError):  # without it, the next install-system starts the roles anew
            services.note(self._layout, release)

    def _restart(self, role: str, release: Release) -> None:
        """Raises NotWell as soon as the role ends, or is not ready in its time."""
        was = state(role).invocation
        begun: float | None = None
        systemctl("restart", "--no-block", role)
        for now in _looks(STOP_SECONDS + START_SECONDS):
            seen = state(role)
            if seen.invocation == was and not seen.has_ended:
                continue  # what ran before is still ending
            begun = begun or now
            if seen.runs and release_of(seen.pid) == release.folder.resolve():
                say(f"{role} runs {release.id}")
                return
            if seen.has_ended and seen.invocation != was:
                raise NotWell(f"{role} ended as it started ({seen.result})", f"see: journalctl -u {role} -n 50")
            if now - begun > START_SECONDS:
                raise NotWell(f"{role} was not ready in {START_SECONDS:g} s", f"see: journalctl -u {role} -n 50")
        raise NotWell(f"{role} did not end in {STOP_SECONDS:g} s", f"see: systemctl status {role}")

    def _watch(self) -> None:
        """Well soon, and then all the time."""
        self._wait_well(HEALTHY_SECONDS)
        known = {role: state(role).invocation for role in (WORKER, API)}
        for _ in _looks(STEADY_SECONDS):
            for role, invocation in known.items():
                if state(role).invocation != invocation:
                    raise NotWell(f"{role} ended by itself", f"see: journalctl -u {role} -n 50")
            if not health.is_well(self._chosen, seconds=SLOW_SECONDS):
                raise NotWell(f"/health: {health.ask(self._chosen, seconds=SLOW_SECONDS)[1]}")
        say(f"well, and steady for {STEADY_SECONDS:g} s")

    def _wait_well(self, seconds: float) -> None:
        for _ in _looks(seconds):
            if health.is_well(self._chosen, seconds=SLOW_SECONDS):
                return
        found = health.ask(self._chosen, seconds=SLOW_SECONDS)[1]
        raise NotWell(f"it was not well in {seconds:g} s; /health: {found}", "see: journalctl -u 'atlas-*' -n 50")


def _looks(seconds: float) -> Iterator[float]:
    """The time at each look, for so many seconds. There is no event to wait for: systemd and HTTP are asked."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        yield now
        pause.wait(LOOK_SECONDS)


@contextmanager
def interruptible() -> Iterator[None]:
    """A signal, or a lost connection, ends the block with an error as any other: nothing is left half done."""

    def interrupt(number: int, _frame: object) -> None:
        for each in SIGNALS:  # a second one would cut off what mends the first
            signal.signal(each, signal.SIG_IGN)
        raise Refused(f"interrupted by {signal.Signals(number).name}", code=128 + number)

    with _handled(interrupt):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals are of no effect in the block, nor for what it runs."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: signal.Handlers | Callable[[int, object], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
