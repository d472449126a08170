"""The table: a row a method, a gain a volume, for a terminal and for a page."""

import re

from SuperResolutionLib.evaluation.evaluate import evaluate
from SuperResolutionLib.evaluation.methods import METHOD_LABELS
from SuperResolutionLib.evaluation.table import format_table
from SuperResolutionLib.geometry.interpolation import interpolate


def test_the_table_has_a_row_per_method_and_a_gain_per_volume_in_both_styles(scan):
    records = evaluate([scan], 2, ["area", "kspace"], lambda stack, factors, step: interpolate(stack, factors)).records
    text, page = format_table(records), format_table(records, "markdown")
    assert "x2, area: mean of 1 volume\n" in text
    for label in METHOD_LABELS.values():
        assert len(re.findall(rf"^{re.escape(label)}  +\d", text, re.MULTILINE)) == 2
        assert len(re.findall(rf"^\| {re.escape(label)} +\| +\d", page, re.MULTILINE)) == 2
    assert sum(line.startswith("scan.nrrd") and "+0.00" in line for line in text.splitlines()) == 1
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables[:8]} == {tables[0].count("|")}
