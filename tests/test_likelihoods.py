"""Likelihoods of grey and coloured pixels, each against a second route: sums over all values, quadrature, draws.

Batch 4, pixels 3×5×2: no axis has the length of another.
"""

import copy
import math

import pytest
import torch
from exact import assert_estimates
from torch.testing import assert_close

from vae_course.densities import bits_per_dim, discretized_logistic_log_likelihood, gaussian_log_likelihood
from vae_course.models import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    DiscretizedLogisticLikelihood,
    GaussianLikelihood,
    mlp_vae,
)
from vae_course.objectives import negative_elbo

B, PIXELS = 4, (3, 5, 2)
MEANS = [-1000.0, -5.0, -0.3, 0.0, 1e-4, 0.2137, 0.5, 0.5 + 1 / 510, 0.99999, 1.0, 1.7, 40.0, 1000.0]
SCALES = [1e-6, 1e-4, 1e-3, 1 / 255, 1e-2, 0.1, 1.0, 10.0, 1e3, 1e5]
LIKELIHOODS = [BernoulliLikelihood(), ContinuousBernoulliLikelihood(), GaussianLikelihood(0.3, True, least_sigma=0.1),
               DiscretizedLogisticLikelihood(0.07)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quantized(*shape: int, dtype=torch.float32) -> torch.Tensor:
    """Pixels k/255, the first and the last value among them."""
    k = torch.randint(0, 256, shape, generator=seeded(1))
    k.view(-1)[:2] = torch.tensor([0, 255])
    return k.to(dtype) / 255


def every_value(levels: int, dtype=torch.float64) -> torch.Tensor:
    """(levels, 1): each value of a pixel is an example."""
    return (torch.arange(levels, dtype=dtype) / (levels - 1)).unsqueeze(1)


# ---------------------------------------------------------------- the discretized logistic

@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_probabilities_of_all_values_sum_to_one(levels, dtype, error):
    x = every_value(levels, dtype)
    for mean in MEANS:
        for scale in SCALES:
            log_p = discretized_logistic_log_likelihood(x, torch.full_like(x, mean), torch.tensor(scale, dtype=dtype).log(),
                                                        levels)
            assert log_p.isfinite().all() and log_p.max() <= 0
            assert log_p.double().exp().sum().item() == pytest.approx(1, abs=error), (mean, scale)


@pytest.mark.parametrize("scale", [3e-3, 0.02, 0.4, 7.0])
def test_each_probability_is_a_difference_of_the_logistic_distribution_function(scale):
    mean, infinity = 0.37, torch.tensor([math.inf], dtype=torch.float64)
    edges = torch.cat([-infinity, (torch.arange(255) + 0.5).double() / 255, infinity])
    exact = torch.sigmoid((edges - mean) / scale).diff()        # good where nothing cancels
    log_p = discretized_logistic_log_likelihood(every_value(256), torch.full((256, 1), mean, dtype=torch.float64),
                                                torch.tensor(scale, dtype=torch.float64).log())
    assert_close(log_p.exp(), exact, rtol=1e-8, atol=1e-15)


def test_far_tails_are_those_of_the_logistic_in_logarithms():
    """Far below the mean, σ(v) = e^v: the cell of k from v − δ to v has e^v (1 − e^−δ), which no float can hold."""
    mean, scale = 0.9, 1e-4
    delta = 1 / (255 * scale)
    x = every_value(256)[:100]
    found = discretized_logistic_log_likelihood(x, torch.full_like(x, mean),
                                                torch.tensor(scale, dtype=torch.float64).log())
    k = torch.arange(100).double()
    exact = (k + 0.5 - 255 * mean) * delta + math.log1p(-math.exp(-delta))
    exact[0] = (0.5 - 255 * mean) * delta
    assert found.min() < -8000
    assert_close(found, exact)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_finite_wherever_the_mean_lies(dtype):
    for mean in MEANS:
        for scale in SCALES:
            x = every_value(256, dtype)
            means = torch.full_like(x, mean, requires_grad=True)
            log_scale = torch.tensor(scale, dtype=dtype).log().requires_grad_()
            discretized_logistic_log_likelihood(x, means, log_scale).sum().backward()
            assert means.grad.isfinite().all() and log_scale.grad.isfinite()


@pytest.mark.parametrize("one_for_all", [True, False])
def test_gradients_of_the_discretized_logistic_are_those_of_differences(one_for_all):
    x = quantized(B, *PIXELS, dtype=torch.float64)
    mean = torch.randn(x.shape, generator=seeded(), dtype=torch.float64, requires_grad=True)
    log_scale = torch.linspace(-6, 1, x.numel(), dtype=torch.float64).view_as(x)
    log_scale = (log_scale.mean() if one_for_all else log_scale).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda m, s: discretized_logistic_log_likelihood(x, m, s), (mean, log_scale))


