"""The panel as models see it: without values that its series cannot have had.

panel ──▶ slips are gaps ──▶ gaps with impossible fillings are gaps again ──▶ models
  └──▶ accuracy is measured on what was recorded
"""

from __future__ import annotations

from collections.abc import Sequence

from forecastd.models.gaps import reopened
from forecastd.models.outliers import without_outliers
from forecastd.series.panel import Panel


def credible(panel: Panel, origins: Sequence[int] = ()) -> Panel:
    """The panel with what models can believe.

    Args:
        panel: All series.
        origins: Steps from which on backtests hold the values back: what lies before each is judged without
            them.
    """
    return reopened(without_outliers(panel, origins), origins)
