"""What older and failed runs leave: cleaned up, taken by a full quota, or used by the next attempt."""

from typing import Any

from tests.flows.conftest import Site
from tests.flows.fake_forecast import client_error

FULL = client_error("LimitExceededException", "Quota limit of 100 forecasts has been reached")


def published(site: Site, days: int) -> str:
    """Upload so many days, and forecast them; the run."""
    site.upload(days=days)
    state = site.run()
    assert state.is_completed(), state.message
    return str(site.manifest()["run"])


def runs_with_resources(site: Site) -> set[str]:
    """The runs in the names of what is at the service, datasets aside."""
    kinds = ("dataset-import-job", "forecast", "forecast-export-job")
    return {arn.rsplit("_", 1)[-1] for kind in kinds for arn in site.forecast.of_kind(kind)}


def told(site: Site) -> str:
    return site.mail()[-1]["Message"]


def test_older_runs_lose_what_retention_does_not_keep_and_come_back_when_their_content_does(
    site: Site,
) -> None:
    site.configure(Retention={"Runs": 2, "History": 2})
    first, second, third = (published(site, days) for days in (4, 5, 6))
    assert runs_with_resources(site) == {second, third}
    assert "Removed 4 resources of earlier runs and the history of 1 run." in told(site)
    for kept in ("runs/", "history/clean/", "history/raw/"):
        assert not site.keys(f"{kept}{first}")
    site.upload(days=4)
    state = site.run()
    assert state.message.startswith("Published"), "it was forecast before, but nothing of it is left"
    assert site.manifest()["run"] == first


def test_retention_that_is_set_later_needs_no_new_forecast(site: Site) -> None:
    for days in (4, 5, 6):
        last = published(site, days)
    made = site.forecast.created()
    site.configure(Retention={"Runs": 1})
    assert site.run(key="params.json").message.startswith("Already forecast")
    assert site.forecast.created() == made
    assert runs_with_resources(site) == {last, site.manifest()["previous"]}


def test_a_clean_up_that_fails_is_told_and_left_to_the_next_run(site: Site) -> None:
    site.configure(Retention={"Runs": 1})
    published(site, 4), published(site, 5)
    site.forecast.raise_on(
        "delete_forecast", client_error("AccessDeniedException", "not allowed", "DeleteForecast")
    )
    published(site, 6)
    assert "The clean-up of earlier runs failed and is left to the next run" in told(site)
    last = published(site, 7)
    assert runs_with_resources(site) == {last, site.manifest()["previous"]}


def test_what_perform_delete_could_not_delete_goes_with_the_next_run_of_other_content(site: Site) -> None:
    site.configure(PerformDelete=True)
    site.forecast.raise_on(
        "delete_forecast", client_error("AccessDeniedException", "not allowed", "DeleteForecast")
    )
    assert site.run().is_failed(), "it has published, and could not clean up"
    assert runs_with_resources(site) == {site.manifest()["run"]}
    site.upload(days=6)
    assert site.run().is_completed()
    assert "Removed 3 resources of earlier runs." in told(site)
    assert runs_with_resources(site) == set()
    assert site.forecast.of_kind("predictor") == []


def test_what_was_kept_by_wish_stays_when_perform_delete_is_set_later(site: Site) -> None:
    kept = published(site, 4)
    site.configure(PerformDelete=True)
    published(site, 5)
    assert runs_with_resources(site) == {kept}


def test_a_full_quota_takes_what_failed_runs_left(site: Site) -> None:
    failed = left_by_a_failure(site)
    site.upload(days=5)
    site.forecast.raise_on("create_forecast", FULL)
    state = site.run()
    assert state.is_completed(), state.message
    assert failed not in runs_with_resources(site)
    assert len(site.forecast.of_kind("predictor")) == 1


def left_by_a_failure(site: Site) -> str:
    """A run that made all but its export, and failed."""
    site.forecast.raise_on("create_forecast_export_job", client_error("AccessDeniedException", "not allowed"))
    assert site.run().is_failed()
    (run,) = runs_with_resources(site)
    return run


def test_a_quota_that_stays_full_ends_the_run_with_its_name_and_the_remedy(site: Site) -> None:
    site.configure(Retention={"MostQuotaWaitHours": 0})
    site.forecast.raise_on("create_forecast", *[FULL] * 10)
    state = site.run()
    assert state.is_failed()
    assert "Quota limit of 100 forecasts has been reached" in state.message
    assert site.forecast.created()["create_forecast"] == 2, "once more after making room, and never again"
    mail = told(site)
    assert "it stayed so for 0 hours" in mail
    assert "ask for a higher quota" in mail


def test_a_failed_resource_of_each_kind_is_made_again_by_the_next_attempt(site: Site) -> None:
    for word in ("dataset-import-job", "predictor", "forecast", "forecast-export-job"):
        site.forecast.fail(word, "the service stumbled")
        state = site.run()
        assert state.is_failed(), word
        assert "the service stumbled" in state.message
        site.forecast.failing.clear()
    state = site.run()
    assert state.is_completed(), state.message
    kinds = [arn.split(":", 5)[5].split("/")[0] for arn in site.forecast.made]
    assert len(kinds) == len(set(kinds)) == 6, "one of each, and none that failed"


def test_content_whose_run_failed_is_forecast_when_it_comes_back(site: Site) -> None:
    failed = left_by_a_failure(site)
    assert published(site, 6) != failed
    assert published(site, 4) == failed
    assert site.published()[1].startswith("2024-01-05 00:00:00"), "from its own data"
    made: dict[str, Any] = site.forecast.created()
    assert made["create_auto_predictor"] == 2
    assert made["create_dataset_import_job"] == 3, "its import had been replaced"


def test_events_that_come_late_or_in_disorder_forecast_the_newest_content_once(site: Site) -> None:
    etags = []
    for days in (4, 5, 6):
        site.upload(days=days)
        etags.append(site.s3.head_object(Bucket=site.name, Key="train/demand.csv")["ETag"].strip('"'))
    states = [site.run(etag=etag) for etag in (etags[1], etags[2], etags[0])]
    assert [state.message.split(" ")[0] for state in states] == ["Published", "Already", "Already"]
    assert site.published()[1].startswith("2024-01-07 00:00:00")
    assert site.forecast.created()["create_auto_predictor"] == 1
