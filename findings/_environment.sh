# shellcheck shell=bash
# Sourced by every finding: the folder and the packages it runs in, and how it reports. Nothing outlives the script.
#
#   environment NAME==VERSION ...   makes a temporary folder with a virtual environment that holds these packages
#   observe <<'PYTHON'              runs a program there, which ends in report(packages, expected, seen, as_stated)
#
# PYTHON names the interpreter to build on, python3.11 unless set.

environment() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "${PYTHON:-python3.11}" -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check "$@"
    mkdir "$folder/work"
    cat > "$folder/finding.py" <<'PYTHON'
from importlib.metadata import version


def report(packages, expected, seen, as_stated):
    """Print what one expects and what was seen; fail unless it is as the script states."""
    print("version: ", ", ".join(f"{package} {version(package)}" for package in packages.split()))
    print("expected:", expected)
    print("seen:    ", seen)
    if not as_stated:
        raise SystemExit("changed:  this is not what the script states")
PYTHON
}

observe() {
    (cd "$folder/work" && PYTHONPATH="$folder" "$folder/venv/bin/python" -W ignore -)
}
