"""Which backups are kept: the newest of each of some days, weeks and months that have any.

It goes by the days that have backups, never by today: a clock that jumps, or weeks without backups, doom nothing. And
a run deletes one at most, as it adds one: what a wrong clock costs is bounded (F10 of the reliability tests).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import Final

from supervisor.settings import BackupSettings

LAST: Final = 3  # kept whatever their days: who makes several in an hour may still go back before the first mistake


def kept(moments: Mapping[str, datetime], settings: BackupSettings) -> frozenset[str]:
    """The ids that the rule keeps, of backups with the moment in UTC at which each was made."""
    tiers: tuple[tuple[int, Callable[[datetime], Hashable]], ...] = (
        (settings.keep_daily, lambda moment: moment.date()),
        (settings.keep_weekly, lambda moment: moment.isocalendar()[:2]),
        (settings.keep_monthly, lambda moment: (moment.year, moment.month)),
    )
    newest_first = sorted(moments, key=lambda each: (moments[each], each), reverse=True)
    chosen = set(newest_first[:LAST])
    for most, period in tiers:
        newest: dict[Hashable, str] = {}
        for each in newest_first:
            newest.setdefault(period(moments[each]), each)
        chosen |= set(list(newest.values())[:most])
    return frozenset(chosen)


def doomed(moments: Mapping[str, datetime], settings: BackupSettings, *, spare: Iterable[str]) -> tuple[str, ...]:
    """The backups to delete now: of those that the rule does not keep and that are none of `spare`, the oldest.

    One at most; two while there are more than the rule could ever keep, so that smaller settings take effect.
    """
    safe = kept(moments, settings) | frozenset(spare)
    oldest_first = sorted((each for each in moments if each not in safe), key=lambda each: (moments[each], each))
    most = settings.keep_daily + settings.keep_weekly + settings.keep_monthly + LAST
    return tuple(oldest_first[: 2 if len(moments) > most else 1])
