"""A VAE of which everything is known: p(z) = N(0, I), p(x|z) = N(Wz + m, σ²I), and a Gaussian q(z|x) of our choice.

The exact posterior is N(mean(x), S) with S⁻¹ = I + WᵀW/σ². The model's own q is shifted from its mean by `shift` and has
`stretch` times its variances, so that the ELBO is below log p(x) by an amount that is known too.
"""

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence


class GaussianPixels(nn.Module):
    """p(x|z) with a fixed σ, through torch.distributions and not through the package."""

    def __init__(self, sigma: float):
        super().__init__()
        self.sigma = sigma

    def log_prob(self, x: Tensor, recon: Tensor) -> Tensor:
        return Normal(recon, self.sigma).log_prob(x).sum(-1)


class LinearGaussianVAE(nn.Module):
    """The interface that `objectives` and `evaluation` expect, and beside it the exact answers, all (B,) in nats.

    Args:
        weight: (D, Z).
        offset: (D,).
        shift: (Z,) what is added to the posterior mean.
    """

    def __init__(self, weight: Tensor, offset: Tensor, sigma: float, shift: Tensor, stretch: float = 1.0):
        super().__init__()
        n_pixels, self.latent_dim = weight.shape
        self.weight, self.offset, self.sigma, self.shift = weight, offset, sigma, shift
        self.likelihood = GaussianPixels(sigma)
        self.covariance = torch.linalg.inv(torch.eye(self.latent_dim) + weight.T @ weight / sigma ** 2)   # S, (Z, Z)
        self.variance = stretch * self.covariance.diagonal()                                              # (Z,)
        self.decoder = nn.Linear(self.latent_dim, n_pixels).requires_grad_(False)
        self.decoder.weight.data, self.decoder.bias.data = weight.clone(), offset.clone()

    def posterior_mean(self, x: Tensor) -> Tensor:
        return (x - self.offset) @ self.weight @ self.covariance / self.sigma ** 2

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu = self.posterior_mean(x) + self.shift
        return mu, self.variance.log().expand_as(mu)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def log_prior(self, z: Tensor) -> Tensor:
        return Normal(0.0, 1.0).log_prob(z).sum(-1)

    def kl(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).sum(-1)

    # ------------------------------------------------------------ the exact answers

    def log_px(self, x: Tensor) -> Tensor:
        """log N(x; m, WWᵀ + σ²I)."""
        covariance = self.weight @ self.weight.T + self.sigma ** 2 * torch.eye(len(self.offset))
        return MultivariateNormal(self.offset, covariance).log_prob(x)

    def exact_recon(self, x: Tensor) -> Tensor:
        """E_q log p(x|z): the value at the mean of q, and what the variance of q costs."""
        at_mean = Normal(self.decode(self.encode(x)[0]), self.sigma).log_prob(x).sum(-1)
        return at_mean - (self.weight ** 2 @ self.variance).sum() / (2 * self.sigma ** 2)

    def exact_elbo(self, x: Tensor) -> Tensor:
        """log p(x) − KL(q(z|x) || p(z|x))."""
        q = MultivariateNormal(self.encode(x)[0], torch.diag(self.variance))
        return self.log_px(x) - kl_divergence(q, MultivariateNormal(self.posterior_mean(x), self.covariance))

    def draw(self, n: int, seed: int) -> Tensor:
        """n examples from the model's own p(x): (n, D)."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(n, self.latent_dim, generator=generator)
        noise = torch.randn(n, len(self.offset), generator=generator)
        return z @ self.weight.T + self.offset + self.sigma * noise


def toy_vae(shift: float = 0.3, stretch: float = 1.5) -> LinearGaussianVAE:
    """One pixel, one latent: w = 1.5, σ = 0.5. At x = 1, log p(x) = −1.5771, and with these defaults L_1 = −2.0744."""
    return LinearGaussianVAE(torch.tensor([[1.5]]), torch.zeros(1), 0.5, torch.tensor([shift]), stretch)


def wide_vae(shift: float = 0.2, stretch: float = 1.3) -> LinearGaussianVAE:
    """Five pixels, two latents that the posterior correlates: no axis has the length of another."""
    weight = torch.tensor([[1.0, 0.2], [-0.5, 0.7], [0.3, -0.9], [0.0, 0.4], [0.8, 0.1]])
    offset = torch.tensor([0.1, -0.2, 0.3, 0.0, 0.5])
    return LinearGaussianVAE(weight, offset, 0.6, shift * torch.ones(2), stretch)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean of independent draws, and its standard error."""
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()


def assert_estimates(values: Tensor, exact: float, n_errors: float = 3.0) -> None:
    """The mean of independent draws lies within a few of its standard errors of the exact value."""
    mean, error = mean_and_error(values)
    assert abs(mean - exact) <= n_errors * error, f"{mean:.4f} ± {error:.4f}, exact {exact:.4f}"
