"""M4 hourly: this engine next to AutoGluon and statsforecast, each in a process of its own, in turns.

    FORECAST_DATA=/path/to/data python -m bench.m4 --peers FOLDER [--install] [peer …]

Peers live in environments of their own under FOLDER, which ``--install`` makes from bench/peers/*.txt. All
get the same table, the same horizon and the same number of threads. CPU seconds are those of the process and
of its children, imports included. wQL is the mean over 0.1, 0.5 and 0.9, pooled over all series; the interval
of the ratio to it comes from a paired bootstrap over series. As few large series carry most of the pooled
wQL, the mean of the series' own wQL stands beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

HORIZON = 48
QUANTILES = (0.1, 0.5, 0.9)
DRAWS = 2000
END = pd.Timestamp("2020-01-01")  # of every series: the competition does not tell their real dates
HERE = Path(__file__).resolve().parent
OURS = "forecastd"
PRESETS = {"AutoGluon medium_quality": "medium_quality", "AutoGluon high_quality": "high_quality"}
STATISTICAL = ("SeasonalNaive", "AutoETS", "DynamicOptimizedTheta", "MSTL+AutoETS")
PEERS = (*STATISTICAL, *PRESETS)


@dataclass
class Result:
    """What a method made of the data."""

    name: str
    cpu_s: float
    losses: np.ndarray  # [N] quantile loss of each series, summed over steps, mean over quantiles
    coverage: float


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    if arguments.install:
        _install(arguments.peers)
    if arguments.child:
        forecast_ours(Path(arguments.child[0]), Path(arguments.child[1]), arguments.threads)
        return
    train, test = load(Path(os.environ["FORECAST_DATA"]) / "m4_hourly", arguments.series)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "train.parquet"
        train.to_parquet(source, index=False)
        rounds = [
            {name: _run(name, source, test, arguments) for name in (OURS, *arguments.peer)}
            for _ in range(arguments.rounds)
        ]
    _print(rounds, np.abs(test).sum(axis=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="M4 hourly next to AutoGluon and statsforecast.")
    parser.add_argument(
        "--peers", type=Path, default=Path(".local/peers"), help="folder of their environments"
    )
    parser.add_argument("--install", action="store_true", help="make the environments first")
    parser.add_argument("--series", type=int, help="only that many, evenly over the list")
    parser.add_argument("--rounds", type=int, default=1, help="how often all take their turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=0, help="AutoGluon's time limit, 0 for none")
    parser.add_argument("--keep", type=Path, help="folder where the peers' forecasts are kept for next time")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("peer", nargs="*", help=f"any of {', '.join(PEERS)}; all if none is named")
    arguments = parser.parse_args()
    unknown = set(arguments.peer) - set(PEERS)
    if unknown:
        parser.error(f"There is no peer {', '.join(sorted(unknown))}: name any of {', '.join(PEERS)}.")
    arguments.peer = arguments.peer or PEERS
    return arguments


def _install(folder: Path) -> None:
    for requirements in sorted((HERE / "peers").glob("*.txt")):
        place = folder / requirements.stem
        venv.create(place, with_pip=True)
        lines = requirements.read_text().splitlines()
        for package in (line for line in lines if line and not line.startswith("#")):
            subprocess.run([place / "bin" / "pip", "install", "-q", package], check=True)


def load(folder: Path, count: int | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows to train on, and the actuals [N, H] of the series in the order of their names."""
    wide = pd.read_csv(folder / "train.csv", index_col=0).sort_index()
    test = pd.read_csv(folder / "test.csv", index_col=0).sort_index()
    if count:
        keep = np.linspace(0, len(wide) - 1, count).astype(int)
        wide, test = wide.iloc[keep], test.iloc[keep]
    parts = []
    for name, row in wide.iterrows():
        values = row.dropna().to_numpy(float)
        times = pd.date_range(end=END, periods=len(values), freq="h")
        parts.append(pd.DataFrame({"item_id": str(name), "timestamp": times, "target": values}))
    return pd.concat(parts, ignore_index=True), test.to_numpy(float)


