"""A document and a feed for the tests of the stages that take them."""

from __future__ import annotations

from pipeline.documents import Document
from pipeline.work import Feed

FEED = Feed(
    id=7, uid="01HF7YAT00000000000000000F", url="https://a.test/feed", title="Known", etag='"e1"', last_modified="Tue",
    interval_seconds=600, next_poll_at=0, failures=0,
)  # fmt: skip
DOCUMENT = Document(
    item_id=1, title="Title", author=None, site=None, published=None, language="en-GB", description=None,
    text="A text of six little words.", markdown="", html="", images=(), links=(), word_count=None,
    reading_minutes=None, summary=None, phrases=(), method="trafilatura", text_hash=None, content_hash=None,
    extracted_at=1,
)  # fmt: skip
