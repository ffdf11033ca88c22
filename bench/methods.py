"""This engine and its peers on one table of series, each in a process of its own, in turns.

Peers live in environments of their own, which ``install`` makes from bench/peers/*.txt. All get the same
table, the same horizon and the same number of threads. CPU seconds are those of the process and of its
children, imports included. wQL is the mean over 0.1, 0.5 and 0.9, pooled over all series; the interval of
the ratio to it comes from a paired bootstrap over series. As few large series may carry most of the pooled
wQL, the mean of the series' own wQL stands beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import build_panel

QUANTILES = (0.1, 0.5, 0.9)
DRAWS = 2000
HERE = Path(__file__).resolve().parent
OURS = "forecastd"
PRESETS = {"AutoGluon medium_quality": "medium_quality", "AutoGluon high_quality": "high_quality"}
STATISTICAL = ("SeasonalNaive", "AutoETS", "DynamicOptimizedTheta", "MSTL+AutoETS")
PEERS = (*STATISTICAL, *PRESETS)


@dataclass(frozen=True)
class Problem:
    """What all have to forecast."""

    rows: pd.DataFrame  # item_id, timestamp, target
    actual: np.ndarray  # [N, H] what came, in the order of the items' names; NaN where nothing is known
    frequency: Frequency

    @property
    def horizon(self) -> int:
        """H, in steps."""
        return self.actual.shape[1]

    @property
    def alias(self) -> str:
        """The name that pandas has for the step between the timestamps, such as h, D, W-SUN or MS."""
        times = self.rows["timestamp"]
        return str(pd.infer_freq(pd.date_range(times.min(), times.max(), freq=self.frequency.offset)))


@dataclass(frozen=True)
class Result:
    """What a method made of the data."""

    name: str
    cpu_s: float
    losses: np.ndarray  # [N] quantile loss of each series, summed over steps, mean over quantiles
    coverage: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every comparison."""
    parser.add_argument(
        "--peers", type=Path, default=Path(".local/peers"), help="folder of their environments"
    )
    parser.add_argument("--install", action="store_true", help="make the environments first")
    parser.add_argument("--rounds", type=int, default=1, help="how often all take their turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=0, help="AutoGluon's time limit, 0 for none")
    parser.add_argument("--keep", type=Path, help="folder where the peers' forecasts are kept for next time")
    parser.add_argument("peer", nargs="*", help=f"any of {', '.join(PEERS)}; all if none is named")


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options given; all peers if none is named."""
    arguments = parser.parse_intermixed_args()  # peers may stand after options
    unknown = set(arguments.peer) - set(PEERS)
    if unknown:
        parser.error(f"There is no peer {', '.join(sorted(unknown))}: name any of {', '.join(PEERS)}.")
    arguments.peer = arguments.peer or PEERS
    return arguments


def compare(problem: Problem, arguments: argparse.Namespace, label: str) -> None:
    """Let all take their turns and print a table.

    Args:
        problem: The data.
        arguments: The options of ``add_arguments``.
        label: Tells the kept forecasts of this problem from those of others.
    """
    if arguments.install:
        install(arguments.peers)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "train.parquet"
        problem.rows.to_parquet(source, index=False)
        rounds = [
            {name: _run(name, source, problem, arguments, label) for name in (OURS, *arguments.peer)}
            for _ in range(arguments.rounds)
        ]
    _print(rounds, np.nansum(np.abs(problem.actual), axis=1))


def install(folder: Path) -> None:
    """Make the peers' environments."""
    for requirements in sorted((HERE / "peers").glob("*.txt")):
        place = folder / requirements.stem
        venv.create(place, with_pip=True)
        lines = requirements.read_text().splitlines()
        for package in (line for line in lines if line and not line.startswith("#")):
            subprocess.run([place / "bin" / "pip", "install", "-q", package], check=True)


def forecast_ours(source: Path, target: Path, frequency: str, horizon: int, threads: int) -> None:
    """Train this engine's AutoPredictor on a table and write its forecast."""
    panel = build_panel(
        pd.read_parquet(source),
        item_key="item_id",
        target_name="target",
        dimensions=[],
        frequency=Frequency.parse(frequency),
        horizon_steps=horizon,
    )
    request = TrainingRequest(
        method="AutoPredictor",
        horizon_steps=horizon,
        quantiles=QUANTILES,
        want_mean=False,
        windows=1,
        offset_steps=horizon,
        hyperparameters={},
        optimization_metric="AverageWeightedQuantileLoss",
        seed=0,
        threads=threads,
        time_limit_s=None,
    )
    predictor = train(panel, request, lambda fraction, left: None)
    for candidate in predictor.report["candidates"]:
        print(candidate, flush=True)
    predictor.forecast(panel, QUANTILES, want_mean=False).to_parquet(target, index=False)


def _run(name: str, source: Path, problem: Problem, arguments: argparse.Namespace, label: str) -> Result:
    """Run one method in its own process and score it."""
    target = (arguments.keep or source.parent) / f"{name}_{label}.parquet"
    note = target.with_suffix(".cpu")
    if name == OURS or not note.exists() or not arguments.keep:
        target.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(str(_cpu_s(_command(name, source, target, problem, arguments))))
    table = pd.read_parquet(target).sort_values(["item_id", "timestamp"])
    grid = table[["p10", "p50", "p90"]].to_numpy().reshape(*problem.actual.shape, len(QUANTILES))
    actual, levels = problem.actual, np.array(QUANTILES)
    error = actual[:, :, None] - grid
    loss = 2 * np.nansum(np.maximum(levels * error, (levels - 1) * error).mean(axis=2), axis=1)
    known = np.isfinite(actual)
    covered = float(((actual >= grid[..., 0]) & (actual <= grid[..., 2]))[known].mean())
    return Result(name, float(note.read_text()), loss, covered)


def _command(
    name: str, source: Path, target: Path, problem: Problem, arguments: argparse.Namespace
) -> Sequence[str]:
    threads, horizon = str(arguments.threads), str(problem.horizon)
    if name == OURS:
        module = [sys.executable, "-m", "bench.methods"]  # not as a file: it imports this project
        return [*module, str(source), str(target), str(problem.frequency), horizon, threads]
    folder = "autogluon" if name in PRESETS else "statsforecast"
    python = str(arguments.peers / folder / "bin" / "python")
    script = str(HERE / "peers" / f"{folder}_peer.py")
    common = [python, script, str(source), str(target), problem.alias, horizon]
    if name in PRESETS:
        return [*common, PRESETS[name], threads, str(arguments.limit_s)]
    return [*common, name, threads, *map(str, problem.frequency.seasonalities)]


def _cpu_s(command: Sequence[str]) -> float:
    """The CPU seconds of a command and its children."""
    before = os.times()
    subprocess.run(command, check=True, stdout=sys.stderr)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _print(rounds: list[dict[str, Result]], weights: np.ndarray) -> None:
    ours = rounds[-1][OURS]
    heads = f"{'method':28}{'wQL':>9}{'ours/it':>9}{'95 % interval':>18}"
    print(f"{heads}{'per series':>12}{'cover':>8}{'CPU s':>9}")
    known = weights > 0  # a series without any demand has no wQL of its own
    for name, result in sorted(rounds[-1].items(), key=lambda item: item[1].losses.sum()):
        low, high = _interval(ours.losses, result.losses)
        cpu = np.mean([one[name].cpu_s for one in rounds])
        print(
            f"{name:28}{result.losses.sum() / weights.sum():9.5f}"
            f"{ours.losses.sum() / result.losses.sum():9.3f}{f'{low:.3f} – {high:.3f}':>18}"
            f"{(result.losses[known] / weights[known]).mean():12.5f}{result.coverage:8.3f}{cpu:9.1f}"
        )


def _interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the ratio of summed losses over redrawn series, which both share."""
    draws = np.random.default_rng(0).integers(0, len(ours), (DRAWS, len(ours)))
    low, high = np.quantile(ours[draws].sum(axis=1) / theirs[draws].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    forecast_ours(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
