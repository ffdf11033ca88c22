"""The documentation of forecastd names everything there is."""

from pathlib import Path

import pytest

from forecastd.operations.service import _all_operations
from forecastd.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "forecastd.md").read_text()


@pytest.mark.parametrize("operation", sorted(_all_operations()))
def test_every_operation_is_documented(operation: str) -> None:
    assert operation in TEXT


@pytest.mark.parametrize("field", sorted(Settings.__dataclass_fields__))
def test_every_setting_is_documented(field: str) -> None:
    assert f"`FORECASTD_{field.upper()}`" in TEXT
