"""Train, reuse or forecast only: each taken through the whole flow, with its reason told to people."""

import datetime as dt
import io
import json
import re
from typing import Any

import pandas as pd
from prefect.client.orchestration import get_client

from pipeline import decision
from pipeline.workload import Workload
from tests.flows.conftest import PARAMS, Site, demand
from tests.flows.fake_forecast import client_error

# The forecasts of the service in memory are far off; where that is not the point, it does not matter.
NEEDED = {"When": "needed", "MostAccuracyFall": False}


def told(site: Site) -> str:
    """The last notice."""
    return site.mail()[-1]["Message"]


def trainings(site: Site) -> int:
    return site.forecast.created()["create_auto_predictor"]


def imports(site: Site) -> int:
    return site.forecast.created()["create_dataset_import_job"]


def begun(site: Site, **retraining: Any) -> None:
    """A workload with one published run."""
    site.configure(Retraining=NEEDED | retraining)
    assert site.run().is_completed()
    assert "there is no predictor yet" in told(site)


def test_a_young_predictor_forecasts_from_new_data(site: Site) -> None:
    begun(site)
    (predictor,) = site.forecast.of_kind("predictor")
    site.upload(days=6)
    state = site.run()
    assert (trainings(site), imports(site)) == (1, 2)
    assert site.published()[1].startswith("2024-01-07 00:00:00"), "from the new data"
    record = site.record(site.manifest()["run"])
    assert record["arns"]["predictor"] == predictor
    assert record["training"]["kind"] == "reuse"
    for text in (state.message, told(site)):
        assert "is used again for the new data, because it is 0.0 days old of 30 allowed" in text


def test_the_decision_stands_on_the_runs_page(site: Site) -> None:
    state = site.run()
    with get_client(sync_client=True) as client:
        run = str(state.state_details.flow_run_id)
        artifacts = client.request(
            "POST", "/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [run]}}}
        ).json()
    (page,) = [a for a in artifacts if (a["key"] or "").startswith("training-")]
    assert "there is no predictor yet" in page["data"]
    assert re.search(r"\| trained on \(UTC\) \| \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \|", page["data"])


def test_unless_told_otherwise_new_data_are_trained_on(site: Site) -> None:
    site.run()
    site.mail()
    site.upload(days=6)
    site.run()
    assert trainings(site) == 2
    assert 'Retraining.When is "always"' in told(site)


def test_other_forecast_types_take_neither_import_nor_training(site: Site) -> None:
    site.run()
    site.mail()
    site.configure(Forecast={**PARAMS["Forecast"], "ForecastTypes": ["0.1", "0.5", "0.9", "mean"]})
    state = site.run(key="params.json")
    assert state.is_completed(), state.message
    assert (trainings(site), imports(site)) == (1, 1)
    assert site.forecast.created()["create_forecast"] == 2
    assert len(site.published()) == 1 + 2 * 6 * 4
    for text in (state.message, told(site)):
        assert "No import and no training" in text
        assert "it was trained on these very data with these settings" in text


def test_another_horizon_is_trained_for(site: Site) -> None:
    begun(site)
    site.configure(Retraining=NEEDED, Predictor={**PARAMS["Predictor"], "ForecastHorizon": 5})
    site.run(key="params.json")
    assert trainings(site) == 2
    assert "Predictor.ForecastHorizon has changed from 6 to 5" in told(site)


def test_another_schema_is_trained_for(site: Site) -> None:
    begun(site)
    dataset = {**PARAMS["Datasets"][0], "DataFrequency": "30min"}
    site.configure(Retraining=NEEDED, Datasets=[dataset])
    site.run(key="params.json")
    assert trainings(site) == 2
    assert "the datasets have changed" in told(site)


def test_an_old_predictor_is_replaced(site: Site) -> None:
    site.forecast.began -= dt.timedelta(days=40)
    begun(site)
    site.upload(days=6)
    site.run()
    assert trainings(site) == 2
    assert "is 40.0 days old; 30 are allowed" in told(site)


def test_a_deleted_predictor_is_replaced(site: Site) -> None:
    site.configure(Retraining=NEEDED, PerformDelete=True)
    site.run()
    site.mail()
    site.upload(days=6)
    site.run()
    assert trainings(site) == 2
    assert "was deleted" in told(site)


def test_a_forecast_that_turned_out_worse_than_promised_is_a_reason(site: Site) -> None:
    site.upload(items="abcd")
    begun(site, MostAccuracyFall=0.2)
    site.upload(days=6, items="abcd")
    site.run()
    assert trainings(site) == 2
    message = told(site)
    assert "turned out worse than its backtests promised: mean wQL of 0.5" in message
    assert "20% are allowed (24 values)" in message


def test_a_predictor_that_is_out_of_reach_is_replaced(site: Site) -> None:
    begun(site)
    site.upload(days=6)
    site.forecast.raise_on(
        "describe_auto_predictor", client_error("AccessDeniedException", "another account")
    )
    site.run()
    assert trainings(site) == 2
    assert "is out of reach" in told(site)


