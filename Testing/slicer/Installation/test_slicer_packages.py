"""Slicer's own Python, pip and PyTorch extension, as ``SlicerPackages`` speaks to them."""

import inspect
import os
import subprocess
import sys
import types
import zipfile

import pytest

pytest.importorskip("slicer", reason="slicer.util comes with slicer-core")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Installation.InstallError import InstallError  # noqa: E402
from SuperResolutionWidgets.Installation.SlicerPackages import SlicerPackages  # noqa: E402


@pytest.fixture
def application(monkeypatch):
    """Stands in for ``slicer.app``, which only the application has; counts how often the window was served."""
    application = types.SimpleNamespace(served=0, testing=False)
    application.processEvents = lambda: setattr(application, "served", application.served + 1)
    application.testingEnabled = lambda: application.testing
    monkeypatch.setattr(slicer, "app", application, raising=False)
    return application


@pytest.fixture
def packages(application, monkeypatch, tmp_path):
    """SlicerPackages whose PythonSlicer is the Python of these tests."""
    programs = tmp_path / "programs"
    programs.mkdir()
    launcher = programs / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return SlicerPackages()


@pytest.fixture
def pip(monkeypatch):
    """What pip was asked for, by ``slicer.util.pip_install``; a constraints file is replaced by its content."""
    calls = []

    def pip_install(requirements):
        assert type(requirements) is list  # as Slicer checks
        position = requirements.index("-c") + 1
        with open(requirements[position], encoding="utf-8") as file:
            calls.append([*requirements[:position], file.read(), *requirements[position + 1 :]])

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    return calls


@pytest.fixture
def torch_utils(monkeypatch):
    """The PyTorch extension, with the signatures of its logic."""
    module = types.ModuleType("PyTorchUtils")
    module.calls = []

    class PyTorchUtilsLogic:
        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            module.calls.append(("install", askConfirmation, torchVersionRequirement))

        def uninstallTorch(self, askConfirmation=False, forceComputationBackend=None):
            module.calls.append(("uninstall",))

    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return module


def test_the_packages_are_looked_up_in_slicers_python_while_the_window_lives(packages, application):
    import torch

    state = packages.inspect(["safetensors", "absent-package"])
    assert (state.torch, state.torchFault) == (torch.__version__, "")
    assert state.others["safetensors"] and not state.others["absent-package"]
    assert application.served > 3


def test_without_pythonslicer_one_sentence_says_so(application, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match="PythonSlicer, which comes with Slicer, was not found"):
        SlicerPackages().inspect([])


def test_a_python_that_does_not_answer_is_named_with_its_last_line(packages, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(InstallError, match="could not be asked for its packages: .+"):
        packages.inspect([])


def test_nothing_may_be_installed_while_slicer_tests(packages, application):
    assert packages.mayInstall()
    application.testing = True
    assert not packages.mayInstall()


def test_the_index_is_reached_as_pip_is_configured_here(packages, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert not packages.reachIndex()
    with zipfile.ZipFile(tmp_path / "safetensors-0.5.0-py3-none-any.whl", "w") as wheel:
        information = "safetensors-0.5.0.dist-info"
        wheel.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: safetensors\nVersion: 0.5.0\n")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
    assert packages.reachIndex()


def test_torch_comes_and_goes_through_the_pytorch_extension(packages, torch_utils):
    packages.installTorch(">=2.1")
    packages.uninstallTorch()
    assert torch_utils.calls == [("install", False, ">=2.1"), ("uninstall",)]


@pytest.mark.parametrize(
    "action",
    [lambda p: p.installTorch(">=2.1"), lambda p: p.uninstallTorch(), lambda p: p.checkTorchExtension()],
)
def test_without_the_pytorch_extension_the_user_is_told_where_to_get_it(packages, monkeypatch, action):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(InstallError, match="Extensions Manager .*, install PyTorch, restart Slicer"):
        action(packages)


def test_a_failure_of_the_pytorch_extension_becomes_a_sentence(packages, torch_utils, monkeypatch):
    def fail(self, **options):
        raise RuntimeError("exit status 1")

    monkeypatch.setattr(torch_utils.PyTorchUtilsLogic, "installTorch", fail)
    with pytest.raises(InstallError, match=r"PyTorch could not be installed \(exit status 1\)"):
        packages.installTorch(">=2.1")


CONSTRAINTS = ["torch==2.8.0", "numpy==2.0.2"]


def test_before_slicer_5_12_pip_gets_the_constraints_as_a_file(packages, pip, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    packages.install(["monai>=1.5,<1.6"], CONSTRAINTS)
    assert pip == [["-c", "torch==2.8.0\nnumpy==2.0.2", "monai>=1.5,<1.6"]]


def test_from_slicer_5_12_on_its_packaging_installs(packages, pip, monkeypatch):
    calls = []
    packaging = types.ModuleType("slicer.packaging")

    def pip_ensure(
        requirements,
        constraints=None,
        skip_packages=None,
        prompt_install=True,
        prompt_restart=True,
        requester=None,
        skip_in_testing=True,
        show_progress=True,
    ):
        with open(constraints, encoding="utf-8") as file:
            calls.append((requirements, file.read(), prompt_install, prompt_restart, requester))

    packaging.pip_ensure = pip_ensure
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    packages.install(["monai>=1.5,<1.6"], CONSTRAINTS)
    assert calls == [(["monai>=1.5,<1.6"], "torch==2.8.0\nnumpy==2.0.2", False, False, "Super Resolution")]
    assert not pip


def test_installing_again_touches_these_packages_only(packages, pip):
    packages.reinstall(["monai>=1.5,<1.6"], CONSTRAINTS)
    assert pip == [["--force-reinstall", "--no-deps", "-c", "torch==2.8.0\nnumpy==2.0.2", "monai>=1.5,<1.6"]]


def test_a_failure_of_pip_becomes_a_sentence(packages, monkeypatch):
    def fail(requirements):
        raise RuntimeError("exit status 1")

    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", fail)
    for act in (packages.install, packages.reinstall):
        with pytest.raises(InstallError, match=r"monai, tqdm could not be installed \(exit status 1\)"):
            act(["monai", "tqdm"], CONSTRAINTS)


def test_pips_command_line_is_left_out_of_the_sentence(packages, monkeypatch):
    def fail(requirements):
        raise subprocess.CalledProcessError(1, ["/opt/Slicer/bin/PythonSlicer", "-m", "pip", "install"])

    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", fail)
    with pytest.raises(InstallError) as refusal:
        packages.install(["monai"], CONSTRAINTS)
    assert str(refusal.value) == "monai could not be installed (pip ended with 1); see the Python console."


def test_a_packaging_that_never_asks_for_a_restart_is_not_told_not_to(packages, pip, monkeypatch):
    calls = []
    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = lambda requirements, constraints, prompt_install, requester: calls.append(requirements)
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    packages.install(["monai"], CONSTRAINTS)
    assert calls == [["monai"]]


def test_the_question_is_slicers_own_dialog(packages, monkeypatch):
    asked = []
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, windowTitle=None: asked.append((text, windowTitle)) or True
    )
    assert packages.confirm("Install now?")
    assert asked == [("Install now?", "Super Resolution")]


def test_slicer_packages_speaks_the_protocol():
    from SuperResolutionWidgets.Installation.PythonPackages import PythonPackages

    for name, wanted in inspect.getmembers(PythonPackages, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(getattr(SlicerPackages, name)).parameters) == list(
                inspect.signature(wanted).parameters
            ), name
