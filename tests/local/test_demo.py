"""The demo's preparations and its view of a run; the whole of it is shown by the stack's tests."""

import io
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from local import demo
from local.demo import DemoFailed, Upload, first_lines, follow, newest_mail, prepared, tables_of
from local.household import write as write_households
from local.run_view import Run, RunView, Step
from local.screen import Screen, table
from local.settings import Settings
from local.uci import FIRST_LINE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "state")


def a_csv(path: Path) -> Path:
    with path.open("w") as out:
        write_households(out, count=2, days=40)
    return path


def test_without_data_the_demo_makes_its_own_for_the_example_at_the_root(settings: Settings) -> None:
    upload = prepared(settings, None, None, print)
    assert upload.key == "train/households.csv"
    assert upload.params is None
    assert upload.file.stat().st_size > 1_000_000


def test_ones_own_csv_goes_to_a_folder_with_a_proposed_params_and_reasons(
    settings: Settings, tmp_path: Path
) -> None:
    upload = prepared(settings, str(a_csv(tmp_path / "my shop!.csv")), None, print)
    assert upload.key == "my-shop/train/my shop!.csv"
    assert upload.params is not None
    proposed = json.loads(upload.params)
    assert proposed["Datasets"][0]["DataFrequency"] == "H"
    assert upload.reasons
    assert any("ForecastHorizon" in line for line in upload.unknown)


class FakeS3:
    """Takes what is put."""

    def __init__(self) -> None:
        self.put: list[str] = []

    def put_object(self, Key: str, **_: object) -> None:
        self.put.append(Key)

    def upload_file(self, _path: str, _bucket: str, key: str) -> None:
        self.put.append(key)


def shown_upload(monkeypatch: pytest.MonkeyPatch, upload: Upload) -> str:
    monkeypatch.setattr("local.aws_setup.client", lambda _: FakeS3())
    out = io.StringIO()
    demo._put(upload, Screen(out))
    return out.getvalue()


def test_what_the_file_does_not_tell_is_shown_beside_the_reasons(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = prepared(settings, str(a_csv(tmp_path / "my.csv")), None, print)
    shown = shown_upload(monkeypatch, upload)
    assert "  · Column 'timestamp' holds the times" in shown
    assert "What your file does not tell" in shown
    assert "  ? How far ahead you need to know: set ForecastHorizon" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_ones_own_params_are_taken_as_they_are(settings: Settings, tmp_path: Path) -> None:
    params = tmp_path / "p.json"
    params.write_text("{}")
    upload = prepared(settings, str(a_csv(tmp_path / "a.csv")), str(params), print)
    assert upload.params == b"{}"


def test_a_file_named_like_a_prefix_of_a_workload_gets_another_folder(
    settings: Settings, tmp_path: Path
) -> None:
    upload = prepared(settings, str(a_csv(tmp_path / "train.csv")), None, print)
    assert upload.folder == "train-data/"


def test_the_uci_file_is_recognised_and_converted(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "household_power_consumption.txt"
    lines = [
        f"{1 + hour // 24}/1/2007;{hour % 24:02d}:{minute:02d}:00;1.{hour % 7};0.1;234.8;18.4;0.0;1.0;17.0\n"
        for hour in range(24 * 20)
        for minute in range(60)
    ]
    source.write_text(FIRST_LINE + "\n" + "".join(lines))
    upload = prepared(settings, str(source), None, lambda _: None)
    assert upload.key == "household_power_consumption/train/household_power_consumption.csv"
    assert upload.file.read_text().startswith("timestamp,target_value,item_id\n2007-01-01 00:00:00,1.0000,")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("missing.csv", None, "There is no file"),
        ("empty.csv", "", "cannot be forecast as it is"),
        ("words.csv", "a,b\nx,y\nx,z\n", "cannot be forecast as it is"),
    ],
)
def test_data_that_cannot_be_used_is_refused_before_anything_starts(
    settings: Settings, tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(DemoFailed, match=said):
        prepared(settings, str(path), None, print)


NOW = datetime(2026, 1, 31, tzinfo=UTC)
RUN = Run("1", "shop · a.csv", "RUNNING", "Running", "", NOW, NOW, "forecast-upload", {})


def test_an_address_is_never_broken() -> None:
    address = "s3://forecast-local/household-power-consumption/forecast/2026-11-05T00-00-00Z-5f2c/"
    text = f"Published 1920 rows for 20 items to {address}. The name of the item is {'-'.join('x' * 70)}."
    lines = demo._folded(text, "  · ").splitlines()
    assert sum(address in line for line in lines) == 1
    assert len(lines[-1].split()) == 1


def test_a_refused_file_names_no_logs_and_leaves_the_stack_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "stack", None)  # whoever calls it fails
    (tmp_path / "words.csv").write_text("a,b\nx,y\n")
    assert demo.demo(settings, str(tmp_path / "words.csv"), None, keep=False) == 1
    said = capsys.readouterr().out
    assert "cannot be forecast as it is" in said
    assert "Logs:" not in said


