"""Makes realistic hourly household electricity: the demo's data set, the same bytes every time.

Each household's load is a product of rhythms and an autocorrelated disturbance, plus appliances:

    base × day shape (work day or free day) × season × weather × noise  +  evenings' appliances

with gaps, as meters have them, and a few households that are unlike the rest: a sunny roof, an empty flat,
a night-shift worker, one that moved in late, one that heats with electricity.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np

HEADER = ("timestamp", "target_value", "item_id")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"

START = datetime(2024, 11, 4)
DAYS = 731
HOUSEHOLDS = 20
SEED = 20

# Fixed free days of France, and the shared Mondays and Thursdays of the two springs and summers in the set.
FIXED_HOLIDAYS = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
MOVING_HOLIDAYS = (
    date(2025, 4, 21),
    date(2025, 5, 29),
    date(2025, 6, 9),
    date(2026, 4, 6),
    date(2026, 5, 14),
    date(2026, 5, 25),
)

# kW relative to a household's mean, hour 0 … 23, on a work day and on a free day.
WORK_DAY = (
    45,
    40,
    38,
    37,
    38,
    45,
    75,
    115,
    110,
    80,
    72,
    75,
    88,
    85,
    75,
    75,
    85,
    110,
    150,
    185,
    180,
    150,
    110,
    70,
)
FREE_DAY = (
    58,
    48,
    43,
    40,
    40,
    42,
    50,
    68,
    95,
    118,
    128,
    135,
    145,
    128,
    112,
    105,
    108,
    122,
    150,
    175,
    168,
    145,
    112,
    78,
)

# What the year does to it: cold and dark at the turn of the year; phase in days.
COLDEST_DAY = 20
SEASON_SHARE = 0.28

# Temperature-like disturbance: how much of yesterday's weather stays, and how strong it is.
WEATHER_KEPT = 0.8
WEATHER_SHARE = 0.07
NOISE_KEPT = 0.55
NOISE_SHARE = 0.22


@dataclass(frozen=True)
class Household:
    """What is particular about one home; kW are averages over an hour, so kWh of the hour."""

    name: str
    mean_kw: float
    standby_kw: float
    shift_h: float
    season_share: float
    kind: str = "usual"  # usual, solar, empty, night shift, late, electric heat


def households(count: int, rng: np.random.Generator) -> list[Household]:
    """The homes; the odd ones come at fixed places so that a small set has some of them, too."""
    odd = {2: "solar", 5: "empty", 8: "night shift", 11: "late", 14: "electric heat"}
    return [
        Household(
            name=f"home_{number + 1:02d}",
            mean_kw=float(rng.lognormal(-0.75, 0.35)),
            standby_kw=float(rng.uniform(0.04, 0.12)),
            shift_h=float(rng.normal(0, 0.7)),
            season_share=SEASON_SHARE * float(rng.uniform(0.6, 1.4)),
            kind=odd.get(number, "usual"),
        )
        for number in range(count)
    ]


def calendar(start: datetime, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every hour: hour of the day, day of the year, and whether the day is free.

    Returns:
        Three arrays [days × 24].
    """
    dates = [(start + timedelta(days=day)).date() for day in range(days)]
    free = [
        each.weekday() >= 5 or (each.month, each.day) in FIXED_HOLIDAYS or each in MOVING_HOLIDAYS
        for each in dates
    ]
    hours = np.tile(np.arange(24), days)
    return hours, np.repeat([each.timetuple().tm_yday for each in dates], 24), np.repeat(free, 24)


