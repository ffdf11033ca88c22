"""The panel as models see it: without values that its series cannot have had.

panel ──▶ slips are gaps ──▶ gaps with impossible fillings are gaps again ──▶ models
  └──▶ accuracy is measured on what was recorded
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecastd.errors import JobFailed
from forecastd.models.gaps import reopened
from forecastd.models.outliers import without_outliers
from forecastd.series.panel import Panel

LARGEST = 1e30  # squares of it, and float32 in which backtests are kept, have room for more


def credible(panel: Panel, origins: Sequence[int] = ()) -> Panel:
    """The panel with what models can believe.

    Args:
        panel: All series.
        origins: Steps from which on backtests hold the values back: what lies before each is judged without
            them.

    Raises:
        JobFailed: A series is too large to be computed with.
    """
    seen = reopened(without_outliers(panel, origins), origins)
    _check_size(seen)
    return seen


def _check_size(panel: Panel) -> None:
    highest = np.fmax.reduce(panel.values, axis=1, initial=0.0)
    sizes = np.maximum(highest, -np.fmin.reduce(panel.values, axis=1, initial=0.0))
    if not panel.size or sizes.max() <= LARGEST:
        return
    row = int(np.argmax(sizes))
    step = int(np.nanargmax(np.abs(panel.values[row])))
    raise JobFailed(
        f"Item {' / '.join(panel.keys.iloc[row])} has the value {panel.values[row, step]:g} at "
        f"{panel.times[step]}, and forecasts are computed up to {LARGEST:g} only: correct the value, or "
        "import the target in a larger unit."
    )
