"""Right and wrong answers to the exercises of notebook 01."""

import torch
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily


def mixture(weights, lam):
    return MixtureSameFamily(Categorical(weights), Independent(Bernoulli(lam), 1))


def pixel(x, lam):
    return lam ** x * (1 - lam) ** (1 - x)


def normalised(values):
    return values / values.sum()


def right_class_posterior(x, weights, lam):
    return normalised(weights * pixel(x, lam).prod(1))


def right_several(x, w, m, sigma):
    """One measurement after the other, each posterior the next prior."""
    mean, variance = torch.tensor(0.0), torch.tensor(1.0)
    for value in x:
        total = w ** 2 * variance + sigma ** 2
        mean, variance = mean + variance * w * (value - m - w * mean) / total, variance * sigma ** 2 / total
    return mean, variance


def several(x, w, m, sigma, prior=1.0, each=None):
    precision = prior + len(x) * (w ** 2 / sigma ** 2 if each is None else each)
    return w * (x - m).sum() / sigma ** 2 / precision, 1 / precision


def right_ess(log_w):
    w = (log_w - log_w.max(0).values).exp()
    return w.sum(0) ** 2 / (w ** 2).sum(0)


def by_class(x, lam):
    return Bernoulli(lam).log_prob(x[:, None]).sum(-1)


def right_mixture(x, weights, lam):
    return mixture(weights, lam).log_prob(x)


RIGHT = [
    ("check_class_posterior", right_class_posterior),
    ("check_class_posterior", lambda x, weights, lam: torch.softmax(weights.log() + by_class(x[None], lam)[0], 0)),
    ("check_posterior_of_several", right_several),
    ("check_posterior_of_several", several),
    ("check_posterior_of_several", lambda x, w, m, s: [float(value) for value in right_several(x, w, m, s)]),
    ("check_effective_sample_size", right_ess),
    ("check_effective_sample_size", lambda v: torch.exp(2 * torch.logsumexp(v, 0) - torch.logsumexp(2 * v, 0))),
    ("check_mixture_log_px", right_mixture),
    ("check_mixture_log_px", lambda x, weights, lam: torch.logsumexp(by_class(x, lam) + weights.log(), 1)),
]

