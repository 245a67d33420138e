"""Right and wrong answers to the exercises of notebook 00."""

import math

import torch


def right_generate(decode, n, latent_dim):
    return decode(torch.randn(n, latent_dim))


RIGHT = [
    ("check_bits_per_pixel", lambda nats: nats / math.log(2) / 784),
    ("check_bits_per_pixel", lambda nats: torch.tensor(nats, dtype=torch.float64) / (784 * math.log(2))),
    ("check_generate", right_generate),
    ("check_generate", lambda decode, n, latent_dim: decode(torch.distributions.Normal(0, 1).sample((n, latent_dim)))),
    ("check_coin_flips", lambda x: x.numel() * math.log(0.5)),
    ("check_coin_flips", lambda x: torch.distributions.Bernoulli(torch.full_like(x, 0.5)).log_prob(x).sum()),
]

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

    ("check_coin_flips", lambda x: x.numel() * math.log(2), "The sign"),
    ("check_coin_flips", lambda x: -x.numel(), "in bits"),
    ("check_coin_flips", lambda x: math.log(0.5), "multiply their probabilities"),
    ("check_coin_flips", lambda x: 0.5 ** x.numel(), "return its logarithm"),
    ("check_coin_flips", lambda x: x.sum() * math.log(0.5), "counts the white pixels only"),
    ("check_coin_flips", lambda x: 784 * math.log(0.5), "not for a black picture"),
    ("check_coin_flips", lambda x: 3.0, "the answer is not 3.0"),
]
