"""Each density against torch.distributions, quadrature or sampling. Batch 4, latents 3 and pixels 1×5×2: all different."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from exact import assert_estimates
from torch.distributions import Bernoulli, ContinuousBernoulli, MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from vae_course.densities import (
    bernoulli_log_likelihood,
    check_examples,
    continuous_bernoulli_log_likelihood,
    continuous_bernoulli_log_norm,
    gaussian_log_likelihood,
    kl_between_normals,
    kl_to_standard_normal,
    normal_log_density,
    reparameterize,
    softplus,
    standard_normal_log_density,
    sum_per_example,
)

B, Z, PIXELS = 4, 3, (1, 5, 2)
EXTREME = [-100.0, -20.0, -1.0, 0.0, 1.0, 20.0, 100.0]


def random_latents(n: int, seed: int = 0) -> list[torch.Tensor]:
    """n tensors (B, Z)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(B, Z, generator=generator, dtype=torch.float64) for _ in range(n)]


def grey_pixels_and_logits(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels in [0, 1] and logits, (B, 1, 5, 2) each."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(B, *PIXELS, generator=generator, dtype=torch.float64)
    return x, 3 * torch.randn(B, *PIXELS, generator=generator, dtype=torch.float64)


def integral(f, low: float, high: float, n: int = 80) -> float:
    """∫ f by Gauss–Legendre quadrature: exact for polynomials of degree 2n − 1."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    points = torch.from_numpy((high + low) / 2 + (high - low) / 2 * nodes)
    return ((high - low) / 2 * torch.from_numpy(weights) * f(points)).sum().item()


def by_quadrature(f, logits: torch.Tensor) -> torch.Tensor:
    """∫₀¹ f(x, logit) dx for each logit."""
    return torch.tensor([integral(lambda x, logit=logit: f(x, logit), 0, 1) for logit in logits], dtype=torch.float64)


# ---------------------------------------------------------------- Gaussians over the latent

def test_normal_log_density_agrees_with_torch():
    z, mu, logvar = random_latents(3)
    exact = MultivariateNormal(mu, torch.diag_embed(torch.exp(logvar))).log_prob(z)
    assert exact.shape == (B,)
    assert_close(normal_log_density(z, mu, logvar), exact)


def test_normal_log_density_takes_several_samples_of_each_example():
    mu, logvar = random_latents(2)
    z = torch.randn(7, B, Z, dtype=torch.float64)
    result = normal_log_density(z, mu, logvar)
    assert result.shape == (7, B)
    for k in range(7):
        for b in range(B):
            assert_close(result[k, b], Normal(mu[b], torch.exp(0.5 * logvar[b])).log_prob(z[k, b]).sum())


def test_normal_density_integrates_to_one():
    mu, logvar = torch.tensor([[0.7]]).double(), torch.tensor([[-1.2]]).double()
    total = integral(lambda z: torch.exp(normal_log_density(z.view(-1, 1, 1), mu, logvar)).squeeze(1), -6, 8)
    assert total == pytest.approx(1, abs=1e-9)


def test_standard_normal_log_density_agrees_with_torch():
    z = torch.randn(2, B, Z, dtype=torch.float64)
    assert_close(standard_normal_log_density(z), Normal(0.0, 1.0).log_prob(z).sum(-1))


def test_kl_to_standard_normal_agrees_with_torch():
    mu, logvar = random_latents(2)
    exact = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).sum(-1)
    result = kl_to_standard_normal(mu, logvar)
    assert result.shape == (B,)
    assert_close(result, exact)


def test_kl_to_standard_normal_agrees_with_quadrature():
    mu, logvar = torch.tensor(0.8).double(), torch.tensor(-0.9).double()
    q, p = Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)
    exact = integral(lambda z: torch.exp(q.log_prob(z)) * (q.log_prob(z) - p.log_prob(z)), -6, 8)
    assert kl_to_standard_normal(mu.view(1, 1), logvar.view(1, 1)).item() == pytest.approx(exact, abs=1e-8)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere():
    assert kl_to_standard_normal(torch.zeros(B, Z), torch.zeros(B, Z)).tolist() == [0.0] * B
    mu, logvar = (3 * t for t in random_latents(2, seed=4))
    assert (kl_to_standard_normal(mu, logvar) > 0).all()


def test_kl_between_normals_agrees_with_torch():
    mu, logvar, prior_mu, prior_logvar = random_latents(4)
    exact = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(prior_mu, torch.exp(0.5 * prior_logvar))).sum(-1)
    assert_close(kl_between_normals(mu, logvar, prior_mu, prior_logvar), exact)


def test_kl_gradients_agree_with_finite_differences():
    inputs = tuple(t.requires_grad_() for t in random_latents(4))
    assert torch.autograd.gradcheck(kl_to_standard_normal, inputs[:2])
    assert torch.autograd.gradcheck(kl_between_normals, inputs)


def test_reparameterized_draws_have_the_mean_and_the_variance_of_q():
    mu, logvar = torch.tensor([0.5, -2.0, 1.0]), torch.tensor([-2.0, 1.0, 0.5])
    z = reparameterize(mu.expand(20_000, Z), logvar.expand(20_000, Z), torch.Generator().manual_seed(0))
    for j in range(Z):
        assert_estimates(z[:, j], mu[j].item())
        assert_estimates((z[:, j] - mu[j]) ** 2, math.exp(logvar[j]))
    assert (torch.corrcoef(z.T) - torch.eye(Z)).abs().max() < 0.03  # each latent has its own noise


def test_reparameterize_repeats_with_a_generator_and_passes_gradients():
    mu, logvar = (t.requires_grad_() for t in random_latents(2))
    z = reparameterize(mu, logvar, torch.Generator().manual_seed(3))
    assert torch.equal(z, reparameterize(mu, logvar, torch.Generator().manual_seed(3)))
    z.sum().backward()
    assert_close(mu.grad, torch.ones(B, Z, dtype=torch.float64))
    assert_close(logvar.grad, 0.5 * (z - mu).detach())  # ∂(σ ε)/∂ log σ² = σ ε / 2


def test_a_generator_leaves_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    reparameterize(*random_latents(2), generator=torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())


# ---------------------------------------------------------------- likelihoods of the image

def test_sum_per_example_keeps_the_first_axis_only():
    assert_close(sum_per_example(torch.arange(24.0).view(2, 3, 4)), torch.tensor([66.0, 210.0]))


def test_softplus_agrees_with_torch():
    logits = torch.linspace(-30, 30, 601, dtype=torch.float64)
    assert_close(softplus(logits), torch.nn.functional.softplus(logits, threshold=100))


@pytest.mark.parametrize("pixels", ["binary", "grey"])
def test_bernoulli_agrees_with_torch(pixels):
    x, logits = grey_pixels_and_logits()
    x = (x < 0.5).double() if pixels == "binary" else x
    exact = Bernoulli(logits=logits, validate_args=False).log_prob(x).sum((1, 2, 3))
    result = bernoulli_log_likelihood(x, logits)
    assert result.shape == (B,)
    assert_close(result, exact)


def test_bernoulli_probabilities_of_both_values_sum_to_one():
    logits = torch.linspace(-8, 8, 9).view(-1, 1)
    total = sum(torch.exp(bernoulli_log_likelihood(torch.full_like(logits, v), logits)) for v in (0.0, 1.0))
    assert_close(total, torch.ones(9))


def test_bernoulli_gradient_is_x_minus_probability_at_zero_too():
    x = torch.tensor([[0.0, 0.25, 1.0, 0.5, 1.0, 0.0]], dtype=torch.float64)
    logits = torch.tensor([[0.0, 0.0, 0.0, -2.0, 30.0, -100.0]], dtype=torch.float64, requires_grad=True)
    bernoulli_log_likelihood(x, logits).sum().backward()
    assert_close(logits.grad, x - torch.sigmoid(logits.detach()))


def test_likelihood_gradients_agree_with_finite_differences():
    x, logits = grey_pixels_and_logits()
    logits.requires_grad_()
    for likelihood in (bernoulli_log_likelihood, continuous_bernoulli_log_likelihood):
        assert torch.autograd.gradcheck(partial(likelihood, x), logits)
        assert torch.autograd.gradgradcheck(partial(likelihood, x), logits)


@pytest.mark.parametrize("likelihood", [bernoulli_log_likelihood, continuous_bernoulli_log_likelihood])
def test_extreme_logits_stay_finite(likelihood):
    logits = torch.tensor(EXTREME).repeat(2, 1).requires_grad_()
    x = torch.tensor([[0.0], [1.0]]).expand(2, len(EXTREME))
    values = likelihood(x, logits)
    values.sum().backward()
    assert values.isfinite().all() and logits.grad.isfinite().all()


def test_certain_and_wrong_pixels_cost_their_logit():
    x, logits = torch.tensor([[0.0], [1.0], [1.0]]), torch.tensor([[100.0], [-100.0], [100.0]])
    assert bernoulli_log_likelihood(x, logits).tolist() == [-100.0, -100.0, 0.0]


def test_continuous_bernoulli_norm_agrees_with_quadrature():
    logits = torch.tensor([-30.0, -3.0, -0.2, -0.1, -0.05, 0.0, 1e-3, 0.0999, 0.1001, 0.5, 7.0, 30.0], dtype=torch.float64)
    mass = by_quadrature(lambda x, logit: torch.exp(x * logit - torch.nn.functional.softplus(logit)), logits)
    assert_close(continuous_bernoulli_log_norm(logits), -torch.log(mass), rtol=0, atol=2e-9)


def test_continuous_bernoulli_norm_is_even_and_smooth_where_its_branches_meet():
    logits = torch.tensor([0.0, 0.0999999, 0.1000001, 40.0], dtype=torch.float64)
    assert_close(continuous_bernoulli_log_norm(logits), continuous_bernoulli_log_norm(-logits))
    below, above = continuous_bernoulli_log_norm(logits[1:3])
    assert abs(above - below) < 1e-7


def test_continuous_bernoulli_norm_has_the_right_gradient_near_zero():
    # d log C/dl = λ − E[x], with E[x] by quadrature; at l = 0 the two are both ½
    logits = torch.tensor([-2.0, -0.11, -0.09, -1e-4, 0.0, 1e-4, 0.09, 0.11, 2.0], dtype=torch.float64)
    mass = by_quadrature(lambda x, logit: torch.exp(x * logit), logits)
    mean = by_quadrature(lambda x, logit: x * torch.exp(x * logit), logits) / mass
    variable = logits.clone().requires_grad_()
    continuous_bernoulli_log_norm(variable).sum().backward()
    assert_close(variable.grad, torch.sigmoid(logits) - mean, rtol=0, atol=1e-6)
    assert variable.grad[4] == 0


def test_continuous_bernoulli_norm_in_single_precision():
    logits = torch.tensor([*EXTREME, 0.0999, 0.1001, 1e-4])
    assert_close(continuous_bernoulli_log_norm(logits), continuous_bernoulli_log_norm(logits.double()).float())


def test_continuous_bernoulli_agrees_with_torch():
    x, logits = grey_pixels_and_logits()
    exact = ContinuousBernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    assert_close(continuous_bernoulli_log_likelihood(x, logits), exact)


def test_continuous_bernoulli_density_integrates_to_one():
    logits = torch.tensor([-20.0, -1.0, 0.0, 0.05, 4.0], dtype=torch.float64)

    def density(x: torch.Tensor, logit: torch.Tensor) -> torch.Tensor:
        return torch.exp(continuous_bernoulli_log_likelihood(x.view(-1, 1), logit.expand(len(x), 1)))

    assert_close(by_quadrature(density, logits), torch.ones(5, dtype=torch.float64))


def test_gaussian_likelihood_agrees_with_torch():
    x, mean = grey_pixels_and_logits()
    for logvar in (torch.tensor(-1.3).double(), torch.linspace(-2, 2, x.numel()).double().view_as(x)):
        exact = Normal(mean, torch.exp(0.5 * logvar)).log_prob(x).sum((1, 2, 3))
        result = gaussian_log_likelihood(x, mean, logvar)
        assert result.shape == (B,)
        assert_close(result, exact)


def test_a_log_density_may_be_positive():
    x = torch.zeros(1, 3)
    assert gaussian_log_likelihood(x, x, torch.tensor(-6.0)).item() > 0
    assert continuous_bernoulli_log_likelihood(x, torch.full_like(x, -20.0)).item() > 0


# ---------------------------------------------------------------- errors name the argument

LATENTS = torch.zeros(B, Z)
IMAGES = torch.full((B, *PIXELS), 0.5)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: kl_to_standard_normal([0.0], LATENTS), TypeError, "mu must be a floating-point tensor, got list"),
    (lambda: kl_to_standard_normal(LATENTS, LATENTS.long()), TypeError, "logvar must be .*int64"),
    (lambda: kl_to_standard_normal(LATENTS, LATENTS[:, :2]), ValueError, r"mu and logvar .*\(4, 3\) and \(4, 2\)"),
    (lambda: kl_to_standard_normal(LATENTS, LATENTS[:1]), ValueError, "mu and logvar"),             # would broadcast
    (lambda: kl_to_standard_normal(LATENTS, torch.zeros(())), ValueError, "mu and logvar"),         # would broadcast
    (lambda: kl_between_normals(LATENTS, LATENTS, LATENTS[0], LATENTS), ValueError, "mu and prior_mu"),
    (lambda: kl_between_normals(LATENTS, LATENTS, LATENTS, LATENTS[:, :1]), ValueError, "mu and prior_logvar"),
    (lambda: kl_between_normals(LATENTS, LATENTS, LATENTS, LATENTS.int()), TypeError, "prior_logvar"),
    (lambda: normal_log_density(LATENTS.int(), LATENTS, LATENTS), TypeError, "z must be"),
    (lambda: normal_log_density(LATENTS[:, :1], LATENTS, LATENTS), ValueError, r"z must have shape \(…, 4, 3\)"),
    (lambda: normal_log_density(LATENTS[:1], LATENTS, LATENTS), ValueError, "z must have shape"),   # would broadcast
    (lambda: normal_log_density(LATENTS, LATENTS, LATENTS[0]), ValueError, "mu and logvar"),
    (lambda: standard_normal_log_density(LATENTS.int()), TypeError, "z must be"),
    (lambda: reparameterize(LATENTS, LATENTS[0]), ValueError, "mu and logvar"),
    (lambda: reparameterize(LATENTS.int(), LATENTS), TypeError, "mu must be"),
])
def test_errors_over_the_latent_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("likelihood", [bernoulli_log_likelihood, continuous_bernoulli_log_likelihood])
@pytest.mark.parametrize(("x", "logits", "error", "message"), [
    (IMAGES.to(torch.uint8), IMAGES, TypeError, r"x must be .*uint8; .*data\.grey"),
    (255 * IMAGES, IMAGES, ValueError, r"x must lie in \[0, 1\].*divide by 255"),
    (-IMAGES, IMAGES, ValueError, r"x must lie in \[0, 1\], got values from -0.5"),
    (IMAGES.numpy(), IMAGES, TypeError, r"x must be .*got ndarray; torch\.as_tensor\(x, dtype=torch\.float32\)"),
    (IMAGES.bool(), IMAGES, TypeError, r"x must be .*got torch\.bool; x\.float\(\)"),
    (3 * IMAGES, IMAGES, ValueError, r"x must lie in \[0, 1\], got values from 1.5 to 1.5$"),
    (IMAGES * math.nan, IMAGES, ValueError, r"x must lie in \[0, 1\], got nan: x\.isnan\(\) says where"),
    (IMAGES, IMAGES.bool(), TypeError, "recon_logits must be"),
    (IMAGES, IMAGES.flatten(1), ValueError, r"x and recon_logits .*\(4, 1, 5, 2\) and \(4, 10\)"),
    (IMAGES, IMAGES[:1], ValueError, "x and recon_logits"),         # would broadcast
    (IMAGES, IMAGES.mT, ValueError, "x and recon_logits"),
])
def test_errors_over_pixels_name_the_argument(likelihood, x, logits, error, message):
    with pytest.raises(error, match=message):
        likelihood(x, logits)


@pytest.mark.parametrize(("mean", "logvar", "error", "message"), [
    (IMAGES[:1], torch.zeros(()), ValueError, "x and mean"),
    (IMAGES.int(), torch.zeros(()), TypeError, "mean must be"),
    (IMAGES, torch.zeros(1), ValueError, "x and logvar"),           # would broadcast
    (IMAGES, torch.zeros(*PIXELS), ValueError, "x and logvar"),
    (IMAGES, 0.0, TypeError, "logvar must be .*float"),
])
def test_gaussian_likelihood_errors_name_the_argument(mean, logvar, error, message):
    with pytest.raises(error, match=message):
        gaussian_log_likelihood(IMAGES, mean, logvar)


def test_one_pixel_that_is_not_a_number_is_found():
    x = IMAGES.clone()
    x[2, 0, 4, 1] = math.nan
    with pytest.raises(ValueError, match="x must lie"):
        bernoulli_log_likelihood(x, IMAGES)


# ---------------------------------------------------------------- examples that do not fit a model

@pytest.mark.parametrize(("got", "shape", "way_out"), [
    ((8, 6, 5, 1), (1, 6, 5), "x.permute(0, 3, 1, 2)"),
    ((8, 6, 5, 3), (3, 6, 5), "x.permute(0, 3, 1, 2)"),
    ((8, 6, 5), (1, 6, 5), "x.unsqueeze(1)"),
    ((8, 30), (1, 6, 5), "x.reshape(-1, 1, 6, 5)"),
    ((8, 3, 2, 5), (30,), "x.reshape(-1, 30)"),
    ((6, 5), (1, 6, 5), "x[None, None]"),
    ((3, 6, 5), (3, 6, 5), "x.unsqueeze(0)"),
    ((6, 5, 3), (3, 6, 5), "x.permute(2, 0, 1).unsqueeze(0)"),
    ((30,), (30,), "x.unsqueeze(0)"),
])
def test_the_way_out_gives_examples_of_the_models_shape(got, shape, way_out):
    x = torch.rand(got)
    with pytest.raises(ValueError, match=rf"x must have shape \(B, {', '.join(map(str, shape))}\), got ") as caught:
        check_examples(x, shape)
    assert str(caught.value).endswith(f": {way_out}")
    mended = eval(way_out, {"x": x})
    check_examples(mended, shape)
    assert mended.numel() == x.numel()


@pytest.mark.parametrize(("got", "words"), [
    ((8, 3, 32, 30), r"models.mlp_vae\(\(3, 32, 30\)\)$"),
    ((8, 32, 30, 3), r"models.mlp_vae\(\(3, 32, 30\)\), and give it x.permute\(0, 3, 1, 2\)$"),
    ((8, 32, 30), r"models.mlp_vae\(\(1, 32, 30\)\), and give it x.unsqueeze\(1\)$"),
    ((8, 31), r"models.mlp_vae\(\(31,\)\)$"),
    ((8,), "the first axis counts the examples"),
    ((), "the first axis counts the examples"),
])
def test_examples_of_another_size_need_another_model(got, words):
    with pytest.raises(ValueError, match=rf"x must have shape \(B, 1, 6, 5\), got .*{words}"):
        check_examples(torch.zeros(got), (1, 6, 5))


def test_examples_are_of_the_weights_type():
    for dtype in (torch.float32, torch.float64):
        check_examples(torch.zeros(4, 3, dtype=dtype), (3,), dtype)
    with pytest.raises(TypeError, match=r"x must be torch.float32, .*got torch.float64: .*x\.float\(\)$"):
        check_examples(torch.zeros(4, 3).double(), (3,))
    with pytest.raises(TypeError, match=r"x must be torch.float64, .*got torch.float32: model\.float\(\), or x\.to\("):
        check_examples(torch.zeros(4, 3), (3,), torch.float64)
    with pytest.raises(TypeError, match=r"got torch.uint8; .*data.grey\(x\)$"):
        check_examples(torch.zeros(4, 3).byte(), (3,))
