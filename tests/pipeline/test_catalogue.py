import re
from pathlib import Path

from pipeline import catalogue

ROOT = Path(__file__).parents[2]


def test_the_template_permits_every_call_that_is_made():
    source = Path(catalogue.__file__).read_text()
    made = {f"glue:{call.title().replace('_', '')}" for call in re.findall(r"glue\.([a-z]+_[a-z_]+)", source)}
    (template,) = (ROOT / "infra").glob("*.yaml")
    permitted = set(re.findall(r"glue:[A-Z]\w+", template.read_text()))
    assert "glue:CreatePartition" in made
    assert made <= permitted


def test_rows_of_several_kinds_stand_side_by_side():
    sql, columns = catalogue.pivoted('"d"."t"', ["item_id", "mean"], "type", "value", ["mean", "p10"])
    assert columns == ["forecast_mean", "p10"], "a dimension may be called like a type"
    assert sql == (
        'SELECT "item_id", "mean", '
        'max(CASE WHEN "type" = \'mean\' THEN "value" END) AS "forecast_mean", '
        'max(CASE WHEN "type" = \'p10\' THEN "value" END) AS "p10" '
        'FROM "d"."t" GROUP BY "item_id", "mean"'
    )
