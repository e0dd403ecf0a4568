"""Pages of what is not there: soft 404s, front pages, parked domains, empty servers, closed sites."""

from __future__ import annotations

from tests.unit.stages.text.pages.page import ASKED, Sample, bare, site

MENU = [f"Section number {number}" for number in range(40)]


def _missing(
    name: str,
    entry: str,
    title: str,
    heading: str,
    *,
    lang: str = "en",
    category: str = "soft_404",
    body: str = "<p>Try the search.</p>",
    menu: tuple[str, ...] = (),
) -> Sample:
    content = site(title, f"<h1>{heading}</h1>{body}", lang=lang, menu=menu)
    return Sample(name=name, content=content.encode(), code="soft_404", signature=(category, entry))


MISSING = (
    _missing("404 by number", "a number", "Error 404", "Something went wrong"),
    _missing("404 alone", "words that may be a headline", "404", "Not found", category="soft_404_bare"),
    _missing("404 of WordPress", "in English", "Page not found &#8211; The Site", "Oops! That page can&rsquo;t be found."),
    _missing("404 within a full frame", "in English", "Page not found | The Site", "Page not found", menu=tuple(MENU)),
    _missing("404 of a shop", "in English", "The Site", "Sorry, this page isn't available"),
    _missing("404 of an article", "in English", "The Site", "This article is no longer available", body="<p>Here is what others read today.</p>"),
    _missing("404 in German", "in German", "404 – Seite nicht gefunden", "Seite nicht gefunden", lang="de"),
    _missing("404 of Apache in German", "in German", "Objekt nicht gefunden!", "Objekt nicht gefunden!", lang="de"),
    _missing("404 in French", "in French", "Page introuvable - Le Site", "Oups", lang="fr"),
    _missing("404 in Spanish", "in Spanish", "Página no encontrada | El Sitio", "Error", lang="es"),
    _missing("404 in Portuguese", "in Portuguese", "O Sítio", "Página não encontrada", lang="pt"),
    _missing("404 in Italian", "in Italian", "Pagina non trovata", "Pagina non trovata", lang="it"),
    _missing("404 in Dutch", "in Dutch", "Pagina niet gevonden", "Helaas", lang="nl"),
    _missing("404 in Swedish", "in the Nordic languages", "Sidan hittades inte", "Sidan hittades inte", lang="sv"),
    _missing("404 in Finnish", "in the Nordic languages", "Sivua ei löytynyt", "Hups", lang="fi"),
    _missing("404 in Polish", "in the languages of Central Europe", "Nie znaleziono strony", "Ups", lang="pl"),
    _missing("404 in Czech", "in the languages of Central Europe", "Stránka nenalezena", "Stránka nenalezena", lang="cs"),
    _missing("404 in Russian", "in Cyrillic, Greek and Turkish", "Страница не найдена — Сайт", "Ошибка 404", lang="ru"),
    _missing("404 in Greek", "in Cyrillic, Greek and Turkish", "Η σελίδα δεν βρέθηκε", "404", lang="el"),
    _missing("404 in Turkish", "in Cyrillic, Greek and Turkish", "Site", "Sayfa bulunamadı", lang="tr"),
    _missing("404 in Japanese", "in the languages of Asia", "ページが見つかりません", "404", lang="ja"),
    _missing("404 in Chinese", "in the languages of Asia", "页面不存在 - 网站", "抱歉，您访问的页面不存在", lang="zh"),
    _missing("404 in Korean", "in the languages of Asia", "페이지를 찾을 수 없습니다", "오류", lang="ko"),
    _missing("404 in Arabic", "in Arabic, Persian and Hebrew", "الصفحة غير موجودة", "عذرا", lang="ar"),
    _missing("404 in Hebrew", "in Arabic, Persian and Hebrew", "הדף לא נמצא", "אופס", lang="he"),
)  # fmt: skip

