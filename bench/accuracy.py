"""Accuracy of this engine next to what Amazon Forecast recorded on the same data, and to seasonal naive.

    FORECAST_DATA=/path/to/data python bench/accuracy.py [--method AutoPredictor] [case …]

Each case is trained with the recorded horizon and backtest windows, straight on its panel. The ratio is
ours over Amazon's best recorded average wQL: below 1 is better.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecastd.models.predictor import Predictor
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel

COVERED = (0.1, 0.9)


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    folder = Path(os.environ["FORECAST_DATA"]) / "amazon"
    cases = json.loads((folder / "cases.json").read_text())
    heads = ("ours", "Amazon", "ratio", "naive", "cover", "wall s", "CPU s")
    print(f"{'case':26}" + "".join(f"{head:>9}" for head in heads) + "  mixture")
    ratios, covered = [], []
    for case in cases:
        if arguments.case and case["name"] not in arguments.case:
            continue
        row = _measure(folder, case, arguments)
        ratios.append(row["ours"] / case["amazon_best_average_wql"])
        covered.append(row["coverage"])
        if arguments.candidates:
            print("    " + "  ".join(f"{name} {loss:.4f}" for name, loss in row["losses"].items()))
        naive = min((v for k, v in case["baselines"].items() if "naive" in k), default=float("nan"))
        figures = (row["ours"], case["amazon_best_average_wql"], ratios[-1], naive, row["coverage"])
        print(
            f"{case['name']:26}"
            + "".join(f"{figure:9.5f}" for figure in figures)
            + f"{row['wall']:9.1f}{row['cpu']:9.1f}  {row['mixture']}",
            flush=True,
        )
    print(f"geometric mean of ratios {np.exp(np.mean(np.log(ratios))):.3f}, coverage {np.mean(covered):.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Accuracy next to Amazon's recorded results.")
    parser.add_argument("--method", default="AutoPredictor")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--candidates", action="store_true", help="each candidate's scaled quantile loss, too"
    )
    parser.add_argument("case", nargs="*")
    return parser.parse_args()


def _measure(folder: Path, case: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    panel = load_panel(folder, case)
    wall, cpu = time.perf_counter(), _cpu_s()
    predictor = train(panel, _request(case, arguments), lambda fraction, left: None)
    wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
    return {
        "ours": predictor.evaluations[0].summary.average_wql,
        "coverage": _coverage(predictor),
        "wall": wall,
        "cpu": cpu,
        "losses": {c["algorithm"]: c["scaled_quantile_loss"] for c in predictor.report["candidates"]},
        "mixture": " ".join(f"{name}:{weight:.2f}" for name, weight in predictor.mixture.weights.items())
        + f" width {predictor.mixture.width:g}",
    }


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _request(case: dict[str, Any], arguments: argparse.Namespace) -> TrainingRequest:
    return TrainingRequest(
        method=arguments.method,
        horizon_steps=case["horizon"],
        quantiles=(0.1, 0.5, 0.9),
        want_mean=True,
        windows=case["windows"],
        offset_steps=case["horizon"],
        hyperparameters={},
        optimization_metric="AverageWeightedQuantileLoss",
        seed=arguments.seed,
        threads=arguments.threads,
        time_limit_s=None,
    )


def load_panel(folder: Path, case: dict[str, Any]) -> Panel:
    """The panel of a case, built as the service builds it."""
    related, metadata = None, None
    if "related" in case:
        related = _read(folder / case["related"], case["related_columns"], header=False)
        related = related.drop(
            columns=[n for n in related if n not in case["columns"] and related[n].dtype == object]
        )
    if "metadata" in case:
        metadata = _read(folder / case["metadata"], case["metadata_columns"], header=False)
    return build_panel(
        _read(folder / case["target"], case["columns"], case["header"]).head(case.get("rows")),
        item_key="item_id",
        target_name="target_value",
        dimensions=case["dimensions"],
        frequency=Frequency.parse(case["frequency"]),
        related=related,
        metadata=metadata,
        horizon_steps=case["horizon"],
        holiday_country=case["holidays"],
    )


def _read(path: Path, columns: list[str], header: bool) -> pd.DataFrame:
    texts = {name: str for name in columns if name in ("item_id", "store")}
    return pd.read_csv(path, names=columns, header=0 if header else None, dtype=texts)


def _coverage(predictor: Predictor) -> float:
    table = predictor.backtests
    return float(((table.target_value >= table.p10) & (table.target_value <= table.p90)).mean())


if __name__ == "__main__":
    main()
