"""The report on a run's input."""

from pipeline import contract, inputs, quality, storage


def test_a_report_with_gaps_can_be_written_and_read(s3, workload, put, make_params):
    rows = [f"2024-01-01 {hour:02d}:00:00,1,a\n" for hour in range(24) if hour != 7]
    put("train/a.csv", ("timestamp,target_value,item_id\n" + "".join(rows)).encode())
    params = make_params()
    with contract.examine(s3, workload, params, inputs.take_stock(s3, workload, params)) as examination:
        quality.write(s3, workload, "run1", examination.report)
    stored = storage.read_json(s3, workload, "runs/run1/quality.json")
    (row,) = [each for each in examination.report.table() if "have no row" in each["rule"]]
    assert list(row) == ["what", "rule", "remedy", "file", "column", "count", "row"], (
        "what may be cut off is last"
    )
    (gap,) = [finding for finding in stored["findings"] if "have no row" in finding["rule"]]
    assert gap["count"] == 1
    assert gap["examples"] == [{"row": 9, "value": "1 steps without a row before it"}]