_NEWS = "".join(
    f'<section><h2><a href="/n/{number}">{title}</a></h2><p>{text}</p></section>'
    for number, (title, text) in enumerate(
        (
            ("Ferry timetable changes in April", "The first boat leaves at six from next month on, the company said on Monday, and the last at nine."),
            ("School roof mended after storm", "Pupils are back in their own classrooms after three weeks in the parish hall and the old fire station."),
            ("Choir looks for tenors", "The town choir sings at the harbour every second Friday and has room for six more voices this season."),
            ("Council weighs new cycle lane", "A lane along the quay would take away twelve parking places, which shopkeepers there do not want to lose."),
        ) * 4
    )
)  # fmt: skip


def _front(name: str, asked: str, final: str) -> Sample:
    return Sample(
        name=name,
        content=site("The Site - news from the coast", f"<h1>Today</h1>{_NEWS}").encode(),
        code="soft_404",
        asked=asked,
        final=final,
    )


FRONTS = (
    _front("front page instead of the article", ASKED, "https://www.site.test/"),
    _front(
        "front page of another name of the host",
        "http://site.test/artikel/872345-leuchtturm-waerter.html",
        "https://www.site.test/index.html",
    ),
    _front("front page in a language", "https://m.site.test/story/the-lost-keeper-returns", "https://site.test/en/"),
)


def _parked(
    name: str, entry: str, content: str, *, final: str = ASKED, category: str = "parked", code: str = "parked"
) -> Sample:
    return Sample(name=name, content=content.encode(), code=code, signature=(category, entry), final=final)


