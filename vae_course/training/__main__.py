"""Train a model of the course from the command line, on one processor or on many.

    python -m vae_course.training --model vae --data mnist --epochs 20 --out build/run
    torchrun --nproc-per-node 2 -m vae_course.training --model vae --data mnist --epochs 20 --out build/run

The folder `--out` then holds checkpoint.pt, written after every epoch, from which `--resume` goes on, with as many
processes as you like; weights.safetensors, which `checkpoints.load_weights` reads; and history.json. More epochs are added
to a finished run by `--resume --extend cosine --epochs 30`.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from vae_course import checkpoints, conditional, data, evaluation, models, objectives, runtime, training
from vae_course.training import parallel, schedules

DATA = {"mnist": data.load_mnist, "fashion": data.load_fashion_mnist, "fixed": data.load_fixed_mnist}
BINARIZATIONS = {"stochastic": data.stochastic, "grey": data.grey, "fixed": data.fixed}
MODELS: dict[str, Callable[..., nn.Module]] = {
    "vae": models.reference_vae, "conv": models.conv_vae, "cvae": conditional.reference_cvae,
    "class-means": conditional.class_mean_vae,
}
SCHEDULES = {function.__name__: function for function in (schedules.constant, schedules.cosine, schedules.warm_cosine,
                                                          schedules.one_cycle)}
WITH_LABELS = ("cvae", "class-means")


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, train, evaluate on the test set, and write the three files."""
    options = parser().parse_args(arguments)
    try:
        device = parallel.start(runtime.pick_device(options.device))
        if parallel.size() > 1:
            say_so_when_told_to_stop(options)
        train_and_save(options, device)
    except (data.DataError, ValueError) as error:
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


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m vae_course.training", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", choices=MODELS, default="vae")
    p.add_argument("--data", choices=DATA, default="mnist")
    p.add_argument("--binarization", choices=BINARIZATIONS, help="fixed for --data fixed, else stochastic")
    p.add_argument("--out", type=Path, required=True, help="the folder for the results")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--batch-size", type=int, default=128, help="examples a step, of all processes together")
    p.add_argument("--learning-rate", type=float, default=3e-3)
    p.add_argument("--latent-dim", type=int, default=20)
    p.add_argument("--hidden-dim", type=int, default=400)
    p.add_argument("--warm-up", type=float, default=0.0, help="share of the training in which beta rises from 0 to 1")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", help="cuda, mps or cpu; the fastest there is if left out")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, with the same options")
    p.add_argument("--extend", choices=SCHEDULES,
                   help="with --resume and more --epochs: the schedule of the epochs that are added to a finished run")
    return p


def train_and_save(options: argparse.Namespace, device: torch.device) -> None:
    """Train what the options say, and write the results."""
    images = load(options.data, device)
    if options.model in WITH_LABELS and images.train.labels is None:
        sys.exit(f"--model {options.model} needs labels, and --data {options.data} has none")
    prepare = BINARIZATIONS[options.binarization or ("fixed" if options.data == "fixed" else "stochastic")]
    train, test = ((part.images, part.labels) if options.model in WITH_LABELS else (part.images,)
                   for part in (images.train, images.test))
    with runtime.seeded(options.seed, device):
        model = MODELS[options.model](latent_dim=options.latent_dim, hidden_dim=options.hidden_dim,
                                      mean_image=data.grey(images.train.images).mean(0).cpu()).to(device)
    warmed_up = partial(objectives.warm_up_negative_elbo, warm_up=options.warm_up)
    loss = warmed_up if options.warm_up else objectives.negative_elbo
    history = training.fit(model, loss, train,  # type: ignore[arg-type]  # labels are there where a model takes them
                           epochs=options.epochs, prepare=prepare, batch_size=options.batch_size,
                           learning_rate=options.learning_rate, seed=options.seed, resume=options.resume,
                           extend=SCHEDULES.get(options.extend), loss_takes_progress=bool(options.warm_up),
                           checkpoint=options.out / "checkpoint.pt", progress=sys.stderr.isatty())
    if parallel.rank() == 0:
        checkpoints.save_weights(model, options.out / "weights.safetensors")
        rows = json.dumps(history, indent=1).encode()
        checkpoints.write_whole(options.out / "history.json", lambda file: file.write(rows))
        result, seconds = evaluation.test_elbo(model, *test, prepare=prepare), sum(history.column("seconds"))
        print(f"test ELBO {result.elbo} nats per image (distortion {result.distortion}, rate {result.rate})\n"
              f"{seconds:.1f} s of training by {parallel.size()} process(es); results in {options.out}")


def load(name: str, device: torch.device) -> data.ImageData:
    """The data; the first process reads it before the others, so that only one downloads."""
    if parallel.rank() > 0:
        parallel.wait_for_all()
    images = DATA[name](device)
    if parallel.rank() == 0:
        parallel.wait_for_all()
    return images


if __name__ == "__main__":
    main()
