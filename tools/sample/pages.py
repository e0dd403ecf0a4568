"""The sample site's answers, rendered once from the prose and templates beside this file."""

from __future__ import annotations

import html
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Literal

FOLDER = Path(__file__).parent
RIGHT_TO_LEFT = {"ar"}
SEED = 1871  # of the long article: the same year in the log on every machine


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer, ready to send."""

    status: int
    media_type: str  # the whole Content-Type header
    body: bytes
    location: str | None = None


@dataclass(frozen=True, kw_only=True)
class Article:
    """A text file of articles/: header lines, then paragraphs."""

    name: str
    title: str
    author: str
    published: str
    language: str
    site: str
    menu: tuple[str, ...]
    cookies: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Where an article is served, in which clothes, and who tells its charset."""

    path: str
    article: str
    template: Literal["magazine", "reprint"] = "magazine"
    charset: str = "utf-8"
    told_by: Literal["header", "meta"] = "header"


PAGES = (
    Page(path="/articles/rain-gauges", article="rain-gauges"),
    Page(path="/articles/lamplighters", article="lamplighters"),
    Page(path="/articles/paper-maps", article="paper-maps"),
    Page(path="/articles/withdrawn", article="withdrawn"),  # a soft 404: it says so with status 200
    Page(path="/artikel/sauerteig", article="sauerteig", charset="windows-1252", told_by="meta"),
    Page(path="/ocherki/chasy", article="chasy", charset="windows-1251"),
    Page(path="/zuihitsu/todai", article="todai", charset="shift_jis", told_by="meta"),
    Page(path="/sanwen/zhulin", article="zhulin", template="reprint", charset="gb18030", told_by="meta"),
    Page(path="/afigiseis/karavi", article="karavi"),
    Page(path="/maqalat/bustan", article="bustan"),
    Page(path="/recits/cafe", article="cafe"),
    Page(path="/log/ferrow-light", article="ferrow-light"),
    Page(path="/reprints/1044.htm", article="rain-gauges", template="reprint", charset="iso-8859-1", told_by="meta"),
)
GONE = ("/articles/the-ferry-bell-at-low-water",)  # taken down; the archive beside the site has a capture of it
REDIRECTS = {"/r/old-harbour": "/r/harbour", "/r/harbour": "/r/lamps", "/r/lamps": "/articles/lamplighters"}
FEED_ENTRIES = ("/recits/cafe", "/articles/paper-maps", "/articles/rain-gauges")  # the last one is posted as well


def expectations() -> dict[str, Any]:
    """What must become of each page, and what the example searches must find."""
    loaded: dict[str, Any] = json.loads((FOLDER / "expectations.json").read_text("utf-8"))
    return loaded


def answers(base: str) -> dict[str, Answer]:
    """Every path of the site. `base` is its own address, which the feed's absolute links need."""
    articles = {article.name: article for article in _articles()}
    made = {page.path: _render(page, articles) for page in PAGES}
    for path, target in REDIRECTS.items():
        made[path] = Answer(status=302, media_type="text/plain; charset=utf-8", body=b"moved\n", location=target)
    plain = (FOLDER / "articles" / "tide.txt").read_bytes()
    made["/notes/tide.txt"] = Answer(status=200, media_type="text/plain; charset=utf-8", body=plain)
    made["/feed.xml"] = _feed(base, articles)
    made["/robots.txt"] = Answer(status=200, media_type="text/plain", body=b"User-agent: *\nAllow: /\n")
    told = json.dumps(expectations(), ensure_ascii=False).encode()
    made["/expectations.json"] = Answer(status=200, media_type="application/json", body=told)
    made["/"] = _front(articles)
    return made | dict.fromkeys(GONE, Answer(status=410, media_type="text/plain; charset=utf-8", body=b"taken down\n"))


def rendered(page: Page) -> Answer:
    """A page as the site would serve it."""
    return _render(page, {article.name: article for article in _articles()})


def not_found(path: str) -> Answer:
    body = f"<!DOCTYPE html><title>404</title><h1>Nothing here</h1><p>{html.escape(path)} was never written.</p>"
    return Answer(status=404, media_type="text/html; charset=utf-8", body=body.encode())


def _articles() -> Iterator[Article]:
    for file in sorted((FOLDER / "articles").glob("*.txt")):
        if file.stem != "tide":
            yield _read(file)
    yield _logbook()


