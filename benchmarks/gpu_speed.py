"""How fast is `fit` on this device, and how far is that from what the hardware allows?

    python benchmarks/gpu_speed.py --device cuda     # some minutes on a GPU
    python benchmarks/gpu_speed.py --quick           # under three minutes on 2 CPU cores

The VAE 784–400–20–400–784 on the 60,000 grey MNIST images, as in train_speed.py. The seconds of an epoch are those of fit's
history, which end when the numbers of its last step have been read, so that a GPU has done all its work; an epoch is their
median without the first. What the first takes longer is the warm-up: of libraries, of a recording, of a compiler.

The roofline of an epoch, S = 60,000 // B steps of B images, is the longer of two times:

    arithmetic   S·B·F / rate             F = 2·(3·(784·400 + 400·40 + 20·400 + 400·784) − 784·400) operations an image
    memory       S·(W + B·A) / bandwidth  W = 11·4·P bytes a step, A = 784 + 3·n·(2428 + 1644) bytes an image

P = 652,824 float32 parameters: each step reads the weights forward and backward, writes the gradients, reads them to clip
and again for Adam, which reads weights and two moments and writes these three: 11 passes. An image is 784 bytes; then the
layers exchange 2428 numbers of n bytes (2 in bfloat16, 4 in float32): the pixels, hidden, mu and logvar, z, hidden, logits.
Each is written, read by the next layer and read again backward; so are the gradients of the 1644 that are not pixels.
The memory's time holds if every step reads its weights and activations from memory and each is one pass. A GPU with a large
cache keeps them there, above all at small batches, and may be faster than that; arithmetic is a limit in any case.
"""

import argparse
import os
import statistics
import tempfile
import time
from typing import NamedTuple

import common
import torch
import train_speed
from torch import nn

from vae_course import data, evaluation, models, objectives, runtime, training
from vae_course.training import schedules

BATCH_SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)
BATCH_SIZE = train_speed.BATCH_SIZE
LEARNING_RATE, LARGEST_RATE = 3e-3, 1.5e-2  # not tuned: at batch 128, growing with the root of the batch size up to this
PARAMETERS = (784 + 1) * 400 + (400 + 1) * 40 + (20 + 1) * 400 + (400 + 1) * 784
PASSES = 11  # over all parameters in a step, see above
ACTIVATIONS = 784 + 400 + 40 + 20 + 400 + 784
WAYS = {"eager": (False, False), "CUDA graph": (False, True), "torch.compile": (True, False),
        "torch.compile, CUDA graph": (True, True)}  # whether the loss is compiled; whether fit records the step


# ---------------------------------------------------------------- what the hardware allows

class Hardware(NamedTuple):
    """What the device was measured to do."""
    flop_rate: float    # FLOP/s of matrix products, in the number format of fit
    bandwidth: float    # bytes/s, read and written, of a copy
    number_bytes: int   # of an activation: 2 in bfloat16, 4 in float32


class Roofline(NamedTuple):
    """Seconds of an epoch, if only this were to be done."""
    arithmetic: float
    memory: float


