"""The command line on folders of pictures: its files against what the package makes of them, and what it says is wrong."""

import importlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from vae_course import conditional, data, evaluation, models, objectives, plots, training
from vae_course.training import __main__ as command_line

SIZE = (12, 10)     # height and width that the pictures are cut to


def painted(n: int, seed: int, colour: bool = True) -> list[Image.Image]:
    """Pictures of several sizes: a bright box of one colour on a dark ground."""
    generator, pictures = np.random.default_rng(seed), []
    for k in range(n):
        pixels = generator.integers(0, 60, (14 + k % 3, 16 + k % 5, 3)).astype(np.uint8)
        pixels[3:9, 2 + k % 4:9 + k % 4] = generator.integers(120, 256, 3)
        pictures.append(Image.fromarray(pixels if colour else pixels[:, :, 0]))
    return pictures


@pytest.fixture
def folder(tmp_path):
    """60 pictures of three classes, one with an accent in its name, and a file that is none."""
    root = tmp_path / "pictures"
    for k, name in enumerate(("châteaux", "roofs", "trees")):
        (root / name).mkdir(parents=True)
        for i, picture in enumerate(painted(20, k)):
            picture.save(root / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    (root / "roofs" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def flat(tmp_path):
    """40 grey pictures without classes."""
    (tmp_path / "flat").mkdir()
    for i, picture in enumerate(painted(40, 5, colour=False)):
        picture.save(tmp_path / "flat" / f"{i}.png")
    return tmp_path / "flat"


def run(folder, out, *more: str) -> None:
    command_line.main(["--data", str(folder), "--size", "12x10", "--hidden-dim", "16", "--latent-dim", "3", "--epochs", "2",
                       "--batch-size", "10", "--device", "cpu", "--out", str(out), *more])


def weights(out) -> dict[str, torch.Tensor]:
    return models.load(out / "weights.safetensors").state_dict()


# ---------------------------------------------------------------- what it writes

def test_a_folder_of_pictures(folder, tmp_path, capsys):
    out = tmp_path / "out"
    run(folder, out)
    said = capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"checkpoint.pt", "weights.safetensors", "history.json", "samples.png",
                                                     "reconstructions.png"}
    assert len(json.loads((out / "history.json").read_text())) == 2
    model, images = models.load(out / "weights.safetensors"), data.from_folder(folder, SIZE)
    assert isinstance(model.likelihood, models.DiscretizedLogisticLikelihood) and model.input_shape == (3, *SIZE)
    result = evaluation.test_elbo(model, images.test.images, prepare=data.grey)
    assert f"test ELBO {result.elbo} nats per image" in said
    bits = float(re.search(r"(\d+\.\d+) ± 0\.\d+ bits per dimension, an upper bound", said)[1])
    assert bits == pytest.approx(-result.elbo.mean / (3 * 12 * 10) / math.log(2), abs=1e-3)


def test_the_grids_show_what_they_say(folder, tmp_path):
    run(folder, tmp_path / "out")
    model, images = models.load(tmp_path / "out" / "weights.safetensors"), data.from_folder(folder, SIZE)
    shown = {name: np.asarray(Image.open(tmp_path / "out" / f"{name}.png")) for name in ("samples", "reconstructions")}
    scale = 64 // 12
    assert shown["samples"].shape == (scale * (8 * 14 - 2), scale * (8 * 12 - 2), 3)
    n_rows = 2 * (len(images.test) // 8)
    assert shown["reconstructions"].shape == (scale * (n_rows * 14 - 2), scale * (8 * 12 - 2), 3)
    x = data.grey(images.test.images)
    with torch.no_grad():
        again = model.likelihood.mean(model.decode(model.encode(x)[0])).clamp(0, 1)
    rows = shown["reconstructions"][::scale, ::scale]
    np.testing.assert_array_equal(rows[:12, 36:46], images.test.images[3].permute(1, 2, 0))     # the fourth, above
    np.testing.assert_allclose(rows[14:26, 36:46], plots.to_bytes(again[3].permute(1, 2, 0).numpy()), atol=1)   # and below


@pytest.mark.parametrize(("name", "kind"), [("cvae", conditional.CVAE), ("conv-cvae", conditional.CVAE),
                                            ("class-means", conditional.CVAE)])
def test_sub_folders_are_the_classes_of_conditional_models(name, kind, folder, tmp_path):
    run(folder, tmp_path / "out", "--model", name)
    model = models.load(tmp_path / "out" / "weights.safetensors")
    assert isinstance(model, kind) and model.condition.num_classes == 3 and model.condition.seen.all()
    rows = np.asarray(Image.open(tmp_path / "out" / "samples.png"))[::5, ::5]
    assert rows.shape == (3 * 14 - 2, 8 * 12 - 2, 3), "a row for each class"
    drawn = model.generate(torch.arange(3).repeat_interleave(8), torch.Generator().manual_seed(0)).clamp(0, 1)
    np.testing.assert_allclose(rows[14:26, :10], plots.to_bytes(drawn[8].permute(1, 2, 0).numpy()), atol=1)


def test_pictures_in_a_file_give_the_same(folder, tmp_path):
    run(folder, tmp_path / "in_memory", "--model", "conv-cvae")
    run(folder, tmp_path / "in_file", "--model", "conv-cvae", "--file", str(tmp_path / "kept.npy"))
    one, other = weights(tmp_path / "in_memory"), weights(tmp_path / "in_file")
    assert (tmp_path / "kept.npy").is_file() and all(torch.equal(one[name], other[name]) for name in one)
    for name in ("samples.png", "reconstructions.png"):
        assert (tmp_path / "in_memory" / name).read_bytes() == (tmp_path / "in_file" / name).read_bytes()


@pytest.mark.parametrize(("more", "likelihood", "said"), [
    ((), models.DiscretizedLogisticLikelihood, "bits per dimension"),
    (("--likelihood", "gaussian"), models.GaussianLikelihood, "of a density: it may be above 0"),
    (("--likelihood", "continuous-bernoulli"), models.ContinuousBernoulliLikelihood, "of a density"),
    (("--binarization", "stochastic"), models.BernoulliLikelihood, "nats per image"),
    (("--likelihood", "bernoulli"), models.BernoulliLikelihood, "nats per image"),
    (("--channels", "3", "--model", "conv"), models.DiscretizedLogisticLikelihood, "bits per dimension"),
])
def test_likelihoods_of_grey_pictures_without_classes(more, likelihood, said, flat, tmp_path, capsys):
    run(flat, tmp_path / "out", *more)
    model = models.load(tmp_path / "out" / "weights.safetensors")
    printed = capsys.readouterr().out
    assert type(model.likelihood) is likelihood and said in printed
    assert model.input_shape == (3 if "3" in more else 1, *SIZE)
    assert ("bits" in printed) == (likelihood is models.DiscretizedLogisticLikelihood)


def test_the_decoder_and_tensorboards_files(flat, tmp_path):
    run(flat, tmp_path / "out", "--export", str(tmp_path / "page" / "decoder.safetensors"), "--log")
    with safe_open(tmp_path / "page" / "decoder.safetensors", "pt") as file:
        said = json.loads(file.metadata()["decoder"])
        assert said["latent_dim"] == 3 and said["output_shape"] == [1, *SIZE]
    assert any(path.name.startswith("events") for path in (tmp_path / "out" / "log").iterdir())
    run(flat, tmp_path / "other", "--log", str(tmp_path / "logs"))
    assert any((tmp_path / "logs").iterdir()) and not (tmp_path / "other" / "log").exists()


def test_a_run_goes_on(folder, tmp_path):
    run(folder, tmp_path / "whole", "--model", "cvae", "--epochs", "2")
    run(folder, tmp_path / "again", "--model", "cvae", "--epochs", "1")
    run(folder, tmp_path / "again", "--model", "cvae", "--resume", "--extend", "constant")
    assert len(json.loads((tmp_path / "again" / "history.json").read_text())) == 2
    run(folder, tmp_path / "whole", "--model", "cvae", "--resume")      # which is finished: nothing changes
    assert len(json.loads((tmp_path / "whole" / "history.json").read_text())) == 2


@pytest.mark.parametrize(("n", "processes", "batch"), [(60_000, 1, 128), (4_000, 1, 128), (1_000, 1, 50), (1_000, 4, 48),
                                                       (100, 1, 8), (5, 1, 5), (5, 2, 4), (1, 1, 1)])
def test_few_pictures_are_trained_on_in_smaller_batches(n, processes, batch, monkeypatch):
    monkeypatch.setattr(command_line.parallel, "size", lambda: processes)
    assert command_line.default_batch(n) == batch


def test_very_few_pictures(flat, tmp_path):
    for path in sorted(flat.iterdir())[20:]:
        path.unlink()
    command_line.main(["--data", str(flat), "--size", "8", "--model", "conv", "--hidden-dim", "8", "--device", "cpu",
                       "--epochs", "1", "--out", str(tmp_path / "out")])
    n_test = len(data.from_folder(flat, 8).test)
    assert np.asarray(Image.open(tmp_path / "out" / "reconstructions.png")).shape == (8 * 18, 8 * (n_test * 10 - 2))


def test_the_readmes_lines_run(folder, tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").partition("## Your own pictures")[2]
    command, code = (readme.partition(f"```{language}\n")[2].partition("```")[0] for language in ("bash", "python"))
    monkeypatch.chdir(tmp_path)
    folder.rename("my_pictures")
    smaller = {"64": "16", "epochs 50": "epochs 1", "epochs=50": "epochs=1, batch_size=10", "generate(1000)": "generate(20)",
               "train.images)\nprint": "train.images, 5)\nprint"}     # for so few pictures
    for before, after in smaller.items():
        assert before in command + code
        command, code = command.replace(before, after), code.replace(before, after)
    command_line.main(command.split()[3:])
    assert type(models.load("build/mine/weights.safetensors")) is models.VAE
    exec(code, {name: importlib.import_module(f"vae_course.{name}") for name in (
        "data", "models", "objectives", "samples", "training", "widgets")})
    assert capsys.readouterr().out.count("the floor") == 2


# ---------------------------------------------------------------- MNIST, as before

def mnist(n: int, seed: int) -> data.ImageSet:
    generator = torch.Generator().manual_seed(seed)
    return data.ImageSet(torch.randint(0, 256, (n, 1, 28, 28), generator=generator, dtype=torch.uint8), torch.arange(n) % 10)


MNIST = data.ImageData("MNIST", mnist(2570, 0), mnist(50, 1), classes=tuple("0123456789"))


@pytest.mark.parametrize(("name", "builder"), [("vae", models.reference_vae), ("conv", models.conv_vae),
                                               ("cvae", conditional.reference_cvae),
                                               ("class-means", conditional.class_mean_vae)])
def test_mnist_is_trained_as_by_hand(name, builder, tmp_path, monkeypatch):
    monkeypatch.setitem(command_line.DATA, "mnist", lambda device: MNIST)
    command_line.main(["--model", name, "--hidden-dim", "9", "--latent-dim", "2", "--device", "cpu", "--epochs", "1",
                       "--seed", "4", "--out", str(tmp_path)])
    torch.manual_seed(4)
    model = builder(latent_dim=2, hidden_dim=9, mean_image=data.grey(MNIST.train.images).mean(0))
    train = MNIST.train.images if builder in (models.reference_vae, models.conv_vae) else (MNIST.train.images,
                                                                                            MNIST.train.labels)
    training.fit(model, objectives.negative_elbo, train, epochs=1, prepare=data.stochastic, seed=4, progress=False)
    found = weights(tmp_path)
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())


def test_the_mean_of_pictures_is_taken_in_blocks(tmp_path, monkeypatch):
    images = torch.randint(0, 256, (23, 3, 4, 5), dtype=torch.uint8)
    np.save(tmp_path / "images.npy", images.numpy())
    expected = (images.double() / 255).mean(0)
    for block in (2 ** 26, 60, 7 * 60):
        monkeypatch.setattr(command_line, "BLOCK", block)
        for kept in (images, data.ImageFile(tmp_path / "images.npy")):
            torch.testing.assert_close(command_line.mean_picture(kept).double(), expected, atol=1e-6, rtol=0)


# ---------------------------------------------------------------- what it says is wrong

@pytest.mark.parametrize(("more", "message"), [
    (["--data", "no such folder"], r"--data must be mnist, fashion, fixed or a folder.*no folder 'no such folder' in /"),
    (["--size", "0"], "--size must be the side of the pictures, such as 64.*got '0'"),
    (["--size", "big"], "--size must be.*48x32.*got 'big'"),
    (["--size", "3x4x5"], "--size must be.*got '3x4x5'"),
    (["--data", "mnist"], "--size is for a folder of pictures, and --data mnist has its own: leave it out"),
    (["--data", "mnist", "--size", "28"], "--size is for a folder"),
    (["--model", "conv", "--size", "6"], "--model conv needs pictures of at least 8×8, got --size 6x6: .*--model vae$"),
    (["--model", "conv-cvae", "--size", "7x9"], "at least 8×8, got --size 7x9: .*--model cvae$"),
    (["--likelihood", "bernoulli"], "bernoulli.*for pixels that are black or white.*in colour.*--channels 1"),
    (["--binarization", "stochastic"], "stochastic are for pixels that are black or white.*in colour"),
    (["--likelihood", "gaussian", "--binarization", "fixed"], "gaussian is for grey pixels.*--binarization fixed"),
    (["--latent-dim", "0"], "latent_dim must be"),
    (["--epochs", "0"], "epochs must be"),
    (["--batch-size", "1000"], "batch_size"),
    (["--device", "abacus"], "device must be one of"),
])
def test_it_says_in_one_line_what_is_wrong(more, message, folder, tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as end:
        run(folder, tmp_path / "out", *more)
    assert re.search(message, str(end.value)) and "\n" not in str(end.value), end.value


def test_a_folder_needs_a_size_and_mnist_no_folders_options(folder, tmp_path):
    rest = ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match="--size must be.*it was left out"):
        command_line.main(["--data", str(folder), *rest])
    for option, value in (("size", "28"), ("channels", "1"), ("file", "a.npy")):
        with pytest.raises(SystemExit, match=f"--{option} is for a folder of pictures, and --data fixed has its own"):
            command_line.main(["--data", "fixed", f"--{option}", value, *rest])
    with pytest.raises(SystemExit, match="--likelihood gaussian is for grey pixels, and these are binary .--data fixed"):
        command_line.main(["--data", "fixed", "--likelihood", "gaussian", *rest])


def test_a_model_that_needs_classes_says_how_to_give_them(flat, tmp_path):
    for name in ("cvae", "conv-cvae", "class-means"):
        with pytest.raises(SystemExit, match=f"--model {name} needs labels.*has none: put the pictures of each class into"):
            run(flat, tmp_path / "out", "--model", name)


@pytest.mark.parametrize("name", ["empty", "no_pictures", "all_broken", "a_file.txt"])
def test_a_folder_that_holds_no_pictures(name, tmp_path):
    path = tmp_path / name
    if name == "a_file.txt":
        path.write_text("words")
    else:
        path.mkdir()
        if name != "empty":
            for k in range(12):
                (path / f"{k}.{'txt' if name == 'no_pictures' else 'png'}").write_bytes(b"no picture at all")
    with pytest.raises(SystemExit) as end:
        run(path, tmp_path / "out")
    assert name in str(end.value)


def test_what_cannot_be_written_is_said_before_the_training(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "fit", lambda *args, **kwargs: pytest.fail("it trained"))
    (tmp_path / "a_file").write_text("in the way")
    for options, message in (
            (["--out", str(tmp_path / "a_file")], "--out .*a_file cannot be written.*name a folder of your own"),
            (["--export", str(tmp_path / "a_file" / "decoder")], "--export .*decoder cannot be written.*a file in a folder"),
            (["--log", str(tmp_path / "a_file")], "--log .*a_file cannot be written")):
        with pytest.raises(SystemExit, match=message):
            run(folder, tmp_path / "out", *options)


def test_without_tensorboard_the_log_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="--log needs TensorBoard, which is not installed: pip install tensorboard"):
        run(folder, tmp_path / "out", "--log")


def test_a_training_that_goes_wrong_ends_in_a_line(folder, tmp_path):
    with pytest.raises(SystemExit, match="(?i)loss|nan|inf"):
        run(folder, tmp_path / "out", "--learning-rate", "1e30", "--epochs", "5")
