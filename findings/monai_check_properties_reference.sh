#!/usr/bin/env bash
# A bundle workflow cannot check a training whose handlers are a reference to a list.
#
# Expected: check_properties says whether properties are missing; "handlers": "@all_handlers" is as good as the list itself,
#           since every item of a bundle's configuration may be a reference.
# Happens:  it walks through the letters of the reference and ends with "string indices must be integers".
# Version:  MONAI 1.6.1.
# Matters:  who shares one list of handlers between files gets a traceback from the check, though the bundle trains.
# Instead:  write the list under train#handlers, and refer to that one from elsewhere.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 pyyaml==6.0.3 numpy==2.4.6
observe <<'PYTHON'
import json
import pathlib

from finding import report
from monai.bundle import ConfigWorkflow
from monai.bundle.properties import MetaProperties, TrainProperties

META = [wanted["id"].split("::")[1] for wanted in MetaProperties.values()]
pathlib.Path("metadata.json").write_text(json.dumps(dict.fromkeys(META, "there")))


def bundle(handlers):
    """Return a training that has every required property, and these handlers."""
    config = {"train": {"handlers": handlers}, "all_handlers": [{"_target_": "StatsHandler"}], "initialize": []}
    for wanted in sorted(TrainProperties.values(), key=lambda wanted: -wanted["id"].count("::")):
        *folders, name = wanted["id"].split("::")
        place = config
        for folder in folders:
            place = place.setdefault(folder, {})
        if wanted["required"]:
            place.setdefault(name, "there")
    return config


def checked(handlers):
    pathlib.Path("train.json").write_text(json.dumps(bundle(handlers)))
    workflow = ConfigWorkflow("train.json", meta_file="metadata.json", logging_file=False, workflow_type="train")
    workflow.initialize()
    try:
        return f"missing: {workflow.check_properties()}"
    except TypeError as error:
        return f"TypeError: {error}"


seen = [checked([{"_target_": "StatsHandler"}]), checked("@all_handlers")]
report(
    "monai",
    "missing: [] for both",
    f"the list itself: {seen[0]}; a reference to it: {seen[1]}",
    seen[0] == "missing: []" and seen[1].startswith("TypeError: string indices must be integers"),
)
PYTHON
