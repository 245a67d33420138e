"""The VAE, its exchangeable parts, and its likelihoods. Batch 6, latents 5, hidden 17: no axis has the length of another."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from exact import assert_estimates
from torch import nn
from torch.distributions import ContinuousBernoulli, Normal, kl_divergence
from torch.testing import assert_close

from vae_course import evaluation
from vae_course.models import (
    VAE,
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianEncoder,
    GaussianLikelihood,
    conv_vae,
    mlp,
    reference_vae,
)
from vae_course.objectives import elbo_terms, negative_elbo

B, Z, HIDDEN = 6, 5, 17
LIKELIHOODS = [BernoulliLikelihood, ContinuousBernoulliLikelihood, GaussianLikelihood]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def binary_images(n: int = B) -> torch.Tensor:
    """(n, 1, 28, 28), each pixel 0 or 1."""
    return (torch.rand(n, 1, 28, 28, generator=seeded(1)) < 0.2).float()


def small_vae(**options) -> VAE:
    torch.manual_seed(0)
    return reference_vae(latent_dim=Z, hidden_dim=HIDDEN, **options)


def colour_vae(likelihood: nn.Module | None = None) -> VAE:
    """Two channels of 8×6 pixels, three latents, a strided convolution on either side."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten())     # (B, 4·4·3)
    decoder = nn.Sequential(nn.Linear(3, 48), nn.Unflatten(1, (4, 4, 3)), nn.SiLU(),
                            nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1))
    return VAE(GaussianEncoder(features, feature_dim=48, latent_dim=3), decoder, likelihood, input_shape=(2, 8, 6))


# ---------------------------------------------------------------- the reference network

def test_mlp_has_an_activation_between_its_layers_and_none_after_the_last():
    layers = mlp([7, 5, 3, 2], nn.SiLU)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
    assert [(layer.in_features, layer.out_features) for layer in layers[::2]] == [(7, 5), (5, 3), (3, 2)]


def test_the_default_network_is_784_400_20_400_784():
    model = reference_vae()
    assert [tuple(p.shape) for p in model.encoder.parameters() if p.ndim == 2] == [(400, 784), (20, 400), (20, 400)]
    assert [tuple(p.shape) for p in model.decoder.parameters() if p.ndim == 2] == [(400, 20), (784, 400)]
    assert isinstance(model.likelihood, BernoulliLikelihood)


def test_widths_and_activation_can_be_chosen():
    model = small_vae(activation=nn.SiLU)
    assert [tuple(p.shape) for p in model.encoder.parameters() if p.ndim == 2] == [(HIDDEN, 784), (Z, HIDDEN), (Z, HIDDEN)]
    assert [tuple(p.shape) for p in model.decoder.parameters() if p.ndim == 2] == [(HIDDEN, Z), (784, HIDDEN)]
    assert sum(isinstance(module, nn.SiLU) for module in model.modules()) == 2
    assert not any(isinstance(module, nn.ReLU) for module in model.modules())


def test_shapes():
    model, x = small_vae(), binary_images()
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (B, Z)
    assert model.decode(mu).shape == x.shape
    recon, *latent = model(x)
    assert recon.shape == x.shape and [t.shape for t in latent] == [(B, Z), (B, Z)]
    assert model.kl(mu, logvar).shape == model.log_prior(mu).shape == (B,)
    assert model.generate(3).shape == (3, 1, 28, 28)
    assert model.reconstruct(x).shape == x.shape


def test_the_encoder_is_its_layers_written_out():
    model, x = small_vae(), binary_images()
    (w, b), to_mu, to_logvar = model.encoder.features[1][0].parameters(), model.encoder.to_mu, model.encoder.to_logvar
    h = torch.relu(x.view(B, 784) @ w.T + b)
    mu, logvar = model.encode(x)
    assert_close(mu, h @ to_mu.weight.T + to_mu.bias)
    assert_close(logvar, h @ to_logvar.weight.T + to_logvar.bias)


def test_forward_draws_z_with_the_spread_that_the_encoder_says():
    model = small_vae()
    model.decoder = nn.Identity()  # so that the reconstruction is z itself
    z, mu, logvar = model(binary_images(1).expand(20_000, -1, -1, -1))
    for j in range(Z):
        assert_estimates((z - mu)[:, j], 0.0)
        assert_estimates((z - mu)[:, j] ** 2, torch.exp(logvar[0, j]).item())


