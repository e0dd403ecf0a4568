"""Other addresses of the same page, on sites that are known well, and AMP. For keys only: what is fetched is as given.

An alias that is wrong loses what a person wanted to keep, one that is missing keeps a page twice. So a rule stands
here only when both addresses show the same thing by the site's own design; for all others there are redirects and
what a page says of itself (rel=canonical), which is believed only when the texts agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A page on a host at its scheme's own port: `path` begins with a slash, `query` has no question mark."""

    host: str
    path: str
    query: str


def aliased(place: Place, site: str) -> Place:
    """The same page by its usual address, one step at a time: call again until nothing changes."""
    rule = _SITES.get(site)
    changed = place if rule is None else rule(place)
    return _without_amp(changed) if _amp_in(changed) else changed


def _at(place: Place, *, host: str | None = None, path: str | None = None, query: str | None = None) -> Place:
    return Place(
        host=place.host if host is None else host,
        path=place.path if path is None else path,
        query=place.query if query is None else query,
    )


# -- AMP --------------------------------------------------------------------------------------------------------------
# `/products/amp` may be a thing that amplifies, `amp.example.org/pricing` a product: only of what reads like
# the slug or the number of an article is `amp` a version. `?amp` is a switch in publishing systems; other values than
# these may mean something else.
_NUMBER: Final = re.compile(r"[0-9]{4}")
_PAGE_NAME: Final = re.compile(r".\.(?:html?|php|aspx?)$")
_AMP_SWITCH: Final = frozenset({"amp", "amp=", "amp=1", "amp=true", "outputtype=amp"})
_NO_NAME: Final = frozenset({"co", "com", "org", "net", "ac", "gov", "edu"})  # amp.com.au is a firm and no prefix


def _amp_in(place: Place) -> bool:
    return "amp" in place.path or "amp" in place.query.lower() or place.host.startswith("amp.")


def _without_amp(place: Place) -> Place:
    host, path, query = place.host, place.path, place.query
    labels = host.split(".")
    if labels[0] == "amp" and len(labels) > 2 and labels[1] not in _NO_NAME and _is_article(path.removesuffix("/")):
        host = ".".join(["www", *labels[1:]])  # sites that have a host for AMP have one for the rest
    path = _path_without_amp(path)
    if query:
        query = "&".join(part for part in query.split("&") if part.lower() not in _AMP_SWITCH)
    return Place(host=host, path=path, query=query)


def _path_without_amp(path: str) -> str:
    """`/slug/amp`, `/slug/amp/`, `/slug.amp` and `/amp/…/slug` lead to the same article as `/slug`."""
    if path.endswith(".amp.html"):
        return path.removesuffix(".amp.html") + ".html"
    slash = "/" if path.endswith("/") else ""
    bare = path.removesuffix("/")
    for ending in ("/amp", ".amp"):
        if bare.endswith(ending) and _is_article(bare.removesuffix(ending)):
            return bare.removesuffix(ending) + slash
    if bare.startswith("/amp/") and _is_article(bare):
        return path.removeprefix("/amp")
    return path


def _is_article(path: str) -> bool:
    name = path[path.rfind("/") + 1 :]
    return name.count("-") >= 2 or bool(_NUMBER.search(name) or _PAGE_NAME.search(name))


# -- Sites ------------------------------------------------------------------------------------------------------------

_VIDEO: Final = r"([A-Za-z0-9_-]{11})"
_VIDEO_PATH: Final = re.compile(rf"/(?:shorts|embed|live|v|e)/(?!videoseries|live_stream){_VIDEO}/?")
_VIDEO_SHORT: Final = re.compile(rf"/{_VIDEO}/?")
_VIDEO_ID: Final = re.compile(rf"(?:^|&)v={_VIDEO}(?:&|$)")


def _youtube(place: Place) -> Place:
    """One video is one page, wherever it starts and whichever list it plays in. Lists, channels, posts stay."""
    if place.host not in _YOUTUBE:
        return place
    found = _VIDEO_PATH.fullmatch(place.path)
    if found is None and place.path == "/watch":
        found = _VIDEO_ID.search(place.query)
    if found:
        return Place(host="www.youtube.com", path="/watch", query="v=" + found[1])
    return _at(place, host=_YOUTUBE[place.host])