WRONG = [
    ("check_class_posterior", lambda x, weights, lam: weights * pixel(x, lam).prod(1), "That is the joint"),
    ("check_class_posterior", lambda x, weights, lam: normalised(pixel(x, lam).prod(1)), "The prior is missing"),
    ("check_class_posterior", lambda x, weights, lam: pixel(x, lam).prod(1), "That is the likelihood"),
    ("check_class_posterior", lambda x, weights, lam: weights, "That is the prior"),
    ("check_class_posterior", lambda x, weights, lam: normalised(weights * (lam ** x).prod(1)), "The black pixels"),
    ("check_class_posterior", lambda x, weights, lam: right_class_posterior(1 - x, weights, lam), "are swapped"),
    ("check_class_posterior", lambda x, weights, lam: normalised(weights * pixel(x, lam).sum(1)), "were added"),
    ("check_class_posterior", lambda x, weights, lam: (weights * pixel(x, lam).prod(1)).sum(), "One number is p(x)"),
    ("check_class_posterior", lambda x, weights, lam: normalised(weights * pixel(x, lam).mean(1) ** 2), "should be"),
    ("check_class_posterior", lambda x, weights, lam: torch.full_like(weights, float("nan")), "not finite"),

    ("check_posterior_of_several", lambda x, w, m, s: several(x.mean()[None], w, m, s), "the formula for one"),
    ("check_posterior_of_several", lambda x, w, m, s: several(x, w, m, s, prior=0.0), "The prior is missing"),
    ("check_posterior_of_several", lambda x, w, m, s: (several(x, w, m, s)[0], 1 / several(x, w, m, s)[1]), "precision:"),
    ("check_posterior_of_several", lambda x, w, m, s: (several(x, w, m, s)[0], several(x, w, m, s)[1] ** 0.5), "deviation"),
    ("check_posterior_of_several", lambda x, w, m, s: several(x, w, 0.0, s), "The offset m"),
    ("check_posterior_of_several", lambda x, w, m, s: several(x, w, m, s ** 0.5), "taken for a variance"),
    ("check_posterior_of_several", lambda x, w, m, s: several(x, w, m, s, each=w / s ** 2), "not w/σ²"),
    ("check_posterior_of_several", lambda x, w, m, s: several(x, w, m, s, each=1 / s ** 2), "not 1/σ²"),
    ("check_posterior_of_several", lambda x, w, m, s: (several(x, w, m, s)[0] / len(x), several(x, w, m, s)[1]), "its sum"),
    ("check_posterior_of_several", lambda x, w, m, s: (several(x, w, m, s)[0] / w, several(x, w, m, s)[1]), "factor w"),
    ("check_posterior_of_several", lambda x, w, m, s: several(x, w, m, s)[0], "Return 2 things"),

    ("check_effective_sample_size", lambda v: v.sum(0) ** 2 / (v ** 2).sum(0), "wants the weights"),
    ("check_effective_sample_size", lambda v: (v.exp() ** 2).sum(0) / v.exp().sum(0) ** 2, "Upside down"),
    ("check_effective_sample_size", lambda v: v.exp().mean(0) ** 2 / (v.exp() ** 2).mean(0), "share ESS/K"),
    ("check_effective_sample_size", lambda v: v.exp().sum(0) ** 2 / (v.exp() ** 2).mean(0), "That is K·ESS"),
    ("check_effective_sample_size", lambda v: v.exp().sum(0) / (v.exp() ** 2).sum(0), "The square is on the wrong side"),
    ("check_effective_sample_size", lambda v: v.exp().sum(0) ** 0 * len(v), "That is K: "),
    ("check_effective_sample_size", lambda v: right_ess(v.T), "over the columns"),
    ("check_effective_sample_size", lambda v: right_ess(v.view(-1, 1))[0], "put together"),
    ("check_effective_sample_size", lambda v: (v - v.max(0).values).exp().sum(0), "the sum of the weights"),
    ("check_effective_sample_size", lambda v: v.exp().sum(0) ** 2 / (v.exp() ** 2).sum(0), "not finite"),

    ("check_mixture_log_px", lambda x, weights, lam: by_class(x, lam) @ weights, "the mean of log p(x|z)"),
    ("check_mixture_log_px", lambda x, weights, lam: torch.logsumexp(by_class(x, lam), 1), "The prior is missing"),
    ("check_mixture_log_px", lambda x, weights, lam: torch.logsumexp(by_class(x, lam) + weights, 1), "weights were added"),
    ("check_mixture_log_px", lambda x, weights, lam: (by_class(x, lam) + weights.log()).amax(1), "Only the best class"),
    ("check_mixture_log_px", lambda x, weights, lam: torch.logsumexp(weights.log() + x @ lam.log().T, 1), "black pixels"),
    ("check_mixture_log_px", lambda x, weights, lam: torch.logsumexp(by_class(x, lam) / x.shape[1] + weights.log(), 1),
     "averaged over the pixels"),
    ("check_mixture_log_px", lambda *args: right_mixture(*args).exp(), "p(x) itself"),
    ("check_mixture_log_px", lambda *args: -right_mixture(*args), "The sign"),
    ("check_mixture_log_px", lambda x, weights, lam: Bernoulli(weights @ lam).log_prob(x).sum(1), "were mixed first"),
    ("check_mixture_log_px", lambda *args: right_mixture(*args).sum(), "added up the batch"),
    ("check_mixture_log_px", lambda *args: right_mixture(*args).mean(), "averaged over the batch"),
    ("check_mixture_log_px", lambda x, weights, lam: (pixel(x[:, None], lam).prod(-1) @ weights).log(), "underflow to 0"),
]