def forecast_ours(source: Path, target: Path, threads: int) -> None:
    """Train this engine's AutoPredictor on a table and write its forecast."""
    from forecastd.models.training import TrainingRequest, train
    from forecastd.series.frequency import Frequency
    from forecastd.series.panel import build_panel

    panel = build_panel(
        pd.read_parquet(source),
        item_key="item_id",
        target_name="target",
        dimensions=[],
        frequency=Frequency.parse("H"),
        horizon_steps=HORIZON,
    )
    request = TrainingRequest(
        method="AutoPredictor",
        horizon_steps=HORIZON,
        quantiles=QUANTILES,
        want_mean=False,
        windows=1,
        offset_steps=HORIZON,
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


def _run(name: str, source: Path, test: np.ndarray, arguments: argparse.Namespace) -> Result:
    """Run one method in its own process and score it."""
    target = (arguments.keep or source.parent) / f"{name}_{arguments.series or 'all'}.parquet"
    note = target.with_suffix(".cpu")
    if name == OURS or not note.exists() or not arguments.keep:
        target.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(str(_cpu_s(_command(name, source, target, arguments))))
    table = pd.read_parquet(target).sort_values(["item_id", "timestamp"])
    grid = table[["p10", "p50", "p90"]].to_numpy().reshape(len(test), HORIZON, len(QUANTILES))
    error = test[:, :, None] - grid
    levels = np.array(QUANTILES)
    loss = 2 * np.maximum(levels * error, (levels - 1) * error).mean(axis=2).sum(axis=1)
    covered = float(((test >= grid[..., 0]) & (test <= grid[..., 2])).mean())
    return Result(name, float(note.read_text()), loss, covered)


def _command(name: str, source: Path, target: Path, arguments: argparse.Namespace) -> list[str]:
    threads = str(arguments.threads)
    if name == OURS:
        module = [sys.executable, "-m", "bench.m4"]  # not as a file: it imports this project
        return [*module, "--threads", threads, "--child", str(source), str(target)]
    folder = "autogluon" if name in PRESETS else "statsforecast"
    python = str(arguments.peers / folder / "bin" / "python")
    script, common = str(HERE / "peers" / f"{folder}_peer.py"), [str(source), str(target), str(HORIZON)]
    if name in PRESETS:
        return [python, script, *common, PRESETS[name], threads, str(arguments.limit_s)]
    return [python, script, *common, name, threads]


def _cpu_s(command: list[str]) -> float:
    """The CPU seconds of a command and its children."""
    before = os.times()
    subprocess.run(command, check=True, stdout=sys.stderr)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _print(rounds: list[dict[str, Result]], weights: np.ndarray) -> None:
    ours = rounds[-1][OURS]
    heads = f"{'method':28}{'wQL':>9}{'ours/it':>9}{'95 % interval':>18}"
    print(f"{heads}{'per series':>12}{'cover':>8}{'CPU s':>9}")
    for name, result in sorted(rounds[-1].items(), key=lambda item: item[1].losses.sum()):
        low, high = _interval(ours.losses, result.losses)
        cpu = np.mean([one[name].cpu_s for one in rounds])
        print(
            f"{name:28}{result.losses.sum() / weights.sum():9.5f}"
            f"{ours.losses.sum() / result.losses.sum():9.3f}{f'{low:.3f} – {high:.3f}':>18}"
            f"{(result.losses / weights).mean():12.5f}{result.coverage:8.3f}{cpu:9.1f}"
        )


def _interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the ratio of summed losses over redrawn series, which both share."""
    draws = np.random.default_rng(0).integers(0, len(ours), (DRAWS, len(ours)))
    low, high = np.quantile(ours[draws].sum(axis=1) / theirs[draws].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
