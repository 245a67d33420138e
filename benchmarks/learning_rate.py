"""Which learning rate, and should it change during the training? The validation ELBO after the same number of steps.

    python benchmarks/learning_rate.py               # about four minutes on 2 CPU cores
    python benchmarks/learning_rate.py --seeds 0 1   # two trainings of each

The VAE 784–400–20–400–784 is trained as notebooks/08 trains it: 50,000 training pictures, batches of 256, 8 epochs of
`fit`. Each learning rate is tried with one cycle (up, then down to 0, the rate being the peak) and held constant. The
ELBO is that of the 10,000 pictures that were held back; the test pictures are not used.
"""

import statistics

import common
import torch

from vae_course import data, models, objectives, training
from vae_course.training import schedules

RATES = (1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2, 8e-2)
SCHEDULES = {"constant": schedules.constant, "one cycle": schedules.one_cycle}
EPOCHS, BATCH_SIZE = 8, 256


def validation_elbo(mnist: data.ImageData, rate: float, schedule, seed: int) -> float:
    """Nats per image of the held-out pictures after a training; NaN if it diverged."""
    train, validation = data.hold_out(mnist.train, len(mnist.train) // 6)
    torch.manual_seed(seed)
    vae = models.reference_vae(mean_image=data.grey(train.images).mean(0)).to(train.images.device)
    try:
        training.fit(vae, objectives.negative_elbo, train.images, epochs=EPOCHS, prepare=data.stochastic,
                     batch_size=BATCH_SIZE, learning_rate=rate, schedule=schedule, seed=seed, progress=False)
    except training.TrainingDiverged:
        return float("nan")
    return training.evaluate(vae, objectives.negative_elbo, data.stochastic, validation.images)["validation_elbo"]


def main() -> None:
    """Train all, and print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    mnist, load_before = common.full_mnist(args.device, args.folder), common.load()
    print(f"{'learning rate':>14}" + "".join(f"{name:>22}" for name in SCHEDULES))
    best = {name: -float("inf") for name in SCHEDULES}
    for rate in RATES:
        row = f"{rate:14.4g}"
        for name, schedule in SCHEDULES.items():
            elbos = [validation_elbo(mnist, rate, schedule, seed) for seed in args.seeds]
            row += f"{', '.join(f'{elbo:.2f}' for elbo in elbos):>22}"
            best[name] = max(best[name], statistics.mean(elbos))
        print(row, flush=True)
    print("\nValidation ELBO, nats per image, one number for each seed.")
    print(common.machine(args.device, load_before))
    common.print_values(({f"best_{name.replace(' ', '_')}": value for name, value in best.items()}, ".2f"))


if __name__ == "__main__":
    main()
