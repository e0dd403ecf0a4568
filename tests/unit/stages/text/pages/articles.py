"""Pages that are what they seem: short articles, also about the very things that other pages are refused for."""

from __future__ import annotations

from tests.unit.stages.text.pages.page import ASKED, Sample, article, bare, site

CAPTCHA_SCRIPT = '<script src="https://www.google.com/recaptcha/api.js"></script>'
LOGIN_FORM = (
    '<form class="login" action="/login"><input name="u"><input type="password" name="p"><button>Log in</button></form>'
)
COOKIE_BANNER = (
    '<div id="onetrust-banner-sdk"><p>We use cookies and similar technologies. Our partners process personal data on the basis of your consent.</p>'
    "<button>Accept all</button><button>Reject all</button><button>Manage preferences</button></div>"
)  # fmt: skip


def _article(
    name: str,
    heading: str,
    *paragraphs: str,
    lang: str = "en",
    more: str = "",
    title: str = "",
    head: str = "",
    asked: str = ASKED,
    final: str = ASKED,
) -> Sample:
    content = site(title or f"{heading} - The Site", article(heading, *paragraphs, more=more), lang=lang, head=head)
    return Sample(name=name, content=content.encode(), asked=asked, final=final)


ABOUT = (
    _article("about captchas", "Why nobody likes a captcha",
        "For twenty years we have been asked to confirm that we are no robots. “Checking your browser before accessing” is now among the most read sentences on the web.",
        "The squiggly letters went first. Then came traffic lights, then a box to tick. Every human spends thirty seconds a week on them, and every bot, by now, none at all.", more=CAPTCHA_SCRIPT),
    _article("about a challenge page", "What “Just a moment...” really does",
        "When a site puts up its shield, visitors see the words verifying you are human. This may take a few seconds, the page says, and it mostly does.",
        "Behind the scenes the script measures how the browser draws, counts and waits. None of it is secret, and most of it can be read in an afternoon."),
    _article("about 404 errors", "404: the story of a number",
        "The page not found message is older than most of its readers. Room 404 at CERN, as the legend has it, was never where the web's first server stood.",
        "The first digit says that the client has made a mistake; the second that it was a general one; the third simply that it was the fifth on the list."),
    _article("about a missing island", "Not found",
        "For a century Sandy Island stood on the charts of the Coral Sea, and for a century no ship that looked for it saw anything but waves.",
        "In 2012 a research vessel sailed straight through it. The depth below the keel was fourteen hundred metres, and the island was struck from the maps that winter.", title="Not found - The Site"),
    _article("about paywalls", "The newspapers that tore down their paywalls",
        "Readers who were told to subscribe to read the full story mostly did not, the editor found. “To continue reading,” said the box, and they went elsewhere.",
        "Two years after the wall came down the paper has more members than it ever had subscribers, and they pay because they may, not because they must. The idea came from a local weekly with a staff of five, "
        "which had asked its readers what they would miss most. The answer was the obituaries, and they had never been behind the wall in the first place. Other editors now come to visit, and leave with a list.",
        "What surprised the accountants most was the shop: mugs, maps and a calendar of tides make up a tenth of the income, and nobody has yet asked for them to be put behind a wall."),
    _article("about cookie consent", "The button that says Reject all",
        "Regulators in Paris have fined two companies because it took one click to accept all and five to reject all. Your consent, they said, must be as easy to withdraw as to give.",
        "Since then the second button has spread across the continent. It is grey, it is small, and it is on every banner; a study counted that four visitors in ten now press it.",
        "The cookie, meanwhile, may not survive the decade. Browsers block most of them unasked, and the notice may soon ask about something that is not there."),
    _article("about domain names", "Who sells the names of dead newspapers",
        "“This domain is for sale”, it says where the county's oldest paper used to be. The price is four thousand dollars, and nobody in the county will pay it.",
        "Traders buy such names by the thousand on the day that they lapse. What they hope for is not the town but its old readers, who still type the name out of habit."),
    _article("about buying a domain", "How to buy a domain name from its owner",
        "Look up who holds it, write politely, and name a price. If the page says that the domain is for sale, use the form; if it says “buy this domain”, expect to pay more.", title="How to buy a domain - Guide"),
    _article("about an index", "Index of leading indicators rises", "The index of leading indicators rose by a fifth of a point in March, more than was expected, the institute said. It is the third rise in a row."),
    _article("about the end of a paywall", "Paper drops its paywall", "The Evening Tide ends its paywall on Monday. Every article will be free to read, the editor said; members will get the crossword a day early. The paper had asked readers to subscribe since 2014."),
    _article("about a privacy law in Chinese", "新隐私法要求网站取得同意", "从下月起，网站在使用曲奇前必须取得用户的同意。法律规定，拒绝必须和同意一样容易。专家认为，大多数网站还没有做好准备，罚款最高可达营业额的百分之五。", lang="zh"),
    _article("an advertisement for a job with a login", "Wanted: cook", "The inn by the mole looks for a cook for the season. Write to the inn, or sign in on our site and send what you have. Log in is by e-mail.", more=LOGIN_FORM),
    _article("an obituary in one sentence", "Anna Berg, 91, kept the light", "Anna Berg, who kept the northern light for forty years and wrote four books about it, died on Sunday. She was 91."),
    _article("about a suspended site", "Hospital's website goes dark over unpaid bill",
        "Patients who looked for visiting hours on Tuesday found instead that this account has been suspended. The hospital had moved, and so had its bills.",
        "By noon the administration had paid the nine pounds that were due, and the hours were back: from two until eight, every day, two visitors a bed."),
    _article("about maintenance", "Why the bank is down for maintenance every Sunday",
        "At two in the morning the site is down for maintenance, as it has been each Sunday since 1998. The reason is a program that was written before the web.",
        "It adds up the week's interest in one go, and while it does so nothing else may run. Rewriting it has been tried three times and given up three times."),
    _article("about nginx", "Welcome to nginx! A beginner's guide",
        "After the installation a browser shows that if you see this page, the nginx web server is successfully installed. What now? First of all, put a page of your own in its place.",
        "The folder is /usr/share/nginx/html and the file is called index.html. Change it, load the page again, and the greeting is gone.", title="A beginner's guide to nginx - The Site"),
    _article("about lorem ipsum", "Where lorem ipsum comes from",
        "Printers have set lorem ipsum dolor sit amet for five centuries, and hardly one of them knew that it was Cicero with the edges cut off.",
        "A professor of Latin in Virginia found the passage while looking for a rare word. It is from a book on the limits of good and evil, and it is about pain."),
    _article("about logging in", "How to sign in without a password",
        "Passkeys are pairs of numbers, one of which never leaves the telephone. To sign in is to prove that it is there, which takes a thumb and half a second.",
        "The site keeps the other number. If it is stolen nothing is lost, because it opens no door; that is the whole trick.", more=LOGIN_FORM),
    _article("about robots in a field", "The robots that weed by moonlight",
        "Three machines the size of a dog walk the beet fields of Fenland at night, so as not to be in anybody's way, and pull what is not a beet.",
        "Humans follow in the morning. There is less and less for them to do, says the farmer, and he says it without much regret.", more=CAPTCHA_SCRIPT),
)  # fmt: skip
FRAMED = (
    _article("a login form in the header", "Ferry timetable changes in April", "The first boat leaves at six from next month on, the company said on Monday, and the last at nine. Tickets stay as they are.", more=LOGIN_FORM),
    _article("a notice on cookies above it", "School roof mended after the storm",
        "Pupils are back in their own classrooms after three weeks in the parish hall and the old fire station. The mayor thanked the roofers, who had worked on Sundays.", more=COOKIE_BANNER),
    _article("an offer below it", "The harbour at four in the morning", *[
        f"{when} the {who} {what}, and by the time the light changed the {thing} had been {done}. Nobody wrote it down, because nobody ever had to; it was simply how the morning went on the quay."
        for when, who, what, thing, done in (
            ("Before the bells", "ice man", "came down the steps with his hook", "first block", "split"), ("A little later", "buyers", "stood about in twos", "price", "settled"),
            ("Around five", "boats", "came in one by one past the mole", "catch", "landed"), ("At six", "gulls", "took over the scales", "floor", "washed"),
            ("By seven", "lorries", "had left for the city", "gate", "shut"), ("At eight", "town", "woke up", "coffee", "drunk"))],
        more="<aside><p>Subscribe to our newsletter</p></aside>"),
    _article("scripts of a bot manager", "Choir looks for tenors", "The town choir sings at the harbour every second Friday and has room for six more voices this season. Those who cannot read notes are welcome, too.",
        head='<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script><script src="https://js.datadome.co/tags.js"></script>'),
    _article("a redirect to the same article", "The keeper of the northern light", "The lamp had been out for eleven days when the harbour master finally rowed across to see what had become of the keeper, and found the door open.",
        asked="http://site.test/?p=8231", final="https://www.site.test/2024/03/the-keeper-of-the-northern-light/"),
    _article("an article at the root of its host", "The keeper of the northern light", "The lamp had been out for eleven days when the harbour master finally rowed across to see what had become of the keeper, and found the door open.",
        asked="https://lighthouse.test/the-keeper-of-the-northern-light", final="https://lighthouse.test/"),
    _article("a section moved to the front", "News from the coast", "The first boat leaves at six from next month on, the company said on Monday, and the last at nine. The choir looks for tenors, and the school has its roof back.",
        asked="https://www.site.test/news", final="https://www.site.test/"),
    _article("a redirect through a login host and back", "The keeper of the northern light", "The lamp had been out for eleven days when the harbour master finally rowed across to see what had become of the keeper, and found the door open.",
        asked="https://t.test/x9", final="https://id.test/2024/03/the-keeper-of-the-northern-light"),
    _article("structured data on what is given away", "Council weighs new cycle lane", *["A lane along the quay would take away twelve parking places, which shopkeepers there do not want to lose. The council will hear them in May, and then decide; the money is there already, and so are the plans."] * 1,
        *[f"Objection {number} came from {who}, who said that {why}, and that nobody had asked them before the lines were painted on the plan in the town hall." for number, who, why in (
            (1, "the fishmonger", "ice does not travel by bicycle"), (2, "the chemist", "prescriptions are fetched in passing"), (3, "a baker", "bread is bought at six, when the quay is empty"), (4, "two hoteliers", "guests come with trunks"))],
        head='<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>'),
)  # fmt: skip
LANGUAGES = (
    _article("in Chinese", "渔村小学的屋顶修好了", "三个星期以来，孩子们一直在教堂的大厅里上课。星期一，他们终于回到了自己的教室。校长说，修屋顶的工人连星期天也没有休息。", "下一场台风要到八月才会来，到那时新的瓦片应该已经经受住考验。村里的老人说，上一次修屋顶还是四十年前的事。", lang="zh"),
    _article("in Japanese", "港の合唱団がテノールを募集", "町の合唱団は一週おきの金曜日に港で歌っている。今季はあと六人の声が必要だという。楽譜が読めなくても歓迎する、と指揮者は話す。", "最初の練習は四月三日、旧消防署で行われる。お茶とお菓子が出る。", lang="ja"),
    _article("in Korean", "항구 합창단, 테너를 찾습니다", "마을 합창단은 격주 금요일마다 항구에서 노래합니다. 이번 철에는 여섯 명의 목소리가 더 필요합니다. 악보를 읽지 못해도 환영한다고 지휘자는 말합니다.", "첫 연습은 사월 삼일 옛 소방서에서 열립니다.", lang="ko"),
    _article("in Arabic", "عودة التلاميذ إلى مدرستهم بعد العاصفة", "عاد التلاميذ إلى فصولهم بعد ثلاثة أسابيع قضوها في قاعة البلدية ومحطة الإطفاء القديمة. وشكر رئيس البلدية العمال الذين عملوا حتى في أيام العطلة.", "ويقول المدير إن السقف الجديد سيصمد أمام رياح الشتاء المقبل.", lang="ar"),
    _article("in Hebrew", "המקהלה בנמל מחפשת טנורים", "מקהלת העיירה שרה בנמל בכל יום שישי שני ויש בה מקום לעוד שישה קולות העונה. גם מי שאינו קורא תווים מוזמן, אומר המנצח.", "החזרה הראשונה תתקיים בשלישי באפריל בתחנת הכיבוי הישנה.", lang="he"),
    _article("in Greek", "Ο φύλακας του βόρειου φάρου", "Το φως είχε σβήσει έντεκα μέρες πριν ο λιμενάρχης περάσει απέναντι με τη βάρκα για να δει τι απέγινε ο φύλακας. Βρήκε την πόρτα ανοιχτή και τον βραστήρα ακόμη ζεστό.", lang="el"),
    _article("in Russian", "Смотритель северного маяка", "Лампа не горела одиннадцать дней, когда начальник порта наконец переплыл бухту, чтобы узнать, что случилось с хранителем. Дверь была открыта, а чайник на плите ещё не остыл.", lang="ru"),
    _article("in Vietnamese", "Dàn hợp xướng bến cảng tìm giọng nam cao", "Dàn hợp xướng của thị trấn hát ở bến cảng vào mỗi thứ sáu thứ hai và mùa này còn thiếu sáu giọng nữa. Người không biết đọc nhạc cũng được chào đón, nhạc trưởng nói vậy.", lang="vi"),
    _article("in French, with every accent", "L’été où la mer a gelé", "À Noël, la température était tombée si bas que les pêcheurs, dépités, ont traîné leurs bateaux sur la grève. Là, près des dunes, où même l’été il gèle parfois, ils ont bâti des abris éphémères.", lang="fr"),
    _article("in German", "Wie der Leuchtturm wieder Licht bekam", "Elf Tage lang war das Feuer erloschen, bevor der Hafenmeister endlich hinüberruderte. Die Tür stand offen, und der Kessel auf dem Herd war noch warm; vom Wärter fehlte jede Spur.", lang="de"),
    _article("in Thai", "โรงเรียนซ่อมหลังคาเสร็จแล้ว", "นักเรียนกลับเข้าห้องเรียนของตนเองหลังจากเรียนในหอประชุมนานสามสัปดาห์ ครูใหญ่กล่าวว่าช่างทำงานแม้กระทั่งวันอาทิตย์ และหลังคาใหม่จะทนลมมรสุมปีหน้าได้", lang="th"),
)  # fmt: skip
KINDS = (
    Sample(name="news in brief", content=site("In brief - The Site", "<h1>Bridge closed on Sunday</h1><p>The swing bridge stays shut between six and eleven on Sunday morning while its bearings are greased. Buses run by way of the lock; the ferry keeps its times.</p>").encode()),
    Sample(name="a poem", content=site("Four winds", "<h1>Four winds</h1><p>The north wind came with a bucket of rain,<br>and knocked, and went, and knocked again.<br>The east wind came with a coat of grey,<br>and hung it up, and went away.<br>The south wind came and stayed for tea,<br>"
        "the west wind only winked at me.<br>And knocked, and went, and knocked again,<br>the north wind with its bucket of rain.</p>").encode()),
    Sample(name="a recipe", content=site("Pea soup", "<h1>Pea soup</h1><ul><li>500 g split peas</li><li>1 smoked sausage</li><li>2 onions</li><li>1 bay leaf</li><li>salt</li></ul><ol><li>Soak the peas overnight.</li><li>Boil them for an hour with the bay leaf.</li><li>Fry the onions, add them, then the sausage.</li>"
        "<li>Stir until a spoon stands up in it.</li></ol>").encode()),
    Sample(name="a changelog", content=site("Changelog", "<h1>Changelog</h1><h2>2.4.1</h2><ul><li>Fixed: a 404 when the trailing slash was missing (#812)</li><li>Fixed: login redirect loop on /login?next=</li></ul><h2>2.4.0</h2><ul><li>Added: maintenance mode</li><li>Changed: cookies are SameSite=Lax</li>"
        "<li>Removed: reCAPTCHA</li></ul>").encode()),
    Sample(name="a post to a mailing list", content=b"<!DOCTYPE HTML PUBLIC '-//IETF//DTD HTML//EN'><HTML><HEAD><TITLE>[harbour-l] Tide tables</TITLE></HEAD><BODY><H1>[harbour-l] Tide tables</H1><B>A. Keeper</B><BR><I>Mon Mar 4 08:12:33 CET 2002</I><PRE>Hello all,\n\nthe tables for April are wrong by "
        b"one hour from\nthe 31st on, because somebody forgot summer time.\n\n&gt; can we trust the ones for May?\n\nNo.\n\n-- \nA. Keeper, North Mole\n</PRE></BODY></HTML>"),
    Sample(name="a code listing", content=bare("quicksort.c", "<h1>quicksort.c</h1><pre><code>static void sort(int *a, int n)\n{\n    if (n &lt; 2) return;\n    int p = a[n / 2], i = 0, j = n - 1;\n    for (;; i++, j--) {\n        while (a[i] &lt; p) i++;\n        while (p &lt; a[j]) j--;\n        if (i &gt;= j) break;\n"
        "        int t = a[i]; a[i] = a[j]; a[j] = t;\n    }\n    sort(a, i);\n    sort(a + i, n - i);\n}</code></pre>").encode()),
    Sample(name="plain text", content=b"NOTES ON THE TIDE\n\nPage not found, says the clerk when asked for April; he means the\ntable, which the damp has taken.\n\nHigh water 6.12 and 18.40.\n", media_type="text/plain"),
    Sample(name="a table", content=site("Tides in April", "<h1>Tides in April</h1><table>" + "".join(f"<tr><td>{day}</td><td>{6 + day % 6}.{10 + day}</td><td>{18 + day % 5}.{12 + day}</td><td>{3 + day % 3}.{day % 10} m</td></tr>" for day in range(1, 31)) + "</table>").encode()),
    Sample(name="a list of titles", content=site("Archive", "<h1>Archive 2019</h1><ul>" + "".join(f'<li><a href="/a/{n}">{t}</a></li>' for n, t in enumerate(("The keeper of the northern light", "Where the ice man gets his ice", "A short history of the mole", "What the gulls know about Mondays",
        "How to read a tide table backwards", "The last of the paper charts", "Nine kinds of knots for rainy days", "Why the bridge is green"))) + "</ul>").encode()),
    Sample(name="a question and its answer", content=site("How do I fix error 404 in my app? - Questions", "<h1>How do I fix error 404 in my app?</h1><p>My route returns 404 Not Found although the file is there. What do I miss?</p><h2>1 answer</h2><p>The route has to begin with a slash. Without it the rule is never matched, "
        "and the server falls back to its page for missing files.</p>").encode()),
    Sample(name="about encodings", content=site("What Ã© means", "<h1>What Ã© means on a web page</h1><p>Whoever reads Ã© for é has met a page in UTF-8 that was read as Latin-1. The two bytes C3 and A9 become two letters instead of one. The sign \ufffd stands for a byte that means nothing at all, and there is no way back from it.</p>").encode()),
    Sample(name="old HTML without closing tags", content=b"<html><head><title>Lighthouse stations of the north</title><body><h1>Lighthouse stations of the north</h1><p>There were nine of them once, and a boat that went round them on Tuesdays with oil, letters and flour.<p>Four are "
        b"left. The rest are holiday flats, except for one, which the sea has taken, and one which nobody can find"),
    Sample(name="a page that ends in less than", content=site("Small numbers", article("Small numbers", "That x < y follows from what was said, if one believes it; the proof is three lines long and may be left to the reader who has an evening to spare and does not mind the rain.")).encode() + b" a < b"),
    Sample(name="a dictionary entry", content=site("mole - Dictionary", "<h1>mole</h1><p><i>noun.</i> A wall of stone built into the sea to shelter a harbour; also the harbour so sheltered. From Latin <i>moles</i>, a mass. Compare <a href='/pier'>pier</a>, <a href='/jetty'>jetty</a>.</p>").encode()),
    Sample(name="a release of a standard", content=site("The 404 Not Found status code", article("The 404 Not Found status code", "The server did not find a current representation for the target or is not willing to say that one exists. It does not tell whether this lasts.", "A server that knows that it lasts should rather answer 410.")).encode()),
)  # fmt: skip
ARTICLES = (*ABOUT, *FRAMED, *LANGUAGES, *KINDS)