def test_forward_passes_gradients_to_every_parameter():
    model = small_vae()
    recon, mu, logvar = model(binary_images())
    (recon.sum() + model.kl(mu, logvar).sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_latents_stay_float32_under_autocast():
    model, x = small_vae(), binary_images()
    with torch.autocast("cpu", torch.bfloat16):
        mu, logvar = model.encode(x)
        assert mu.dtype == logvar.dtype == model.decode(mu).dtype == torch.float32


# ---------------------------------------------------------------- starting at the mean image

def test_mean_image_is_what_the_decoder_starts_from():
    mean_image = torch.linspace(0, 1, 784).view(1, 28, 28)
    model = small_vae(mean_image=mean_image)
    nn.init.zeros_(model.decoder[0][-1].weight)
    assert_close(model.generate(2), mean_image.clamp(1e-3, 1 - 1e-3).expand(2, 1, 28, 28))


def test_mean_image_changes_nothing_but_the_output_bias():
    plain, started = small_vae().state_dict(), small_vae(mean_image=torch.full((1, 28, 28), 0.3)).state_dict()
    changed = {name for name in plain if not torch.equal(plain[name], started[name])}
    assert changed == {"decoder.0.2.bias"}
    assert_close(started["decoder.0.2.bias"], torch.full((784,), math.log(0.3 / 0.7)))


# ---------------------------------------------------------------- pictures

def test_generate_does_not_encode():
    model = small_vae()
    model.encoder = None
    assert model.generate(4).shape == (4, 1, 28, 28)


def test_generate_decodes_draws_from_the_prior():
    model = small_vae()
    model.decoder = nn.Linear(Z, 1, bias=False)
    nn.init.ones_(model.decoder.weight)
    model.likelihood = GaussianLikelihood()
    total = model.generate(20_000, seeded())  # a sum of five draws from N(0, 1)
    assert_estimates(total[:, 0], 0.0)
    assert_estimates(total[:, 0] ** 2, float(Z))


def test_generate_repeats_with_a_generator_and_differs_without():
    model = small_vae()
    assert torch.equal(model.generate(3, seeded(4)), model.generate(3, seeded(4)))
    assert not torch.equal(model.generate(3), model.generate(3))


def test_reconstruct_has_no_noise():
    model, x = small_vae(), binary_images()
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))
    assert_close(model.reconstruct(x), torch.sigmoid(model.decode(model.encode(x)[0])).detach())


def test_pictures_carry_no_gradient():
    model = small_vae()
    assert not model.generate(2).requires_grad
    assert not model.reconstruct(binary_images()).requires_grad


# ---------------------------------------------------------------- exchangeable parts

@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_convolutional_pair_with_any_likelihood_trains(likelihood):
    model = colour_vae(likelihood())
    x = torch.rand(B, 2, 8, 6, generator=seeded(2)) ** 2
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = negative_elbo(model, x)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < sum(losses[:3])
    pictures = model.generate(7)
    assert pictures.shape == (7, 2, 8, 6) and pictures.isfinite().all()
    assert model.reconstruct(x).shape == x.shape


class AroundOne(VAE):
    """The prior N(1, I) instead of N(0, I)."""

    def prior_parameters(self):
        return torch.ones(self.latent_dim), torch.zeros(self.latent_dim)


class Narrow(VAE):
    """Another mean and variance for each latent."""

    def prior_parameters(self):
        return torch.linspace(-2, 1, self.latent_dim), torch.linspace(-1, 0.5, self.latent_dim)


def test_the_prior_is_exchanged_in_one_place():
    plain = small_vae()
    model, x = AroundOne(plain.encoder, plain.decoder), binary_images()
    mu, _ = model.encode(x)
    difference = elbo_terms(model, x).kl - elbo_terms(plain, x).kl
    assert_close(difference, (0.5 - mu).sum(1), rtol=1e-4, atol=1e-5)  # ½(μ − 1)² − ½μ²


@pytest.mark.parametrize("kind", [VAE, AroundOne, Narrow])
def test_all_follows_from_the_prior_that_is_stated(kind):
    plain = small_vae()
    model, x = kind(plain.encoder, plain.decoder), binary_images()
    mean, logvar = model.prior_parameters()
    assert mean.shape == logvar.shape == (Z,)
    prior = Normal(mean, torch.exp(0.5 * logvar))
    mu, q_logvar = model.encode(x)
    divergence = kl_divergence(Normal(mu, torch.exp(0.5 * q_logvar)), prior)
    assert_close(model.kl(mu, q_logvar), divergence.sum(1))
    assert_close(model.log_prior(mu), prior.log_prob(mu).sum(1))
    assert_close(evaluation.kl_per_latent(model, x, prepare=nn.Identity()), divergence.mean(0).detach())
    draws = model.sample_prior(20_000, seeded())
    for j in range(Z):
        assert_estimates(draws[:, j], mean[j].item())
    assert_close(draws.std(0), torch.exp(0.5 * logvar), rtol=0.03, atol=0)
    with torch.no_grad():
        assert_close(model.generate(7, seeded(3)), torch.sigmoid(model.decode(model.sample_prior(7, seeded(3)))))


