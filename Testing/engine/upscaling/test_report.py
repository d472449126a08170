"""One shape of report for every purpose, as its schema states it, and what is read out of it."""

import json

import jsonschema
import numpy as np
import pytest

from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.report import (
    SCHEMA_VERSION,
    consistency_sentence,
    detail,
    model_digests,
    model_names,
    residual_percent,
)
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

PURPOSES = {
    "slice plane": {"factor": 2},
    "new slices": {"factor": (1, 1, 2)},
    "both": {"factor": (2, 2, 2)},
    "isotropic": {"factor": None, "isotropic": True},
    "spacing": {"factor": None, "spacing": 0.6},
    "resampling": {"factor": None, "isotropic": True},
}
KINDS = {
    "slice plane": ["slice plane"],
    "new slices": ["new slices"],
    "both": ["slice plane", "new slices"],
    "isotropic": ["new slices"],
    "spacing": ["slice plane"],
    "resampling": ["resampling"],
}


@pytest.fixture(scope="module")
def schema(repository):
    return json.loads((repository / "SuperResolutionLib/upscaling/report.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reports(phantom):
    """The report of each of ``PURPOSES``, from a small scan; the last one's is a single slice, nearly isotropic."""
    nearly = Volume(phantom.voxels[2:3], np.diag([1.0, 1.1, 1.0, 1.0]), "MR")
    return {
        purpose: upscale(
            nearly if purpose == "resampling" else phantom, UpscaleRequest(quality="fast", device="cpu", **wishes)
        ).report
        for purpose, wishes in PURPOSES.items()
    }


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purposes_report_has_the_shape_of_the_schema(reports, schema, purpose):
    report = json.loads(json.dumps(reports[purpose]))
    jsonschema.validate(report, schema)
    assert [step["kind"] for step in report["steps"]] == KINDS[purpose]


def test_a_zero_filled_scans_report_has_the_shape_of_the_schema(anatomy, zero_filled, schema):
    scan = Volume(zero_filled(anatomy[:2], (0.5, 0.5)), np.diag([0.45, 0.45, 3.0, 1.0]), "MR")
    report = upscale(scan, UpscaleRequest(factor=2, quality="fast", device="cpu")).report
    jsonschema.validate(report, schema)
    assert [step["kind"] for step in report["steps"]] == ["acquired band", "slice plane"]


def test_the_schema_is_one_and_refuses_another_version_and_unknown_keys(reports, schema):
    jsonschema.Draft7Validator.check_schema(schema)
    report = reports["both"]
    assert report["schema_version"] == SCHEMA_VERSION == schema["properties"]["schema_version"]["const"]
    for wrong in ({"schema_version": SCHEMA_VERSION + 1}, {"surprise": 1}, {"steps": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**report, **wrong}, schema)


def test_every_key_of_the_schema_is_documented(schema, repository):
    page = (repository / "Documentation/report.md").read_text(encoding="utf-8")

    def keys(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
            for value in part.values():
                yield from keys(value)
        elif isinstance(part, list):
            for value in part:
                yield from keys(value)

    stated = {"slice_axis_from", "modality_from", "acquired_from"}  # as ..._from
    assert not [key for key in {*keys(schema)} - stated if f"`{key}`" not in page]


def test_what_is_read_out_of_a_report_is_of_the_networks_that_ran(reports):
    both = reports["both"]
    assert model_names(both) == "mri-x2-compact and mri-through-plane"
    assert model_digests(both).count(" and ") == 1
    assert residual_percent(both) == both["steps"][0]["consistency"]["residual_percent"]
    assert detail(both) == both["steps"][0]["detail"]
    assert (model_names(reports["resampling"]), detail(reports["resampling"])) == ("", None)
    assert residual_percent(reports["resampling"]) is None


def test_the_sentences_on_consistency_say_what_is_held_and_how_well(reports):
    plane, slices = reports["both"]["steps"]
    assert consistency_sentence(plane).startswith("held: the input's band below 0.25 of its Nyquist frequency")
    assert consistency_sentence(slices).startswith("held: the slices' band below 0.25 of its Nyquist frequency")
