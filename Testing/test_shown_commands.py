"""Every command line that the pages show: the program's own are run as they are written, on small scans under the names
that the pages use. The others train for hours, install, or need the internet: their options are held against the parser
of the program that takes them, and their files and keys must be there.

What stands for something of the reader's is put in its place by ``STANDS_FOR``. What of the program's own is not run is
in ``NOT_RUN``, with the reason. README's block of ``monai.bundle run`` is run by test_bundles, the blocks of Python by
test_package, test_module_file and test_upscaled.
"""

import argparse
import glob
import importlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from monai.bundle import ConfigParser

from SuperResolutionLib.command_line.parser import parser
from SuperResolutionLib.command_line.program import main
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.bundles import BUNDLES
from Training.__main__ import BASES, CONFIGS

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "Training/*.md",
    "Documentation/*.md",
    "SuperResolutionLib/Bundles/*/docs/*.md",
)
STANDS_FOR = {
    "SCAN": "t1.nii.gz",
    "IN": "t1.nii.gz",
    "OUT": "out.nrrd",
    "SHARP...": "sharp1.nii.gz sharp2.nii.gz",
    "models/mine": "mri-x4-compact",
}
"""By what a page's word for something of the reader's is replaced, in a command line that is run."""
NOT_RUN = {
    r"--workers|--scheduler": "starts processes that import torch each; test_batch and test_folder start some",
    r"\bserve\b": "waits for requests on standard input; test_serve asks it",
    r" \.\.\. ": "shows options only, so its positional arguments are missing",
}
"""By a pattern of the line, why a line of the program's own is held against the parser only."""
PROGRAMS = ["superresolution", "python", ".venv/bin/python", "PythonSlicer", "pip", "make", "torchrun"]
MODEL = BUNDLES / "mri-x2-compact"
"""Where the README's block of ``monai.bundle run`` goes."""
OF_OTHERS = {
    "--standalone": "torchrun",
    "--nproc_per_node": "torchrun",
    "--no-main-window": "Slicer",
    "--python-script": "Slicer",
    "--additional-module-paths": "Slicer",
    "--extra-index-url": "pip",
    "--logdir": "tensorboard",
    "--config_file": "monai.bundle",
    "--input_dir": "a key of inference.json",
    "--output_dir": "a key of inference.json",
}
"""Options in running text whose program is not ours."""


# ---------------------------------------------------------------- what the pages show


def pages(repository):
    return [path for pattern in PAGES for path in sorted(repository.glob(pattern))]


FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def blocks(text):
    """Return the fenced blocks of no language, which are the shell's, as lists of whole lines of command."""
    found = [block for language, block in FENCED.findall(text) if not language and "->" not in block]
    return [re.sub(r" *\\\n *", " ", block).splitlines() for block in found]


def in_text(text):
    """Return what stands between backticks in the running text, on one line each."""
    return [" ".join(words.split()) for words in re.findall(r"`([^`]+)`", FENCED.sub("", text))]


def words_of(line):
    """Return the words of a line as a shell sees them: without comment, patterns of file names not yet filled in."""
    return shlex.split(line, comments=True)


def shown(repository):
    """Return ``(page, line)`` of each command line, in the pages' order."""
    found = []
    for page in pages(repository):
        text = page.read_text(encoding="utf-8")
        lines = [line.strip() for block in blocks(text) for line in block if line.strip()]
        lines += [line for line in in_text(text) if " " in line and line.split()[0] in PROGRAMS]
        found += [(page.relative_to(repository).as_posix(), line) for line in lines]
    return found


def lines_of(repository, *programs):
    return [(page, line) for page, line in shown(repository) if words_of(line)[: len(programs)] == list(programs)]


# ---------------------------------------------------------------- the program's own


