"""Whether a run trains a predictor or uses an earlier one, with the reason that people read.

    train        the data are imported and a predictor is trained
    reuse        the data are imported, the earlier predictor forecasts from them
    re-forecast  the data are imported already, the earlier predictor forecasts from them

The predictor in question is the workload's last: `runs/predictor.json` remembers it. Whoever wants the next
run to train writes the reason to `runs/retrain.json`; it holds until a predictor is younger than it.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline import storage
from pipeline.errors import translated
from pipeline.params import Params
from pipeline.policy.retraining import Retraining
from pipeline.workload import Workload

TRAINED = "runs/predictor.json"
ASKED = "runs/retrain.json"
LONGEST_REASON = 300
MOMENT = "%Y-%m-%dT%H:%M:%SZ"

Kind = Literal["train", "reuse", "re-forecast"]


@dataclass(frozen=True)
class Trained:
    """The last predictor that was trained for a workload."""

    run: str  # that trained it
    arn: str
    trained_at: str  # UTC, when its training began
    settings: Mapping[str, Any]  # as `settings_of` gives them
    data: str  # as `data_of` gives it

    @property
    def began(self) -> dt.datetime:
        return dt.datetime.strptime(self.trained_at, MOMENT).replace(tzinfo=dt.UTC)

    def words(self) -> str:
        return f"the predictor of run {self.run}, trained on {self.began:%Y-%m-%d at %H:%M} UTC"


@dataclass(frozen=True)
class Wish:
    """Somebody's wish that the next run trains."""

    reason: str
    at: dt.datetime


@dataclass(frozen=True)
class Decision:
    """What a run does for a predictor, and why."""

    kind: Kind
    reason: str
    predictor: str | None = None  # ARN of the earlier predictor; None where one is trained
    trained_by: str | None = None  # the run that trained it
    trained_at: str | None = None

    @property
    def trains(self) -> bool:
        return self.kind == "train"

    @property
    def imports(self) -> bool:
        """Whether the data have to be imported."""
        return self.kind != "re-forecast"

    def words(self) -> str:
        """A sentence."""
        does = {
            "train": "A predictor is trained",
            "reuse": f"No training: run {self.trained_by}'s predictor is used again for the new data",
            "re-forecast": f"No import and no training: run {self.trained_by}'s predictor is used again",
        }
        return f"{does[self.kind]}, because {self.reason}."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Decision":
        """What `to_dict` wrote."""
        return cls(**stored)


@dataclass(frozen=True)
class Facts:
    """What a decision rests on."""

    settings: Mapping[str, Any]  # of this run
    data: str  # of this run
    imported: bool  # whether the datasets hold these data already
    trained: Trained | None
    status: str | None = None  # the predictor's state at the service; None: it is not there
    refused: bool = False  # whether the forecast of the run that trained it was refused
    wish: Wish | None = None


def decide(
    facts: Facts,
    policy: Retraining,
    now: dt.datetime,
    fallen: Callable[[], str | None],
    earlier: Decision | None = None,
) -> Decision:
    """The decision for a run.

    Args:
        facts: about this run and the last predictor.
        policy: the limits of params.json.
        now: UTC.
        fallen: tells how far the accuracy has fallen, or None if it has not; asked only where it decides.
        earlier: what an earlier attempt of this very run decided; it holds while it can, so that a run that
            is taken up again does what it began.
    """
    if earlier is not None and earlier.trains:
        return earlier
    reason = next(_compelling(facts), None)
    if reason is not None or facts.trained is None:
        return Decision("train", reason or "there is no predictor yet")
    known = facts.trained
    if earlier is not None:
        return _keep(facts, known, earlier.reason)
    if facts.data == known.data:
        return _keep(facts, known, "it was trained on these very data with these settings")
    reason = _advisable(known, policy, now, fallen)
    return (
        _keep(facts, known, _still_good(known, policy, now)) if reason is None else Decision("train", reason)
    )


def _keep(facts: Facts, known: Trained, reason: str) -> Decision:
    kind: Kind = "re-forecast" if facts.imported else "reuse"
    return Decision(kind, reason, known.arn, known.run, known.trained_at)


