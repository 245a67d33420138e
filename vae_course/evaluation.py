"""How good is a model: its test ELBO, an estimate of log p(x), rate and distortion, active units."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_course import runtime
from vae_course.arguments import check_source
from vae_course.densities import kl_between_normals, reparameterize
from vae_course.objectives import elbo_terms, importance_weighted_bound, log_weights

DEFAULT_MEMORY = 256 * 2**20  # bytes that the importance-weighted estimate may take for one chunk
BLOCK = 1000          # images that are prepared at once
Images = Any          # a Tensor or a data.ImageFile
BYTES_PER_WEIGHT = 40 # of one log weight, with the double-precision copies that the estimate makes of it


class Estimate(NamedTuple):
    """A mean over the test set, in nats per example, with its standard error."""

    mean: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.standard_error:.2f}"


class TestElbo(NamedTuple):
    """The test ELBO and its two terms, in nats per example."""

    elbo: Estimate
    distortion: Estimate  # −E_q log p(x|z)
    rate: Estimate        # KL(q(z|x) || p(z))


class LogPx(NamedTuple):
    """Importance-weighted estimates of log p(x), L_K, in nats."""

    log_px: Tensor        # (N,) one value per example; low by about half its squared Monte-Carlo error
    monte_carlo: Tensor   # (N,) standard error of each value that comes from the finite number of samples
    n_samples: int        # K

    @property
    def estimate(self) -> Estimate:
        """The mean over the examples; its standard error holds the spread of the examples and of the samples."""
        return estimate(self.log_px)


class Calibration(NamedTuple):
    """Pixels in groups of equal width of their predicted probability. A calibrated decoder predicts what is observed."""

    predicted: Tensor   # (bins,) mean predicted probability of white
    observed: Tensor    # (bins,) share that is white
    n_pixels: Tensor    # (bins,) how many; the means of an empty group are NaN


def estimate(values: Tensor) -> Estimate:
    """Mean and standard error of independent values (N,), N ≥ 2."""
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values must have shape (N,) with N ≥ 2, got {tuple(values.shape)}")
    values = values.cpu().double()  # an Apple GPU has no double precision
    return Estimate(values.mean().item(), (values.std() / len(values) ** 0.5).item())


@torch.no_grad()
def test_elbo(model, images: Images, *condition: Tensor, prepare: Callable[[Tensor], Tensor],
              seed: int = 0) -> TestElbo:
    """The ELBO of held-out images, with one draw of the binarization and of z per image.

    Args:
        model: as in `objectives`.
        images: tensor or ImageFile (N, …), what `prepare` takes: uint8 for those of `data`. They may be on another device
            than the model, and are moved to it block by block.
        condition: nothing, or the labels (N,) of a conditional model.
        prepare: how the model was trained to see images: `data.stochastic`, `data.fixed` or `data.grey`.
        seed: of both draws.

    Returns:
        TestElbo, in nats per example. The standard errors are those of N independent examples.
    """
    generator = torch.Generator(_device(model, images)).manual_seed(seed)
    recon: list[Tensor] = []
    kl: list[Tensor] = []
    for block in _blocks(model, images, condition, prepare, seed):
        with runtime.checking_values(everywhere=not recon):         # of the first block: reading makes a GPU wait
            terms = elbo_terms(model, *block, generator=generator)
        recon.append(terms.recon)
        kl.append(terms.kl)
    distortion, rate = -torch.cat(recon), torch.cat(kl)         # (N,) nats each
    return TestElbo(estimate(-distortion - rate), estimate(distortion), estimate(rate))


test_elbo.__test__ = TestElbo.__test__ = False  # type: ignore[attr-defined]  # pytest must not take them for tests


@torch.no_grad()
def log_px(model, images: Images, *condition: Tensor, n_samples: int, prepare: Callable[[Tensor], Tensor],
           memory: int = DEFAULT_MEMORY, seed: int = 0) -> LogPx:
    """The importance-weighted estimate L_K of log p(x) for each image.

    L_K is below log p(x) on average, and rises to it as K grows, so −L_K is an upper bound on the NLL on average.

    Args:
        model, images, condition, prepare, seed: as `test_elbo`.
        n_samples: K, the number of draws of z per image.
        memory: bytes that the tensors of one chunk may take; images and samples are chunked to stay below.

    Returns:
        LogPx.

    Raises:
        ValueError: if `memory` does not suffice for a single sample; says how much would.

    Source: Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, §3 and §5. Derived in notebooks/12.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    device = _device(model, images)
    first, *of_first = (tensor[:1].to(device) for tensor in (images, *condition))
    per_row = _bytes_per_row(model, first, of_first, prepare)
    per_image = BYTES_PER_WEIGHT * n_samples
    if memory < 2 * max(per_row, per_image):
        raise ValueError(f"memory must be at least {2 * max(per_row, per_image)} bytes (one image with "
                         f"{n_samples} samples of this model), got {memory}")
    rows = memory // 2 // per_row                                   # (sample, image) pairs that are decoded at once
    batch = min(BLOCK, memory // 2 // per_image, max(1, rows // min(n_samples, 10)))
    chunk = max(1, rows // batch)                                   # samples of each image that are decoded at once
    sizes = [min(chunk, n_samples - done) for done in range(0, n_samples, chunk)]
    generator = torch.Generator(device).manual_seed(seed)
    values: list[Tensor] = []
    errors: list[Tensor] = []
    for block in _blocks(model, images, condition, prepare, seed):
        for x, *c in zip(*(tensor.split(batch) for tensor in block)):
            with runtime.checking_values(everywhere=not values):    # of the first block: reading makes a GPU wait
                log_w = torch.cat([log_weights(model, x, *c, n_samples=k, generator=generator) for k in sizes])
            log_w = log_w.cpu().double()
            values.append(importance_weighted_bound(log_w))         # (K, B) to (B,)
            shares = torch.softmax(log_w, 0)                        # w_k / Σ w, so that Σ shares² = 1/(effective K)
            errors.append(((shares ** 2).sum(0) - 1 / n_samples).clamp(min=0).sqrt())   # sd(w) / (mean(w)·√K)
    return LogPx(torch.cat(values), torch.cat(errors), n_samples)


@torch.no_grad()
def class_posterior(model, images: Images, num_classes: int, *, n_samples: int, prepare: Callable[[Tensor], Tensor],
                    log_prior_y: Tensor | None = None, memory: int = DEFAULT_MEMORY, seed: int = 0) -> Tensor:
    """log q(y|x), Bayes' rule with L_K in the place of log p(x|y): a conditional model as a classifier.

    Every class sees the same binarization and the same noise, so that the classes differ by the model alone.

    Args:
        model: a conditional model over the labels 0 … num_classes − 1.
        images, prepare, n_samples, memory, seed: as `log_px`.
        num_classes: C.
        log_prior_y: (C,) log p(y); all classes alike if None.

    Returns:
        (N, C) nats; exp of a row sums to 1, and its argmax is the predicted class.

    Raises:
        ValueError: as `log_px`; or if num_classes < 2, or log_prior_y does not hold one number for each class.

    Source: Bayes' rule; derived in notebooks/11.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    if log_prior_y is None:
        log_prior_y = torch.zeros(num_classes)
    if log_prior_y.shape != (num_classes,):
        raise ValueError(f"log_prior_y must have shape ({num_classes},), got {tuple(log_prior_y.shape)}")
    bounds = []
    for y in range(num_classes):
        labels = torch.full((len(images),), y, device=images.device)
        bounds.append(log_px(model, images, labels, n_samples=n_samples, prepare=prepare, memory=memory, seed=seed).log_px)
    return torch.log_softmax(torch.stack(bounds, 1) + log_prior_y.cpu().double(), 1)      # (N, C)


@torch.no_grad()
def error_rate(log_q_y: Callable[[Tensor], Tensor], examples: Tensor, labels: Tensor) -> Estimate:
    """The share of examples whose most probable class is not their label.

    Args:
        log_q_y: examples (B, …) → (B, C), the larger the more probable, e.g. log q(y|x).
        examples: (N, …), what log_q_y takes.
        labels: (N,).
    """
    guesses = torch.cat([log_q_y(block).argmax(1) for block in examples.split(BLOCK)])
    return estimate((guesses != labels).double())


@torch.no_grad()
def active_units(model, images: Images, *condition: Tensor, prepare: Callable[[Tensor], Tensor],
                 threshold: float = 0.01) -> Tensor:
    """Which latent dimensions the encoder uses: Var_x(μ_j(x)) > threshold.

    Returns:
        (Z,) bool.

    Source: Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, §5, with their threshold of 0.01.
    """
    mu = torch.cat([mu for _, _, mu, _ in _encoded(model, images, condition, prepare, seed=0)])
    return mu.var(0) > threshold


@torch.no_grad()
def kl_per_latent(model, images: Images, *condition: Tensor, prepare: Callable[[Tensor], Tensor]) -> Tensor:
    """The rate of each latent dimension, averaged over the images: (Z,) nats, whose sum is the rate.

    Args:
        model, images, condition, prepare: as `test_elbo`; q(z|x) and the prior are Gaussians of independent dimensions, and
            `prior_parameters(*condition)` gives mean and logvar of the prior, (Z,) or (B, Z), as that of `models.VAE`.

    Raises:
        ValueError: if the model's own `kl` is not the one to that prior.
    """
    total = torch.zeros(model.latent_dim, device=_device(model, images))
    for _, c, mu, logvar in _encoded(model, images, condition, prepare, seed=0):
        prior = (part.expand_as(mu) for part in model.prior_parameters(*c))
        kl = kl_between_normals(*(part.unsqueeze(-1) for part in (mu, logvar, *prior)))     # (B, Z)
        if not torch.allclose(kl.sum(1), model.kl(mu, logvar, *c), rtol=1e-3, atol=1e-3, equal_nan=True):
            raise ValueError("the model's kl must be the KL to the Gaussian of its prior_parameters: a model with another "
                             "prior overrides prior_parameters alone, and kl and log_prior follow")
        total += kl.sum(0)
    return total / len(images)


@torch.no_grad()
def calibration(model, images: Images, *condition: Tensor, prepare: Callable[[Tensor], Tensor], bins: int = 10,
                seed: int = 0) -> Calibration:
    """How often a pixel is white that the decoder, at z ~ q(z|x), says is white with probability p.

    Args:
        model: with a Bernoulli likelihood, whose `mean` is the probability; else as `test_elbo`.
        images, condition, seed: as `test_elbo`.
        prepare: `data.stochastic` or `data.fixed`: only pixels that are 0 or 1 can be counted.
        bins: groups of equal width on [0, 1].

    Raises:
        ValueError: if a prepared pixel is neither 0 nor 1.
    """
    sums = torch.zeros(3, bins, dtype=torch.double)
    generator = torch.Generator(_device(model, images)).manual_seed(seed)
    for x, c, mu, logvar in _encoded(model, images, condition, prepare, seed):
        if not ((x == 0) | (x == 1)).all():
            raise ValueError("prepare must give pixels of 0 and 1, such as data.stochastic, got values between them")
        p = model.likelihood.mean(model.decode(reparameterize(mu, logvar, generator), *c)).flatten()
        group = (p * bins).long().clamp(max=bins - 1).cpu()
        for row, values in zip(sums, (p, x.flatten(), torch.ones_like(p))):
            row.index_add_(0, group, values.cpu().double())
    return Calibration(sums[0] / sums[2], sums[1] / sums[2], sums[2].long())


def _blocks(model, images: Images, condition, prepare, seed: int):
    """(x, *condition) in blocks of 1,000 images; how they are binarized depends on `seed` alone."""
    model.eval()
    device = _device(model, images)
    for k, block in enumerate(zip(*(tensor.split(BLOCK) for tensor in (images, *condition)))):
        with runtime.seeded(1000 * seed + k + 1, device):   # + 1: `seed` itself is that of the draws of z
            x = prepare(block[0].to(device))
        yield x, *(c.to(device) for c in block[1:])


def _device(model, images: Images) -> torch.device:
    """Where the model is, to which the images are moved; where the images are, if it has no weights."""
    check_source(images=images)
    return next((weights.device for weights in getattr(model, "parameters", list)()), images.device)


def _encoded(model, images: Images, condition, prepare, seed: int):
    """(x, condition, mu, logvar) in the blocks of `_blocks`; the values of the first are checked on every device.

    The likelihood checks the pixels, as it does in training: those of a Gaussian one may lie on any scale.
    """
    for k, (x, *c) in enumerate(_blocks(model, images, condition, prepare, seed)):
        with runtime.checking_values(everywhere=k == 0):
            mu, logvar = model.encode(x, *c)
            if k == 0:
                model.likelihood.log_prob(x, model.decode(mu, *c))
        yield x, c, mu, logvar


def _bytes_per_row(model, image: Tensor, condition, prepare) -> int:
    """Bytes that one (sample, image) pair takes: the outputs of the decoder's layers, and tensors like x and z."""
    model.eval()  # as `_blocks` does: the probe below is a batch of one
    numbers = 0

    def count(module, inputs, output):
        nonlocal numbers
        numbers += output.numel()

    hooks = [module.register_forward_hook(count) for module in model.decoder.modules()]
    try:
        with runtime.seeded(0, image.device):  # a probe must not use up the caller's random numbers
            x = prepare(image)
        model.decode(torch.zeros(1, model.latent_dim, device=x.device), *condition)
    finally:
        for hook in hooks:
            hook.remove()
    return 4 * (numbers + 6 * x.numel() + 8 * model.latent_dim)
