"""Data lists: one that extends another, and those that ship."""

import json

from Training.data.lists import read_data_list


def test_a_list_adds_its_groups_and_volumes_to_those_of_the_list_that_it_extends(tmp_path):
    base = {"group_weights": {"T1": 0.6, "T2": 0.4}, "training": [{"image": "a"}], "validation": [{"image": "b"}]}
    more = {"extends": "base.json", "group_weights": {"T2": 0.5, "CT": 0.2}, "training": [{"image": "c"}]}
    for name, listing in {"base.json": base, "more.json": more}.items():
        (tmp_path / name).write_text(json.dumps(listing))
    assert read_data_list(tmp_path / "base.json") == base
    assert read_data_list(tmp_path / "more.json") == {
        "group_weights": {"T1": 0.6, "T2": 0.5, "CT": 0.2},
        "training": [{"image": "a"}, {"image": "c"}],
        "validation": [{"image": "b"}],
    }


def test_the_shipped_lists_name_scans_that_are_there_and_share_no_subject_between_sections(scans, repository):
    records = json.loads((scans / "manifest.json").read_text(encoding="utf-8"))
    subjects = {record["file"]: record["subject"] for record in records}
    names = [path.name for path in (repository / "Training" / "configs").glob("datalist_*.json")]
    assert len(names) >= 5
    for name in names:
        listing = read_data_list(repository / "Training" / "configs" / name)
        training, validation = (
            {subjects[f"train/{entry['image']}"] for entry in listing[section]}
            for section in ("training", "validation")
        )
        assert training and validation and not training & validation
        assert {entry["group"] for entry in listing["training"]} == set(listing["group_weights"])
