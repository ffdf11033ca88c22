"""CNN-QR: a convolutional encoder and a decoder that forecasts quantiles of all steps at once.

There is no maintained implementation on torch, so the network is ours, after the published design of
multi-horizon quantile forecasters (MQ-CNN):

    context ──▶ strided causal convolutions ──▶ summary ──┬──▶ per step ──▶ quantiles
    metadata ──▶ embeddings ──────────────────────────────┘      ▲
    calendar and related features of the horizon ────────────────┤
    values of this phase in the context ─────────────────────────┘

The median of a step is a learnt mixture of such values and a learnt correction; the other quantiles are
positive steps away from it, so they cannot cross.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from forecastd.models.history import History
from forecastd.models.neural import Neural, Schedule
from forecastd.models.quantiles import GRID, MEDIAN
from forecastd.models.tensors import Batch

BATCHES_PER_EPOCH = 10
WINDOWS_PER_BATCH = 64
RATE = 0.003
SHORTEST_CONTEXT, LONGEST_CONTEXT = 10, 500  # steps; outside, Amazon's service chooses by itself
CHANNELS = 32
KERNEL = 4
SUMMARY = 16  # numbers per step that the decoder gets from the encoder
SMALLEST_SPREAD = 0.1  # of a series' usual spread: a flat window must not blow up the rest
REFERENCES = 4  # values that a median may be a mixture of


class CnnQr(Neural):
    """Convolutional quantile regression with Amazon's hyperparameters."""

    name = "CNN-QR"
    centred = True

    def context_of(self, history: History) -> int:
        """See ``Neural.context_of``: chosen from the data where it is not given or out of range."""
        given = int(float(self.chosen.get("context_length", 0)))
        if SHORTEST_CONTEXT <= given <= LONGEST_CONTEXT:
            return given
        rhythms = [season for season in history.frequency.seasonalities if 3 * season <= history.length]
        wanted = max(2 * history.horizon, 2 * max(rhythms, default=1))
        return int(np.clip(min(wanted, history.length), SHORTEST_CONTEXT, LONGEST_CONTEXT))

    def related_of(self, history: History) -> dict[str, np.ndarray]:
        """See ``Neural.related_of``."""
        kind = self.chosen["use_related_data"]
        ahead = history.features if kind in ("ALL", "FORWARD_LOOKING") else {}
        behind = history.past_features if kind in ("ALL", "HISTORICAL") else {}
        return {**ahead, **behind}

    @property
    def with_metadata(self) -> bool:
        """See ``Neural.with_metadata``."""
        return self.chosen["use_item_metadata"] == "ALL"

    def schedule(self) -> Schedule:
        """See ``Neural.schedule``."""
        epochs = int(float(self.chosen["epochs"]))
        return Schedule(epochs, BATCHES_PER_EPOCH, WINDOWS_PER_BATCH, RATE, falling=True)

    def build(self, shape: Mapping[str, int], cardinalities: list[int]) -> Any:
        """See ``Neural.build``."""
        return Network(shape["context"], shape["horizon"], shape["season"], shape["moving"], cardinalities)

    def loss(self, network: Any, batch: Batch) -> torch.Tensor:
        """See ``Neural.loss``: the mean quantile loss in units of each window's spread."""
        forecast, _, spread = network(batch)
        actual = torch.from_numpy(batch.target[:, -network.horizon :])
        known = torch.from_numpy(batch.known[:, -network.horizon :])
        error = (actual[..., None] - forecast) / spread[..., None]
        levels = torch.tensor(GRID, dtype=torch.float32)
        loss = torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
        return (loss * known).sum() / known.sum().clamp(min=1.0)

    def quantiles(self, network: Any, batch: Batch) -> np.ndarray:
        """See ``Neural.quantiles``."""
        return np.asarray(network(batch)[0].numpy())


