"""Rows of files: headers, blank lines, wrong cells named by file, row and column, and Parquet's types."""

import datetime as dt
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecastd.errors import JobFailed
from forecastd.jobs.rows import Problems, Raw, is_header, read_csv, read_parquet, tell_bad_cells, typed

SCHEMA = {"item_id": "string", "timestamp": "timestamp", "demand": "float"}
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


def rows_of(text: str, schema: dict[str, str] = SCHEMA) -> tuple[list[list[str | None]], list[int], Problems]:
    problems = Problems()
    pieces = list(read_csv(io.BytesIO(text.encode()), schema, "f.csv", problems))
    rows = [list(row.values()) for piece in pieces for row in piece.table.to_pylist()]
    return rows, [int(row) for piece in pieces for row in piece.rows], problems


def test_a_header_is_dropped_whatever_its_names() -> None:
    rows, numbers, _ = rows_of("sku,when,sold\na,2024-01-01 00:00:00,1\n")
    assert rows == [["a", "2024-01-01 00:00:00", "1"]]
    assert numbers == [2]


def test_data_in_the_first_line_is_kept_even_if_its_time_has_another_format() -> None:
    assert len(rows_of("a,01/02/2024,1\n")[0]) == 1


def test_only_the_very_first_line_can_be_a_header() -> None:
    assert len(rows_of("a,2024-01-01 00:00:00,1\nitem_id,timestamp,demand\n")[0]) == 2


@pytest.mark.parametrize("blanks", [1, 250_000])
def test_blank_lines_before_a_header_are_passed_over(blanks: int) -> None:
    rows, numbers, problems = rows_of("\n" * blanks + "item_id,timestamp,demand\na,2024-01-01 00:00:00,1\n")
    assert rows == [["a", "2024-01-01 00:00:00", "1"]]
    assert numbers == [blanks + 2]
    assert problems.number == 0


def test_a_row_of_another_width_before_a_header_makes_it_data() -> None:
    rows, _, problems = rows_of("title\n\nitem_id,timestamp,demand\n")
    assert rows == [["item_id", "timestamp", "demand"]]
    assert problems.number == 1


def test_a_file_that_has_no_header_begins_with_data_whatever_it_looks_like() -> None:
    stream = io.BytesIO(b"item_id,shop\na,s\n")
    schema = {"item_id": "string", "shop": "string"}
    [raw] = read_csv(stream, schema, "f.csv", Problems(), may_have_header=False)
    assert raw.table.column("item_id").to_pylist() == ["item_id", "a"]


@pytest.mark.parametrize(
    "cells", [["ITEM_ID", " Color", "x"], ["Item", "Colour", "4"], ["sku", "color", "4"]]
)
def test_metadata_has_a_header_if_some_of_its_names_are_there(cells: list[str]) -> None:
    assert is_header({"item_id": "string", "color": "string", "price": "float"}, cells)


def test_metadata_has_a_header_if_a_word_stands_where_numbers_are() -> None:
    schema = {"item_id": "string", "color": "string", "price": "float"}
    assert is_header(schema, ["sku", "tint", "Prix"])
    assert not is_header(schema, ["sku", "tint", "1e3"])
    assert not is_header(schema, ["sku", "tint", "NaN"])


@pytest.mark.parametrize("cells", [["sku", "tint"], ["it", "red"], ["item_id_7", "col"], ["", ""]])
def test_metadata_of_texts_alone_begins_with_data_where_no_name_is_there(cells: list[str]) -> None:
    assert not is_header({"item_id": "string", "color": "string"}, cells)


def test_blank_lines_and_quoted_line_breaks_are_read_and_rows_keep_their_numbers() -> None:
    text = 'a,2024-01-01 00:00:00,1\n\n"x,\ny",2024-01-01 00:00:00,2\nshort,row\nz,2024-01-01 00:00:00,4\n'
    rows, numbers, problems = rows_of(text)
    assert [row[0] for row in rows] == ["a", "x,\ny", "z"]
    assert numbers == [1, 3, 5]
    assert problems.sentence() == "f.csv, row 4, column count: it has 2 columns, not 3."


def test_a_byte_order_mark_is_no_part_of_the_first_item() -> None:
    assert rows_of("\ufeffa,2024-01-01 00:00:00,1\n")[0][0][0] == "a"


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(JobFailed, match=r"f\.csv cannot be read as CSV"):
        list(read_csv(io.BytesIO(b"a,2024-01-01 00:00:00,\xff\xfe\n"), SCHEMA, "f.csv", Problems()))


