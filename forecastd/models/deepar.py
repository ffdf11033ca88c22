"""Deep_AR_Plus: GluonTS' DeepAR, an autoregressive network that forecasts a distribution step by step.

The network is GluonTS' on torch. Windows, training and storage are those of ``neural.py``: no pickled
model, no data loader. An epoch is a few batches of random windows, so that the default of 500 epochs takes
a minute on one core rather than an hour.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gluonts.torch.distributions import (
    BetaOutput,
    LaplaceOutput,
    NegativeBinomialOutput,
    NormalOutput,
    PiecewiseLinearOutput,
    StudentTOutput,
)
from gluonts.torch.model.deepar.module import DeepARModel
from gluonts.torch.scaler import MeanScaler

from forecastd.errors import JobFailed
from forecastd.models.history import History
from forecastd.models.neural import Neural, Schedule
from forecastd.models.quantiles import GRID
from forecastd.models.tensors import Batch

warnings.filterwarnings("ignore", "Using a non-tuple sequence", module="gluonts")

BATCHES_PER_EPOCH = 2
WINDOWS_PER_BATCH = 64
PATIENCE = 50  # epochs
SAMPLES = 100  # of the future, from which the quantiles are read
LONGEST_LAG = 800  # steps
SMALLEST_SCALE = 0.05  # of a series' usual size: a window of zeros must not blow up the rest
SHARP = 1e-3  # width of a Laplace distribution that stands for its median alone
PIECES = 8  # of a piecewise linear quantile function


class DeepAr(Neural):
    """DeepAR with Amazon's hyperparameters."""

    name = "Deep_AR_Plus"

    def context_of(self, history: History) -> int:
        """See ``Neural.context_of``: twice the horizon, as in Amazon's service."""
        return int(float(self.chosen.get("context_length", 2 * history.horizon)))

    def related_of(self, history: History) -> dict[str, np.ndarray]:
        """See ``Neural.related_of``: those known in advance."""
        return history.features

    def schedule(self) -> Schedule:
        """See ``Neural.schedule``."""
        return Schedule(
            epochs=int(float(self.chosen["epochs"])),
            batches_per_epoch=BATCHES_PER_EPOCH,
            windows_per_batch=WINDOWS_PER_BATCH,
            rate=float(self.chosen["learning_rate"]),
            decay=float(self.chosen["learning_rate_decay"]),
            decays=int(float(self.chosen["max_learning_rate_decays"])),
            patience=PATIENCE,
            averaged=int(float(self.chosen["num_averaged_models"])),
        )

    @property
    def _keeps_size(self) -> bool:
        """Whether the likelihood is one of the values as they are."""
        return self.chosen["likelihood"] in ("beta", "negative-binomial")

    def units(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """See ``Neural.units``."""
        centre, scale = super().units(history)
        return centre, np.ones_like(scale) if self._keeps_size else scale

    def check(self, history: History) -> None:
        """See ``Neural.check``."""
        super().check(history)
        low, high = np.nanmin(history.values), np.nanmax(history.values)
        likelihood = self.chosen["likelihood"]
        if likelihood == "negative-binomial" and low < 0:
            raise JobFailed(
                f"The likelihood negative-binomial is one of counts, but the target holds {low:g}: "
                "use student-t, gaussian or piecewise-linear."
            )
        if likelihood == "beta" and not 0 < low <= high < 1:
            raise JobFailed(
                f"The likelihood beta is one of shares above 0 and below 1, but the target goes from {low:g} "
                f"to {high:g}: use student-t, gaussian or piecewise-linear."
            )

    def reach(self, shape: Mapping[str, int]) -> int:
        """See ``Neural.reach``."""
        return shape["context"] + max(lags(shape)) - 1

    def build(self, shape: Mapping[str, int], cardinalities: list[int]) -> Any:
        """See ``Neural.build``."""
        layers = int(float(self.chosen["num_layers"]))
        network = DeepARModel(
            freq="D",  # only chooses default lags, which are given
            context_length=shape["context"],
            prediction_length=shape["horizon"],
            num_feat_dynamic_real=shape["moving"],
            num_feat_static_cat=max(len(cardinalities), 1),
            cardinality=cardinalities or [1],
            num_layers=layers,
            hidden_size=int(float(self.chosen["num_cells"])),
            dropout_rate=0.1 if layers > 1 else 0.0,
            distr_output=output(self.chosen["likelihood"]),
            lags_seq=lags(shape),
            scaling=self.chosen["likelihood"] != "beta",
            num_parallel_samples=SAMPLES,
        )
        if self.chosen["likelihood"] != "beta":
            network.scaler = MeanScaler(dim=-1, keepdim=True, default_scale=1.0, minimum_scale=SMALLEST_SCALE)
        return network

    def loss(self, network: Any, batch: Batch) -> torch.Tensor:
        """See ``Neural.loss``: the mean negative logarithm of the likelihood."""
        past, future = self._split(batch)
        values = network.loss(**past, future_target=future["target"], future_observed_values=future["known"])
        return values.mean()

    def quantiles(self, network: Any, batch: Batch) -> np.ndarray:
        """See ``Neural.quantiles``."""
        past, _ = self._split(batch)
        samples = network(**past).numpy()  # [B, samples, H]
        if self.chosen["likelihood"] == "deterministic-L1":
            return np.repeat(np.median(samples, axis=1)[..., None], len(GRID), axis=-1)
        return np.moveaxis(np.quantile(samples, GRID, axis=1), 0, -1)

    def _split(self, batch: Batch) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The batch as GluonTS names it: what the network is given, and what it should say."""
        reach = batch.target.shape[1] - self._shape["horizon"]
        target = torch.from_numpy(
            batch.target if not self._is_beta else np.clip(batch.target, 1e-4, 1 - 1e-4)
        )
        known, moving = torch.from_numpy(batch.known), torch.from_numpy(batch.moving)
        static = batch.static if batch.static.shape[1] else np.zeros((len(batch.target), 1), np.int64)
        past = {
            "feat_static_cat": torch.from_numpy(static),
            "feat_static_real": torch.zeros(len(static), 1),
            "past_time_feat": moving[:, :reach],
            "past_target": target[:, :reach],
            "past_observed_values": known[:, :reach],
            "future_time_feat": moving[:, reach:],
        }
        return past, {"target": target[:, reach:], "known": known[:, reach:]}

    @property
    def _is_beta(self) -> bool:
        return self.chosen["likelihood"] == "beta"


def lags(shape: Mapping[str, int]) -> list[int]:
    """How far back the values lie that each step sees: the newest, and those a rhythm or two ago."""
    season = shape["season"]
    wanted = {1, 2, 3, *(n * season + d for n in (1, 2, 3, 7) for d in (-1, 0, 1))}
    longest = min(LONGEST_LAG, max(shape["length"] // 2, 1))
    return sorted(lag for lag in wanted if 1 <= lag <= longest)


class _MedianOutput(LaplaceOutput):
    """The median alone: the likelihood of a very narrow Laplace distribution is the absolute error."""

    @classmethod
    def domain_map(cls, loc: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return loc.squeeze(-1), torch.full_like(scale, SHARP).squeeze(-1)


class _PiecesOutput(PiecewiseLinearOutput):
    """A piecewise linear quantile function, judged by the continuous ranked probability score."""

    def distribution(self, distr_args: Any, loc: Any = None, scale: Any = None) -> Any:
        loc = torch.zeros_like(scale) if loc is None and scale is not None else loc
        return super().distribution(distr_args, loc=loc, scale=scale)

    def loss(self, target: torch.Tensor, distr_args: Any, loc: Any = None, scale: Any = None) -> torch.Tensor:
        return self.distribution(distr_args, loc=loc, scale=scale).crps(target)


def output(likelihood: str) -> Any:
    """GluonTS' output for one of Amazon's likelihoods."""
    outputs = {
        "beta": BetaOutput,
        "deterministic-L1": _MedianOutput,
        "gaussian": NormalOutput,
        "negative-binomial": NegativeBinomialOutput,
        "student-t": StudentTOutput,
    }
    return _PiecesOutput(PIECES) if likelihood == "piecewise-linear" else outputs[likelihood]()