@pytest.fixture
def home(tmp_path, monkeypatch, write_stack):
    """The folder to stand in, with all that the pages' command lines name."""
    random = np.random.default_rng(0)

    def write(name, shape=(6, 32, 32), spacing=(1.0, 1.0, 3.0), origin=(0.0, 0.0, 0.0)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        matrix = np.diag([*spacing, 1.0])
        matrix[:3, 3] = origin
        k, j, i = np.indices(shape)
        voxels = 300 + 200 * np.sin(i / 3 + k) * np.cos(j / 4) + random.normal(0, 9, shape)
        write_volume(Volume(np.rint(voxels).astype(np.int16), matrix, "MR"), path)

    write("t1.nii.gz", (4, 40, 40), (2.5, 2.5, 12.0), (-45, -25, 10))  # it covers the box that the README cuts out
    for name in ("t2_axial.nii.gz", "scans/a/t1.nii.gz", "scans/b/t1.nrrd"):
        write(name)
    for name in ("tra.nrrd", "cor.nrrd", "sag.nrrd"):
        write(name, (12, 32, 32))
    for name in ("sharp1.nii.gz", "sharp2.nii.gz", "HELD-OUT/other.nii.gz"):
        write(name, (2, 24, 24), (1.0, 1.0, 1.0))
    write("HELD-OUT/t1_siemens-skyra_child3y.nii.gz", (24, 2, 24), (1.0, 1.0, 1.0))
    (tmp_path / "runs" / "x4").mkdir(parents=True)  # the training's
    for name in ("studies/p1/tra.nrrd", "studies/p1/cor.nrrd"):
        write(name, (12, 32, 32))
    for number in (3, 4, 5):
        write_stack(tmp_path / "exam" / str(number), read_volume(tmp_path / "tra.nrrd"), number)
    (tmp_path / "fuse.csv").write_text("output,scan1,scan2\np1.nrrd,p1/tra.nrrd,p1/cor.nrrd\n", encoding="utf-8")
    write_dicom(tmp_path / "t1_series", {"1.2.3.4": [3.0]})
    write_dicom(tmp_path / "study", {"1.2.840.113619.2.5.1": [3.0], "1.2.840.113619.2.5.2": [3.0]})
    write_dicom(tmp_path / "mapping", {"1.2.3.5": [3.0, 9.0]})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def write_dicom(folder, echoes_by_series):
    from pydicom.data import get_testdata_file

    folder.mkdir()
    for series, echoes in echoes_by_series.items():
        for number, echo in enumerate(echo for echo in echoes for _ in range(3)):
            data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
            data.SeriesInstanceUID, data.EchoTime = series, echo
            data.ImagePositionPatient = [-10, -10, 2.0 * (number % 3)]
            data.save_as(folder / f"{series}-{number}.dcm")


def as_a_shell_fills_in(words):
    """Return words with a page's stand-ins replaced, ``~`` and patterns of file names filled in."""
    filled = [part for word in words for part in STANDS_FOR.get(word, word).split()]
    return [
        name
        for word in map(os.path.expanduser, filled)
        for name in (sorted(glob.glob(word)) if "*" in word and not word.startswith("--") else [word])
    ]


def test_every_command_line_of_our_program_runs_as_it_is_written(repository, home, capfd):
    ran = []
    for page, line in lines_of(repository, "superresolution"):
        words = as_a_shell_fills_in(words_of(line)[1:])
        if any(re.search(pattern, line) for pattern in NOT_RUN):
            check_options_of_our_program(words)
        elif len(words) > 1 or words[0] in ("models", "doctor"):
            assert main(words) == 0, f"{page}: {line}\n{capfd.readouterr().err}"
            ran.append(line)
        else:
            assert words[0] in our_commands(), f"{page}: {line}"
    assert len(ran) > 25


def our_commands():
    (commands,) = (action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return commands


def check_options_of_our_program(words):
    known = {option for action in our_commands()[words[0]]._actions for option in action.option_strings}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


# ---------------------------------------------------------------- trainings, measurements, packages


class Parsed(Exception):
    """The options were taken; what would follow takes hours."""


@pytest.fixture
def parsed_only(monkeypatch):
    """End a program when its parser has taken its options, and raise what it says where it does not take them."""
    take = argparse.ArgumentParser.parse_args

    def take_and_end(self, *arguments, **options):
        raise Parsed(take(self, *arguments, **options))

    def complain(self, message):
        raise ValueError(message)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", take_and_end)
    monkeypatch.setattr(argparse.ArgumentParser, "error", complain)


def test_every_command_line_of_training_and_of_the_measurements_is_taken_by_its_own_parser(
    repository, parsed_only, tmp_path, monkeypatch
):
    (tmp_path / "Documentation").mkdir()
    monkeypatch.chdir(tmp_path)
    tried = 0
    for page, line in shown(repository):
        module, arguments = module_and_arguments(words_of(line))
        if module.split(".")[0] not in ("Training", "Testing") or not arguments:
            continue
        shows_some = line.endswith(" ...")
        monkeypatch.setattr(sys, "argv", [module, *(arguments[:-1] if shows_some else arguments)])
        try:
            runpy.run_module(f"{module}.__main__" if module == "Training" else module, run_name="__main__")
        except Parsed as end:
            if module == "Training":
                check_keys(repository, vars(end.args[0]), f"{page}: {line}")
        except ValueError as end:
            assert shows_some and "required" in str(end), f"{page}: {line}\n{end}"
        else:
            assert module == "Training.degradation.figure", f"{page}: {line} has no parser"
        tried += 1
    assert tried > 20 and (tmp_path / "Documentation" / "degradation.png").exists()


def module_and_arguments(words):
    """Return what ``python -m`` or ``torchrun -m`` is to run, and with what; two empty ones of another line."""
    if words[:2] == ["python", "-m"]:
        return words[2], words[3:]
    if words[0] == "torchrun":
        from torch.distributed.run import get_args_parser

        taken, _ = get_args_parser().parse_known_args(words[1:])
        assert taken.module
        return taken.training_script, taken.training_script_args
    return "", []


def check_keys(repository, options, where):
    """Check that the configurations of a training have all keys that a command line sets."""
    command, own = options.pop("command"), options.pop("config")
    keys = [assignment.partition("=")[0] for assignment in options.pop("set")]
    files = [CONFIGS / name for name in (*BASES.get(command, []), f"{command}.yaml")]
    files += [repository / name for name in own]
    check_configuration(list(map(str, files)), [*options, *keys], where)


def check_configuration(files, keys, where):
    config = ConfigParser()
    config.read_config(files)
    for key in keys:
        content = config.get()
        for part in re.split("#|::", key):
            assert part in content, f"{where}: there is no key {key}"
            content = content[part]


def test_what_monai_is_to_run_has_the_files_and_the_keys(repository, monkeypatch):
    tried = 0
    for page, line in shown(repository):
        module, words = module_and_arguments(words_of(line))
        if module != "monai.bundle" or "--config_file" not in words:
            continue
        here = (repository / page).parent
        in_a_model = "configs/inference.json" in words
        monkeypatch.chdir((here.parent if here.name == "docs" else MODEL) if in_a_model else repository)
        files = re.findall(r"[^\[\]',]+", words[words.index("--config_file") + 1])
        keys = [word[2:] for word in words if word.startswith("--") and word != "--config_file"]
        check_configuration(files, keys, f"{page}: {line}")
        tried += 1
    assert tried >= 8


def test_pip_takes_what_it_is_given_and_the_extras_are_there(repository):
    commands = pytest.importorskip("pip._internal.commands")
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    lines = [words_of(line) for _, line in shown(repository)]
    for words in lines:
        if words[0] == "pip" or words[1:3] == ["-m", "pip"]:
            name, *arguments = words[1:] if words[0] == "pip" else words[3:]
            _, named = commands.create_command(name).parse_args(arguments)
            for extra in re.findall(r"^\.\[(.*)\]$", "\n".join(named), re.MULTILINE):
                assert re.search(rf"^{extra} = \[", text, re.MULTILINE), extra


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on the PATH")
def test_make_has_what_it_is_asked_for(repository):
    targets = set()
    for page, line in lines_of(repository, "make"):
        command = ["make", "--dry-run", *words_of(line)[1:]]
        made = subprocess.run(
            command, cwd=repository, capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""}
        )
        assert made.returncode == 0, f"{page}: {line}\n{made.stderr}"
        targets.add(words_of(line)[1])
    assert targets >= {"run", "test", "benchmark"}


def test_the_tools_that_contributors_call_find_their_files_and_tests(repository):
    sources = "".join(path.read_text(encoding="utf-8") for path in (repository / "Testing").rglob("*.py"))
    lines = [line for _, line in shown(repository) if ".venv/bin/python" in line.split("#")[0]]
    assert len(lines) >= 4
    for line in lines:
        words = words_of(line)
        while words[0].startswith("SUPERRESOLUTION_"):
            assert f'environ.get("{words.pop(0).partition("=")[0]}"' in sources, line
        tool, *arguments = words[2:]
        importlib.import_module(tool)
        for word in arguments:
            assert word in ("-k", "format", ".") or (repository / word).exists() or word in sources, line


# ---------------------------------------------------------------- nothing else


def test_no_page_shows_a_program_that_no_test_here_knows(repository):
    for page, line in shown(repository):
        words = words_of(line)
        while re.match("[A-Z]+=|SUPERRESOLUTION_[A-Z]+=", words[0]):
            words.pop(0)
        first, *rest = words
        if first == "cd":
            assert (repository / rest[0]).is_dir(), line
        elif first == "sed":  # it makes a copy of a preset that names another file
            assert rest[0].split("|")[1] in (repository / rest[1]).read_text(encoding="utf-8"), line
        elif first == "sh" or (first == "python" and rest[0] != "-m"):
            assert (repository / rest[0]).is_file(), line
        else:
            assert first in PROGRAMS, f"{page}: {line}"
            if first == "python":
                assert rest[1].split(".")[0] in ("Training", "Testing", "monai", "SuperResolutionLib"), line


def test_every_option_in_running_text_exists(repository):
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("SuperResolutionLib/command_line", "Training", "Testing/benchmark")
        for path in (repository / folder).rglob("*.py")
    ]
    known = {option for source in sources for option in re.findall(r'"(--[a-z][\w-]*)"', source)} | set(OF_OTHERS)
    for page in pages(repository):
        for words in in_text(page.read_text(encoding="utf-8")):
            for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", words):
                assert option in known, f"{page}: `{words}`"