def _read(file: Path) -> Article:
    head, _, rest = file.read_text("utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    return Article(
        name=file.stem,
        title=fields["title"],
        author=fields.get("author", ""),
        published=fields.get("published", ""),
        language=fields["language"],
        site=fields["site"],
        menu=tuple(fields["nav"].split(" | ")),
        cookies=fields["cookies"],
        paragraphs=tuple(part.strip() for part in rest.split("\n\n") if part.strip()),
    )


def _logbook() -> Article:
    """The very long article: about 20,000 words put together from our own phrases, no two days alike."""
    plan = json.loads((FOLDER / "logbook.json").read_text("utf-8"))
    dice = random.Random(SEED)
    paragraphs = [plan["intro"]]
    for month, days in zip(plan["months"], plan["days"], strict=True):
        paragraphs.append(f"## {month}")
        paragraphs += [f"{month} {day}. {_day(plan, dice)}" for day in range(1, days + 1)]
    return Article(
        name="ferrow-light",
        title=plan["title"],
        author=plan["author"],
        published="2025-08-19",
        language="en",
        site="The Saltmarsh Review",
        menu=("Essays", "Letters", "Field notes", "Weather", "About"),
        cookies="We keep one biscuit on your machine so that the crossword remembers you.",
        paragraphs=tuple(paragraphs),
    )


def _day(plan: dict[str, Any], dice: random.Random) -> str:
    duty = dice.choice(plan["lamp"] + plan["traffic"])
    lines = [dice.choice(plan["opening"]), duty, dice.choice(plan["ashore"]), dice.choice(plan["closing"])]

    def fill(match: re.Match[str]) -> str:
        word: str = dice.choice(plan["words"][match[1].lower()])
        return word[0].upper() + word[1:] if match[1][0].isupper() or match.start() == 0 else _lowered(word, match[1])

    return " ".join(re.sub(r"\{(\w+)\}", fill, line) for line in lines)


def _lowered(word: str, kind: str) -> str:
    return word.lower() if kind in ("count", "oil") else word


def _render(page: Page, articles: dict[str, Article]) -> Answer:
    article = articles[page.article]
    others = [other for other in articles.values() if other.site == article.site and other.name != article.name]
    template = Template((FOLDER / "templates" / f"{page.template}.html").read_text("utf-8"))
    text = template.substitute(
        name=page.article,
        title=html.escape(article.title),
        author=html.escape(article.author),
        site=html.escape(article.site),
        published=article.published,
        language=article.language,
        direction="rtl" if article.language in RIGHT_TO_LEFT else "ltr",
        charset=page.charset,
        cookies=html.escape(article.cookies),
        menu="".join(
            f'<li><a href="/sections/{n}">{html.escape(label)}</a></li>' for n, label in enumerate(article.menu)
        ),
        sidebar="".join(f'<li><a href="/?{other.name}">{html.escape(other.title)}</a></li>' for other in others),
        body="\n".join(_paragraph(part) for part in article.paragraphs),
    )
    told = f"text/html; charset={page.charset}" if page.told_by == "header" else "text/html"
    return Answer(status=200, media_type=told, body=text.encode(page.charset))


def _paragraph(text: str) -> str:
    if text.startswith("## "):
        return f"<h2>{html.escape(text[3:])}</h2>"
    linked = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r'<a href="\2">\1</a>', html.escape(text, quote=False))
    return f"<p>{linked}</p>"


def _feed(base: str, articles: dict[str, Article]) -> Answer:
    by_path = {page.path: articles[page.article] for page in PAGES}
    entries = "\n".join(
        f"<entry><title>{html.escape(by_path[path].title)}</title><id>urn:atlas:sample:{by_path[path].name}</id>"
        f'<link href="{base}{path}"/><updated>{by_path[path].published}T08:00:00Z</updated>'
        f"<summary>{html.escape(by_path[path].paragraphs[0][:160])}</summary></entry>"
        for path in FEED_ENTRIES
    )
    text = Template((FOLDER / "templates" / "feed.xml").read_text("utf-8")).substitute(base=base, entries=entries)
    return Answer(status=200, media_type="application/atom+xml; charset=utf-8", body=text.encode())


def _front(articles: dict[str, Article]) -> Answer:
    rows = "".join(f'<li><a href="{p.path}">{html.escape(articles[p.article].title)}</a></li>' for p in PAGES)
    text = f"<!DOCTYPE html><meta charset=utf-8><title>The sample site</title><h1>The sample site</h1><ul>{rows}</ul>"
    return Answer(status=200, media_type="text/html; charset=utf-8", body=text.encode())