def copy_bandwidth(device: torch.device) -> float:
    """Bytes/s, read and written, of the best of five copies of a tensor that no cache holds; on a GPU 20 copies in a row."""
    n_bytes, copies = (2 ** 28, 1) if device.type == "cpu" else (2 ** 30, 20)
    source = torch.ones(n_bytes, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    best = float("inf")
    for _ in range(6):  # the first warms up
        started = time.perf_counter()
        for _ in range(copies):
            target.copy_(source)
        target[-1].item()  # reading a number waits for a GPU
        best = min(best, time.perf_counter() - started)
    return 2 * n_bytes * copies / best


def measure_hardware(device: torch.device) -> Hardware:
    """The rates of the roofline; that of products is the best of some sizes."""
    dtype = torch.bfloat16 if runtime.bf16_is_fast(device) else torch.float32
    sizes = (2048,) if device.type == "cpu" else (4096, 8192)
    return Hardware(max(train_speed.matmul_peak(device, dtype, n) for n in sizes), copy_bandwidth(device), dtype.itemsize)


def images_seen(n_images: int, batch_size: int) -> int:
    """How many images fit trains on in an epoch: it drops the remainder."""
    return n_images // batch_size * batch_size


def bytes_per_image(number_bytes: int) -> int:
    """A of the formula above."""
    return 784 + 3 * number_bytes * (ACTIVATIONS + ACTIVATIONS - 784)


def roofline(n_images: int, batch_size: int, hardware: Hardware) -> Roofline:
    """Both times of the formula above."""
    n_steps, n_seen = n_images // batch_size, images_seen(n_images, batch_size)
    n_bytes = n_steps * PASSES * 4 * PARAMETERS + n_seen * bytes_per_image(hardware.number_bytes)
    return Roofline(n_seen * train_speed.FLOP_PER_IMAGE / hardware.flop_rate, n_bytes / hardware.bandwidth)


# ---------------------------------------------------------------- training

class Training(NamedTuple):
    """A trained model and what it took."""
    model: nn.Module
    seconds: list[float]  # of each epoch
    wall: float           # seconds of the call of fit, with what it does between epochs

    @property
    def epoch(self) -> float:
        """Seconds of an epoch after the first."""
        return steady(self.seconds)


def steady(seconds: list[float]) -> float:
    """The median without the first, which warms up."""
    return statistics.median(seconds[1:])


def learning_rate(batch_size: int) -> float:
    """The peak of the schedule."""
    return min(LEARNING_RATE * (batch_size / BATCH_SIZE) ** 0.5, LARGEST_RATE)


def loss_of_images(model, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The negative ELBO of uint8 images: what is compiled, so that one kernel may divide by 255 too."""
    return objectives.negative_elbo(model, data.grey(images))


def compiled_loss(backend: str = "inductor"):
    """`loss_of_images` as one graph for one batch size: what reads a number on the way could not be recorded afterwards."""
    return torch.compile(loss_of_images, backend=backend, fullgraph=True, dynamic=False)


def as_they_are(images: torch.Tensor) -> torch.Tensor:
    """Nothing is left to prepare for `loss_of_images`."""
    return images


def train(images: torch.Tensor, epochs: int, batch_size: int, way: str = "CUDA graph",
          backend: str = "inductor") -> Training:
    """Train the reference VAE in one of the WAYS, of which the default is the default of fit."""
    compiled, cuda_graph = WAYS[way]
    loss_fn, prepare = (compiled_loss(backend), as_they_are) if compiled else (objectives.negative_elbo, data.grey)
    torch.manual_seed(0)
    model = models.reference_vae(activation=nn.SiLU, mean_image=data.grey(images).mean(0)).to(images.device)
    started = time.perf_counter()
    history = training.fit(model, loss_fn, images, epochs=epochs, prepare=prepare, batch_size=batch_size,
                           learning_rate=learning_rate(batch_size), schedule=schedules.warm_cosine, cuda_graph=cuda_graph,
                           progress=False)
    return Training(model, history.column("seconds"), time.perf_counter() - started)


def run_way(way: str, batch_size: int, epochs: int, args) -> dict:
    """`train` in a process of its own, whose compiler finds nothing that an earlier one left; or what went wrong."""
    work = {"way": way, "batch_size": batch_size, "epochs": epochs}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        environment = {"TORCHINDUCTOR_CACHE_DIR": cache, "TRITON_CACHE_DIR": os.path.join(cache, "triton")}
        try:
            result, printed = common.run_child(__file__, work, args, environment=environment)
        except common.ChildFailed as failed:
            return {"note": f"failed: {failed.reason}"}
    notes = [line for line in printed if "cannot be recorded" in line]  # fit went on without a graph
    return {**result, "note": " ".join(notes)}


# ---------------------------------------------------------------- the tables

def best_batch(images: torch.Tensor, epochs: int, batch_sizes: tuple[int, ...], hardware: Hardware) -> int:
    """Print epoch and roofline of each batch size; returns the one with the least time per image."""
    print(f"\n{'batch':>6}{'steps':>7}{'ms per epoch':>14}{'µs per image':>14}{'arithmetic, ms':>16}{'memory, ms':>12}"
          f"{'epoch ÷ roofline':>18}", flush=True)
    per_image = {}
    for size in (size for size in batch_sizes if size <= len(images)):
        epoch, limit = train(images, epochs, size).epoch, roofline(len(images), size, hardware)
        per_image[size] = epoch / images_seen(len(images), size)
        print(f"{size:6}{len(images) // size:7}{1e3 * epoch:14.2f}{1e6 * per_image[size]:14.3f}"
              f"{1e3 * limit.arithmetic:16.2f}{1e3 * limit.memory:12.2f}{epoch / max(limit):18.1f}", flush=True)
    best = min(per_image, key=per_image.get)
    print(f"best batch: {best} (the least time per image: an epoch drops the remainder of {len(images):,} / batch)")
    return best


def train_long(mnist: data.ImageData, epochs: int, batch_sizes: dict[str, int], hardware: Hardware) -> dict[str, float]:
    """Train for all epochs at each batch size, print the table; returns numbers for the last line."""
    print(f"\n{f'{epochs} epochs, batch':>17}{'s':>9}{'s, whole call':>15}{'ms per epoch':>14}{'epoch ÷ roofline':>18}"
          f"{'test ELBO':>11}")
    line = {}
    for name, size in batch_sizes.items():
        run = train(mnist.train.images, epochs, size)
        elbo = evaluation.test_elbo(run.model, mnist.test.images, prepare=data.grey).elbo.mean
        ratio = run.epoch / max(roofline(len(mnist.train), size, hardware))
        print(f"{size:17}{sum(run.seconds):9.2f}{run.wall:15.2f}{1e3 * run.epoch:14.2f}{ratio:18.1f}{elbo:11.2f}",
              flush=True)
        line |= {f"{name}_s": sum(run.seconds), f"{name}_epoch_s": run.epoch, f"{name}_of_roofline": ratio,
                 f"{name}_negative_elbo": -elbo}
    return line


def compare_ways(args, epochs: int, batch_sizes: list[int]) -> dict[str, float]:
    """Print how an epoch and its warm-up depend on how the step is run; returns numbers for the last line."""
    print(f"\n{'way of fit, each in a new process':35}{'batch':>6}{'warm-up, s':>12}{'ms per epoch':>14}")
    line = {}
    for size in batch_sizes:
        for way, (_, cuda_graph) in WAYS.items():
            if cuda_graph and torch.device(args.device).type != "cuda":
                continue
            result = run_way(way, size, epochs, args)
            seconds, note = result.get("seconds"), result["note"]
            numbers = f"{seconds[0] - steady(seconds):12.2f}{1e3 * steady(seconds):14.2f}" if seconds else ""
            print(f"{way:35}{size:6}{numbers}{'  ' + note if note else ''}", flush=True)
            if seconds and not note:
                key = f"{way.replace('torch.', '').replace(', ', '_').replace(' ', '_').lower()}_{size}"
                line |= {f"{key}_first_epoch_s": seconds[0], f"{key}_epoch_s": steady(seconds)}
    if torch.device(args.device).type != "cuda":
        print("(CUDA graphs are for GPUs of NVIDIA: on this device those rows would be the same as the ones above.)")
    return line


def against_textbook(args, our_epoch: float, repeats: int) -> dict[str, float]:
    """Run the textbook script, and `fit` until it is as good; print both; returns numbers for the last line."""
    textbook = train_speed.run_child("textbook", train_speed.TEXTBOOK_EPOCHS, args, seed=0)
    epoch, size = statistics.median(textbook["seconds"]), train_speed.OUR_BATCH_SIZES[-1]
    print(f"\ntextbook script, batch {BATCH_SIZE}: {epoch:.3f} s per epoch, {epoch / our_epoch:.1f} times that of fit; "
          f"test ELBO {textbook['elbo']:.2f} after {len(textbook['seconds'])} epochs, {sum(textbook['seconds']):.1f} s",
          flush=True)
    n_epochs = train_speed.epochs_needed(args, textbook["elbo"], size)
    runs = [train_speed.run_child(size, n_epochs, args, seed) for seed in range(repeats)]
    elbo = statistics.median(run["elbo"] for run in runs)
    total = statistics.median(sum(run["seconds"]) for run in runs)
    warm = n_epochs * statistics.median(steady(run["seconds"]) for run in runs)
    print(f"fit, batch {size}: test ELBO {elbo:.2f} after {n_epochs} epochs, {total:.2f} s in a new process, {warm:.2f} s "
          f"without its warm-up; median of {repeats} run(s)"
          + ("" if elbo >= textbook["elbo"] else "; NOT as good as the textbook script"))
    line = {"textbook_epoch_s": epoch, "epoch_ratio": epoch / our_epoch}
    return line | ({"to_elbo_s": total, "to_elbo_warm_s": warm} if elbo >= textbook["elbo"] else {})


# ---------------------------------------------------------------- the program

def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = common.parser(__doc__)
    parser.add_argument("--epochs", type=int, help="of the long trainings; 50, or 3 with --quick")
    parser.add_argument("--quick", action="store_true", help="few epochs and batch sizes, for a CPU")
    args = parser.parse_args(argv)
    args.epochs = args.epochs if args.epochs is not None else 3 if args.quick else 50
    if args.epochs < 2:
        parser.error("--epochs must be at least 2: the first is the warm-up")
    return args


def print_machine(device: torch.device, hardware: Hardware, load_before: float) -> None:
    """The machine, its rates, and what an epoch at batch 128 consists of."""
    name = {2: "bfloat16", 4: "float32"}[hardware.number_bytes]
    print("\n" + common.machine(device, load_before))
    print(f"measured: {hardware.flop_rate / 1e12:,.2f} TFLOP/s of {name} products, {hardware.bandwidth / 1e9:,.1f} GB/s "
          f"of a copy, read and written")
    print(f"counted: {train_speed.FLOP_PER_IMAGE:,} FLOP and {bytes_per_image(hardware.number_bytes):,} bytes an image; "
          f"{PASSES * 4 * PARAMETERS:,} bytes a step for {PARAMETERS:,} parameters, their gradients and Adam's moments")


def main(argv: list[str] | None = None) -> None:
    """Measure the device and fit on it, print the tables and the line for machines."""
    args, load_before = parse(argv), common.load()
    mnist, device = common.full_mnist(args.device, args.folder), torch.device(args.device)
    if args.child:  # the other side of run_way
        return common.answer({"seconds": train(mnist.train.images, **args.child).seconds})
    short = 3 if args.quick else 6
    hardware = measure_hardware(device)
    print_machine(device, hardware, load_before)
    best = best_batch(mnist.train.images, short, BATCH_SIZES[::2] if args.quick else BATCH_SIZES, hardware)
    line = {"epochs": args.epochs, "best_batch": best}
    line |= train_long(mnist, args.epochs, {"batch_128": BATCH_SIZE, "best": best}, hardware)
    line |= compare_ways(args, short, [BATCH_SIZE] if args.quick else list(dict.fromkeys([BATCH_SIZE, best])))
    line |= against_textbook(args, line["batch_128_epoch_s"], repeats=1 if args.quick else 3)
    common.print_values((line, ".5g"))


if __name__ == "__main__":
    main()
