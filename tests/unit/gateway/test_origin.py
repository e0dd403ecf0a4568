"""Hosts and addresses."""

from __future__ import annotations

import pytest

from gateway.security.origin import host_name, is_known_host, network_of
from gateway.settings import ApiSettings


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("LocalHost:7444", "localhost"),
        ("[::1]:7444", "::1"),
        ("atlas.example.", "atlas.example"),
        ("[::1", ""),
        ("", ""),
        ("user@evil.example", "evil.example"),
        ("localhost/../evil", "localhost"),
    ],
)
def test_a_host_is_a_name_without_its_port(authority: str, name: str) -> None:
    assert host_name(authority) == name


def test_bound_to_everything_an_address_will_do_but_a_name_must_be_listed() -> None:
    settings = ApiSettings(host="0.0.0.0", allowed_hosts=("atlas.example",))
    assert is_known_host("192.168.1.20:7444", settings)
    assert is_known_host("[fd00::20]:7444", settings)
    assert is_known_host("atlas.example", settings)
    assert not is_known_host("rebound.example", settings)
    assert not is_known_host("192.168.1.20:7444", ApiSettings())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_one_ipv6_client_counts_once_however_many_addresses_it_has(address: str, network: str) -> None:
    assert network_of(address) == network
