"""The mixture as a prior: beside torch.distributions and scikit-learn, in training, in files, and its gain."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from torch.testing import assert_close

from vae_course import evaluation, models, objectives, training
from vae_course.densities import normal_log_density, reparameterize
from vae_course.models import VAE, MixturePrior, conv_vae, mlp_vae

B, Z, K = 7, 3, 4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def a_mixture(z=Z, k=K, seed=0) -> MixturePrior:
    """A mixture whose parts all differ."""
    prior, g = MixturePrior(z, k), seeded(seed)
    for parameter in prior.parameters():
        parameter.copy_(0.7 * torch.randn(parameter.shape, generator=g))
    return prior


def by_torch(prior: MixturePrior) -> MixtureSameFamily:
    """The same mixture, from covariance matrices."""
    factors = prior.factors()
    covariances = torch.linalg.inv(factors @ factors.mT)
    return MixtureSameFamily(Categorical(logits=prior.logits), MultivariateNormal(prior.means, covariances))


def small_vae(prior=None, seed=0):
    torch.manual_seed(seed)
    return mlp_vae((1, 5, 4), Z, 6, prior=prior)


def pictures(n=B):
    return torch.bernoulli(torch.full((n, 1, 5, 4), 0.3), generator=seeded(5))


def test_the_density_is_that_of_torch_distributions():
    prior, z = a_mixture(), 2 * torch.randn(B, Z, generator=seeded(1))
    assert_close(prior.log_prob(z), by_torch(prior).log_prob(z), rtol=1e-4, atol=1e-4)
    assert_close(prior.log_joint(z).logsumexp(1), prior.log_prob(z))


def test_one_component_is_a_gaussian_and_the_first_is_not_all():
    prior = MixturePrior(Z, 1)
    with torch.no_grad():
        prior.means.zero_()
    z = torch.randn(B, Z, generator=seeded())
    assert_close(prior.log_prob(z), Independent(Normal(torch.zeros(Z), torch.ones(Z)), 1).log_prob(z))
    assert len(MixturePrior(Z, K).means.unique(dim=0)) == K         # else all components would learn alike for ever


def test_draws_have_the_moments_of_the_mixture_and_the_generator_decides_them():
    prior = a_mixture(seed=3)
    draws, exact = prior.sample(200_000, seeded()), by_torch(prior)
    error = (exact.variance / len(draws)).sqrt()
    assert ((draws.mean(0) - exact.mean).abs() < 5 * error).all()
    assert_close(draws.var(0), exact.variance.detach(), rtol=0.05, atol=0)
    weights = exact.mixture_distribution.probs
    centred = exact.component_distribution.mean - exact.mean
    covariance = (weights[:, None, None] * (exact.component_distribution.covariance_matrix
                                            + centred[:, :, None] * centred[:, None, :])).sum(0)
    assert_close(torch.cov(draws.T), covariance.detach(), rtol=0.05, atol=0.05 * covariance.diagonal().max().item())
    assert torch.equal(prior.sample(5, seeded(2)), prior.sample(5, seeded(2)))


def test_the_density_integrates_to_one_in_two_dimensions():
    prior = a_mixture(2, 3)
    axis = torch.linspace(-12, 12, 1201)
    z = torch.cartesian_prod(axis, axis)
    total = torch.logsumexp(prior.log_prob(z).double(), 0).exp() * (axis[1] - axis[0]).item() ** 2
    assert_close(total.item(), 1.0, rtol=2e-3, atol=0)


@pytest.mark.filterwarnings("ignore:Best performing initialization")     # the rounds are few on purpose
def test_codes_are_fitted_as_scikit_learn_fits_them():
    from sklearn.mixture import GaussianMixture

    codes = by_torch(a_mixture(seed=4)).sample((900,))
    prior = MixturePrior.of_codes(codes, K, seed=1)
    expected = GaussianMixture(K, reg_covar=1e-3, max_iter=15, tol=0, random_state=1).fit(codes.double().numpy())
    assert_close(prior.log_prob(codes).double().detach(), torch.from_numpy(expected.score_samples(codes.double().numpy())),
                 rtol=1e-4, atol=1e-4)


def test_a_fit_finds_two_clouds_where_one_gaussian_cannot():
    torch.manual_seed(0)
    codes = 0.3 * torch.randn(2000, 2) + 2 * (torch.randint(2, (2000, 1)) * 2.0 - 1)
    one, two = (MixturePrior.of_codes(codes, k).log_prob(codes).mean() for k in (1, 2))
    exact = math.log(2) + 2 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.3))        # entropy of the two clouds
    assert_close(two.item(), -exact, rtol=0.03, atol=0)
    assert two > one + 0.5


@pytest.mark.parametrize("codes, k, message", [
    (torch.zeros(5), 2, "codes must be finite numbers of shape"), (torch.full((9, 2), math.nan), 2, "codes must be finite"),
    (torch.randn(4, 2), 4, "more than the 4 components, got 4: encode more pictures"),
    (torch.randn(9, 2), 0, "num_components must be a whole number ≥ 1, got 0")])
def test_what_cannot_be_fitted_says_why(codes, k, message):
    with pytest.raises(ValueError, match=message):
        MixturePrior.of_codes(codes, k)
    with pytest.raises(TypeError, match="codes must be a floating-point tensor"):
        MixturePrior.of_codes(torch.ones(9, 2, dtype=torch.long), 2)


# ---------------------------------------------------------------- in a model

def test_the_kl_of_a_draw_is_its_two_log_densities():
    prior = a_mixture()
    model, x = small_vae(prior), pictures()
    mu, logvar = model.encode(x)
    z = reparameterize(mu, logvar, seeded(3))
    kl = normal_log_density(z, mu, logvar) - prior.log_prob(z)
    assert_close(model.kl_at(z, mu, logvar), kl)
    assert_close(objectives.elbo_terms(model, x, generator=seeded(3)).kl, kl)       # with the z that is decoded
    wide = (part.repeat(20_000, 1) for part in (mu[:1], logvar[:1]))
    estimates = model.kl(*wide)
    draws = reparameterize(*(part.expand(200_000, Z) for part in (mu[:1], logvar[:1])), seeded(8))
    other = (normal_log_density(draws, mu[:1].expand_as(draws), logvar[:1].expand_as(draws))
             - by_torch(prior).log_prob(draws)).mean()
    assert abs(estimates.mean() - other) < 5 * estimates.std() / 20_000 ** 0.5


def test_a_standard_normal_mixture_gives_the_bound_of_n01():
    prior = MixturePrior(Z, 1)
    with torch.no_grad():
        prior.means.zero_()
    plain, x = small_vae(), pictures(400)
    model = VAE(plain.encoder, plain.decoder, input_shape=(1, 5, 4), prior=prior)
    log_w = (objectives.log_weights(m, x, n_samples=5, generator=seeded(1)) for m in (plain, model))
    assert_close(*log_w)
    with torch.no_grad():
        exact, drawn = (objectives.elbo_terms(m, x.repeat(20, 1, 1, 1), generator=seeded(1)).kl for m in (plain, model))
    assert not torch.equal(exact, drawn)
    assert abs((exact - drawn).mean()) < 5 * (exact - drawn).std() / 8000 ** 0.5


def test_no_other_model_changes_by_a_digit():
    model, x = small_vae(), pictures()
    mu, logvar = model.encode(x)
    z = reparameterize(mu, logvar, seeded(3))
    assert torch.equal(model.kl_at(z, mu, logvar), model.kl(mu, logvar)) and model.prior is None


def test_samples_come_from_the_prior():
    prior = a_mixture()
    model = small_vae(prior)
    assert torch.equal(model.sample_prior(6, seeded(2)), prior.sample(6, seeded(2)))
    with torch.no_grad():
        assert_close(model.generate(6, seeded(2)), torch.sigmoid(model.decode(prior.sample(6, seeded(2)))))


def test_training_teaches_the_prior_too():
    prior = a_mixture()
    before = [parameter.clone() for parameter in prior.parameters()]
    model = small_vae(prior)
    training.fit(model, objectives.negative_elbo, pictures(64), epochs=2, prepare=nn.Identity(), batch_size=16,
                 progress=False)
    after = dict(prior.named_parameters())
    assert all(not torch.equal(old, new) for old, new in zip(before, after.values()))
    below = torch.tril(torch.ones(Z, Z)).bool()
    assert torch.equal(after["above"][:, below], before[3][:, below])       # what the triangle leaves out never moves


def test_a_fitted_prior_raises_the_bound_where_codes_lie_in_two_clouds():
    """An encoder whose codes lie at ±3: N(0, I) pays for the way there, the mixture pays log 2."""
    class Sides(nn.Module):
        latent_dim = 1

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return 6 * x - 3, torch.full_like(x, math.log(0.01))

    x = torch.bernoulli(torch.full((2000, 1), 0.5), generator=seeded())
    model = VAE(Sides(), nn.Linear(1, 1), input_shape=(1,))
    with torch.no_grad():
        standard = model.kl(*model.encode(x)).mean()
        model.prior = MixturePrior.of_codes(reparameterize(*model.encode(x), seeded(1)), 2)
        mixture = evaluation.test_elbo(model, x, prepare=nn.Identity()).rate
    assert_close(standard.item(), 0.5 * (9 + 0.01 - 1 - math.log(0.01)), rtol=1e-4, atol=0)
    # exactly log 2 but for 0.001 that is added to the variances: E ½(z − m)² keeps log N at the cloud's own entropy
    assert mixture.mean - 5 * mixture.standard_error < math.log(2) + 0.05
    assert mixture.mean > math.log(2) - 0.05


def test_what_needs_a_gaussian_says_so():
    model, x = small_vae(a_mixture()), pictures()
    with pytest.raises(ValueError, match="the prior, MixturePrior, has no mean and logvar"):
        evaluation.kl_per_latent(model, x, prepare=nn.Identity())
    assert not model.has_standard_prior()


@pytest.mark.parametrize("prior, got", [(MixturePrior, "the class MixturePrior"), (nn.Identity(), "Identity"),
                                        (3.0, "float")])
def test_what_is_no_prior_is_refused(prior, got):
    plain = small_vae()
    with pytest.raises(TypeError, match=rf"prior must have log_prob\(z\) and sample.*got {got}"):
        VAE(plain.encoder, plain.decoder, prior=prior)


@pytest.mark.parametrize("build", [lambda prior: small_vae(prior), lambda prior: conv_vae((1, 8, 9), Z, 2, 5, prior=prior)])
@pytest.mark.parametrize("exchanged", [False, True])
def test_a_file_keeps_the_prior(tmp_path, build, exchanged):
    model = build(None if exchanged else a_mixture())
    if exchanged:
        model.prior = a_mixture()
    models.save(model, tmp_path / "model.safetensors")
    again = models.load(tmp_path / "model.safetensors")
    z = torch.randn(B, Z, generator=seeded(1))
    assert torch.equal(again.log_prior(z), model.log_prior(z))
    assert torch.equal(again.sample_prior(3, seeded()), model.sample_prior(3, seeded()))
    models.export_decoder(model, tmp_path / "decoder.safetensors")


def test_a_mixture_stays_exact_in_bfloat16_training():
    prior, z = a_mixture(), 2 * torch.randn(B, Z, generator=seeded(1))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(prior.log_prob(z), a_mixture().log_prob(z))
        inside = prior.log_prob(z)
    assert_close(inside, prior.log_prob(z), rtol=0, atol=0)
