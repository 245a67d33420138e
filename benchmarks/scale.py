"""What does an epoch of `fit` cost as the work grows? One thing at a time: examples, latents, pixels, processes.

    python benchmarks/scale.py --figure build/scale.png        # three and a half minutes on 2 CPU cores
    python benchmarks/scale.py --device cuda

The reference VAE, 784–400–20–400–784, at batch 128 on MNIST, in the middle of each row. Data sets of other sizes are parts
or repetitions of MNIST; pictures of other sizes are MNIST made smaller or larger. Seconds are the median of the epochs but
the first. The processes of the last two rows share each batch (`torchrun`); each has one thread on a CPU, or one GPU. The
gradients are exchanged once a step, whatever the batch: so they are measured at batch 1,024 too.
"""

import statistics
from pathlib import Path

import common
import torch
from torch import nn

from vae_course import data, models, objectives, training
from vae_course.training import parallel

REPEATS = 3
MIDDLE = {"examples": 15_000, "latents": 20, "side": 28, "processes": 1, "batch_size": 128}
ROWS = {  # a name in the table and for machines → what grows, its values, and what else is not in the middle
    ("training images", "examples"): ("examples", (5_000, 60_000, 480_000), {}),
    ("latent dimensions", "latents"): ("latents", (2, 20, 200, 2000), {}),
    ("side of a picture, pixels", "side"): ("side", (14, 28, 56), {}),
    ("processes", "processes"): ("processes", (1, 2), {}),
    ("processes, batch 1,024", "processes_at_1024"): ("processes", (1, 2), {"batch_size": 1024}),
}


def images_like(mnist: torch.Tensor, examples: int, side: int) -> torch.Tensor:
    """(examples, 1, side, side) uint8: parts, repetitions and resized copies of MNIST."""
    copies = -(-examples // len(mnist))
    images = mnist.repeat(copies, 1, 1, 1)[:examples]
    if side == 28:
        return images
    mode = "area" if side < 28 else "nearest"
    return torch.cat([nn.functional.interpolate(block.float(), size=(side, side), mode=mode).to(torch.uint8)
                      for block in images.split(5000)])


def network(latents: int, side: int) -> models.VAE:
    """side² – 400 – latents – 400 – side²."""
    features = nn.Sequential(nn.Flatten(), models.mlp([side ** 2, 400]), nn.ReLU())
    decoder = nn.Sequential(models.mlp([latents, 400, side ** 2]), nn.Unflatten(1, (1, side, side)))
    return models.VAE(models.GaussianEncoder(features, 400, latents), decoder, input_shape=(1, side, side))


def seconds_of_an_epoch(device: torch.device, folder: str | None, point: dict) -> float:
    """The median of REPEATS epochs, after one that is not counted."""
    images = images_like(data.load_mnist(device, folder).train.images, point["examples"], point["side"])
    torch.manual_seed(0)
    history = training.fit(network(point["latents"], point["side"]).to(device), objectives.negative_elbo, images,
                           epochs=1 + REPEATS, prepare=data.stochastic, batch_size=point["batch_size"], progress=False)
    return statistics.median(history.column("seconds")[1:])


# ---------------------------------------------------------------- each measurement in processes of its own

def measured(point: dict, args) -> float:
    """Seconds of an epoch at a point of the table, run in fresh processes."""
    result, _ = common.run_child(__file__, point, args, point["processes"], {"OMP_NUM_THREADS": str(args.threads)})
    return result["seconds"]


def child(args) -> None:
    """The other side of `measured`."""
    device = parallel.start(torch.device(args.device))
    seconds = seconds_of_an_epoch(device, args.folder, args.child)
    if parallel.rank() == 0:
        common.answer({"seconds": seconds})
    parallel.stop()


def main() -> None:
    """Measure every row, print the table, and draw the figure."""
    parser = common.parser(__doc__)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--figure", type=Path, help="where to draw the table as curves, e.g. build/scale.png")
    args = parser.parse_args()
    if args.child:
        return child(args)
    print(common.machine(args.device, common.load(), threads=f", {args.threads} thread(s) a process"))
    print(f"\n{'what grows':28}{'':>8}{'s per epoch':>13}{'µs per image':>14}")
    table = {}
    for names, (grows, values, others) in ROWS.items():
        for value in values:
            point = {**MIDDLE, **others, grows: value}
            seconds = measured(point, args)
            table.setdefault(names, []).append((value, 1e6 * seconds / point["examples"]))
            print(f"{names[0]:28}{value:8,}{seconds:13.2f}{table[names][-1][1]:14.1f}", flush=True)
    if args.figure:
        draw(table, args.figure)
    values = {f"{name}_{value}_us": cost for (_, name), row in table.items() for value, cost in row}
    common.print_values((values, ".1f"))


def draw(table: dict[tuple[str, str], list[tuple[int, float]]], path: Path) -> None:
    """A log-log panel for each row of the table, all with the same vertical axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(table), figsize=(12, 3), sharey=True, layout="constrained")
    for ax, ((name, _), row) in zip(axes, table.items()):
        values, costs = zip(*row)
        ax.loglog(values, costs, "o-", color="tab:blue")
        ax.set_xticks(values, [f"{value // 1000}k" if value >= 1000 else str(value) for value in values])
        ax.set(xlabel=name, xlim=(values[0] / 1.3, values[-1] * 1.3))
        ax.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:g}"))
        ax.grid(axis="y", alpha=0.3)
        ax.minorticks_off()
    axes[0].set_ylabel("µs per image and epoch")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
