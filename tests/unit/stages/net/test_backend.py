"""How connections are made.

What may not be dialled is in tests/test_reliability/test_ssrf.py, name servers that fail are in test_dns.py there.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from pipeline.errors import AddressDenied, ConnectFailed, DnsFailed
from stages.net import backend
from stages.net.backend import system_resolver
from stages.net.guard import Guard
from tests.unit.stages.net.site import answering, fetcher, listening, reply


async def test_the_next_address_is_tried_when_one_refuses(free_port: int) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.2", "127.0.0.1")

    async with listening(answering(lambda _: reply(b"here"))) as site, fetcher(two) as fetch:
        assert (await fetch.fetch(site.url())).content == b"here"
        with pytest.raises(ConnectFailed) as caught:
            await fetch.fetch(f"http://site.test:{free_port}/")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_an_other_end_that_is_not_the_checked_address_is_left() -> None:
    """The peer is asked again after connecting, in case something between the check and the wire was redirected."""
    made = backend.GuardedBackend(Guard(["127.0.0.0/8"]), system_resolver(), dns_seconds=1)
    made._check_peer("a.test", "127.0.0.1", "127.0.0.1")
    for peer in ("127.0.0.2", "10.0.0.1"):
        with pytest.raises(AddressDenied):
            made._check_peer("a.test", "127.0.0.1", peer)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_a_name_that_does_not_exist_keeps_the_resolvers_reason(error: Exception) -> None:
    async def missing(host: str, port: int) -> Sequence[str]:
        raise error

    async with fetcher(missing) as fetch:
        with pytest.raises(DnsFailed) as caught:
            await fetch.fetch("http://gone.test/")
    assert caught.value.__cause__ is error
    assert "gone.test" in caught.value.message


async def test_a_unix_socket_is_never_dialled() -> None:
    made = backend.GuardedBackend(Guard(), system_resolver(), dns_seconds=1)
    with pytest.raises(Exception, match="local socket"):
        await made.connect_unix_socket("/run/anything.sock")
