"""How fast does a VAE learn by each estimate of its encoder's gradient, at each estimate's best learning rate?

    python benchmarks/encoder_gradients.py              # three minutes on 2 CPU cores
    python benchmarks/encoder_gradients.py --seeds 2    # less

The network, the batches and the four draws a picture are those of notebooks/06. First each estimate is tried at five
learning rates, judged on 5,000 training pictures that are held out. Then each is trained from several seeds at its best.
"""

from collections.abc import Callable

import common
import torch
from torch import Tensor, nn

from vae_course import data, densities, evaluation, models

RATES, STEPS, DRAWS, BATCH, HELD_OUT = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), 300, 4, 100, 5_000
BASELINES: dict[str, Callable[[Tensor], Tensor] | None] = {     # of the distances f (K, B); None: the pathwise gradient
    "pathwise": None,
    "score": torch.zeros_like,
    "score, batch mean": lambda f: ((f.sum() - f.sum(0)) / (f.numel() - len(f))).expand_as(f),      # of the other pictures
    "score, leave-one-out": lambda f: (f.sum(0) - f) / (len(f) - 1),                                # of the other draws
}


def loss_of(model: models.VAE, x: Tensor, baseline: Callable[[Tensor], Tensor] | None) -> Tensor:
    """A scalar whose gradient estimates that of −ELBO, from DRAWS draws for each picture."""
    mu, logvar = model.encode(x)
    shape = DRAWS, *mu.shape
    z = densities.reparameterize(mu.expand(shape), logvar.expand(shape))
    z = z.detach() if baseline else z
    f = -model.likelihood.log_prob(x.expand(DRAWS, *x.shape).flatten(0, 1), model.decode(z.flatten(0, 1))).view(DRAWS, -1)
    loss = f + model.kl(mu, logvar)
    if baseline:
        loss = loss + (f - baseline(f)).detach() * densities.normal_log_density(z, mu, logvar)
    return loss.mean()


def trained(images: Tensor, baseline: Callable[[Tensor], Tensor] | None, rate: float, seed: int) -> models.VAE:
    """The chapter's VAE after STEPS steps; every estimate sees the same pictures and the same noise."""
    torch.manual_seed(seed)
    model = models.reference_vae(20, 200, nn.SiLU, mean_image=data.grey(images).mean(0)).to(images.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(STEPS):
        x = data.stochastic(images[torch.randint(len(images), (BATCH,), device=images.device)])
        loss = loss_of(model, x, baseline)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def main() -> None:
    """Choose the rates, train from several seeds, and print both tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="runs at the best rate")
    args = parser.parse_args()
    print(common.machine(args.device, common.load()))
    mnist = common.full_mnist(args.device, args.folder)
    learnt, held_out = mnist.train.images[:-HELD_OUT], mnist.train.images[-HELD_OUT:]
    print(f"\n{'ELBO of held-out pictures, nats':32}" + "".join(f"{rate:>9g}" for rate in RATES))
    best = {}
    for name, baseline in BASELINES.items():
        elbos = [evaluation.test_elbo(trained(learnt, baseline, rate, 0), held_out, prepare=data.stochastic).elbo.mean
                 for rate in RATES]
        best[name] = max(zip(elbos, RATES), key=lambda pair: pair[0] if pair[0] == pair[0] else -float("inf"))[1]
        print(f"{name:32}" + "".join(f"{elbo:9.1f}" for elbo in elbos), flush=True)
    print(f"\n{'ELBO of test pictures, nats':32}{'rate':>9}{'mean':>9}{'seeds':>9}")
    values = {}
    for name, baseline in BASELINES.items():
        runs = torch.tensor([evaluation.test_elbo(trained(mnist.train.images, baseline, best[name], seed), mnist.test.images,
                                                  prepare=data.stochastic).elbo.mean for seed in range(args.seeds)])
        values[name.replace(", ", "_").replace(" ", "_").replace("-", "_")] = runs.mean().item()
        print(f"{name:32}{best[name]:9g}{runs.mean():9.1f}{'±':>5}{runs.std():4.1f}", flush=True)
    common.print_values((values, ".2f"))


if __name__ == "__main__":
    main()
