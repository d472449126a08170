"""The curves of runs are drawn from the logs that they wrote."""

import json

import pytest

from Training.reports.draw_curves import draw_curves


def write_log(folder, gains):
    folder.mkdir()
    lines = [{"iteration": 10 * n, "gain_db": {"area": gain, "kspace": gain / 2}} for n, gain in enumerate(gains)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_every_degradation_gets_a_panel_of_its_own(tmp_path):
    runs = {"one": write_log(tmp_path / "a", [0.1, 0.5]), "other": write_log(tmp_path / "b", [0.2, 0.4, 0.6])}
    draw_curves(runs, tmp_path / "both.png")
    draw_curves(runs, tmp_path / "single.png", ["kspace"])
    widths = [int.from_bytes((tmp_path / name).read_bytes()[16:20], "big") for name in ("both.png", "single.png")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.02)


def test_a_folder_without_a_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="log.jsonl"):
        draw_curves({"none": tmp_path}, tmp_path / "curves.png")
