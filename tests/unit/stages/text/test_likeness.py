"""How alike pages are held to be: in many scripts, and how far the corpus's pages stand apart."""

from __future__ import annotations

import time

import pytest

from stages.text.glance import SAMPLE_CHARS, Glance
from stages.text.likeness import Known, likeness, slug_words
from stages.text.look import look
from stages.validate import SAME_ADDRESS_LEAST
from tests import corpus
from tests.unit.stages.text.separation import HERE, separation


def _page(title: str, *headings: str, text: str = "") -> Glance:
    marks = "".join(f"<h1>{heading}</h1>" for heading in headings)
    content = f"<html><head><title>{title}</title></head><body>{marks}<p>{text}</p></body></html>".encode()
    return look(content, url=HERE, media_type="text/html", charset="utf-8")


ALIKE = [
    ("The Keeper of the Northern Light", "", _page("The keeper of the northern light | The Site")),
    ("The keeper of the northern light - The Site", "", _page("Other Site: The Keeper of the Northern Light!")),
    ("The keeper of the northern light", "", _page("The Site", "THE KEEPER OF THE NORTHERN LIGHT")),
    ("The keepers of northern lights", "", _page("The keeper of the northern light")),
    ("Смотритель северного маяка", "", _page("Смотритель северного маяка — Сайт")),
    (None, "smotritel-severnogo-mayaka-i-more", _page("Смотритель северного маяка и море")),
    (None, "o-fylakas-tou-voreiou-farou", _page("Ο φύλακας του βόρειου φάρου")),
    (None, "die-waerter-der-groessten-tuerme", _page("Die Wärter der größten Türme – Zeitung")),
    ("渔村小学的屋顶修好了", "", _page("渔村小学的屋顶修好了_新闻_网站")),
    ("港の合唱団がテノールを募集", "", _page("サイト", "港の合唱団がテノールを募集中")),
    (None, "the-keeper-of-the-northern-light-8231.html", _page("The keeper of the northern light")),
    (None, "%E6%B8%94%E6%9D%91%E5%B0%8F%E5%AD%A6%E7%9A%84%E5%B1%8B%E9%A1%B6", _page("渔村小学的屋顶")),
]
UNLIKE = [
    ("The keeper of the northern light", "", _page("How to read a tide table", "How to read a tide table")),
    ("The keeper of the northern light", "", _page("Northern towns and their ferries in winter")),
    (
        None,
        "the-keeper-of-the-northern-light",
        _page("Page titles of the north", text="Some light reading for keepers."),
    ),
    ("渔村小学的屋顶修好了", "", _page("台风要到八月才会来")),
    ("Смотритель северного маяка", "", _page("Хор ищет теноров на весну")),
    (None, "choir-looks", _page("The choir that looks for a bigger hall in the far north of the county")),
]


@pytest.mark.parametrize(("title", "slug", "found"), ALIKE)
def test_the_same_article_is_alike_in_other_clothes(title: str | None, slug: str, found: Glance) -> None:
    alike = likeness(Known(title=title, url=HERE + slug), found)
    assert alike is not None
    assert alike >= 0.6


@pytest.mark.parametrize(("title", "slug", "found"), UNLIKE)
def test_another_article_is_not(title: str | None, slug: str, found: Glance) -> None:
    alike = likeness(Known(title=title, url=HERE + slug), found)
    assert alike is not None
    assert alike <= 0.5


@pytest.mark.parametrize("slug", ["", "8231", "a/b/1", "?p=12", "2024/03/12", "x7f00ab3344dd", "about.html"])
def test_an_address_that_tells_nothing_is_no_knowledge(slug: str) -> None:
    assert likeness(Known(title=None, url=HERE + slug), _page("A title")) is None


def test_pinyin_is_no_knowledge_of_a_chinese_title() -> None:
    assert likeness(Known(title=None, url=f"{HERE}yucun-xiaoxue-wuding"), _page("渔村小学的屋顶修好了")) is None


def test_the_last_telling_piece_of_a_path_is_the_slug() -> None:
    assert slug_words(f"{HERE}2024/the-keeper-returns/8231.html") == ("keeper", "returns")


@pytest.mark.corpus
@pytest.mark.parametrize(("title", "slug"), [(True, False), (False, True), (True, True)])
def test_real_pages_are_told_apart_by_their_titles_and_slugs(title: bool, slug: bool) -> None:
    found = separation(corpus.pages(), title=title, slug=slug)
    assert len(found.own) > 20
    assert len(found.others) > 700
    assert found.own[0] >= 0.5
    assert found.others[-1] < 0.4
    if title:  # what SAME_ADDRESS_LEAST is taken from
        assert found.synthetic[0] > 1.5 * SAME_ADDRESS_LEAST


@pytest.mark.parametrize("piece", ["a ", "漢", "a-", "| ", "::", "\u0301", "1", "- : ", "ß", "abcde "])
def test_hostile_titles_cost_no_time(piece: str) -> None:
    long = piece * (500 // len(piece))
    found = Glance(
        title=long, headings=(long * 4,) * 20, text_chars=9000, sample=(piece * SAMPLE_CHARS)[:SAMPLE_CHARS],
        paragraphs=1, links=0, link_chars=0, scripts=0, forms_password=0, meta_refresh=None, canonical=None, cut=None,
        markers=(),
    )  # fmt: skip
    started = time.thread_time()
    likeness(Known(title=long, url=HERE + piece.strip().replace("/", "-") * 2000), found)
    assert time.thread_time() - started < 0.15
