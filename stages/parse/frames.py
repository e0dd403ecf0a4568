"""What the pool and its child processes say to each other: jobs one way, answers the other, each in a bounded frame."""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.documents import Enriched, Extracted
from stages.feeds.entries import ParsedFeed
from stages.text.glance import Glance

HEAD_BYTES: Final = 4  # big-endian length of the message that follows
FRAME_MAX: Final = 128 * 1024 * 1024  # three renderings of the largest body that a fetch lets through


class GlanceJob(msgspec.Struct, frozen=True, kw_only=True, tag="glance"):
    content: bytes
    url: str
    media_type: str
    charset: str | None


class ExtractJob(msgspec.Struct, frozen=True, kw_only=True, tag="extract"):
    content: bytes
    url: str
    media_type: str
    charset: str | None
    today: str  # ISO date: no article is from the future


class EnrichJob(msgspec.Struct, frozen=True, kw_only=True, tag="enrich"):
    text: str
    title: str | None
    declared: str | None  # the language the page declares


class FeedJob(msgspec.Struct, frozen=True, kw_only=True, tag="feed"):
    content: bytes
    url: str
    charset: str | None


Job = GlanceJob | ExtractJob | EnrichJob | FeedJob


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The child's first word: everything is imported."""


class Glanced(msgspec.Struct, frozen=True, kw_only=True, tag="glanced"):
    glance: Glance


class Article(msgspec.Struct, frozen=True, kw_only=True, tag="article"):
    document: Extracted | None  # None: there is no text in it


class Enrichment(msgspec.Struct, frozen=True, kw_only=True, tag="enrichment"):
    enriched: Enriched


class FeedRead(msgspec.Struct, frozen=True, kw_only=True, tag="feed"):
    feed: ParsedFeed


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The job failed and the child lives. `code` is that of the error tree."""

    code: str
    message: str


class OutOfMemory(msgspec.Struct, frozen=True, kw_only=True, tag="memory"):
    """The job met the child's memory limit; the child ends after saying so."""


Answer = Ready | Glanced | Article | Enrichment | FeedRead | Failed | OutOfMemory

_encoder: Final = msgspec.msgpack.Encoder()
_jobs: Final[msgspec.msgpack.Decoder[Job]] = msgspec.msgpack.Decoder(Job)
_answers: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


class FrameTooLarge(ValueError):
    """A message is larger than FRAME_MAX."""


def pack(message: Job | Answer) -> bytes:
    """The frame of a message. Raises FrameTooLarge."""
    body = _encoder.encode(message)
    if len(body) > FRAME_MAX:
        raise FrameTooLarge(f"a message of {len(body)} bytes")
    return len(body).to_bytes(HEAD_BYTES, "big") + body


def length_of(head: bytes) -> int:
    """The length that a frame's head names. Raises FrameTooLarge."""
    length = int.from_bytes(head, "big")
    if length > FRAME_MAX:
        raise FrameTooLarge(f"a message of {length} bytes")
    return length


def job_of(body: bytes | bytearray) -> Job:
    """Raises msgspec.DecodeError for what is no job."""
    return _jobs.decode(body)


def answer_of(body: bytes | bytearray) -> Answer:
    """Raises msgspec.DecodeError for what is no answer: a child is not trusted more than the pages it reads."""
    return _answers.decode(body)
