"""Packs hold what the archive holds: each body once, none changed, none lost; damage is told and never packed."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreUnreadable
from pipeline.store import packs as module
from pipeline.store.migrate import migrate, migrations
from pipeline.store.packs import assemble, examine_pack, export, keys, lacking, merge, union

HASHES = st.lists(st.sampled_from([f"{n:02x}" for n in range(40)]), unique=True).map(sorted)


class Bodies:
    """An archive to put bodies into, and a folder for packs."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.packs, self.aside = folder / "archive.db", folder / "packs", folder / "aside"
        self.packs.mkdir()
        self.aside.mkdir()
        self._conn = apsw.Connection(str(self.archive))
        self._conn.pragma("journal_mode", "wal")
        migrate(self._conn, migrations("archive"))

    def put(self, *contents: bytes) -> list[str]:
        found = []
        for content in contents:
            digest = hashlib.sha256(content).hexdigest()
            data = zstandard.ZstdCompressor().compress(content)
            self._conn.execute("INSERT INTO bodies VALUES (?, ?, 1, ?)", (digest, len(content), data))
            found.append(digest)
        return found

    def sql(self, statement: str, *values: object) -> None:
        self._conn.execute(statement, values)  # type: ignore[arg-type]

    @property
    def there(self) -> list[Path]:
        return sorted(self.packs.iterdir())

    def export(self) -> module.Packed:
        packed = export(self.archive, self.there, self.aside)
        for pack in packed.packs:
            pack.path.rename(self.packs / pack.path.name)
        return packed

    def close(self) -> None:
        self._conn.close()


@pytest.fixture
def bodies(tmp_path: Path):
    with closing(Bodies(tmp_path)) as made:
        yield made


def contents(path: Path) -> dict[str, bytes]:
    with closing(apsw.Connection(str(path))) as conn:
        found = conn.execute("SELECT hash, data FROM bodies")
        return {key: zstandard.ZstdDecompressor().decompress(data) for key, data in found}


@given(HASHES, HASHES)
def test_what_is_lacking_is_what_a_set_would_say(wanted: list[str], held: list[str]) -> None:
    assert list(lacking(wanted, held)) == sorted(set(wanted) - set(held))


def test_each_export_takes_only_what_is_new(bodies: Bodies) -> None:
    first = bodies.put(*(b"body %d" % n for n in range(20)))
    assert bodies.export().bodies == 20
    assert bodies.export().packs == ()
    second = bodies.put(b"another", b"and another")
    packed = bodies.export()
    assert (packed.bodies, packed.faults) == (2, ())
    assert list(union(bodies.there)) == sorted(first + second)
    assert [examine_pack(path) for path in bodies.there] in ([(20, ()), (2, ())], [(2, ()), (20, ())])
    assert [path.name for path in bodies.aside.iterdir()] == []


def test_a_pack_is_named_by_its_bytes_and_for_its_owner_alone(bodies: Bodies) -> None:
    bodies.put(b"body")
    bodies.export()
    (pack,) = bodies.there
    assert pack.name == hashlib.sha256(pack.read_bytes()).hexdigest() + ".db"
    assert pack.stat().st_mode & 0o777 == 0o600


