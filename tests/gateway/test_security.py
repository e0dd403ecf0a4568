"""Who may ask, from where and how often; and what every answer carries."""

from __future__ import annotations

import re

import apsw
import pytest

from gateway.routes import ROUTES
from gateway.security.headers import SECURITY
from tests.gateway.site import OWN, Site

UNSAFE = [route for route in ROUTES if route.method != "GET"]
CLOSED = [route for route in ROUTES if route.scope is not None]


def filled(path: str, uid: str) -> str:
    return path.replace("<uid>", uid).replace("<secret>", "abc").replace("<name>", "base.css")


def test_every_answer_of_every_route_carries_the_security_headers(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        answers = [await site.browse("GET", filled(route.path, uid)) for route in ROUTES if route.method == "GET"]
        answers += [await site.raw(route.method, filled(route.path, uid)) for route in ROUTES]
        answers += [await site.raw("GET", "/nothing"), await site.raw("GET", "/", headers={"Host": "evil.example"})]
        answers += [await site.raw("TRACE", "/"), await site.raw("OPTIONS", "/"), await site.raw("HEAD", "/livez")]
        for answer in answers:
            assert {name.lower() for name in SECURITY} <= {name.lower() for name, _ in answer.headers.items()}
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe-inline" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Request-ID"]

    gateway(story)


def test_no_page_holds_a_script_or_an_inline_style_that_the_policy_would_have_to_allow(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        for route in ROUTES:
            if route.method == "GET" and route.is_page:
                page = (await (await site.browse("GET", filled(route.path, uid))).get_data()).decode(errors="replace")
                assert not re.search(r"<script|\sstyle=|<style|\son[a-z]+=|https?://(?!example\.com)", page), route.path

    gateway(story)


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: route.name)
def test_a_closed_route_asks_for_a_token_or_a_session(gateway, route):
    async def story(site: Site) -> None:
        path = filled(route.path, "0" * 26)
        answer = await site.raw(route.method, path)
        if route.is_page and route.method == "GET":
            assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
        else:
            assert answer.status_code == 401
        for secret in ("", "wrong", "atlas_" + "x" * 43, "x" * 10_000, "ö"):
            wrong = await site.raw(route.method, path, headers={"Authorization": f"Bearer {secret}"})
            assert wrong.status_code == 401
            assert wrong.headers["WWW-Authenticate"].startswith("Bearer")

    gateway(story)


@pytest.mark.parametrize("route", [route for route in CLOSED if route.scope != "read"], ids=lambda route: route.name)
def test_a_token_that_only_reads_changes_nothing(gateway, route):
    async def story(site: Site) -> None:
        answer = await site.api(route.method, filled(route.path, "0" * 26), scope="read")
        assert answer.status_code == 403

    gateway(story)


