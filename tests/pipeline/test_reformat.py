import csv
import datetime as dt
import io
import itertools
import random

import pandas as pd
import pytest

from pipeline import export, reformat
from pipeline.domains import DOMAINS
from pipeline.errors import BadForecast
from pipeline.export import Part
from pipeline.form import FileForm, InputForm

HORIZON = 3
AWKWARD = [
    "plain",
    "with, comma",
    'with "quotes"',
    "two\nlines",
    "ünïcode ☃",
    "007",
    "NA",
    " blanks ",
    "\\back\\slash",
]


def form(params, header=True, columns=None):
    file = FileForm("k", 1, 1, "CSV", header, columns or params.target.columns)
    return InputForm({"train": (file,)}, 1, dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2), 25, 0)


def times(horizon=HORIZON):
    return [dt.datetime(2024, 1, 2) + dt.timedelta(hours=n) for n in range(horizon)]


def export_rows(keys, types=("p10", "p50", "mean"), horizon=HORIZON):
    """Rows as an export has them: the item, the time with a Z, the dimensions, a value per type."""
    return [
        [
            key[0],
            f"{moment:%Y-%m-%dT%H:%M:%S}Z",
            *key[1:],
            *(f"{n}.{place}{step}" for place in range(len(types))),
        ]
        for n, key in enumerate(keys)
        for step, moment in enumerate(times(horizon))
    ]


