"""The benchmarks' counts against other counts, and that they run. Nothing here is timed."""

import dataclasses
import importlib
import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from vae_course import data, models, objectives
from vae_course.training.feeding import Resident
from vae_course.training.step import PreparedLoss, TrainingStep

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted({path.stem for path in FOLDER.glob("*.py")} - {"common"})
N = 256


@pytest.fixture
def script(monkeypatch):
    """Imports a benchmark by its name, as if it were started from its folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture
def gpu_speed(script):
    return script("gpu_speed")


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    """(n, 1, 28, 28) uint8: noise around one of two patterns."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randint(0, 200, (2, 1, 28, 28), generator=torch.Generator().manual_seed(7))
    which = torch.randint(0, 2, (n,), generator=generator)
    return (patterns[which] + torch.randint(0, 56, (n, 1, 28, 28), generator=generator)).to(torch.uint8)


def one_step(batch_size: int, loss_fn=objectives.negative_elbo, prepare=data.grey) -> TrainingStep:
    """A step of fit on the reference VAE, which has been run once."""
    n_steps = N // batch_size
    step = TrainingStep(PreparedLoss(models.reference_vae(activation=nn.SiLU), loss_fn, prepare), Resident((pictures(N),)),
                        rates=torch.full((n_steps,), 1e-3), progress=torch.arange(n_steps) / n_steps, batch_size=batch_size,
                        max_grad_norm=1.0, bf16=False)
    step.begin_epoch(0)
    step()
    step.begin_epoch(0)
    return step


# ---------------------------------------------------------------- every script

