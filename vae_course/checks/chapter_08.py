"""Checks of the exercises of notebook 08 about the forward pass and the loss."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.values import close
from vae_course.densities import bernoulli_log_likelihood, kl_to_standard_normal


def _forward(draw: Callable = torch.randn_like, use: Callable = lambda mu, v, eps: mu + torch.exp(0.5 * v) * eps,
             give: Callable = lambda logits, mu, v: (logits, mu, v)) -> Callable:
    """forward, or that with another noise, another use of it, or other things returned."""
    def forward(encode, decode, x):
        mu, logvar = encode(x)
        return give(decode(use(mu, logvar, draw(mu))), mu, logvar)
    return forward


def _passed(forward: Callable) -> SimpleNamespace:
    """What forward makes of 5,000 pictures that have all the same mu and logvar, with a decoder that multiplies by 10."""
    mu, logvar = (torch.tensor(row).expand(5000, 3).clone().requires_grad_() for row in ([0.5, -2.0, 1.0], [-2.0, 1.0, 0.5]))
    # clones, as an encoder's outputs are no leaves: an answer may write to them
    answer = forward(lambda x: (mu.clone(), logvar.clone()), lambda z: 10 * z, torch.zeros(5000, 1, 28, 28))
    if not isinstance(answer, (tuple, list)) or len(answer) != 3 or not isinstance(answer[0], Tensor):
        return SimpleNamespace(three=False)
    logits, sigma = answer[0], torch.exp(0.5 * logvar[0]).detach()
    if logits.requires_grad:
        logits.sum().backward()
    z = logits.detach() / 10
    # of the sum of 10·z; torch.normal leaves gradients of zeros, and .detach() none
    gradients = close(mu.grad, torch.full_like(z, 10)) and close(logvar.grad, 5 * (z - mu.detach()), 1e-3)
    numbers = {"mean": z.mean(0), "spread": z.std(0), "mu": mu[0].detach(), "sigma": sigma}
    return SimpleNamespace(
        **numbers, shown=SimpleNamespace(**{name: number.tolist() for name, number in numbers.items()}),
        three=True, kept=close(answer[1], mu) and close(answer[2], logvar), logits=logits, logvar=logvar[0].detach(), z=z,
        noiseless=bool(z.std(0).max() < 1e-6), gradients=gradients,
        eps=(z - mu.detach()) / sigma,
        has_spread=lambda spread: close(z.std(0), spread, 0.06) and not close(z.std(0), sigma, 0.06))


check_forward = Inspection(
    "forward(encode, decode, x) → recon_logits, mu, logvar, with z reparameterized (notebook 08).",
    _passed, _forward(), {
    "Return three things: recon_logits, mu, logvar.":
        (lambda seen: not seen.three, _forward(give=lambda logits, mu, v: logits)),
    "The second and third value must be mu and logvar, as encode returned them.":
        (lambda seen: not seen.kept, _forward(give=lambda logits, mu, v: (logits, mu, torch.exp(0.5 * v))),
         _forward(give=lambda logits, mu, v: (logits, v, mu))),
    "These look like probabilities: return the logits; the loss applies the sigmoid.":
        (lambda seen: seen.logits.min() >= 0 and seen.logits.max() <= 1,
         _forward(give=lambda logits, mu, v: (torch.sigmoid(logits), mu, v))),
    "z has no noise: decoding mu alone is a plain autoencoder. Add sigma·eps.":
        (lambda seen: seen.noiseless and close(seen.mean, seen.mu), _forward(torch.zeros_like)),
    "All examples share one eps: draw it in the shape of mu, torch.randn_like(mu).":
        (lambda seen: seen.noiseless, _forward(lambda mu: torch.randn(mu.shape[1]))),
    "The spread of z is exp(logvar), the variance: logvar is log σ², so σ = exp(logvar / 2).":
        (lambda seen: seen.has_spread(seen.sigma ** 2), _forward(use=lambda mu, v, eps: mu + v.exp() * eps)),
    "The spread of z is logvar itself: take σ = exp(logvar / 2).":
        (lambda seen: seen.has_spread(seen.logvar.abs()), _forward(use=lambda mu, v, eps: mu + v * eps)),
    "The spread of z is 1: multiply eps by σ = exp(logvar / 2).":
        (lambda seen: seen.has_spread(torch.ones(3)), _forward(use=lambda mu, v, eps: mu + eps)),
    "eps seems uniform (torch.rand): it must be N(0, 1), torch.randn_like(mu).":
        (lambda seen: seen.has_spread(seen.sigma / math.sqrt(12)), _forward(torch.rand_like)),
    "z has mean {seen.shown.mean} and standard deviation {seen.shown.spread}; they should be mu and exp(logvar / 2), "
    "which are {seen.shown.mu} and {seen.shown.sigma}.":
        (lambda seen: not (close(seen.mean, seen.mu, 0.1) and close(seen.spread, seen.sigma, 0.06)),
         _forward(use=lambda mu, v, eps: torch.exp(0.5 * v) * eps)),
    "The latents share one eps: draw it in the shape of mu, torch.randn_like(mu).":
        (lambda seen: (torch.corrcoef(seen.z.T) - torch.eye(3)).abs().max() > 0.1,
         _forward(lambda mu: torch.randn(len(mu), 1))),
    "eps is not normal: of the draws from N(0, 1), 68 % lie between −1 and 1. Take torch.randn_like(mu).":
        # a little more than 1, for rounding not to decide about eps = ±1
        (lambda seen: not 0.66 < (seen.eps.abs() < 1.01).float().mean() < 0.71,
         _forward(lambda mu: torch.randn_like(mu).sign()), _forward(lambda mu: 12 ** 0.5 * (torch.rand_like(mu) - 0.5))),
    "No gradient reaches mu and logvar: do not detach them, and do not use torch.no_grad() or torch.normal.":
        (lambda seen: not seen.gradients, torch.no_grad()(_forward()),
         _forward(use=lambda mu, v, eps: (mu + torch.exp(0.5 * v) * eps).detach()),
         _forward(use=lambda mu, v, eps: mu.detach() + torch.exp(0.5 * v) * eps),
         _forward(use=lambda mu, v, eps: mu + torch.exp(0.5 * v).detach() * eps),
         _forward(use=lambda mu, v, eps: torch.normal(mu, torch.exp(v / 2)))),
}, "z = mu + exp(logvar / 2)·eps, with gradients to both.")


def _batch(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures of zeros and ones, (5, 1, 7, 6), their logits, and mu and logvar, (5, 3)."""
    g = torch.Generator().manual_seed(seed)
    x = (torch.rand(5, 1, 7, 6, generator=g) < 0.3).float()
    return x, torch.randn(x.shape, generator=g), torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g)


