"""Pages that want something first: checks for robots, consent, logins, money."""

from __future__ import annotations

from tests.unit.stages.text.pages.page import ASKED, Sample, article, bare, site

RAY = "<footer><div>Ray ID: <code>8f2b1c3d4e5f6071</code></div></footer>"
LEAD = (
    "The lamp had been out for eleven days when the harbour master finally rowed across to see what had become of the "
    "keeper, and found the door open and the kettle still warm on the stove."
)


def _challenge(kind: str, name: str, content: str, final: str = ASKED) -> Sample:
    return Sample(name=f"{name} {kind}".strip(), content=content.encode(), code="challenge", signature=("challenge", name), final=final)  # fmt: skip


CHALLENGES = (
    _challenge("managed", "Cloudflare", bare("Just a moment...", '<div class="main-wrapper"><h1>www.site.test</h1>'
        '<p id="challenge-error-text">Enable JavaScript and cookies to continue</p></div>'
        "<script>(function(){window._cf_chl_opt={cvId:'3',cZone:'www.site.test'};})();</script>")),
    _challenge("interactive", "Cloudflare", bare("www.site.test", "<h1>www.site.test</h1><h2>Verifying you are human. This may take a few"
        " seconds.</h2><p>www.site.test needs to review the security of your connection before proceeding.</p>" + RAY)),
    _challenge("block", "Cloudflare", bare("Attention Required! | Cloudflare", '<div class="cf-error-details"><h1>Sorry, you have been blocked</h1>'
        "<h2>You are unable to access site.test</h2><p>This website is using a security service to protect itself from online attacks. The action you "
        "just performed triggered the security solution. There are several actions that could trigger this block including submitting a certain word.</p>"
        "<p>You can email the site owner to let them know you were blocked.</p></div>" + RAY)),
    _challenge("denied", "Akamai", "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \nYou don't have permission to "
        'access "http&#58;&#47;&#47;www&#46;site&#46;test&#47;a" on this server.<P>\nReference&#32;&#35;18&#46;2d4f1602&#46;1700000000\n'
        "<P>\nhttps&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18&#46;2d4f1602\n</BODY>\n</HTML>"),
    _challenge("crypto", "Akamai", bare("&nbsp;", '<div id="sec-if-cpt-container" role="main"></div><script src="/_sec/cp_challenge/ak-challenge-4-3.htm"></script>')),
    _challenge("press and hold", "PerimeterX", bare("Access to this page has been denied.", "<h1>Before we continue...</h1><p>Press & Hold to confirm you are"
        ' a human (and not a bot).</p><div id="px-captcha"></div><p>Reference ID 8d1f6c20-aa</p><script src="//captcha.px-cdn.net/PXabc/captcha.js"></script>')),
    _challenge("frame", "DataDome", '<html lang="en"><head><title>site.test</title><style>#cmsg{animation: A 1.5s;}</style></head><body style="margin:0"><p '
        'id="cmsg">Please enable JS and disable any ad blocker</p><script data-cfasync="false">var dd={}</script>'
        '<script src="https://ct.captcha-delivery.com/c.js"></script></body></html>'),
    _challenge("incident", "Imperva", '<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW"></head><body style="margin:0px;height:100%">'
        '<iframe id="main-iframe" src="/_Incapsula_Resource?CWUDNSAI=23&xinfo=9-1234" width="100%">Request unsuccessful. Incapsula incident ID: 94300-1</iframe></body></html>'),
    _challenge("interruption", "Imperva", site("Pardon Our Interruption", "<h1>Pardon Our Interruption</h1><p>As you were browsing something about your browser made us think you were a bot. There are a few reasons this might happen: You're a power user "
        "moving through this website with super-human speed. You've disabled cookies in your web browser. A third-party browser plugin is preventing JavaScript from running.</p>")),
    _challenge("redirect", "Sucuri", bare("You are being redirected...", "<noscript>Javascript is required.</noscript><script>var s={},u,c,U,r,i,l=0,a,e=eval,w=String.fromCharCode,S='cz0i';</script>")),
    _challenge("verification", "AWS WAF", bare("Human Verification", '<div id="captcha-container"></div><noscript><h1>JavaScript is disabled</h1></noscript>'
        '<script src="https://1a2b.eu-west-1.captcha.awswaf.com/1a2b/captcha.js"></script>')),
    _challenge("check", "DDoS-Guard", bare("DDoS-Guard", "<h1>Checking your browser before accessing site.test</h1><p>Please wait a few seconds.</p><script src='/.well-known/ddos-guard/js-challenge/index.js'></script>")),
    _challenge("checkpoint", "Vercel", bare("Vercel Security Checkpoint", "<p>We're verifying your browser</p><p>Website owner? Click here to fix</p><script>/* wasm */</script>")),
    _challenge("proof of work", "Anubis", bare("Making sure you&#39;re not a bot!", '<h1 id="title">Making sure you&#39;re not a bot!</h1><img src="/.within.website/x/cmd/anubis/static/img/pensive.webp">'
        '<p id="status">Loading...</p><details><summary>Why am I seeing this?</summary><p>You are seeing this because the administrator of this website has set up Anubis to protect the server '
        'against the scourge of AI companies aggressively scraping websites.</p></details><script src="/.within.website/x/cmd/anubis/static/js/main.mjs"></script>')),
    _challenge("sorry", "Google", bare("https://www.google.com/search?q=light", "<p><b>About this page</b><br>Our systems have detected unusual traffic from your computer network. This page checks to see "
        "if it's really you sending the requests, and not a robot.</p><script src='https://www.google.com/recaptcha/enterprise.js'></script>")),
    _challenge("robot check", "Amazon", bare("Robot Check", "<h4>Enter the characters you see below</h4><p>Sorry, we just need to make sure you're not a robot.</p>"
        '<form method="get" action="/errors/validateCaptcha"><input type="text" name="field-keywords"></form>')),
    _challenge("block", "Reddit", bare("Reddit - Blocked", "<p>You've been blocked by network security.</p><p>To continue, log in to your Reddit account or use your developer token</p>")),
    _challenge("showcaptcha", "Yandex", bare("Вы не робот?", '<h1>Подтвердите, что запросы отправляли вы, а не робот</h1><form method="POST" action="/checkcaptcha?key=1"></form>', lang="ru")),
    _challenge("block", "Wordfence", bare("Your access to this site has been limited", "<h1>Your access to this service has been limited. (HTTP response code 503)</h1><p>Your access to this site has been "
        "limited by the site owner. If you think you have been blocked in error, contact the owner of this site for assistance.</p><p>Generated by Wordfence at Tue, 3 Mar 2026</p>")),
    _challenge("script", "Kasada", "<!DOCTYPE html><html><head></head><body><script>window.KPSDK={};KPSDK.now=function(){return 1};</script>"
        '<script src="/149e9513-01fa-4fb0-aad4-566afd725d1b/2d206a39-8ed7-437e-a3be-862e0f06eea3/ips.js"></script></body></html>'),
    _challenge("rejected", "F5", "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br><br>Your support ID is: 1234567890<br><br>"
        "<a href='javascript:history.back();'>[Go Back]</a></body></html>"),
    _challenge("block", "StackPath", bare("Sorry, you have been blocked", "<h1>Sorry, you have been blocked</h1><p>You performed an action that triggered the service and blocked your request.</p>")),
    _challenge("", "a browser check", bare("Checking your browser - reCAPTCHA", "<p>Checking your browser before accessing www.site.test.</p><p>Please allow up to 5 seconds.</p>")),
    _challenge("in German", "a check in another language", bare("Nur einen Moment…", "<h1>www.site.test</h1><p>Bestätigen Sie, dass Sie ein Mensch sind. Dies kann einige Sekunden dauern.</p>", lang="de")),
    _challenge("in French", "a check in another language", bare("Un instant…", "<h1>www.site.test</h1><p>Vérifiez que vous êtes humain en effectuant l’action ci-dessous.</p>", lang="fr")),
    _challenge("in Japanese", "a check in another language", bare("しばらくお待ちください...", "<h1>www.site.test</h1><p>人間であることを確認します。これには数秒かかる場合があります。</p>", lang="ja")),
)  # fmt: skip


