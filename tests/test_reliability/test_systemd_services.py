"""Atlas under a booted systemd: killed, hung, cut off, locked out, restarted under load, stopped, booted again."""

from __future__ import annotations

import contextlib
import http.client
import os
import threading
import time
from collections import Counter

import pytest

from tests.systemd.installed import ROLES, Installed
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.systemd

API, WORKER = ROLES


@pytest.fixture(scope="module")
def site(lively: Installed) -> str:
    """A site on the machine's loopback interface."""
    return lively.serve("site", "127.0.0.1", 8181)


def test_a_worker_that_is_killed_is_back_at_once_and_nothing_is_lost(lively: Installed, site: str) -> None:
    uids = [lively.save(f"{site}/killed/{number}") for number in range(30)]
    longest = 0.0
    for _ in range(3):
        killed, begun = lively.pid(WORKER), time.monotonic()
        lively.run("kill", "-9", str(killed))
        lively.until(lambda: lively.pid(WORKER) not in {0, killed}, seconds=5, what="another worker")  # noqa: B023
        lively.until(lambda: lively.show(WORKER, "ActiveState") == "active", seconds=20, what="the worker's READY")
        longest = max(longest, time.monotonic() - begun)
    lively.until_done(*uids, seconds=60)
    figure("systemd worker kill -9", f"READY again {longest:.1f} s after kill -9 at the longest, 30 of 30 items done")
    assert longest < 5


def test_an_api_that_is_killed_is_back_at_once_and_keeps_what_it_accepted(lively: Installed, site: str) -> None:
    accepted: list[tuple[float, str]] = []
    stop = threading.Event()

    def post() -> None:
        lively.enter_network()
        number = 0
        while not stop.is_set():
            number += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                reply = lively.request("POST", "/api/v1/items", {"url": f"{site}/api-killed/{number}"})
                if reply.status in {200, 202}:
                    accepted.append((time.monotonic(), reply.body["id"]))

    poster = threading.Thread(target=post)
    poster.start()
    longest = 0.0
    try:
        for _ in range(3):
            killed = lively.pid(API)
            lively.run("kill", "-9", str(killed))
            begun = time.monotonic()
            lively.until(lambda: lively.pid(API) not in {0, killed}, seconds=5, what="another api")  # noqa: B023
            lively.until(lambda: accepted and accepted[-1][0] > begun + 0.1, seconds=20, what="a save")  # noqa: B023
            longest = max(longest, min(moment for moment, _ in accepted if moment > begun + 0.1) - begun)
    finally:
        stop.set()
        poster.join(20)
    figure("systemd api kill -9", f"accepts again {longest:.1f} s after kill -9, {len(accepted)} accepted")
    lively.until_done(*(uid for _, uid in accepted), seconds=90)
    assert longest < 5


def test_a_worker_whose_loop_hangs_is_killed_by_the_watchdog_and_its_item_is_done_by_the_next(
    lively: Installed, site: str
) -> None:
    with lively.faulty("burns_cpu_once", "worker", "WatchdogSec=3"):
        begun = time.monotonic()
        uid = lively.save(f"{site}/p/13")
        lively.until_done(uid, seconds=40)
        took = time.monotonic() - begun
        assert lively.show(WORKER, "NRestarts") == "1"
        told = lively.journal("-u", WORKER, "-n", "200")
    assert "Watchdog timeout (limit 3s)" in told
    stacks = told.partition("Fatal Python error: Aborted")[2]
    assert " in handle" in stacks  # who held the loop
    figure("systemd watchdog worker", f"hung, killed, started again and the item done in {took:.1f} s, WatchdogSec=3")


def test_an_api_whose_loop_hangs_is_killed_by_the_watchdog_and_serves_again(lively: Installed) -> None:
    with lively.faulty("hangs_when_asked", "api", "WatchdogSec=3"):
        lively.until_well()
        begun = time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            lively.ask("GET", "/hang", seconds=1)
        lively.until(lambda: lively.show(API, "NRestarts") == "1", seconds=15, what="a restart")
        lively.until_well()
        took = time.monotonic() - begun
        told = lively.journal("-u", API, "-n", "200")
    assert "Watchdog timeout (limit 3s)" in told
    assert " in hang" in told.partition("Fatal Python error: Aborted")[2]
    figure("systemd watchdog api", f"hung, killed and well again in {took:.1f} s, WatchdogSec=3")


