"""What the older runs of a workload keep: the plan, and the removal of the rest.

A run owns the resources whose names are derived from its record: nothing else is ever touched, whatever
its name looks like. The published run, the one before it and the present one keep everything; only what a
run was to delete itself (`PerformDelete`), and was kept from, goes with a later one all the same. A
predictor that a kept run used, or the next one may use, stays; so does the import that a dataset's content
is from.

    runs/<run>/input/          the copies that a failed run imported from
    runs/<run>/manifest.json   the record, the last thing of a run that is removed
    runs/<run>/cleared         newer than the record: its resources are gone, nobody has to ask again
"""

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline import charttable, decision, publish, record, resources, storage, waiting
from pipeline.errors import WaitedInVain, translated
from pipeline.names import Names
from pipeline.params import Params
from pipeline.policy.retention import Retention
from pipeline.record import Record
from pipeline.workload import Workload

CLEARED = "cleared"
# Children first: what stands on a resource goes before it.
ORDER = ("export_job", "forecast", "predictor", "import_jobs")
# Whoever still uses a resource after its own children are gone is somebody else, and may go on.
IN_USE_S = 60
# No run is held up for longer than about this; the next one goes on.
BUDGET_S = 900


@dataclass(frozen=True)
class Plan:
    """The runs that lose something, oldest first."""

    resources: tuple[str, ...]  # lose what they made at the forecasting service
    history: tuple[str, ...]  # lose their forecasts and their records in the bucket, too


@dataclass
class Swept:
    """What was removed, and what could not be."""

    removed: list[str] = field(default_factory=list)  # ARNs
    histories: list[str] = field(default_factory=list)  # runs
    spared: list[str] = field(default_factory=list)  # sentences

    def words(self) -> str | None:
        """One line for people; None where there is nothing to tell."""
        done = [
            f"{len(self.removed)} resource{'' if len(self.removed) == 1 else 's'} of earlier runs"
            if self.removed
            else "",
            f"the history of {len(self.histories)} run{'' if len(self.histories) == 1 else 's'}"
            if self.histories
            else "",
        ]
        told = " and ".join(part for part in done if part)
        return " ".join([*([f"Removed {told}."] if told else []), *self.spared]) or None


@dataclass(frozen=True)
class Owner:
    """Whose resources these are, and who asks."""

    s3: Any
    forecast: Any
    role_arn: str
    workload: Workload
    run: str  # the present one, which loses nothing


def plan(records: Sequence[Record], policy: Retention, safe: Collection[str]) -> Plan:
    """Which runs lose what.

    The newest published runs are counted. Runs that did not publish go with the published ones that are
    as old: a later attempt may still need what a young one made.

    Args:
        records: of the workload's runs.
        policy: the numbers.
        safe: runs that lose nothing.
    """
    history = _beyond(records, policy.history, safe)
    fewest = min((n for n in (policy.runs, policy.history) if n is not None), default=None)
    return Plan(_beyond(records, fewest, safe), history)


def _beyond(records: Sequence[Record], kept: int | None, safe: Collection[str]) -> tuple[str, ...]:
    if kept is None:
        return ()
    expired = [one for one in records if one.state == "expired"]  # going already
    newest = sorted(records, key=lambda one: (one.updated_at or "", one.run), reverse=True)
    published = [one for one in newest if one.is_published]
    place = newest.index(published[kept - 1]) if len(published) >= kept else len(newest)
    older = [one for one in reversed(newest[place + 1 :]) if one not in expired]
    return tuple(one.run for one in (*expired, *older) if one.run not in safe)


def leftovers(records: Sequence[Record], safe: Collection[str]) -> tuple[str, ...]:
    """The runs that did not publish: what they made serves nobody unless they are run again."""
    return tuple(one.run for one in records if not one.is_published and one.run not in safe)


def undeleted(records: Sequence[Record], run: str) -> tuple[str, ...]:
    """The published runs that were to delete what they made (`PerformDelete`), and may not have come to it.

    Args:
        records: of the workload's runs that are not known to be cleared.
        run: the present one, which deletes its own resources at its end.
    """
    return tuple(one.run for one in records if one.is_published and one.deletes and one.run != run)


def apply(owner: Owner, policy: Retention, deletes: bool = False, **pauses: Any) -> Swept:
    """Removes what the policy does not keep; a repetition goes on where this one stopped.

    Args:
        owner: whose runs.
        policy: the numbers.
        deletes: whether the workload says `PerformDelete`: then earlier runs' deletions are finished, too.
    """
    if not policy.limits_anything and not deletes:
        return Swept()
    cleared = _runs(owner)
    known = _records(owner, (run for run in cleared if policy.history is not None or not cleared[run]))
    present = {
        run: replace(one, state="published") if run == owner.run else one for run, one in known.items()
    }
    planned = plan(list(present.values()), policy, _safe(owner))
    due = undeleted([one for run, one in known.items() if not cleared.get(run)], owner.run) if deletes else ()
    swept = Swept()
    whole = _clear(owner, known, tuple(dict.fromkeys([*planned.resources, *due])), swept, pauses)
    for run in planned.history:
        if known[run].state != "expired":
            swept.histories.append(run)
        _forget(owner, known[run], with_record=run in whole)
    return swept


def make_room(owner: Owner, policy: Retention, **pauses: Any) -> Swept:
    """Removes what runs left that did not publish or did not delete, and what the policy does not keep."""
    known = _records(owner, (run for run, is_cleared in _runs(owner).items() if not is_cleared))
    safe, records = _safe(owner), list(known.values())
    beyond = plan(records, policy, safe).resources
    swept = Swept()
    runs = dict.fromkeys([*leftovers(records, safe), *undeleted(records, owner.run), *beyond])
    _clear(owner, known, tuple(runs), swept, pauses)
    return swept


