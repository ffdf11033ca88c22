"""How a forecast turned out, beside what the backtests of its predictor promised, by the same measure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.accuracy import Accuracy
from pipeline.ledger import Score
from pipeline.quantiles import MEDIAN, quantile

# With fewer values a bad day looks like a bad model.
LEAST_POINTS = 20

Losses = Mapping[str, float]  # weighted quantile loss by quantile as the API writes it: "0.5"


@dataclass(frozen=True)
class Comparison:
    """A measure of the outcome, and what the backtests promised for it."""

    measure: str
    came: float
    promised: float  # more than zero

    @property
    def fall(self) -> float:
        """How much worse, as a share of the promise; negative where it turned out better."""
        return self.came / self.promised - 1


def of_losses(score: Score, promise: Losses) -> Comparison | None:
    """By the mean loss of the quantiles that both have; None if there are none, or nothing was promised."""
    promised = {float(name): loss for name, loss in promise.items()}
    live = {share: loss for label, loss in score.losses.items() if (share := quantile(label)) is not None}
    common = sorted(share for share in live if share in promised)
    came, said = (sum(losses[share] for share in common) for losses in (live, promised))
    if said <= 0:
        return None
    measure = f"mean wQL of {', '.join(f'{share:g}' for share in common)}"
    return Comparison(measure, came / len(common), said / len(common))


def compare(score: Score, promise: Accuracy) -> Comparison | None:
    """By the loss of the common quantiles; without any, by WAPE, of which the middle may be the mean in the
    backtests and the median in the forecast.
    """
    found = of_losses(score, promise.quantile_losses)
    wape = promise.best.get("WAPE")
    has_middle = not score.losses or MEDIAN in score.losses
    if found is not None or score.wape is None or not wape or not has_middle:
        return found
    return Comparison("WAPE", score.wape, wape)
