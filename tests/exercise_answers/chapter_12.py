"""Right and wrong answers to the exercises of notebook 12."""

import math

import torch


def right_bound(log_w):
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def bound_by_hand(log_w):
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


def right_effective(log_w):
    shares = torch.softmax(log_w, 0)
    return 1 / (shares ** 2).sum()


def right_guess(y, points, weights, sigma):
    return (torch.softmax(torch.log(weights) - (y - points) ** 2 / (2 * sigma ** 2), 0) * points).sum()


def guess_by_tweedie(y, points, weights, sigma):
    y = torch.tensor(float(y), dtype=torch.float64, requires_grad=True)
    log_p = torch.logsumexp(torch.log(weights.double()) - (y - points.double()) ** 2 / (2 * sigma ** 2), 0)
    return (y + sigma ** 2 * torch.autograd.grad(log_p, y)[0]).detach()


def right_auroc(normal, odd):
    return ((odd[:, None] < normal).double() + 0.5 * (odd[:, None] == normal).double()).mean()


def auroc_by_loops(normal, odd):
    score = {True: 1.0, False: 0.0}
    total = sum(0.5 if o == n else score[o < n] for n in normal.tolist() for o in odd.tolist())
    return total / (len(normal) * len(odd))


RIGHT = [
    ("check_iw_bound", right_bound),
    ("check_iw_bound", bound_by_hand),
    ("check_effective_samples", right_effective),
    ("check_effective_samples", lambda v: torch.exp(2 * torch.logsumexp(v, 0) - torch.logsumexp(2 * v, 0))),
    ("check_best_guess", right_guess),
    ("check_best_guess", guess_by_tweedie),
    ("check_auroc", right_auroc),
    ("check_auroc", auroc_by_loops),
]

WRONG = [
    ("check_iw_bound", lambda v: v.mean(0), "mean of the logarithms"),
    ("check_iw_bound", lambda v: torch.logsumexp(v, 0), "subtract log K"),
    ("check_iw_bound", lambda v: torch.logsumexp(v, 1) - math.log(v.shape[1]), "The axes"),
    ("check_iw_bound", lambda v: v.exp().mean(0).log(), "logsumexp"),
    ("check_iw_bound", lambda v: v.exp().mean(0), "its logarithm is missing"),
    ("check_iw_bound", lambda v: right_bound(v).mean(), "do not average"),
    ("check_iw_bound", lambda v: torch.zeros(v.shape[1]), ""),
    ("check_effective_samples", lambda v: torch.softmax(v, 0).square().sum(), "upside down"),
    ("check_effective_samples", lambda v: right_effective(v) / len(v), "multiply by K"),
    ("check_effective_samples", lambda v: v.sum() ** 2 / v.square().sum(), "take exp"),
    ("check_effective_samples", lambda v: v.exp().sum() ** 2 / v.exp().square().sum(), "softmax"),
    ("check_effective_samples", lambda v: float(len(v)), ""),
    ("check_effective_samples", lambda v: torch.softmax(v, 0), ""),
    ("check_best_guess", lambda y, p, w, s: p[(torch.log(w) - (y - p) ** 2 / (2 * s ** 2)).argmax()], "most probable"),
    ("check_best_guess", lambda y, p, w, s: (torch.softmax(-(y - p) ** 2 / (2 * s ** 2), 0) * p).sum(), "prior is missing"),
    ("check_best_guess", lambda y, p, w, s: right_guess(y, p, w, s ** 0.5), "Square sigma"),
    ("check_best_guess", lambda y, p, w, s: right_guess(y, p, w, s / 2 ** 0.5), "½ in the exponent"),
    ("check_best_guess", lambda y, p, w, s: (w * torch.exp(-(y - p) ** 2 / (2 * s ** 2)) * p).sum(), "Divide by p(y)"),
    ("check_best_guess", lambda y, p, w, s: (w * p).sum(), "does not look at y"),
    ("check_best_guess", lambda y, p, w, s: y, ""),
    ("check_auroc", lambda n, o: 1 - right_auroc(n, o), "The other way round"),
    ("check_auroc", lambda n, o: (o[:, None] < n).double().mean(), "A tie counts half"),
    ("check_auroc", lambda n, o: (o[:, None] <= n).double().mean(), "not whole"),
    ("check_auroc", lambda n, o: right_auroc(n, o) * len(n) * len(o), "divide"),
    ("check_auroc", lambda n, o: (o < n.mean()).double().mean(), "one threshold"),
    ("check_auroc", lambda n, o: 0.5, ""),
]
