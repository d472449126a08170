# make run    upscale an embedded scan (or INPUT=file) and draw before and after
# make test   run the tests
# Each sets up everything that it needs in .venv; PYTHON=python3.11 names another interpreter. On Windows: in Git Bash.

FACTOR ?= 4
INPUT ?= output/example.nrrd
VENV := .venv
ifeq ($(OS),Windows_NT)
PYTHON ?= python
RUN := $(VENV)/Scripts/python
else
PYTHON ?= python3
RUN := $(VENV)/bin/python
endif
PIP := $(RUN) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: run test benchmark clean

run: $(VENV)/installed
	mkdir -p output
	$(RUN) -m SuperResolutionLib.files.example output/example.nrrd
	$(RUN) -m SuperResolutionLib upscale "$(INPUT)" output/upscaled.nrrd --factor $(FACTOR) --report output/report.json
	$(RUN) -m SuperResolutionLib preview "$(INPUT)" output/before_after.png --factor $(FACTOR)
	@if [ -z "$$CI" ] && { [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; }; then \
	  $(RUN) -m webbrowser "file://$(CURDIR)/output/before_after.png"; fi

test: $(VENV)/installed-tests
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
# Types are those of the libraries that constraints.txt pins, which it does from Python 3.11 on.
	if $(RUN) -c "import sys; sys.exit(sys.version_info < (3, 11))"; then $(RUN) -m mypy; fi
	$(RUN) -m pytest

benchmark: $(VENV)/installed
	$(RUN) -m Testing.benchmark.benchmark
	$(RUN) -m Testing.benchmark.new_slices_time

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-tests: $(VENV)/installed
	$(PIP) --editable ".[training,cohorts,tests,slicer-tests]"
	touch $@

clean:
	rm -rf $(VENV) output build *.egg-info
