"""Retention keeps the newest of days, weeks and months that have backups; no clock and no gap makes it delete many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from supervisor.backups.retention import LAST, doomed, kept
from supervisor.settings import BackupSettings

START = datetime(2026, 1, 1, 3, 17, tzinfo=UTC)
SETTINGS = BackupSettings()
MOMENTS = st.dictionaries(
    st.text("abcdefgh0123456789", min_size=1, max_size=6),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    max_size=60,
)


PERIODS = (
    (7, lambda at: at.strftime("%Y-%m-%d")),
    (4, lambda at: at.strftime("%G-%V")),
    (6, lambda at: at.strftime("%Y-%m")),
)


class Series:
    """Backups made one after the other, each followed by retention."""

    def __init__(self, settings: BackupSettings = SETTINGS) -> None:
        self.settings = settings
        self.there: dict[str, datetime] = {}

    def make(self, at: datetime) -> None:
        made = f"{len(self.there)}-{at.isoformat()}-{id(at)}"
        self.there[made] = at
        for name in doomed(self.there, self.settings, spare={made}):
            del self.there[name]

    @property
    def days(self) -> list[datetime]:
        return sorted(self.there.values(), reverse=True)


def test_after_two_years_of_days_the_last_week_month_and_half_year_are_there_and_little_more() -> None:
    series = Series()
    for day in range(730):
        series.make(START + timedelta(days=day))
    found, last = series.days, START + timedelta(days=729)
    assert found[:7] == [last - timedelta(days=n) for n in range(7)]
    weeks = {at.isocalendar()[:2] for at in found}
    assert {(last - timedelta(weeks=n)).isocalendar()[:2] for n in range(4)} <= weeks
    assert {(2027, month) for month in range(7, 13)} <= {(at.year, at.month) for at in found}
    assert len(found) <= 7 + 4 + 6 + 2


@given(MOMENTS, MOMENTS)
def test_what_is_spared_and_the_newest_of_each_period_is_never_doomed(
    moments: dict[str, datetime], spared: dict[str, datetime]
) -> None:
    everything = moments | spared
    names = doomed(everything, SETTINGS, spare=spared)
    if not names:
        assert everything.keys() - spared.keys() <= kept(everything, SETTINGS)
    for name in names:
        assert name not in spared
        for most, period in PERIODS:
            periods = sorted({period(at) for at in everything.values()}, reverse=True)[:most]
            rivals = {each: at for each, at in everything.items() if period(at) == period(everything[name])}
            is_newest = max(rivals, key=lambda each: (rivals[each], each)) == name
            assert not (is_newest and period(everything[name]) in periods)


@given(MOMENTS)
def test_those_kept_do_not_depend_on_what_was_deleted(moments: dict[str, datetime]) -> None:
    chosen = kept(moments, SETTINGS)
    assert kept({name: moments[name] for name in chosen}, SETTINGS) == chosen
    assert len(chosen) <= 7 + 4 + 6 + LAST


@given(st.lists(st.sampled_from([86_400, 86_400, 86_400, 172_800, 0, -86_400, 3600, -3600]), max_size=80))
def test_whatever_the_clock_does_a_run_deletes_one_at_most_and_many_stay(steps: list[int]) -> None:
    """F10: the wall clock goes on or back by a day or an hour."""
    series, at = Series(), START
    for _ in range(30):
        at += timedelta(days=1)
        series.make(at)
    for seconds in steps:
        before = set(series.there)
        at += timedelta(seconds=seconds)
        series.make(at)
        assert len(before - set(series.there)) <= 1
        assert len(series.there) >= 10


def test_months_without_any_backup_doom_one_at_most() -> None:
    series = Series()
    for day in range(7):
        series.make(START + timedelta(days=day))
    before = set(series.there)
    series.make(START + timedelta(days=400))
    assert len(before - set(series.there)) <= 1
    assert len(series.there) >= 7


def test_several_of_an_hour_are_kept_until_there_are_more_than_a_few() -> None:
    series = Series()
    for minute in range(LAST + 2):
        series.make(START + timedelta(minutes=minute))
    assert series.days == [START + timedelta(minutes=n) for n in range(LAST + 1, 1, -1)]


def test_smaller_settings_take_effect_within_some_runs() -> None:
    series = Series()
    for day in range(60):
        series.make(START + timedelta(days=day))
    series.settings = BackupSettings(keep_daily=1, keep_weekly=0, keep_monthly=0)
    for day in range(60, 90):
        series.make(START + timedelta(days=day))
    assert len(series.there) == LAST
