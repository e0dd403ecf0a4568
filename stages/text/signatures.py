"""Pages that stand in front of an article: challenges, consent walls, logins, error pages. Data, with its sources.

Each is looked for in what a glance holds, in lower case. A page with an article's worth of text is never one of these
(see judge.py): sites behind such services carry their scripts on every page.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Any one of its strings is enough: the whole title, the start of a title, a piece of the text, or a marker."""

    name: str
    titles: tuple[str, ...] = ()  # begin the title
    texts: tuple[str, ...] = ()  # stand in the visible text
    markers: tuple[str, ...] = ()  # stand in an id (#), a class (.) or an address


CHALLENGES: Final = (
    # developers.cloudflare.com/cloudflare-challenges: interstitial and block pages
    Signature(
        name="Cloudflare",
        titles=("just a moment...", "attention required! | cloudflare", "please wait... | cloudflare"),
        texts=("performance & security by cloudflare", "verifying you are human. this may take a few seconds"),
        markers=(
            "#challenge-form",
            "#challenge-running",
            "#challenge-error-text",
            "#cf-challenge",
            ".cf-error-details",
        ),
    ),
    # techdocs.akamai.com: edge "Reference #" block page and the Bot Manager crypto challenge
    Signature(
        name="Akamai",
        texts=("errors.edgesuite.net", "you don't have permission to access \"http"),
        markers=("#sec-if-cpt-container", "#sec-cpt-if", "/_sec/cp_challenge/"),
    ),
    # docs.humansecurity.com (PerimeterX): "Press & Hold"
    Signature(
        name="PerimeterX",
        titles=("access to this page has been denied",),
        texts=("press & hold to confirm you are",),
        markers=("#px-captcha", "captcha.px-cdn.net", "captcha.px-cloud.net"),
    ),
    # docs.datadome.co: response page with a captcha in an iframe
    Signature(
        name="DataDome",
        texts=("please enable js and disable any ad blocker",),
        markers=("captcha-delivery.com",),
    ),
    # docs.imperva.com: Incapsula incident page
    Signature(
        name="Imperva",
        texts=("request unsuccessful. incapsula incident id",),
        markers=("/_incapsula_resource?cwudnsai",),
    ),
    # docs.sucuri.net: firewall block page and its JavaScript redirect
    Signature(
        name="Sucuri",
        titles=("sucuri website firewall", "you are being redirected..."),
        texts=("access denied - sucuri website firewall",),
    ),
    # docs.aws.amazon.com/waf: challenge and CAPTCHA actions
    Signature(
        name="AWS WAF",
        titles=("human verification",),
        markers=(".token.awswaf.com", ".captcha.awswaf.com", ".captcha-sdk.awswaf.com"),
    ),
    # ddos-guard.net: check page
    Signature(name="DDoS-Guard", titles=("ddos-guard",), markers=("/.well-known/ddos-guard/",)),
    # vercel.com/docs: attack challenge mode
    Signature(name="Vercel", titles=("vercel security checkpoint",)),
    # anubis.techaro.lol: proof-of-work page
    Signature(name="Anubis", titles=("making sure you're not a bot!",), markers=("/.within.website/x/cmd/anubis/",)),
    # support.google.com/websearch/answer/86640
    Signature(
        name="Google",
        texts=("our systems have detected unusual traffic from your computer network",),
    ),
    # Amazon's robot check
    Signature(name="Amazon", titles=("robot check",), markers=("/errors/validatecaptcha",)),
    # Reddit's block page
    Signature(name="Reddit", texts=("you've been blocked by network security",)),
    # yandex.com/support/smart-captcha
    Signature(name="Yandex", titles=("are you not a robot?", "вы не робот?"), markers=("/checkcaptcha?",)),
    # wordfence.com/help: block page
    Signature(name="Wordfence", texts=("your access to this site has been limited by the site owner",)),
    # kasada.io: the page is nothing but its script
    Signature(name="Kasada", markers=("/149e9513-01fa-4fb0-aad4-566afd725d1b/",)),
    # Seen on many: home-made or older checks
    Signature(
        name="a browser check",
        titles=("checking your browser", "please verify you are a human", "security check", "ddos protection by"),
        texts=(
            "checking your browser before accessing",
            "verify you are human by completing the action below",
            "please complete the security check to access",
            "please verify that you are not a robot",
            "confirm you are not a robot",
        ),
    ),
)

