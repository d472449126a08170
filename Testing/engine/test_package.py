"""The engine as a package: it parses on every Python that Slicer has, costs nothing to import, has one version."""

import ast
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import SuperResolutionLib
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.version import VERSION


def python_files(repository, layer):
    files = sorted((repository / layer).rglob("*.py"))
    assert files
    return files


def run_python(repository, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=60)


def test_the_engine_and_the_module_parse_as_python_3_9(repository):
    for layer in ("SuperResolutionLib", "SuperResolution"):
        for path in (repository / layer).rglob("*.py"):
            ast.parse(path.read_text(encoding="utf-8"), path.name, feature_version=(3, 9))


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import sys, SuperResolutionLib; print(sorted(sys.modules))"],
        ["-c", "import sys, SuperResolutionLib.command_line.program; print(sorted(sys.modules))"],
        ["-X", "importtime", "-m", "SuperResolutionLib", "--version"],
    ],
    ids=["import", "commands", "--version"],
)
def test_importing_the_engine_and_asking_its_version_import_nothing_heavy(repository, arguments):
    end = run_python(repository, *arguments)
    assert end.returncode == 0, end.stderr
    assert "SuperResolutionLib" in end.stdout + end.stderr
    for heavy in ("torch", "numpy", "monai", "SimpleITK", "matplotlib"):
        assert not re.search(rf"\b{heavy}\b", end.stdout + end.stderr), heavy


def test_the_front_door_loads_each_name_when_it_is_first_used(repository):
    code = (
        "import sys, SuperResolutionLib as engine\n"
        "assert {'upscale', 'survey', 'UpscaleRequest', 'Volume', 'read_volume', 'write_volume', 'InputError'}"
        " <= set(engine.__all__) & set(dir(engine))\n"
        "def heavy(): return sorted({'torch', 'SimpleITK', 'numpy', 'monai'} & set(sys.modules))\n"
        "for name in ('InputError', 'UpscaleRequest', 'Volume', 'survey', 'read_volume', 'upscale'):\n"
        "    before = heavy(); getattr(engine, name); print(name, *before)\n"
        "print('end', *heavy())"
    )
    end = run_python(repository, "-c", code)
    assert end.stdout.splitlines() == [
        "InputError",
        "UpscaleRequest",
        "Volume",
        "survey numpy",
        "read_volume numpy",
        "upscale SimpleITK numpy",
        "end SimpleITK numpy torch",
    ], end.stderr


def readme_blocks(repository):
    """The README's blocks of Python under "Without Slicer"."""
    section = (repository / "README.md").read_text(encoding="utf-8").split("## Without Slicer\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_readmes_lines_of_python_run_as_they_are_written(repository, tmp_path, monkeypatch, make_phantom, capsys):
    write_volume(make_phantom((2, 24, 26)), tmp_path / "t1.nii.gz")
    monkeypatch.chdir(tmp_path)
    array = make_phantom((2, 24, 26)).voxels
    files, arrays, plans = readme_blocks(repository)
    assert len([line for line in files.splitlines() if line]) == 3
    exec(files, {})
    assert read_volume(tmp_path / "t1_x4.nrrd").dimensions == (104, 96, 2)
    names = {"array": array}
    exec(arrays, names)
    assert names["finer_array"].shape == (2, 96, 104) and names["finer_array"].dtype == array.dtype
    assert np.allclose(names["ijk_to_ras"].diagonal(), (0.25, 0.25, 3, 1))
    capsys.readouterr()
    exec(plans, {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Volume of 26 x 24 x 2 voxels, 1 x 1 x 3 mm, int16, axes to RAS"
    assert lines[1].startswith("The slice axis is k") and any("x4 by mri-x4-rrdb" in line for line in lines)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'downscale'"):
        SuperResolutionLib.downscale  # noqa: B018


def test_listing_the_models_does_not_import_torch(repository):
    end = run_python(repository, "-X", "importtime", "-m", "SuperResolutionLib", "models", "--json")
    assert end.returncode == 0 and json.loads(end.stdout)
    assert not re.search(r"\b(torch|safetensors|monai)\b", end.stderr)


def test_the_versions_agree(repository):
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert run_python(repository, "-m", "SuperResolutionLib", "--version").stdout.split()[-1] == VERSION
    project = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert 'version = { attr = "SuperResolutionLib.version.VERSION" }' in project
    for path in (repository / "SuperResolutionLib" / "Bundles").glob("*/configs/metadata.json"):
        metadata = json.loads(path.read_text(encoding="utf-8"))
        assert metadata["version"] in metadata["changelog"]


def test_the_engine_has_no_machines_paths_in_it(repository):
    for path in (*python_files(repository, "SuperResolutionLib"), *python_files(repository, "Training")):
        assert not re.search(r"[\"'](/work|/home|/Users|/tmp|[A-Z]:\\)", path.read_text(encoding="utf-8")), path.name


def test_upscaling_imports_nothing_that_it_does_not_need(repository):
    """sympy, which PyTorch imports at odd occasions, takes a second."""
    code = (
        "import sys, numpy as np\n"
        "from SuperResolutionLib import UpscaleRequest, Volume, upscale\n"
        "voxels = np.random.default_rng(0).integers(0, 999, (1, 24, 24)).astype(np.int16)\n"
        "upscale(Volume.of(voxels), UpscaleRequest(factor=2, quality='fast', device='cpu'))\n"
        "print(*({'sympy', 'matplotlib', 'monai', 'scipy', 'pandas', 'nibabel'} & set(sys.modules)))"
    )
    end = run_python(repository, "-c", code)
    assert (end.returncode, end.stdout.strip()) == (0, ""), end.stdout + end.stderr