@pytest.mark.parametrize("route", UNSAFE, ids=lambda route: route.name)
def test_a_cookie_alone_changes_nothing_when_the_request_came_from_elsewhere(gateway, route):
    async def story(site: Site) -> None:
        cookie = {"Cookie": f"atlas_session={await site.session()}"}
        foreign = (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:7444.evil.example"},
            {"Origin": "http://localhost:9999"},
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:7444"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        )
        for proof in foreign:
            answer = await site.raw(route.method, filled(route.path, "0" * 26), headers={**cookie, **proof})
            assert answer.status_code == 403, proof
        for proof in (OWN, {"Origin": OWN["Origin"]}, {"Sec-Fetch-Site": "same-origin"}):
            answer = await site.raw(route.method, filled(route.path, "0" * 26), headers={**cookie, **proof})
            assert answer.status_code != 403, proof

    gateway(story)


def test_opening_any_page_changes_nothing(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        await site.browse("GET", "/")  # notes, at most once a minute, when the session was used
        with_changes = apsw.Connection(str(site.folder / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)
        before = with_changes.pragma("data_version")
        for route in ROUTES:
            if route.method == "GET":
                await site.browse("GET", filled(route.path, uid))
        assert with_changes.pragma("data_version") == before
        with_changes.close()

    gateway(story)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7444", "localhost.evil.example", "", "127.0.0.2", "[::2]"]
)
def test_a_host_that_is_not_ours_is_misdirected(gateway, host):
    async def story(site: Site) -> None:
        forged = {"Host": host, "X-Forwarded-Host": "localhost", "X-Forwarded-For": "127.0.0.1"}
        assert (await site.raw("GET", "/livez", headers=forged)).status_code == 421

    gateway(story)


def test_hosts_that_are_ours_are_served(gateway):
    async def story(site: Site) -> None:
        for host in ("localhost", "LOCALHOST:7444", "127.0.0.1:7444", "[::1]:7444", "atlas.home", "atlas.home.:443"):
            assert (await site.raw("GET", "/livez", headers={"Host": host})).status_code == 200, host

    gateway(story, allowed_hosts=("Atlas.home",))


def test_an_address_that_guesses_tokens_is_shut_out_but_good_tokens_from_there_keep_working(gateway):
    async def story(site: Site) -> None:
        await site.api("GET", "/api/v1/items")

        async def guess(n: int) -> int:
            wrong = {"Authorization": f"Bearer atlas_{n}"}
            return (await site.raw("GET", "/api/v1/items", headers=wrong)).status_code

        assert [await guess(n) for n in range(20)] == [401] * 20
        shut = await site.raw("GET", "/api/v1/items", headers={"Authorization": "Bearer atlas_21"})
        assert shut.status_code == 429
        assert int(shut.headers["Retry-After"]) >= 1
        assert (await site.api("GET", "/api/v1/items")).status_code == 200

    gateway(story)


def test_a_revoked_token_stops_working_at_once(gateway):
    async def story(site: Site) -> None:
        assert (await site.api("GET", "/api/v1/items")).status_code == 200
        await site.store.tokens.revoke("admin")
        assert (await site.api("GET", "/api/v1/items")).status_code == 401

    gateway(story)


def test_a_token_has_so_many_requests_a_minute(gateway):
    async def story(site: Site) -> None:
        statuses = [(await site.api("GET", "/api/v1/items")).status_code for _ in range(12)]
        assert statuses[:10] == [200] * 10
        assert statuses[-1] == 429

    gateway(story, requests_per_minute=10)


def test_a_sign_in_link_works_once_and_only_by_its_button(gateway):
    async def story(site: Site) -> None:
        secret = await site.store.tokens.sign_in_link()
        for _ in range(3):
            page = await site.raw("GET", f"/sign-in/{secret}")
            assert page.status_code == 200
            assert "Set-Cookie" not in page.headers
        button = {"method": "POST", "path": "/sign-in", "headers": OWN, "form": {"code": secret}}
        answer = await site.raw(**button)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        session = cookie.partition(";")[0]
        assert (await site.raw("GET", "/", headers={"Cookie": session})).status_code == 200
        assert (await site.raw(**button)).status_code == 401
        out = await site.raw("POST", "/sign-out", headers={"Cookie": session, **OWN})
        assert "Max-Age=0" in out.headers["Set-Cookie"]
        assert (await site.raw("GET", "/", headers={"Cookie": session})).status_code == 303

    gateway(story)


def test_a_session_lives_as_long_as_the_setting_says_after_its_last_visit(gateway):
    async def story(site):
        cookie = {"Cookie": f"atlas_session={await site.session()}"}
        day = 86_400
        for _ in range(3):
            site.clock.pass_seconds(1.5 * day)
            seen = await site.raw("GET", "/", headers=cookie)
            assert seen.status_code == 200
            assert f"Max-Age={2 * day};" in seen.headers["Set-Cookie"]
        site.clock.pass_seconds(2 * day + 1)
        assert (await site.raw("GET", "/", headers=cookie)).status_code == 303

    gateway(story, session_days=2)


def test_a_session_cookie_is_secure_behind_a_trusted_proxy_that_speaks_https(gateway):
    async def story(site: Site) -> None:
        secret = await site.store.tokens.sign_in_link()
        headers = {**OWN, "X-Forwarded-Proto": "https"}
        whole_link = f"http://localhost:7444/sign-in/{secret}"
        answer = await site.raw("POST", "/sign-in", headers=headers, form={"code": whole_link})
        assert "Secure" in answer.headers["Set-Cookie"]

    gateway(story, trusted_proxies=("local", "<local>", "127.0.0.1"))


def test_ten_wrong_codes_and_an_address_has_to_wait(gateway):
    async def story(site: Site) -> None:
        async def guess(code: str) -> int:
            return (await site.raw("POST", "/sign-in", headers=OWN, form={"code": code})).status_code

        assert [await guess(str(n)) for n in range(10)] == [401] * 10
        assert await guess(await site.store.tokens.sign_in_link()) == 429

    gateway(story)


def test_an_error_of_ours_shows_an_id_and_no_particulars(gateway):
    async def story(site: Site) -> None:
        async def fails() -> None:
            raise RuntimeError("the secret particulars")

        site.app.add_url_rule("/api/v1/fails", "fails", fails)
        site.app.add_url_rule("/fails", "fails_as_page", fails)
        program = await site.api("GET", "/api/v1/fails")
        assert program.status_code == 500
        assert (await program.get_json())["error_id"]
        person = await site.browse("GET", "/fails")
        for answer in (program, person):
            shown = (await answer.get_data()).decode()
            assert "secret particulars" not in shown
            assert "Traceback" not in shown

    gateway(story)


def test_no_name_of_a_static_file_leaves_its_folder(gateway):
    async def story(site: Site) -> None:
        for name in (
            "../app.py",
            "..%2fapp.py",
            "%2e%2e/app.py",
            "....//app.py",
            "/etc/passwd",
            "base.css%00",
            "mark.html",
        ):
            answer = await site.raw("GET", f"/static/{name}")
            assert answer.status_code == 404, name
        assert (await site.raw("GET", "/static/base.css")).status_code == 200

    gateway(story)


def test_the_wrong_method_names_the_right_ones(gateway):
    async def story(site: Site) -> None:
        answer = await site.api("PUT", "/api/v1/items")
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}
        assert answer.content_type == "application/problem+json"

    gateway(story)
