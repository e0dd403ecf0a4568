"""The palettes: everything that is read has enough contrast, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gateway

CSS = (Path(gateway.__file__).parent / "static" / "base.css").read_text()
TEXT = [
    *(("ink", ground) for ground in ("paper", "raised", "sunk")),
    *(("ink-soft", ground) for ground in ("paper", "raised", "sunk")),
    *(("accent", ground) for ground in ("paper", "raised", "accent-soft")),
    *((tone, f"{tone}-soft") for tone in ("good", "warn", "bad")),
    ("bad", "paper"),
    ("paper", "bad"),
    ("paper", "ink"),
    ("accent-ink", "accent"),
    ("ink", "mark"),
]
EDGES = [("line-strong", "raised"), ("line-strong", "paper"), ("accent", "paper")]


def palette(dark: bool) -> dict[str, str]:
    light, _, night = CSS.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    if dark:
        found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", night))
    return found


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_stands_out_from_its_ground(text: str, ground: str, dark: bool) -> None:
    colours = palette(dark)
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_the_edge_of_a_field_and_the_focus_ring_can_be_seen(edge: str, ground: str, dark: bool) -> None:
    colours = palette(dark)
    assert contrast(colours[edge], colours[ground]) >= 3