@pytest.mark.parametrize("shape", [(), (1, Z)])
def test_any_shape_of_a_prior_that_is_stated_will_do(shape):
    class Broad(VAE):
        def prior_parameters(self):
            return torch.full(shape, 0.5), torch.full(shape, 1.0)

    plain = small_vae()
    model, x = Broad(plain.encoder, plain.decoder), binary_images()
    mu, logvar = model.encode(x)
    prior = Normal(torch.full((Z,), 0.5), math.exp(0.5))
    assert_close(model.log_prior(mu), prior.log_prob(mu).sum(1))
    assert_close(model.kl(mu, logvar), kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), prior).sum(1))
    assert_close(model.sample_prior(3, seeded()), 0.5 + math.exp(0.5) * torch.randn(3, Z, generator=seeded()))


def test_the_picture_of_a_model_tells_the_fixed_sigma():
    assert repr(GaussianLikelihood(0.1)) == "GaussianLikelihood(sigma=0.1)"
    assert repr(GaussianLikelihood(0.1, learn_sigma=True)) == "GaussianLikelihood(sigma learned)"


@pytest.mark.parametrize("likelihood", [BernoulliLikelihood(), GaussianLikelihood()])
def test_posterior_takes_the_pixels_that_the_likelihood_takes(likelihood):
    model = reference_vae(Z, 5, likelihood=likelihood)
    any_scale = isinstance(likelihood, GaussianLikelihood)
    with nullcontext() if any_scale else pytest.raises(ValueError, match=r"x must lie in \[0, 1\]"):
        model.posterior(np.full((28, 28), 255.0))


def test_a_standard_prior_has_the_same_digits_by_the_shorter_formulas():
    class InOtherWords(VAE):
        def prior_parameters(self):
            return super().prior_parameters()

    plain = small_vae()
    model, x, gradients = InOtherWords(plain.encoder, plain.decoder), binary_images(), []
    assert plain.has_standard_prior() and not model.has_standard_prior()
    by_hand = VAE(plain.encoder, plain.decoder)
    by_hand.prior_parameters = lambda: (torch.ones(Z), torch.zeros(Z))
    assert not by_hand.has_standard_prior()
    mu, logvar = plain.encode(x)
    assert torch.equal(model.kl(mu, logvar), plain.kl(mu, logvar)) and torch.equal(model.log_prior(mu), plain.log_prior(mu))
    for vae in (plain, model):
        mu, logvar = (part.detach().requires_grad_() for part in (mu, logvar))
        vae.kl(mu, logvar).sum().backward()
        gradients.append((mu.grad, logvar.grad))
    assert all(map(torch.equal, *gradients))


def test_a_kl_that_does_not_belong_to_the_stated_prior_is_noticed():
    class OnlyTheKl(VAE):
        def kl(self, mu, logvar):
            return super().kl(mu - 1, logvar)

    plain = small_vae()
    with pytest.raises(ValueError, match="a model with another prior overrides prior_parameters alone"):
        evaluation.kl_per_latent(OnlyTheKl(plain.encoder, plain.decoder), binary_images(), prepare=nn.Identity())


# ---------------------------------------------------------------- likelihoods

RECON = torch.tensor([-100.0, -5.0, -0.5, -0.09, 0.0, 0.05, 0.11, 1.0, 6.0, 100.0])


@pytest.mark.parametrize("likelihood", [BernoulliLikelihood(), ContinuousBernoulliLikelihood(), GaussianLikelihood(0.3)])
def test_samples_have_the_mean_that_the_likelihood_states(likelihood):
    recon = RECON.expand(20_000, 2, len(RECON))
    draws = likelihood.sample(recon, seeded(3))
    assert draws.shape == recon.shape
    for i in range(len(RECON)):
        # four errors, as there are twenty pixels; a little more where all draws are alike
        column, mean = draws[:, 1, i].double(), likelihood.mean(RECON)[i].item()
        assert abs(column.mean().item() - mean) <= 4 * column.std().item() / len(column) ** 0.5 + 1e-6
    assert torch.equal(draws, likelihood.sample(recon, seeded(3)))


def test_bernoulli_draws_are_pixels_of_the_right_probability():
    draws = BernoulliLikelihood().sample(torch.full((20_000,), -1.5), seeded())
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert_estimates(draws, 1 / (1 + math.exp(1.5)))


