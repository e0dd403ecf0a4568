"""The table of addresses that are never dialled, and what a setting can open."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import AddressDenied
from stages.net.guard import Guard

# The special-purpose registries, the embeddings that other guards missed, and both ends of the odd-sized networks.
DENIED = """
0.0.0.0 0.255.255.255 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254
169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.170
192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255
:: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1
64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::10.1.2.3 64:ff9b:1::1 64:ff9b:1:ffff::8.8.8.8
100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2002:7f00:1::1 2002:a9fe:a9fe::1 2002:808:808::1 3fff::1 5f00::1
fc00::1 fd00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 febf::1 fec0::1 feff::1 ff00::1 ff02::1 ff0e::1
4000::1 8000::1 1::1
""".split()  # noqa: SIM905 a table is easier to read

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255
169.255.0.1 172.15.255.255 172.32.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
2606:4700:4700::1111 2a00:1450:4001::1 2003::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
""".split()  # noqa: SIM905


@pytest.mark.parametrize("address", DENIED)
def test_an_address_that_is_not_public_is_denied(address: str) -> None:
    with pytest.raises(AddressDenied):
        Guard().check("a.test", [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    Guard().check("a.test", [address])


def test_one_bad_answer_among_good_ones_denies_the_host() -> None:
    with pytest.raises(AddressDenied) as caught:
        Guard().check("mixed.test", ["93.184.215.14", "2606:4700::1", "10.0.0.1"])
    assert "mixed.test" in caught.value.message
    assert "10.0.0.1" in caught.value.message
    assert "ATLAS_NET_ALLOW_NETWORKS" in caught.value.hint
    assert not caught.value.retryable


def test_a_listed_network_passes_in_every_spelling_that_leads_there() -> None:
    guard = Guard(["127.0.0.0/8", "fd12::/16"])
    guard.check("a.test", ["127.0.0.1", "::ffff:127.0.0.1", "fd12::1"])
    for elsewhere in ("10.0.0.1", "::1", "fd13::1", "2002:7f00:1::1", "::127.0.0.1"):
        with pytest.raises(AddressDenied):
            guard.check("a.test", [elsewhere])


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
     "2001:0:4136:e378:8000:63bf:5601:5601", "::169.254.169.254", "fd00:ec2::254", "100.100.100.200"],
)  # fmt: skip
def test_metadata_addresses_stay_denied_even_when_everything_is_listed(address: str) -> None:
    with pytest.raises(AddressDenied) as caught:
        Guard(["0.0.0.0/0", "::/0"]).check("a.test", [address])
    assert "ATLAS_NET_ALLOW_NETWORKS" not in caught.value.hint


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="300"):
        Guard(["300.0.0.0/8"])


def _denied(address: IPv4Address | IPv6Address) -> bool:
    try:
        Guard().check("a.test", [str(address)])
    except AddressDenied:
        return True
    return False


@given(st.ip_addresses(v=4))
def test_what_python_calls_not_global_is_denied_too(address: IPv4Address) -> None:
    assert address.is_global or _denied(address)


@given(st.ip_addresses(v=6))
def test_what_python_calls_not_global_in_ipv6_is_denied_too(address: IPv6Address) -> None:
    assert address.is_global or address.ipv4_mapped or _denied(address)


@given(st.ip_addresses(v=4))
def test_no_carrier_leads_where_the_address_itself_may_not_be_dialled(inner: IPv4Address) -> None:
    number = int(inner)
    judged_by_what_they_carry = (0xFFFF << 32, 0x64FF9B << 96)
    never = (0, 0xFFFF << 48, (0x64FF9B << 96) | (1 << 80))
    assert all(_denied(IPv6Address(carrier | number)) == _denied(inner) for carrier in judged_by_what_they_carry)
    assert all(_denied(IPv6Address(carrier | number)) for carrier in never)
    assert _denied(IPv6Address((0x2002 << 112) | (number << 80) | 1))
    assert _denied(IPv6Address((0x20010000 << 96) | (number ^ 0xFFFF_FFFF)))