def test_a_forecast_that_cannot_be_judged_is_no_reason(site: Site) -> None:
    begun(site, MostAccuracyFall=0.2)
    run = site.manifest()["run"]
    site.put(f"history/clean/{run}/forecast.csv", "not,a\nforecast,at all\n")
    site.upload(days=6)
    site.run()
    assert trainings(site) == 1
    assert "no fall of its accuracy is known" in told(site)


def test_a_forecast_that_turned_out_as_promised_is_no_reason(site: Site) -> None:
    site.forecast.value = 5.0  # 5, 6, 7 for hours that have 5 to 10
    site.upload(items="abcd")
    begun(site, MostAccuracyFall=2)
    site.upload(days=6, items="abcd")
    site.run()
    assert trainings(site) == 1
    assert "no fall of its accuracy is known" in told(site)


def test_a_wish_for_training_is_granted_once(site: Site) -> None:
    begun(site)
    decision.ask_for_training(site.s3, Workload(site.name), "a new tariff since June.")
    site.forecast.began += dt.timedelta(hours=2)
    site.upload(days=5)
    site.run()
    assert trainings(site) == 2
    assert "it was asked for: a new tariff since June." in told(site)
    site.upload(days=6)
    site.run()
    assert trainings(site) == 2, "the predictor is younger than the wish"


def test_a_predictor_whose_forecast_was_refused_is_not_used_again(site: Site) -> None:
    begun(site)
    run = site.manifest()["run"]
    site.put(
        f"runs/{run}/manifest.json",
        site.text(f"runs/{run}/manifest.json").replace('"published"', '"refused"'),
    )
    site.upload(days=6)
    site.run()
    assert trainings(site) == 2
    assert f"the forecast of run {run}, which trained the last predictor, was refused" in told(site)


def test_a_failed_run_is_taken_up_with_the_predictor_that_it_had_chosen(site: Site) -> None:
    begun(site)
    site.upload(days=6)
    for call in ("create_dataset_import_job", "create_forecast", "create_forecast_export_job"):
        site.forecast.raise_on(call, client_error("AccessDeniedException", "not allowed", call))
        assert site.run().is_failed(), call
    site.mail()
    assert site.run().is_completed()
    assert "is used again for the new data" in told(site)
    assert trainings(site) == 1
    assert len(site.forecast.of_kind("forecast")) == 2


def test_content_that_comes_back_after_other_data_is_imported_again(site: Site) -> None:
    begun(site)
    site.upload(days=6)
    site.run()
    site.upload(days=4)
    site.configure(Retraining=NEEDED, Forecast={**PARAMS["Forecast"], "ForecastTypes": ["0.5"]})
    state = site.run()
    assert state.is_completed(), state.message
    assert site.published()[1].startswith("2024-01-05 00:00:00"), "not from the data of the other run"
    assert (trainings(site), imports(site)) == (1, 3)


def test_data_are_imported_again_though_the_import_that_replaced_them_was_deleted(site: Site) -> None:
    """Its job is gone, but a dataset may still hold what it brought."""
    site.configure(PerformDelete=True)
    site.forecast.fail("predictor", "out of memory")
    assert site.run().is_failed()
    site.forecast.failing.clear()
    site.upload(days=6)
    assert site.run().is_completed()
    site.upload(days=4)
    assert site.run().is_completed()
    assert imports(site) == 3
    site.forecast.fail("predictor", "out of memory")
    site.upload(days=5)
    assert site.run().is_failed()
    site.forecast.failing.clear()
    assert site.run().is_completed()
    assert imports(site) == 4, "its own import is still the last"


def test_a_level_shift_is_told_and_trained_on(site: Site) -> None:
    site.configure(Retraining=NEEDED, Drift={}, Gate={"RefusesFlat": False, "MostTotalFactor": False})
    assert site.run().is_completed()
    shifted = demand(days=5).splitlines()
    moved = [line if line < "2024-01-05" else times(line, 100) for line in shifted[1:]]
    site.put("train/demand.csv", "\n".join([shifted[0], *moved]) + "\n")
    state = site.run()
    assert trainings(site) == 2
    run = site.manifest()["run"]
    found = json.loads(site.text(f"runs/{run}/drift.json"))
    assert found["is_drifting"]
    assert found["figures"]["shifted_items"] == 1.0
    assert "it was asked for: the workload drifts. The forecast of run" in state.message
    mail = told(site)
    assert f"Note: Drift. {found['reasons'][0]}" in mail
    assert f"Last time: Run {found['newest']}'s forecast was off by" in mail
    ends = [
        site.s3.get_object(Bucket=site.name, Key=key)["Body"].read() for key in site.keys("history/runs/")
    ]
    told_of = [pd.read_parquet(io.BytesIO(body))["drift"].iloc[0] for body in ends]
    assert found["reasons"][0] in told_of, "the dashboard shows it"


def times(line: str, factor: float) -> str:
    """The row with a larger value."""
    moment, value, item = line.split(",")
    return f"{moment},{float(value) * factor},{item}"