def test_continuous_bernoulli_mean_agrees_with_torch():
    logits = torch.linspace(-30, 30, 401, dtype=torch.float64)
    logits = logits[logits.abs() > 0.02]  # torch expands λ around ½, with an error that is larger than ours
    exact = ContinuousBernoulli(logits=logits).mean
    assert_close(ContinuousBernoulliLikelihood().mean(logits), exact, rtol=0, atol=3e-6)


def test_continuous_bernoulli_mean_is_odd_around_one_half_and_stays_in_the_unit_interval():
    likelihood = ContinuousBernoulliLikelihood()
    mean = likelihood.mean(RECON)
    assert_close(mean + likelihood.mean(-RECON), torch.ones_like(mean))
    assert (mean.diff() > 0).all() and mean.min() > 0 and mean.max() < 1


def test_continuous_bernoulli_draws_follow_the_distribution_function():
    likelihood, n = ContinuousBernoulliLikelihood(), 20_000
    for logit in (-100.0, -4.0, 0.0, 0.3, 9.0, 100.0):
        draws = likelihood.sample(torch.full((n,), logit), seeded(5)).double()
        assert draws.min() >= 0 and draws.max() <= 1
        # F(x) = (e^{lx} − 1)/(e^l − 1), in the form that does not overflow
        x = draws.sort().values if logit >= 0 else (1 - draws).sort().values
        size = max(abs(logit), 1e-9)
        f = (torch.exp(size * (x - 1)) - math.exp(-size)) / -math.expm1(-size)
        steps = torch.arange(1, n + 1) / n
        assert (f - steps).abs().max() < 1.63 / n ** 0.5  # Kolmogorov–Smirnov at the level of 1 %


def test_gaussian_draws_have_the_stated_sigma():
    draws = GaussianLikelihood(0.3).sample(torch.full((20_000,), 2.0), seeded())
    assert_estimates((draws - 2) ** 2, 0.09)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_log_prob_is_summed_over_everything_but_the_batch(likelihood):
    x, recon = torch.rand(B, 2, 3, 4), torch.randn(B, 2, 3, 4)
    total = likelihood().log_prob(x, recon)
    assert total.shape == (B,)
    pixels = likelihood().log_prob(x.view(-1, 1), recon.view(-1, 1)).view(B, -1)
    assert_close(total, pixels.sum(1))


def test_fixed_sigma_is_not_trained_and_is_saved_with_the_model():
    likelihood = GaussianLikelihood(0.2)
    assert likelihood.sigma.item() == pytest.approx(0.2)
    likelihood.log_prob(torch.rand(B, 4), torch.zeros(B, 4, requires_grad=True)).sum().backward()
    assert likelihood.logvar.grad is None
    other = GaussianLikelihood(1.0)
    other.load_state_dict(likelihood.state_dict())
    assert other.sigma.item() == pytest.approx(0.2)


def test_learned_sigma_converges_to_the_root_mean_square_residual():
    likelihood = GaussianLikelihood(1.0, learn_sigma=True)
    x, recon = torch.rand(B, 3, 7, generator=seeded()), torch.zeros(B, 3, 7)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-likelihood.log_prob(x, recon).mean()).backward()
        assert likelihood.logvar.grad is not None
        optimizer.step()
    assert likelihood.sigma.item() == pytest.approx(x.square().mean().sqrt().item(), rel=1e-3)


def test_learned_sigma_gets_its_gradient_through_the_elbo():
    model = colour_vae(GaussianLikelihood(0.5, learn_sigma=True))
    x = torch.rand(B, 2, 8, 6, generator=seeded())
    torch.manual_seed(1)
    terms = negative_elbo(model, x)
    terms["loss"].backward()
    # −log p = ½ Σ (l + r² e^{−l}), so its derivative by l = log σ² is ½ (D − Σ r²/σ²); and log p gives Σ r²/σ²
    squares = -2 * terms["recon"].item() - 96 * math.log(2 * math.pi * 0.25)
    assert model.likelihood.logvar.grad.item() == pytest.approx(0.5 * (96 - squares), rel=1e-4)


# ---------------------------------------------------------------- errors name the argument

