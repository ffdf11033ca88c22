"""Take-Stock: what lies in the bucket now, and whether its forecast exists already."""

from dataclasses import dataclass

from blocks.installation import Installation
from pipeline import inputs, params, publish, record
from pipeline.accuracy import Accuracy
from pipeline.errors import PipelineError
from pipeline.fingerprint import fingerprint
from pipeline.form import InputForm
from pipeline.publish import Manifest
from pipeline.workload import Workload
from tasks.job import Job
from tasks.log import logger
from tasks.step import step


@dataclass(frozen=True)
class Stock:
    """The content found, the forecast that readers see, and what earlier runs left of this content."""

    job: Job
    published: Manifest | None
    earlier: record.Record | None
    is_concluded: bool = True  # unless the run that published was killed before it had told of it
    is_archived: bool = False  # the forecast that an earlier run of this content made is in the archive

    @property
    def is_empty(self) -> bool:
        """There is nothing to forecast from."""
        return self.job.inputs.empty

    @property
    def was_published(self) -> bool:
        """A run of this very content went all the way, and its forecast can be published again."""
        return self._went_all_the_way and self.is_archived

    @property
    def is_current(self) -> bool:
        """A run of this content went all the way, and readers see its forecast, with tables and notice."""
        is_shown = self.published is not None and self.published.run == self.job.run
        return self._went_all_the_way and is_shown and self.is_concluded

    @property
    def _went_all_the_way(self) -> bool:
        return self.earlier is not None and self.earlier.is_published

    @property
    def is_held(self) -> bool:
        """A rollback has put the forecast of this content aside."""
        return self.published is not None and self.job.run in self.published.held

    @property
    def form(self) -> InputForm:
        """The form of the files, as an earlier run of this content found it."""
        if self.earlier is None or self.earlier.form is None:
            raise ValueError(f"No earlier run has checked the content {self.job.run}.")
        return InputForm.from_dict(self.earlier.form)

    @property
    def accuracy(self) -> Accuracy | None:
        """The accuracy that an earlier run of this content measured."""
        known = self.earlier.accuracy if self.earlier else None
        return Accuracy.from_dict(known) if known else None


@step("Take-Stock")
def take_stock(place: Installation, workload: Workload) -> Stock:
    """Read params.json, list the inputs, and derive the run's fingerprint from both."""
    stock = look(place, workload)
    logger().info(
        "%s: %d input object(s), run %s", workload.label, len(stock.job.inputs.objects), stock.job.run
    )
    return stock


def look(place: Installation, workload: Workload) -> Stock:
    """What Take-Stock finds, outside of a run.

    Raises:
        PipelineError: params.json is none, or the bucket cannot be read.
    """
    s3 = place.client("s3")
    settings = params.read(s3, workload)
    found = inputs.take_stock(s3, workload, settings)
    published = publish.current(s3, workload)
    run, number = fingerprint(workload, settings, found), published.number if published else 0
    job, earlier = Job(place, workload, settings, found, run, number), record.read(s3, workload, run)
    concluded = published is None or publish.is_concluded(s3, workload, published)
    archived = earlier is not None and earlier.is_published and publish.is_archived(s3, workload, run)
    return Stock(job, published, earlier, concluded, archived)


def was_overtaken(job: Job) -> bool:
    """Whether another run has published since the job's content was found."""
    try:
        live = publish.current(job.s3, job.workload)
    except PipelineError:  # whatever went wrong before this is what there is to tell
        return False
    return live is not None and live.overtook(job.run, job.replaces)
