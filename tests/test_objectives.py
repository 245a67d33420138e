"""The objectives against the linear-Gaussian VAE of exact.py, where log p(x) and the ELBO of every q are known."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from exact import assert_estimates, toy_vae, wide_vae
from torch import nn
from torch.distributions import Normal
from torch.testing import assert_close

from vae_course.densities import bernoulli_log_likelihood, kl_to_standard_normal, standard_normal_log_density
from vae_course.objectives import (
    elbo_terms,
    importance_weighted_bound,
    log_weights,
    negative_elbo,
    negative_importance_weighted_bound,
    warm_up_negative_elbo,
)

ONE = torch.ones(1, 1)  # the toy's example, x = 1


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- the oracle itself

def test_the_toy_has_the_values_of_the_course():
    assert toy_vae().log_px(ONE).item() == pytest.approx(-1.5771, abs=5e-5)
    assert toy_vae().exact_elbo(ONE).item() == pytest.approx(-2.0744, abs=5e-5)


def test_the_oracle_agrees_with_itself():
    model = wide_vae()
    x = model.draw(4, seed=1)
    mu, logvar = model.encode(x)
    assert_close(model.exact_recon(x) - model.kl(mu, logvar), model.exact_elbo(x))     # both ways to write the ELBO
    z = mu + 0.3                                                                        # Bayes holds at any z
    joint = model.likelihood.log_prob(x, model.decode(z)) + model.log_prior(z)
    posterior = torch.distributions.MultivariateNormal(model.posterior_mean(x), model.covariance)
    assert_close(joint - posterior.log_prob(z), model.log_px(x))


# ---------------------------------------------------------------- the ELBO

def test_elbo_terms_estimate_the_exact_terms():
    model = wide_vae()
    for x in model.draw(3, seed=2):
        copies = x.expand(5000, -1)
        terms = elbo_terms(model, copies, generator=seeded())
        assert terms.recon.shape == terms.kl.shape == terms.elbo.shape == (5000,)
        assert_estimates(terms.recon, model.exact_recon(x[None]).item())
        assert_close(terms.kl, model.kl(*model.encode(copies)))
        assert_estimates(terms.elbo, model.exact_elbo(x[None]).item())


def test_elbo_is_below_the_evidence_and_touches_it_only_at_the_posterior():
    for shift, stretch in ((0.3, 1.5), (-0.5, 1.0), (0.0, 0.4)):
        elbo = elbo_terms(toy_vae(shift, stretch), ONE.expand(5000, 1), generator=seeded()).elbo
        assert elbo.mean() < toy_vae().log_px(ONE).item() - 0.1
    at_posterior = elbo_terms(toy_vae(0.0, 1.0), ONE.expand(5000, 1), generator=seeded()).elbo
    assert_estimates(at_posterior, -1.57706)


def test_elbo_of_each_example_does_not_depend_on_its_neighbours():
    model = wide_vae(stretch=1e-12)  # a q without spread: the reconstruction is that of its mean
    x = model.draw(4, seed=3)
    together = elbo_terms(model, x)
    for b in range(4):
        alone = elbo_terms(model, x[b:b + 1])
        assert_close(torch.stack(together)[:, b:b + 1], torch.stack(alone), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beta", [None, 1.0, 0.0, 0.3, 4.0])
def test_negative_elbo_is_the_mean_over_the_batch(beta):
    model = wide_vae()
    x = model.draw(7, seed=4)
    torch.manual_seed(5)
    terms = elbo_terms(model, x)
    torch.manual_seed(5)
    result = negative_elbo(model, x) if beta is None else negative_elbo(model, x, beta=beta)
    recon, kl = sum(terms.recon.tolist()) / 7, sum(terms.kl.tolist()) / 7
    assert result["loss"].item() == pytest.approx(-recon + (1.0 if beta is None else beta) * kl, rel=1e-5)
    assert result["recon"].item() == pytest.approx(recon, rel=1e-5)
    assert result["kl"].item() == pytest.approx(kl, rel=1e-5)
    assert result["elbo"].item() == pytest.approx(recon - kl, rel=1e-5)  # β never enters


def test_loss_does_not_change_with_the_batch_size():
    model = wide_vae(stretch=1e-12)
    x = model.draw(3, seed=6)
    assert_close(negative_elbo(model, x)["loss"], negative_elbo(model, x.repeat(5, 1))["loss"], rtol=1e-4, atol=1e-4)


def test_gradient_of_the_loss_is_that_of_the_exact_elbo():
    # d ELBO/d shift = −S⁻¹ shift (the KL to the posterior is a parabola in the mean of q)
    model = toy_vae()
    model.shift.requires_grad_()
    torch.manual_seed(0)
    gradients = []
    for _ in range(200):
        model.shift.grad = None
        negative_elbo(model, ONE.expand(20, 1))["loss"].backward()
        gradients.append(model.shift.grad.item())
    assert_estimates(torch.tensor(gradients), (model.shift / model.covariance).item())


# ---------------------------------------------------------------- importance weights

def test_log_weights_agree_with_a_loop_over_samples_and_examples():
    model, n_samples = wide_vae(), 6
    x = model.draw(4, seed=7)                                                   # (4, 5)
    log_w = log_weights(model, x, n_samples=n_samples, generator=seeded(8))
    assert log_w.shape == (n_samples, 4)
    mu, logvar = model.encode(x)
    eps = torch.randn(n_samples, 4, 2, generator=seeded(8))
    for k in range(n_samples):
        for b in range(4):
            q = Normal(mu[b], torch.exp(0.5 * logvar[b]))
            z = q.mean + q.stddev * eps[k, b]                                   # (2,)
            recon = Normal(model.weight @ z + model.offset, model.sigma).log_prob(x[b]).sum()
            exact = recon + Normal(0.0, 1.0).log_prob(z).sum() - q.log_prob(z).sum()
            assert_close(log_w[k, b], exact, rtol=1e-4, atol=1e-4)


class WhoIsWho:
    """A conditional model whose images, labels and latents all say which example they belong to, and who checks it."""

    def __init__(self):
        self.likelihood = SimpleNamespace(log_prob=self.log_likelihood)

    def encode(self, x, label):
        return torch.stack([x[:, 0], 2 * x[:, 0]], 1), torch.full((len(x), 2), -12.0)   # z is (x₀, 2x₀), or almost so

    def decode(self, z, label):
        assert_close(z, torch.stack([label, 2 * label], 1).float(), rtol=0, atol=0.1)
        return torch.stack([z[:, 0], z[:, 0], torch.arange(len(z)).float()], 1)         # the last entry names the row

    def log_likelihood(self, x, recon):
        assert_close(recon[:, :2], x[:, :2], rtol=0, atol=0.1)
        return 100 * x[:, 0] + recon[:, 2]

    def log_prior(self, z, label):
        assert_close(z[:, 0], label.float(), rtol=0, atol=0.1)
        return torch.zeros(len(z))


def test_log_weights_keep_each_sample_with_its_example_and_its_label():
    model, n_samples, n = WhoIsWho(), 5, 3
    label = torch.tensor([7, 1, 4])
    x = label[:, None].float().expand(n, 3)
    log_w = log_weights(model, x, label, n_samples=n_samples, generator=seeded())
    eps = torch.randn(n_samples, n, 2, generator=seeded())
    log_q = Normal(0.0, math.exp(-6)).log_prob(eps * math.exp(-6)).sum(-1)              # (K, B)
    row = torch.arange(n_samples * n).view(n_samples, n)                                # row k·B + b, by definition
    assert_close(log_w + log_q, (100 * label + row).float(), rtol=0, atol=0.02)


def test_weights_are_all_the_evidence_when_q_is_the_posterior():
    model = toy_vae(shift=0.0, stretch=1.0)
    x = model.draw(3, seed=9)
    log_w = log_weights(model, x, n_samples=11, generator=seeded())
    assert_close(log_w, model.log_px(x).expand(11, 3), rtol=1e-4, atol=1e-4)


def test_one_sample_gives_the_elbo():
    # L_1 holds log q of the draw where the ELBO holds its mean, so only the expectations agree
    bound = importance_weighted_bound(log_weights(toy_vae(), ONE.expand(20_000, 1), n_samples=1, generator=seeded()))
    assert bound.shape == (20_000,)
    assert_estimates(bound, -2.0744)


def test_two_samples_agree_with_quadrature():
    model = toy_vae()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)                     # ∫ N(ε; 0, 1) f(ε) dε
    nodes, weights = torch.tensor(nodes).float(), torch.tensor(weights / weights.sum())
    mu, logvar = model.encode(ONE)
    z = mu + torch.exp(0.5 * logvar) * nodes[:, None]                           # (60, 1)
    log_w = model.likelihood.log_prob(ONE, model.decode(z)) + model.log_prior(z)
    log_w = (log_w - Normal(mu, torch.exp(0.5 * logvar)).log_prob(z).sum(-1)).double()
    pair = torch.logaddexp(log_w[:, None], log_w[None, :]) - math.log(2)        # (60, 60)
    exact = (weights[:, None] * weights[None, :] * pair).sum().item()
    assert (weights * log_w).sum().item() == pytest.approx(-2.0744, abs=1e-4)   # the same rule, for K = 1
    log_w = log_weights(model, ONE.expand(20_000, 1), n_samples=2, generator=seeded())
    assert_estimates(importance_weighted_bound(log_w), exact)


def test_the_bound_rises_with_the_samples_up_to_the_evidence():
    log_w = log_weights(toy_vae(), ONE.expand(4000, 1), n_samples=64, generator=seeded())      # (64, 4000)
    bounds = [importance_weighted_bound(log_w[:k]) for k in (1, 2, 4, 16, 64)]
    for lower, higher in pairwise(bounds):
        rise = higher - lower
        assert rise.mean() > 3 * rise.std() / 4000 ** 0.5
    assert bounds[-1].mean() < -1.5771
    # Each weight is unbiased: mean(w) estimates p(x), not only its logarithm from below.
    assert_estimates(torch.exp(bounds[-1]), math.exp(-1.57706))


def test_bound_of_known_weights():
    log_w = torch.log(torch.tensor([[1.0, 8.0], [2.0, 8.0], [6.0, 8.0]]))       # K = 3, B = 2
    assert_close(importance_weighted_bound(log_w), torch.log(torch.tensor([3.0, 8.0])))


def test_bound_does_not_overflow():
    log_w = torch.tensor([[-2000.0, 900.0], [-2000.0, 900.0]])
    assert_close(importance_weighted_bound(log_w), torch.tensor([-2000.0, 900.0]))
    assert importance_weighted_bound(torch.tensor([[0.0], [-math.inf]])).item() == pytest.approx(-math.log(2))


# ---------------------------------------------------------------- pixels, and errors

class BinaryPixels:
    """Two latents, six Bernoulli pixels; the encoder and the decoder are the same for every example."""

    likelihood = SimpleNamespace(log_prob=bernoulli_log_likelihood)
    logits = torch.linspace(-2, 3, 6).view(1, 2, 3)

    def encode(self, x):
        return torch.full((len(x), 2), 0.5), torch.full((len(x), 2), -1.0)

    def decode(self, z):
        return self.logits.expand(len(z), 1, 2, 3)

    kl = staticmethod(kl_to_standard_normal)
    log_prior = staticmethod(standard_normal_log_density)


def test_elbo_of_binary_pixels_is_summed_over_pixels_and_latents():
    x = torch.tensor([[1.0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0]]).view(3, 1, 2, 3)
    terms = elbo_terms(BinaryPixels(), x)
    recon = -nn.BCEWithLogitsLoss(reduction="none")(BinaryPixels.logits.expand_as(x), x).sum((1, 2, 3))
    assert_close(terms.recon, recon)
    assert_close(terms.kl, torch.full((3,), 2 * 0.5 * (0.25 + math.exp(-1) - 1 + 1)))
    assert_close(terms.elbo, recon - terms.kl)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: log_weights(toy_vae(), ONE, n_samples=0), ValueError, "n_samples must be at least 1, got 0"),
    (lambda: importance_weighted_bound(torch.zeros(3)), ValueError, r"log_w must have shape \(K, B\).*\(3,\)"),
    (lambda: importance_weighted_bound(torch.zeros(0, 3)), ValueError, "log_w must have shape"),
    (lambda: importance_weighted_bound(torch.zeros(2, 3).int()), TypeError, "log_w must be"),
    (lambda: elbo_terms(BinaryPixels(), torch.full((3, 1, 2, 3), 255.0)), ValueError, "x must lie in"),
    (lambda: log_weights(BinaryPixels(), torch.full((3, 1, 2, 3), 255.0), n_samples=2), ValueError, "x must lie in"),
    (lambda: elbo_terms(ONE, toy_vae()), TypeError, "model must have encode, decode, .*, got Tensor"),
    (lambda: negative_elbo(BinaryPixels(), torch.zeros(3, 1, 2, 3), torch.zeros(3).long()), TypeError,
     r"BinaryPixels takes no labels, .*leave them out, .*train.images, …\), or take a conditional model"),
    (lambda: log_weights(BinaryPixels(), torch.zeros(3, 1, 2, 3), ONE, n_samples=2), TypeError, "takes no labels"),
])
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_objectives_leave_the_global_random_numbers_alone_with_a_generator():
    model = wide_vae()
    before = torch.get_rng_state()
    elbo_terms(model, torch.zeros(2, 5), generator=seeded())
    log_weights(model, torch.zeros(2, 5), n_samples=3, generator=seeded())
    assert torch.equal(before, torch.get_rng_state())


# ---------------------------------------------------------------- training losses

@pytest.mark.parametrize(("progress", "warm_up", "beta"), [(0.0, 0.2, 0.0), (0.05, 0.2, 0.25), (0.2, 0.2, 1), (0.9, 0.2, 1),
                                                           (0.5, 1.0, 0.5)])
def test_warm_up_is_the_negative_elbo_with_a_rising_beta(progress, warm_up, beta):
    x = torch.linspace(-1, 1, 7).view(7, 1)
    losses = []
    for loss in (lambda: warm_up_negative_elbo(toy_vae(), x, progress=torch.tensor(progress), warm_up=warm_up),
                 lambda: negative_elbo(toy_vae(), x, beta=beta)):
        torch.manual_seed(0)
        losses.append(loss())
    assert losses[0].keys() == losses[1].keys()
    for name in losses[0]:
        assert_close(losses[0][name], losses[1][name])


@pytest.mark.parametrize("warm_up", [0.0, -0.1, 1.5])
def test_warm_up_must_be_a_share(warm_up):
    with pytest.raises(ValueError, match=r"warm_up must lie in \(0, 1\], got"):
        warm_up_negative_elbo(toy_vae(), ONE, progress=torch.tensor(0.5), warm_up=warm_up)


@pytest.mark.parametrize("k", [1, 5])
def test_the_importance_weighted_loss_is_minus_the_bound(k):
    x = torch.linspace(-1, 1, 7).view(7, 1)
    torch.manual_seed(0)
    loss = negative_importance_weighted_bound(toy_vae(), x, n_samples=k)
    torch.manual_seed(0)
    log_w = log_weights(toy_vae(), x, n_samples=k)
    assert_close(loss["loss"], -importance_weighted_bound(log_w).mean())
    assert_close(loss["elbo"], log_w.mean())
    assert -loss["loss"] >= loss["elbo"]


def test_the_gradient_of_the_importance_weighted_loss_weighs_the_samples():
    model = toy_vae()
    x = torch.linspace(-1, 1, 7).view(7, 1)
    shift = torch.zeros((), requires_grad=True)
    shifted = SimpleNamespace(encode=lambda x: (model.encode(x)[0] + shift, model.encode(x)[1]), decode=model.decode,
                              likelihood=model.likelihood, log_prior=model.log_prior)
    torch.manual_seed(0)
    [by_loss] = torch.autograd.grad(negative_importance_weighted_bound(shifted, x, n_samples=4)["loss"], shift)
    torch.manual_seed(0)
    log_w = log_weights(shifted, x, n_samples=4)                                    # (K, B)
    shares = torch.softmax(log_w.detach(), 0)
    [by_hand] = torch.autograd.grad(-(shares * log_w).sum(0).mean(), shift)
    assert_close(by_loss, by_hand)