# Where a host leads that shows no video: only the mobile one is the same site.
_YOUTUBE: Final = {"youtube.com": "www.youtube.com", "m.youtube.com": "www.youtube.com"} | {
    host: host for host in ("www.youtube.com", "music.youtube.com", "youtube-nocookie.com", "www.youtube-nocookie.com")
}


def _youtu_be(place: Place) -> Place:
    found = _VIDEO_SHORT.fullmatch(place.path)
    return Place(host="www.youtube.com", path="/watch", query="v=" + found[1]) if found else place


_THREAD: Final = re.compile(r"(?:/(?:r|user)/[^/]+)?/comments/([a-z0-9]+)(?:/[^/]*)?/?")


def _reddit(place: Place) -> Place:
    """A thread is known by its number; a single comment in it is a page of its own."""
    host = "www.reddit.com" if place.host in _REDDIT else place.host
    found = _THREAD.fullmatch(place.path) if host == "www.reddit.com" else None
    return _at(place, host=host, path=f"/comments/{found[1]}" if found else None)


_REDDIT: Final = frozenset({"reddit.com", "old.reddit.com", "new.reddit.com", "np.reddit.com", "m.reddit.com",
                            "i.reddit.com", "amp.reddit.com", "sh.reddit.com"})  # fmt: skip
_REDD_IT: Final = re.compile(r"/([a-z0-9]+)/?")


def _redd_it(place: Place) -> Place:
    found = _REDD_IT.fullmatch(place.path) if place.host in {"redd.it", "www.redd.it"} else None
    return _at(place, host="www.reddit.com", path=f"/comments/{found[1]}") if found else place


_STATUS: Final = re.compile(r"/(?:i/web|[A-Za-z0-9_]+)/status/([0-9]+)(?:/(?:photo|video)/[0-9]+)?/?")


def _x(place: Place) -> Place:
    """A post is known by its number: the site answers it under any name. Other front ends are other servers."""
    if place.host not in _X:
        return place
    found = _STATUS.fullmatch(place.path)
    return _at(place, host="x.com", path=f"/i/status/{found[1]}" if found else None)


_X: Final = frozenset({"x.com", "www.x.com", "mobile.x.com", "twitter.com", "www.twitter.com", "mobile.twitter.com",
                       "m.twitter.com"})  # fmt: skip


def _wiki(place: Place) -> Place:
    """en.m.wikipedia.org is en.wikipedia.org, m.wikidata.org is www.wikidata.org."""
    labels = place.host.split(".")
    if labels[0] == "m" and len(labels) == 3:
        return _at(place, host="www." + ".".join(labels[1:]))
    if len(labels) == 4 and labels[1] == "m":
        return _at(place, host=".".join([labels[0], *labels[2:]]))
    return place


def _hosts(usual: str, *others: str) -> Callable[[Place], Place]:
    """The same site under other host names, with the same paths."""
    known = frozenset(others)
    return lambda place: _at(place, host=usual) if place.host in known else place


_SITES: Final[dict[str, Callable[[Place], Place]]] = {
    "facebook.com": _hosts("www.facebook.com", "facebook.com", "m.facebook.com", "mbasic.facebook.com",
                           "touch.facebook.com", "web.facebook.com"),
    "imdb.com": _hosts("www.imdb.com", "imdb.com", "m.imdb.com"),
    "nytimes.com": _hosts("www.nytimes.com", "nytimes.com", "mobile.nytimes.com", "m.nytimes.com"),
    "redd.it": _redd_it,
    "reddit.com": _reddit,
    "tumblr.com": _hosts("www.tumblr.com", "tumblr.com"),
    "twitter.com": _x,
    "x.com": _x,
    "youtu.be": _youtu_be,
    "youtube-nocookie.com": _youtube,
    "youtube.com": _youtube,
} | dict.fromkeys(
    ("wikipedia.org", "wiktionary.org", "wikibooks.org", "wikinews.org", "wikiquote.org", "wikisource.org",
     "wikiversity.org", "wikivoyage.org", "wikimedia.org", "wikidata.org", "mediawiki.org"), _wiki,
)  # fmt: skip