def test_numbers_know_null_nan_and_what_is_none() -> None:
    column = typed(pa.chunked_array([["1.5", None, "NaN", "abc", "inf", " 2 ", "1e3"]]), "float", TIME_FORMAT)
    assert column.bad.tolist() == [False, False, False, True, True, False, False]
    assert column.null.tolist() == [False, True, False, False, False, False, False]
    np.testing.assert_array_equal(column.values, [1.5, np.nan, np.nan, np.nan, np.nan, 2.0, 1000.0])


def test_whole_numbers_must_be_whole() -> None:
    column = typed(pa.chunked_array([["1", "2.0", "2.5"]]), "integer", TIME_FORMAT)
    assert column.bad.tolist() == [False, False, True]


@pytest.mark.parametrize(
    "text", ["2024-02-30 00:00:00", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01 25:00:00"]
)
def test_a_time_of_another_format_or_that_does_not_exist_is_bad(text: str) -> None:
    assert typed(pa.chunked_array([[text]]), "timestamp", TIME_FORMAT).bad.all()


@pytest.mark.parametrize("text", ["1677-12-31 00:00:00", "2262-01-01 00:00:00", "9999-12-31 00:00:00"])
def test_a_time_that_nanoseconds_do_not_hold_is_beyond_in_both_formats(text: str) -> None:
    for cell in (text, dt.datetime.fromisoformat(text)):
        column = typed(pa.chunked_array([[cell]]), "timestamp", TIME_FORMAT)
        assert column.bad.all()
        assert column.beyond.all()
    assert not typed(pa.chunked_array([["2262-02-30 00:00:00"]]), "timestamp", TIME_FORMAT).beyond.any()


@pytest.mark.parametrize("text", ["1678-01-01 00:00:00", "2261-12-31 23:59:59"])
def test_the_first_and_the_last_year_are_good_in_both_formats(text: str) -> None:
    for cell in (text, dt.datetime.fromisoformat(text)):
        column = typed(pa.chunked_array([[cell, None]]), "timestamp", TIME_FORMAT)
        assert column.values.tolist()[0] == pd.Timestamp(text)
        assert (column.bad.tolist(), column.null.tolist()) == ([False, False], [False, True])


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("us", "Europe/Berlin"), pa.date32()])
def test_parquet_times_of_any_unit_may_be_too_far_away_even_for_python(
    kind: pa.DataType, tmp_path: Path
) -> None:
    times = pa.array([2**30, 2**40 if kind == pa.timestamp("s") else 2**31 - 1], pa.int64())
    if kind == pa.timestamp("us", "Europe/Berlin"):
        times = pa.array([0, 2**62], pa.int64())
    stored = times.cast(pa.int32()).cast(kind) if kind == pa.date32() else times.cast(kind)
    column = typed(pa.chunked_array([stored]), "timestamp", "")
    assert column.beyond.tolist() == [kind == pa.date32(), True]
    problems, table = Problems(), pa.table({"timestamp": stored})
    tell_bad_cells(column, "timestamp", "a time", Raw(table, np.array([1, 2])), "f", problems)
    assert problems.told[-1].endswith("is not between the years 1678 and 2261")


def test_a_number_may_be_enormous_but_not_beyond_every_sense() -> None:
    for cells in (["1e100", "-1e101", "x"], [1e100, -1e101, np.inf]):
        column = typed(pa.chunked_array([cells]), "float", TIME_FORMAT)
        assert column.bad.tolist() == [False, True, True]
        assert column.beyond.tolist() == [False, True, False]


def test_bad_cells_are_told_with_row_and_value() -> None:
    problems = Problems()
    [raw] = read_csv(
        io.BytesIO(b"a,2024-01-01 00:00:00,1\nb,2024-01-01 00:00:00,many\n"), SCHEMA, "f.csv", problems
    )
    column = typed(raw.table.column("demand"), "float", TIME_FORMAT)
    tell_bad_cells(column, "demand", "a number", raw, "f.csv", problems)
    assert problems.sentence() == "f.csv, row 2, column demand: 'many' is not a number."


def test_many_problems_are_counted_and_the_first_told() -> None:
    problems = Problems()
    for row in range(10):
        problems.add("f", row, "c", "it is odd")
    assert problems.sentence().count("it is odd") == 3
    assert problems.sentence().endswith("; and 7 more.")


def test_parquet_is_read_by_name_and_keeps_its_types(tmp_path: Path) -> None:
    times = pd.to_datetime(["2024-01-01", "2024-01-02"])
    frame = pd.DataFrame({"demand": [1, 2], "timestamp": times, "item_id": ["a", "b"], "extra": [0, 0]})
    frame.to_parquet(tmp_path / "x.parquet")
    [raw] = read_parquet(tmp_path / "x.parquet", SCHEMA, "x.parquet")
    assert raw.table.column_names == list(SCHEMA)
    assert typed(raw.table.column("demand"), "float", "").values.tolist() == [1.0, 2.0]
    assert typed(raw.table.column("timestamp"), "timestamp", "").values.tolist() == list(times)


