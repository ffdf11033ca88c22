import numpy as np
import pytest

from forecastd.models import feed_forward
from forecastd.models.feed_forward import CHANCES, HEAVINESS, NETWORKS, FeedForward

ROWS = 2000


def examples(noise: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bent function of two of three inputs, with noise that grows with the third."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(ROWS, 3)).astype(np.float32)
    spread = noise * np.exp(inputs[:, 2] / 2)
    outputs = np.abs(inputs[:, 0]) - inputs[:, 1] + spread * random.normal(size=ROWS)
    return inputs, outputs.astype(np.float32), np.arange(ROWS) // 50


def trained(seed: int = 0) -> FeedForward:
    return FeedForward.trained(*examples(), np.random.default_rng(seed))


def test_centre_and_spread_are_learnt() -> None:
    at = np.array([[1.5, 0, 0], [-1.5, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]], np.float32)
    centre, spread = trained()(at)
    assert centre.shape == spread.shape == (NETWORKS, len(at))
    np.testing.assert_allclose(centre.mean(axis=0)[:3], [1.5, 1.5, -1.0], atol=0.35)
    assert 1.5 < spread.mean(axis=0)[3] / spread.mean(axis=0)[4] < 4.5  # e = 2.7 in truth


def test_draws_are_as_wide_as_what_comes() -> None:
    networks, (inputs, _, _) = trained(), examples()
    random = np.random.default_rng(1)
    fresh = random.normal(size=(4000, 3)).astype(np.float32)
    came = np.abs(fresh[:, 0]) - fresh[:, 1] + 0.5 * np.exp(fresh[:, 2] / 2) * random.normal(size=4000)
    shape = (NETWORKS, len(fresh), inputs.shape[1])
    low, high = (
        networks.draws(np.broadcast_to(fresh, shape), np.full(shape[:2], chance)) for chance in (0.1, 0.9)
    )
    assert 0.74 < ((came >= low) & (came <= high)).mean() < 0.86


def test_errors_are_as_large_as_where_a_network_did_not_learn() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(300, 20)).astype(np.float32)  # so few that they are learnt by heart
    outputs = random.normal(size=300).astype(np.float32)
    networks = FeedForward.trained(inputs, outputs, np.arange(300), random)
    centre, spread = networks(inputs)
    errors = (outputs - centre) / spread
    held = np.arange(300) % NETWORKS == np.arange(NETWORKS)[:, None]
    own = networks.parts["errors"]
    assert np.median(np.abs(errors[~held])) < 0.6 * np.median(np.abs(own))
    np.testing.assert_allclose(np.median(np.abs(own)), np.median(np.abs(errors[held])), rtol=0.05)


def test_networks_differ_and_come_back_with_the_same_seed() -> None:
    first, again, other = trained(), trained(), trained(seed=1)
    for name, part in first.parts.items():
        np.testing.assert_array_equal(part, again.parts[name])
        assert name == "errors" or not np.array_equal(part[0], part[1])
    assert not np.array_equal(first.parts["w1"], other.parts["w1"])


@pytest.mark.parametrize("blocks", [np.zeros(ROWS, int), np.full(ROWS, 3)])
def test_one_block_alone_is_learnt_by_all(blocks: np.ndarray) -> None:
    inputs, outputs, _ = examples()
    networks = FeedForward.trained(inputs, outputs, blocks, np.random.default_rng(0))
    assert np.isfinite(networks.parts["errors"]).all()
    assert len(networks.parts["errors"]) == len(CHANCES)


@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2", "w3", "b3", "straight"])
def test_slopes_are_those_of_the_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_forward, "DROPPED", 0.0)
    random = np.random.default_rng(0)
    parts = feed_forward._first_weights(5, random)
    networks = FeedForward({key: part.astype(np.float64) for key, part in parts.items()})
    inputs, outputs = random.normal(size=(NETWORKS, 40, 5)), random.normal(size=(NETWORKS, 40))

    def loss() -> float:
        hidden = np.maximum(inputs @ networks.parts["w1"] + networks.parts["b1"], 0)
        hidden = np.maximum(hidden @ networks.parts["w2"] + networks.parts["b2"], 0)
        out = hidden @ networks.parts["w3"] + networks.parts["b3"]
        error = (outputs - out[..., 0] - (inputs @ networks.parts["straight"])[..., 0]) / np.exp(out[..., 1])
        losses = out[..., 1] + (HEAVINESS + 1) / 2 * np.log1p(error**2 / HEAVINESS)
        return float(losses.mean(axis=1).sum())  # each network has its own

    slopes, part = networks.slopes(inputs, outputs, random), networks.parts[name]
    assert slopes[name].shape == part.shape
    for place in (tuple(size // 2 for size in part.shape), tuple(size - 1 for size in part.shape)):
        kept, small = part[place], 1e-5
        part[place] = kept + small
        above = loss()
        part[place] = kept - small
        slope = (above - loss()) / (2 * small)
        part[place] = kept
        np.testing.assert_allclose(slopes[name][place], slope, rtol=1e-3, atol=1e-6)
