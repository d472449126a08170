"""What is installed, when, and what is never touched."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from SuperResolutionWidgets.Installer import Installer
from SuperResolutionWidgets.InstallError import InstallError
from SuperResolutionWidgets.monaiRequirement import monaiRequirement
from SuperResolutionWidgets.PackageState import PackageState


@pytest.mark.parametrize(
    "torch, numpy, python, wanted",
    [
        ("2.13.0+cpu", "2.4.6", "3.12", "monai>=1.6,<1.7"),
        ("2.8.0+cu126", "1.26.4", "3.10", "monai>=1.6,<1.7"),
        ("2.8.0", "2.0.2", "3.9", "monai>=1.5,<1.6"),  # MONAI 1.6 needs Python 3.10
        ("2.7.1", "2.2.0", "3.12", "monai>=1.5,<1.6"),
        ("2.4.1", "2.0.0", "3.9", "monai>=1.5,<1.6"),
        ("2.4.0", "1.26.4", "3.12", "monai>=1.4,<1.5"),  # MONAI 1.5 needs torch 2.4.1
        ("2.2.2", "1.26.4", "3.12", "monai>=1.4,<1.5"),  # Slicer on macOS
        ("2.2.2", "2.0.0", "3.12", None),
        ("1.8.1", "1.24.0", "3.9", None),
        ("2.8.0rc1+rocm6", "2.1.0", "3.12", "monai>=1.6,<1.7"),
        ("2.10.0", "2.1.0", "3.12", "monai>=1.6,<1.7"),  # 10 is more than 8
        ("3.0", "2.1.0", "3.13", "monai>=1.6,<1.7"),
    ],
)
def test_monai_fits_what_is_there(torch, numpy, python, wanted):
    assert monaiRequirement(torch, numpy, python) == wanted


READY = PackageState("3.12", "2.0.2", "2.8.0+cu126", "", {"monai": "1.5.2", "safetensors": "0.5.0"})
BARE = PackageState("3.12", "2.0.2", "", "", {"monai": "", "safetensors": ""})


class Packages:
    """Plays a Python in which every installation works, unless told otherwise."""

    def __init__(self, state, answer=True, testing=False, torch="2.8.0+cu126"):
        self.state, self.answer, self.testing, self.torch = state, answer, testing, torch
        self.calls, self.questions = [], []

    def inspect(self, names):
        self.calls.append("inspect")
        assert names == list(self.state.others)
        return self.state

    def mayInstall(self):
        return not self.testing

    def confirm(self, question):
        self.questions.append(question)
        return self.answer

    def installTorch(self, requirement):
        self.calls.append(("torch", requirement))
        self.state = replace(self.state, torch=self.torch)

    def install(self, requirements, constraints):
        self.calls.append(("pip", requirements, constraints))
        installed = {r.split(">")[0]: "1" for r in requirements}
        self.state = replace(self.state, others={**self.state.others, **installed})

    @property
    def installations(self):
        return [call for call in self.calls if call != "inspect"]


@pytest.fixture
def installer(root):
    return lambda packages: Installer(packages, root / "SuperResolution/Resources/requirements.txt")


def test_nothing_happens_where_all_is_there(installer):
    packages = Packages(READY)
    installer(packages).ensure()
    assert packages.installations == [] and packages.questions == []


def test_packages_are_inspected_once_a_session(installer):
    packages = Packages(READY)
    one = installer(packages)
    one.ensure()
    one.ensure()
    assert packages.calls == ["inspect"]


def test_a_bare_slicer_is_asked_once_and_gets_torch_before_the_rest(installer):
    packages = Packages(BARE)
    installer(packages).ensure()
    assert len(packages.questions) == 1
    assert all(word in packages.questions[0] for word in ("PyTorch", "monai", "safetensors"))
    assert packages.installations == [
        ("torch", ">=2.1"),
        ("pip", ["monai>=1.6,<1.7", "safetensors>=0.4"], ["torch==2.8.0", "numpy==2.0.2"]),
    ]


def test_pip_is_never_allowed_to_replace_torch_or_numpy(installer):
    packages = Packages(replace(READY, torch="2.2.2", numpy="1.26.4", others={"monai": "", "safetensors": "0.5"}))
    installer(packages).ensure()
    assert packages.installations == [("pip", ["monai>=1.4,<1.5"], ["torch==2.2.2", "numpy==1.26.4"])]


def test_another_monai_that_is_there_already_is_left_alone(installer):
    packages = Packages(replace(READY, others={"monai": "1.4.0", "safetensors": ""}))
    installer(packages).ensure()
    assert packages.installations == [("pip", ["safetensors>=0.4"], ["torch==2.8.0", "numpy==2.0.2"])]


def test_a_user_who_declines_gets_a_sentence_and_no_packages(installer):
    packages = Packages(BARE, answer=False)
    with pytest.raises(InstallError, match="click Upscale again"):
        installer(packages).ensure()
    assert packages.installations == []


def test_nothing_is_installed_and_nobody_asked_while_testing(installer):
    packages = Packages(BARE, testing=True)
    with pytest.raises(InstallError, match="tests"):
        installer(packages).ensure()
    assert packages.installations == [] and packages.questions == []


def test_a_half_installed_torch_is_named_and_not_installed_over(installer):
    packages = Packages(replace(BARE, torch="2.13.0", torchFault="OSError: [WinError 206] path too long"))
    with pytest.raises(InstallError, match="does not load .*WinError 206.*uninstall"):
        installer(packages).ensure()
    assert packages.installations == [] and packages.questions == []


def test_a_torch_that_is_half_installed_just_now_is_named(installer):
    packages = Packages(BARE)
    packages.installTorch = lambda requirement: setattr(
        packages, "state", replace(packages.state, torch="2.13.0", torchFault="ImportError: DLL load failed")
    )
    with pytest.raises(InstallError, match="DLL load failed"):
        installer(packages).ensure()
    assert packages.installations == []


def test_a_torch_that_is_too_old_is_named(installer):
    with pytest.raises(InstallError, match="2.0.1 is too old"):
        installer(Packages(replace(READY, torch="2.0.1"))).ensure()


def test_a_torch_that_did_not_arrive_is_noticed(installer):
    with pytest.raises(InstallError, match="not installed"):
        installer(Packages(BARE, torch="")).ensure()


def test_packages_that_did_not_arrive_are_noticed(installer):
    packages = Packages(replace(READY, others={"monai": "", "safetensors": ""}))
    packages.install = lambda requirements, constraints: None
    with pytest.raises(InstallError, match="monai, safetensors was not installed"):
        installer(packages).ensure()


def test_a_python_that_no_monai_fits_is_told_so(installer):
    packages = Packages(replace(READY, torch="2.2.2", others={"monai": "", "safetensors": "1"}))
    with pytest.raises(InstallError, match="No MONAI fits PyTorch 2.2.2 with NumPy 2.0.2"):
        installer(packages).ensure()


def test_a_failed_installation_is_tried_again_at_the_next_click(installer):
    packages = Packages(BARE, answer=False)
    one = installer(packages)
    with pytest.raises(InstallError):
        one.ensure()
    packages.answer = True
    one.ensure()
    assert len(packages.questions) == 2


def probe(root, *names, path=None):
    script = root / "SuperResolution/SuperResolutionWidgets/probePackages.py"
    environment = {"PYTHONPATH": str(path)} if path else None
    answer = subprocess.run([sys.executable, str(script), *names], capture_output=True, text=True, env=environment)
    return PackageState(**json.loads(answer.stdout.splitlines()[-1]))


def test_the_probe_finds_what_is_installed_here(root):
    import numpy
    import torch

    state = probe(root, "safetensors", "surely-not-there")
    assert (state.torch, state.numpy, state.torchFault) == (torch.__version__, numpy.__version__, "")
    assert state.others["safetensors"] and state.others["surely-not-there"] == ""


def test_the_probe_tells_a_half_installed_torch_from_a_missing_one(root, tmp_path):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('[WinError 206] The filename is too long')")
    state = probe(root, path=tmp_path)
    assert state.torch
    assert state.torchFault == "OSError: [WinError 206] The filename is too long"
