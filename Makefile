# `make` alone says what there is. What each task does stands in course.py, which does the same where there is no make:
# python course.py test. It reads PYTHON, COLAB_PYTHON, VENV, COLAB_VENV, WORKERS, RUNS and LAB_OPTIONS:
# make PYTHON=python3.12 test   chooses another Python.
PYTHON ?= python3
TASKS = help lab setup test test-all test-browser test-colab lint notebooks stamp benchmark clean

.PHONY: $(TASKS)
.NOTPARALLEL:

# No path stands here: make cannot handle every letter that the name of a folder may have.
$(TASKS):
	@$(PYTHON) -c '' || { echo "$(PYTHON) cannot be run: name another with  make PYTHON=python3.12 $@"; exit 1; }
	@$(PYTHON) course.py $@
