"""`atlas token` and `atlas sign-in`: who may use the library."""

from __future__ import annotations

import argparse

import msgspec

from gateway.shape import iso
from pipeline.store.tokens import Token
from supervisor.address import sign_in_url
from supervisor.commands import output
from supervisor.commands.session import load_settings, with_store
from supervisor.exits import Exit
from supervisor.settings import Config


class TokenOut(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret, which is stored nowhere."""

    name: str
    kind: str
    scope: str
    prefix: str
    created_at: str
    used_at: str | None
    expires_at: str | None


def run(args: argparse.Namespace) -> int:
    config = load_settings(args).config
    if args.command == "sign-in":
        return sign_in(config)
    match args.action:
        case "create":
            output.line(with_store(config, lambda store: store.tokens.create(args.name, args.scope)))
        case "revoke":
            with_store(config, lambda store: store.tokens.revoke(args.name))
        case _:
            _list(config, as_json=args.json)
    return Exit.OK


def sign_in(config: Config) -> int:
    """Print a link that signs one browser in, once, within 15 minutes."""
    secret = with_store(config, lambda store: store.tokens.sign_in_link())
    output.line(sign_in_url(config.api, secret))
    return Exit.OK


def _list(config: Config, *, as_json: bool) -> None:
    tokens = [_out(token) for token in with_store(config, lambda store: store.tokens.list())]
    if as_json:
        output.json(tokens)
        return
    rows = [
        (each.name, each.kind, each.scope, each.prefix, each.created_at, each.used_at, each.expires_at)
        for each in tokens
    ]
    output.table(("NAME", "KIND", "SCOPE", "BEGINS", "CREATED", "USED", "EXPIRES"), rows)


def _out(token: Token) -> TokenOut:
    return TokenOut(
        name=token.name,
        kind=token.kind,
        scope=token.scope,
        prefix=token.prefix,
        created_at=iso(token.created_at),
        used_at=None if token.used_at is None else iso(token.used_at),
        expires_at=None if token.expires_at is None else iso(token.expires_at),
    )