@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: mlp([784]), ValueError, r"sizes must name .*\[784\]"),
    (lambda: GaussianLikelihood(0.0), ValueError, "sigma must be positive, got 0"),
    (lambda: GaussianLikelihood("0.1"), ValueError, "sigma must be positive, got '0.1'"),
    (lambda: GaussianLikelihood(-1.0), ValueError, "sigma must be positive"),
    (lambda: GaussianLikelihood(math.nan), ValueError, "sigma must be positive"),
    (lambda: small_vae().encode(torch.zeros(B, 1, 28, 28, dtype=torch.uint8)), TypeError, "x must be .*uint8"),
    (lambda: small_vae().encode(torch.zeros(B, 784)), ValueError, r"x must have shape \(B, 1, 28, 28\), got \(6, 784\)"),
    (lambda: small_vae().encode(torch.zeros(1, 28, 28)), ValueError, "x must have shape"),
    (lambda: small_vae().encode(torch.zeros(B, 1, 28, 27)), ValueError, "x must have shape"),
    (lambda: small_vae().decode(torch.zeros(B, Z + 1)), ValueError, r"z must have shape \(B, 5\), got \(6, 6\)"),
    (lambda: small_vae().decode(torch.zeros(Z)), ValueError, "z must have shape"),
    (lambda: small_vae().decode(torch.zeros(2, B, Z)), ValueError, "z must have shape"),
    (lambda: small_vae().decode(torch.zeros(B, Z).long()), TypeError, "z must be"),
    (lambda: elbo_terms(small_vae(), torch.full((B, 1, 28, 28), 255.0)), ValueError, "x must lie in .*divide by 255"),
    (lambda: small_vae(mean_image=torch.zeros(1, 28, 27)), ValueError, "mean_image must have 784 pixels"),
    (lambda: small_vae(mean_image=torch.full((1, 28, 28), 33.0)), ValueError, "mean_image must lie in"),
    (lambda: small_vae(mean_image=torch.full((1, 28, 28), math.nan)), ValueError, "mean_image must lie in"),
    (lambda: small_vae(mean_image=torch.zeros(1, 28, 28).int()), TypeError, "mean_image must be"),
])
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_picture_is_the_mean_of_one_code():
    model = reference_vae(latent_dim=3, hidden_dim=7)
    z = torch.tensor([0.3, -1.2, 2.0])
    picture = model.picture(z.numpy())
    assert picture.shape == (28, 28)
    assert_close(torch.as_tensor(picture), torch.sigmoid(model.decode(z[None]))[0, 0].detach())
    with pytest.raises(ValueError, match=r"z must have shape \(3,\), got \(4,\)"):
        model.picture([0.0] * 4)


def test_posterior_of_one_image_is_that_of_encode():
    model = reference_vae(latent_dim=3)
    image = torch.rand(28, 28)
    mu, sigma = model.posterior(image.numpy())
    expected_mu, expected_logvar = model.encode(image[None, None])
    assert mu.shape == sigma.shape == (3,)
    np.testing.assert_allclose(mu, expected_mu[0].detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sigma**2, expected_logvar[0].exp().detach(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(27, 28), (2, 28, 28), (28, 28, 3), (784,), (1, 1, 28, 28)])
def test_posterior_refuses_an_image_of_another_size(shape):
    with pytest.raises(ValueError, match=r"image must have shape \(28, 28\) or \(1, 28, 28\), got"):
        reference_vae(latent_dim=3).posterior(np.zeros(shape))


# ---------------------------------------------------------------- the convolutional VAE

def small_conv_vae(**options) -> VAE:
    torch.manual_seed(0)
    return conv_vae(latent_dim=Z, channels=3, hidden_dim=HIDDEN, **options)


def test_the_convolutional_vae_is_a_vae_with_other_parts():
    model, x = small_conv_vae(), binary_images()
    mu, logvar = model.encode(x)
    assert type(model) is VAE and mu.shape == logvar.shape == (B, Z)
    assert model.decode(mu).shape == (B, 1, 28, 28)
    assert model.generate(4, seeded()).shape == (4, 1, 28, 28)
    negative_elbo(model, x)["loss"].backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_the_convolutional_vae_starts_at_the_mean_image():
    mean_image = binary_images(50).mean(0)
    with_it, without = small_conv_vae(mean_image=mean_image), small_conv_vae()
    z = torch.randn(B, Z, generator=seeded())
    assert_close(with_it.decode(z) - without.decode(z), torch.logit(mean_image, eps=1e-3).expand(B, -1, -1, -1))
    with pytest.raises(ValueError, match="mean_image must have 784 pixels"):
        small_conv_vae(mean_image=mean_image[:, 1:])
    with_it, without = (small_conv_vae(likelihood=GaussianLikelihood(), mean_image=start) for start in (mean_image, None))
    assert_close(with_it.decode(z) - without.decode(z), mean_image.expand(B, -1, -1, -1))   # a mean is no logit
