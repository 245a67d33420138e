"""Log-densities, the KL terms, and the reparameterization. Everything is in nats, one value per example."""

import math

import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.arguments import check_float, check_same_shape, check_unit_interval

LOG_2PI = math.log(2 * math.pi)


def sum_per_example(values: Tensor) -> Tensor:
    """Sum over every axis but the first: (B, …) to (B,)."""
    return values.flatten(1).sum(1)


# ---------------------------------------------------------------- Gaussians over the latent z

def normal_log_density(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mu, diag exp(logvar)), summed over the last axis.

    Args:
        z: (…, B, Z) points; leading axes, such as K samples, are allowed.
        mu, logvar: (B, Z) mean and log of the *variance*.

    Returns:
        (…, B) nats; may be positive, since a density may exceed 1.

    Raises:
        TypeError, ValueError: if an argument is not a float tensor, or the shapes do not fit.

    Source: the definition of the Gaussian density. Derived in notebooks/03.
    """
    check_float(z=z, mu=mu, logvar=logvar)
    check_same_shape(mu=mu, logvar=logvar)
    if z.shape[-mu.ndim:] != mu.shape:
        raise ValueError(f"z must have shape (…, {', '.join(map(str, mu.shape))}) like mu, got {tuple(z.shape)}")
    return -0.5 * (LOG_2PI + logvar + (z - mu) ** 2 * torch.exp(-logvar)).sum(-1)


def standard_normal_log_density(z: Tensor) -> Tensor:
    """log N(z; 0, I), summed over the last axis: (…, Z) to (…) nats."""
    check_float(z=z)
    return -0.5 * (LOG_2PI + z ** 2).sum(-1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL( N(mu, diag exp(logvar)) || N(0, I) ), one value per example.

    Args:
        mu: (B, Z) mean of q(z|x).
        logvar: (B, Z) log of the *variance* of q(z|x).

    Returns:
        (B,) nats; zero only where mu = 0 and logvar = 0.

    Raises:
        TypeError: if an argument is not a float tensor.
        ValueError: if the shapes differ (broadcasting would hide a bug).

    Source: Kingma & Welling (2014), arXiv:1312.6114, App. B. Derived in notebooks/03.
    """
    check_float(mu=mu, logvar=logvar)
    check_same_shape(mu=mu, logvar=logvar)
    return 0.5 * (mu ** 2 + torch.exp(logvar) - 1 - logvar).sum(-1)


def kl_between_normals(mu: Tensor, logvar: Tensor, prior_mu: Tensor, prior_logvar: Tensor) -> Tensor:
    """KL( N(mu, diag exp(logvar)) || N(prior_mu, diag exp(prior_logvar)) ), one value per example.

    Args:
        mu, logvar, prior_mu, prior_logvar: (…, Z), all of one shape.

    Returns:
        (…) nats, ≥ 0.

    Raises:
        TypeError, ValueError: as `kl_to_standard_normal`.

    Source: the Gaussian integral of notebooks/03, of which `kl_to_standard_normal` is the case m = 0, τ = 1.
    """
    check_float(mu=mu, logvar=logvar, prior_mu=prior_mu, prior_logvar=prior_logvar)
    check_same_shape(mu=mu, logvar=logvar, prior_mu=prior_mu, prior_logvar=prior_logvar)
    ratio = torch.exp(logvar - prior_logvar)                            # σ²/τ²
    distance = (mu - prior_mu) ** 2 * torch.exp(-prior_logvar)          # (μ − m)²/τ²
    return 0.5 * (distance + ratio - 1 - logvar + prior_logvar).sum(-1)


