"""The parse process itself: what it answers to what it cannot do, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import ParseError, Unsupported
from stages.parse import child, frames
from stages.parse.frames import (
    HEAD_BYTES,
    Answer,
    EnrichJob,
    Enrichment,
    Failed,
    FeedJob,
    FeedRead,
    FrameTooLarge,
    OutOfMemory,
    Ready,
    answer_of,
    length_of,
    pack,
)

RSS = b'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title></channel></rss>'
JOB = EnrichJob(text="The text of a page.", title=None, declared=None)


@contextmanager
def process(root: Path, *, parent: int | None = None) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    with (
        ours,
        theirs,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "stages.parse.child", str(parent or os.getpid()), "1024"],
            stdin=theirs.fileno(),
            env={"PYTHONPATH": str(root)},
        ) as started,
    ):
        theirs.close()
        try:
            yield started, ours
        finally:
            started.kill()


def receive(channel: socket.socket) -> Answer:
    head = channel.recv(HEAD_BYTES, socket.MSG_WAITALL)
    return answer_of(channel.recv(length_of(head), socket.MSG_WAITALL))


def test_it_answers_one_job_after_the_other_and_ends_by_itself_when_the_pool_has_gone(root: Path) -> None:
    with process(root) as (started, channel):
        assert receive(channel) == Ready()
        for _ in range(2):
            channel.sendall(pack(JOB))
            assert isinstance(receive(channel), Enrichment)
        channel.sendall(pack(FeedJob(content=RSS, url="http://a.test/feed", charset=None)))
        assert isinstance(receive(channel), FeedRead)
        channel.sendall(pack(FeedJob(content=b"no feed", url="http://a.test/", charset=None)))
        assert isinstance(receive(channel), Failed)
        channel.close()
        assert started.wait(30) == 0


@pytest.mark.slow
def test_it_ends_also_when_the_pool_goes_in_the_middle_of_a_job(root: Path) -> None:
    with process(root) as (started, channel):
        assert receive(channel) == Ready()
        channel.sendall(pack(JOB)[:-1])
        channel.close()
        assert started.wait(30) == 0


def test_one_whose_parent_has_died_before_it_came_up_ends_at_once(root: Path) -> None:
    with process(root, parent=1 if os.getpid() != 1 else 2) as (started, channel):
        assert started.wait(30) == 0
        assert channel.recv(1) == b""


def test_an_error_of_the_tree_keeps_its_code_and_any_other_is_that_jobs_failure() -> None:
    def raising(error: BaseException) -> Answer:
        def answer(_job: object) -> Answer:
            raise error

        return child._attempt(answer, JOB)

    assert raising(Unsupported("a film")) == Failed(code=Unsupported.code, message="a film")
    assert raising(ValueError("x" * 1000)) == Failed(code=ParseError.code, message=f"ValueError: {'x' * 488}")
    assert raising(MemoryError()) == OutOfMemory()
    with pytest.raises(KeyboardInterrupt):
        raising(KeyboardInterrupt())


def test_an_answer_that_cannot_be_sent_is_told_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(answer: Answer) -> Answer:
        return answer_of(child._packed(answer)[HEAD_BYTES:])

    told = sent(Failed(code="x", message="\ud800"))
    assert isinstance(told, Failed)
    assert told.message.startswith("the result is no text")
    monkeypatch.setattr(frames, "FRAME_MAX", 200)
    told = sent(Failed(code="x", message="x" * 300))
    assert isinstance(told, Failed)
    assert told.message.startswith("the result is too large: a message of 3")
    with pytest.raises(FrameTooLarge):
        length_of((201).to_bytes(HEAD_BYTES, "big"))

    def full(_message: object) -> bytes:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(child, "pack", full)
    assert answer_of(child._packed(Ready())[HEAD_BYTES:]) == OutOfMemory()