def test_gradients_of_the_gaussian_with_a_floor_are_those_of_differences():
    x, mean = quantized(B, 3, dtype=torch.float64), torch.randn(B, 3, generator=seeded(), dtype=torch.float64)
    likelihood = GaussianLikelihood(0.2, learn_sigma=True, least_sigma=0.15).double()

    def log_p(logvar):
        return torch.func.functional_call(likelihood, {"logvar": logvar}, (x, mean))

    likelihood.forward = likelihood.log_prob
    assert torch.autograd.gradcheck(log_p, likelihood.logvar.detach().clone().requires_grad_())


@pytest.mark.parametrize(("mean", "scale"), [(0.4, 0.05), (-0.02, 0.1), (1.3, 0.4), (0.5, 1 / 255), (0.1, 3.0),
                                             (0.0, 1 / 255)])
def test_the_mean_is_that_of_the_probabilities(mean, scale):
    """Up to the error of an integral by midpoints, h²/24 times the change of the slope, which is at most 1/(4s)."""
    likelihood = DiscretizedLogisticLikelihood(scale).double()
    x, recon = every_value(256), torch.full((256, 1), mean, dtype=torch.float64)
    exact = (likelihood.log_prob(x, recon).exp() * x.squeeze()).sum()
    assert likelihood.mean(recon)[0].item() == pytest.approx(exact.item(), abs=1.1 / 255 ** 2 / 96 / scale)


def test_the_mean_stays_within_half_a_step_where_the_scale_is_below_one():
    likelihood, x = DiscretizedLogisticLikelihood(1e-5).double(), every_value(256)
    for mean in torch.linspace(-0.5, 1.5, 1001, dtype=torch.float64):
        exact = (likelihood.log_prob(x, mean.expand(256, 1)).exp() * x.squeeze()).sum()
        assert abs(likelihood.mean(mean) - exact) < 0.5 / 255 + 1e-9


@pytest.mark.parametrize(("mean", "scale"), [(0.3, 0.01), (0.0, 0.002), (0.9, 0.3), (-0.4, 0.5)])
def test_draws_have_the_probabilities_that_are_stated(mean, scale):
    likelihood, n = DiscretizedLogisticLikelihood(scale), 40_000
    draws = likelihood.sample(torch.full((n, 1), mean), seeded(2))
    k = draws * 255
    assert_close(k, k.round(), atol=1e-3, rtol=0)
    assert draws.min() >= 0 and draws.max() <= 1
    probability = likelihood.log_prob(every_value(256, torch.float32), torch.full((256, 1), mean)).detach().double().exp()
    found = torch.bincount(k.round().long().squeeze(), minlength=256) / n
    steps = (found.double().cumsum(0) - probability.cumsum(0)).abs().max()
    assert steps < 1.63 / n ** 0.5      # Kolmogorov–Smirnov at the level of 1 %
    assert torch.equal(draws, likelihood.sample(torch.full((n, 1), mean), seeded(2)))


