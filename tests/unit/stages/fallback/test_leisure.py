"""Which trouble may pass, and how long it is waited for."""

from __future__ import annotations

import pytest

from pipeline.items import Reason
from stages.fallback.leisure import LEAST_SECONDS, MOST_SECONDS, again_after, may_pass


@pytest.mark.parametrize(
    ("code", "detail", "passes"),
    [
        ("timeout", "", True),
        ("dns_failed", "no such host", True),
        ("breaker_open", "left alone", True),
        ("http_status", "HTTP 503", True),
        ("http_status", "HTTP 500 \u00b7 no usable copy from wayback", True),
        ("http_status", "HTTP 429", True),
        ("http_status", "HTTP 404", False),
        ("http_status", "HTTP 403", False),
        ("http_status", "", False),
        ("soft_404", "the page says so", False),
        ("challenge", "a check by Cloudflare", False),
        ("poison", "", False),
    ],
)
def test_a_site_that_is_down_may_come_back_and_a_page_that_is_gone_does_not(
    code: str, detail: str, passes: bool
) -> None:
    assert may_pass(Reason(code=code, detail=detail)) is passes


def test_in_three_days_a_page_is_tried_some_twenty_times_and_never_sooner_or_later_than_said() -> None:
    waited, tries = 0.0, 0
    while (after := again_after(waited, give_up_days=3)) is not None:
        assert LEAST_SECONDS <= after <= MOST_SECONDS
        waited, tries = waited + after, tries + 1
    assert 15 <= tries <= 30
    assert 3 * 86_400 <= waited <= 3 * 86_400 + MOST_SECONDS


def test_without_days_nothing_is_tried_at_leisure() -> None:
    assert again_after(0.0, give_up_days=0) is None
