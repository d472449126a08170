"""Each model folder is a bundle that MONAI's own commands check, and run as ``superresolution batch`` runs it."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import monai.bundle
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from SuperResolutionLib.cohort.folder import upscale_folder
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.bundles import BUNDLES, find_model, installed_models, through_slices_model
from SuperResolutionLib.monai_transforms import ScanFolder, load_network
from SuperResolutionLib.upscaling.request import UpscaleRequest

NAMES = [model.name for model in installed_models()]
SCHEMA = Path(__file__).with_name("metadata_schema.json")
WANTED = """bundle_root input_dir output_dir detail device network_def preprocessing dataset dataloader inferer
postprocessing evaluator initialize run"""
OF_FILES_AND_TIME = {"files", "seconds", "peak_memory_bytes"}


@pytest.fixture(params=NAMES)
def folder(request):
    return BUNDLES / request.param


@pytest.fixture
def workflow():
    """The function that makes the workflow of a bundle's folder, as MONAI's applications do."""

    def make(folder, **settings):
        config = str(folder / "configs" / "inference.json")
        return ConfigWorkflow(
            config, workflow_type="inference", logging_file=False, bundle_root=str(folder), **settings
        )

    return make


@pytest.fixture
def cohort(oblique_phantom, make_phantom, tmp_path):
    """A folder of scans: int16 and oblique, and unsigned in a folder of its own."""
    scans = tmp_path / "scans"
    (scans / "unsigned").mkdir(parents=True)
    write_volume(oblique_phantom, scans / "oblique.nii.gz")
    write_volume(make_phantom(dtype=np.uint16), scans / "unsigned" / "t1.nrrd")
    return scans


@pytest.fixture
def both_ways(workflow, tmp_path):
    """The function that upscales a folder by the batch and by the bundle, and checks that nothing differs."""

    def run(scans, model, detail=None, **options):
        outcomes = upscale_folder(
            scans, tmp_path / "batch", UpscaleRequest(factor=None, model=model, detail=detail, device="cpu", **options)
        )
        overrides = {f"inferer#{name}": value for name, value in options.items()}
        folders = {"input_dir": str(scans), "output_dir": str(tmp_path / "monai")}
        made = workflow(BUNDLES / model, **folders, device="cpu", detail=detail, **overrides)
        made.initialize()
        made.run()
        for outcome in outcomes:
            assert outcome.state == "done"
            expected, saved = (read_volume(tmp_path / way / outcome.name) for way in ("batch", "monai"))
            assert saved.voxels.dtype == expected.voxels.dtype and np.array_equal(saved.voxels, expected.voxels)
            assert np.abs(saved.ijk_to_ras - expected.ijk_to_ras).max() < 1e-6
            assert saved.modality == expected.modality
            report = json.loads((tmp_path / "monai" / f"{outcome.name}.json").read_text())
            for key in set(outcome.report) - OF_FILES_AND_TIME:
                assert report[key] == outcome.report[key], key
        return outcomes

    return run


def test_a_bundle_has_what_monai_and_its_model_zoo_look_for(folder, workflow, cohort, tmp_path):
    made = workflow(folder, input_dir=str(cohort), output_dir=str(tmp_path / "finer"))
    made.initialize()
    assert made.check_properties() == []
    settings = ConfigParser.load_config_file(str(folder / "configs" / "inference.json"))
    assert set(WANTED.split()) <= set(settings)
    assert isinstance(made.network_def, torch.nn.Module)


def test_new_bundles_get_the_same_configuration(folder, repository):
    template = repository / "Training" / "configs" / "inference.json"
    assert (folder / "configs" / "inference.json").read_bytes() == template.read_bytes()


@pytest.mark.parametrize(
    "model, options",
    [
        ("mri-x2-compact", {}),
        ("mri-x2-compact", {"detail": 1.0}),
        ("mri-x2-compact", {"consistency": False, "output_type": "float"}),
        ("mri-x4-compact", {"detail": 0.5}),
        (through_slices_model().name, {}),
        (through_slices_model().name, {"thickness": 2.5}),
    ],
)
def test_a_bundle_gives_what_the_batch_gives(cohort, both_ways, model, options):
    assert len(both_ways(cohort, model, **options)) == 2


def test_a_bundle_goes_back_to_the_acquired_band_as_the_batch_does(anatomy, zero_filled, both_ways, tmp_path):
    (tmp_path / "scans").mkdir()
    voxels = zero_filled(anatomy[:2], (0.6, 0.6), noise=0.01)
    write_volume(Volume(voxels, np.diag([0.5, 0.5, 3.0, 1.0])), tmp_path / "scans" / "filled.nrrd")
    (outcome,) = both_ways(tmp_path / "scans", "mri-x2-compact")
    assert "the acquired band" in json.dumps(outcome.report)


def test_a_bundle_gives_of_a_patients_scan_what_the_batch_gives(scans, both_ways, tmp_path):
    (tmp_path / "scans").mkdir()
    scan = read_volume(scans / "heldout" / "flair_openms-long_p20s2.nii.gz")
    write_volume(scan.cropped((60, 60, 20), (130, 124, 24)), tmp_path / "scans" / "flair.nii.gz")
    assert len(both_ways(tmp_path / "scans", "mri-x2-compact")) == 1


def test_the_network_that_is_defined_is_the_one_that_runs(cohort, tmp_path, workflow):
    voxels = []
    for change in (0.0, 0.5):
        output = tmp_path / f"changed by {change}"
        made = workflow(BUNDLES / "mri-x2-compact", input_dir=str(cohort), output_dir=str(output))
        made.initialize()
        with torch.no_grad():
            made.network_def.tail.bias += change
        made.run()
        voxels.append(read_volume(output / "oblique.nii.gz").voxels)
    assert not np.array_equal(*voxels)


def test_scans_are_found_and_results_named_as_by_the_batch(cohort, write_series, tmp_path):
    pytest.importorskip("pydicom")
    write_series(cohort / "series", ["a", "b", "c"])
    scans = ScanFolder(cohort, tmp_path / "finer")
    found = {item["image"]: scans.filename(item["image"], idx=None) for item in scans.items}
    expected = {"oblique.nii.gz": "oblique.nii.gz", "series": "series.nrrd", "unsigned/t1.nrrd": "unsigned/t1.nrrd"}
    assert found == {str(cohort / name): tmp_path / "finer" / output for name, output in expected.items()}
    assert (tmp_path / "finer" / "unsigned").is_dir()


def test_folders_that_cannot_be_served_are_refused_in_one_sentence(cohort, write_series, tmp_path):
    pytest.importorskip("pydicom")
    import pydicom

    for wrong in ((tmp_path / "none", tmp_path / "finer"), (cohort, cohort)):
        with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$"):
            ScanFolder(*wrong)
    write_series(cohort / "series", ["a", "b", "c", "d"])
    for name in ("c", "d"):
        image = pydicom.dcmread(cohort / "series" / name)
        image.SeriesInstanceUID = "1.2.3.4"
        image.save_as(cohort / "series" / name)
    with pytest.raises(InputError, match="several DICOM series; "):
        ScanFolder(cohort, tmp_path / "finer")


def test_the_network_answers_as_the_metadata_says(folder):
    arguments = {"spacing": 3.0, "thickness": 1.0} if find_model(folder.name).through_slices else {}
    config, meta = (str(folder / "configs" / name) for name in ("inference.json", "metadata.json"))
    monai.bundle.verify_net_in_out(
        net_id="network_def",
        meta_file=meta,
        config_file=config,
        bundle_root=str(folder),
        device="cpu",
        any=12,
        extra_forward_args=arguments,
    )
    if not arguments:  # MONAI passes any size
        factor = find_model(folder.name).factor
        output = json.loads(Path(meta).read_text())["network_data_format"]["outputs"]["pred"]
        assert output["spatial_shape"] == [f"{factor}*n"] * 2
        assert load_network(folder)(torch.rand(1, 1, 12, 13)).shape == (1, 1, 12 * factor, 13 * factor)


def verify_metadata(path, tmp_path, monkeypatch):
    """Run MONAI's check of a bundle's metadata, with our schema in the place of the one that it would download."""
    monkeypatch.setattr(
        monai.bundle.scripts, "download_url", lambda url, filepath, **options: shutil.copy(SCHEMA, filepath)
    )
    monai.bundle.verify_metadata(meta_file=str(path), filepath=str(tmp_path / "schema.json"))


@pytest.mark.parametrize("name", [*NAMES, "Training"])
def test_the_metadata_passes_monais_check(name, repository, tmp_path, monkeypatch):
    folder = repository / "Training" if name == "Training" else BUNDLES / name
    verify_metadata(folder / "configs" / "metadata.json", tmp_path, monkeypatch)
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]


@pytest.mark.parametrize(
    "spoil",
    [
        *(
            lambda metadata, key=key: metadata.pop(key)
            for key in (
                *("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description"),
                *("required_packages_version", "authors", "copyright", "network_data_format"),
            )
        ),
        *(
            lambda metadata, key=key: metadata["network_data_format"]["inputs"]["image"].pop(key)
            for key in ("type", "format", "num_channels", "spatial_shape", "dtype", "value_range")
        ),
        lambda metadata: metadata["network_data_format"].pop("outputs"),
        lambda metadata: metadata["network_data_format"]["outputs"]["pred"].update(value_range=["0", "1"]),
        lambda metadata: metadata["network_data_format"]["outputs"]["pred"].update(spatial_shape="2*n"),
        lambda metadata: metadata.update(version=0.1),
        lambda metadata: metadata.update(changelog=["first weights"]),
    ],
)
def test_the_schema_asks_for_what_monai_requires(spoil):
    metadata = json.loads((BUNDLES / NAMES[0] / "configs" / "metadata.json").read_text())
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    validator.check_schema(validator.schema)
    assert validator.is_valid(metadata)
    spoilt = copy.deepcopy(metadata)
    spoil(spoilt)
    assert not validator.is_valid(spoilt)


def readme_block(repository, language, mark):
    """Return the first block of the README that holds ``mark``."""
    blocks = (repository / "README.md").read_text(encoding="utf-8").split(f"```{language}\n")[1:]
    return next(block.split("```")[0] for block in blocks if mark in block.split("```")[0])


def test_the_readmes_compose_upscales_a_nifti(repository, oblique_phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_volume(oblique_phantom, tmp_path / "t1.nii.gz")
    exec(readme_block(repository, "python", "Upscaled("), {})
    finer = read_volume(tmp_path / "finer" / "t1" / "t1_trans.nii.gz")
    assert finer.dimensions == (88, 80, 5) and finer.voxels.dtype == np.int16
    assert np.abs(finer.ras_bounds() - oblique_phantom.ras_bounds()).max() < 1e-4


@pytest.mark.skipif(shutil.which("bash") is None, reason="the README's lines are for a shell")
def test_the_readmes_lines_run_a_bundle(repository, phantom, tmp_path):
    (tmp_path / "scans").mkdir()
    write_volume(phantom, tmp_path / "scans" / "t1.nii.gz")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    lines = readme_block(repository, "", "monai.bundle run")
    end = subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=repository,
        env={**os.environ, "HOME": str(tmp_path), "PATH": path, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert end.returncode == 0, end.stdout + end.stderr
    finer = read_volume(tmp_path / "scans_x2" / "t1.nii.gz")
    assert finer.dimensions == (88, 80, 5) and finer.voxels.dtype == np.int16
    report = json.loads((tmp_path / "scans_x2" / "t1.nii.gz.json").read_text())
    assert "mri-x2-compact" in json.dumps(report)
    assert not (BUNDLES / "mri-x2-compact" / "eval").exists()


def test_beside_this_wing_only_the_ssim_imports_monai_and_nothing_imports_this_wing(repository):
    importers = set()
    for path in (repository / "SuperResolutionLib").rglob("*.py"):
        if "monai_transforms" not in path.parts:
            source = path.read_text(encoding="utf-8")
            assert "monai_transforms" not in source, path.name
            importers |= {path.name} if re.search(r"^ *(import|from) monai\b", source, re.MULTILINE) else set()
    assert importers == {"metrics.py"}  # in a function, for evaluate


def test_upscale_runs_without_importing_monai(repository, phantom, tmp_path, tiny):
    write_volume(phantom, tmp_path / "scan.nrrd")
    arguments = ["upscale", str(tmp_path / "scan.nrrd"), str(tmp_path / "finer.nrrd"), "--model", tiny]
    end = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "SuperResolutionLib", *arguments, "--progress", "none"],
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert end.returncode == 0 and (tmp_path / "finer.nrrd").is_file(), end.stderr
    assert re.search(r"\| +torch\n", end.stderr) and "monai" not in end.stderr