@pytest.mark.parametrize(("x", "error", "words"), [
    (torch.full((2, 3), 0.5), ValueError, "x must hold whole multiples of 1/255 .*prepare=data.grey, or take Gaussian"),
    (torch.full((2, 3), 7.0), ValueError, r"x must lie in \[0, 1\]"),
    (torch.full((2, 3), math.nan), ValueError, r"x must lie in \[0, 1\]"),
    (torch.zeros(2, 3, dtype=torch.uint8), TypeError, "x must be a floating-point tensor.*data.grey"),
    (torch.zeros(2, 4), ValueError, "x and mean must have the same shape"),
])
def test_pixels_that_do_not_fit_the_discretized_logistic_are_named(x, error, words):
    with pytest.raises(error, match=words):
        DiscretizedLogisticLikelihood().log_prob(x, torch.zeros(2, 3))


@pytest.mark.parametrize(("call", "words"), [
    (lambda: DiscretizedLogisticLikelihood(0.0), "scale must be positive, got 0.0"),
    (lambda: DiscretizedLogisticLikelihood(math.nan), "scale must be positive, got nan"),
    (lambda: DiscretizedLogisticLikelihood("wide"), "scale must be positive, got 'wide'"),
    (lambda: DiscretizedLogisticLikelihood(levels=1), "levels must be a whole number ≥ 2, got 1"),
    (lambda: DiscretizedLogisticLikelihood(levels=256.0), "levels must be a whole number ≥ 2, got 256.0"),
    (lambda: GaussianLikelihood(0.1, True, 0.2), "least_sigma must be at least 0 and below sigma, 0.1.* got 0.2"),
    (lambda: GaussianLikelihood(0.1, True, -0.1), "least_sigma must be at least 0"),
    (lambda: GaussianLikelihood(math.inf), "sigma must be positive, got inf"),
])
def test_numbers_that_cannot_be_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_bits_per_dim_of_even_odds_is_what_a_byte_has():
    """A pixel of which nothing is known takes eight bits."""
    assert bits_per_dim(12 * math.log(1 / 256), 12) == pytest.approx(8)
    assert_close(bits_per_dim(torch.tensor([-3.0, -6.0]) * math.log(2), 3), torch.tensor([1.0, 2.0]))


# ---------------------------------------------------------------- the Gaussian: a floor for σ, nats and bits

def test_without_a_floor_the_gaussian_is_the_one_of_before_to_the_last_bit():
    x, recon = torch.rand(B, *PIXELS, generator=seeded()), torch.rand(B, *PIXELS, generator=seeded(1))
    likelihood = GaussianLikelihood(0.3, learn_sigma=True)
    assert torch.equal(likelihood.logvar.detach(), torch.tensor(2 * math.log(0.3)))
    log_p = likelihood.log_prob(x, recon)
    assert torch.equal(log_p, gaussian_log_likelihood(x, recon, likelihood.logvar))
    assert torch.equal(likelihood.sigma, torch.exp(0.5 * likelihood.logvar))
    assert repr(likelihood) == "GaussianLikelihood(sigma learned)"


def test_a_floor_begins_at_the_stated_sigma_and_holds():
    likelihood = GaussianLikelihood(0.3, learn_sigma=True, least_sigma=0.1)
    assert likelihood.sigma.item() == pytest.approx(0.3, rel=1e-6)
    assert repr(likelihood) == "GaussianLikelihood(sigma learned, at least 0.1)"
    for logvar in (-400.0, -30.0, -5.0, 0.0, 5.0):
        likelihood.logvar.data.fill_(logvar)
        assert likelihood.sigma.item() == pytest.approx(math.hypot(0.1, math.exp(logvar / 2)), rel=1e-6)
        assert likelihood.sigma.item() >= 0.1 * (1 - 1e-6)
    draws = likelihood.sample(torch.full((20_000,), 2.0), seeded())
    assert_estimates((draws - 2).detach() ** 2, likelihood.sigma.item() ** 2)


def test_the_density_with_a_floor_integrates_to_one():
    likelihood = GaussianLikelihood(0.3, learn_sigma=True, least_sigma=0.2).double()
    likelihood.logvar.data.fill_(-9.0)
    x = torch.linspace(-3, 4, 20_001).double().unsqueeze(1)
    density = likelihood.log_prob(x, torch.full_like(x, 0.37)).exp()
    assert torch.trapezoid(density, x.squeeze()).item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("sigma", [0.5 / 255, 2 / 255, 0.1])