def _loss(combine: Callable) -> Callable:
    """A loss of another combination of recon and kl, (B,) nats each, D pixels and Z latents."""
    return lambda x, logits, mu, v: combine(bernoulli_log_likelihood(x, logits), kl_to_standard_normal(mu, v),
                                            x[0].numel(), mu.shape[1])


check_loss = Check(
    "loss(x, recon_logits, mu, logvar) → −ELBO, the scalar mean over the batch, in nats per example (notebook 08).",
    _loss(lambda recon, kl, D, Z: -(recon - kl).mean()), [_batch(3), _batch(4)], {
    "The sign: this is the ELBO; the loss that is minimized is −ELBO.": But(torch.neg),
    "The sign of the KL: the loss is −recon + kl.": _loss(lambda recon, kl, D, Z: -(recon + kl).mean()),
    "The KL is missing.": _loss(lambda recon, kl, D, Z: -recon.mean()),
    "You averaged over the pixels: sum them, or β becomes 784 (here 42) in disguise.":
        _loss(lambda recon, kl, D, Z: (-recon / D + kl).mean()),
    "You averaged the KL over the latent dimensions: sum them.": _loss(lambda recon, kl, D, Z: (-recon + kl / Z).mean()),
    "You averaged over pixels and latents: sum both; only the batch is averaged.":
        _loss(lambda recon, kl, D, Z: (-recon / D + kl / Z).mean()),
    "You summed over the batch: then the loss grows with the batch size. Average over it.":
        _loss(lambda recon, kl, D, Z: -(recon - kl).sum()),
    "The ½ of the KL is missing.": _loss(lambda recon, kl, D, Z: (-recon + 2 * kl).mean()),
    "The sigmoid was applied twice: the arguments are logits already.":
        lambda x, logits, *rest: _loss(lambda recon, kl, D, Z: (-recon + kl).mean())(x, torch.sigmoid(logits), *rest),
    "784 is built in, but these pictures have another size: sum over the axes of x.":
        _loss(lambda recon, kl, D, Z: (-recon * 784 / D + kl).mean()),
}, "−(recon − kl), summed over pixels and latents, averaged over the batch.",
    form=lambda value: "" if isinstance(value, Tensor) and value.ndim == 0 else
    "Return one number: the mean over the batch, a tensor without axes.",
    unlike=lambda _, got, wanted: f"The value should be {wanted:.4f} here, got {got:.4f}.")
