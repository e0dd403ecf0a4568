"""Parameters that say where a reader came from, or who shared it, and never which page it is."""

from __future__ import annotations

from typing import Final

_PREFIXES: Final = ("utm_", "mtm_", "hsa_", "__hs", "at_custom")
_EVERYWHERE: Final = frozenset(
    """
    fbclid fb_action_ids fb_action_types fb_ref fb_source gclid gclsrc dclid gbraid wbraid gad_source gad_campaignid
    srsltid _ga _gl msclkid mc_cid mc_eid igsh igshid twclid ttclid li_fat_id yclid ysclid _openstat _hsenc _hsmi
    hsctatracking mkt_tok vero_conv vero_id oly_anon_id oly_enc_id rb_clickid s_cid wickedid epik ml_subscriber
    ml_subscriber_hash _branch_match_id _branch_referrer at_medium at_campaign at_link_id at_link_origin at_link_type
    at_ptr_name at_format at_bbc_team usqp amp_js_v amp_gsa ampshare pk_campaign
    pk_kwd pk_keyword pk_cpn pk_source pk_medium pk_content pk_cid
    """.split()  # noqa: SIM905 - a table reads better than a list
)

# On these sites (and below them) these names mean the same; elsewhere they may be part of the address.
_ON_SITE: Final[dict[str, frozenset[str]]] = {
    "bbc.com": frozenset({"xtor"}),
    "facebook.com": frozenset({"mibextid", "rdid", "share_url", "__tn__", "__xts__[0]"}),
    "instagram.com": frozenset({"hl"}),
    "linkedin.com": frozenset({"trk", "trackingid", "lipi", "rcm"}),
    "medium.com": frozenset({"source", "sk", "gi"}),
    "newyorker.com": frozenset({"mbid"}),
    "nytimes.com": frozenset({"smid", "smtyp", "unlocked_article_code", "referringsource", "partner", "emc"}),
    "reddit.com": frozenset({"share_id", "rdt", "ref", "ref_source", "ref_campaign"}),
    "spotify.com": frozenset({"si"}),
    # Not publication_id and post_id: substack.com/app-link/post, the link in its e-mails, is another post by each.
    "substack.com": frozenset({"r", "s", "isfreemail", "showwelcomeonshare", "triedredirect", "token"}),
    "tiktok.com": frozenset({"_r", "_t", "is_from_webapp", "sender_device"}),
    "vox.com": frozenset({"view_token"}),
    "washingtonpost.com": frozenset({"itid", "pwapi_token"}),
    "wired.com": frozenset({"mbid"}),
    "x.com": frozenset({"s", "t", "ref_src", "ref_url"}),
    "twitter.com": frozenset({"s", "t", "ref_src", "ref_url"}),
}
_NONE: Final[frozenset[str]] = frozenset()


def site_of(host: str) -> str:
    """The last two labels: enough to look well-known sites up by, no more is meant by it."""
    dot = host.rfind(".", 0, max(host.rfind("."), 0))
    return host[dot + 1 :]


def untracked(site: str, parameters: str) -> str:
    """`parameters` (without the question mark) in their order, for it may matter, without empty and tracking ones."""
    if not parameters:
        return ""
    local = _ON_SITE.get(site, _NONE)
    return "&".join(part for part in parameters.split("&") if part and not _tracks(part, local))


def _tracks(part: str, local: frozenset[str]) -> bool:
    name = part.partition("=")[0].lower()
    return name in _EVERYWHERE or name in local or name.startswith(_PREFIXES)
