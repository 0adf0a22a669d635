# Everything runs in .venv, which is made on first use from exact pins.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo

.PHONY: demo test test-slow bench lint docs site dist sbom clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

# Sample data, manifest, training, bundle, bench, submission, score, report: a few minutes on 2 cores.
demo: $(STAMP)
	rm -rf $(DEMO)
	$(BIN)/leansort run sample --out $(DEMO)
	@echo "Open $(CURDIR)/$(DEMO)/report.html"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Two at a time; a file's tests stay together, for they share what they made. In the order of the folders, so that the
# short ones come last and no worker is left alone with a long file.
test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" -rf

# Each worker takes the next test; those of an `xdist_group` share what took long to make and stay with one worker.
test-slow: $(STAMP)
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder -m slow -rf

# One file a claim; each prints ours against the reference and writes benchmarks/out/NAME.json.
bench: $(STAMP)
	$(BIN)/python benchmarks/run_all.py

docs: $(STAMP)
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.architecture
	$(BIN)/python -m docs.licences

# A wheel and a source distribution, checked as the package index would.
dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*

# What is installed here as a bill of materials (CycloneDX), with licences and the versions that were seen to work.
sbom: $(STAMP)
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.cdx.json $(BIN)/python

# The documentation as pages that need neither a server nor the network: open site/index.html.
site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open $(CURDIR)/site/index.html"

clean:
	rm -rf $(VENV) $(DEMO) site runs benchmarks/out
