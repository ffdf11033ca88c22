"""Algorithms that train a network on windows of all series: what they share.

    History ──▶ Inputs (tensors.py) ──▶ random windows ──▶ network ──▶ weights
                     └──────────────▶ newest window ──▶ network ──▶ quantiles

A network works with one thread: it is small, and so it gives the same answer on any number of cores. What
is stored are numbers, never code. Training ends early where the loss falls no more, or time is up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from forecastd.errors import JobFailed
from forecastd.models.algorithm import Algorithm, State
from forecastd.models.history import History
from forecastd.models.quantiles import GRID, ordered
from forecastd.models.tensors import Batch, Encoding, Inputs
from forecastd.series.algorithms import LEAST_OBSERVATIONS, effective_hyperparameters

SERIES_AT_A_TIME = 64  # of a forecast; bounds its memory
LARGEST_GRADIENT = 10.0
SMOOTHING = 0.1  # share of the newest epoch in the loss that decides about decay and end
WILD = 100  # times the range seen, beyond which a forecast has run away


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns."""

    epochs: int
    batches_per_epoch: int
    windows_per_batch: int
    rate: float
    falling: bool = False  # whether the rate falls to nothing over the epochs
    decay: float = 1.0  # factor on the rate when the loss falls no more
    decays: int = 0  # how often that is done before training ends
    patience: int | None = None  # epochs without a better loss before that; None: never
    averaged: int = 1  # of the best epochs, whose weights are averaged


Loss = Callable[[Any, Batch], torch.Tensor]


