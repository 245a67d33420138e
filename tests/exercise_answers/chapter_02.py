"""Right and wrong answers to the exercises of notebook 02."""

import math

import torch
from torch.distributions import Normal, kl_divergence
from torch.special import xlogy


def coin_kl(p, q):
    return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))


def categorical_kl(p, q):
    return torch.where(p > 0, p * torch.log(p / q), 0.0).sum(-1)


def table(normal, edges):
    below = normal.cdf(edges)
    return torch.cat([torch.zeros(1), below, torch.ones(1)]).diff()


def by_bins(p, q, edges, bins=slice(None)):
    return categorical_kl(table(p, edges)[bins], table(q, edges)[bins])


def at_middles(p, q, edges):
    middle = (edges[1:] + edges[:-1]) / 2
    return p.log_prob(middle).exp() * (p.log_prob(middle) - q.log_prob(middle))


def mixture(weights, means, sigmas):
    mean = (weights * means).sum()
    return mean, (weights * sigmas ** 2).sum(), (weights * (means - mean) ** 2).sum()


def right_moments(weights, means, sigmas):
    mean, within, between = mixture(weights, means, sigmas)
    return mean, within + between


def moments_of_library(weights, means, sigmas):
    mixed = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(weights), Normal(means, sigmas))
    return mixed.mean, mixed.variance


RIGHT = [
    ("check_both_directions", lambda p, q: (coin_kl(p, q), coin_kl(q, p))),
    ("check_both_directions", lambda p, q: [coin_kl(1 - p, 1 - q), coin_kl(1 - q, 1 - p)]),
    ("check_categorical_kl", categorical_kl),
    ("check_categorical_kl", lambda p, q: (xlogy(p, p) - xlogy(p, q)).sum(-1)),
    ("check_binned_normal_kl", by_bins),
    ("check_change_unit", lambda h, kl, c: (h + math.log(c), kl)),
    ("check_mixture_moments", right_moments),
    ("check_mixture_moments", moments_of_library),
]

