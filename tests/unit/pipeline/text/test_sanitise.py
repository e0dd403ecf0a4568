"""Whatever a page contains, what is shown of it runs nothing and loads nothing but images by http."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.sanitise import sanitise

VECTORS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script\x00>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror\x0c=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    '<img src="x` `<script>alert(1)</script>"` `>',
    "<img src=javascript:alert(1)>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<img src=x srcset='https://evil.example/a 1x, javascript:alert(1) 2x'>",
    "<img lowsrc=javascript:alert(1) dynsrc=javascript:alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<svg><set attributeName=href to=javascript:alert(1)>",
    "<svg><foreignObject><iframe srcdoc='<script>alert(1)</script>'></foreignObject></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<svg><use href='data:image/svg+xml;base64,PHN2Zz4='></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math><mtext><option><FAKEFAKE><option></option><mglyph><svg><mtext><style><a title='</style><img onerror>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<math href=javascript:alert(1)>x</math>",
    "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<math><annotation-xml encoding='text/html'><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<template shadowrootmode=open><img src=x onerror=alert(1)></template>",
    "<style>@import '//evil.example/x.css';</style>",
    "<style><img title='</style><img src onerror=alert(1)>'>",
    "<p style='background:url(javascript:alert(1))'>x</p>",
    "<p style='width:expression(alert(1))'>x</p>",
    "<div style=behavior:url(x.htc)>x</div>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=//evil.example/>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe/onload=alert(1)>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<applet code=x></applet>",
    "<frameset onload=alert(1)><frame src=javascript:alert(1)></frameset>",
    "<body onload=alert(1) background=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button formaction=javascript:alert(1)>x</button><input onfocus=alert(1)></form>",
    "<isindex action=javascript:alert(1) type=image>",
    "<video src=x onerror=alert(1) poster=javascript:alert(1)><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)></audio>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<select autofocus onfocus=alert(1)><option>x</select>",
    "<textarea><img src=x onerror=alert(1)></textarea><textarea autofocus onfocus=alert(1)>",
    "<title><img src=x onerror=alert(1)></title>",
    "<xmp><img src=x onerror=alert(1)></xmp><xmp></xmp><script>alert(1)</script>",
    "<plaintext><script>alert(1)</script>",
    "<noembed><img src=x onerror=alert(1)></noembed>",
    "<noframes><img src=x onerror=alert(1)></noframes>",
    "<!--><script>alert(1)</script>-->",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<!DOCTYPE x [<!ENTITY y '<script>alert(1)</script>'>]>&y;",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=JaVaScRiPt:alert(1)>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='java&#9;script:alert(1)'>x</a>",
    "<a href='java&Tab;script&colon;alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='&#x6A&#x61&#x76&#x61script:alert(1)'>x</a>",
    "<a href='&#0000106&#0000097vascript:alert(1)'>x</a>",
    "<a href='javascript&#58;alert(1)'>x</a>",
    "<a href='\u200bjavascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='DATA:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='blob:https://example.com/x'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='view-source:javascript:alert(1)'>x</a>",
    "<a href='feed:javascript:alert(1)'>x</a>",
    "<a href='https:javascript:alert(1)' ping='//evil.example' target=_blank onclick=alert(1)>x</a>",
    "<a title='\"><script>alert(1)</script>' href=https://example.com/>x</a>",
    "<p title='\"onmouseover=alert(1) x=\"'>x</p>",
    "<blockquote cite=javascript:alert(1)>x</blockquote>",
    "<table background=javascript:alert(1)><td background=javascript:alert(1)>x",
    "<p id=content class=admin name=x slot=y is=z>x</p>",
    "<p xml:lang='x' xmlns:xlink='y' data-x='z' aria-label='q'>x</p>",
    "<custom-element onclick=alert(1)>x</custom-element>",
    "<p/onclick=alert(1)>x",
    "<b <script>alert(1)</script>0",
    "<a href=https://example.com/ onclick=alert(1)<!-->x</a>",
    "\u2028<img src=x\u2028onerror=alert(1)>",
    "<a\x0bhref=javascript:alert(1)>x</a>",
    "<<img src=x onerror=alert(1)//<",
    '<img alt="<x" title="/><img src=url404 onerror=alert(1)>">',
    "<ruby oncopy=alert(1)>x<rp><script>alert(1)</script></rp></ruby>",
    "<dialog open onclose=alert(1)>x</dialog>",
    "<portal src=javascript:alert(1)>",
]


class Seen(HTMLParser):
    """Everything a second, unrelated parser finds in the output."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.others: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def check_harmless(markup: str) -> None:
    seen = Seen(markup)
    assert not seen.others
    for tag, attributes in seen.tags:
        assert tag not in {
            "script",
            "style",
            "svg",
            "math",
            "iframe",
            "object",
            "embed",
            "template",
            "form",
            "link",
            "meta",
        }
        assert not {
            name for name in attributes if name.startswith(("on", "data-", "xlink", "srcset", "style", "id", "class"))
        }
        for name in ("href", "src", "cite"):
            value = attributes.get(name)
            assert value is None or value.lower().startswith(("http://", "https://", "mailto:"))
        assert not (attributes.get("src") or "").startswith("mailto:")
        if tag == "a":
            assert attributes["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("base", [None, "https://example.com/a/b"])
def test_an_attack_leaves_nothing_that_runs(vector: str, base: str | None) -> None:
    for attack in (vector, f"<p>{vector}</p>", f"<table><tr><td>{vector}", f"<a href=x><b>{vector}"):
        clean = sanitise(attack, base)
        check_harmless(clean)
        assert sanitise(clean) == clean


def test_there_are_attacks_enough() -> None:
    assert len(set(VECTORS)) >= 60


PIECES = [
    *"""
    < > / = " ' & ; -- ! ` <p> </p> <a> </a> <b> </b> <table> <tr> <td> </table> <li> <ul> <pre> <svg> </svg> <math>
    <mtext> <style> </style> <button> <select> <option> <template> <noscript> <form> <h1> <dd> <ruby> <rt> <details>
    <title> <caption> <i> <img <a href= src= onerror= javascript: &#106; &Tab; <!-- --> <![CDATA[ ]]> <?x
    https://x.example/ title=
    """.split(),  # noqa: SIM905
    *"\n\t \x00",
]


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join),
    st.sampled_from([None, "http://h/p/"]),
)
def test_cleaning_twice_is_cleaning_once(markup: str, base: str | None) -> None:
    clean = sanitise(markup, base)
    assert sanitise(clean) == clean
    assert sanitise(clean, base) == clean
    check_harmless(clean)


