"""Replay as a person meets it: the site is gone, the archived bodies are not, and the command says what it changed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import apsw
import pytest

from supervisor.instance import Instance, InstanceError
from tools.bench.run import bench_site

pytestmark = pytest.mark.slow

SETTINGS = {"ATLAS_NET_ALLOW_NETWORKS": "127.0.0.1/32", "ATLAS_RETRY_ATTEMPTS": "1"}


def text(atlas: Instance, uid: str) -> object:
    return atlas.ask("GET", f"/api/v1/items/{uid}/content").body


def damage(data: Path, uid: str) -> None:
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as database:
        database.set_busy_timeout(5000)
        database.execute(
            """UPDATE documents SET text = 'dam', html = '<p>dam</p>', title = 'dam'
               WHERE item_id = (SELECT id FROM items WHERE uid = ?)""",
            (uid,),
        )


def test_kept_pages_are_made_again_from_their_archived_bodies_and_a_damaged_one_is_whole_again(tmp_path: Path) -> None:
    with Instance(tmp_path / "data", settings=SETTINGS) as atlas:
        with bench_site(tmp_path / "site", pages=2) as site:
            uids = [atlas.ask("POST", "/api/v1/items", {"url": f"{site}/p/{n}"}).body["id"] for n in range(2)]
            for uid in uids:
                assert atlas.ask("GET", f"/api/v1/items/{uid}?wait=30", seconds=40).body["state"] == "done"
        before = [text(atlas, uid) for uid in uids]
        damage(atlas.data, uids[1])
        assert text(atlas, uids[1]) == "dam"

        told = json.loads(atlas.command("replay", "--from", "extract", "--wait", "--json", "--where", "state:done"))
        assert (told["unchanged"], told["failed"], told["unfinished"]) == (1, [], 0)
        ((uid, change),) = [(each["uid"], each["change"]) for each in told["changed"]]
        assert uid == uids[1]
        assert "text changed" in change
        assert "title “dam” →" in change
        assert [text(atlas, uid) for uid in uids] == before

        # Fetched again although the site is gone: what is kept stays, and the reason says why it is not newer.
        assert "fetched again" in atlas.command("retry", uids[0])
        item = atlas.ask("GET", f"/api/v1/items/{uids[0]}?wait=30", seconds=40).body
        assert (item["state"], bool(item["reason"])) == ("done", True)
        assert text(atlas, uids[0]) == before[0]
        with pytest.raises(InstanceError, match="nothing matches"):
            atlas.command("retry", "--where", "error:timeout")
