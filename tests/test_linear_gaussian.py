"""The model of which everything is known, against torch.distributions and quadrature on a grid."""

import math

import pytest
import torch
from torch.distributions import Normal

from vae_course.linear_gaussian import LinearGaussian

MODEL = LinearGaussian(w=1.5, m=0.7, sigma=0.5)
X = torch.tensor([1.0, -2.0, 0.7], dtype=torch.float64)
GRID = torch.linspace(-12, 12, 20_001, dtype=torch.float64)


def joint_on_grid(x: torch.Tensor) -> torch.Tensor:
    """log p(x, z) for each x and each z of the grid: (B, G)."""
    return Normal(0.0, 1.0).log_prob(GRID) + Normal(1.5 * GRID + 0.7, 0.5).log_prob(x[:, None])


def test_marginal_and_posterior_by_quadrature():
    log_px = torch.logsumexp(joint_on_grid(X), 1) + math.log(GRID[1] - GRID[0])
    torch.testing.assert_close(MODEL.log_px(X), log_px)
    weights = torch.softmax(joint_on_grid(X), 1)
    mean, variance = MODEL.posterior(X)
    torch.testing.assert_close(mean, (weights * GRID).sum(1))
    torch.testing.assert_close(variance, (weights * GRID ** 2).sum(1) - mean ** 2)


def test_elbo_by_quadrature_and_its_parts_add_up():
    mu, variance = torch.tensor([0.1, -1.0, 2.0], dtype=torch.float64), torch.tensor([0.3, 1.5, 0.02], dtype=torch.float64)
    recon, kl, gap = MODEL.elbo(X, mu, variance)
    q = Normal(mu[:, None], variance.sqrt()[:, None]).log_prob(GRID)
    elbo = (q.exp() * (joint_on_grid(X) - q)).sum(1) * (GRID[1] - GRID[0])
    torch.testing.assert_close(recon - kl, elbo)
    torch.testing.assert_close(recon - kl + gap, MODEL.log_px(X))
    assert (gap > 0).all()


def test_the_known_values():
    model, x = LinearGaussian(1.5, 0.0, 0.5), torch.tensor([1.0], dtype=torch.float64)
    mean, variance = model.posterior(x)
    assert abs(model.log_px(x).item() + 1.5771) < 5e-5
    recon, kl, _ = model.elbo(x, mean + 0.3, 1.5 * variance)
    assert abs((recon - kl).item() + 2.0744) < 5e-5
    assert model.elbo(x, mean, variance)[2].abs().item() < 1e-12


def test_samples_follow_the_marginal():
    z, x = MODEL.sample(200_000, torch.Generator().manual_seed(0))
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    assert abs(x.mean() - 0.7) < 0.02 and abs(x.var() - (1.5 ** 2 + 0.5 ** 2)) < 0.04


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        LinearGaussian(1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="variance must be positive, got -1"):
        MODEL.elbo(X, X, torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
