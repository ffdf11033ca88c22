import pytest

from pipeline.workload import Workload

KEYS = {
    "train/a.csv": ("", "train"),
    "related/a.csv": ("", "related"),
    "metadata/a.csv": ("", "metadata"),
    "params.json": ("", "params"),
    "shop/params.json": ("shop/", "params"),
    "shop/north/train/2024/a.csv": ("shop/north/", "train"),
    "shop/train/params.json": ("shop/", "train"),
    "shop/train/train/a.csv": ("shop/", "train"),
    "ünïcode +%/train/a b.csv": ("ünïcode +%/", "train"),
    "/train/a.csv": ("/", "train"),
}
OUTPUTS = [
    "forecast/manifest.json",
    "forecast/abc/forecast.csv",
    "history/clean/abc/forecast.csv",
    "runs/abc/input/train/a.csv",
    "shop/runs/abc/params.json",
    "train/",
    "train/.hidden",
    "train/_SUCCESS",
    "readme.txt",
    "trains/a.csv",
    "",
]


@pytest.mark.parametrize(("key", "expected"), KEYS.items())
def test_an_input_key_tells_its_workload_and_role(key, expected):
    workload, role = Workload.of("b", key)
    assert (workload, role) == (Workload("b", expected[0]), expected[1])


@pytest.mark.parametrize("key", OUTPUTS)
def test_an_output_or_a_stray_object_belongs_to_no_workload(key):
    assert Workload.of("b", key) is None


def test_a_workload_names_its_places():
    workload = Workload("b", "shop/")
    assert workload.key("train/") == "shop/train/"
    assert workload.uri("train/") == "s3://b/shop/train/"
    assert workload.label == "b/shop"
    assert Workload("b").label == "b"


def test_a_folder_without_its_slash_is_refused():
    with pytest.raises(ValueError, match="slash"):
        Workload("b", "shop")


def test_different_workloads_have_different_table_names():
    folders = [("b", ""), ("b", "a/"), ("b-a", ""), ("b", "A/"), ("b", "a/b/"), ("b", "a_b/"), ("b.a", "")]
    workloads = [Workload(bucket, folder) for bucket, folder in folders]
    slugs = [workload.slug for workload in workloads]
    assert len(set(slugs)) == len(slugs)
    assert all(slug.replace("_", "").isalnum() and slug == slug.lower() for slug in slugs)


def test_folders_of_odd_slashes_are_workloads_of_their_own():
    odd = [Workload("b"), Workload("b", "/"), Workload("b", "a/"), Workload("b", "a//")]
    assert len({one.label for one in odd}) == len({one.slug for one in odd}) == len(odd)