def test_a_stack_that_does_not_start_names_its_logs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def up(*_: object) -> None:
        raise demo.stack.StackError("A port is taken.")

    monkeypatch.setattr(demo.stack, "up", up)
    assert demo.demo(settings, str(a_csv(tmp_path / "a.csv")), None) == 1
    assert f"A port is taken.\nLogs: {settings.logs}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("message", "has_chart"), [("Published 8 rows.", True), ("Already forecast: run r of the same.", False)]
)
def test_only_a_run_that_forecasts_has_a_chart(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, message: str, has_chart: bool
) -> None:
    pages = SimpleNamespace(paginate=lambda **_: [{"TableList": []}])
    glue = SimpleNamespace(get_paginator=lambda _: pages)
    monkeypatch.setattr("local.aws_setup.client", lambda _: glue)
    monkeypatch.setattr(demo, "newest_mail", lambda *_: None)
    workload = SimpleNamespace(uri=lambda key: f"s3://b/{key}", slug="shop")
    current = SimpleNamespace(location="s3://b/forecast/r/", run="r")
    run = replace(RUN, message=message)
    places = demo._places(settings, workload, current, RunView(settings.prefect_url), run, NOW)
    assert ("chart" in places) is has_chart
    assert list(places)[-1] == "Prefect UI"


@pytest.mark.parametrize(
    ("size", "said"), [(612, "612 bytes"), (31_245, "31 kB"), (999_900, "1.0 MB"), (11_800_000, "11.8 MB")]
)
def test_a_small_file_has_its_size_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, said: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"x\n" * (size // 2) + b"x" * (size % 2))
    assert f"a/train/a.csv  ({said})" in shown_upload(monkeypatch, Upload(file, "a/", None))


def test_nothing_that_steers_a_terminal_is_shown_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, packed = tmp_path / "a.csv", tmp_path / "a.parquet"
    table.write_bytes(b"\xef\xbb\xbfitem,y\r\n\x1b[31mred,1\n")
    packed.write_bytes(b"PAR1\x15\x1b]0;title\x07\n\x00\x01")
    shown = shown_upload(monkeypatch, Upload(table, "a/", None))
    assert shown.splitlines()[-2:] == ["      item,y", "      \\u001b[31mred,1"]
    shown = shown_upload(monkeypatch, Upload(packed, "a/", None))
    assert shown.splitlines()[-1].startswith("  s3://"), "bytes of Parquet are nothing to read"


@dataclass
class FakeView:
    """Answers of a server, one per look."""

    runs: list[Run]
    looks: list[list[Step]]
    turn: int = field(default=-1)

    def run(self, id: str) -> Run:
        self.turn += 1
        return self.runs[min(self.turn, len(self.runs) - 1)]

    def steps(self, run: Run) -> list[Step]:
        return self.looks[min(self.turn, len(self.looks) - 1)]

    def progress(self, run: Run) -> dict[str, str]:
        return {"b": "40 %  Training"}


def test_each_step_is_shown_once_with_its_time_and_progress_between() -> None:
    done = Step("a", "Create-Dataset", "COMPLETED", "Completed", None, 1.5)
    open_step = Step("b", "Create-Predictor", "RUNNING", "Running", None, 3.0)
    failed = replace(open_step, state="FAILED", state_name="Failed")
    view = FakeView(
        [RUN, RUN, replace(RUN, state="FAILED", state_name="Failed", message="why")],
        [[done], [done, open_step], [done, failed]],
    )
    out = io.StringIO()
    ended = follow(view, RUN, Screen(out), clock=lambda: 10.0, sleep=lambda _: None)  # type: ignore[arg-type]
    assert ended.message == "why"
    assert out.getvalue().splitlines() == [
        "  ✓ Create-Dataset                         1.5 s",
        "  ▸ shop · a.csv",
        "  … working  (0 s)",
        "  ✗ Create-Predictor                       3.0 s  Failed",
    ]


def test_without_a_terminal_a_status_is_told_when_new_and_then_seldom() -> None:
    out = io.StringIO()
    screen = Screen(out)
    for second in range(0, 70):
        screen.status("40 %" if second < 50 else "60 %", second)
    assert out.getvalue().splitlines() == ["  … 40 %  (0 s)", "  … 40 %  (30 s)", "  … 60 %  (50 s)"]


def test_a_table_is_flush_left_then_right() -> None:
    assert table(["name", "WAPE"], [["a", "0.1"], ["longer", "10.25"]]) == [
        "name     WAPE",
        "------  -----",
        "a         0.1",
        "longer  10.25",
    ]


def test_only_the_first_lines_are_read() -> None:
    source = io.BytesIO(b"a\r\nb\nc\n")
    assert first_lines(source, 2) == ["a", "b"]
    assert source.closed


def test_the_newest_mail_is_that_of_this_run(tmp_path: Path) -> None:
    run = replace(RUN, id="0197-ab")
    (tmp_path / "1.txt").write_text("Run page: http://127.0.0.1:4200/runs/flow-run/0197-ab\n")
    (tmp_path / "2.txt").write_text("Run page: http://127.0.0.1:4200/runs/flow-run/0197-cd\n")
    assert newest_mail(tmp_path, run, datetime.now(UTC) - timedelta(minutes=1), 0) == tmp_path / "1.txt"
    assert newest_mail(tmp_path, run, datetime.now(UTC) + timedelta(minutes=1), 0) is None


def test_tables_of_workloads_whose_names_begin_alike_are_told_apart() -> None:
    tables = ["shop_runs", "shop_train", "shop_2_f00_runs", "shop_2_f00_train", "shops_runs", "shops_fan"]
    assert tables_of("shop", tables) == ["shop_runs", "shop_train"]
    assert tables_of("shop_2_f00", tables) == ["shop_2_f00_runs", "shop_2_f00_train"]