def _captcha(name: str, words: str, script: str) -> Sample:
    body = f"<h1>{words}</h1><form action='/verify' method='post'><div class='widget'></div></form><script src='{script}'></script>"
    return Sample(
        name=f"{name} captcha",
        content=bare("www.site.test", body).encode(),
        code="challenge",
        signature=("captcha", name),
    )


CAPTCHAS = (
    _captcha("AWS WAF", "Let's confirm you are human", "https://1a2b.edge.captcha-sdk.awswaf.com/1a2b/jsapi.js"),
    _captcha("hCaptcha", "One more step: prove that you are human", "https://js.hcaptcha.com/1/api.js"),
    _captcha("reCAPTCHA", "Please solve the captcha to go on", "https://www.google.com/recaptcha/api.js"),
    _captcha("Turnstile", "Are you a robot?", "https://challenges.cloudflare.com/turnstile/v0/api.js"),
    _captcha(
        "Friendly Captcha", "Anti-Robot verification: no robots", "https://cdn.test/friendlycaptcha/widget.min.js"
    ),
    _captcha("Arkose Labs", "Protecting your account: are you human?", "https://client-api.arkoselabs.com/v2/api.js"),
    _captcha("GeeTest", "Slide to show that you are no bot", "https://static.geetest.com/v4/gt4.js"),
)

