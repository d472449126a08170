"""The table that names the scans of each study."""

import pytest

from SuperResolutionLib.cohort.studies import Study, fuse_studies, read_studies
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.fusion.request import FuseRequest


@pytest.fixture
def read(tmp_path):
    """The function that reads a table of this text."""

    def read_text(text):
        (tmp_path / "fuse.csv").write_text(text, encoding="utf-8")
        return read_studies(tmp_path / "fuse.csv", tmp_path / "in", tmp_path / "out")

    return read_text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_name_the_scans_and_the_series_and_other_columns_and_empty_cells_are_passed_over(
    read, tmp_path, delimiter
):
    text = (
        "Output,patient,Scan 1,scan 2,series1,series2\na.nrrd,P1,x/tra.nrrd,x/cor.nrrd,,\n,,,,,\nb/c.nrrd,P2,y,,4,5\n"
    )
    inputs, outputs = tmp_path / "in", tmp_path / "out"
    assert read(text.replace(",", delimiter)) == [
        Study("a.nrrd", outputs / "a.nrrd", (inputs / "x" / "tra.nrrd", inputs / "x" / "cor.nrrd")),
        Study("b/c.nrrd", outputs / "b" / "c.nrrd", (inputs / "y",), ("4", "5")),
    ]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "first row .* does not name the columns output, scan1"),
        ("a.nrrd,x.nrrd,y.nrrd\n", "first row .* does not name"),
        ("output,scan1\n", "names no study"),
        ("output,scan1\n,x\n", "Row 2 of .* lacks an output"),
        ("output,scan1\na.nrrd,x\nb.nrrd,\n", "Row 3 of .* lacks a scan"),
        ("output,scan1\na.nrrd,x\nA.nrrd,y\n", "Two rows .* have the output A.nrrd"),
        ("output,scan1\n../a.nrrd,x\n", "below the output folder"),
        ("output,scan1\n/tmp/a.nrrd,x\n", "below the output folder"),
    ],
)
def test_a_table_that_says_too_little_is_refused_in_one_sentence(read, text, reason):
    with pytest.raises(InputError, match=reason) as error:
        read(text)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_table_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.csv").write_bytes("output,scan1\nM\xfcller.nrrd,x\n".encode("latin-1"))
    for name in ("latin.csv", "absent.csv"):
        with pytest.raises(InputError, match=f"{name} cannot be read .*; give a CSV file in UTF-8"):
            read_studies(tmp_path / name, tmp_path, tmp_path / "out")


def test_a_cancelled_batch_keeps_what_is_done_and_counts_the_rest(read, planes, tmp_path):
    (tmp_path / "in").mkdir()
    for name, stack in planes.items():
        write_volume(stack, tmp_path / "in" / f"{name}.nrrd")
    read("output,scan1,scan2\na.nrrd,tra.nrrd,cor.nrrd\nb.nrrd,tra.nrrd,sag.nrrd\n")
    ended = []
    outcomes = fuse_studies(
        tmp_path / "fuse.csv",
        tmp_path / "in",
        tmp_path / "out",
        FuseRequest(motion="none", sharpen=False, force=True),
        finished=lambda number, total, outcome: ended.append(outcome.state),
        cancelled=lambda: bool(ended),
    )
    assert [outcome.state for outcome in outcomes] == ended == ["done", "cancelled"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.nrrd", "a.nrrd.json", "summary.csv"]
