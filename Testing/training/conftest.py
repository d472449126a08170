"""A synthetic volume on disk, a data list, and settings small enough to train in a second."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume

sys.path.insert(0, str(Path(__file__).parent))  # for training_log


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with two volumes and ``datalist.json`` and ``config.json``."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    k, j, i = np.indices((6, 48, 52), dtype=float)
    for name, shift in (("first", 0), ("second", 5)):
        inside = ((j - 24) / 22) ** 2 + ((i - 26) / 24) ** 2 < 1
        voxels = inside * (400 + 200 * np.sin(i / (2 + shift) + k) * np.cos(j / 3)) + 50 * random.random(k.shape)
        write_volume(Volume(voxels.astype(np.int16), np.diag([1, 1, 3, 1.0])), folder / f"{name}.nii.gz")
    entries = [
        {"image": "first.nii.gz", "group": "T1", "slice_axes": "k", "every": 1},
        {"image": "second.nii.gz", "group": "T2", "slice_axes": "k", "every": 2},
    ]
    listing = {"group_weights": {"T1": 0.7, "T2": 0.3}, "training": entries, "validation": entries[:1]}
    (folder / "datalist.json").write_text(json.dumps(listing))
    return folder


@pytest.fixture(scope="session")
def tiny(data):
    """What both stages' configurations are overridden with so that an iteration takes milliseconds."""
    return {
        "dataset_dir": str(data),
        "datalist": str(data / "datalist.json"),
        "iterations": 12,
        "every": 4,
        "batch": 4,
        "patches": [{"until": 0.5, "coarse_size": 8}, {"until": 1.0, "coarse_size": 16}],
        "threads": 1,
        "average_decay": 0.9,
        "versions": 1,
        "validate#dataset#slices": 2,
    }


@pytest.fixture(scope="session")
def tiny_stage1(tiny):
    """The same with a network of width 4."""
    generator = {"name": "CompactNet", "arguments": {"width": 4, "blocks": 1}}
    return {**tiny, "factor": 2, "generator": generator, "learning_rate#peak": 5e-3, "learning_rate#warm_up": 3}


@pytest.fixture(scope="session")
def tiny_stage2(tiny, fidelity_run):
    """The same for stage 2, from where ``fidelity_run`` ended, with a discriminator of width 4."""
    return {**tiny, "start_from": str(fidelity_run / "checkpoint.pt"), "discriminator_def#width": 4}


@pytest.fixture(scope="session")
def tiny_vgg19(data):
    """The same for the perceptual network."""
    return {
        "dataset_dir": str(data),
        "datalist": str(data / "datalist.json"),
        "iterations": 60,
        "every": 20,
        "batch": 16,
        "patch": 48,
        "width": 4,
        "tasks": ["degradation"],
        "threads": 1,
    }


@pytest.fixture(scope="session")
def train():
    """``train("stage1", settings, out, files that override)`` runs ``python -m Training`` in this process."""
    from Training.__main__ import main

    def run(stage, settings, out, *files):
        arguments = [f"--set={key}={value}" for key, value in settings.items()]
        main([stage, "--out", str(out), *arguments, *(f"--config={file}" for file in files)])

    return run


@pytest.fixture(scope="session")
def fidelity_run(train, tiny_stage1, tmp_path_factory):
    """The folder of a run of stage 1 that nothing broke."""
    folder = tmp_path_factory.mktemp("fidelity")
    train("stage1", tiny_stage1, folder)
    return folder


@pytest.fixture(scope="session")
def monai_bundle(repository):
    """``monai_bundle(["base.yaml", ...], settings, processes=1)`` starts ``python -m monai.bundle run``."""

    def start(files, settings, processes=1):
        launcher = ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m", "monai.bundle"]
        program = launcher if processes > 1 else ["monai.bundle"]
        files = [f"Training/configs/{file}" for file in files]
        overrides = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
        return subprocess.Popen(
            [sys.executable, "-m", *program, "run", "--config_file", str(files), *overrides],
            cwd=repository,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start
