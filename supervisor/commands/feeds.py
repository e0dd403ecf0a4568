"""`atlas feed add|list`."""

from __future__ import annotations

import argparse

from gateway import shape, wire
from gateway.intake import url_key
from pipeline.errors import Fault, InvalidInput
from pipeline.store.handle import Store
from pipeline.work import Feed
from supervisor.commands import output
from supervisor.commands.session import load_settings, with_store
from supervisor.exits import Exit


def run(args: argparse.Namespace) -> int:
    return add(args) if args.action == "add" else show_all(args)


def add(args: argparse.Namespace) -> int:
    """Its first poll is due at once."""
    config = load_settings(args).config
    url = args.url.strip()
    faults: list[Fault] = []
    url_key(url, faults)
    if faults:
        raise InvalidInput("this is no address of a feed", faults=tuple(faults))
    interval = args.every or config.discover.interval_seconds

    async def job(store: Store) -> Feed:
        feed = await store.feeds.add(url, interval_seconds=interval)
        await store.feeds.queue_due()
        return feed

    feed = with_store(config, job, news=True)
    output.table(("ID", "EVERY", "URL"), [(feed.uid, f"{feed.interval_seconds} s", feed.url)])
    return Exit.OK


def show_all(args: argparse.Namespace) -> int:
    config = load_settings(args, quiet=args.json).config
    feeds = [shape.feed(feed) for feed in with_store(config, lambda store: store.feeds.list())]
    if args.json:
        output.json(wire.FeedList(feeds=tuple(feeds)))
        return Exit.OK
    rows = [
        (feed.id, feed.title, f"{feed.interval_seconds} s", feed.next_poll_at, feed.failures, feed.url)
        for feed in feeds
    ]
    output.table(("ID", "TITLE", "EVERY", "NEXT POLL", "FAILURES", "URL"), rows)
    return Exit.OK
