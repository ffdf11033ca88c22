"""ForecastTypes: quantiles such as "0.1", and "mean"."""

from forecastd.errors import InvalidInput

DEFAULT_TYPES = ["0.1", "0.5", "0.9"]
MOST_TYPES = 5
MEAN = "mean"


def quantiles_of(types: list[str]) -> tuple[list[float], bool]:
    """Read forecast types.

    Returns:
        The quantiles in ascending order, and whether the mean is wanted.

    Raises:
        InvalidInput: too many, one twice, or one outside 0.01-0.99.
    """
    if len(types) > MOST_TYPES:
        raise InvalidInput(f"ForecastTypes has {len(types)} entries; at most {MOST_TYPES} are possible.")
    quantiles = sorted(float(text) for text in types if text != MEAN)
    if len(set(quantiles)) < len(quantiles) or types.count(MEAN) > 1:
        raise InvalidInput(f"ForecastTypes names a type twice: {', '.join(types)}.")
    outside = [quantile for quantile in quantiles if not 0.01 <= quantile <= 0.99]
    if outside:
        raise InvalidInput(f"The forecast type {outside[0]} is not between 0.01 and 0.99.")
    return quantiles, MEAN in types