_ADS = "".join(
    f'<a href="/?q={word}">{word}</a><br>'
    for word in ("Car insurance quotes", "Online degrees", "Mortgage rates", "Cheap flights", "Web hosting")
)
PARKED = (
    _parked("Sedo", "Sedo", bare("site.test", f"<p>site.test</p><div>{_ADS}</div><p>This webpage was generated by the domain owner using Sedo Domain Parking. Disclaimer: Sedo maintains no relationship with "
            "third party advertisers.</p><script src='https://img.sedoparking.com/js/jquery.js'></script>")),
    _parked("GoDaddy's script", "GoDaddy", '<!DOCTYPE html><html><head><script>window.onload=function(){window.location.href="/lander"}</script></head></html>'),
    _parked("GoDaddy's lander", "GoDaddy", bare("site.test", "<div id='root'></div><script src='https://img1.wsimg.com/parking-lander/static/js/main.d9ebbb8c.js'></script>")),
    _parked("Bodis", "Bodis", bare("site.test", f"<div>{_ADS}</div><script src='https://www.bodis.com/parking.js'></script>")),
    _parked("ParkingCrew", "ParkingCrew", bare("site.test - This website is for sale", f"<div>{_ADS}</div><script src='//d38psrni17bvxu.cloudfront.net/themes/x.js'></script>")),
    _parked("HugeDomains", "HugeDomains", site("HugeDomains.com - site.test is for sale", "<h1>site.test</h1><p>Price: $3,895. Since 2005, we have helped thousands of people get the perfect domain name.</p>"),
            final="https://www.hugedomains.com/domain_profile.cfm?d=site.test"),
    _parked("Dan.com", "Dan.com", bare("site.test", "<h1>The domain name site.test is for sale!</h1><p>Buy now or make an offer.</p><script src='https://cdn0.dan.com/packs/app.js'></script>"),
            final="https://dan.com/buy-domain/site.test"),
    _parked("Afternic", "Afternic", bare("site.test", "<h1>site.test</h1><p>Get a price in less than 24 hours. Call one of our domain experts.</p>"), final="https://www.afternic.com/forsale/site.test"),
    _parked("advertisements for domains", "Google's advertisements for domains", bare("site.test", "<div id='tc'></div><script src='https://www.google.com/adsense/domains/caf.js?abp=1'></script>")),
    _parked("for sale in English", "a domain for sale", bare("site.test", "<h1>site.test</h1><p>This domain is for sale. Make an offer or inquire about this domain by e-mail.</p>")),
    _parked("for sale in German", "a domain for sale", bare("site.test", "<h1>site.test</h1><p>Diese Domain steht zum Verkauf. Nehmen Sie Kontakt mit dem Inhaber auf.</p>", lang="de")),
    _parked("for sale in French", "a domain for sale", bare("site.test", "<h1>site.test</h1><p>Ce nom de domaine est à vendre. Faites une offre.</p>", lang="fr")),
    _parked("for sale in Chinese", "a domain for sale", bare("site.test", "<h1>site.test</h1><p>此域名出售，有意者请联系。</p>", lang="zh")),
    _parked("nginx", "nginx", bare("Welcome to nginx!", "<h1>Welcome to nginx!</h1><p>If you see this page, the nginx web server is successfully installed and working. Further configuration is required.</p>"
            "<p>For online documentation and support please refer to nginx.org.</p><p><em>Thank you for using nginx.</em></p>"), category="server"),
    _parked("Apache", "Apache", bare("Apache2 Debian Default Page: It works", "<h1>It works!</h1><p>This is the default welcome page used to test the correct operation of the Apache2 server after installation on Debian "
            "systems. If you can read this page, it means that the Apache HTTP server installed at this site is working properly.</p>"), category="server"),
    _parked("IIS", "IIS", bare("IIS Windows Server", '<div id="container"><a href="http://go.microsoft.com/fwlink/?linkid=66138"><img src="iis-85.png" alt="IIS"></a></div>'), category="server"),
    _parked("cPanel", "cPanel", bare("Default Web Site Page", "<h1>SORRY!</h1><p>If you are the owner of this website, please contact your hosting provider: webmaster@site.test</p>"
            "<p>It is possible you have reached this page because the IP address has changed.</p>"), category="server", final="http://www.site.test/cgi-sys/defaultwebpage.cgi"),
    _parked("Plesk", "Plesk", bare("Web Server's Default Page", "<h1>Web Server's Default Page</h1><p>For more information please contact the administrator, who provides hosting using Plesk.</p>"), category="server"),
    _parked("Caddy", "Caddy and others", bare("Caddy works!", "<h1>Congratulations!</h1><p>Your web server is working. Now make it work for you.</p>"), category="server"),
    _parked("a list of files", "a list of files", "<html><head><title>Index of /pub/old</title></head><body><h1>Index of /pub/old</h1><pre><a href='?C=N;O=D'>Name</a> <a href='a.zip'>a.zip</a> 2019-01-02 12M\n"
            "<a href='b.tar.gz'>b.tar.gz</a> 2019-01-02 9M</pre><address>Apache/2.4 Server at www.site.test Port 80</address></body></html>", category="listing"),
    _parked("suspended by cPanel", "cPanel", bare("Account Suspended", "<h1>Account Suspended</h1><p>This Account has been suspended. Contact your hosting provider for more information.</p>"),
            category="suspended", code="suspended", final="http://www.site.test/cgi-sys/suspendedpage.cgi"),
    _parked("suspended in German", "a host in another language", bare("www.site.test", "<h1>Hinweis</h1><p>Diese Website ist gesperrt. Bitte wenden Sie sich an den Kundendienst.</p>", lang="de"), category="suspended", code="suspended"),
    _parked("suspended in Russian", "a host in another language", bare("site.test", "<p>Сайт заблокирован хостинг-провайдером. Обратитесь в службу поддержки.</p>", lang="ru"), category="suspended", code="suspended"),
    _parked("WordPress is being updated", "WordPress", bare("Maintenance", "<h1>Briefly unavailable for scheduled maintenance. Check back in a minute.</h1>"), category="maintenance", code="maintenance"),
    _parked("under maintenance", "a closed site", bare("Site under maintenance", "<h1>The Site</h1><p>The Site is currently under maintenance. We should be back shortly. Thank you for your patience.</p>"), category="maintenance", code="maintenance"),
    _parked("under maintenance in Japanese", "a closed site", bare("お知らせ", "<p>ただいまメンテナンス中です。しばらくしてからアクセスしてください。</p>", lang="ja"), category="maintenance", code="maintenance"),
)  # fmt: skip
