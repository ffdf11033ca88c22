"""Small feed-forward networks that learn side by side: the centre and the spread of a number, and its errors.

    inputs ──▶ hidden ──▶ hidden ──▶ centre, spread
       └───────── straight ──────────▶ centre

They begin differently, and each learns without a part of the examples of its own: what the others never saw
tells how far off they are where nobody told them. Everything has the networks as its first axis, M.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

NETWORKS = 5
WIDTH = 64  # of both hidden layers
DROPPED = 0.1  # share of each while learning
BATCH = 128
EPOCHS = 40
STEPS = (300, 3000)  # of the optimizer, at least and at most
RATE = 3e-3
DECAY = 0.1  # of weights
HEAVINESS = 4.0  # degrees of freedom of the errors that are learnt with: one wild value does not bend it all
JUDGED = 20_000  # examples that errors are taken from, at most
CHANCES = np.linspace(0, 1, 1001)  # at which errors are remembered
LOGARITHMS = (-5.0, 2.0)  # of a spread, at least and at most

Parts = dict[str, np.ndarray]


class FeedForward:
    """Networks of two hidden layers beside a straight way from the inputs to the centre."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @classmethod
    def trained(
        cls, inputs: np.ndarray, outputs: np.ndarray, blocks: np.ndarray, random: np.random.Generator
    ) -> FeedForward:
        """Networks that have learnt from examples.

        Args:
            inputs: [R, D] float32.
            outputs: [R] float32.
            blocks: [R] int; examples of one block are too alike to be kept apart.
            random: Draws first weights, orders of the examples and what is dropped.
        """
        own = cls(_first_weights(inputs.shape[1], random))
        held = blocks % NETWORKS == np.arange(NETWORKS)[:, None]
        held &= ~held.all(axis=1, keepdims=True)
        count = int(np.clip(EPOCHS * len(inputs) // BATCH, *STEPS))
        adam = _Adam(own.parts, count)
        for batch in _batches(held, count, random):
            adam.step(own.parts, own.slopes(inputs[batch], outputs[batch], random))
        judged = random.permutation(len(inputs))[:JUDGED]
        own.parts["errors"] = own._errors(inputs[judged], outputs[judged], held[:, judged])
        return own

    def __call__(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centre and spread [M, R] of what comes after inputs [R, D], or [M, R, D]."""
        p = self.parts
        hidden = np.maximum(inputs @ p["w1"] + p["b1"], 0)
        hidden = np.maximum(hidden @ p["w2"] + p["b2"], 0)
        out = hidden @ p["w3"] + p["b3"]
        return out[..., 0] + (inputs @ p["straight"])[..., 0], _spread(out[..., 1])

    def draws(self, inputs: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """A value for each of [M, R, D], at its chance [M, R] from 0 to 1."""
        centre, spread = self(inputs)
        return centre + spread * np.interp(chances, CHANCES, self.parts["errors"])

    def _errors(self, inputs: np.ndarray, outputs: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Quantiles of errors in spreads, at ``CHANCES``: those on what was learnt, as large as others."""
        centre, spread = self(inputs)
        errors = (outputs - centre) / spread
        learnt, others = errors[~held], errors[held]
        size = np.median(np.abs(learnt))
        if len(others) and size > 0:
            learnt = learnt * (np.median(np.abs(others)) / size)
        return np.quantile(learnt, CHANCES).astype(np.float32)

    def slopes(self, x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> Parts:
        """How the mean loss of examples x [M, R, D] and y [M, R] rises with each part.

        The loss is minus the log-likelihood of Student's t, a network's own.
        """
        p = self.parts
        before_1 = x @ p["w1"] + p["b1"]
        mask_1 = (before_1 > 0) * _kept(before_1.shape, random)
        hidden_1 = before_1 * mask_1
        before_2 = hidden_1 @ p["w2"] + p["b2"]
        mask_2 = (before_2 > 0) * _kept(before_2.shape, random)
        hidden_2 = before_2 * mask_2
        out = hidden_2 @ p["w3"] + p["b3"]
        spread = _spread(out[..., 1])
        error = (y - out[..., 0] - (x @ p["straight"])[..., 0]) / spread
        pull = (HEAVINESS + 1) * error / (HEAVINESS + error**2)
        d_out = np.stack([-pull / spread, 1 - pull * error], axis=-1).astype(x.dtype) / x.shape[1]
        d_2 = (d_out @ _turned(p["w3"])) * mask_2
        d_1 = (d_2 @ _turned(p["w2"])) * mask_1
        return {
            "w1": _turned(x) @ d_1,
            "b1": d_1.sum(axis=1, keepdims=True),
            "w2": _turned(hidden_1) @ d_2,
            "b2": d_2.sum(axis=1, keepdims=True),
            "w3": _turned(hidden_2) @ d_out,
            "b3": d_out.sum(axis=1, keepdims=True),
            "straight": _turned(x) @ d_out[..., :1],
        }


def _turned(table: np.ndarray) -> np.ndarray:
    return np.swapaxes(table, 1, 2)


def _spread(logarithm: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(logarithm, *LOGARITHMS))


def _kept(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Factors by which units are left out while learning, those that stay being made up for it."""
    return (random.random(shape, np.float32) >= DROPPED) * np.float32(1 / (1 - DROPPED))


def _first_weights(inputs: int, random: np.random.Generator) -> Parts:
    """He's for the hidden layers, small ones for the last."""

    def drawn(rows: int, columns: int, gain: float) -> np.ndarray:
        return random.standard_normal((NETWORKS, rows, columns), np.float32) * np.float32(
            np.sqrt(gain / rows)
        )

    return {
        "w1": drawn(inputs, WIDTH, 2.0),
        "b1": np.zeros((NETWORKS, 1, WIDTH), np.float32),
        "w2": drawn(WIDTH, WIDTH, 2.0),
        "b2": np.zeros((NETWORKS, 1, WIDTH), np.float32),
        "w3": drawn(WIDTH, 2, 0.1),
        "b3": np.zeros((NETWORKS, 1, 2), np.float32),
        "straight": np.zeros((NETWORKS, inputs, 1), np.float32),
    }


def _batches(held: np.ndarray, count: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Places [M, BATCH] of examples that are not held [M, R]: each network goes through its own again and
    again, each time in another order.
    """
    orders = []
    for own in held:
        rows, drawn = np.flatnonzero(~own), count * BATCH
        rounds = -(-drawn // len(rows))
        orders.append(np.concatenate([random.permutation(rows) for _ in range(rounds)])[:drawn])
    yield from np.stack(orders).reshape(len(held), count, BATCH).swapaxes(0, 1)


class _Adam:
    """Adam with decoupled weight decay, its rate rising for a while and then falling to nothing."""

    FIRST, SECOND, RISING, LEAST = 0.9, 0.99, 0.3, 1e-5

    def __init__(self, parts: Parts, count: int) -> None:
        self.first = {name: np.zeros_like(part) for name, part in parts.items()}
        self.second = {name: np.zeros_like(part) for name, part in parts.items()}
        self.count, self.done = count, 0

    def step(self, parts: Parts, slopes: Parts) -> None:
        """Move the parts down their slopes."""
        rate = self._rate()
        self.done += 1
        of_first, of_second = 1 - self.FIRST**self.done, 1 - self.SECOND**self.done
        for name, slope in slopes.items():
            first, second = self.first[name], self.second[name]
            first += (1 - self.FIRST) * (slope - first)
            second += (1 - self.SECOND) * (slope**2 - second)
            direction = first / of_first / (np.sqrt(second / of_second) + 1e-8)
            parts[name] -= np.float32(rate) * (direction + np.float32(DECAY) * parts[name])

    def _rate(self) -> float:
        """Along half a wave up and half a wave down."""
        share = self.done / self.count
        rises = share < self.RISING
        turn = share / self.RISING if rises else 1 + (share - self.RISING) / (1 - self.RISING)
        return float(RATE * (0.5 - 0.5 * np.cos(np.pi * turn)) + self.LEAST)