def _compelling(facts: Facts) -> Iterator[str]:
    """Reasons for which the last predictor cannot be used, whatever the policy."""
    known, wish = facts.trained, facts.wish
    if known is None:
        yield "there is no predictor yet"
        return
    if facts.status is None:
        yield f"{known.words()}, was deleted"
    elif facts.status != "ACTIVE":
        yield f"{known.words()}, is {facts.status}"
    yield from differences(known.settings, facts.settings)
    if facts.refused and facts.data != known.data:
        yield f"the forecast of run {known.run}, which trained the last predictor, was refused"
    if wish is not None and wish.at > known.began:
        yield f"it was asked for: {wish.reason.rstrip('.')}"


def _advisable(
    known: Trained, policy: Retraining, now: dt.datetime, fallen: Callable[[], str | None]
) -> str | None:
    """The reason of the policy not to use a predictor for data that it was not trained on."""
    if policy.when == "always":
        return 'the data are new and Retraining.When is "always"'
    age_days = _age_days(known, now)
    if policy.most_age_days is not None and age_days > policy.most_age_days:
        return f"{known.words()}, is {age_days:.1f} days old; {policy.most_age_days:g} are allowed"
    return fallen() if policy.most_accuracy_fall is not None else None


def _still_good(known: Trained, policy: Retraining, now: dt.datetime) -> str:
    limit = "" if policy.most_age_days is None else f" of {policy.most_age_days:g} allowed"
    return (
        f"it is {_age_days(known, now):.1f} days old{limit}, its settings are the same, "
        "and no fall of its accuracy is known"
    )


def _age_days(known: Trained, now: dt.datetime) -> float:
    return (now - known.began) / dt.timedelta(days=1)


def settings_of(params: Params, dataset_group_arn: str) -> dict[str, Any]:
    """All that a predictor depends on beside the data; names and tags are not part of it."""
    return {
        "Datasets": [spec.definition() for spec in params.datasets],
        "Predictor": {
            name: value for name, value in params.predictor.items() if name not in ("PredictorName", "Tags")
        },
        "DatasetGroupArn": dataset_group_arn,
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What has changed between the settings of two runs, a clause each."""
    if before["Datasets"] != after["Datasets"]:
        yield "the datasets have changed: their schema, their frequency or their number"
    was, is_now = before["Predictor"], after["Predictor"]
    for name in [*was, *(name for name in is_now if name not in was)]:
        if was.get(name) != is_now.get(name):
            yield f"Predictor.{name} has changed from {_shown(was.get(name))} to {_shown(is_now.get(name))}"
    if before["DatasetGroupArn"] != after["DatasetGroupArn"]:
        yield "the dataset group is another one"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def data_of(normalised: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> str:
    """The identity of a run's data: equal for runs that import the same.

    Args:
        normalised: the configuration, as `Params.normalised` gives it.
        inputs: the objects, as `Inputs.to_list` gives them.
    """
    own = {
        name: value
        for name, value in normalised.items()
        if name not in ("DatasetGroup", "Predictor", "Forecast", "Recalibration")
    }
    known = ("key", "size", "etag", "place")
    objects = sorted([o[name] for name in known if name in o] for o in inputs)
    return hashlib.sha256(json.dumps([own, objects], sort_keys=True).encode()).hexdigest()[:16]


def remember(s3: Any, workload: Workload, trained: Trained) -> None:
    """Makes this predictor the one that later runs may use again."""
    storage.write_json(s3, workload, TRAINED, asdict(trained))


def last_trained(s3: Any, workload: Workload) -> Trained | None:
    """The workload's last predictor, as far as it is remembered."""
    stored = storage.read_json(s3, workload, TRAINED)
    return Trained(**stored) if stored else None


def ask_for_training(s3: Any, workload: Workload, reason: str) -> None:
    """Lets the next run with new content train, whatever its policy; the reason is told by that run."""
    storage.write_json(s3, workload, ASKED, {"because": reason})


def wish(s3: Any, workload: Workload) -> Wish | None:
    """The wish for a training that was written down last, fulfilled or not.

    A person may have written it, so text of any form is a reason.
    """
    with translated(f"reading {workload.uri(ASKED)}"):
        try:
            answer = s3.get_object(Bucket=workload.bucket, Key=workload.key(ASKED))
        except s3.exceptions.NoSuchKey:
            return None
        text = answer["Body"].read(64 * 1024).decode(errors="replace")
    return Wish(_reason(text)[:LONGEST_REASON], answer["LastModified"])


def _reason(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    because = found.get("because") if isinstance(found, dict) else None
    return " ".join(str(because or text).split()) or "no reason was given"
