"""`kill -9` fifty times at random moments: the checkpoint always loads, and the numbers are those of an undisturbed run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("kill_worker.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be forked")
def test_fifty_kills(tmp_path, capsys):
    done = subprocess.run([sys.executable, WORKER, tmp_path, "0"], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    n_in_write, epochs = sum(seen["in_write"]), seen["epochs"]
    with capsys.disabled():
        print(f"\n50 kills between the epochs 0 and {epochs[-1]}, {n_in_write} of them while a checkpoint was being written")
    assert seen["exits"] == [-9] * 50, "a child ended before it was killed"
    assert n_in_write > 0, "no kill hit a write: this run proves nothing"
    assert epochs == sorted(epochs), "a checkpoint went back in time"
    assert len(set(epochs)) > 10, "training hardly went on between the kills"
    assert seen["differs"] == [], "the killed and resumed run ended with other numbers"
