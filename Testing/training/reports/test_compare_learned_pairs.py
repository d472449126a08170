"""The comparison of networks on a scan whose degradation was hidden and learned."""

import json

import numpy as np
import pytest
import torch

from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from Training.degradation.learned import patches
from Training.degradation.learned.blur_and_noise import LearnedDegradation
from Training.degradation.learned.validate import Family, hidden_degradation, hidden_pair
from Training.reports import compare_learned_pairs
from Training.reports.compare_learned_pairs import SCANS, by_network, main


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """A hidden scan and a sharp one, far smaller than real ones, and few patches."""
    random = np.random.default_rng(0)
    j, i = np.indices((96, 96), dtype=float)
    for folder, name in (("heldout", "hidden"), ("train", "sharp")):
        (tmp_path / folder).mkdir()
        inside = ((j - 48) / 44) ** 2 + ((i - 48) / 40) ** 2 < 1
        fine = np.stack([np.sin(i / random.uniform(1, 4)) * np.cos(j / random.uniform(1, 4)) for _ in range(6)])
        voxels = inside * (500 + 300 * fine)
        write_volume(Volume(voxels.astype(np.int16), np.diag([1, 1, 3, 1.0])), tmp_path / folder / f"{name}.nii.gz")
    family = Family("T1", "hidden.nii.gz", ("sharp.nii.gz",))
    monkeypatch.setitem(compare_learned_pairs.SCANS, "flair", (family, ("gaussian", 1.6, 1.0, 0.03)))
    monkeypatch.setattr(patches, "PATCHES", 100)
    return tmp_path


def printed_rows(capsys):
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]
    return {name.strip(): [float(cell) for cell in cells] for name, *cells in (line[1:-1].split("|") for line in lines)}


def test_no_person_of_a_hidden_scan_is_among_the_sharp_ones():
    for family, _ in SCANS.values():
        person = family.hidden.split("_")[2][:3]
        assert not any(person in name for name in family.sharp)


def test_the_hidden_pair_is_the_kernel_and_the_noise_of_its_degradation():
    sharp = torch.rand(3, 41, 48, generator=torch.Generator().manual_seed(0)) + 1
    degradation = hidden_degradation(("gaussian", 1.6, 1.0, 0.03), 2)
    coarse, truth = hidden_pair(sharp, degradation)
    torch.testing.assert_close(truth[:, 0], sharp[:, :40])
    assert float((coarse - degradation.operator(truth, 2)).std()) == pytest.approx(0.03, rel=0.1)


def test_a_network_is_given_its_own_units_and_answers_in_the_scans(fidelity_run):
    refined = by_network(str(fidelity_run / "checkpoint.pt"))
    coarse = torch.rand(2, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(refined(3 * coarse + 1), 3 * refined(coarse) + 1, rtol=1e-3, atol=1e-3)


def test_the_first_call_learns_the_degradation_and_later_ones_keep_it(scans, fidelity_run, monkeypatch, capsys):
    arguments = ["compare_learned_pairs", "flair", "--data", str(scans), "--out", str(scans / "learned")]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    first = printed_rows(capsys)
    assert set(first) == {"B-spline", "back-projection, learned kernel", "back-projection, true kernel"}
    assert first["B-spline"][1] == 0
    answer = (scans / "learned" / "flair" / "learned.json").read_text()
    true = LearnedDegradation.load(scans / "learned" / "flair" / "true.json")
    assert true.noise == 0.03 and json.loads(answer)["factor"] == 2

    network = str(fidelity_run / "checkpoint.pt")
    monkeypatch.setattr("sys.argv", [*arguments, "--networks", network])
    main()
    second = printed_rows(capsys)
    assert (scans / "learned" / "flair" / "learned.json").read_text() == answer
    assert {name: second[name] for name in first} == first and network in second