class Neural(Algorithm):
    """A network over windows of all series."""

    learns = True
    centred = False  # whether series are told as distances from their mean

    def __init__(self, hyperparameters: Mapping[str, str] | None = None) -> None:
        self.chosen = effective_hyperparameters(self.name, hyperparameters or {})
        self._encoding: Encoding | None = None
        self._network: Any = None
        self._shape: dict[str, int] = {}

    # -- what each network adds

    def context_of(self, history: History) -> int:
        """Steps of context that are used on a history."""
        raise NotImplementedError

    def related_of(self, history: History) -> dict[str, np.ndarray]:
        """The related features that are used."""
        raise NotImplementedError

    def schedule(self) -> Schedule:
        """How it learns."""
        raise NotImplementedError

    def build(self, shape: Mapping[str, int], cardinalities: list[int]) -> Any:
        """A new network for the numbers in ``shape``: context, horizon, moving, longest and so on."""
        raise NotImplementedError

    def loss(self, network: Any, batch: Batch) -> torch.Tensor:
        """The loss of a batch, one number."""
        raise NotImplementedError

    def quantiles(self, network: Any, batch: Batch) -> np.ndarray:
        """The quantiles [B, H, K] of a batch, in the units of its target."""
        raise NotImplementedError

    def reach(self, shape: Mapping[str, int]) -> int:
        """Steps before the origin that a window must hold."""
        return shape["context"]

    def check(self, history: History) -> None:
        """Refuse a history that cannot be learnt from."""
        count = int(np.isfinite(history.values).sum())
        if count < LEAST_OBSERVATIONS:
            raise JobFailed(
                f"Very low # of observations (found {count} observations in {history.size} time series): "
                f"{self.name} needs {LEAST_OBSERVATIONS}. Import a longer history or more items, ask for "
                "fewer backtest windows, or use an AutoPredictor."
            )

    # -- what they share

    def fit(self, history: History, seed: int, threads: int) -> None:
        """See ``Algorithm.fit``.

        Raises:
            JobFailed: The series are too few or too short to learn from.
        """
        self.check(history)
        self._encoding = Encoding.learn(history, self.related_of(history), self.with_metadata)
        inputs = self._inputs(history)
        rows = inputs.trainable()
        if not rows.size:
            raise JobFailed(
                f"No series is longer than the horizon of {history.horizon} steps, so {self.name} has "
                "nothing to learn from: shorten the horizon or import a longer history."
            )
        self._shape = self._shape_of(history, inputs)
        with reproducible(seed):
            self._network = self.build(self._shape, self._encoding.cardinalities)
            draw = windows(inputs, rows, self.schedule(), self.reach(self._shape), seed)
            trained(self._network, self.loss, draw, self.schedule(), self.limit_s)

    @property
    def with_metadata(self) -> bool:
        """Whether the metadata is used."""
        return True

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        inputs = self._inputs(history)
        grid = np.full((history.size, history.horizon, len(GRID)), np.nan)
        with reproducible(0), torch.no_grad():
            for low in range(0, history.size, SERIES_AT_A_TIME):
                rows = np.arange(low, min(low + SERIES_AT_A_TIME, history.size))
                batch = inputs.window(rows, np.full(len(rows), history.length), self.reach(self._shape))
                answer = self.quantiles(self._network, batch).astype(np.float64)
                grid[rows] = answer * inputs.scale[rows, None, None] + inputs.centre[rows, None, None]
        grid[~sane(grid, history.values)] = np.nan
        return ordered(grid)

    def _inputs(self, history: History) -> Inputs:
        assert self._encoding is not None  # fitted or restored
        centre, scale = self.units(history)
        return Inputs.of(history, self._encoding, centre, scale)

    def units(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """The centre and the size of each series, both [N]."""
        known = np.isfinite(history.values)
        count = np.maximum(known.sum(axis=1), 1)
        values = np.where(known, history.values, 0.0)
        level = np.abs(values).sum(axis=1) / count
        if not self.centred:
            return np.zeros(history.size), np.where(level > 0, level, 1.0)
        centre = values.sum(axis=1) / count
        spread = (np.abs(values - centre[:, None]) * known).sum(axis=1) / count
        usual = np.where(level > 0, 0.05 * level, 1.0)
        return centre, np.where(spread > 1e-9 * level, spread, usual)

    def _shape_of(self, history: History, inputs: Inputs) -> dict[str, int]:
        return {
            "context": self.context_of(history),
            "horizon": history.horizon,
            "length": history.length,
            "season": history.frequency.seasonality,
            "moving": inputs.phases.shape[1] + inputs.related.shape[2],
        }

    def effective(self) -> dict[str, str]:
        """See ``Algorithm.effective``."""
        return {**self.chosen, "context_length": str(self._shape["context"])}

    def state(self) -> State:
        """See ``Algorithm.state``."""
        assert self._encoding is not None  # fitted
        weights = {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}
        return {"encoding": self._encoding.to_state(), "shape": dict(self._shape), "weights": weights}

    def restore(self, state: State) -> None:
        """See ``Algorithm.restore``."""
        self._encoding = Encoding.from_state(state["encoding"])
        self._shape = state["shape"]
        with reproducible(0):
            self._network = self.build(self._shape, self._encoding.cardinalities)
        weights = {name: torch.from_numpy(np.array(array)) for name, array in state["weights"].items()}
        self._network.load_state_dict(weights)
        self._network.eval()


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """A context with one thread and a random generator of its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def windows(
    inputs: Inputs, rows: np.ndarray, schedule: Schedule, reach: int, seed: int
) -> Callable[[], Batch]:
    """A function that draws the next batch of windows."""
    random = np.random.default_rng(seed)
    return lambda: inputs.sample(rows, schedule.windows_per_batch, reach, random)


def trained(
    network: Any,
    loss: Loss,
    draw: Callable[[], Batch],
    schedule: Schedule,
    limit_s: float | None,
) -> None:
    """Train ``network`` in place.

    Args:
        network: Of torch.
        loss: Of the network and a batch.
        draw: Gives the next batch.
        schedule: How long and how fast.
        limit_s: Seconds after which training ends as it is; at least one epoch is trained.
    """
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.rate)
    began, plateau, best = time.monotonic(), _Plateau(schedule), _Best(schedule.averaged)
    for epoch in range(schedule.epochs):
        spent = (time.monotonic() - began) / limit_s if limit_s else 0.0
        if epoch and spent >= 1:
            break
        if schedule.falling:
            _set_rate(optimizer, schedule.rate * _falling(max(epoch / schedule.epochs, spent)))
        mean = float(
            np.mean([_step(network, optimizer, loss, draw()) for _ in range(schedule.batches_per_epoch)])
        )
        smooth = plateau.told(mean)
        best.offer(smooth, network)
        if plateau.reached and not plateau.decay(optimizer):
            break
    best.load_into(network)
    network.eval()


def _step(network: Any, optimizer: Any, loss: Loss, batch: Batch) -> float:
    """One step down the gradient; one that is not finite is left out."""
    optimizer.zero_grad()
    value = loss(network, batch)
    if not torch.isfinite(value):
        return math.inf
    value.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
    if torch.isfinite(norm):
        optimizer.step()
    return float(value.detach())


def _falling(done: float) -> float:
    """The share of the rate when a part of the training is done: up over the first tenth, then down."""
    return done / 0.1 + 0.05 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9)) + 0.01


def _set_rate(optimizer: Any, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


class _Plateau:
    """Notices that the loss falls no more."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._smooth, self._best, self._waited, self._decays = math.inf, math.inf, 0, 0

    def told(self, loss: float) -> float:
        """Take note of an epoch's loss; gives the smoothed one."""
        if math.isfinite(loss):
            first = not math.isfinite(self._smooth)
            self._smooth = loss if first else SMOOTHING * loss + (1 - SMOOTHING) * self._smooth
        better = self._smooth < self._best
        self._best, self._waited = min(self._best, self._smooth), 0 if better else self._waited + 1
        return self._smooth

    @property
    def reached(self) -> bool:
        """Whether it has not fallen for long enough."""
        return self._schedule.patience is not None and self._waited >= self._schedule.patience

    def decay(self, optimizer: Any) -> bool:
        """Make the rate smaller; False where that was done often enough."""
        if self._decays >= self._schedule.decays:
            return False
        self._decays, self._waited = self._decays + 1, 0
        _set_rate(optimizer, self._schedule.rate * self._schedule.decay**self._decays)
        return True


class _Best:
    """The weights of the best epochs."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: list[tuple[float, dict[str, torch.Tensor]]] = []

    def offer(self, loss: float, network: Any) -> None:
        """Keep the weights if they are among the best."""
        if len(self._kept) == self._count and loss >= self._kept[-1][0]:
            return
        weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self._kept = sorted([*self._kept, (loss, weights)], key=lambda kept: kept[0])[: self._count]

    def load_into(self, network: Any) -> None:
        """Give the network the mean of what was kept."""
        states = [weights for _, weights in self._kept]
        if states:
            network.load_state_dict({n: torch.stack([s[n] for s in states]).mean(dim=0) for n in states[0]})


def sane(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which forecasts [N, H, K] are finite and within a hundred times the range of ``values`` [N, T]."""
    low = np.nanmin(np.where(np.isfinite(values), values, np.inf), axis=1)
    high = np.nanmax(np.where(np.isfinite(values), values, -np.inf), axis=1)
    room = WILD * np.maximum(np.maximum(high - low, np.maximum(np.abs(high), np.abs(low))), 1e-300)
    inside = (grid > (low - room)[:, None, None]) & (grid < (high + room)[:, None, None])
    return np.asarray((np.isfinite(grid) & inside).all(axis=(1, 2)))
