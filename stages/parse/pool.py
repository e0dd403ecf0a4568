"""The pool of parse processes: a page that crashes, hangs or bloats the parser costs its own attempt and nothing else.

The process that holds the pool never imports the parsers. Jobs wait in order of arrival; each has a deadline, at which
its process is killed. A process that was killed, died or has read enough pages is replaced before anyone asks for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import anyio

from observability import metrics, trace
from observability.names import Attribute, Span
from pipeline.documents import Enriched, Extracted
from pipeline.errors import ParseCrashed, ParseError, ParseTimeout, Unsupported
from stages.feeds.entries import ParsedFeed
from stages.parse.frames import (
    Answer,
    Article,
    EnrichJob,
    Enrichment,
    ExtractJob,
    Failed,
    FeedJob,
    FeedRead,
    FrameTooLarge,
    Glanced,
    GlanceJob,
    Job,
    OutOfMemory,
)
from stages.parse.process import ParseProcess
from stages.settings import ParseSettings
from stages.text.glance import Glance

_AHEAD = 5  # pages before its retirement at which a process's successor is started


class ParsePool:
    """`async with ParsePool(settings, processes)`; its methods may be called by any number of tasks at once.

    All methods are cancel-safe (the process at work is killed and replaced) and raise ParseTimeout, ParseCrashed or
    ParseError. `environ` is all that the processes see of the environment.
    """

    def __init__(self, settings: ParseSettings, processes: int, *, environ: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._count = processes
        self._environ = dict(environ or {})
        self._places = anyio.Semaphore(processes, max_value=processes)
        self._idle: deque[ParseProcess] = deque()
        self._successors: list[ParseProcess] = []
        self._busy: set[ParseProcess] = set()
        self._dying: list[ParseProcess] = []

    async def __aenter__(self) -> Self:
        self._idle.extend(self._start() for _ in range(self._count))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self._idle, *self._successors, *self._busy):
            self._retire(process)
        self._idle.clear()
        self._successors.clear()
        self._busy.clear()
        for process in self._dying:
            await process.reap()
        self._dying.clear()

    def pids(self) -> tuple[int, ...]:
        """The processes that are alive, for tests and for the pipeline page."""
        return tuple(process.pid for process in (*self._idle, *self._busy, *self._successors))

    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance:
        """The facts that validation judges by."""
        match await self._run(GlanceJob(content=content, url=url, media_type=media_type, charset=charset)):
            case Glanced(glance=glance):
                return glance
            case other:
                raise _failure(other)

    async def extract(
        self, content: bytes, *, url: str, media_type: str, today: str, charset: str | None = None
    ) -> Extracted | None:
        """The article, or None when there is no text. `today` (ISO date) is the latest that it can be from."""
        job = ExtractJob(content=content, url=url, media_type=media_type, charset=charset, today=today)
        match await self._run(job):
            case Article(document=document):
                return document
            case other:
                raise _failure(other)

    async def enrich(self, text: str, *, title: str | None = None, declared: str | None = None) -> Enriched:
        """What can be found out about a text; `declared` is the language its page claims."""
        match await self._run(EnrichJob(text=text, title=title, declared=declared)):
            case Enrichment(enriched=enriched):
                return enriched
            case other:
                raise _failure(other)

    async def feed(self, content: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        """The entries of a feed. Raises Unsupported when it is none."""
        match await self._run(FeedJob(content=content, url=url, charset=charset)):
            case FeedRead(feed=feed):
                return feed
            case other:
                raise _failure(other)

    async def _run(self, job: Job) -> Answer:
        kind, asked = type(job).__name__.removesuffix("Job").lower(), anyio.current_time()
        with trace.span(Span.PARSE + kind) as span:
            async with self._places:
                process = self._take()
                well = False
                try:
                    await process.ready()
                    span.set({Attribute.PROCESS: process.pid, Attribute.WAITED: anyio.current_time() - asked})
                    with _timed(kind) as seen:
                        answer = seen(await self._ask(process, job))
                    well = not isinstance(answer, OutOfMemory)
                finally:
                    self._give_back(process, well=well)
                return answer

    async def _ask(self, process: ParseProcess, job: Job) -> Answer:
        seconds = self._settings.deadline_seconds
        try:
            with anyio.move_on_after(seconds):
                return await process.ask(job)
        except FrameTooLarge as error:
            raise Unsupported(f"the body is too large to be parsed: {error}") from error
        raise ParseTimeout(f"the parser was killed after {seconds:g} s", hint="the page may be made to hang parsers")

    def _take(self) -> ParseProcess:
        self._dying = [process for process in self._dying if not process.gone()]
        process = self._idle.popleft()
        if process.gone():  # it died idle: no item's fault
            self._retire(process)
            process = self._start()
        self._busy.add(process)
        if process.pages == max(0, self._settings.recycle_pages - _AHEAD) and len(self._successors) < self._count:
            self._successors.append(self._start())
        return process

    def _give_back(self, process: ParseProcess, *, well: bool) -> None:
        if process not in self._busy:  # the pool was closed meanwhile
            return
        self._busy.remove(process)
        if well and process.pages < self._settings.recycle_pages:
            self._idle.append(process)
            return
        self._retire(process)
        self._idle.append(self._successors.pop(0) if self._successors else self._start())

    def _retire(self, process: ParseProcess) -> None:
        process.kill()
        self._dying.append(process)

    def _start(self) -> ParseProcess:
        return ParseProcess(memory_mib=self._settings.memory_mib, environ=self._environ)


@contextmanager
def _timed(task: str) -> Iterator[Callable[[Answer], Answer]]:
    """The time a process takes for a job, and how that ends."""
    began, result = anyio.current_time(), "cancelled"

    def seen(answer: Answer) -> Answer:
        nonlocal result
        result = "failed" if isinstance(answer, Failed) else "crashed" if isinstance(answer, OutOfMemory) else "ok"
        return answer

    try:
        yield seen
    except ParseError as error:
        result = "timeout" if isinstance(error, ParseTimeout) else "crashed"
        raise
    finally:
        metrics.PARSE_SECONDS.record(anyio.current_time() - began, task=task, result=result)


def _failure(answer: Answer) -> ParseError:
    match answer:
        case OutOfMemory():
            return ParseCrashed("the page needs more memory than a parse process may use")
        case Failed(code=Unsupported.code, message=message):
            return Unsupported(message)
        case Failed(message=message):
            return ParseError(message)
        case _:
            return ParseCrashed(f"the parse process answered {type(answer).__name__} to another question")
