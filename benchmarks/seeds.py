"""How much do the numbers of chapter 08 change with the seed: those of its loop, of `fit`, and of codes of other lengths?

    python benchmarks/seeds.py                      # about eight minutes on 2 CPU cores
    python benchmarks/seeds.py --seeds 0 --sizes 20 # one training by the loop and one by fit

`HandVAE` and its loop are read from notebooks/08. Both ways train the VAE 784–400–Z–400–784 as the chapter does: 50,000
training pictures, batches of 256, 8 epochs, one cycle to 5e-3. The numbers are those of the 10,000 test pictures.
"""

from pathlib import Path

import common
import nbformat
import torch
from torch import nn

from vae_course import data, evaluation, models, objectives, runtime, training

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "08_build_and_train.ipynb"
DEFINED = ("class HandVAE", "def terms_by_hand", "def one_cycle", "def train_by_hand", "def both_terms")
SIZES, EPOCHS, BATCH_SIZE = (2, 5, 10, 20, 40, 80), 8, 256


def chapter(device: torch.device) -> dict:
    """What the chapter defines: HandVAE, terms_by_hand, one_cycle, train_by_hand, both_terms, validate."""
    names = {"torch": torch, "nn": nn, "data": data, "runtime": runtime, "training": training, "device": device}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code" and any(word in cell.source for word in DEFINED):
            exec(cell.source, names)
    return names


def by_hand(names: dict, mnist: data.ImageData, seed: int, epochs: int) -> tuple[float, float]:
    """Rate and distortion of HandVAE on the test pictures, after a training by the chapter's loop."""
    train, validation = data.hold_out(mnist.train, len(mnist.train) // 6)
    torch.manual_seed(seed)
    model = names["HandVAE"]().to(train.images.device)
    names["train_by_hand"](model, train.images, validation.images[:100], epochs, BATCH_SIZE)
    recon, kl = names["both_terms"](model, mnist.test.images)
    return kl.mean().item(), -recon.mean().item()


def by_fit(names: dict, mnist: data.ImageData, size: int, seed: int, epochs: int) -> tuple[float, float, int]:
    """Rate and distortion on the test pictures, and how many latents are active, after a training by `fit`."""
    train, _ = data.hold_out(mnist.train, len(mnist.train) // 6)
    torch.manual_seed(seed)
    vae = models.reference_vae(size).to(train.images.device)
    training.fit(vae, objectives.negative_elbo, train.images, epochs=epochs, prepare=data.stochastic,
                 batch_size=BATCH_SIZE, learning_rate=5e-3, seed=seed, progress=False)
    recon, kl = names["both_terms"](vae, mnist.test.images)
    active = evaluation.active_units(vae, mnist.test.images, prepare=data.stochastic)
    return kl.mean().item(), -recon.mean().item(), int(active.sum())


def main() -> None:
    """Train all, and print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many latents, for fit")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = parser.parse_args()
    mnist, load_before = common.full_mnist(args.device, args.folder), common.load()
    names, elbos = chapter(torch.device(args.device)), {}
    print(f"{'':8}{'latents':>8}{'seed':>6}{'rate':>8}{'distortion':>12}{'ELBO':>9}{'active':>8}")
    for size in (None, *args.sizes):
        for seed in args.seeds:
            if size is None:
                rate, distortion = by_hand(names, mnist, seed, args.epochs)
            else:
                rate, distortion, active = by_fit(names, mnist, size, seed, args.epochs)
            elbos[f"by_hand_{seed}" if size is None else f"fit_{size}_{seed}"] = -distortion - rate
            print(f"{'by hand' if size is None else 'fit':8}{size or 20:8}{seed:6}{rate:8.2f}{distortion:12.2f}"
                  f"{-distortion - rate:9.2f}{'' if size is None else active:>8}", flush=True)
    print("\nTest pictures, nats per image.")
    print(common.machine(args.device, load_before))
    common.print_values((elbos, ".2f"))


if __name__ == "__main__":
    main()