def load_of(
    home: Household,
    hours: np.ndarray,
    days: np.ndarray,
    free: np.ndarray,
    weather: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Hourly kWh of one home, never negative.

    Args:
        hours, days, free: the calendar, [T].
        weather: coldness of each hour shared by all homes, around 0, [T].

    Returns:
        kWh [T]; NaN where the meter has no value.
    """
    shape = _shape(home, hours, free)
    season = 1 + home.season_share * np.cos(2 * np.pi * (days - COLDEST_DAY) / 365.25)
    strength = 5.0 if home.kind == "electric heat" else 1.0
    cold = np.clip(1 + strength * WEATHER_SHARE * weather * (season > 0.9), 0.4, 3.0)
    noise = np.exp(NOISE_SHARE * _autocorrelated(len(hours), NOISE_KEPT, rng))
    load = home.mean_kw * shape * season * cold * noise + _appliances(home, hours, free, rng)
    load = _particular(home, load, hours, days, rng) + home.standby_kw * rng.uniform(0.9, 1.1, len(hours))
    return _with_gaps(home, load, rng)


def _shape(home: Household, hours: np.ndarray, free: np.ndarray) -> np.ndarray:
    shift = home.shift_h + (9 if home.kind == "night shift" else 0)
    positions = (hours - shift) % 24
    around = np.arange(25)
    work = np.interp(positions, around, [*WORK_DAY, WORK_DAY[0]])
    rest = np.interp(positions, around, [*FREE_DAY, FREE_DAY[0]])
    return np.where(free, rest, work) / 100


def _appliances(home: Household, hours: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Washing and cooking: now and then, more likely in the evening and on free days."""
    chance = np.where((hours >= 17) & (hours <= 21), 0.10, np.where((hours >= 9) & free, 0.07, 0.015))
    return (rng.random(len(hours)) < chance) * rng.uniform(0.4, 1.3, len(hours)) * min(1.0, home.mean_kw)


def _particular(
    home: Household, load: np.ndarray, hours: np.ndarray, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    if home.kind == "solar":
        height = np.clip(np.sin(np.pi * (hours - 6) / 13), 0, None) * (hours >= 6) * (hours <= 19)
        summer = 0.55 - 0.45 * np.cos(2 * np.pi * (days - 10) / 365.25)
        cloud = np.repeat(rng.beta(2.5, 1.2, len(hours) // 24), 24)
        return np.clip(load - 1.1 * height * summer * cloud, 0, None)  # what it feeds in is not counted
    if home.kind == "empty":
        lived_in = np.repeat(rng.random(len(hours) // 24) < 0.02, 24)
        return load * lived_in
    return load


def _with_gaps(home: Household, load: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leave out what a meter would: single hours, a lost day now and then, and the time before moving in."""
    load = load.copy()
    load[rng.random(len(load)) < 0.0015] = np.nan
    for begin in rng.integers(0, len(load) - 24 * 14, size=3):  # never in the last two weeks
        load[begin : begin + int(rng.integers(4, 40))] = np.nan
    if home.kind == "late":
        load[: int(len(load) * 0.7)] = np.nan
    return load


def _autocorrelated(length: int, kept: float, rng: np.random.Generator) -> np.ndarray:
    """An AR(1) process with variance 1, [length]."""
    steps = rng.normal(0, np.sqrt(1 - kept**2), length)
    values = np.empty(length)
    value = rng.normal()
    for index, step in enumerate(steps):
        value = kept * value + step
        values[index] = value
    return values


def rows(count: int = HOUSEHOLDS, days: int = DAYS, seed: int = SEED) -> Iterator[tuple[str, str, str]]:
    """The data set, home by home: time, kWh with four decimals, name."""
    rng = np.random.default_rng(seed)
    hours, days_of_year, free = calendar(START, days)
    weather = np.repeat(_autocorrelated(days, WEATHER_KEPT, rng), 24)
    times = [(START + timedelta(hours=hour)).strftime(TIME_FORMAT) for hour in range(len(hours))]
    for home in households(count, rng):
        load = load_of(home, hours, days_of_year, free, weather, rng)
        for time, kwh in zip(times, load.tolist(), strict=True):
            if kwh == kwh:  # not missing
                yield time, f"{kwh:.4f}", home.name


def write(out: TextIO, count: int = HOUSEHOLDS, days: int = DAYS, seed: int = SEED) -> int:
    """Write the data set as CSV with a header.

    Returns:
        The number of rows below the header.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    written = 0
    for row in rows(count, days, seed):
        writer.writerow(row)
        written += 1
    return written


def main() -> None:
    """`python -m local.household [FILE]`: write the data set to a file or to standard output."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--households", type=int, default=HOUSEHOLDS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    if given.file is None:
        write(sys.stdout, given.households, given.days, given.seed)
        return
    with given.file.open("w", newline="") as out:
        write(out, given.households, given.days, given.seed)


if __name__ == "__main__":
    main()
