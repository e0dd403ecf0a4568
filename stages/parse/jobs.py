"""What a parse process can do. Importing this imports every heavy library: only children do."""

from __future__ import annotations

from typing import assert_never

from stages.feeds.parse import parse_feed
from stages.parse.frames import (
    Answer,
    Article,
    EnrichJob,
    Enrichment,
    ExtractJob,
    FeedJob,
    FeedRead,
    Glanced,
    GlanceJob,
    Job,
)
from stages.text.article import extract
from stages.text.enrichment import enrich
from stages.text.look import look


def warm() -> None:
    """Load what the libraries load at first use: 0.7 s of language model that no job's deadline should pay for."""
    enrich("The first sentence of the day.", title=None, declared=None)


def answer(job: Job) -> Answer:
    """Do one job. Raises ParseError for what cannot be read."""
    match job:
        case GlanceJob(content=content, url=url, media_type=media_type, charset=charset):
            return Glanced(glance=look(content, url=url, media_type=media_type, charset=charset))
        case ExtractJob(content=content, url=url, media_type=media_type, charset=charset, today=today):
            return Article(document=extract(content, url=url, media_type=media_type, charset=charset, today=today))
        case EnrichJob(text=text, title=title, declared=declared):
            return Enrichment(enriched=enrich(text, title=title, declared=declared))
        case FeedJob(content=content, url=url, charset=charset):
            return FeedRead(feed=parse_feed(content, url=url, charset=charset))
        case _:
            assert_never(job)
