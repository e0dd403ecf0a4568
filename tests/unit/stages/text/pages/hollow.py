"""Pages without an article in them: nothing, menus, set type, garbage, and what broke off."""

from __future__ import annotations

import random

from tests.unit.stages.text.pages.page import Sample, article, bare, site

_RUSSIAN = (
    "Лампа не горела одиннадцать дней, когда смотритель порта наконец переплыл бухту, чтобы узнать, что случилось с хранителем маяка. "
    "Дверь стояла открытой, и чайник на плите был ещё тёплым. Никто в посёлке не видел огня с самого дня большой бури."
) * 3  # fmt: skip
_GREEK = (
    "Ο φάρος έμεινε σβηστός έντεκα μέρες πριν ο λιμενάρχης περάσει απέναντι με τη βάρκα για να δει τι απέγινε ο φύλακας. "
    * 4
)
_DICE = random.Random(7)
_NOISE = bytes(_DICE.choice([*range(1, 9), *range(0x80, 0x100), *range(0x30, 0x7B)]) for _ in range(1500))


def _hollow(
    name: str,
    code: str,
    content: str | bytes,
    *,
    signature: tuple[str, str] | None = None,
    media_type: str = "text/html",
) -> Sample:
    return Sample(
        name=name,
        code=code,
        content=content if isinstance(content, bytes) else content.encode(),
        signature=signature,
        media_type=media_type,
    )


def _frame(body: str) -> str:
    return f"<!DOCTYPE html><html><head><meta charset=utf-8><title>Маяк</title></head><body><h1>Маяк</h1><p>{body}</p></body></html>"


EMPTY = (
    _hollow("nothing", "empty", b""),
    _hollow("white space", "empty", b"\r\n \t\n"),
    _hollow(
        "a frame with nothing in it",
        "empty",
        "<!DOCTYPE html><html><head><title>The Site</title></head><body><div id='main'></div></body></html>",
    ),
)
STUBS = (
    _hollow("an app of React", "stub", bare("App", '<noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div><script src="/static/js/main.3f2a.js"></script>')),
    _hollow("an app that says so", "stub", bare("App", '<p>Please enable JavaScript to view this page.</p><script src="/app.js"></script>'), signature=("scripts", "a page made by scripts")),
    _hollow("soon", "stub", bare("The Site", "<h1>Coming soon</h1><p>Something new is on its way.</p>")),
    _hollow("a picture and its name", "stub", bare("DSC_0042", '<img src="/i/DSC_0042.jpg"><p>DSC_0042.jpg</p>')),
)  # fmt: skip
BOILERPLATE = (
    _hollow("a menu and nothing else", "boilerplate", site("The Site", "", menu=("Home", "News", "Sport", "Weather", "Travel", "Money", "Health", "Food", "Cars", "Homes", "Jobs", "Dating", "Games", "Puzzles", "Horoscopes", "TV guide", "Shop",
            "Archive", "Newsletter", "Podcasts", "Contact"), footer="Imprint")),
    _hollow("a notice on cookies", "boilerplate", bare("The Site", "<p>This website uses cookies to ensure you get the best experience.</p><p>By clicking Accept all you give your consent to all cookies. You can withdraw your choice in our privacy "
            "policy at any time.</p><button>Accept all cookies</button>"), signature=("cookies", "a notice on cookies")),
    _hollow("a notice on cookies in German", "boilerplate", bare("Die Seite", "<p>Wir verwenden Cookies, um Inhalte und Anzeigen zu personalisieren.</p><p>Ihre Einwilligung können Sie jederzeit in der Erklärung zum Datenschutz widerrufen.</p>"
            "<button>Alle akzeptieren, auch Cookies Dritter</button>", lang="de")),
    _hollow("one line again and again", "boilerplate", bare("Feed", "<div>Loading, please wait. </div>" * 60)),
    _hollow("set type", "boilerplate", site("My theme", article("A headline", "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.", "Ut enim ad minim veniam, quis nostrud "
            "exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat.")), signature=("placeholder", "set type")),
    _hollow("the first post", "boilerplate", bare("Hello world! – My blog", "<p>My blog: just another WordPress site.</p><h1>Hello world!</h1><p>Welcome to WordPress. This is your first post. Edit or delete it, then start writing!</p><p>1 comment</p>"), signature=("placeholder", "WordPress")),
)  # fmt: skip
GARBLED = (
    _hollow("Russian as Latin", "garbled", _frame(_RUSSIAN.encode("cp1251").decode("latin-1"))),
    _hollow("UTF-8 as Latin, written again", "garbled", _frame(_RUSSIAN.encode().decode("latin-1"))),
    _hollow("Greek UTF-8 as windows-1252, written again", "garbled", _frame(_GREEK.encode().decode("cp1252", "replace"))),
    _hollow("replaced already", "garbled", _frame("\ufffd\ufffd\ufffd \ufffd\ufffd the \ufffd\ufffd\ufffd\ufffd light \ufffd\ufffd " * 20)),
    _hollow("binary data called a page", "garbled", b"<!DOCTYPE html><html><body><p>" + _NOISE + b"</p></body></html>"),
    _hollow("binary data after a line of text", "garbled", b"A line of text that a program has put first. " * 50 + b"\n" + _NOISE * 3, media_type="text/plain"),
)  # fmt: skip
TRUNCATED = (
    _hollow("cut in a tag", "truncated", site("The keeper of the northern light", article("The keeper", "The lamp had been out for eleven days when the harbour master finally rowed across to see what had become of the keeper, and found the door "
            "open."))[:-420] + '<div class="cont'),
    _hollow("cut in a script", "truncated", "<!DOCTYPE html><html><head><title>The keeper</title></head><body><h1>The keeper of the northern light</h1><p>The lamp had been out for eleven days when the harbour master finally rowed across, and found the door "
            'open and the kettle warm.</p><script>window.__STATE__={"article":{"body":"The lamp had been'),
)  # fmt: skip
