"""Right and wrong answers to the exercises of notebook 05."""

import math

import torch


def right_distance(x, w, mu, sigma):
    return (x - (w * mu).sum()) ** 2 + (w ** 2 * sigma ** 2).sum()


def distance_by_quadrature(x, w, mu, sigma):
    """By the three-point Gauss–Hermite rule, exact for a square: E f(ε) = (f(−√3) + 4 f(0) + f(√3)) / 6."""
    spread = (w * sigma).square().sum().sqrt()
    errors = [x - (w * mu).sum() - spread * eps for eps in (-math.sqrt(3), 0.0, math.sqrt(3))]
    return (errors[0] ** 2 + 4 * errors[1] ** 2 + errors[2] ** 2) / 6


def share_of(noise, correction=0):
    return lambda mu, logvar: noise(logvar) / (noise(logvar) + mu.var(0, correction=correction))


right_share = share_of(lambda logvar: logvar.exp().mean(0))


def share_by_moments(mu, logvar):
    sigma = torch.exp(logvar / 2)
    total = (mu ** 2 + sigma ** 2).mean(0) - mu.mean(0) ** 2
    return (sigma ** 2).mean(0) / total


def right_sigma(w, tau, beta):
    return math.sqrt(beta * tau ** 2 / (beta * tau ** 2 + w ** 2))


RIGHT = [
    ("check_expected_distance", right_distance),
    ("check_expected_distance", distance_by_quadrature),
    ("check_noise_share", right_share),
    ("check_noise_share", share_by_moments),
    ("check_priced_sigma", right_sigma),
    ("check_priced_sigma", lambda w, tau, beta: torch.tensor(beta * tau ** 2 / (beta * tau ** 2 + w ** 2)).sqrt()),
    ("check_code_information", lambda a, q: 0.5 * math.log(1 + a ** 2 / q)),
    ("check_code_information", lambda a, q: 0.5 * (math.log(a ** 2 + q) - math.log(q))),
]

WRONG = [
    ("check_expected_distance", lambda x, w, mu, sigma: (x - (w * mu).sum()) ** 2, "the noise is missing"),
    ("check_expected_distance", lambda x, w, mu, sigma: (x - (w * mu).sum()) ** 2 + (w * sigma ** 2).sum(),
     "slip of a square"),
    ("check_expected_distance", lambda x, w, mu, sigma: (x - (w * mu).sum()) ** 2 + (w ** 2 * sigma).sum(),
     "sigma is a standard deviation"),
    ("check_expected_distance", lambda x, w, mu, sigma: (x - (w * mu).sum()) ** 2 + (w * sigma).sum() ** 2,
     "added the standard deviations"),
    ("check_expected_distance", lambda x, w, mu, sigma: (x - (w * mu).sum()) ** 2 + (sigma ** 2).sum(),
     "does not know the weights"),
    ("check_expected_distance", lambda x, w, mu, sigma: (x - (w * mu).sum()) ** 2 - (w ** 2 * sigma ** 2).sum(),
     "The sign of the noise"),
    ("check_expected_distance", lambda x, w, mu, sigma: ((x - w * mu) ** 2 + w ** 2 * sigma ** 2).sum(),
     "Sum over the latents first"),
    ("check_expected_distance", lambda x, w, mu, sigma: (x - w * mu) ** 2 + w ** 2 * sigma ** 2, "The shape should be ()"),

    ("check_noise_share", share_of(lambda logvar: logvar.exp().mean(0), 1), "Divide by B"),
    ("check_noise_share", lambda mu, logvar: 1 - right_share(mu, logvar), "1 minus it"),
    ("check_noise_share", lambda mu, logvar: logvar.exp().mean(0) / mu.var(0, correction=0), "noise over signal"),
    ("check_noise_share", lambda mu, logvar: torch.exp(logvar / 2).mean(0), "the mean σ:"),
    ("check_noise_share", lambda mu, logvar: logvar.exp().mean(0), "the mean σ²:"),
    ("check_noise_share", share_of(lambda logvar: logvar.mean(0).exp()), "not log σ²"),
    ("check_noise_share", share_of(lambda logvar: (logvar / 2).exp().mean(0) ** 2), "You squared the mean σ"),
    ("check_noise_share", share_of(lambda logvar: (logvar / 2).exp().mean(0)), "as if it were σ²"),
    ("check_noise_share", lambda mu, logvar: right_share(mu.T, logvar.T), "Axis 0 holds the pictures"),
    ("check_noise_share", lambda mu, logvar: right_share(mu, logvar).mean(), "One share for each latent"),
    ("check_noise_share", share_of(lambda logvar: (2 * logvar).exp().mean(0)), "the answer should be"),

    ("check_priced_sigma", lambda w, tau, beta: right_sigma(w, tau, beta) ** 2, "That is the variance"),
    ("check_priced_sigma", lambda w, tau, beta: right_sigma(w, tau, 1.0), "That is the answer at β = 1"),
    ("check_priced_sigma", lambda w, tau, beta: math.sqrt(beta) * right_sigma(w, tau, 1.0), "only in the numerator"),
    ("check_priced_sigma", lambda w, tau, beta: math.sqrt(tau ** 2 / (tau ** 2 + beta * w ** 2)),
     "β multiplies the wrong term"),
    ("check_priced_sigma", lambda w, tau, beta: math.sqrt(beta * tau / (beta * tau + w ** 2)),
     "tau is a standard deviation"),
    ("check_priced_sigma", lambda w, tau, beta: math.sqrt(beta * tau ** 2 / (beta * tau ** 2 + w)), "slip of a square"),
    ("check_priced_sigma", lambda w, tau, beta: math.sqrt(1 - right_sigma(w, tau, beta) ** 2), "The two terms are swapped"),
    ("check_priced_sigma", lambda w, tau, beta: tau / w, "the answer should be"),

    ("check_code_information", lambda a, q: 0.5 * (a ** 2 + q - 1 - math.log(q)), "the mean KL to the prior"),
    ("check_code_information", lambda a, q: -0.5 * math.log(q), "only if a² + q = 1"),
    ("check_code_information", lambda a, q: 0.5 * math.log2(1 + a ** 2 / q), "in bits"),
    ("check_code_information", lambda a, q: math.log(1 + a ** 2 / q), "The ½ is missing"),
    ("check_code_information", lambda a, q: -0.5 * math.log(1 + a ** 2 / q), "The sign"),
    ("check_code_information", lambda a, q: 0.5 * math.log(1 + abs(a) / q), "slip of a square"),
    ("check_code_information", lambda a, q: 0.5 * math.log(1 + a ** 2 / q ** 2), "do not square it"),
]
