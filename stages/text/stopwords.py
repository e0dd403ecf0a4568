"""The commonest words of a language: jusText's frequency lists, cut to the part that carries no meaning."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

COUNT: Final = 350  # of a list sorted by frequency; further down stand words like "school" and "war"

_LISTS: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian_Bokmal", "nl": "Dutch", "nn": "Norwegian_Nynorsk",
    "no": "Norwegian_Bokmal", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese",
}  # fmt: skip

# The lists were counted in Wikipedia, which speaks to nobody and of nobody in the first person.
_SPOKEN: Final = {
    "en": "i you your yours me my mine we us our ours let like just really thing things don't can't it's i'm",
    "de": "ich du mich mir mein meine dich dir dein deine wir uns unser unsere ihr euch euer einfach mal",
    "fr": "je tu me te moi toi mon ma mes ton ta tes nous vous notre nos votre vos",
    "es": "yo tú me te mi mis tu tus nosotros nos nuestro nuestra usted ustedes",
    "it": "io tu mi ti mio mia tuo tua noi ci vi nostro nostra vostro vostra",
    "pt": "eu tu me te meu minha teu tua nós nosso nossa você vocês",
}


@lru_cache(maxsize=8)
def stopwords(language: str | None) -> frozenset[str]:
    """In lower case; empty for a language without a list."""
    name = _LISTS.get(language or "")
    if name is None:
        return frozenset()
    lines = (files("justext") / "stoplists" / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    spoken = _SPOKEN.get(language or "", "").split()
    return frozenset(spoken) | frozenset(line.strip().lower() for line in lines[:COUNT] if line.strip())
