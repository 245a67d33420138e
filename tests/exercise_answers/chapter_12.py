"""Right and wrong answers to the exercises of notebook 12."""

import math

import torch


def right_bound(log_w):
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def bound_by_hand(log_w):
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


def mean_square(shift, stretch, variance):
    delta = (stretch - 0.5) * variance
    return stretch * variance / math.sqrt(2 * variance * delta) * math.exp(shift ** 2 / (2 * delta))


def right_draws(shift, stretch, variance, loss):
    if stretch <= 0.5:
        return math.inf
    return max(1, math.ceil((mean_square(shift, stretch, variance) - 1) / (2 * loss)))


def draws_by_counting(shift, stretch, variance, loss):
    if stretch <= 0.5:
        return torch.tensor(math.inf)
    m = stretch / (2 * stretch - 1) ** 0.5 * math.exp(shift ** 2 / ((2 * stretch - 1) * variance))
    return next(torch.tensor(k) for k in range(1, 10_000) if (m - 1) / (2 * k) <= loss)


def needed(count, narrow=math.inf):
    """Draws by another rule: `count` of M and the loss."""
    return lambda shift, stretch, variance, loss: (
        narrow if stretch <= 0.5 else count(mean_square(shift, stretch, variance), loss))


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
    ("check_draws_needed", right_draws),
    ("check_draws_needed", draws_by_counting),
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
    ("check_draws_needed", needed(lambda m, loss: (m - 1) / (2 * loss)), "whole number"),
    ("check_draws_needed", needed(lambda m, loss: int((m - 1) / (2 * loss))), "ound"),
    ("check_draws_needed", needed(lambda m, loss: max(1, math.ceil((m - 1) / loss))), "the 2 is missing"),
    ("check_draws_needed", needed(lambda m, loss: math.ceil(m / (2 * loss))), "not M/2K"),
    ("check_draws_needed", needed(lambda m, loss: math.ceil((m - 1) / (2 * loss))), "One draw at least"),
    ("check_draws_needed", needed(lambda m, loss: max(1, math.ceil((m - 1) / (2 * loss))), narrow=1), "gives no K"),
    ("check_draws_needed", lambda shift, stretch, variance, loss: right_draws(shift, stretch + 0.5, variance, loss), ""),
    ("check_draws_needed", lambda *arguments: mean_square(*arguments[:3]), ""),
    ("check_draws_needed", lambda *arguments: math.inf, ""),
    ("check_draws_needed", lambda *arguments: 100, ""),
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
    ("check_auroc", lambda n, o: (o[:min(len(n), len(o))] < n[:len(o)]).double().mean(), "should be"),
    ("check_auroc", lambda n, o: 0.5, ""),
]
