"""Alerts and dashboard against a real Prometheus: promtool on the rules, and a server that scrapes a running Atlas."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from observability.names import METRICS
from supervisor.arguments import GROUPS
from supervisor.instance import Instance, fetch, free_port
from tests.test_integration.at_work import sample_site
from tools.bench import processes
from tools.bench.run import SETTINGS, wait_until_ended

ROOT = Path(__file__).resolve().parent.parent.parent
ALERTS = ROOT / "observability" / "alerts.yml"
DASHBOARD = ROOT / "observability" / "dashboards" / "atlas.json"
RUNBOOKS = ROOT / "docs" / "RUNBOOKS.md"
CASES = Path(__file__).with_name("alerts_test.yml")
SECONDS = 60.0  # for whatever Prometheus does in its own time
WIDTH = 24  # columns of a dashboard
OWN = {"up", "ALERTS"}  # Prometheus's own series about those whom it scrapes
# Panels that show nothing while all is well.
QUIET = {"In flight by stage and state", "Parse jobs that failed, per hour"}

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus and promtool are not installed (Debian: apt-get install prometheus)",
)


class Alert(msgspec.Struct, frozen=True):
    """What is written in alerts.yml of one alert."""

    name: str
    expr: str
    severity: str
    summary: str
    runbook: str


class Panel(msgspec.Struct, frozen=True):
    """A panel of the dashboard that is no row."""

    title: str
    queries: tuple[tuple[str, str], ...]  # expression and legend
    unit: str
    description: str


def alerts() -> list[Alert]:
    """Read line by line: there is no YAML library here, and promtool sees to it that it is YAML."""
    found = []
    for block in re.split(r"^ +- alert: ", ALERTS.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        expr = re.search(r" expr: (.*?)\n +(?:for|labels):", block, re.DOTALL)
        said = dict(re.findall(r"^ +(severity|summary|runbook): (.+)$", block, re.MULTILINE))
        assert expr is not None, block
        found.append(Alert(name=block.partition("\n")[0], expr=expr[1], **said))
    return found


def cases() -> dict[bool, set[str]]:
    """The alerts that are told to fire somewhere in the cases of promtool, and those that are told not to."""
    text = CASES.read_text("utf-8")
    told = re.findall(r"alertname: (\w+),? +exp_alerts: (\[\])?", text.replace("\n", ""))
    return {fires: {name for name, empty in told if (not empty) is fires} for fires in (True, False)}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def panels() -> list[Panel]:
    return [
        Panel(
            title=each["title"],
            queries=tuple((target["expr"], target["legendFormat"]) for target in each["targets"]),
            unit=each["fieldConfig"]["defaults"]["unit"],
            description=each["description"],
        )
        for each in dashboard()["panels"]
        if each["type"] != "row"
    ]


def marks() -> list[str]:
    """The expressions whose results stand as marks on all panels."""
    return [each["expr"] for each in dashboard()["annotations"]["list"]]


def metrics_in(expr: str) -> set[str]:
    return set(re.findall(r"\b(?:(?:atlas|process)_\w+|up|ALERTS)\b", re.sub(r'"[^"]*"', "", expr)))


def all_named() -> set[str]:
    exprs = [alert.expr for alert in alerts()] + [expr for panel in panels() for expr, _ in panel.queries] + marks()
    return {name for expr in exprs for name in metrics_in(expr)}


def promtool(*arguments: str) -> str:
    ran = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


# What is written


@needs_prometheus
def test_promtool_finds_every_rule_and_no_fault() -> None:
    assert f"SUCCESS: {len(alerts())} rules found" in promtool("check", "rules", str(ALERTS))


@pytest.mark.slow
@needs_prometheus
def test_every_alert_fires_when_it_should_and_keeps_still_when_it_should() -> None:
    promtool("test", "rules", str(CASES))


def test_every_alert_is_tried_both_ways() -> None:
    names = {alert.name for alert in alerts()}
    assert cases() == {True: names, False: names}


def test_every_alert_says_how_urgent_it_is_what_is_wrong_and_where_it_stands_what_to_do() -> None:
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text("utf-8"), re.MULTILINE)
    for alert in alerts():
        assert alert.severity in {"page", "warning", "info"}, alert
        assert re.fullmatch(r"[^'\"].{20,}\.", alert.summary), alert
        assert alert.runbook == f"docs/RUNBOOKS.md#{alert.name.lower()}", alert
    assert headings == [alert.name for alert in alerts()]


def test_the_runbooks_name_no_command_that_there_is_not() -> None:
    named = set(re.findall(r"\./tools/atlas ([a-z-]+)", RUNBOOKS.read_text("utf-8")))
    assert named - {command for group in GROUPS.values() for command in group} == set()


def test_every_metric_of_alerts_and_dashboard_is_in_the_catalogue() -> None:
    known = {metric.name for metric in METRICS} | OWN
    for metric in METRICS:
        if metric.kind == "histogram":
            known |= {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    assert {name for name in all_named() if not name.startswith("process_")} - known == set()


def test_every_panel_says_in_which_unit_it_is_and_what_is_normal() -> None:
    for panel in panels():
        assert panel.title, panel
        assert panel.unit, panel
        assert panel.queries, panel
        assert len(panel.description) > 30, panel


def test_the_dashboard_names_no_machine_and_has_a_place_for_every_panel() -> None:
    board = dashboard()
    assert board["uid"] == "atlas-ingest"
    assert {each["name"]: each["type"] for each in board["templating"]["list"]}["datasource"] == "datasource"
    uids = set(re.findall(r'"uid": "([^"]+)"', DASHBOARD.read_text("utf-8")))
    assert uids == {"atlas-ingest", "${datasource}"}
    assert len({each["id"] for each in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for each in board["panels"]:
        at = each["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, each["title"]
        assert max(x for x, _ in cells) < WIDTH, each["title"]
        taken |= cells


# What runs


class Prometheus:
    """Debian's own, that scrapes one Atlas and evaluates its alerts every second."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        self._port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "atlas", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
        }
        file = folder / "prometheus.yml"
        file.write_text(json.dumps(config), "utf-8")  # JSON is YAML
        options = {"config.file": file, "storage.tsdb.path": folder / "tsdb", "log.level": "warn"}
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._log = folder / "log"

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def is_ready(self) -> bool:
        return fetch(f"http://127.0.0.1:{self._port}", "GET", "/-/ready").status == 200

    def ask(self, path: str, **query: str) -> Any:
        reply = fetch(f"http://127.0.0.1:{self._port}", "GET", f"/api/v1/{path}?{urlencode(query)}")
        assert reply.body["status"] == "success", (query, reply.body)
        return reply.body["data"]

    def query(self, expr: str) -> list[Any]:
        """The series of an expression as of now, with what Grafana puts into it."""
        filled = expr.replace("$instance", ".*").replace("$__rate_interval", "1m")
        found: list[Any] = self.ask("query", query=filled)["result"]
        return found

    def rules(self) -> dict[str, Any]:
        return {rule["name"]: rule for group in self.ask("rules")["groups"] for rule in group["rules"]}

    def until(self, look: Callable[[], bool], what: str) -> None:
        """Look until it is so. What does not answer yet is asked again."""
        deadline = time.monotonic() + SECONDS
        while not self._looks(look):
            try:
                status = self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, f"{what}: not within {SECONDS:g} s"
            else:
                pytest.fail(f"Prometheus ended with {status}: {self._log.read_text('utf-8', 'replace')[-2000:]}")

    def until_alert(self, name: str, state: str) -> None:
        self.until(lambda: self.rules()[name]["state"] == state, f"{name} is {state}")

    @staticmethod
    def _looks(look: Callable[[], bool]) -> bool:
        try:
            return look()
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            return False