def part(header, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def frames(*bodies):
    return (frame for body in bodies for frame in export.read_part(io.BytesIO(body), "part"))


def run(params, bodies, header=True, columns=None, **options):
    out = io.BytesIO()
    result = reformat.reformat(frames(*bodies), params, form(params, header, columns), out, **options)
    return result, out.getvalue()


def table(body):
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


HEADER = ["item_id", "date", "p10", "p50", "mean"]


def test_the_forecast_has_the_inputs_columns_order_and_format(make_params):
    rows = [["a", f"{moment:%Y-%m-%dT%H:%M:%S}Z", "1.5", "-2", "3e-05"] for moment in times()]
    result, body = run(make_params(), [part(HEADER, rows)])
    assert body.decode().splitlines()[:4] == [
        "timestamp,target_value,item_id,type",
        "2024-01-02 00:00:00,3e-05,a,mean",
        "2024-01-02 00:00:00,1.5,a,p10",
        "2024-01-02 00:00:00,-2.0,a,p50",
    ]
    assert (result.rows, result.items, result.horizon, result.types) == (9, 1, 3, ("mean", "p10", "p50"))
    assert (result.first, result.last) == (times()[0], times()[-1])
    assert result.columns == ("timestamp", "target_value", "item_id", "type")


def test_without_a_header_in_the_input_there_is_none_in_the_forecast(make_params):
    body = part(HEADER, export_rows([["a"]]))
    _, plain = run(make_params(), [body], header=False)
    _, named = run(make_params(), [body], columns=("Date", "Sales, total", "Product"))
    assert table(plain)[0][2] == "a"
    assert table(named)[0] == ["Date", "Sales, total", "Product", "type"]
    assert table(named)[1:] == table(plain)


def test_numbers_come_out_exactly_as_they_went_in(make_params):
    numbers = [
        "0.1",
        "1e-300",
        "123456789.12345679",
        "38.34991708126038",
        "-0.0",
        "5e-324",
        "1.7976931348623157e+308",
    ]
    for low, high in itertools.pairwise(numbers):
        rows = [["a", f"{moment:%Y-%m-%dT%H:%M:%S}Z", low, high, "0"] for moment in times()]
        _, body = run(make_params(), [part(HEADER, rows)])
        written = [row[1] for row in table(body)[1:4]]
        assert [float(text) for text in written] == [0.0, float(low), float(high)]
        assert "-0.0" not in written


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("key_name", ["item_id", None], ids=["item_id", "the domain's key"])
def test_each_domain_with_two_dimensions_comes_through(domain_params, domain, key_name):
    own = DOMAINS[domain]
    order = ["place", own.target, own.item_key, "timestamp", "shelf"]
    params = domain_params(domain, ["shelf", "place"], order)
    keys = [list(key) for key in itertools.product(AWKWARD[:4], ["low", "high"], AWKWARD[4:6])]
    header = [key_name or own.item_key, "date", "shelf", "place", "p10", "p50", "mean"]
    result, body = run(params, [part(header, export_rows(keys))])
    written = table(body)
    assert written[0] == [*order, "type"]
    assert len(written) - 1 == result.rows == len(keys) * HORIZON * 3
    assert {(row[2], row[4], row[0]) for row in written[1:]} == {tuple(key) for key in keys}
    by_key = {(row[2], row[4], row[0], row[3], row[5]): float(row[1]) for row in written[1:]}
    for row in export_rows(keys):
        moment = row[1].replace("T", " ").rstrip("Z")
        for label, value in zip(("p10", "p50", "mean"), row[4:], strict=True):
            assert by_key[row[0], row[2], row[3], moment, label] == float(value)


def test_carriage_returns_stay_in_their_cells_and_other_rows_are_written_as_without(make_params):
    keys = ["a\r\nb", "a\rb", "plain", 'quoted, "twice"']
    rows = export_rows([[key] for key in keys])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([HEADER, *rows])
    _, body = run(make_params(), [text.getvalue().encode()], columns=("Date", "Sales\rtotal", "Product"))
    assert table(body)[0] == ["Date", "Sales\rtotal", "Product", "type"]
    assert [row[2] for row in table(body)[1:]] == [key for key in keys for _ in range(HORIZON * 3)]
    assert pd.read_csv(io.BytesIO(body))["Product"].nunique() == len(keys)
    _, others = run(make_params(), [part(HEADER, rows[2 * HORIZON :])], header=False)
    assert body.endswith(b"\n" + others)


def test_a_dimension_that_was_summed_over_is_empty(domain_params, document):
    params = domain_params("RETAIL", ["store", "shelf"])
    document["Predictor"]["ForecastDimensions"] = ["store"]
    params = type(params)(document)
    result, body = run(
        params, [part(["item_id", "date", "store", "p10", "p50", "mean"], export_rows([["a", "s"]]))]
    )
    written = table(body)
    assert written[0] == ["item_id", "timestamp", "demand", "store", "shelf", "type"]
    assert {(row[3], row[4]) for row in written[1:]} == {("s", "")}
    assert result.items == 1


@pytest.mark.parametrize(
    ("in_the_files", "in_the_schema", "added"),
    [
        ("type", "kind", "forecast_type"),
        ("Kind", "forecast_type", "type"),
        ("Type", "forecast_type", "forecast_type_2"),
    ],
)
def test_the_added_column_has_a_name_of_its_own(domain_params, in_the_files, in_the_schema, added):
    params = domain_params("CUSTOM", [in_the_schema])
    exported = part(["item_id", "date", in_the_schema, "p10", "p50", "mean"], export_rows([["a", "x"]]))
    columns = ("item_id", "timestamp", "target_value", in_the_files)
    result, body = run(params, [exported], columns=columns)
    assert result.columns[-1] == added
    assert table(body)[0] == [*columns, added]
    assert table(body)[1][3:] == ["x", "mean"]


def test_dates_without_a_time_stay_so(make_params):
    changes = {
        "TimestampFormat": "yyyy-MM-dd",
        "Datasets.0.DataFrequency": "D",
        "Predictor.ForecastFrequency": "D",
    }
    rows = [["a", f"2024-01-0{day}T00:00:00Z", "1", "2", "3"] for day in (1, 2, 3)]
    _, body = run(make_params(**changes), [part(HEADER, rows)])
    assert [row[0] for row in table(body)[1::3]] == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_any_parts_in_any_order_give_the_same_bytes(make_params):
    """Rows in one part or in many, in order or not, sorted in memory or merged from disk."""
    rows = export_rows([[name] for name in AWKWARD])
    _, expected = run(make_params(), [part(HEADER, rows)])
    shuffled = rows[:]
    random.Random(7).shuffle(shuffled)
    parts = [part(HEADER, shuffled[start : start + 4]) for start in range(0, len(shuffled), 4)]
    parts += [part(HEADER, []), b""]
    for rows_in_memory in (1, 5, 10, 1000):
        result, body = run(make_params(), parts, rows_in_memory=rows_in_memory)
        assert body == expected
        assert result.items == len(AWKWARD)


def test_metadata_columns_in_the_export_are_left_out(make_params):
    header = ["item_id", "date", "category", "p10", "p50", "mean"]
    _, body = run(make_params(), [part(header, export_rows([["a", "food"]]))])
    assert table(body)[0] == ["timestamp", "target_value", "item_id", "type"]


WHOLE = export_rows([["a"], ["b"]])
WRONG = {
    "a row is missing": (HEADER, WHOLE[:-1], "Series b has 2 rows in the export; the horizon is 3"),
    "a row is there twice": (HEADER, [*WHOLE, WHOLE[0]], "Series a has 4 rows"),
    "a time is there twice": (HEADER, [*WHOLE[:4], WHOLE[3], WHOLE[5]], "Series b has other times"),
    "a series has other times": (
        HEADER,
        [*WHOLE[:3], *[[row[0], row[1].replace("2024", "2025"), *row[2:]] for row in WHOLE[3:]]],
        "Series b has other times",
    ),
    "a value is not finite": (
        HEADER,
        [*WHOLE[:4], [*WHOLE[4][:2], "nan", "1", "1"], WHOLE[5]],
        "Series b has values",
    ),
    "a value is empty": (HEADER, [[*WHOLE[0][:2], "", "1", "1"]], "cannot be read"),
    "a value is a word": (HEADER, [[*WHOLE[0][:2], "x", "1", "1"]], "cannot be read"),
    "a type is missing": (HEADER[:-1], [row[:-1] for row in WHOLE], "were asked for"),
    "a type is too many": ([*HEADER, "p99"], [[*row, "1"] for row in WHOLE], "were asked for"),
    "the time is missing": (["item_id", "when", *HEADER[2:]], WHOLE, "date and at least one of p1"),
    "there are no rows": (HEADER, [], "The export has no rows"),
}


@pytest.mark.parametrize(("header", "rows", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_forecast_that_is_not_items_times_horizon_times_types_is_refused(
    make_params, header, rows, expected
):
    with pytest.raises(BadForecast, match=expected):
        run(make_params(), [part(header, rows)])


def test_a_dimension_that_the_export_lacks_is_refused(domain_params):
    with pytest.raises(BadForecast, match="were asked for"):
        run(domain_params("CUSTOM", ["store"]), [part(HEADER, export_rows([["a"]]))])


def test_parts_of_a_job_are_found_among_others(s3, workload, put):
    stem = "runs/1/export/shop_forecast_abc_2024-01-01T00-00-00Z_part"
    for number in (0, 1, 10, 2):
        put(f"{stem}{number}.csv", b"x")
    put("runs/1/export/_CHECK", b"")
    put("runs/1/export/_SUCCESS", b"")
    put(f"{stem}3.csv", b"")
    put("runs/1/export/other_job_2024-01-01T00-00-00Z_part0.csv", b"x")
    put("runs/1/export/shop_forecast_abc_2023-01-01T00-00-00Z_part0.csv", b"older")
    found = export.list_parts(s3, workload, "runs/1/export/", "shop_forecast_abc")
    assert [p.key.rsplit("part", 1)[-1] for p in found] == ["0.csv", "1.csv", "2.csv", "10.csv"]


def test_parts_are_read_from_the_bucket(s3, workload, put):
    put("a.csv", part(HEADER, export_rows([["007"], ["NA"]])))
    put("b.csv", part(HEADER, []))
    parts = [Part(workload.key(name), 1) for name in ("a.csv", "b.csv")]
    frame = pd.concat(list(export.frames(s3, workload, parts)))
    assert frame["item_id"].unique().tolist() == ["007", "NA"]
    assert frame.columns.tolist() == ["item_id", "date", "mean", "p10", "p50"]


def test_a_large_export_needs_little_more_than_its_pieces(make_params):
    """Thirty thousand rows in sorted pieces give what they give in one."""
    keys = [[f"item_{n:05}"] for n in range(10_000)]
    body = part(HEADER, export_rows(keys))
    result, merged = run(make_params(), [body], rows_in_memory=9_000)
    assert result.rows == 10_000 * HORIZON * 3
    assert merged == run(make_params(), [body])[1]


def test_a_first_line_without_end_is_not_read_to_its_end():
    with pytest.raises(BadForecast, match="part has a first line of more than 64 KB"):
        next(export.read_part(io.BytesIO(b"x" * 10**6), "part"))