def reparameterize(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """z = mu + sigma · eps with eps ~ N(0, I): a draw from q(z|x) that gradients can pass through.

    Args:
        mu, logvar: (…, Z) mean and log of the *variance*.
        generator: the source of the noise; torch's global one if None.

    Returns:
        z, of the shape of mu.

    Raises:
        TypeError, ValueError: as `kl_to_standard_normal`.

    Source: Kingma & Welling (2014), arXiv:1312.6114, §2.4. Derived in notebooks/06.
    """
    check_float(mu=mu, logvar=logvar)
    check_same_shape(mu=mu, logvar=logvar)
    eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + torch.exp(0.5 * logvar) * eps


# ---------------------------------------------------------------- likelihoods of the image x

class _Softplus(torch.autograd.Function):
    """log(1 + e^l), whose derivative is σ(l). torch's own softplus takes three times as long on a CPU."""

    @staticmethod
    def forward(ctx, logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        return logits.relu() - torch.sigmoid(logits.abs()).log()  # max(l, 0) − log σ(|l|): never overflows

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        logits, = ctx.saved_tensors
        return grad * torch.sigmoid(logits)


def softplus(logits: Tensor) -> Tensor:
    """log(1 + e^l), elementwise: minus the log-probability that a Bernoulli pixel with the logit l is 0."""
    return _Softplus.apply(logits)


def bernoulli_log_likelihood(x: Tensor, recon_logits: Tensor) -> Tensor:
    """log p(x|z) of independent Bernoulli pixels, given their logits.

    Args:
        x: (B, …) pixels in [0, 1]. For grey pixels this is minus the binary cross-entropy, which is a useful loss but
            not the log of a density (notebooks/07).
        recon_logits: as x; logits, not probabilities.

    Returns:
        (B,) nats: x·log λ + (1−x)·log(1−λ) with λ = sigmoid(l), which is x·l − log(1 + e^l), summed over the pixels.

    Raises:
        TypeError, ValueError: if dtypes or shapes do not fit, or a pixel lies outside [0, 1].

    Source: Kingma & Welling (2014), arXiv:1312.6114, App. C.1. Derived in notebooks/07.
    """
    check_float(x=x, recon_logits=recon_logits)
    check_same_shape(x=x, recon_logits=recon_logits)
    check_unit_interval(x=x)
    return sum_per_example(x * recon_logits - softplus(recon_logits))


def continuous_bernoulli_log_norm(logits: Tensor) -> Tensor:
    """log C(λ) = log( l / tanh(l/2) ), elementwise, with l = logits: what makes λˣ(1−λ)¹⁻ˣ integrate to one over [0, 1].

    Source: Loaiza-Ganem & Cunningham (2019), arXiv:1907.06845, §3, with 1 − 2λ = −tanh(l/2).
    """
    size = logits.abs()
    near_zero = size < 0.1
    safe = torch.where(near_zero, 1.0, size)  # keeps 0/0 out of the gradient of the branch that is not taken
    far = torch.log(safe) + torch.log1p(torch.exp(-safe)) - torch.log(-torch.expm1(-safe))
    series = math.log(2) + logits ** 2 / 12 - 7 * logits ** 4 / 1440  # error below 1e-8 where it is used
    return torch.where(near_zero, series, far)


def continuous_bernoulli_log_likelihood(x: Tensor, recon_logits: Tensor) -> Tensor:
    """log p(x|z) of independent continuous-Bernoulli pixels: a true density on [0, 1], so right for grey pixels.

    Args:
        x: (B, …) pixels in [0, 1].
        recon_logits: as x; logits of the parameter λ, which is not the mean.

    Returns:
        (B,) nats; may be positive.

    Raises:
        TypeError, ValueError: as `bernoulli_log_likelihood`.

    Source: Loaiza-Ganem & Cunningham (2019), arXiv:1907.06845. Derived in notebooks/07.
    """
    return bernoulli_log_likelihood(x, recon_logits) + sum_per_example(continuous_bernoulli_log_norm(recon_logits))


def gaussian_log_likelihood(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log p(x|z) of independent Gaussian pixels.

    Args:
        x: (B, …) pixels, on any scale.
        mean: as x, the decoder's output.
        logvar: log of the *variance*, a scalar tensor (one σ for all pixels) or as x.

    Returns:
        (B,) nats; may be positive.

    Raises:
        TypeError, ValueError: if dtypes or shapes do not fit.

    Source: the definition of the Gaussian density. Derived in notebooks/07.
    """
    check_float(x=x, mean=mean, logvar=logvar)
    check_same_shape(x=x, mean=mean)
    if logvar.ndim > 0:
        check_same_shape(x=x, logvar=logvar)
    return -0.5 * sum_per_example(LOG_2PI + logvar + (x - mean) ** 2 * torch.exp(-logvar))


def discretized_logistic_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor, levels: int = 256) -> Tensor:
    """log P(x|z) of independent pixels k/255, each a logistic variable that is rounded to these values and held to [0, 1].

    Args:
        x: (B, …) pixels, whole multiples of 1/(levels − 1) in [0, 1], as `data.grey` makes them.
        mean: as x, the decoder's output, on the scale of x.
        log_scale: log of the logistic's s, a scalar tensor (one s for all pixels) or as x.
        levels: how many values a pixel has.

    Returns:
        (B,) nats, ≤ 0: log of a probability. The first and the last value get the tails.

    Raises:
        TypeError, ValueError: if dtypes or shapes do not fit, or a pixel is no such multiple.

    Source: Kingma et al. (2016), arXiv:1606.04934, appendix; Salimans et al. (2017), arXiv:1701.05517, Eq. 2.
    """
    check_float(x=x, mean=mean, log_scale=log_scale)
    check_same_shape(x=x, mean=mean)
    if log_scale.ndim > 0:
        check_same_shape(x=x, log_scale=log_scale)
    check_unit_interval(x=x)
    k = (x * (levels - 1)).round()
    if runtime.may_be_read(x) and ((x * (levels - 1) - k).abs() > 1e-2).any():
        raise ValueError(f"x must hold whole multiples of 1/{levels - 1} for a discretized likelihood, got values between "
                         f"them: give fit the uint8 pictures with prepare=data.grey, or take GaussianLikelihood")
    width = torch.exp(-log_scale) / (levels - 1)                # of a value's cell, in units of s
    above, below = (k + 0.5 - mean * (levels - 1)) * width, (k - 0.5 - mean * (levels - 1)) * width    # its two ends
    # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^{b−a}): no difference of two numbers that are nearly alike
    log_p = (torch.where(k == levels - 1, 0.0, nn.functional.logsigmoid(above))
             + torch.where(k == 0, 0.0, nn.functional.logsigmoid(-below))
             + torch.where((k == 0) | (k == levels - 1), 0.0, torch.log(-torch.expm1(-width))))
    return sum_per_example(log_p)


def bits_per_dim(log_px: float, n_dims: int) -> float:
    """−log₂ P(x) for each of an example's numbers: nats for an example, over −D log 2.

    Args:
        log_px: the log of a probability of whole pixels, or a bound on it: of a `DiscretizedLogisticLikelihood`. A density's
            must be turned into one first: see `models.GaussianLikelihood`.
        n_dims: D, the numbers of one example: 3072 for a picture (3, 32, 32).
    """
    return -log_px / (n_dims * math.log(2))