_NOTICE = (
    "<h2>We value your privacy</h2><p>We and our partners store and access information such as cookies on a device.</p><p>With your consent, our partners and we may process personal data.</p>"
    "<button>Accept all</button> <button>Reject all</button> <button>Manage options</button>"
)  # fmt: skip


def _wall(name: str, marks: str) -> Sample:
    return Sample(
        name=f"{name} wall",
        content=bare("The Site", _NOTICE + marks).encode(),
        code="consent",
        signature=("notice", name),
    )


CONSENTS = (
    Sample(name="Google consent", code="consent", signature=("consent", "Google"), final="https://consent.google.com/ml?continue=https://www.site.test/", content=bare(
        "Before you continue to Google Search", "<h1>Before you continue to Google</h1><p>We use cookies and data to deliver and maintain Google services.</p><form action='https://consent.google.com/save' method='POST'>"
        "<button>Reject all</button><button>Accept all</button></form>").encode()),
    Sample(name="YouTube consent in German", code="consent", signature=("consent", "Google"), content=bare(
        "Bevor Sie zu YouTube weitergehen", "<h1>Bevor Sie zu YouTube weitergehen</h1><p>Wir verwenden Cookies und Daten, um Google-Dienste bereitzustellen.</p><form action='https://consent.youtube.com/save'></form>", lang="de").encode()),
    Sample(name="Yahoo consent", code="consent", signature=("consent", "Yahoo"), final="https://consent.yahoo.com/v2/collectConsent?sessionId=3_cc", content=bare(
        "Yahoo is part of the Yahoo family of brands", "<p>When you use our sites and apps, we use cookies to provide our sites and apps to you.</p><form class='consent-form' action='/v2/collectConsent'><button>Accept all</button></form>").encode()),
    Sample(name="DPG consent", code="consent", signature=("consent", "DPG Media"), final="https://myprivacy.dpgmedia.nl/consent?siteKey=1", content=bare(
        "DPG Media Privacy Gate", "<p>DPG Media vraagt je toestemming om cookies te plaatsen.</p><script src='https://myprivacy.dpgmedia.nl/gate.js'></script>", lang="nl").encode()),
    _wall("Sourcepoint", '<div id="sp_message_container_1"></div><script src="https://cdn.privacy-mgmt.com/wrapper.js"></script>'),
    Sample(name="Sourcepoint wall in German", code="consent", signature=("notice", "Sourcepoint"), content=bare(
        "Weiter mit Werbung lesen", "<h1>Weiter mit Werbung lesen</h1><p>Besuchen Sie uns wie gewohnt mit Werbung und üblichem Tracking. Ihre Zustimmung können Sie jederzeit widerrufen.</p><p>Akzeptieren und weiter. Details zu Cookies finden Sie in der "
        "Datenschutzerklärung.</p><script src='https://cdn.privacy-mgmt.com/unified/wrapper.js'></script>", lang="de").encode()),
    _wall("OneTrust", '<div id="onetrust-consent-sdk"><div id="onetrust-banner-sdk"></div></div>'),
    _wall("Didomi", '<div id="didomi-host"></div><script src="https://sdk.privacy-center.org/loader.js"></script>'),
    _wall("Usercentrics", '<div id="usercentrics-root"></div><script src="https://app.usercentrics.eu/browser-ui/latest/loader.js"></script>'),
    _wall("contentpass", '<div id="cp-container"></div><script src="https://cp.site.test/now.contentpass.net/cp.js"></script>'),
)  # fmt: skip

