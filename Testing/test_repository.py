"""The repository itself: how it is cited."""

import re

import pytest
import yaml

from SuperResolutionLib.version import VERSION


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
