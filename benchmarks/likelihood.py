"""How good is a VAE of the course, in nats? Trains on both binarizations of MNIST, and prints ours beside published rows.

    python benchmarks/likelihood.py            # --quick on a CPU: seven minutes on 2 cores
    python benchmarks/likelihood.py --full     # the default on a GPU: the importance-weighted objective, many epochs
    python benchmarks/likelihood.py --architecture published    # 784-200-200-50 with tanh, as in Burda et al. (2016)
    python benchmarks/likelihood.py --components 0      # the prior N(0, I), in place of a mixture that is learned

Every number is in nats per image on the 10,000 test images: the test ELBO, and −log p(x) by L_5000. `--quick` computes L_50
for all test images, and adds the mean of L_5000 − L_50 over 200 of them; both enter the standard error. Settings were
chosen on 10,000 held-out training images (`--held-out` trains without them and evaluates on them); the test set was not
used to choose.
"""

import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import common
import torch
from torch import nn

from vae_course import data, densities, evaluation, models, objectives, runtime, training
from vae_course.training import schedules

K, K_QUICK, N_QUICK = 5000, 50, 200
N_CODES = 30_000        # training images whose codes the mixture is fitted to


class Row(NamedTuple):
    """A published test NLL, in nats."""

    model: str
    nll: float
    source: str


BURDA = "Burda et al. 2016"
PYTHAE = "pythae's notes"
PUBLISHED = {
    "stochastic": [Row("VAE, one layer, 200-200-50", 86.76, BURDA), Row("VAE, two layers", 85.33, BURDA),
                   Row("IWAE-50, one layer", 84.78, BURDA), Row("IWAE-50, two layers", 82.90, BURDA)],
    "fixed": [Row("VAE", 89.78, PYTHAE), Row("IWAE-50", 86.82, PYTHAE), Row("VampPrior", 85.57, PYTHAE)],
}


