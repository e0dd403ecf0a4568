"""The archive of the sample site speaks as the Wayback Machine does."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from tools.sample.archive import AVAILABLE, INDEX, WEB, Archive

BASE = "http://127.0.0.1:9"
GONE = f"{BASE}/articles/the-ferry-bell-at-low-water"


def asked(path: str, **fields: str) -> object:
    answer = Archive(BASE).answer(path, urlencode(fields))
    assert answer is not None
    return json.loads(answer.body)


def test_the_nearest_capture_may_be_of_a_time_when_the_page_was_gone() -> None:
    now = asked(AVAILABLE, url=GONE, timestamp="20261124000000")
    assert isinstance(now, dict)
    assert now["archived_snapshots"]["closest"]["status"] == "404"
    then = asked(AVAILABLE, url=GONE, timestamp="20200101000000")
    assert isinstance(then, dict)
    assert then["archived_snapshots"]["closest"]["timestamp"] == "20210303094512"


def test_the_index_names_its_columns_and_has_no_rows_at_all_for_what_it_has_not() -> None:
    found = asked(INDEX, url=GONE, filter="statuscode:200", closest="20261124000000")
    assert found == [["timestamp", "mimetype"], ["20210303094512", "text/html"]]
    assert asked(INDEX, url=f"{BASE}/articles/never-written") == []
    assert asked(AVAILABLE, url=f"{BASE}/articles/never-written") == {
        "url": f"{BASE}/articles/never-written",
        "archived_snapshots": {},
    }


def test_a_capture_is_shown_as_the_site_sent_it_with_the_status_of_then() -> None:
    good = Archive(BASE).answer(f"{WEB}/20210303094512id_/{GONE}", "")
    assert good is not None
    assert good.status == 200
    assert b"Sallow Reach" in good.body
    bad = Archive(BASE).answer(f"{WEB}/20251130080207id_/{GONE}", "")
    assert bad is not None
    assert bad.status == 404
    assert Archive(BASE).answer(f"{WEB}/20210303094512id_/{BASE}/other", "") is None
