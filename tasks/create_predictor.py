"""Create-Predictor: the training."""

import datetime as dt

from pipeline import decision
from pipeline.decision import Trained
from pipeline.resources import describe, start_predictor
from pipeline.waiting import wait_until_active
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.milestone import reached
from tasks.room import created
from tasks.step import step


@step("Create-Predictor")
def create_predictor(job: Job, dataset_group_arn: str) -> str:
    """The ARN of a trained predictor, which later runs may use again."""
    bar = ProgressBar(f"Training of {job.names.predictor}")
    arn = created(job, lambda: start_predictor(*job.own, dataset_group_arn), bar)
    found = wait_until_active(lambda: describe(job.forecast, arn), bar)
    reached(job, arns={"predictor": arn})
    decision.remember(job.s3, job.workload, _trained(job, arn, found["CreationTime"], dataset_group_arn))
    return arn


def _trained(job: Job, arn: str, began: dt.datetime, dataset_group_arn: str) -> Trained:
    return Trained(
        run=job.run,
        arn=arn,
        trained_at=began.astimezone(dt.UTC).strftime(decision.MOMENT),
        settings=decision.settings_of(job.params, dataset_group_arn),
        data=decision.data_of(job.params.normalised(), job.inputs.to_list()),
    )
