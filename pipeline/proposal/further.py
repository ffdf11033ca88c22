"""Related data and item metadata beside the target of a proposal."""

from typing import Any

import pandas as pd

from pipeline.proposal.columns import TIME_WORDS, moments
from pipeline.proposal.target import Target, dataset
from pipeline.proposal.words import by_number
from pipeline.rhythm import step_name, typical_s
from pipeline.sample import Sample, unusable

MOST_SHARED = 0.5  # of the cells of a column that are items of the target, for it to be the item key


def add_related(draft: dict[str, Any], target: Target, sample: Sample) -> None:
    """Lists related data, and lowers the horizon to what they reach.

    Raises:
        BadInput: if they do not fit the target.
    """
    names, kinds = _shared_columns(target, sample)
    time = next(column for column, name in names.items() if name == "timestamp")
    if sample.time_form(time) != target.columns.java_format:
        raise unusable(
            f"its times are not in the form {target.columns.java_format}", "Write both files alike."
        )
    texts = [c for c in sample.columns if c not in names and c not in sample.numeric]
    if texts:
        hold = by_number(len(texts), "holds", "hold")
        rule = f"{sample.names(texts)} {hold} text that is no forecast dimension"
        raise unusable(rule, "Remove it, or turn it into numbers, such as 0 and 1.")
    times = moments(sample, time, target.columns.java_format)
    keys = [c for c in names if c != time]
    typical = typical_s(times, sample.frame.groupby(keys).ngroup())
    if typical is None or step_name(typical) != str(target.steps.frequency):
        rule = f"its rows are not {target.steps.frequency.span(1)} apart, as the target's are"
        raise unusable(rule, "Write both at one frequency.")
    features = [c for c in sample.columns if c not in names]
    if not features:
        raise unusable("it has no column of numbers", "Add what is known of the demand's causes.")
    for column in features:
        names[column] = target.free_name(sample.labels[column], names.values())
        kinds[column] = "float"
    _name_dataset(draft, "related", "RELATED_TIME_SERIES", sample, names, kinds)
    draft["Datasets"][-1]["DataFrequency"] = str(target.steps.frequency)
    _fill(draft, [names[c] for c in features if (sample.frame[c] == "").any()])
    listed = ", ".join(names[column] for column in features)
    target.reasons.append(f"The related file holds {listed}.")
    _reach(draft, target, times)


def _reach(draft: dict[str, Any], target: Target, times: pd.Series) -> None:
    """Related data that end within the horizon shorten it: the service wants them to reach its end."""
    end, last = target.columns.moments.max().to_pydatetime(), times.max().to_pydatetime()
    ahead = target.steps.frequency.steps(end, last) - 1 if last > end else 0
    horizon = draft["Predictor"]["ForecastHorizon"]
    span = target.steps.frequency.span
    if ahead <= 0:
        target.reasons.append("The related data end with the target: nothing is known ahead.")
    elif ahead < horizon:
        draft["Predictor"]["ForecastHorizon"] = ahead
        target.reasons.append(f"The horizon is {span(ahead)}: the related data reach no farther.")
    else:
        target.reasons.append(f"The related data reach {span(ahead)} beyond the target, over the horizon.")


def _fill(draft: dict[str, Any], names: list[str]) -> None:
    if names:
        how = dict.fromkeys(("middlefill", "backfill", "futurefill"), "mean")
        configs = [{"AttributeName": name, "Transformations": how} for name in names]
        known = draft["Predictor"].setdefault("DataConfig", {}).setdefault("AttributeConfigs", [])
        known.extend(configs)


def add_metadata(draft: dict[str, Any], target: Target, sample: Sample) -> None:
    """Lists item metadata.

    Raises:
        BadInput: if they do not fit the target.
    """
    item = _item_column(target, sample)
    if sample.frame[item].duplicated().any():
        raise unusable("an item has several rows", "Keep one row for each item.")
    names = {item: target.names[target.columns.item]}
    for column in sample.columns:
        if column != item:
            names[column] = target.free_name(sample.labels[column], names.values())
    if len(names) < 2:
        raise unusable("it has nothing but the item key", "Add columns that describe the items.")
    _name_dataset(draft, "metadata", "ITEM_METADATA", sample, names, {})
    target.reasons.append(f"The metadata describe {sample.frame[item].nunique()} items.")


def _shared_columns(target: Target, sample: Sample) -> tuple[dict[int, str], dict[int, str]]:
    """The columns that a related file has in common with the target, by name, and their types."""
    if not sample.times:
        raise unusable(
            "no column holds times in the target's form", f"Write them as {target.columns.java_format}."
        )
    time = sample.best(sample.times, TIME_WORDS)
    item = _item_column(target, sample)
    names = {time: "timestamp", item: target.names[target.columns.item]}
    for dimension in target.columns.dimensions:
        values = set(target.sample.frame[dimension])
        rest = [
            c for c in sample.columns if c not in names and sample.share(c, values.__contains__) > MOST_SHARED
        ]
        if rest:
            names[rest[0]] = target.names[dimension]
    return names, {time: "timestamp"}


def _item_column(target: Target, sample: Sample) -> int:
    """The column whose cells are the target's items."""
    items = set(target.sample.frame[target.columns.item])
    own = target.sample.word(target.columns.item)
    shares = {c: sample.share(c, items.__contains__) for c in sample.columns}
    best = max(sample.columns, key=lambda c: (sample.word(c) == own != "", shares[c]))
    if shares[best] <= MOST_SHARED and not target.sample.is_cut:
        raise unusable("no column has the target's items", "Add the item key, spelled as in the target.")
    return best


def _name_dataset(
    draft: dict[str, Any], role: str, kind: str, sample: Sample, names: dict[int, str], kinds: dict[int, str]
) -> None:
    group = draft["DatasetGroup"]
    pairs = [(names[column], kinds.get(column, "string")) for column in sample.columns]
    draft["Datasets"].append(dataset(f"{group['DatasetGroupName']}_{role}", group["Domain"], kind, pairs))