def test_parquet_with_other_names_is_read_by_position_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": ["i"], "b": ["2024-01-01 00:00:00"], "c": [1.0]}), path)
    [raw] = read_parquet(path, SCHEMA, "x.parquet")
    assert raw.table.to_pylist()[0]["item_id"] == "i"
    pq.write_table(pa.table({"a": ["i"]}), path)
    with pytest.raises(JobFailed, match="has the columns a, but the schema is item_id"):
        list(read_parquet(path, SCHEMA, "x.parquet"))


def test_parquet_columns_are_found_without_regard_to_case_before_position(tmp_path: Path) -> None:
    path, schema = tmp_path / "x.parquet", {"item_id": "string", "store": "string", "region": "string"}
    pq.write_table(pa.table({"Item_ID": ["i"], "Region": ["r"], "Store": ["s"]}), path)
    [raw] = read_parquet(path, schema, "x.parquet")
    assert raw.table.to_pylist() == [{"item_id": "i", "store": "s", "region": "r"}]
    pq.write_table(pa.table({"STORE": ["other"], "item_id": ["i"], "store": ["s"], "region": ["r"]}), path)
    [raw] = read_parquet(path, schema, "x.parquet")
    assert raw.table.column("store").to_pylist() == ["s"]


def test_parquet_with_a_name_of_the_schema_at_another_place_is_not_read_by_position(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": ["i"], "when": ["x"], "timestamp": [1.0]}), tmp_path / "x.parquet")
    with pytest.raises(JobFailed, match="has the columns item_id, when, timestamp, but the schema is"):
        list(read_parquet(tmp_path / "x.parquet", SCHEMA, "x.parquet"))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            pa.array([[1.0]]),
            r"x\.parquet, column demand: it is of the type list<.*double>; it has to hold one",
        ),
        (pa.array([{"x": 1}]), "it is of the type struct<x: int64>; it has to hold one"),
        (pa.array([b"0" * 16], pa.uuid()), r"it is of the type extension<arrow\.uuid>; it has to hold one"),
        (pa.array([0], pa.timestamp("ms", "Mars/Base")), "its time zone Mars/Base is not known"),
        (pa.array([b"\xff\xfe"]), "it is of the type binary, and its bytes are no text in UTF-8"),
    ],
)
def test_a_parquet_column_without_single_values_is_told_with_its_type(
    tmp_path: Path, column: pa.Array, message: str
) -> None:
    table = pa.table({"item_id": ["a"], "timestamp": ["2024-01-01 00:00:00"], "demand": column})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(JobFailed, match=message):
        list(read_parquet(tmp_path / "x.parquet", SCHEMA, "x.parquet"))


def test_bytes_that_are_text_are_read_as_text(tmp_path: Path) -> None:
    table = pa.table({"item_id": [b"Z\xc3\xbcrich"], "timestamp": ["2024-01-01 00:00:00"], "demand": [1.0]})
    pq.write_table(table, tmp_path / "x.parquet")
    [raw] = read_parquet(tmp_path / "x.parquet", SCHEMA, "x.parquet")
    assert raw.table.column("item_id").to_pylist() == ["Zürich"]


def test_an_empty_text_is_null_whatever_the_format() -> None:
    for texts in (pa.array(["", None, "a"]), pa.array(["", None, "a"]).dictionary_encode()):
        column = typed(pa.chunked_array([texts]), "string", "")
        assert column.null.tolist() == [True, True, False]
        assert column.values.tolist() == [None, None, "a"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_parquet_time_with_a_zone_is_the_local_time(zone: str) -> None:
    days = pd.date_range("2024-03-30", periods=3, tz=zone)
    column = typed(pa.chunked_array([pa.array(days)]), "timestamp", "")
    assert column.values.tolist() == list(pd.date_range("2024-03-30", periods=3))


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a,b")
    with pytest.raises(JobFailed, match="cannot be read as Parquet"):
        list(read_parquet(tmp_path / "x", SCHEMA, "x"))


def test_rows_keep_their_numbers_between_many_that_are_skipped() -> None:
    text = "".join(f"a,2024-01-01,{row}\n" if row % 3 else "a\n" for row in range(1, 30_001))
    problems = Problems()
    pieces = list(read_csv(io.BytesIO(text.encode()), SCHEMA, "x", problems))
    numbers = np.concatenate([piece.rows for piece in pieces])
    assert (numbers == [row for row in range(1, 30_001) if row % 3]).all()
    assert problems.number == 10_000