@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_does(name, script, monkeypatch, capsys):
    module = script(name)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as end:
        module.main()
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert module.__doc__.splitlines()[0] in said and f"python benchmarks/{name}.py" in said


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_readme_names_it(name):
    assert f"`{name}.py`" in (FOLDER / "README.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------- what they share

CHILD = """
import os
import common
args = common.parser("a script").parse_args()
print("Data: a line of another kind")
common.answer({"twice": 2 * args.child["number"], "device": args.device, "folder": args.folder, "sum": os.environ["SUM"]})
"""
TOO_HARD = """raise ValueError("the work is too hard")"""


@pytest.fixture
def ask_child(script, tmp_path, monkeypatch):
    """Gives a script work, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", f"{FOLDER}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    args = script("common").parser("").parse_args(["--device", "cpu", "--folder", "a folder"])

    def ask(source: str, work: dict):
        (tmp_path / "child.py").write_text(source)
        return script("common").run_child(str(tmp_path / "child.py"), work, args, environment={"SUM": "1 + 1"})
    return ask


def test_a_child_gets_its_work_and_answers(ask_child):
    answer, printed = ask_child(CHILD, {"number": 21.5})
    assert answer == {"twice": 43.0, "device": "cpu", "folder": "a folder", "sum": "1 + 1"}
    assert printed[0] == "Data: a line of another kind"


def test_a_child_that_fails_says_why(ask_child, script):
    with pytest.raises(script("common").ChildFailed, match=r"child.py --child (?s:.*) failed:\n(?s:.*)too hard") as failed:
        ask_child(TOO_HARD, {"number": 1})
    assert failed.value.reason == "ValueError: the work is too hard"


def test_the_line_about_the_machine(script):
    line = script("common").machine("cpu", 0.126, threads=", 3 thread(s) a process", versions=", sympy 1.14")
    assert ", 3 thread(s) a process; Python 3." in line and f"torch {torch.__version__}, sympy 1.14; 20" in line
    assert line.endswith("; load before: 0.13")


# ---------------------------------------------------------------- what an epoch consists of

@pytest.mark.parametrize("batch_size", [32, 128])
def test_the_operations_of_a_step_are_those_that_torch_counts(batch_size, script):
    step = one_step(batch_size)
    with FlopCounterMode(display=False) as counter:
        step()
    assert counter.get_total_flops() == batch_size * script("train_speed").FLOP_PER_IMAGE


def test_the_parameters_and_adams_numbers_are_those_of_the_model(gpu_speed):
    step = one_step(32)
    sizes = {name: sum(p.numel() for p in tensors) for name, tensors in {
        "weights": step.model.parameters(),
        "gradients": (p.grad for p in step.model.parameters()),
        "means": (state["exp_avg"] for state in step.optimizer.state.values()),
        "squares": (state["exp_avg_sq"] for state in step.optimizer.state.values())}.items()}
    assert set(sizes.values()) == {gpu_speed.PARAMETERS}
    assert {p.dtype for p in step.model.parameters()} == {torch.float32}


def test_the_numbers_between_the_layers_are_those_of_the_model(gpu_speed):
    model, sizes = models.reference_vae(), []
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda layer, x, y: sizes.append(y[0].numel()))
    _, mu, _ = model(data.grey(pictures(3)))
    assert gpu_speed.ACTIVATIONS == 784 + sum(sizes) + mu[0].numel()  # the pixels and z are no layer's result


# ---------------------------------------------------------------- the roofline

def test_the_roofline_by_hand(gpu_speed):
    hardware = gpu_speed.Hardware(flop_rate=1e12, bandwidth=1e10, number_bytes=2)
    found = gpu_speed.roofline(60_000, 128, hardware)     # 468 steps, 59,904 images
    assert found.arithmetic == pytest.approx(59_904 * 3_280_000 / 1e12)
    assert found.memory == pytest.approx((468 * 44 * 652_824 + 59_904 * (784 + 24_432)) / 1e10)


def test_larger_batches_move_fewer_bytes_for_the_same_images(gpu_speed):
    hardware = gpu_speed.Hardware(1e12, 1e10, 4)
    rows = [gpu_speed.roofline(65_536, size, hardware) for size in (128, 256, 8192)]
    assert len({row.arithmetic for row in rows}) == 1
    assert rows[0].memory - rows[1].memory == pytest.approx(256 * gpu_speed.PASSES * 4 * gpu_speed.PARAMETERS / 1e10)
    assert rows[0].memory > rows[1].memory > rows[2].memory > 65_536 * gpu_speed.bytes_per_image(4) / 1e10


def test_rates_are_positive_numbers(script, gpu_speed):
    device = torch.device("cpu")
    assert 0 < script("train_speed").matmul_peak(device, torch.float32, n=64) < math.inf
    assert 0 < gpu_speed.copy_bandwidth(device) < math.inf


def test_the_steady_epoch_leaves_out_the_first(gpu_speed):
    assert gpu_speed.steady([100.0, 3.0, 1.0, 2.0]) == 2.0


# ---------------------------------------------------------------- the run

def test_the_ways_of_fit_give_the_same_model(gpu_speed):
    # aot_eager traces as the compiler does, and generates no code: a second instead of twenty.
    images = pictures(N)
    eager = gpu_speed.train(images, 2, 128, way="eager")
    compiled = gpu_speed.train(images, 2, 128, way="torch.compile", backend="aot_eager")
    assert len(eager.seconds) == len(compiled.seconds) == 2
    for name, value in eager.model.state_dict().items():
        assert_close(compiled.model.state_dict()[name], value, rtol=1e-3, atol=1e-3)


def test_the_compiled_loss_is_compiled_once(gpu_speed):
    # A second compilation, of a step that is being recorded as a CUDA graph, would spoil the recording.
    step = one_step(32, gpu_speed.compiled_loss("aot_eager"), gpu_speed.as_they_are)
    torch.compiler.set_stance("fail_on_recompile")
    try:
        for _ in range(5):
            step()
    finally:
        torch.compiler.set_stance("default")


def test_a_compiled_loss_is_still_told_how_far_the_training_is():
    compiled = torch.compile(objectives.warm_up_negative_elbo, backend="eager")
    loss = PreparedLoss(models.reference_vae(), compiled, data.grey, takes_progress=True)
    loss.check_call([pictures(5)])
    terms = loss(torch.full((1,), 0.1), pictures(5))
    torch.testing.assert_close(terms["loss"], 0.5 * terms["kl"] - terms["recon"])  # warm_up is 0.2


@pytest.fixture
def small_run(gpu_speed, script, monkeypatch):
    """256 images, and no other processes: what they would have answered is given."""
    images = data.ImageData("noise", data.ImageSet(pictures(N), None), data.ImageSet(pictures(50, seed=1), None))
    monkeypatch.setattr(data, "load_mnist", lambda device, folder: images)
    monkeypatch.setattr(script("common"), "N_IMAGES", N)
    monkeypatch.setattr(gpu_speed, "measure_hardware", lambda device: gpu_speed.Hardware(1e12, 1e11, 4))
    monkeypatch.setattr(gpu_speed, "run_way", lambda way, size, epochs, args: {"seconds": [9.0, 2.0, 2.5], "note": ""})

    def answer(which, epochs, args, seed):
        elbo = {"textbook": -105.0}.get(which, -110.0 + 2 * epochs)   # as good after three epochs
        return {"seconds": [4.0 if which == "textbook" else 0.5] * epochs, "elbo": elbo}
    monkeypatch.setattr(script("train_speed"), "run_child", answer)
    return gpu_speed


def last_line(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (word.split("=") for word in text.splitlines()[-1].split())}


@pytest.mark.parametrize("quick", [False, True])
def test_the_last_line_is_for_machines(quick, small_run, capsys):
    small_run.main(["--device", "cpu", "--epochs", "2", *(["--quick"] if quick else [])])
    said = capsys.readouterr().out
    line = last_line(said)
    assert all(0 < value < math.inf for value in line.values())
    assert line["epochs"] == 2 and line["best_batch"] in (128, 256)
    assert line["eager_128_epoch_s"] == 2.25 and line["compile_128_first_epoch_s"] == 9.0
    assert line["textbook_epoch_s"] == 4.0 and line["to_elbo_s"] == 1.5
    assert line["epoch_ratio"] == pytest.approx(4.0 / line["batch_128_epoch_s"], rel=1e-3)
    assert "CUDA graphs are for GPUs" in said and not any("graph" in name for name in line)


def test_on_a_gpu_all_four_ways_are_compared(small_run):
    args = small_run.parse(["--device", "cuda"])
    line = small_run.compare_ways(args, 3, [128, 4096])
    assert len(line) == 2 * 4 * 2 and line["compile_cuda_graph_4096_epoch_s"] == 2.25


def test_a_way_that_fails_says_so_and_the_others_go_on(small_run, monkeypatch, capsys):
    def answer(way, size, epochs, args):
        return {"note": "failed: no compiler"} if "compile" in way else {"seconds": [2.0, 1.0], "note": ""}
    monkeypatch.setattr(small_run, "run_way", answer)
    assert small_run.compare_ways(small_run.parse(["--device", "cpu"]), 2, [128]).keys() == {
        "eager_128_first_epoch_s", "eager_128_epoch_s"}
    assert "failed: no compiler" in capsys.readouterr().out


def test_a_fit_that_is_not_as_good_has_no_time_to_that(small_run, script, monkeypatch, capsys):
    def answer(which, epochs, args, seed):
        good = which == "textbook" or seed == 100   # the search's seed is lucky, the timed ones are not
        return {"seconds": [1.0] * epochs, "elbo": -100.0 if good else -101.0}
    monkeypatch.setattr(script("train_speed"), "run_child", answer)
    line = small_run.against_textbook(small_run.parse(["--device", "cpu"]), 0.5, repeats=3)
    assert line == {"textbook_epoch_s": 1.0, "epoch_ratio": 2.0} and "NOT as good" in capsys.readouterr().out


def test_a_part_of_mnist_is_refused(small_run, script, monkeypatch):
    monkeypatch.setattr(script("common"), "N_IMAGES", 60_000)
    with pytest.raises(SystemExit, match="needs the full MNIST"):
        small_run.main(["--device", "cpu"])


def test_one_epoch_is_too_few(gpu_speed, capsys):
    with pytest.raises(SystemExit):
        gpu_speed.parse(["--epochs", "1"])
    assert "at least 2" in capsys.readouterr().err


# ---------------------------------------------------------------- scale.py

@pytest.fixture
def scale(script):
    return script("scale")


@pytest.mark.parametrize("examples, side", [(6, 28), (10, 28), (25, 28), (7, 14), (12, 56)])
def test_scale_has_pictures_of_each_number_and_size(scale, examples, side):
    mnist = pictures(10)
    images = scale.images_like(mnist, examples, side)
    assert images.shape == (examples, 1, side, side) and images.dtype == torch.uint8
    assert_close(images.float().mean((2, 3)), mnist.repeat(3, 1, 1, 1)[:examples].float().mean((2, 3)), atol=1.0, rtol=0)


def test_scales_middle_is_the_reference_vae(scale):
    ours, reference = scale.network(20, 28), models.reference_vae(latent_dim=20)
    assert [p.shape for p in ours.parameters()] == [p.shape for p in reference.parameters()]


def test_scale_prints_every_row_and_draws(scale, monkeypatch, capsys, tmp_path):
    asked = []

    def measured(point, args):
        asked.append(point)
        return 1e-4 * point["examples"] * point["side"] / point["processes"]

    monkeypatch.setattr(scale, "measured", measured)
    monkeypatch.setattr(sys, "argv", ["scale.py", "--device", "cpu", "--figure", str(tmp_path / "a" / "scale.png")])
    scale.main()
    values = last_line(capsys.readouterr().out)
    assert values["side_56_us"] == pytest.approx(5600) and values["processes_at_1024_2_us"] == pytest.approx(1400)
    assert len(values) == len(asked) == 14 and {point["examples"] for point in asked} == {5_000, 15_000, 60_000, 480_000}
    assert (tmp_path / "a" / "scale.png").stat().st_size > 10_000


def test_scale_measures_with_fit(scale, monkeypatch):
    images = pictures(60)
    monkeypatch.setattr(data, "load_mnist", lambda *_: data.ImageData("x", *2 * [data.ImageSet(images, None)]))
    point = {**scale.MIDDLE, "examples": 90, "side": 14, "latents": 3, "batch_size": 30}
    assert scale.seconds_of_an_epoch(torch.device("cpu"), None, point) > 0


# ---------------------------------------------------------------- likelihood.py

def black_or_white(n: int) -> torch.Tensor:
    """(n, 1, 28, 28) uint8, 0 or 255."""
    return 255 * (pictures(n, seed=n) > 110).to(torch.uint8)


@pytest.fixture
def likelihood(script):
    return script("likelihood")


def test_the_published_network_has_burdas_shapes(likelihood):
    plan = likelihood.with_architecture(likelihood.quick_plans()["stochastic"], "published")
    model = likelihood.network(plan, torch.full((1, 28, 28), 0.2))
    shapes = [tuple(p.shape) for p in model.parameters() if p.ndim == 2]
    assert shapes == [(200, 784), (200, 200), (50, 200), (50, 200), (200, 50), (200, 200), (784, 200)]
    assert sum(isinstance(part, nn.Tanh) for part in model.modules()) == 4 and "200-200-50 tanh" in likelihood.name_of(plan)


@pytest.mark.parametrize("architecture", ["wide", "published", "convolutional"])
@pytest.mark.parametrize("plans", ["quick_plans", "full_plans"])
def test_each_network_starts_at_the_mean_image(likelihood, plans, architecture):
    mean = torch.linspace(0.1, 0.9, 784).view(1, 28, 28)
    torch.manual_seed(0)
    model = likelihood.network(likelihood.with_architecture(getattr(likelihood, plans)()["fixed"], architecture), mean)
    with torch.no_grad():
        off = torch.sigmoid(model.decode(torch.randn(64, 50))).mean(0) - mean
    assert off.abs().mean() < 0.05


@pytest.fixture
def quick_likelihood(likelihood, monkeypatch):
    """Both protocols on noisy patterns, one epoch and few samples; returns the arguments of each run to add to."""
    train, test = (data.ImageSet(black_or_white(n), None) for n in (600, 100))
    monkeypatch.setattr(data, "load_mnist", lambda *_: data.ImageData("x", train, test))
    monkeypatch.setattr(data, "load_fixed_mnist", lambda *_: data.ImageData("x", train, test, test))
    monkeypatch.setattr(data, "hold_out", lambda split, n: (split, test))
    for name, value in {"K": 40, "K_QUICK": 10, "N_QUICK": 20}.items():
        monkeypatch.setattr(likelihood, name, value)
    for plans in ("quick_plans", "full_plans"):
        short = {name: dataclasses.replace(plan, epochs=1, hidden_dim=20, latent_dim=5)
                 for name, plan in getattr(likelihood, plans)().items()}
        monkeypatch.setattr(likelihood, plans, lambda short=short: short)

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["likelihood.py", "--device", "cpu", *arguments])
        likelihood.main()
    return run


@pytest.mark.parametrize("arguments", [(), ("--full",), ("--held-out",), ("--architecture", "published"),
                                       ("--architecture", "convolutional", "--protocols", "fixed", "--epochs", "2")])
def test_likelihood_stands_beside_the_published_rows(quick_likelihood, capsys, arguments):
    quick_likelihood(*arguments)
    printed = capsys.readouterr().out
    values = last_line(printed)
    assert list(values) == ["nll", "se", "elbo", "seconds"]
    assert values["se"] > 0 and values["nll"] < -values["elbo"]
    assert ("86.76" in printed) == ("--protocols" not in arguments) and "89.78" in printed
    assert ("held-out images" in printed) == ("--held-out" in arguments)
    assert f"  {2 if '--epochs' in arguments else 1} epochs at batch" in printed


def test_the_quick_estimate_is_that_of_all_images_if_none_is_left_out(likelihood, monkeypatch):
    torch.manual_seed(0)
    plan = dataclasses.replace(likelihood.quick_plans()["fixed"], hidden_dim=20, latent_dim=5)
    model, images = likelihood.network(plan, torch.full((1, 28, 28), 0.3)), black_or_white(30)
    for name, value in {"K": 60, "K_QUICK": 10, "N_QUICK": 30}.items():
        monkeypatch.setattr(likelihood, name, value)
    quick, full = (likelihood.negative_log_px(model, images, data.fixed, full) for full in (False, True))
    assert quick.mean == pytest.approx(full.mean, abs=1e-3)
    assert quick.standard_error == pytest.approx(full.standard_error, rel=0.1)


# ---------------------------------------------------------------- streaming.py

@pytest.fixture
def streaming(script, monkeypatch, tmp_path):
    """The benchmark with 70 small pictures, in a folder of its own; its children work in this process."""
    module = script("streaming")
    for name, value in {"SHAPE": (3, 8, 6), "BLOCK": 32}.items():
        monkeypatch.setattr(module, name, value)
    for name in ("GPU_SHARE", "MEMORY_SHARE"):
        monkeypatch.setattr(module.feeding, name, 0.5)       # the benchmark changes them
    monkeypatch.chdir(tmp_path)

    def run_child(script, work, args, environment):
        assert environment == {"OMP_NUM_THREADS": "1"}
        return module.train(**work, device=torch.device("cpu")), []
    monkeypatch.setattr(script("common"), "run_child", run_child)
    return module


def test_streaming_writes_pictures_as_numpy_does(streaming, tmp_path):
    streaming.write_pictures(tmp_path / "a.npy", 70)
    images = np.load(tmp_path / "a.npy")
    assert images.shape == (70, 3, 8, 6) and images.dtype == np.uint8 and images.std() > 20
    assert len(np.unique(images.reshape(70, -1), axis=0)) == 70


def test_streaming_compares_both_ways(streaming, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["streaming.py", "--device", "cpu", "--images", "150", "--epochs", "2"])
    streaming.main()
    printed = capsys.readouterr().out
    values = last_line(printed)
    assert set(values) == {f"{way}_{what}" for way in ("file", "resident") for what in ("first_s", "s", "mib")}
    assert all(value > 0 for value in values.values())
    assert "The ELBO is the same to the last bit." in printed
    assert "stay on the disk" in printed and "are copied into memory" in printed
    assert not list((tmp_path / "build").iterdir()), "the file is removed"


def test_streaming_sees_a_difference(streaming, monkeypatch, capsys):
    train = streaming.train
    monkeypatch.setattr(streaming, "train", lambda way, *rest, **more: {**train(way, *rest, **more), "elbo": len(way)})
    monkeypatch.setattr(sys, "argv", ["streaming.py", "--device", "cpu", "--images", "150", "--epochs", "1"])
    streaming.main()
    assert "THE ELBO DIFFERS: [4, 8]" in capsys.readouterr().out


# ---------------------------------------------------------------- own_pictures.py

@pytest.fixture
def own_pictures(script):
    return script("own_pictures")


def test_training_and_test_patches_share_no_pixel(own_pictures, monkeypatch):
    numbers = np.arange(2 * 427 * 640).reshape(2, 427, 640)
    coloured = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65_536], -1).astype(np.uint8)  # a colour each
    monkeypatch.setattr(own_pictures, "load_sample_images", lambda: SimpleNamespace(images=list(coloured)))
    folds = [own_pictures.cut_patches(8, fifth) for fifth in (*own_pictures.TESTS, own_pictures.HELD_OUT)]

    def pixels(patches: torch.Tensor) -> set[int]:
        red, green, blue = patches.long().permute(1, 0, 2, 3).flatten(1)
        return set((red + 256 * green + 65_536 * blue).tolist())
    tested = [pixels(fold.test) for fold in folds]
    for fold, test in zip(folds, tested):
        train = pixels(fold.train)
        assert len(train) == 96 * 64 * 64 and len(test) == 24 * 64 * 64 and not train & test
        assert pixels(fold.more_test) == test and len(fold.train) == 4 * 25 * 96 and len(fold.test) == 96
        parts = [pixels(fold.test[fold.tile == k]) for k in fold.tile.unique()]
        assert len(parts) == 24 and all(len(part) == 64 * 64 and max(part) - min(part) < 64 * 640 for part in parts)
    assert len(set.union(*tested)) == 5 * 24 * 64 * 64, "each fifth is another"


def test_a_paired_difference_holds_the_spread_of_tiles_and_of_trainings(own_pictures):
    differences = torch.tensor([1.0, 2.0, 5.0, 8.0, 3.0, 4.0, 0.0, 1.0], dtype=torch.double)
    tile = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    of_tiles = np.std([1.5, 6.5, 3.5, 0.5], ddof=1) / 2
    for fifth, error in (([0, 0, 0, 0, 1, 1, 1, 1], max(of_tiles, np.std([4.0, 2.0], ddof=1) / math.sqrt(2))),
                         ([0, 0, 1, 1, 1, 1, 0, 0], max(of_tiles, np.std([1.0, 5.0], ddof=1) / math.sqrt(2))),
                         ([0] * 8, of_tiles)):
        found = own_pictures.paired(differences, tile, torch.tensor(fifth))
        assert found.mean == 3.0 and found.standard_error == pytest.approx(error)


def test_own_pictures_compares_and_draws(own_pictures, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["own_pictures.py", "--latents", "2", "3", "--epochs", "1", "--stride", "32",
                                      "--device", "cpu", "--figure", str(tmp_path / "a" / "patches.png")])
    own_pictures.main()
    said = capsys.readouterr().out
    values = last_line(said)
    assert set(values) == {f"{name}_{n}" for n in (2, 3) for name in ("pca", "vae", "gain_in_errors")}
    assert 0 < values["pca_3"] < values["pca_2"] < 0.3 and values["vae_2"] > 0
    assert "4 training(s) on 1,536 patches; 384 test patches of 96 tiles; 1 epochs" in said
    assert said.count("samples, VAE") == said.count("samples, PCA") == said.count("was it memorized?") == 2
    assert "test patches: the floor" in said and "no FID or KID" in said
    assert (tmp_path / "a" / "patches.png").stat().st_size > 10_000


def test_the_pca_of_own_pictures_is_as_good_as_any(own_pictures):
    from sklearn.decomposition import PCA

    patches = own_pictures.cut_patches(32, own_pictures.TESTS[0])
    pca, train, test = own_pictures.samples.pca_features(patches.train, 6), *(
        (part.flatten(1).double() / 255).numpy() for part in (patches.train, patches.test))
    exact = PCA(6, svd_solver="full").fit(train)
    best = ((exact.inverse_transform(exact.transform(test)) - test) ** 2).mean(1)
    assert_close(own_pictures.squared_errors(patches.test, pca.decode(pca(patches.test))).mean().item(), best.mean(),
                 rtol=1e-3, atol=0)


# ---------------------------------------------------------------- seeds, and Figure 8.5

def test_seeds_trains_what_the_chapter_defines(script):
    seeds = script("seeds")
    names = seeds.chapter(torch.device("cpu"))
    mnist = data.ImageData("two patterns", *(data.ImageSet(pictures(n, n), None) for n in (1000, 50)))
    *of_fit, active = seeds.by_fit(names, mnist, 3, 0, epochs=2)
    for rate, distortion in (seeds.by_hand(names, mnist, 0, epochs=2), of_fit):
        assert 0 < rate < 50 and 0 < distortion < 0.99 * 784 * math.log(2)
    assert active in range(4)


def test_figure_8_5_shows_the_table_of_the_benchmark(script):
    notebook = nbformat.read(script("seeds").NOTEBOOK, as_version=4)
    [shown] = (cell.source.split('"""')[1] for cell in notebook.cells if 'printed = """' in cell.source)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## learning_rate.py")[2].partition("learning rate ")[2].split("\n\n")[0]
    rows = [line.split() for line in table.splitlines()[1:]]
    assert len(rows) == len(script("learning_rate").RATES) and [line.split() for line in shown.splitlines()] == rows
