"""Every check of an exercise: the right answer passes, the stub does not, and each classic mistake is called by its name."""

import inspect
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vae_course import checks
from vae_course.models import VAE, GaussianEncoder, mlp, reference_vae

ALL_CHECKS = {name: check for name, check in vars(checks).items() if name.startswith("check_")}


# ---------------------------------------------------------------- right answers

def right_generate(decode, n, latent_dim):
    return decode(torch.randn(n, latent_dim))


def right_forward(encode, decode, x):
    mu, logvar = encode(x)
    return decode(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)), mu, logvar


def bce(x, recon_logits, reduction="sum"):
    return F.binary_cross_entropy_with_logits(recon_logits, x, reduction=reduction)


def kl_sum(mu, logvar):
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum()


def right_loss(x, recon_logits, mu, logvar):
    return (bce(x, recon_logits) + kl_sum(mu, logvar)) / len(x)


def right_kl_gradient(mu, log_sigma):
    return mu, torch.exp(2 * log_sigma) - 1


def deeper_vae(latent_dim=10, decoder_widths=(200, 200), features=None, last=nn.Identity) -> VAE:
    """784 – 200 – 200 – 10 – 200 – 200 – 784, or that with something wrong."""
    features = features or nn.Sequential(nn.Flatten(), mlp([784, 200, 200]), nn.ReLU())
    decoder = nn.Sequential(mlp([latent_dim, *decoder_widths, 784]), last(), nn.Unflatten(1, (1, 28, 28)))
    return VAE(GaussianEncoder(features, 200, latent_dim), decoder)


def vae_with_one_activation_for_all() -> VAE:
    relu = nn.ReLU()
    model = deeper_vae(features=nn.Sequential(nn.Flatten(), nn.Linear(784, 200), relu, nn.Linear(200, 200), relu))
    model.decoder[0][1] = model.decoder[0][3] = relu
    return model