def _records(owner: Owner, runs: Iterable[str]) -> dict[str, Record]:
    """The records of these runs of the workload, and of those that are safe."""
    found: dict[str, Record] = {}
    for run in sorted({*runs, *_safe(owner)}):
        known = record.read(owner.s3, owner.workload, run)
        if known is not None and known.run == run:
            found[run] = known
    return found


def _runs(owner: Owner) -> dict[str, bool]:
    """The runs that left a record, and whether each is known to own nothing at the service any more."""
    times = _times(owner, "runs/")
    found: dict[str, bool] = {}
    for rel, written in times.items():
        run, _, name = rel.partition("/")
        if name == "manifest.json" and run:
            cleared = times.get(f"{run}/{CLEARED}")
            found[run] = cleared is not None and cleared >= written
    return found


def _times(owner: Owner, rel: str) -> dict[str, dt.datetime]:
    """When each object below a path was written, by the rest of its path."""
    prefix = owner.workload.key(rel)
    with translated(f"listing {owner.workload.uri(rel)}"):
        pages = owner.s3.get_paginator("list_objects_v2").paginate(
            Bucket=owner.workload.bucket, Prefix=prefix
        )
        entries = [entry for page in pages for entry in page.get("Contents", [])]
    return {entry["Key"][len(prefix) :]: entry["LastModified"] for entry in entries}


def _safe(owner: Owner) -> set[str]:
    manifest = publish.current(owner.s3, owner.workload)
    seen = {manifest.run, manifest.previous} if manifest else set()
    return {run for run in (*seen, owner.run) if run}


def _clear(
    owner: Owner,
    known: Mapping[str, Record],
    runs: Sequence[str],
    swept: Swept,
    pauses: Mapping[str, Any],
) -> set[str]:
    """Removes the resources of runs, kind after kind; gives the runs that have none any more."""
    clock: Callable[[], float] = pauses.get("clock", time.monotonic)
    until = clock() + BUDGET_S
    made = {run: _made(owner, known[run]) for run in runs}
    wanted = _in_use(owner, [one for run, one in known.items() if run not in made], made)
    left = {run: {arn for arns in kinds.values() for arn in arns} for run, kinds in made.items()}
    for kind in ORDER:
        for run, kinds in made.items():
            for arn in kinds[kind]:
                if arn not in wanted and clock() < until and _removed(owner, arn, swept, pauses):
                    left[run].discard(arn)
    whole = {run for run, arns in left.items() if not arns}
    for run in whole:
        storage.remove(owner.s3, owner.workload, f"runs/{run}/input/")
        storage.write_json(owner.s3, owner.workload, f"runs/{run}/{CLEARED}", {"run": run})
    return whole


def _made(owner: Owner, of: Record) -> dict[str, list[str]]:
    """What exists of a run at the service, by kind: found by the names that only this run can have given."""
    params = Params(of.params)
    names = Names(owner.workload, params, of.run)
    found = waiting.patiently(lambda: resources.run_resources(owner.forecast, owner.role_arn, names, params))
    single = {kind: [found[kind]] if found.get(kind) else [] for kind in ORDER[:-1]}
    return {**single, "import_jobs": found["import_jobs"]}


def _in_use(owner: Owner, kept: Sequence[Record], made: Mapping[str, Mapping[str, list[str]]]) -> set[str]:
    """ARNs that stay although their run goes: predictors that others use, imports that datasets live on."""
    last = decision.last_trained(owner.s3, owner.workload)
    predictors = {str(one.arns["predictor"]) for one in kept if one.arns.get("predictor")}
    datasets = {_dataset_of(arn) for kinds in made.values() for arn in kinds["import_jobs"]}
    imports = {resources.current_import(owner.forecast, arn) for arn in datasets}
    return {arn for arn in (*predictors, *imports, last.arn if last else None) if arn}


def _dataset_of(import_arn: str) -> str:
    return import_arn.rsplit("/", 1)[0].replace(":dataset-import-job/", ":dataset/")


def _removed(owner: Owner, arn: str, swept: Swept, pauses: Mapping[str, Any]) -> bool:
    limited = {"limit_s": IN_USE_S, **pauses}
    try:
        waiting.patiently(lambda: resources.delete(owner.forecast, arn), **limited)
        resources.remove(owner.forecast, arn, **pauses)
    except WaitedInVain as error:
        swept.spared.append(f"{resources.name_of(arn)} stays for now: {error.what}")
        return False
    swept.removed.append(arn)
    return True


def _forget(owner: Owner, of: Record, with_record: bool) -> None:
    """Removes a run's history and, when it owns nothing any more, its record.

    From the first step on the run does not count as published, so its content would be forecast again; an
    interrupted removal is seen by this, and finished.
    """
    if of.state != "expired":
        ended = replace(of, state="expired", training=None, accuracy=None, arns={})
        record.write(owner.s3, owner.workload, ended)
    archives = (publish.ARCHIVE, "history/raw/", charttable.CHART, charttable.ITEMS)
    for rel in (*[f"{folder}{of.run}/" for folder in archives], f"runs/{of.run}/export/"):
        storage.remove(owner.s3, owner.workload, rel)
    if with_record:
        storage.remove(owner.s3, owner.workload, f"runs/{of.run}/")
