"""Training by several processes: the same result as by one, an end with a word when one is gone, and a way to go on."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vae_course import checkpoints, data, training
from vae_course.models import reference_vae
from vae_course.objectives import negative_elbo
from vae_course.training import __main__ as command_line
from vae_course.training import parallel

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("parallel_worker.py")
GREY = data.ImageSet(torch.full((40, 1, 28, 28), 100, dtype=torch.uint8), torch.arange(40) % 10)
SECONDS = 3600  # limit of one run of torchrun, on however busy a machine


def torchrun(n: int, *command: str) -> subprocess.Popen:
    """n processes on this machine, one thread each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": loopback()}
    return subprocess.Popen([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(n), "--master-addr",
                             "127.0.0.1", "--master-port", str(free_port()), *map(str, command)],
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def loopback() -> str:
    return "lo" if sys.platform.startswith("linux") else "lo0"


def free_port() -> int:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def finished(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


def weights(folder: Path, rank: int, size: int) -> dict[str, torch.Tensor]:
    return load_file(folder / f"weights_{rank}_of_{size}.safetensors")


def assert_equal_to_rounding(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-5, err_msg=name)


# ---------------------------------------------------------------- alone

def test_alone_nothing_is_shared():
    module = torch.nn.Linear(2, 2)
    assert (parallel.started(), parallel.rank(), parallel.size()) == (False, 0, 1)
    assert parallel.averaging_gradients(module) is module
    values = torch.tensor([1.0, 2.0])
    assert parallel.mean(values) is values
    assert parallel.start(torch.device("cpu")) == torch.device("cpu") and not parallel.started()
    before = torch.get_rng_state()
    parallel.seed_for_all(0, 1)
    parallel.seed_for_this_one(0, 1)
    assert torch.equal(torch.get_rng_state(), before)
    parallel.wait_for_all()
    parallel.stop()


# ---------------------------------------------------------------- two processes

@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with the weights of an undisturbed run by one process."""
    folder = tmp_path_factory.mktemp("whole")
    output = finished(torchrun(1, WORKER, folder, folder / "c.pt", "whole"))
    (folder / "output").write_text(output)
    return folder


def test_two_processes_give_what_one_gives_with_the_whole_batch(tmp_path, whole):
    runs = {1: (whole / "output").read_text(), 2: finished(torchrun(2, WORKER, tmp_path, tmp_path / "c.pt", "whole"))}
    one, two, other = weights(whole, 0, 1), weights(tmp_path, 0, 2), weights(tmp_path, 1, 2)
    assert all(torch.equal(two[name], other[name]) for name in two), "both processes hold the same model"
    assert_equal_to_rounding(one, two)
    losses = [[float(word) for line in output.splitlines() if line.startswith("losses") for word in line.split()[1:]]
              for output in runs.values()]
    assert len(losses[0]) == 4 and losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    seen = [load_file(tmp_path / f"classes_{rank}_of_2.safetensors")["condition.seen"].tolist() for rank in (0, 1)]
    assert seen == [[True, False, False, False, True, False]] * 2, "each process knows every class, whoever trained on it"


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2)])
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, whole, first, then):
    finished(torchrun(first, WORKER, tmp_path, tmp_path / "part.pt", "stopped"))
    finished(torchrun(then, WORKER, tmp_path, tmp_path / "part.pt", "resumed"))
    assert_equal_to_rounding(weights(tmp_path, 0, then), weights(whole, 0, 1))


# ---------------------------------------------------------------- the command line

@pytest.fixture(scope="module")
def fixed_set(tmp_path_factory) -> Path:
    """A data folder with a small file in the place of the fixed binarization: blobs that a network can learn."""
    folder = tmp_path_factory.mktemp("data")
    path = folder / data.FIXED_FILE
    path.parent.mkdir()
    generator = np.random.default_rng(0)
    patterns = generator.random((10, 784)) < 0.2
    pick = lambda n: np.packbits(patterns[generator.integers(0, 10, n)], axis=1)  # noqa: E731
    np.savez(path, train=pick(50_000), valid=pick(10_000), test=pick(10_000))
    return folder


def options(out: Path, *more: str) -> list[str]:
    return ["--data", "fixed", "--hidden-dim", "16", "--latent-dim", "2",
            "--batch-size", "2000", "--device", "cpu", "--epochs", "6", "--out", str(out), *more]


def test_one_process_of_two_is_killed(tmp_path, fixed_set, monkeypatch):
    monkeypatch.setenv(data.DATA_FOLDER_VARIABLE, str(fixed_set))
    module = ("-m", "vae_course.training")
    finished(torchrun(2, *module, *options(tmp_path / "whole")))
    process = torchrun(2, WORKER.with_name("dying_command.py"), *options(tmp_path / "killed"))
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode != 0
    assert "start again with --resume" in output, output
    # The second epoch was finished by both; its file is whole, or not there yet.
    assert len(torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)["history"]) in (1, 2)

    finished(torchrun(2, *module, *options(tmp_path / "killed", "--resume")))
    a, b = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert_equal_to_rounding(a, b)


def test_the_command_line_alone(tmp_path, fixed_set, monkeypatch, capsys):
    monkeypatch.setenv(data.DATA_FOLDER_VARIABLE, str(fixed_set))
    command_line.main(options(tmp_path, "--warm-up", "0.5"))
    assert "test ELBO" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "weights.safetensors", "history.json",
                                                          "samples.png", "reconstructions.png"}
    rows = json.loads((tmp_path / "history.json").read_text())
    assert len(rows) == 6 and rows[-1]["train_elbo"] > rows[0]["train_elbo"]
    model = reference_vae(latent_dim=2, hidden_dim=16)
    checkpoints.load_weights(model, tmp_path / "weights.safetensors")

    more = ("--warm-up", "0.5", "--resume", "--epochs", "7")
    with pytest.raises(SystemExit, match="epochs was 6, is now 7.*extend"):
        command_line.main(options(tmp_path, *more))
    command_line.main(options(tmp_path, *more, "--extend", "constant"))
    assert json.loads((tmp_path / "history.json").read_text())[:6] == rows
    assert len(json.loads((tmp_path / "history.json").read_text())) == 7


@pytest.mark.parametrize(("more", "message"), [
    (["--model", "cvae"], "--model cvae needs labels, and --data fixed has none"),
    (["--batch-size", "0"], "batch_size must be a whole number ≥ 1, got 0"),
    (["--device", "abacus"], "device must be one of"),
    (["--data", "mnist", "--binarization", "fixed", "--batch-size", "20"], "images must hold only 0 and 255"),
])
def test_the_command_line_says_what_is_wrong(tmp_path, fixed_set, monkeypatch, more, message):
    monkeypatch.setenv(data.DATA_FOLDER_VARIABLE, str(fixed_set))
    monkeypatch.setitem(command_line.DATA, "mnist", lambda device: data.ImageData("grey", GREY, GREY))
    with pytest.raises(SystemExit, match=re.escape(message)):
        command_line.main(options(tmp_path, *more))


def test_a_batch_must_be_shared_evenly(monkeypatch):
    monkeypatch.setattr(parallel, "size", lambda: 3)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the number of processes, 3, got 8"):
        training.fit(reference_vae(2, 3), negative_elbo, GREY.images, epochs=1, prepare=data.grey, batch_size=8)