RIGHT = [
    ("check_bits_per_pixel", lambda nats: nats / math.log(2) / 784),
    ("check_bits_per_pixel", lambda nats: torch.tensor(nats, dtype=torch.float64) / (784 * math.log(2))),
    ("check_generate", right_generate),
    ("check_generate", lambda decode, n, latent_dim: decode(torch.distributions.Normal(0, 1).sample((n, latent_dim)))),
    ("check_forward", right_forward),
    ("check_loss", right_loss),
    ("check_kl_gradient", right_kl_gradient),
    ("check_kl_gradient", lambda mu, s: torch.func.grad(lambda mu, s: kl_sum(mu, 2 * s), argnums=(0, 1))(mu, s)),
    ("check_effective_beta", lambda n_pixels, n_latents: n_pixels / n_latents),
    ("check_coin_flips", lambda x: x.numel() * math.log(0.5)),
    ("check_coin_flips", lambda x: torch.distributions.Bernoulli(torch.full_like(x, 0.5)).log_prob(x).sum()),
    ("check_deeper_vae", deeper_vae),
    ("check_deeper_vae", vae_with_one_activation_for_all),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass(name, answer):
    verdict = ALL_CHECKS[name](answer)
    assert verdict.passed, verdict
    assert repr(verdict).startswith("✓ Right")


# ---------------------------------------------------------------- what is not an answer yet

def stub(*arguments):
    raise NotImplementedError


def broken(*arguments):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize("name", ALL_CHECKS)
def test_stubs_fail_with_what_to_do(name):
    verdict = ALL_CHECKS[name](stub)
    assert not verdict and "Not done yet" in verdict.message and "NotImplementedError" in verdict.message


@pytest.mark.parametrize("name", ALL_CHECKS)
def test_errors_of_the_answer_are_shown_and_not_raised(name):
    verdict = ALL_CHECKS[name](broken)
    assert repr(verdict).startswith("✗ Your function raised NameError: name 'undefined_name'")


@pytest.mark.parametrize("name", sorted(ALL_CHECKS))
def test_a_forgotten_return_is_not_called_an_error(name):
    verdict = ALL_CHECKS[name](lambda *arguments: None)
    assert not verdict and "raised" not in verdict.message


def test_every_check_is_tested():
    assert {name for name, _ in RIGHT} == {name for name, _, _ in WRONG} == set(ALL_CHECKS)
    for name, check in ALL_CHECKS.items():
        assert "notebook" in inspect.getdoc(check), f"{name} must say where it is used"


# ---------------------------------------------------------------- classic mistakes

def forward_with(draw, use=lambda mu, logvar, eps: mu + torch.exp(0.5 * logvar) * eps):
    """forward with another noise, or another use of it."""
    def forward(encode, decode, x):
        mu, logvar = encode(x)
        return decode(use(mu, logvar, draw(mu))), mu, logvar
    return forward


def forward_without_grad(encode, decode, x):
    with torch.no_grad():
        return right_forward(encode, decode, x)


def forward_with_sigmoid(encode, decode, x):
    recon_logits, mu, logvar = right_forward(encode, decode, x)
    return torch.sigmoid(recon_logits), mu, logvar


def forward_that_returns_sigma(encode, decode, x):
    recon_logits, mu, logvar = right_forward(encode, decode, x)
    return recon_logits, mu, torch.exp(0.5 * logvar)


WRONG = [
    ("check_bits_per_pixel", lambda nats: nats / math.log(2), "bits per image: divide by the 784 pixels"),
    ("check_bits_per_pixel", lambda nats: nats / 784, "nats per pixel"),
    ("check_bits_per_pixel", lambda nats: nats * math.log(2) / 784, "You multiplied by log 2"),
    ("check_bits_per_pixel", lambda nats: nats / math.log10(2) / 784, "log₁₀"),
    ("check_bits_per_pixel", lambda nats: 1.0, "the answer is not 1.0"),

    ("check_generate", lambda decode, n, latent_dim: torch.randn(n, latent_dim), "decoder was not called"),
    ("check_generate", lambda decode, n, latent_dim: decode(torch.randn(latent_dim)), r"z of shape (3,)"),
    ("check_generate", lambda decode, n, latent_dim: decode(torch.randn(latent_dim, n)), "one row per picture"),
    ("check_generate", lambda decode, n, latent_dim: decode(torch.rand(n, latent_dim)), "torch.rand is uniform"),
    ("check_generate", lambda decode, n, latent_dim: decode(torch.zeros(n, latent_dim)), "standard deviation 0.00"),
    ("check_generate", lambda decode, n, latent_dim: decode(3 * torch.randn(n, latent_dim)), "the prior has 0 and 1"),
    ("check_generate", lambda decode, n, latent_dim: decode(1 + torch.randn(n, latent_dim)), "the prior has 0 and 1"),
    ("check_generate", lambda decode, n, latent_dim: torch.sigmoid(right_generate(decode, n, latent_dim)), "unchanged"),
    ("check_generate", lambda decode, n, latent_dim: right_generate(decode, n, latent_dim)[0], "unchanged"),

    ("check_forward", lambda encode, decode, x: right_forward(encode, decode, x)[0], "Return three things"),
    ("check_forward", forward_that_returns_sigma, "must be mu and logvar"),
    ("check_forward", lambda *args: tuple(right_forward(*args)[i] for i in (0, 2, 1)), "must be mu and logvar"),
    ("check_forward", forward_with_sigmoid, "look like probabilities"),
    ("check_forward", forward_with(torch.zeros_like), "plain autoencoder"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu + logvar.exp() * eps), "exp(logvar), the"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu + logvar * eps), "logvar itself"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu + eps), "The spread of z is 1"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: logvar.exp().sqrt() * eps), "z has mean"),
    ("check_forward", forward_with(torch.rand_like), "torch.rand"),
    ("check_forward", forward_with(lambda mu: torch.randn(mu.shape[1])), "All examples share one eps"),
    ("check_forward", forward_with(lambda mu: torch.randn(len(mu), 1)), "The latents share one eps"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: (mu + eps * torch.exp(logvar / 2)).detach()),
     "No gradient"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu.detach() + torch.exp(logvar / 2) * eps),
     "No gradient"),
    ("check_forward", forward_without_grad, "No gradient"),

    ("check_loss", lambda x, logits, mu, v: -right_loss(x, logits, mu, v), "this is the ELBO"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits) - kl_sum(mu, v)) / len(x), "The sign of the KL"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits) / len(x), "The KL is missing"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits, "mean") + kl_sum(mu, v) / len(x), "averaged over the pixels"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits) + kl_sum(mu, v) / 3) / len(x), "the KL over the latent"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits, "mean") + kl_sum(mu, v) / mu.numel(), "over pixels and latents"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits) + kl_sum(mu, v), "summed over the batch"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits) + 2 * kl_sum(mu, v)) / len(x), "The ½ of the KL"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits.sigmoid()) + kl_sum(mu, v)) / len(x), "sigmoid was applied"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits, "none").sum((1, 2, 3)), "Return one number"),
    ("check_loss", lambda x, logits, mu, v: right_loss(x, logits, mu, v).item(), "Return one number"),
    ("check_loss", lambda x, logits, mu, v: right_loss(x, logits, mu, 2 * v), "The value should be"),

    ("check_kl_gradient", lambda mu, s: mu, "Return two things"),
    ("check_kl_gradient", lambda mu, s: (mu / 2, (2 * s).exp() - 1), "is μ, not μ/2"),
    ("check_kl_gradient", lambda mu, s: (-mu, (2 * s).exp() - 1), "The sign of ∂KL/∂μ"),
    ("check_kl_gradient", lambda mu, s: (mu ** 2, (2 * s).exp() - 1), "only ½μ² depends on μ"),
    ("check_kl_gradient", lambda mu, s: (mu, 0.5 * ((2 * s).exp() - 1)), "chain rule gives a factor 2"),
    ("check_kl_gradient", lambda mu, s: (mu, s.exp() - 1), "The argument is log σ, not log σ²"),
    ("check_kl_gradient", lambda mu, s: (mu, 0.5 * (s.exp() - 1)), "formula for log σ² with log σ put in"),
    ("check_kl_gradient", lambda mu, s: (mu, 1 - (2 * s).exp()), "The sign of ∂KL/∂log σ"),
    ("check_kl_gradient", lambda mu, s: (mu, s.exp() - (-s).exp()), "with respect to σ, not to log σ"),
    ("check_kl_gradient", lambda mu, s: (mu, (2 * s).exp()), "differentiate ½(e^{2s} − 1 − 2s)"),

    ("check_effective_beta", lambda n_pixels, n_latents: n_latents / n_pixels, "The other way round"),
    ("check_effective_beta", lambda n_pixels, n_latents: n_pixels, "forgets the average over the latents"),
    ("check_effective_beta", lambda n_pixels, n_latents: 1.0, "only if neither is averaged"),
    ("check_effective_beta", lambda n_pixels, n_latents: 39.2, "use the arguments"),
    ("check_effective_beta", lambda n_pixels, n_latents: n_pixels * n_latents, "the answer is not 15680"),

    ("check_coin_flips", lambda x: x.numel() * math.log(2), "The sign"),
    ("check_coin_flips", lambda x: -x.numel(), "in bits"),
    ("check_coin_flips", lambda x: math.log(0.5), "multiply their probabilities"),
    ("check_coin_flips", lambda x: 0.5 ** x.numel(), "return its logarithm"),
    ("check_coin_flips", lambda x: x.sum() * math.log(0.5), "counts the white pixels only"),
    ("check_coin_flips", lambda x: 784 * math.log(0.5), "not for a black picture"),
    ("check_coin_flips", lambda x: 3.0, "the answer is not 3.0"),

    ("check_deeper_vae", lambda: None, "Return the model"),
    ("check_deeper_vae", lambda: deeper_vae(latent_dim=20), "there should be 10 latents"),
    ("check_deeper_vae", lambda: reference_vae(latent_dim=10), "The encoder's layers are 400, act, 10, 10"),
    ("check_deeper_vae", lambda: deeper_vae(decoder_widths=(400,)), "The decoder's layers are 400, act, 784"),
    ("check_deeper_vae", lambda: deeper_vae(decoder_widths=(200, 3)), "The decoder's layers are 200, act, 3, act, 784"),
    ("check_deeper_vae", lambda: deeper_vae(features=nn.Sequential(nn.Flatten(), mlp([784, 200, 200]))),
     "The encoder's layers are 200, act, 200, 10, 10"),
    ("check_deeper_vae", lambda: deeper_vae(last=nn.Sigmoid), "The decoder ends in an activation"),
    ("check_deeper_vae", lambda: deeper_vae(last=nn.Tanh), "The decoder ends in an activation"),
    ("check_deeper_vae", lambda: deeper_vae(last=lambda: nn.Unflatten(1, (28, 28))), "Your function raised"),
]


@pytest.mark.parametrize(("name", "answer", "hint"), WRONG, ids=[f"{name}: {hint}" for name, _, hint in WRONG])
def test_classic_mistakes_are_named(name, answer, hint):
    verdict = ALL_CHECKS[name](answer)
    assert not verdict.passed
    assert hint in verdict.message, verdict
    assert repr(verdict).startswith("✗ ")


@pytest.mark.parametrize("name", ["check_generate", "check_forward"])
def test_random_checks_do_not_depend_on_the_seed(name, monkeypatch):
    answer = dict(RIGHT[2:5])[name]
    seed_with = torch.manual_seed
    for seed in range(30):
        monkeypatch.setattr(torch, "manual_seed", lambda _, seed=seed: seed_with(seed))
        assert ALL_CHECKS[name](answer).passed


def test_checks_leave_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    for name, answer in RIGHT:
        ALL_CHECKS[name](answer)
    assert torch.equal(before, torch.get_rng_state())
