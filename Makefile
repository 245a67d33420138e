# `make` alone says what there is. PYTHON=python3.12 make test   chooses another Python.
PYTHON ?= python3
COLAB_PYTHON ?= python3.13
VENV ?= .venv
COLAB_VENV ?= .venv-colab
BIN = $(VENV)/bin
COLAB_BIN = $(COLAB_VENV)/bin

# Jupyter refuses to run as root unless told to; in a container there is often no other user.
LAB_OPTIONS ?= $(if $(filter 0,$(shell id -u)),--allow-root)

# How many processes share the tests, with one thread each; every notebook and every file of tests is run by one of them.
WORKERS ?= 2

# How many times `make test-browser` runs the browser tests.
RUNS ?= 1

.PHONY: help lab test test-browser test-colab lint notebooks stamp benchmark clean

help:
	@echo "make lab         set up $(VENV) and open the course in JupyterLab"
	@echo "make test        set up $(VENV) and run every test and every notebook"
	@echo "make test-browser RUNS=10   run the browser tests ten times and count the runs that passed (needs chromium)"
	@echo "make test-colab  run every notebook with the package versions of a Colab session (Python 3.13)"
	@echo "make lint        check the style of the code"
	@echo "make notebooks   execute every notebook and store its outputs"
	@echo "make stamp       write the repository's address (pyproject.toml) into badges and set-up cells"
	@echo "make benchmark   time the trainer against the textbook script (needs the full MNIST)"
	@echo "make clean       remove $(VENV), $(COLAB_VENV) and build folders; MNIST is downloaded again after that"

# The environment is made once, and again when the lists of packages change.
$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The course needs Python 3.11 or newer, and $(PYTHON) is older or missing: try  make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); PyTorch is large, so this takes a few minutes the first time."
	@$(PYTHON) -m venv --clear $(VENV) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

lab: $(VENV)/.ready
	@echo "Opening notebooks/00_start_here.ipynb in JupyterLab; stop it with Ctrl-C."
	@cd notebooks && $(abspath $(BIN))/python -m jupyter lab $(LAB_OPTIONS) 00_start_here.ipynb

test: $(VENV)/.ready
	@echo "Running the browser tests (skipped without chromium), which share the machine with nothing else."
	@$(BIN)/python -m pytest tests/browser
	@echo "Running the other tests and every notebook in $(WORKERS) processes."
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore=tests/browser

# Skipped tests would pass: without a browser this says so and fails.
test-browser: $(VENV)/.ready
	@cd tests/browser && $(abspath $(BIN))/python -c 'import lab, playwright, sys; sys.exit(not lab.find_chromium())' || \
		{ echo "The browser tests need chromium: apt-get install chromium, or set CHROMIUM to the path of one"; exit 1; }
	@passed=0; for run in $$(seq $(RUNS)); do \
		echo "Run $$run of $(RUNS)"; \
		if $(BIN)/python -m pytest tests/browser; then passed=$$((passed + 1)); fi; \
	done; echo "$$passed of $(RUNS) runs passed"; test $$passed -eq $(RUNS)

# What the course installs must leave every package of a Colab session as it was.
$(COLAB_VENV)/.ready: requirements-colab.txt pyproject.toml
	@$(COLAB_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || \
		{ echo "Colab has Python 3.13: name one with  make COLAB_PYTHON=/path/to/python3.13 test-colab"; exit 1; }
	@echo "Setting up $(COLAB_VENV) with the package versions of a Colab session."
	@$(COLAB_PYTHON) -m venv --clear $(COLAB_VENV)
	@$(COLAB_BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-colab.txt
	@$(COLAB_BIN)/python -m pip freeze --exclude-editable > $(COLAB_VENV)/before.txt
	@$(COLAB_BIN)/python -m pip install --quiet --disable-pip-version-check -e . -c requirements-colab.txt
	@$(COLAB_BIN)/python -m pip install --quiet --disable-pip-version-check nbval nbformat -c requirements-colab.txt
	@$(COLAB_BIN)/python -m pip freeze --exclude-editable > $(COLAB_VENV)/after.txt
	@! grep -vxFf $(COLAB_VENV)/after.txt $(COLAB_VENV)/before.txt || { echo "The course replaced these packages of Colab's."; exit 1; }
	@touch $@

test-colab: $(COLAB_VENV)/.ready
	@echo "Running every notebook, and the explorers' tests, with the versions of a Colab session."
	@$(COLAB_BIN)/python -m pytest notebooks tests/test_widgets.py tests/test_explorers.py tests/test_latent.py

lint: $(VENV)/.ready
	@$(BIN)/ruff check .

notebooks: $(VENV)/.ready
	@$(BIN)/python tools/notebooks.py execute

stamp: $(VENV)/.ready
	@$(BIN)/python tools/notebooks.py stamp

benchmark: $(VENV)/.ready
	@$(BIN)/python benchmarks/train_speed.py

clean:
	rm -rf $(VENV) $(COLAB_VENV) build notebooks/build
