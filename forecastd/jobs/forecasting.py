"""The forecast job: a trained predictor and the newest data become quantiles for every item."""

import pandas as pd
import pyarrow as pa

from forecastd.domains import TIMESTAMP
from forecastd.errors import JobFailed
from forecastd.jobs.data import load_panel
from forecastd.jobs.hands import crew_of
from forecastd.jobs.job import Facts, Job
from forecastd.jobs.rows import Problems, Raw, read_csv, read_parquet, typed
from forecastd.jobs.training import KNOWN_AHEAD, MODEL_FOLDER
from forecastd.models.history import is_forward
from forecastd.models.training import Predictor
from forecastd.series.panel import Panel
from forecastd.store.forecasts import write_forecast


def run_forecast(job: Job) -> Facts:
    """Forecast, and keep the values in the job's folder, sorted by series and time.

    Raises:
        JobFailed: the predictor or its data is gone, related data end too early, or nothing is left to
            forecast.
    """
    plan = job.record.plan
    source = job.parent(plan["predictor"])
    trained = source.plan
    keys = [trained["item_key"], *trained["dimensions"]]
    panel = load_panel(job, trained, plan["imports"])
    _check_known_ahead(source.facts.get(KNOWN_AHEAD, []), panel, trained["horizon"])
    predictor = Predictor.load(job.parent_folder(plan["predictor"]) / MODEL_FOLDER)
    predictor.threads = job.settings.threads
    crew = crew_of(job.settings)
    frame = predictor.forecast(panel, tuple(plan["quantiles"]), plan["want_mean"], job.progress, crew)
    methods = panel.keys.assign(method=frame.attrs.pop("labels"))
    frame = _selected(job, frame, keys).sort_values([*keys, TIMESTAMP], kind="stable")
    methods = methods.merge(frame[keys].drop_duplicates(), on=keys)
    write_forecast(job.folder, _table(frame, keys), _texts(methods), keys, trained["horizon"])
    return {}


def _check_known_ahead(names: list[str], panel: Panel, horizon: int) -> None:
    """What the predictor learnt to rely on beyond the target must be known there."""
    lost = [
        name
        for name in names
        if name not in panel.features or not is_forward(panel.features[name], panel.length)
    ]
    if lost:
        times = panel.future_times(horizon)
        raise JobFailed(
            f"The related time series {lost[0]} was known ahead when the predictor was trained, but now"
            f" nothing of it is known for the forecast horizon, {times[0]} to {times[-1]}: import related"
            " data that cover the horizon, or train a new predictor on what there is."
        )


def _texts(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame.astype(str), preserve_index=False).replace_schema_metadata()


def _table(frame: pd.DataFrame, keys: list[str]) -> pa.Table:
    types = [name for name in frame.columns if name not in (*keys, TIMESTAMP)]
    fields = [
        *((name, pa.string()) for name in keys),
        (TIMESTAMP, pa.timestamp("ms")),
        *((name, pa.float64()) for name in types),
    ]
    return pa.Table.from_pandas(frame[[name for name, _ in fields]], pa.schema(fields), preserve_index=False)


def _selected(job: Job, frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Keep the series of a TimeSeriesSelector; those that the data does not have are passed over.

    Its file has no header by the API's rules. One that has its own names there names no series, unless the
    data has a series of that name.
    """
    identifiers = job.record.request.get("TimeSeriesSelector", {}).get("TimeSeriesIdentifiers")
    if not identifiers:
        return frame
    path = identifiers["DataSource"]["S3Config"]["Path"]
    names = [each["AttributeName"] for each in identifiers["Schema"]["Attributes"]]
    wanted = _identifiers(job, path, names, identifiers.get("Format", "CSV"))
    chosen = frame.merge(wanted[keys].drop_duplicates(), on=keys)
    if chosen.empty:
        raise JobFailed(f"None of the {len(wanted)} rows of {path} names a series of the data.")
    return chosen


def _identifiers(job: Job, path: str, names: list[str], file_format: str) -> pd.DataFrame:
    attributes, problems = dict.fromkeys(names, "string"), Problems()
    frames = []
    for ref in job.objects.list(path):
        if file_format == "PARQUET":
            local = job.folder / "selector.parquet"
            job.objects.download(ref, local)
            pieces = list(read_parquet(local, attributes, ref.uri))
            local.unlink()
        else:
            stream = job.objects.open(ref)
            pieces = list(read_csv(stream, attributes, ref.uri, problems, may_have_header=False))
        frames += [_keys_of(piece) for piece in pieces]
    if problems.number:
        raise JobFailed(f"The series to forecast cannot be read: {problems.sentence()}")
    return pd.concat(frames)


def _keys_of(piece: Raw) -> pd.DataFrame:
    """Keys as the panel writes them: an empty one is an empty text."""
    columns = {name: piece.table.column(name) for name in piece.table.column_names}
    return pd.DataFrame({name: typed(each, "string", "").values.fillna("") for name, each in columns.items()})
