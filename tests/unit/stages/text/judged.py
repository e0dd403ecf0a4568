"""The judgement of a sample page, as validate comes to it."""

from __future__ import annotations

from pipeline.lifecycle import Verdict
from stages.text.judge import judge
from stages.text.judgement import Addresses, Judgement
from stages.text.look import look
from stages.text.sniff import effective_type
from tests.unit.stages.text.pages.page import Sample
from tools.sample.pages import answers


def judged(sample: Sample) -> Judgement:
    if not sample.content.strip():
        return Judgement(verdict=Verdict.STUB, code="empty", evidence="an empty body", hint="-")  # validate's own rule
    kind = effective_type(sample.media_type, sample.content)
    glance = look(sample.content, url=sample.final, media_type=kind, charset=None)
    return judge(glance, whole=kind == "text/html", addresses=Addresses(asked=sample.asked, final=sample.final))


def sample_site() -> list[Sample]:
    """The pages of the sample site that claim to be articles."""
    return [
        Sample(name=path, content=answer.body)
        for path, answer in answers("http://127.0.0.1").items()
        if answer.media_type.startswith("text/html") and answer.location is None
    ]
