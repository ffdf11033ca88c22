"""Creating something although a quota may be used up: make room once, wait, give up in time."""

from collections.abc import Callable

from pipeline import retention
from pipeline.quota import HOUR_S, Quota
from pipeline.waiting import patiently
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.log import logger


def created(job: Job, create: Callable[[], str], bar: ProgressBar) -> str:
    """The ARN that `create` gives.

    Raises:
        WaitedInVain: a quota stayed used up for as long as params.json allows.
    """
    most_wait_s = job.params.retention.most_quota_wait_hours * HOUR_S
    return patiently(create, bar, Quota(lambda: _make_room(job), most_wait_s))


def _make_room(job: Job) -> None:
    logger().info("A quota is used up: looking for what failed or refused runs of this workload left")
    swept = retention.make_room(job.owner, job.params.retention)
    logger().info(swept.words() or "This workload has nothing that could go")
