"""What can be found out about a text without asking anyone: language, length, summary, key phrases."""

from __future__ import annotations

from pipeline.documents import Enriched
from stages.text.language import is_cjk, language_of
from stages.text.phrases import phrases
from stages.text.reading import count, minutes
from stages.text.stopwords import stopwords
from stages.text.summary import summary


def enrich(text: str, *, title: str | None, declared: str | None) -> Enriched:
    """Deterministic. Time grows with the text only for counting words; all else reads a bounded beginning."""
    language = language_of(text, declared)
    stop = stopwords(language)
    cjk = is_cjk(text)
    words, characters = count(text)
    return Enriched(
        language=language,
        word_count=words + characters,
        reading_minutes=minutes(words, characters),
        summary=summary(text, stop=stop, cjk=cjk, title=title),
        phrases=phrases(text, stop=stop, cjk=cjk),
    )