def test_article_markup_stays() -> None:
    markup = (
        '<h2 lang="ar" dir="rtl">عنوان</h2><p>a<sup>1</sup> <em>b</em></p><ul><li>c</li></ul>'
        "<pre><code>d\n  e</code></pre>"
        '<table><tbody><tr><th colspan="2" scope="col">f</th></tr></tbody></table><blockquote><p>g</p></blockquote>'
        '<figure><img src="https://example.com/i.png" alt="h" width="10" height="5"><figcaption>j</figcaption></figure>'
    )
    assert sanitise(markup) == markup


def test_relative_addresses_are_resolved_and_unresolved_ones_dropped() -> None:
    markup = '<a href="../c?d#e">x</a><img src="//i.example/j.png">'
    resolved = '<a href="https://example.com/c?d#e" rel="noopener noreferrer nofollow">x</a><img src="https://i.example/j.png">'
    assert sanitise(markup, "https://example.com/a/b") == resolved
    assert sanitise(markup) == '<a rel="noopener noreferrer nofollow">x</a><img>'


def test_a_base_that_is_no_address_drops_what_is_relative() -> None:
    assert sanitise('<img src="x">', "https://[") == "<img>"
    assert sanitise('<img src="x">', "javascript:") == "<img>"


def test_the_first_empty_line_of_code_stays() -> None:
    assert sanitise("<pre>\n\n\nx</pre>") == "<pre>\n\n\nx</pre>"


def test_text_of_unknown_elements_stays_and_that_of_scripts_goes() -> None:
    assert sanitise("<center>a</center><font>b</font><script>c</script><style>d</style><title>e</title>") == "ab"


def test_mail_links_stay_and_mail_images_go() -> None:
    assert 'href="mailto:a@b.example"' in sanitise('<a href="mailto:a@b.example">x</a>')
    assert sanitise('<img src="mailto:a@b.example">') == "<img>"


@pytest.mark.parametrize(
    "piece",
    """
    <b> <div> <p><b> <a/href=x> <table> <li> </p> <pre> <ruby><rt> <i><table> & &a &#x &amp; &#38; < <a <a/title="
    <!-- <svg> <math><mtext> " <b/title=%d><p>
    """.split(),  # noqa: SIM905
)
def test_a_megabyte_made_to_exhaust_a_parser_is_cleaned_in_seconds(piece: str) -> None:
    count = 1_000_000 // len(piece)
    hostile = "".join(piece % n for n in range(count)) if "%" in piece else piece * count
    started = time.process_time()
    clean = sanitise(hostile, "https://example.com/")
    assert time.process_time() - started < 10
    assert len(clean) < 10_000_000
