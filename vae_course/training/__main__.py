"""Train a model of the course from the command line, on one processor or on many.

    python -m vae_course.training --model vae --data mnist --epochs 20 --out build/run
    python -m vae_course.training --model conv --data my_pictures --size 64 --out build/mine
    torchrun --nproc-per-node 2 -m vae_course.training --model vae --data mnist --epochs 20 --out build/run

`--data` is mnist, fashion, fixed, or a folder of pictures, those of each class in a sub-folder if there are classes; the
pictures are scaled and cut to `--size`. The folder `--out` then holds

    weights.safetensors     which `models.load` builds the model from, without a word about how it was made
    history.json            the numbers of each epoch
    reconstructions.png     rows of test pictures, and below each row what the model makes of them
    samples.png             decoder means of draws from the prior; of a conditional model, a row for each class
    checkpoint.pt           written after every epoch: `--resume` goes on from it, with as many processes as you like

More epochs are added to a finished run by `--resume --extend cosine --epochs 30`.
"""

import argparse
import json
import math
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from vae_course import checkpoints, conditional, data, densities, evaluation, models, objectives, plots, runtime, training
from vae_course.training import parallel, schedules

DATA = {"mnist": data.load_mnist, "fashion": data.load_fashion_mnist, "fixed": data.load_fixed_mnist}
BINARIZATIONS = {"stochastic": data.stochastic, "grey": data.grey, "fixed": data.fixed}
MODELS: dict[str, Callable[..., nn.Module]] = {
    "vae": models.mlp_vae, "conv": models.conv_vae, "cvae": conditional.mlp_cvae, "conv-cvae": conditional.conv_cvae,
    "class-means": conditional.class_mean_vae,
}
ANY_SIZE = {"conv": "vae", "conv-cvae": "cvae"}     # instead of convolutions
WITH_LABELS = ("cvae", "conv-cvae", "class-means")
# A learned σ keeps a floor, as it would run to zero on pictures that can be reproduced exactly.
LIKELIHOODS: dict[str, Callable[[], nn.Module]] = {
    "bernoulli": models.BernoulliLikelihood,
    "continuous-bernoulli": models.ContinuousBernoulliLikelihood,
    "gaussian": partial(models.GaussianLikelihood, sigma=0.3, learn_sigma=True, least_sigma=1 / 255),
    "discretized-logistic": models.DiscretizedLogisticLikelihood,
}
SCHEDULES = {function.__name__: function for function in (schedules.constant, schedules.cosine, schedules.warm_cosine,
                                                          schedules.one_cycle)}
