"""QuickSight for a workload: data source, data sets, analysis and dashboard, from a definition kept here.

    params.json ─┐
    Glue tables ─┴─▶ definition: sheets of visuals ─▶ resources: what should be ─▶ upkeep: what is

Everything is queried directly through Athena, so a new forecast shows without anything being refreshed
here: only tables, columns and the definition itself make an update necessary.
"""