# Widgets that also stand below ordinary comment forms: they tell only together with words (see judge.py).
CAPTCHA_MARKERS: Final = (
    "hcaptcha.com/",  # docs.hcaptcha.com
    "google.com/recaptcha/",  # developers.google.com/recaptcha
    "recaptcha.net/",
    "challenges.cloudflare.com/turnstile",  # developers.cloudflare.com/turnstile
    "friendlycaptcha",  # docs.friendlycaptcha.com
    "arkoselabs.com",  # developer.arkoselabs.com
    "geetest.com",  # docs.geetest.com
)
CAPTCHA_WORDS: Final = ("captcha", "robot", "human", "automated", "unusual traffic", "security check", "bot")

CONSENTS: Final = (
    # consent.google.com and consent.youtube.com
    Signature(
        name="Google",
        titles=("before you continue to", "bevor sie zu", "avant d'accéder à"),
        markers=("consent.google",),
    ),
    # Yahoo, AOL and their sister sites
    Signature(name="Yahoo", markers=("consent.yahoo.com", "guce.yahoo.com", "guce.aol.com", "collectconsent")),
    # DPG Media's privacy gate
    Signature(name="DPG Media", titles=("dpg media privacy gate",), markers=("myprivacy.dpgmedia",)),
)

LOGIN_TITLES: Final = (
    "log in", "login", "sign in", "log into", "anmelden", "einloggen", "connexion", "se connecter", "iniciar sesión",
    "inloggen", "accedi", "entrar", "войти", "вход", "ログイン", "登录", "登入", "로그인",
)  # fmt: skip

# What stands where the rest of an article is sold.
PAYWALL_TEXTS: Final = (
    "subscribe to continue reading", "subscribe to keep reading", "subscribe to read the full",
    "to continue reading,", "to read the full story", "to read the rest of this",
    "this article is for subscribers", "this content is for subscribers", "this post is for paid subscribers",
    "this post is for paying subscribers", "become a member to read", "already a subscriber?",
    "weiterlesen mit", "jetzt weiterlesen", "dieser artikel ist nur für abonnenten",
    "cet article est réservé aux abonnés", "la suite est réservée",
    "este contenido es exclusivo para suscriptores", "contenuto riservato agli abbonati",
)  # fmt: skip

# Parts of a title or heading that say "not found" and nothing else. Compared with whole parts, lower case, without
# punctuation at the ends.
BARE: Final = frozenset(
    {"404", "not found", "nothing found", "page unavailable"}
)  # may be a headline: both must say it
NOT_FOUND: Final = frozenset({
    "404", "error 404", "404 error", "http 404", "404 not found", "error 404 not found", "404 page not found",
    "404 error page not found", "404 file not found", "not found", "page not found", "file not found",
    "article not found", "post not found", "story not found", "content not found", "oops page not found",
    "page does not exist", "this page does not exist", "this page doesn't exist", "page doesn't exist",
    "page unavailable", "page not available", "this page isn't available", "this page is not available",
    "page no longer available", "nothing found", "page missing", "page cannot be found",
    "the page cannot be found", "this page could not be found", "page could not be found",
    "this page can't be found", "the page you requested could not be found",
    "the requested page could not be found", "the page you are looking for does not exist",
    "sorry this page isn't available", "sorry page not found", "410 gone", "we can't find that page",
    "we can't find the page you're looking for", "we couldn't find that page", "seite nicht gefunden",
    "die seite wurde nicht gefunden", "diese seite existiert nicht", "nicht gefunden", "fehler 404",
    "404 seite nicht gefunden", "artikel nicht gefunden", "page non trouvée", "page introuvable", "erreur 404",
    "404 page introuvable", "cette page n'existe pas", "página no encontrada", "no encontrado",
    "error 404 página no encontrada", "la página no existe", "página não encontrada", "erro 404",
    "não encontrado", "pagina non trovata", "errore 404", "non trovato", "pagina niet gevonden",
    "niet gevonden", "sidan hittades inte", "sidan finns inte", "siden blev ikke fundet", "siden finnes ikke",
    "sivua ei löydy", "sivua ei löytynyt", "nie znaleziono strony", "strona nie istnieje",
    "stránka nenalezena", "stránka nebyla nalezena", "az oldal nem található", "sayfa bulunamadı",  # noqa: RUF001 Turkish
    "страница не найдена", "ошибка 404", "сторінку не знайдено", "ページが見つかりません",
    "お探しのページは見つかりませんでした", "页面不存在", "页面未找到", "找不到页面", "找不到網頁",
    "找不到頁面", "페이지를 찾을 수 없습니다", "الصفحة غير موجودة", "הדף לא נמצא", "trang không tồn tại",
})  # fmt: skip

# What a page says when scripts are meant to make it.
SCRIPTS_WANTED: Final = (
    "enable javascript", "javascript is disabled", "javascript is required", "requires javascript",
    "without javascript", "javascript aktivieren", "activer javascript", "habilitar javascript",
    "включите javascript",
)  # fmt: skip
