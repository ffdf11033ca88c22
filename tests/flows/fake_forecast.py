"""A forecasting service in memory: everything is ACTIVE at once, and exports are real files in S3.

It stands in for boto3's client where a test wants to steer what happens: `fail` makes resources of a kind
end in CREATE_FAILED, `raise_on` lets a call raise, `calls` tells what was asked for.
"""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

ULID = "01JABCDEFGHJKMNPQRSTVWXYZ0"
HOURS = {"H": 1, "D": 24}


def client_error(code: str, message: str = "", operation: str = "Anything", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message or code}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


class FakeForecast:
    """Answers in the shapes of Amazon Forecast, as far as a run asks."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.exceptions = SimpleNamespace(ClientError=ClientError)
        self.made: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.rows: dict[str, list[tuple[str, dt.datetime]]] = {}  # item and time, by import
        self.failing: dict[str, str] = {}
        self.errors: dict[str, list[Exception]] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.value = 10.0
        self.began = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        self._clock = itertools.count()

    # -- steering

    def fail(self, word: str, message: str) -> None:
        """Resources of this kind (the word in their ARN) end in CREATE_FAILED with this message."""
        self.failing[word] = message

    def raise_on(self, call: str, *errors: Exception) -> None:
        """The next calls of this name raise these, one each."""
        self.errors[call] = list(errors)

    def created(self) -> Counter[str]:
        return Counter(call for call in self.calls if call.startswith("create_"))

    def of_kind(self, word: str) -> list[str]:
        return [arn for arn in self.made if arn.split(":", 5)[5].startswith(f"{word}/")]

    # -- the client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or not name.startswith(("create_", "describe_", "delete_")):
            raise AttributeError(name)

        def call(**request: Any) -> dict[str, Any]:
            self._called(name)
            verb, kind = name.split("_", 1)
            return getattr(self, f"_{verb}")(kind, request)

        return call

    def update_dataset_group(self, DatasetGroupArn: str, DatasetArns: list[str]) -> dict[str, Any]:
        self._called("update_dataset_group")
        self.made[DatasetGroupArn]["DatasetArns"] = DatasetArns
        return {}

    def get_accuracy_metrics(self, PredictorArn: str) -> dict[str, Any]:
        self._called("get_accuracy_metrics")
        start = dt.datetime(2024, 1, 3, tzinfo=dt.UTC)
        metrics = {
            "AverageWeightedQuantileLoss": 0.08,
            "ErrorMetrics": [{"ForecastType": "mean", "WAPE": 0.12, "RMSE": 3.4}],
            "WeightedQuantileLosses": [{"Quantile": 0.5, "LossValue": 0.09}],
        }
        windows = [
            {"EvaluationType": "SUMMARY", "ItemCount": 2, "Metrics": metrics},
            {
                "EvaluationType": "COMPUTED",
                "TestWindowStart": start,
                "TestWindowEnd": start + dt.timedelta(days=1),
                "ItemCount": 2,
                "Metrics": metrics,
            },
        ]
        return {"PredictorEvaluationResults": [{"TestWindows": windows}]}

    def get_paginator(self, call: str) -> Any:
        return SimpleNamespace(paginate=lambda Filters: self._pages(call, Filters))

    # -- how it works

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.before.pop(name, lambda: None)()
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    def _pages(self, call: str, filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        self._called(call)
        word, member = {
            "list_predictors": ("predictor", "Predictors"),
            "list_dataset_import_jobs": ("dataset-import-job", "DatasetImportJobs"),
        }[call]
        found = [self.made[arn] for arn in self.of_kind(word)]
        yield {member: [e for e in found if all(e[f["Key"]] == f["Value"] for f in filters)]}

    def _create(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        stem = "predictor" if kind == "auto_predictor" else kind
        title = "".join(part.title() for part in stem.split("_"))
        arn = self._arn(kind, stem, request, title)
        if arn in self.made:
            raise client_error("ResourceAlreadyExistsException", f"{arn} exists")
        now = self.began + dt.timedelta(seconds=next(self._clock))
        entry = {**request, f"{title}Arn": arn, "CreationTime": now, "LastModificationTime": now}
        entry["DatasetGroupArn"] = _group(request) or arn
        word = stem.replace("_", "-")
        if word in self.failing:
            entry |= {"Status": "CREATE_FAILED", "Message": self.failing[word]}
        else:
            entry["Status"] = "ACTIVE"
            if stem == "forecast_export_job":
                self._export(entry)
            if stem == "dataset_import_job":
                self.rows[arn] = self._rows_of(entry["DataSource"]["S3Config"]["Path"])
        self.made[arn] = entry
        return {f"{title}Arn": arn}

    def _arn(self, kind: str, stem: str, request: dict[str, Any], title: str) -> str:
        name = request[f"{title}Name"]
        parent = {"dataset_import_job": "DatasetArn", "forecast_export_job": "ForecastArn"}.get(stem)
        if parent:
            name = f"{request[parent].rsplit('/', 1)[-1]}/{name}"
        if kind == "auto_predictor":
            name = f"{name}_{ULID}"
        return f"arn:aws:forecast:us-east-1:000000000000:{stem.replace('_', '-')}/{name}"

    def _describe(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        (arn,) = request.values()
        if arn not in self.made:
            raise client_error("ResourceNotFoundException", f"{arn} is not there")
        if kind == "predictor" and arn.endswith(ULID):
            raise client_error("ValidationException", "an AutoPredictor")
        return self.made[arn]

    def _delete(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        self._describe("", request)
        (arn,) = request.values()
        del self.made[arn]
        return {}

    def _export(self, job: dict[str, Any]) -> None:
        """`ForecastHorizon` steps after the newest import for each item with five rows, a column per type."""
        forecast = self.made[job["ForecastArn"]]
        predictor = self.made[forecast["PredictorArn"]]
        imports = self.of_kind("dataset-import-job")
        rows = self.rows[max(imports, key=lambda arn: self.made[arn]["LastModificationTime"])]
        last = max(time for _, time in rows)
        asked = forecast["ForecastTypes"]
        types = ["mean" if given == "mean" else f"p{round(float(given) * 100)}" for given in asked]
        lines = [",".join(["item_id", "date", *types])]
        for item in sorted(item for item, seen in Counter(item for item, _ in rows).items() if seen >= 5):
            for step in range(1, predictor["ForecastHorizon"] + 1):
                time = (last + dt.timedelta(hours=step)).strftime("%Y-%m-%dT%H:%M:%SZ")
                lines.append(",".join([item, time, *(str(self.value + n) for n in range(len(types)))]))
        bucket, prefix = job["Destination"]["S3Config"]["Path"].removeprefix("s3://").split("/", 1)
        name = f"{job['ForecastExportJobName']}_2024-01-05T00-00-00Z_part0.csv"
        self.s3.put_object(Bucket=bucket, Key=prefix + name, Body="\n".join(lines).encode() + b"\n")

    def _rows_of(self, path: str) -> list[tuple[str, dt.datetime]]:
        bucket, prefix = path.removeprefix("s3://").split("/", 1)
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        rows = []
        for entry in listed:
            text = self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
            for line in text.splitlines()[1:]:
                time, _, item = line.split(",")
                rows.append((item, dt.datetime.strptime(time, "%Y-%m-%d %H:%M:%S")))
        return rows


def _group(request: dict[str, Any]) -> str | None:
    for member in ("InputDataConfig", "DataConfig"):
        if member in request:
            return str(request[member]["DatasetGroupArn"])
    return None