@dataclass(frozen=True)
class Plan:
    """What is trained, and how. One layer of latents."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss: object
    words: str
    architecture: str = "wide"
    hidden_dim: int = 500
    latent_dim: int = 50
    loss_takes_progress: bool = False
    components: int = 50        # of the prior; 0 stands for N(0, I)
    prior_from: float = 0.4     # the share of the training after which the mixture is fitted, to be learned from then on


def quick_plans() -> dict[str, Plan]:
    """For minutes on a CPU: the ELBO, with a KL that is warmed up."""
    warm = partial(objectives.warm_up_negative_elbo, warm_up=0.2)
    return {"stochastic": Plan(56, 256, 3e-3, warm, "VAE, one layer, KL warm-up", loss_takes_progress=True),
            "fixed": Plan(16, 256, 3e-3, warm, "VAE, one layer, KL warm-up", loss_takes_progress=True)}


def full_plans() -> dict[str, Plan]:
    """For a GPU: the bound with 50 samples, and a wider network."""
    iwae = partial(objectives.negative_importance_weighted_bound, n_samples=50)
    return {"stochastic": Plan(1000, 128, 1e-3, iwae, "IWAE-50, one layer", hidden_dim=1000),
            "fixed": Plan(300, 128, 1e-3, iwae, "IWAE-50, one layer", hidden_dim=1000)}


ARCHITECTURES = {
    "wide": "two hidden layers with SiLU, 500 wide (--full: 1000)",
    "published": "two hidden layers with tanh, 200 wide, as in Burda et al. (2016)",
    "convolutional": "two strided convolutions on either side",
}


def with_architecture(plan: Plan, architecture: str) -> Plan:
    """The same training of another network."""
    width = {"wide": plan.hidden_dim, "published": 200, "convolutional": 512}[architecture]
    return replace(plan, architecture=architecture, hidden_dim=width)


def network(plan: Plan, mean_image: torch.Tensor) -> models.VAE:
    """The VAE of a plan, which starts at the mean image."""
    h, z = plan.hidden_dim, plan.latent_dim
    if plan.architecture == "convolutional":
        return models.conv_vae(latent_dim=z, channels=64, hidden_dim=h, mean_image=mean_image)
    activation = nn.Tanh if plan.architecture == "published" else nn.SiLU
    features = nn.Sequential(nn.Flatten(), models.mlp([784, h, h], activation), activation())
    decoder = nn.Sequential(models.mlp([z, h, h, 784], activation), nn.Unflatten(1, (1, 28, 28)))
    models.start_at_mean_image(decoder[0][-1], mean_image)
    return models.VAE(models.GaussianEncoder(features, h, z), decoder)


def name_of(plan: Plan) -> str:
    """How the table calls it."""
    shape = {"wide": "{0}-{0}-{1}", "published": "{0}-{0}-{1} tanh", "convolutional": "convolutions-{0}-{1}"}
    prior = f", mixture of {plan.components} as prior" if plan.components else ""
    return f"{plan.words}{prior}, " + shape[plan.architecture].format(plan.hidden_dim, plan.latent_dim)


# ---------------------------------------------------------------- one protocol

class Result(NamedTuple):
    """What one training gave, in nats, and how long it took."""

    nll: evaluation.Estimate
    elbo: evaluation.Estimate
    rate: evaluation.Estimate
    active: int
    seconds: float


def measure(protocol: str, plan: Plan, device: torch.device, args) -> Result:
    """Train by the plan, and evaluate on the test images (or those held out)."""
    train, test, prepare = images_of(protocol, device, args)
    torch.manual_seed(args.seed)
    model = network(plan, data.grey(train).mean(0).cpu()).to(device)
    started = time.perf_counter()
    train_by(plan, model, train, prepare, args.seed)
    seconds = time.perf_counter() - started
    found = evaluation.test_elbo(model, test, prepare=prepare)
    active = evaluation.active_units(model, test, prepare=prepare).sum().item()
    return Result(negative_log_px(model, test, prepare, args.full), found.elbo, found.rate, active,
                  seconds)


def train_by(plan: Plan, model: models.VAE, images: torch.Tensor, prepare, seed: int) -> None:
    """Train with N(0, I), fit the mixture to the codes, and go on with it where the rate and the warm-up had come to."""
    change = round(plan.epochs * plan.prior_from) if plan.components else plan.epochs
    for first, last in ((0, change), (change, plan.epochs)):
        if first == last:
            continue
        if first:
            with runtime.seeded(seed, images.device):
                model.prior = models.MixturePrior.of_codes(codes_of(model, images[:N_CODES], prepare), plan.components, seed)

        def done(progress, first=first, last=last):
            return (first + (last - first) * progress) / plan.epochs        # the share of the whole training

        def loss(model, x, progress, done=done):
            return plan.loss(model, x, **({"progress": done(progress)} if plan.loss_takes_progress else {}))

        training.fit(model, loss, images, epochs=last - first, prepare=prepare, batch_size=plan.batch_size,
                     seed=seed + first, learning_rate=plan.learning_rate,
                     schedule=lambda progress, done=done: schedules.cosine(done(progress)),
                     loss_takes_progress=True, progress=sys.stderr.isatty())


@torch.no_grad()
def codes_of(model: models.VAE, images: torch.Tensor, prepare) -> torch.Tensor:
    """One draw z ~ q(z|x) for each image: (N, Z)."""
    return torch.cat([densities.reparameterize(*model.encode(prepare(block))) for block in images.split(1000)])


def images_of(protocol: str, device: torch.device, args):
    """Training and test images, and how they become pixels; with --held-out the 10,000 held out are the test."""
    if protocol == "fixed":
        source, prepare = data.load_fixed_mnist(device, args.folder), data.fixed
        return source.train.images, (source.validation if args.held_out else source.test).images, prepare
    source, prepare = data.load_mnist(device, args.folder), data.stochastic
    if args.held_out:
        train, held_out = data.hold_out(source.train, 10_000)
        return train.images, held_out.images, prepare
    return source.train.images, source.test.images, prepare


def negative_log_px(model, images: torch.Tensor, prepare, full: bool) -> evaluation.Estimate:
    """−L_5000: of all images if `full`, else −L_100 of all with the mean difference of a part of them added."""
    if full:
        found = evaluation.log_px(model, images, n_samples=K, prepare=prepare).estimate
        return evaluation.Estimate(-found.mean, found.standard_error)
    of_all = evaluation.log_px(model, images, n_samples=K_QUICK, prepare=prepare).estimate
    coarse, fine = (evaluation.log_px(model, images[::len(images) // N_QUICK], n_samples=k, prepare=prepare).log_px
                    for k in (K_QUICK, K))                          # of the same pixels
    gained = evaluation.estimate(fine - coarse)
    error = (of_all.standard_error ** 2 + gained.standard_error ** 2) ** 0.5
    return evaluation.Estimate(-(of_all.mean + gained.mean), error)


# ---------------------------------------------------------------- the table

def main() -> None:
    """Run the protocols that are asked for, and print a table for each."""
    parser = common.parser(__doc__)
    parser.add_argument("--protocols", nargs="+", choices=PUBLISHED, default=list(PUBLISHED))
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="wide",
                        help="; ".join(f"{name}: {words}" for name, words in ARCHITECTURES.items()))
    parser.add_argument("--components", type=int, help="of the mixture that is the prior; 0: N(0, I)")
    parser.add_argument("--epochs", type=int, help="in place of the plan's")
    parser.add_argument("--held-out", action="store_true", help="evaluate on 10,000 held-out images, not on the test set")
    parser.add_argument("--seed", type=int, default=0)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--quick", action="store_true", help="minutes on a CPU; the default there")
    budget.add_argument("--full", action="store_true", help="the default on a GPU")
    args = parser.parse_args()
    device = torch.device(args.device)
    args.full = args.full or (device.type == "cuda" and not args.quick)
    started = time.perf_counter()
    print(common.machine(device, common.load()))
    results = {}
    for protocol in args.protocols:
        plan = with_architecture((full_plans() if args.full else quick_plans())[protocol], args.architecture)
        given = {name: getattr(args, name) for name in ("epochs", "components") if getattr(args, name) is not None}
        plan = replace(plan, **given)
        results[protocol] = measure(protocol, plan, device, args)
        report(protocol, plan, results[protocol], args.held_out)
    best = results.get("stochastic") or next(iter(results.values()))
    common.print_values(({"nll": best.nll.mean, "se": best.nll.standard_error, "elbo": best.elbo.mean}, ".2f"),
                        ({"seconds": time.perf_counter() - started}, ".0f"))


def report(protocol: str, plan: Plan, ours: Result, held_out: bool) -> None:
    """Print one protocol's published rows and ours, best last."""
    print(f"\n{protocol + ' binarization, nats per image':72}{'−log p(x)':>14}{'test ELBO':>17}")
    for row in PUBLISHED[protocol]:
        print(f"{row.model + ' (' + row.source + ')':72}{row.nll:14.2f}")
    name = f"ours: {name_of(plan)}" + (", held-out images" if held_out else "")
    print(f"{name:72}{ours.nll!s:>14}{ours.elbo!s:>17}")
    print(f"  {plan.epochs} epochs at batch {plan.batch_size}, {ours.seconds:.0f} s of training; "
          f"rate {ours.rate}, {ours.active} of {plan.latent_dim} units active")


if __name__ == "__main__":
    main()