class Network(nn.Module):
    """The network; see the picture above."""

    def __init__(
        self, context: int, horizon: int, season: int, moving: int, cardinalities: list[int]
    ) -> None:
        super().__init__()
        self.context, self.horizon = context, horizon
        self.season = season if season <= context else 1
        self.embeddings = nn.ModuleList(
            nn.Embedding(count, min(8, (count + 1) // 2)) for count in cardinalities
        )
        static = sum(embedding.embedding_dim for embedding in self.embeddings)
        self.entry = nn.Conv1d(2 + moving, CHANNELS, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(CHANNELS, CHANNELS, KERNEL, stride=2) for _ in range(halvings(context))
        )
        self.summary = nn.Linear(CHANNELS + static + 1, SUMMARY * (horizon + 1))
        self.decoder = nn.Sequential(
            nn.Linear(2 * SUMMARY + moving + REFERENCES, 64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, REFERENCES + len(GRID)),
        )

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantiles [B, H, K], and the level and spread [B, 1] of each window's context."""
        target, known = (torch.from_numpy(each[:, : self.context]) for each in (batch.target, batch.known))
        moving = torch.from_numpy(batch.moving)
        level, spread = _level_and_spread(target, known)
        values = ((target - level) / spread).clamp(-20, 20) * known
        hidden = self._encoded(
            torch.cat([values[..., None], known[..., None], moving[:, : self.context]], -1)
        )
        static = [each(torch.from_numpy(batch.static[:, n])) for n, each in enumerate(self.embeddings)]
        whole = self.summary(torch.cat([hidden, spread.log(), *static], dim=-1))
        steps = whole[:, SUMMARY:].reshape(-1, self.horizon, SUMMARY)
        common = whole[:, None, :SUMMARY].expand(-1, self.horizon, -1)
        references = self._references(values, known)
        told = torch.cat([steps, common, moving[:, self.context :], references], dim=-1)
        return _monotone(self.decoder(told), references) * spread[..., None] + level[..., None], level, spread

    def _encoded(self, past: torch.Tensor) -> torch.Tensor:
        """The summary [B, channels] of the context [B, L, channels]."""
        hidden = self.entry(past.transpose(1, 2))
        for layer in self.layers:
            odd = (hidden.shape[-1] - 1) % 2  # so that the last step stays the last
            seen = functional.pad(hidden, (KERNEL - 1 - odd, 0))
            hidden = hidden[..., odd::2] + functional.relu(layer(seen))
        return hidden[..., -1]

    def _references(self, values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """What a step may resemble [B, H, references]: the last value of its phase, their mean, the last
        value, the level.
        """
        phase = torch.arange(self.horizon) % self.season
        cycles = self.context // self.season
        newest = values[:, -cycles * self.season :].reshape(-1, cycles, self.season)
        weight = known[:, -cycles * self.season :].reshape(-1, cycles, self.season)
        mean = (newest * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        last = values[:, -1:].expand(-1, self.horizon)
        return torch.stack([newest[:, -1][:, phase], mean[:, phase], last, torch.zeros_like(last)], dim=-1)


def halvings(context: int) -> int:
    """How often the context is halved until one step is left of it."""
    return max(1, (context - 1).bit_length())


def _level_and_spread(target: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    count = known.sum(dim=1, keepdim=True).clamp(min=1.0)
    level = (target * known).sum(dim=1, keepdim=True) / count
    spread = ((target - level).abs() * known).sum(dim=1, keepdim=True) / count
    return level, spread.clamp(min=SMALLEST_SPREAD)


def _monotone(raw: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Quantiles [B, H, K] from the decoder's numbers [B, H, references + K]."""
    shares = torch.softmax(raw[..., :REFERENCES], dim=-1)
    rest = raw[..., REFERENCES:]
    median = (shares * references).sum(-1, keepdim=True) + rest[..., MEDIAN : MEDIAN + 1]
    below = functional.softplus(rest[..., :MEDIAN]).flip(-1).cumsum(-1).flip(-1)
    above = functional.softplus(rest[..., MEDIAN + 1 :]).cumsum(-1)
    return torch.cat([median - below, median, median + above], dim=-1)