WRONG = [
    ("check_both_directions", lambda p, q: (coin_kl(q, p), coin_kl(p, q)), "The other way round"),
    ("check_both_directions", lambda p, q: (coin_kl(p, q), coin_kl(p, q)), "Both values are KL(p‖q)"),
    ("check_both_directions", lambda p, q: (p * torch.log(p / q), q * torch.log(q / p)), "heads alone"),
    ("check_both_directions", lambda p, q: (-coin_kl(p, q), -coin_kl(q, p)), "The sign"),
    ("check_both_directions", lambda p, q: (coin_kl(p, q) / math.log(2), coin_kl(q, p) / math.log(2)), "These are bits"),
    ("check_both_directions", lambda p, q: (-p * q.log() - (1 - p) * (1 - q).log(), -q * p.log() - (1 - q) * (1 - p).log()),
     "the cross-entropy"),
    ("check_both_directions", lambda p, q: ((coin_kl(p, q) + coin_kl(q, p)) / 2,) * 2, "Do not average"),
    ("check_both_directions", lambda p, q: coin_kl(p, q), "Return 2 things"),
    ("check_both_directions", lambda p, q: (p - q, q - p), "the answer should be"),

    ("check_categorical_kl", lambda p, q: categorical_kl(q, p), "swapped"),
    ("check_categorical_kl", lambda p, q: (p * torch.log(p / q)).sum(-1), "0·log 0 must not give NaN"),
    ("check_categorical_kl", lambda p, q: categorical_kl(p, q) / 4, "averaged over the letters"),
    ("check_categorical_kl", lambda p, q: categorical_kl(p, q).sum(), "One number for the whole batch"),
    ("check_categorical_kl", lambda p, q: categorical_kl(p, q).mean(), "averaged over the rows"),
    ("check_categorical_kl", lambda p, q: categorical_kl(p.T, q.T), "You summed over the rows"),
    ("check_categorical_kl", lambda p, q: -categorical_kl(p, q), "The sign"),
    ("check_categorical_kl", lambda p, q: categorical_kl(p, q) / math.log(2), "These are bits"),
    ("check_categorical_kl", lambda p, q: -(p * q.log()).sum(-1), "cross-entropy"),
    ("check_categorical_kl", lambda p, q: (p * torch.log((p + 1e-8) / (q + 1e-8))).sum(-1), "A small number"),
    ("check_categorical_kl", lambda p, q: torch.nan_to_num(p * (p / q).log(), nan=0.0).sum(-1), "nan_to_num replaces inf"),
    ("check_categorical_kl", lambda p, q: torch.nan_to_num(p * torch.log(p / q), posinf=0.0).sum(-1), "where q = 0 < p"),

    ("check_binned_normal_kl", lambda p, q, e: by_bins(q, p, e), "swapped"),
    ("check_binned_normal_kl", lambda p, q, e: by_bins(p, q, e, slice(1, -1)), "The two tails are missing"),
    ("check_binned_normal_kl", lambda p, q, e: by_bins(p, q, e, slice(0, -1)), "above the last edge"),
    ("check_binned_normal_kl", lambda p, q, e: by_bins(p, q, e, slice(1, None)), "below the first edge"),
    ("check_binned_normal_kl", lambda p, q, e: at_middles(p, q, e).sum(), "densities, not probabilities"),
    ("check_binned_normal_kl", lambda p, q, e: (at_middles(p, q, e) * e.diff()).sum(), "Density times width"),
    ("check_binned_normal_kl", lambda p, q, e: categorical_kl(p.cdf(e), q.cdf(e)), "the probability below an edge"),
    ("check_binned_normal_kl", lambda p, q, e: kl_divergence(p, q), "the KL of the densities"),
    ("check_binned_normal_kl", lambda p, q, e: -by_bins(p, q, e), "The sign"),
    ("check_binned_normal_kl", lambda p, q, e: by_bins(p, q, e) / (len(e) + 1), "The bins were averaged"),
    ("check_binned_normal_kl", lambda p, q, e: table(p, e), "The shape should be"),

    ("check_change_unit", lambda h, kl, c: (h + math.log(c), kl + math.log(c)), "The KL does not change"),
    ("check_change_unit", lambda h, kl, c: (h - math.log(c), kl), "The sign"),
    ("check_change_unit", lambda h, kl, c: (h, kl), "h does change"),
    ("check_change_unit", lambda h, kl, c: (h * c, kl), "h is not multiplied"),
    ("check_change_unit", lambda h, kl, c: (h * c, kl * c), "Neither is multiplied"),
    ("check_change_unit", lambda h, kl, c: (h + c, kl), "Take the logarithm of c"),
    ("check_change_unit", lambda h, kl, c: (h + math.log10(c), kl), "natural logarithm"),
    ("check_change_unit", lambda h, kl, c: h + math.log(c), "Return 2 things"),
    ("check_change_unit", lambda h, kl, c: (kl, h + math.log(c)), "differential entropy, then the KL"),

    ("check_mixture_moments", lambda w, m, s: mixture(w, m, s)[:2], "between the modes is missing"),
    ("check_mixture_moments", lambda w, m, s: mixture(w, m, s)[::2], "within the modes is missing"),
    ("check_mixture_moments", lambda w, m, s: (right_moments(w, m, s)[0], right_moments(w, m, s)[1] ** 0.5),
     "standard deviation"),
    ("check_mixture_moments", lambda w, m, s: (mixture(w, m, s)[0], (w * s).sum() + mixture(w, m, s)[2]), "not sigma."),
    ("check_mixture_moments", lambda w, m, s: (mixture(w, m, s)[0], (w * s).sum() ** 2 + mixture(w, m, s)[2]),
     "then square"),
    ("check_mixture_moments", lambda w, m, s: right_moments(torch.full_like(w, 1 / len(w)), m, s), "weights are forgotten"),
    ("check_mixture_moments", lambda w, m, s: ((w * m).sum(), (w ** 2 * s ** 2).sum()), "independent draws"),
    ("check_mixture_moments", lambda w, m, s: ((w * m).sum(), (w * (s ** 2 + m ** 2)).sum()), "That is E z²"),
    ("check_mixture_moments", lambda w, m, s: (m[w.argmax()], s[w.argmax()] ** 2), "a reverse fit"),
    ("check_mixture_moments", lambda w, m, s: (w * m).sum(), "Return 2 things"),
]