class Watched(msgspec.Struct, frozen=True):
    atlas: Instance
    prometheus: Prometheus


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """An Atlas, and a Prometheus that has scraped it and evaluated every rule."""
    with Instance(folder / "data", settings=SETTINGS) as atlas:
        prometheus = Prometheus(folder / "prometheus", atlas.port)
        try:
            prometheus.until(prometheus.is_ready, "Prometheus is ready")
            prometheus.until(lambda: [each["value"][1] for each in prometheus.query("up")] == ["1"], "Atlas is scraped")
            prometheus.until(lambda: _judged(prometheus), "every rule is evaluated")
            yield Watched(atlas, prometheus)
        finally:
            prometheus.stop()


def _judged(prometheus: Prometheus) -> bool:
    found = prometheus.rules()
    return bool(found) and all(rule["health"] != "unknown" for rule in found.values())


def ingest(atlas: Instance, site: str) -> None:
    """Pages, a note, a page that is not there, and requests that are refused."""
    wanted: list[dict[str, str]] = [
        {"url": f"{site}/articles/rain-gauges"},
        {"url": f"{site}/artikel/sauerteig"},
        {"url": f"{site}/nothing-is-here"},
        {"title": "A note", "text": "The ferry bell rings at low water."},
    ]
    for each in wanted:
        assert atlas.ask("POST", "/api/v1/items", each).status == 202, each
    items = wait_until_ended(atlas, len(wanted), seconds=SECONDS)
    assert sorted(item["state"] for item in items) == ["dead", "done", "done", "done"]
    assert atlas.ask("GET", "/api/v1/items/none").status == 404


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An Atlas that has done something of everything, while Prometheus looked."""
    with watched(tmp_path_factory.mktemp("watched")) as seen, sample_site() as site:
        ingest(seen.atlas, site)
        prometheus = seen.prometheus
        dead = "atlas_dead_letters == 1 and on () atlas_scheduler_age_seconds"
        prometheus.until(lambda: bool(prometheus.query(dead)), "Prometheus knows how it ended, and the scheduler ran")
        requests = 'increase(atlas_requests_total{endpoint="/metrics"}[1m]) > 3'
        prometheus.until(lambda: bool(prometheus.query(requests)), "there is enough for rates")
        yield seen


@needs_prometheus
@pytest.mark.slow
def test_every_metric_of_alerts_and_dashboard_is_in_the_scrape(at_work: Watched) -> None:
    families = text_string_to_metric_families(at_work.atlas.ask("GET", "/metrics").body)
    scraped = {sample.name for family in families for sample in family.samples}
    assert all_named() - OWN - scraped == set()


@needs_prometheus
@pytest.mark.slow
def test_of_an_atlas_that_is_well_no_alert_fires_and_every_rule_can_be_evaluated(at_work: Watched) -> None:
    rules = at_work.prometheus.rules()
    assert sorted(rules) == sorted(alert.name for alert in alerts())
    assert {name: rule.get("lastError") for name, rule in rules.items() if rule["health"] != "ok"} == {}
    assert [name for name, rule in rules.items() if rule["state"] == "firing"] == []


@needs_prometheus
@pytest.mark.slow
def test_every_panel_has_something_to_show_and_every_legend_names_labels_that_are_there(at_work: Watched) -> None:
    for expr in marks():
        at_work.prometheus.query(expr)
    for panel in panels():
        for expr, legend in panel.queries:
            series = [each["metric"] for each in at_work.prometheus.query(expr)]
            assert series or panel.title in QUIET, panel
            assert all(set(re.findall(r"{{(\w+)}}", legend)) <= set(labels) for labels in series), (panel, series)


@needs_prometheus
@pytest.mark.slow
def test_a_worker_that_hangs_and_an_api_that_is_gone_become_pages_and_nothing_else_does(tmp_path: Path) -> None:
    with watched(tmp_path) as seen:
        assert seen.atlas.up is not None
        worker = processes.role(seen.atlas.up.pid, "worker")
        os.kill(worker, signal.SIGSTOP)
        try:
            seen.prometheus.until_alert("AtlasWorkerDown", "pending")
            assert seen.prometheus.rules()["AtlasApiDown"]["state"] == "inactive"
        finally:
            os.kill(worker, signal.SIGCONT)
        seen.prometheus.until_alert("AtlasWorkerDown", "inactive")
        seen.atlas.up.stop()
        seen.prometheus.until_alert("AtlasApiDown", "pending")
        pages = {alert.name for alert in alerts() if alert.severity == "page"} - {"AtlasLoopBlocked"}  # it did hang
        states = {name: rule["state"] for name, rule in seen.prometheus.rules().items()}
        assert {name for name in pages if states[name] != "inactive"} == {"AtlasApiDown"}
