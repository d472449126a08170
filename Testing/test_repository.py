"""The repository itself: how it is cited, how large a clone of it is, what public CI runs, and what its pages name."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from SuperResolutionLib.version import VERSION

INDEX_LIMIT, MARGIN = 100e6, 10e6
"""Bytes: what the Extensions Index takes, its history of one commit included, and what is kept free below it."""


def text_of(path):
    return path.read_text(encoding="utf-8")


# ---------------------------------------------------------------- citation


@pytest.fixture
def citation(repository):
    return yaml.safe_load(text_of(repository / "CITATION.cff"))


def test_the_citation_states_the_version_the_licence_and_the_authors_that_the_program_has(repository, citation):
    assert citation["version"] == VERSION
    assert f'license = {{ text = "{citation["license"]}" }}' in text_of(repository / "pyproject.toml")
    cmake = text_of(repository / "CMakeLists.txt")
    (contributors,) = re.findall(r'set\(EXTENSION_CONTRIBUTORS "(.+)"\)', cmake)
    assert citation["authors"] == [{"name": contributors}]
    assert f'set(EXTENSION_HOMEPAGE "{citation["repository-code"]}#readme")' in cmake


def test_the_citation_refers_to_works_that_the_readme_names(repository, citation):
    readme = " ".join(text_of(repository / "README.md").split())
    assert len(citation["references"]) >= 3
    for work in citation["references"]:
        assert work["title"] in readme
        assert work["authors"][0]["family-names"] in readme


# ---------------------------------------------------------------- size


def test_a_clone_of_depth_1_as_the_extensions_index_makes_stays_well_below_its_limit(repository, tmp_path):
    entry = json.loads(text_of(repository / "Documentation" / "SuperResolution.json"))
    assert "scm_revision" not in entry, "with a revision the index clones all of the history"
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("these tests do not run from a git checkout")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", repository.as_uri(), str(clone)], check=True)
    assert (clone / "README.md").is_file()
    size = sum(path.stat().st_size for path in clone.rglob("*") if path.is_file())
    assert size < INDEX_LIMIT - MARGIN, f"{size / 1e6:.0f} MB"


# ---------------------------------------------------------------- the two commands


@pytest.mark.parametrize("system, python", [("Windows_NT", ".venv/Scripts/python"), ("Linux", ".venv/bin/python")])
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on the PATH")
def test_make_finds_the_python_of_the_virtual_environment_on_every_system(repository, system, python):
    command = ["make", "--dry-run", "--always-make", f"OS={system}", "run", "test"]
    environment = {**os.environ, "MAKEFLAGS": ""}  # those of the make that runs these tests
    made = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True, env=environment)
    lines = made.stdout.splitlines()
    programs = [line.split()[0] for line in lines if ".venv/" in line.split()[0]]
    assert len(programs) >= 6 and set(programs) == {python}
    assert f"{python} -m pytest" in lines


def test_public_ci_gives_the_readmes_two_commands_on_three_systems_and_the_oldest_and_newest_python(repository):
    workflow = yaml.safe_load(text_of(repository / ".github" / "workflows" / "tests.yml"))
    (job,) = workflow["jobs"].values()
    made = [step["run"] for step in job["steps"] if step.get("run", "").startswith("make")]
    (block,) = re.findall(r"## Two commands\n.*?```\n(.*?)```", text_of(repository / "README.md"), re.DOTALL)
    assert made == [line.split("#")[0].strip() for line in block.splitlines()]
    matrix = job["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "windows", "macos"}
    (oldest,) = re.findall(r'requires-python = ">=(.+)"', text_of(repository / "pyproject.toml"))
    assert matrix["python"] == [oldest, "3.12"]


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "Training/README.md"])
def test_every_file_in_a_table_of_where_to_change_what_is_there(repository, page):
    page = repository / page
    section = text_of(page).split("\n## Where to change what\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    names = re.findall(r"`([\w*./-]*/[\w*./-]*)`", "\n".join(rows))
    assert len(names) > 10
    for name in names:
        assert list(page.parent.glob(name)), name
