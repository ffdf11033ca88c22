"""Which workload a flow run is about."""

import pytest

from flows.subject import label_of, name_of, workload_of
from pipeline.errors import PipelineError
from pipeline.workload import Workload


@pytest.mark.parametrize(
    ("key", "folder", "expected"),
    [
        ("train/a.csv", None, ""),
        ("shop/related/a.csv", None, "shop/"),
        ("shop/params.json", "other", "shop/"),
        (None, None, ""),
        (None, "/", ""),
        (None, "shop", "shop/"),
        (None, "a/b/", "a/b/"),
    ],
)
def test_the_key_counts_and_without_one_the_folder(
    key: str | None, folder: str | None, expected: str
) -> None:
    assert workload_of("demand", key, folder) == Workload("demand", expected)


def test_a_key_that_is_no_input_is_refused() -> None:
    with pytest.raises(PipelineError, match="is no input"):
        workload_of("demand", "forecast/x.csv")


def test_a_label_is_found_for_any_parameters() -> None:
    assert label_of({"bucket": "demand", "key": "shop/train/a.csv"}) == "demand/shop"
    assert label_of({"bucket": "demand", "key": "nonsense"}) == "demand"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("shop/train/a.csv", "demand/shop · a.csv"),
        (None, "demand · everything"),
        ("a\nb/train/c\r\u202ed.csv", "demand/a\\u000ab · c\\u000d\\u202ed.csv"),
        ("train/'; drop table x;-- 😀 =1+1.csv", "demand · '; drop table x;-- 😀 =1+1.csv"),
    ],
)
def test_the_name_of_a_run_is_one_line_whatever_the_key(key: str | None, name: str) -> None:
    assert name_of({"bucket": "demand", "key": key}) == name
    assert name.isprintable()
