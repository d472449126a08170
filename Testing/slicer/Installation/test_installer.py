"""What is installed, when, and what is never touched."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from SuperResolutionWidgets.Installation.DownloadSize import DownloadSize
from SuperResolutionWidgets.Installation.Installer import Installer
from SuperResolutionWidgets.Installation.InstallError import InstallError
from SuperResolutionWidgets.Installation.monaiRequirement import monaiRequirement
from SuperResolutionWidgets.Installation.PackageState import PackageState


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


READY = PackageState("3.12", "2.0.2", "2.8.0+cu126", "", {"monai": "1.5.2", "safetensors": "0.5.0", "tqdm": "4.67"})
BARE = PackageState("3.12", "2.0.2", "", "", {"monai": "", "safetensors": "", "tqdm": ""}, False, 50 * 10**9)


def others(**versions):
    return {**READY.others, **versions}


class Packages:
    """Plays a Python in which every installation works, unless told otherwise."""

    def __init__(self, state, answer=True, testing=False, torch="2.8.0+cu126", online=True):
        self.state, self.answer, self.testing, self.torch, self.online = state, answer, testing, torch, online
        self.calls, self.questions = [], []
        self.hasTorchExtension = True

    def inspect(self, names):
        self.calls.append("inspect")
        assert names == list(self.state.others)
        return self.state

    def mayInstall(self):
        return not self.testing

    def checkTorchExtension(self):
        if not self.hasTorchExtension:
            raise InstallError("The PyTorch extension is missing.")

    def reachIndex(self):
        return self.online

    def confirm(self, question):
        self.questions.append(question.replace("\u00a0", " "))
        return self.answer

    def installTorch(self, requirement):
        self.calls.append(("torch", requirement))
        self.state = replace(self.state, torch=self.torch)

    def uninstallTorch(self):
        self.calls.append("uninstall torch")
        self.state = replace(self.state, torch="", torchFault="")

    def reinstall(self, requirements, constraints):
        self.calls.append(("pip again", requirements, constraints))

    def install(self, requirements, constraints):
        self.calls.append(("pip", requirements, constraints))
        installed = {r.split(">")[0]: r.split(">=")[1].split(",")[0] for r in requirements}
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
    assert packages.installations == [
        ("torch", ">=2.1"),
        ("pip", ["monai>=1.6,<1.7", "safetensors>=0.4", "tqdm>=4.60"], ["torch==2.8.0", "numpy==2.0.2"]),
    ]


@pytest.mark.parametrize(
    "state, words",
    [
        (
            BARE,
            [
                "PyTorch",
                "0.3 GB to download, 0.8 GB on the disk",
                "some minutes",
                "monai, safetensors, tqdm",
                "50.0 GB are free",
            ],
        ),
        (replace(BARE, nvidia=True), ["3.9 GB to download, 6.7 GB on the disk, for the NVIDIA graphics card"]),
        (replace(BARE, nvidia=True, freeBytes=5 * 10**9), ["Only 5.0 GB are free there: make room first."]),
        (
            replace(READY, others=others(monai=""), freeBytes=10**9),
            ["• monai: less than 20 MB", "1.0 GB are free", "less than a minute"],
        ),
    ],
)
def test_the_one_question_says_what_is_installed_and_how_large_it_is(installer, state, words):
    packages = Packages(state)
    installer(packages).ensure()
    assert len(packages.questions) == 1
    for word in [*words, "this Slicer", "No image leaves this computer"]:
        assert word in packages.questions[0]
    assert ("PyTorch, which" in packages.questions[0]) == (not state.torch)


def test_no_space_between_a_number_and_its_unit_breaks():
    sizes = DownloadSize(replace(BARE, nvidia=True))
    for text in (sizes.ofTorch(), sizes.ofOthers(), sizes.room(True)):
        assert re.search(r"\d\u00a0[GM]B", text) and not re.search(r"\d [GM]B", text)


@pytest.mark.parametrize(
    "state, is_asked", [(BARE, False), (replace(READY, others=others(monai="")), True)], ids=["torch", "monai only"]
)
def test_nobody_is_asked_for_pytorch_where_its_extension_is_missing(installer, state, is_asked):
    packages = Packages(state)
    packages.hasTorchExtension = False
    if is_asked:
        installer(packages).ensure()
    else:
        with pytest.raises(InstallError, match="PyTorch extension is missing"):
            installer(packages).ensure()
    assert bool(packages.questions) == is_asked


def test_each_step_is_told_before_it_is_done(installer):
    packages, told = Packages(BARE), []
    installer(packages).ensure(lambda sentence: told.append((sentence, len(packages.installations))))
    assert told == [
        ("Looking for a Python package index…", 0),
        ("Installing PyTorch, which takes some minutes…", 0),
        ("Installing monai, safetensors, tqdm…", 1),
    ]


def test_a_user_who_cancels_while_pytorch_is_installed_gets_nothing_more(installer):
    packages = Packages(BARE)
    one = installer(packages)
    with pytest.raises(InstallError, match="cancelled; click Upscale again"):
        one.ensure(cancelled=lambda: bool(packages.installations))
    assert packages.installations == [("torch", ">=2.1")]
    one.ensure()
    assert packages.installations[1][0] == "pip"


def test_who_wants_to_know_is_told_once_something_was_installed(installer):
    heard = []
    for packages in (Packages(READY), Packages(BARE)):
        one = installer(packages)
        one.onInstalled = lambda: heard.append(1)
        one.ensure()
    assert heard == [1]


def test_pip_is_never_allowed_to_replace_torch_or_numpy(installer):
    packages = Packages(replace(READY, torch="2.2.2", numpy="1.26.4", others=others(monai="")))
    installer(packages).ensure()
    assert packages.installations == [("pip", ["monai>=1.4,<1.5"], ["torch==2.2.2", "numpy==1.26.4"])]


@pytest.mark.parametrize("changed", [{"torch": "2.9.1"}, {"numpy": "1.26.4"}, {"torch": ""}])
def test_an_installation_that_changed_torch_or_numpy_all_the_same_is_noticed(installer, changed):
    packages = Packages(replace(READY, others=others(monai="")))
    packages.install = lambda requirements, constraints: setattr(packages, "state", replace(READY, **changed))
    with pytest.raises(InstallError, match="changed PyTorch from 2.8.0.*NumPy from 2.0.2.*Check installation"):
        installer(packages).ensure()


def test_a_monai_that_cannot_be_installed_leaves_torch_alone(installer):
    packages = Packages(BARE)

    def fail(requirements, constraints):
        raise InstallError("monai could not be installed (exit status 1); see the Python console.")

    packages.install = fail
    with pytest.raises(InstallError, match="monai could not be installed"):
        installer(packages).ensure()
    assert packages.installations == [("torch", ">=2.1")]
    assert packages.state.torch == "2.8.0+cu126"


def test_another_monai_that_is_there_already_is_left_alone(installer):
    packages = Packages(replace(READY, others=others(monai="1.4.0", safetensors="")))
    installer(packages).ensure()
    assert packages.installations == [("pip", ["safetensors>=0.4"], ["torch==2.8.0", "numpy==2.0.2"])]


def test_a_package_that_is_too_old_counts_as_missing(installer):
    packages = Packages(replace(READY, others=others(safetensors="0.3.2")))
    installer(packages).ensure()
    assert packages.installations == [("pip", ["safetensors>=0.4"], ["torch==2.8.0", "numpy==2.0.2"])]


def test_without_a_connection_the_user_is_told_what_to_do_before_anything_is_tried(installer):
    packages = Packages(BARE, online=False)
    with pytest.raises(InstallError, match="no Python package index can be reached; connect .* README"):
        installer(packages).ensure()
    assert packages.installations == [] and packages.questions == []


def test_without_a_connection_an_installed_slicer_works(installer):
    installer(Packages(READY, online=False)).ensure()


def test_a_second_click_while_packages_are_installed_installs_nothing(installer):
    packages = Packages(BARE)
    one = installer(packages)
    refusals = []

    def install(requirement):
        for again in (one.ensure, lambda: one.repair(["monai"])):
            with pytest.raises(InstallError, match="just now; wait") as refusal:
                again()
            refusals.append(refusal)
        packages.state = replace(packages.state, torch="2.8.0")

    packages.installTorch = install
    one.ensure()
    assert len(refusals) == 2 and len(packages.questions) == 1


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
    with pytest.raises(InstallError, match="half-installed.*WinError 206.*Check installation"):
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


def test_a_torch_whose_installation_broke_off_is_named_instead_of_pips_exit_code(installer):
    packages = Packages(BARE)

    def break_off(requirement):
        packages.state = replace(packages.state, torch="2.13.0", torchFault="OSError: [WinError 206] too long")
        raise InstallError("PyTorch could not be installed (exit status 1); see the Python console.")

    packages.installTorch = break_off
    with pytest.raises(InstallError, match="half-installed.*WinError 206"):
        installer(packages).ensure()


def test_a_torch_that_is_too_old_is_named(installer):
    with pytest.raises(InstallError, match="2.0.1 is too old"):
        installer(Packages(replace(READY, torch="2.0.1"))).ensure()


def test_a_torch_that_did_not_arrive_is_noticed(installer):
    with pytest.raises(InstallError, match="not installed"):
        installer(Packages(BARE, torch="")).ensure()


def test_packages_that_did_not_arrive_are_noticed(installer):
    packages = Packages(replace(READY, others=others(monai="", safetensors="")))
    packages.install = lambda requirements, constraints: None
    with pytest.raises(InstallError, match="monai, safetensors was not installed"):
        installer(packages).ensure()


def test_a_python_that_no_monai_fits_is_told_so(installer):
    packages = Packages(replace(READY, torch="2.2.2", others=others(monai="")))
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


BROKEN = replace(BARE, torch="2.13.0+cpu", torchFault="OSError: [WinError 206]", others=READY.others)


def test_repair_replaces_a_half_installed_torch_by_another_version(installer):
    packages = Packages(BROKEN)
    assert installer(packages).repair(["torch"])
    assert packages.installations == ["uninstall torch", ("torch", ">=2.1,!=2.13.0")]
    assert len(packages.questions) == 1
    assert "PyTorch 2.13.0+cpu, which is there now, is removed first" in packages.questions[0]


def test_repair_replaces_a_torch_that_is_too_old(installer):
    packages = Packages(replace(READY, torch="2.0.1"))
    assert installer(packages).repair([])
    assert packages.installations == ["uninstall torch", ("torch", ">=2.1")]


def test_repair_puts_packages_that_do_not_load_in_place_again_without_touching_torch(installer):
    packages = Packages(replace(READY, others=others(tqdm="")))
    assert installer(packages).repair(["monai", "tqdm", "SimpleITK", "model mri-x4-compact"])
    constraints = ["torch==2.8.0", "numpy==2.0.2"]
    assert packages.installations == [
        ("pip", ["tqdm>=4.60"], constraints),
        ("pip again", ["monai>=1.6,<1.7"], constraints),
    ]
    assert "PyTorch, which" not in packages.questions[0]


def test_repair_leaves_alone_what_is_not_its_own(installer):
    packages = Packages(READY)
    assert not installer(packages).repair(["SimpleITK", "numpy", "model mri-x4-compact"])
    assert packages.installations == [] and packages.questions == []


def test_a_repair_that_the_user_declines_changes_nothing(installer):
    packages = Packages(BROKEN, answer=False)
    with pytest.raises(InstallError):
        installer(packages).repair(["torch"])
    assert packages.installations == []


def test_a_torch_whose_files_are_in_use_stays_and_the_user_is_told_to_restart(installer):
    packages = Packages(BROKEN)
    packages.uninstallTorch = lambda: None
    with pytest.raises(InstallError, match="restart Slicer"):
        installer(packages).repair(["torch"])
    assert packages.installations == []


def test_after_a_repair_that_failed_the_packages_are_looked_at_again(installer):
    packages = Packages(READY)
    one = installer(packages)
    one.ensure()
    packages.state, packages.answer = BROKEN, False
    with pytest.raises(InstallError):
        one.repair(["torch"])
    with pytest.raises(InstallError, match="half-installed"):
        one.ensure()


def probe(root, *names, path=None):
    script = root / "SuperResolution/SuperResolutionWidgets/Installation/probePackages.py"
    environment = {"PYTHONPATH": str(path)} if path else None
    answer = subprocess.run([sys.executable, str(script), *names], capture_output=True, text=True, env=environment)
    return PackageState(**json.loads(answer.stdout.splitlines()[-1]))


def test_the_probe_finds_what_is_installed_here(root):
    import numpy
    import torch

    state = probe(root, "safetensors", "surely-not-there")
    assert (state.torch, state.numpy, state.torchFault) == (torch.__version__, numpy.__version__, "")
    assert state.others["safetensors"] and state.others["surely-not-there"] == ""
    assert state.freeBytes > 0


def test_the_probe_tells_a_half_installed_torch_from_a_missing_one(root, tmp_path):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('[WinError 206] The filename is too long')")
    state = probe(root, path=tmp_path)
    assert state.torch
    assert state.torchFault == "OSError: [WinError 206] The filename is too long"
