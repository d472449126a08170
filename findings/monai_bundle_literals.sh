#!/usr/bin/env bash
# The command line of MONAI bundles reads text as Python: a case called 1_2 becomes the number 12.
#
# Expected: a value that is not plainly a number is handed on as it was typed.
# Happens:  1_2 becomes 12, 12e3 becomes 12000.0, x#y is cut to x, and 1,2 becomes a tuple; 007 and sub-01 stay.
# Version:  MONAI 1.6.1 with Fire 0.7.1.
# Matters:  the names of cases, series and folders look just like that, and another case is processed, or its result is
#           written under another's name.
# Instead:  put quotes into the quotes: --case "'1_2'".
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 fire==0.7.1 pyyaml==6.0.3 numpy==2.4.6
observe <<'PYTHON'
import json
import pathlib
import subprocess
import sys

from finding import report

bundle = {"case": "", "run": ["$print('case:', repr(@case))"]}
pathlib.Path("config.json").write_text(json.dumps(bundle))


def arrives(text):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "config.json", "--case", text]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(line.removeprefix("case: ") for line in lines if line.startswith("case: "))


typed = ["1_2", "12e3", "x#y", "1,2", "007", "sub-01", "'1_2'"]
seen = {text: arrives(text) for text in typed}
report(
    "monai fire",
    "each as typed: " + ", ".join(typed),
    ", ".join(f"{text} -> {value}" for text, value in seen.items()),
    list(seen.values()) == ["12", "12000.0", "'x'", "(1, 2)", "'007'", "'sub-01'", "'1_2'"],
)
PYTHON