def test_nats_of_dequantized_pixels_bound_the_probability_as_the_docstring_says(sigma):
    """E_u log p((k + u)/255) − log 255 ≤ log P(k) = log ∫ p over the cell, by the Gaussian's distribution function."""
    mean, u = 0.4, torch.linspace(-0.5, 0.5, 20_001, dtype=torch.float64)
    likelihood = GaussianLikelihood(sigma).double()
    for k in (100, 101, 102, 104):
        log_p = likelihood.log_prob((k + u.unsqueeze(1)) / 255, torch.full((len(u), 1), mean, dtype=torch.float64))
        bound = torch.trapezoid(log_p, u).item() - math.log(255)
        edges = torch.tensor([k - 0.5, k + 0.5], dtype=torch.float64) / 255
        exact = torch.special.ndtr((edges - mean) / likelihood.sigma.item()).diff().log().item()
        assert bound <= exact + 1e-9
        if sigma > 2 / 255:
            assert bound == pytest.approx(exact, abs=2e-3), "tight where the density hardly changes within a cell"


def learned_sigma_of_constant_pictures(likelihood):
    torch.manual_seed(0)
    model, x = mlp_vae((1, 2, 3), 2, 8, likelihood=likelihood), torch.full((B, 1, 2, 3), 51 / 255)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, 1200)
    said = []
    for _ in range(1200):
        optimizer.zero_grad()
        loss = negative_elbo(model, x)["loss"]
        loss.backward()
        optimizer.step()
        schedule.step()
        said.append(model.likelihood.warning() if hasattr(model.likelihood, "warning") else None)
    return loss.item(), said


def test_a_sigma_that_runs_to_zero_is_said_while_the_elbo_still_is_a_number():
    loss, said = learned_sigma_of_constant_pictures(GaussianLikelihood(learn_sigma=True))
    first = next(i for i, words in enumerate(said) if words)
    assert 0 < first < 1200 and math.isfinite(loss)
    for part in ("the learned σ has shrunk to 0.00", "least_sigma", "dequantization", "DiscretizedLogisticLikelihood"):
        assert part in said[first]
    assert "\n" not in said[first]


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(learn_sigma=True, least_sigma=1 / 255),
                                        DiscretizedLogisticLikelihood()])
def test_the_ways_out_that_are_named_help(likelihood):
    loss, said = learned_sigma_of_constant_pictures(copy.deepcopy(likelihood))
    assert not any(said) and math.isfinite(loss)
    if isinstance(likelihood, DiscretizedLogisticLikelihood):
        assert loss > 0, "a probability is at most one, whatever the scale is"


def test_a_small_sigma_that_is_fixed_is_the_readers_own_choice():
    assert GaussianLikelihood(1e-4).warning() is None


@pytest.mark.parametrize(("sigma", "says"), [(1e-4, True), (0.49 / 255, True), (0.51 / 255, False), (math.nan, False)])
def test_the_word_comes_at_half_a_step_of_a_pixel(sigma, says):
    likelihood = GaussianLikelihood(learn_sigma=True)
    likelihood.logvar.data.fill_(2 * math.log(sigma))
    assert (likelihood.warning() is not None) == says


# ---------------------------------------------------------------- colour

@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda likelihood: type(likelihood).__name__)
def test_a_coloured_picture_is_the_sum_of_its_pixels(likelihood):
    x, recon = quantized(B, *PIXELS), torch.randn(B, *PIXELS, generator=seeded(4))
    total = likelihood.log_prob(x, recon)
    assert total.shape == (B,)
    assert_close(total, likelihood.log_prob(x.view(-1, 1), recon.view(-1, 1)).view(B, -1).sum(1), rtol=1e-5, atol=1e-4)
    assert likelihood.mean(recon).shape == likelihood.sample(recon).shape == x.shape
    assert_close(likelihood.mean(recon)[2, 1], likelihood.mean(recon[2, 1]))
