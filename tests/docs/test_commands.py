"""What the guides tell a person to type is typed here: in a fresh checkout, in the order of the page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from supervisor.arguments import GROUPS
from tests.docs.checkout import Checkout
from tests.docs.documents import GUIDES, ROOT, Block, guide

PLACES = {"checkout", "host", "proxy"}
SHELL_BLOCKS = [block for name in GUIDES for block in guide(name).blocks if block.is_shell]
MARKED = [block for name in GUIDES for block in guide(name).blocks if block.mark]


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_every_block_of_commands_is_run_somewhere_or_says_why_not(block: Block) -> None:
    assert block.place in PLACES or len(block.mark.removeprefix("not run: ").split()) > 3, block.content


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_every_block_of_commands_can_be_read_by_the_shell(block: Block) -> None:
    ran = subprocess.run(["bash", "-n"], input=block.content, capture_output=True, text=True, timeout=10, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_mark_that_nobody_understands_is_none() -> None:
    assert {block.place for block in MARKED} <= PLACES | {""}
    assert all(block.place == "checkout" for block in MARKED if block.stays)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GUIDES if any(b.place == "checkout" for b in guide(name).blocks)])
def test_the_commands_of_a_guide_work_in_a_fresh_checkout(name: str, tmp_path: Path) -> None:
    blocks = [block for block in guide(name).blocks if block.is_shell and block.place == "checkout"]
    with Checkout(tmp_path) as checkout:
        for block in blocks:
            checkout.run(block)
        assert checkout.stop() in (0, 130)


def test_every_command_of_atlas_stands_where_a_person_would_look_for_it() -> None:
    """In the guides or the runbooks, as it is typed."""
    text = "".join((ROOT / name).read_text("utf-8") for name in (*GUIDES, "docs/RUNBOOKS.md", "docs/OBSERVABILITY.md"))
    typed = set(re.findall(r"(?:\./tools/|\bsudo |`|^|\s)atlas ([a-z][a-z-]+)", text, re.MULTILINE))
    commands = {command for group in GROUPS.values() for command in group}
    assert commands - typed == set()


def test_the_guides_name_no_command_that_there_is_not() -> None:
    text = "".join(block.content for block in SHELL_BLOCKS)
    typed = set(re.findall(r"(?:\./tools/atlas|\bsudo atlas) +([a-z][a-z-]*)", text))
    assert typed - {command for group in GROUPS.values() for command in group} == set()