_FORM = '<form method="post"><label>E-mail <input type="email" name="user"></label><label>Password <input type="password" name="pass"></label><button>Go</button></form>'


def _login(
    name: str,
    title: str,
    final: str = ASKED,
    *,
    category: str = "login",
    entry: str = "a login page",
    asked: str = ASKED,
    lang: str = "en",
) -> Sample:
    body = f"<h1>{title}</h1>{_FORM}<p>Forgot your password? No account yet? Create one, it is free.</p>"
    return Sample(name=name, content=site(f"{title} | The Site", body, lang=lang).encode(), code="login", signature=(category, entry), final=final, asked=asked)  # fmt: skip


_PATH, _HOST = "the path of a login page", "the host of a login page"
LOGINS = (
    _login("login in place", "Log in"),
    _login("login in German", "Anmelden", lang="de"),
    _login("login in Russian", "Войти", lang="ru"),
    _login("login in Japanese", "ログイン", lang="ja"),
    _login("login of GitLab", "Welcome back", "https://www.site.test/users/sign_in?redirect_to_referer=yes", category="login_path", entry=_PATH),
    _login("login of WordPress", "The Site", "https://www.site.test/wp-login.php?redirect_to=https%3A%2F%2Fwww.site.test%2F2024", category="login_path", entry=_PATH),
    _login("login of Django", "Members", "https://www.site.test/accounts/login/?next=/2024/03/the-keeper-of-the-northern-light", category="login_path", entry=_PATH),
    _login("login elsewhere", "Welcome to Example ID", f"https://accounts.example.test/start?return_to={ASKED}", category="login_host", entry=_HOST),
    Sample(name="login made by scripts", code="login", signature=("login_back", "the parameter that leads back from a login"), final=f"https://sso.example.test/u?continue={ASKED}",
           content=bare("Example", '<div id="root"></div><script src="/static/app.js"></script>').encode()),
)  # fmt: skip


def _sold(
    name: str, entry: str, words: str, lead: str = LEAD, *, category: str = "paywall", head: str = "", lang: str = "en"
) -> Sample:
    body = article(
        "The keeper of the northern light",
        lead,
        more=f'<div class="offer"><p>{words}</p><a href="/plans">See our offers</a></div>',
    )
    return Sample(
        name=name,
        content=site("The keeper of the northern light - The Site", body, head=head, lang=lang).encode(),
        code="paywall",
        signature=(category, entry),
    )


PAYWALLS = (
    _sold("paywall in English", "in English", "Subscribe to continue reading. Already a subscriber? Log in."),
    _sold("paywall of Substack", "in English", "This post is for paid subscribers"),
    _sold("paywall of Medium", "in English", "The author made this story available to Medium members only."),
    Sample(name="paywall of the FT", code="paywall", signature=("paywall", "in English"), content=site("Subscribe to read | Paper", article("Central bank holds rates", "Try unlimited access. Only $1 for 4 weeks. Then $75 per month. "
           "Complete digital access to quality journalism on any device.")).encode()),
    _sold("paywall in German", "in German", "Jetzt weiterlesen mit dem Probeabo. Bereits Abonnent? Hier anmelden.", "Elf Tage lang war das Licht erloschen, bevor der Hafenmeister hinüberruderte, um nach dem Wärter zu sehen.", lang="de"),
    _sold("paywall in French", "in French", "Il vous reste 78 % de cet article à lire. La suite est réservée aux abonnés.", "La lampe était éteinte depuis onze jours quand le maître du port traversa la baie à la rame.", lang="fr"),
    _sold("paywall in Portuguese", "in Portuguese", "Conteúdo exclusivo para assinantes", "A lâmpada estava apagada havia onze dias quando o capitão do porto atravessou a baía.", lang="pt"),
    _sold("paywall in Italian", "in Italian and Dutch", "Contenuto riservato agli abbonati", "La lampada era spenta da undici giorni quando il capitano attraversò la baia.", lang="it"),
    _sold("paywall in Japanese", "in Japanese", "この記事は会員限定です。残り1,240文字。", "灯台の明かりが消えてから十一日目に、港長はようやく小舟で島へ渡った。戸は開いたままで、やかんはまだ温かかった。", lang="ja"),
    _sold("paywall told to search engines", "structured data", "Continue with Plus", category="sold",
          head='<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree": "False","hasPart":{"cssSelector":".offer"}}</script>'),
)  # fmt: skip