BLOCK = 2**26               # numbers of which the mean is taken at once
SHOWN, COLUMNS = 64, 8      # pictures in a grid, and in a row of it


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, train, evaluate on the test set, and write the files."""
    options = parser().parse_args(arguments)
    try:
        settle(options)
        device = parallel.start(runtime.pick_device(options.device))
        if parallel.size() > 1:
            say_so_when_told_to_stop(options)
        else:
            check_writable(options)
        train_and_save(options, device)
    except (data.DataError, training.TrainingDiverged, ValueError) as error:
        sys.exit(str(error))
    except RuntimeError as error:
        if parallel.size() == 1:
            raise
        sys.exit(farewell(options, str(error).splitlines()[0]))
    finally:
        parallel.stop()


def farewell(options: argparse.Namespace, reason: str) -> str:
    """What one process of several says when it has to stop."""
    return (f"process {parallel.rank()} of {parallel.size()} stops: {reason}\n"
            f"If another process is gone, start again with --resume, with as many processes as you like: "
            f"{options.out}/checkpoint.pt holds the last finished epoch.")


def say_so_when_told_to_stop(options: argparse.Namespace) -> None:
    """Where torchrun ends this process because another one died, which it may do before this one has noticed."""
    def stop(number, frame):
        sys.exit(farewell(options, "torchrun ended it"))
    signal.signal(signal.SIGTERM, stop)


# ---------------------------------------------------------------- options

def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m vae_course.training", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", choices=MODELS, default="vae", help=f"{', '.join(WITH_LABELS)} need classes")
    p.add_argument("--data", default="mnist", metavar="DATA", help=f"{', '.join(DATA)}, or a folder of pictures")
    p.add_argument("--size", help="of the pictures of a folder: 64 for squares, 48x32 for height and width")
    p.add_argument("--channels", type=int, choices=(1, 3), help="of a folder: 1 for grey, 3 for colour; else as the files")
    p.add_argument("--file", type=Path, help="a .npy file that the pictures of a folder are kept in, instead of memory")
    p.add_argument("--likelihood", choices=LIKELIHOODS, help="p(x|z); bernoulli for binarized pixels, else "
                                                             "discretized-logistic, which gives bits per dimension")
    p.add_argument("--binarization", choices=BINARIZATIONS,
                   help="grey leaves pixels as they are, as for a folder; fixed for --data fixed; else stochastic")
    p.add_argument("--out", type=Path, required=True, help="the folder for the results")
    p.add_argument("--export", type=Path, help="a file for the decoder alone, which a page can show")
    p.add_argument("--log", type=Path, nargs="?", const=True, metavar="FOLDER",
                   help="write TensorBoard's files too, to OUT/log if no folder is named")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--batch-size", type=int, help="examples a step, of all processes together; 128, less for a few pictures")
    p.add_argument("--learning-rate", type=float, default=3e-3)
    p.add_argument("--latent-dim", type=int, default=20)
    p.add_argument("--hidden-dim", type=int, default=400)
    p.add_argument("--warm-up", type=float, default=0.0, help="share of the training in which beta rises from 0 to 1")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", help="cuda, mps or cpu; the fastest there is if left out")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, with the same options")
    p.add_argument("--extend", choices=SCHEDULES, help="with --resume and more --epochs: the schedule of the added epochs")
    return p


def settle(options: argparse.Namespace) -> None:
    """Put functions and numbers in the place of words; ValueError, before anything is loaded, where they do not fit."""
    named = options.data in DATA
    for option in ("size", "channels", "file"):
        if named and getattr(options, option) is not None:
            raise ValueError(f"--{option} is for a folder of pictures, and --data {options.data} has its own: leave it out")
    if not named and not Path(options.data).expanduser().exists():
        raise ValueError(f"--data must be {', '.join(DATA)} or a folder of pictures, and there is no folder "
                         f"{options.data!r} in {Path.cwd()}")
    options.size = None if named else size(options)
    if options.size and min(options.size) < 8 and options.model in ANY_SIZE:
        raise ValueError(f"--model {options.model} needs pictures of at least 8×8, got --size {options.size[0]}x"
                         f"{options.size[1]}: a larger --size, or --model {ANY_SIZE[options.model]}")
    binary = options.binarization in ("stochastic", "fixed") or (named and options.binarization is None)
    if options.likelihood is None:
        options.likelihood = "bernoulli" if binary or named else "discretized-logistic"
    if options.binarization is None:
        options.binarization = ("grey" if options.likelihood != "bernoulli" else
                                "fixed" if options.data == "fixed" else "stochastic")
    if options.likelihood != "bernoulli" and (options.binarization != "grey" or options.data == "fixed"):
        raise ValueError(f"--likelihood {options.likelihood} is for grey pixels, and these are binary "
                         f"({'--data fixed' if options.data == 'fixed' else '--binarization ' + options.binarization}): "
                         f"--likelihood bernoulli, or grey pixels")
    if options.log and find_spec("tensorboard") is None:
        raise ValueError("--log needs TensorBoard, which is not installed: pip install tensorboard, or leave --log out")
    if options.log is True:
        options.log = options.out / "log"


def size(options: argparse.Namespace) -> tuple[int, int]:
    """Height and width that --size says."""
    sides = str(options.size).lower().split("x")
    if not 1 <= len(sides) <= 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        came = "it was left out" if options.size is None else f"got {options.size!r}"
        raise ValueError(f"--size must be the side of the pictures, such as 64, or height and width, such as 48x32, for "
                         f"--data {options.data}: {came}")
    return int(sides[0]), int(sides[-1])


def check_writable(options: argparse.Namespace) -> None:
    """ValueError, before a long training, if a result could not be written."""
    files = {"out": options.out / "weights.safetensors", "export": options.export,
             "log": options.log and options.log / "events"}
    for option, path in files.items():
        try:
            if path is not None:
                checkpoints.check_writable(path)
        except checkpoints.CheckpointError as error:
            raise ValueError(f"--{option} {getattr(options, option)} cannot be written ({error.__cause__}): name "
                             f"{'a file in ' * (option == 'export')}a folder of your own") from error


# ---------------------------------------------------------------- the data and the model

def load(options: argparse.Namespace, device: torch.device) -> data.ImageData:
    """The data; the first process reads it before the others, so that only one downloads, or writes --file."""
    if parallel.rank() > 0:
        parallel.wait_for_all()
    if options.data in DATA:
        images = DATA[options.data](device)
    else:
        images = data.from_folder(options.data, options.size, channels=options.channels, device="cpu", file=options.file)
    if parallel.rank() == 0:
        parallel.wait_for_all()
    return images


def check_data(options: argparse.Namespace, images: data.ImageData) -> None:
    """ValueError if the model or the likelihood is for data of another kind."""
    classes = () if images.train.labels is None else images.classes or ()
    if options.model in WITH_LABELS and len(classes) < 2:
        way_out = "" if options.data in DATA else ": put the pictures of each class into a sub-folder of its own"
        raise ValueError(f"--model {options.model} needs labels, and --data {options.data} has "
                         f"{'one class only' if classes else 'none'}{way_out}")
    if options.likelihood == "bernoulli" and images.train.images.shape[1] == 3:
        raise ValueError("--likelihood bernoulli and --binarization stochastic are for pixels that are black or white, and "
                         "these are in colour: leave both out, or --channels 1")


def new_model(options: argparse.Namespace, images: data.ImageData) -> nn.Module:
    """The model that the options ask for, for pictures of this shape and number of classes."""
    arguments = {"input_shape": tuple(images.train.images.shape[1:]), "latent_dim": options.latent_dim,
                 "hidden_dim": options.hidden_dim, "likelihood": LIKELIHOODS[options.likelihood](),
                 "mean_image": mean_picture(images.train.images)}
    if options.model in WITH_LABELS:
        arguments["num_classes"] = len(images.classes or ())
    return MODELS[options.model](**arguments)


def mean_picture(images: Tensor | data.ImageFile) -> Tensor:
    """(C, H, W) in [0, 1]: the mean of pictures, of which not all need to be in memory."""
    blocks = images.split(max(1, BLOCK // images.shape[1:].numel()))
    return torch.stack([data.grey(block).mean(0).cpu() * (len(block) / len(images)) for block in blocks]).sum(0)


# ---------------------------------------------------------------- training and its results

def train_and_save(options: argparse.Namespace, device: torch.device) -> None:
    """Train what the options say, and write the results."""
    images = load(options, device)
    check_data(options, images)
    prepare = BINARIZATIONS[options.binarization]
    train, test = ((part.images, part.labels) if options.model in WITH_LABELS else (part.images,)
                   for part in (images.train, images.test))
    n = len(images.train)
    batch_size = default_batch(n) if options.batch_size is None else options.batch_size
    with runtime.seeded(options.seed, device):
        model = new_model(options, images).to(device)
    warmed_up = partial(objectives.warm_up_negative_elbo, warm_up=options.warm_up)
    loss = warmed_up if options.warm_up else objectives.negative_elbo
    history = training.fit(model, loss, train,  # type: ignore[arg-type]  # labels are there where a model takes them
                           epochs=options.epochs, prepare=prepare, batch_size=batch_size,
                           learning_rate=options.learning_rate, seed=options.seed, resume=options.resume,
                           extend=SCHEDULES.get(options.extend), loss_takes_progress=bool(options.warm_up),
                           checkpoint=options.out / "checkpoint.pt", log_dir=options.log,
                           log_images=partial(sampled, labels=images.train.labels), progress=sys.stderr.isatty())
    if parallel.rank() == 0:
        write(options, model, images, history)
        result, seconds = evaluation.test_elbo(model, *test, prepare=prepare), sum(history.column("seconds"))
        print(f"test ELBO {result.elbo} nats per image (distortion {result.distortion}, rate {result.rate})"
              f"{in_bits(model, result.elbo)}\n"
              f"{seconds:.1f} s of training by {parallel.size()} process(es); results in {options.out}")


def default_batch(n: int) -> int:
    """128, and less where so few examples would make less than twenty steps an epoch; a multiple of the processes."""
    size = min(128, max(8, n // 20), n)
    return max(1, size - size % parallel.size())


def in_bits(model, elbo: evaluation.Estimate) -> str:
    """The same in bits per dimension, where the likelihood gives pixels a probability; else what the nats are of."""
    if isinstance(model.likelihood, models.DiscretizedLogisticLikelihood):
        mean, error = (densities.bits_per_dim(nats, math.prod(model.input_shape)) for nats in elbo)
        return f"\n{mean:.3f} ± {abs(error):.3f} bits per dimension, an upper bound"
    of_a_density = isinstance(model.likelihood, models.GaussianLikelihood | models.ContinuousBernoulliLikelihood)
    return ", of a density: it may be above 0" * of_a_density


def write(options: argparse.Namespace, model, images: data.ImageData, history: training.History) -> None:
    """All files but the checkpoint."""
    models.save(model, options.out / "weights.safetensors")
    if options.export:
        models.export_decoder(model, options.export)
    rows = json.dumps(history, indent=1).encode()
    checkpoints.write_whole(options.out / "history.json", lambda file: file.write(rows))
    grid(sampled(model, labels=images.train.labels), options.out / "samples.png")
    grid(reconstructed(model, images.test), options.out / "reconstructions.png")


def sampled(model, labels: Tensor | None) -> Tensor:
    """(64, C, H, W) decoder means of draws from the prior; of a conditional model, eight of each of its classes."""
    generator = torch.Generator().manual_seed(0)
    if not isinstance(model, conditional.CVAE):
        return model.generate(SHOWN, generator).clamp(0, 1)
    classes = labels.unique()  # type: ignore[union-attr]
    return model.generate(classes.repeat_interleave(COLUMNS), generator).clamp(0, 1)


def reconstructed(model, test: data.ImageSet) -> Tensor:
    """(2·n, C, H, W): in turns a row of test pictures and a row of their reconstructions, in whole rows."""
    n = min(SHOWN // 2, len(test))
    n -= n % COLUMNS if n > COLUMNS else 0
    device = next(model.parameters()).device
    x = data.grey(test.images[:n]).to(device)
    condition = (test.labels[:n].to(device),) if isinstance(model, conditional.CVAE) else ()  # type: ignore[index]
    pairs = zip(x.split(COLUMNS), model.reconstruct(x, *condition).clamp(0, 1).split(COLUMNS))
    return torch.cat([part for pair in pairs for part in pair])


def grid(pictures: Tensor, path: Path) -> None:
    """Write pictures (n, C, H, W) as one, small ones enlarged."""
    picture = plots.image_grid(pictures.cpu().numpy(), min(COLUMNS, (len(pictures) + 1) // 2))
    plots.save_png(picture, path, scale=max(1, 64 // max(pictures.shape[2:])))


if __name__ == "__main__":
    main()