def test_much_goes_into_several_packs_of_bounded_size(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACK_BYTES", 100_000)
    monkeypatch.setattr(module, "COMMIT_BYTES", 30_000)
    monkeypatch.setattr(module, "PAGE_KEYS", 3)
    dice = Random(1)
    put = bodies.put(*(dice.randbytes(10_000) for _ in range(45)))
    packed = bodies.export()
    assert [pack.bodies for pack in packed.packs] == [10, 10, 10, 10, 5]
    assert all(pack.bytes < 150_000 for pack in packed.packs)
    assert list(union(bodies.there)) == sorted(put)


def test_merged_packs_hold_the_same_and_an_assembled_archive_too(bodies: Bodies, tmp_path: Path) -> None:
    wanted = {}
    for n in range(8):
        for content in (b"a%d" % n, b"b%d" % n):
            wanted |= dict.fromkeys(bodies.put(content), content)
        bodies.export()
    merged = merge(bodies.there, bodies.aside)
    (pack,) = merged.packs
    assert (pack.bodies, merged.faults, contents(pack.path)) == (16, (), wanted)
    # As after a death between the new pack and the end of the old ones: each body is there twice.
    made = assemble([*bodies.there, pack.path], tmp_path / "restored.db")
    assert (made.bodies, made.faults, contents(tmp_path / "restored.db")) == (16, (), wanted)
    assert (tmp_path / "restored.db").stat().st_mode & 0o777 == 0o600


def test_a_body_that_is_damaged_in_the_archive_is_told_and_in_no_pack(bodies: Bodies) -> None:
    good, torn, swapped, bomb = bodies.put(b"good", b"torn" * 1000, b"swapped", b"bomb")
    bodies.sql("UPDATE bodies SET data = substr(data, 1, 10) WHERE hash = ?", torn)
    bodies.sql("UPDATE bodies SET data = (SELECT data FROM bodies WHERE hash = ?) WHERE hash = ?", good, swapped)
    bodies.sql("UPDATE bodies SET data = ? WHERE hash = ?", zstandard.compress(b"\0" * 50_000_000), bomb)
    packed = bodies.export()
    assert list(union(bodies.there)) == [good]
    assert len(packed.faults) == 3
    assert {fault.split("…")[0].removeprefix("the body ") for fault in packed.faults} == {
        each[:12] for each in (torn, swapped, bomb)
    }


def test_an_archive_that_breaks_off_is_packed_as_far_as_it_can_be_read(bodies: Bodies) -> None:
    dice = Random(1)
    put = sorted(bodies.put(*(dice.randbytes(3000) for _ in range(50))))
    bodies.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(apsw.Connection(str(bodies.archive))) as conn:
        root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'bodies'").get
        size = int(conn.pragma("page_size"))
    with bodies.archive.open("r+b") as file:
        pages = bodies.archive.stat().st_size // size
        for number in range(pages // 2, pages):
            if number + 1 != root:
                file.seek(number * size)
                file.write(b"\xff" * size)
    packed = bodies.export()
    assert packed.faults
    assert set(union(bodies.there)) < set(put)


def test_a_changed_byte_a_foreign_file_and_a_hostile_schema_are_no_packs(bodies: Bodies, tmp_path: Path) -> None:
    bodies.put(*(b"body %d" % n for n in range(20)))
    bodies.export()
    (pack,) = bodies.there
    whole = pack.read_bytes()
    pack.write_bytes(whole[:-7] + b"\xff" + whole[-6:])
    assert "does not match its name" in examine_pack(pack)[1][0]
    for name, content in (("text", b"no database " * 500), ("empty", b"")):
        path = tmp_path / f"{hashlib.sha256(content).hexdigest()}.db"
        path.write_bytes(content)
        assert examine_pack(path)[1], name
    other = tmp_path / "other.db"
    other.write_bytes(whole)
    with closing(apsw.Connection(str(other))) as conn:
        conn.execute("ALTER TABLE bodies RENAME TO hidden; CREATE VIEW bodies AS SELECT * FROM hidden")
    path = other.rename(tmp_path / f"{hashlib.sha256(other.read_bytes()).hexdigest()}.db")
    assert any("view bodies is unknown to Atlas" in fault for fault in examine_pack(path)[1])
    with pytest.raises(StoreUnreadable):
        list(keys(pack))


def test_of_two_packs_with_one_body_the_good_one_serves(bodies: Bodies, tmp_path: Path) -> None:
    (key,) = bodies.put(b"body" * 100)
    bodies.export()
    (pack,) = bodies.there
    torn = tmp_path / "torn.db"
    torn.write_bytes(pack.read_bytes())
    with closing(apsw.Connection(str(torn))) as conn:
        conn.execute("UPDATE bodies SET data = x'00'")
    made = assemble([torn, pack], tmp_path / "restored.db")
    assert (made.bodies, made.faults, contents(tmp_path / "restored.db")) == (1, (), {key: b"body" * 100})
    made = assemble([torn], tmp_path / "without.db")
    assert (made.bodies, made.faults) == (0, (f"the body {key[:12]}… cannot be unpacked",))


def test_memory_stays_flat_whatever_the_archive_holds(bodies: Bodies, tmp_path: Path) -> None:
    """Bodies are read one at a time: 40 MB of them cost no 40 MB. The process' own peak is measured by the bench."""
    import tracemalloc

    dice = Random(1)
    for _ in range(20):
        bodies.put(dice.randbytes(2_000_000))
    bodies.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    tracemalloc.start()
    bodies.export()
    assemble(bodies.there, tmp_path / "restored.db")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000