def test_another_process_that_holds_the_write_lock_does_not_trip_the_watchdog(lively: Installed) -> None:
    """F8: a save is refused for as long; a role that waits for a lock is no hung role."""
    shortened = ("[Service]", "WatchdogSec=3")
    hold = (
        "import apsw, sys; c = apsw.Connection('/var/lib/atlas/atlas.db'); c.execute('BEGIN IMMEDIATE');"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = "sleep 8 | /opt/atlas/current/.venv/bin/python -c"
    with lively.altered(WORKER, *shortened), lively.altered(API, *shortened):
        lively.until_well()
        before = [lively.show(unit, "InvocationID") for unit in ROLES]
        holder = threading.Thread(target=lambda: lively.run("sh", "-c", f'{command} "{hold}"'))
        holder.start()
        lively.until(
            lambda: lively.ask("POST", "/api/v1/items", {"url": "http://127.0.0.1:1/"}, seconds=20).status == 503,
            seconds=12,
            what="a refused save",
        )
        assert lively.ask("GET", "/livez").status == 200
        holder.join(30)
        reply = lively.ask("POST", "/api/v1/items", {"url": "http://127.0.0.1:1/"}, seconds=20)
        assert reply.status in {200, 202}
        assert [lively.show(unit, "InvocationID") for unit in ROLES] == before
    assert lively.ask("DELETE", f"/api/v1/items/{reply.body['id']}").status < 300


def test_five_restarts_under_load_refuse_nobody(lively: Installed, site: str) -> None:
    """F20: connections wait in systemd's socket while there is no api."""
    clients = [Client(lively, number, site) for number in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(5):
            lively.systemctl("restart", API)
            so_far = sum(client.seen["answered"] for client in clients)
            lively.until(
                lambda: sum(client.seen["answered"] for client in clients) > so_far + 300,  # noqa: B023
                seconds=20,
                what="ordinary service between two restarts",
            )
    finally:
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join(30)
    seen = sum((client.seen for client in clients), Counter[str]())
    asked, worst = seen["answered"] + seen["empty"], max(client.worst for client in clients)
    told = f"{asked} requests, {seen['refused']} refused, {seen['empty']} empty, {seen['failed twice']} after one retry"
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    figure("F20", f"{told}, {seen['wrong']} wrong, worst {worst:.2f} s, load {load:.1f} a core")
    assert asked > 1500
    assert (seen["refused"], seen["failed twice"], seen["wrong"]) == (0, 0, 0)
    assert seen["empty"] <= max(1, asked * 0.001)
    assert worst <= (2 if load < 2 else 2 + load)  # a machine with more to do than it can tells nothing of us


class Client(threading.Thread):
    """Asks without a pause; counts what it met, and the longest wait for an answer, a retry included."""

    def __init__(self, machine: Installed, number: int, site: str) -> None:
        super().__init__(name=f"client {number}")
        self.stop = threading.Event()
        self.seen: Counter[str] = Counter()
        self.worst = 0.0
        self._machine, self._number, self._site = machine, number, site

    def run(self) -> None:
        self._machine.enter_network()
        count = 0
        while not self.stop.is_set():
            count += 1
            begun = time.monotonic()
            if not self._ask(count) and not self._ask(count):
                self.seen["failed twice"] += 1
            self.worst = max(self.worst, time.monotonic() - begun)

    def _ask(self, count: int) -> bool:
        try:
            if self._number == 0 and count % 10 == 0:
                body = {"url": f"{self._site}/restarted/{count}"}
                reply = self._machine.request("POST", "/api/v1/items", body)
            else:
                reply = self._machine.request("GET", "/ready")
        except ConnectionRefusedError:
            self.seen["refused"] += 1
            return False
        except (OSError, http.client.HTTPException):
            self.seen["empty"] += 1
            return False
        self.seen["answered" if reply.status in {200, 202} else "wrong"] += 1
        return True


def test_while_the_network_is_away_items_wait_and_when_it_is_back_they_are_done(lively: Installed) -> None:
    far = far_site(lively)
    before = lively.save(f"{far}/before")
    lively.until_done(before)
    lively.run("ip", "link", "set", "near", "down")
    uids = [lively.save(f"{far}/while-away/{number}") for number in range(3)]
    lively.until(lambda: {lively.state(uid) for uid in uids} == {"waiting"}, seconds=30, what="items that wait")
    assert lively.is_well()
    lively.run("ip", "link", "set", "near", "up")
    begun = time.monotonic()
    lively.until_done(*uids, seconds=90)
    figure("systemd network back", f"3 items done {time.monotonic() - begun:.1f} s after the network was back")


def test_stopping_is_clean_and_within_its_limits_even_with_work_in_hand(lively: Installed, site: str) -> None:
    uids = [lively.save(f"{site}/stopped/{number}") for number in range(40)]
    took = {}
    for unit in (API, WORKER):
        begun = time.monotonic()
        # The api needs its socket: stopped first, it takes the api along, and no connection starts it again.
        lively.systemctl("stop", *(["atlas-api.socket"] if unit == API else []), unit)
        took[unit] = time.monotonic() - begun
        assert (lively.show(unit, "Result"), lively.show(unit, "ActiveState")) == ("success", "inactive")
    assert [lively.show(unit, "ExecMainStatus") for unit in ROLES] == ["0", "0"]
    assert lively.run("pgrep", "--uid", "atlas", check=False).stdout == ""  # no orphan of either
    lively.systemctl("start", "atlas-api.socket", API, WORKER)
    lively.until_well()
    lively.until_done(*uids, seconds=60)
    figure("systemd stop", f"api {took[API]:.1f} s, worker {took[WORKER]:.1f} s with 40 items in hand, none lost")
    assert took[API] <= 8
    assert took[WORKER] <= 20


def test_a_second_worker_and_a_second_api_are_refused(lively: Installed) -> None:
    for role, word in (("worker", "another worker"), ("api", "cannot listen on 127.0.0.1:7444")):
        ran = lively.run("atlas", role, check=False)
        assert ran.returncode == 75, ran.stderr
        assert word in ran.stderr
    assert lively.is_well()


def test_the_next_boot_comes_up_by_itself_and_makes_up_for_missed_ticks_exactly_once(
    lively: Installed, site: str
) -> None:
    """F29: the machine was off over three ticks of the scheduler."""
    timer, scheduler = "atlas-scheduler.timer", "atlas-scheduler.service"
    lively.write(f"/etc/systemd/system/{timer}.d/99-test.conf", "[Timer]\nRandomizedDelaySec=0\n")
    uids = [lively.save(f"{site}/off/{number}") for number in range(5)]
    lively.shut_down()
    stamp = lively.root / f"var/lib/systemd/timers/stamp-{timer}"
    missed = time.time() - 3 * 300
    os.utime(stamp, (missed, missed))
    begun = time.time()
    booted = lively.boot()
    lively.until_well(30 - booted)
    healthy = time.time() - begun
    lively.serve("site", "127.0.0.1", 8181)
    lively.until_done(*uids, seconds=60)
    lively.until(lambda: lively.show(scheduler, "ActiveState") == "inactive", seconds=30, what="the scheduler's end")
    regular = int(time.time() // 300 - begun // 300)  # a tick that fell into this test
    runs = lively.journal("-b", "-u", scheduler).count("Finished atlas-scheduler.service")
    figure("systemd boot", f"well {healthy:.1f} s after power-on; {runs} run for three missed ticks")
    assert runs == 1 + regular
    assert healthy <= 30
    lively.run("rm", "-r", f"/etc/systemd/system/{timer}.d")
    lively.systemctl("daemon-reload")


def test_a_run_that_takes_longer_than_its_timer_is_not_joined_by_a_second_one(lively: Installed) -> None:
    slow = "ExecStart=/bin/sh -c 'echo begun; sleep 1.5; echo ended'"
    every_second = ("[Timer]", "OnCalendar=", "OnCalendar=*:*:*", "RandomizedDelaySec=0")
    since = lively.sh("date '+%F %T'")
    with (
        lively.altered("atlas-scheduler.service", "[Service]", "ExecStart=", slow, restart=False),
        lively.altered("atlas-scheduler.timer", *every_second, restart=False),
    ):
        lively.systemctl("restart", "atlas-scheduler.timer")

        def lines() -> list[str]:
            told = lively.journal("-u", "atlas-scheduler.service", "--since", since).splitlines()
            return [line for line in told if line in {"begun", "ended"}]

        seen = lively.until(lambda: len(found := lines()) >= 6 and found, seconds=30, what="three runs")
        assert seen[:6] == ["begun", "ended"] * 3
    lively.systemctl("restart", "atlas-scheduler.timer")


def test_a_copy_elsewhere_follows_a_good_backup_and_no_bad_one_once_it_is_asked_for(lively: Installed) -> None:
    backup, copy = "atlas-backup.service", "atlas-backup-copy.service"

    def runs(command: str) -> tuple[str, str, str]:
        return ("[Service]", "ExecStart=", f"ExecStart={command}")

    def copies() -> int:
        return lively.journal("-u", copy).count("copied")

    with lively.altered(copy, *runs("/bin/echo copied"), restart=False):
        with lively.altered(backup, *runs("/bin/true"), restart=False):
            lively.systemctl("start", backup)
            assert copies() == 0  # nobody has asked for it
            lively.systemctl("enable", "--quiet", copy)
            lively.systemctl("start", backup)
            lively.until(lambda: copies() == 1, seconds=10, what="a copy")
        with lively.altered(backup, *runs("/bin/sh -c 'exit 78'"), restart=False):
            assert lively.run("systemctl", "start", backup, check=False).returncode != 0
            lively.until(lambda: "Dependency failed" in lively.journal("-u", copy), seconds=10, what="no copy")
            assert copies() == 1
        lively.systemctl("disable", "--quiet", copy)
    lively.systemctl("reset-failed", "atlas-*", check=False)


def far_site(machine: Installed) -> str:
    """A site in a network namespace of its own, behind the interface `near`; 10.88.0.2 is the same site."""
    if machine.run("ip", "link", "show", "near", check=False).returncode != 0:
        machine.sh(
            "ip netns add far; ip link add near type veth peer name distant; ip link set distant netns far;"
            "ip addr add 10.77.0.1/24 dev near; ip addr add 10.88.0.1/24 dev near; ip link set near up;"
            "ip -n far addr add 10.77.0.2/24 dev distant; ip -n far addr add 10.88.0.2/24 dev distant;"
            "ip -n far link set distant up"
        )
        machine.serve("far-site", "0.0.0.0", 80, "NetworkNamespacePath=/run/netns/far")
    return "http://10.77.0.2"
