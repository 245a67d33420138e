"""Checks of the exercises of notebook 11."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, compare


def check_conditional_elbo(conditional_elbo: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Verdict:
    """conditional_elbo(recon, mu, logvar, prior_mean), (B,), (B, Z) thrice → recon − KL to N(m, I), nats (notebook 11)."""
    g = torch.Generator().manual_seed(11)
    cases = [(-100 + torch.randn(b, generator=g), *(torch.randn(b, z, generator=g) for _ in range(3)))
             for b, z in ((4, 3), (2, 5))]

    def kl(mu, logvar, m, *, square=torch.square, variance=torch.exp) -> Tensor:
        return 0.5 * (square(mu - m) + variance(logvar) - 1 - logvar)

    return compare(
        conditional_elbo, lambda recon, *rest: recon - kl(*rest).sum(1), cases, {
            "That is the KL to N(0, I): the mean of this prior is m_y, so compare mu with it.":
                lambda recon, mu, logvar, m: recon - kl(mu, logvar, torch.zeros_like(m)).sum(1),
            "The sign of the KL: the ELBO is recon minus it.": lambda recon, *rest: recon + kl(*rest).sum(1),
            "That is minus the ELBO, a loss.": lambda recon, *rest: kl(*rest).sum(1) - recon,
            "The distance of the means must be squared: (mu − m)².":
                lambda recon, *rest: recon - kl(*rest, square=lambda d: d).sum(1),
            "The distance of the means must be squared: (mu − m)², not |mu − m|.":
                lambda recon, *rest: recon - kl(*rest, square=torch.abs).sum(1),
            "mu² − m² is not (mu − m)².":
                lambda recon, mu, logvar, m: recon - (kl(mu, logvar, 0 * m) - 0.5 * m ** 2).sum(1),
            "mu² + m² is not (mu − m)².":
                lambda recon, mu, logvar, m: recon - (kl(mu, logvar, 0 * m) + 0.5 * m ** 2).sum(1),
            "The distance has the other sign in it: (mu − m)², not (mu + m)².":
                lambda recon, mu, logvar, m: recon - kl(mu, logvar, -m).sum(1),
            "The factor ½ of the KL is missing.": lambda recon, *rest: recon - 2 * kl(*rest).sum(1),
            "Sum over the latents, do not average over them.": lambda recon, *rest: recon - kl(*rest).mean(1),
            "One number for each picture: do not average over the batch.":
                lambda recon, *rest: (recon - kl(*rest).sum(1)).mean(),
            "You used logvar as if it were log σ: the variance is exp(logvar).":
                lambda recon, mu, logvar, m: recon - kl(mu, 2 * logvar, m).sum(1),
            "exp(logvar / 2) is σ; the KL has the variance, exp(logvar).":
                lambda recon, *rest: recon - kl(*rest, variance=lambda v: torch.exp(v / 2)).sum(1),
            "The −1 for each latent is missing: a cloud on its prior pays nothing.":
                lambda recon, *rest: recon - (kl(*rest) + 0.5).sum(1),
        }, "recon minus the KL to the prior of the class; a cloud that sits on its prior pays nothing.")


def check_best_means(best_means: Callable[[Tensor, Tensor, int], Tensor]) -> Verdict:
    """best_means(mu, labels, num_classes), (n, Z), (n,) → (C, Z), the class means of mu (notebook 11)."""
    g = torch.Generator().manual_seed(12)
    sizes_and_labels = (3, 3, [2, 0, 1, 2, 2, 0, 2]), (2, 2, [1, 0, 0, 1, 0, 1, 1, 1]), (4, 4, [3, 1, 0, 2, 1, 3])
    cases = [(torch.randn(len(labels), z, generator=g), torch.tensor(labels), c) for z, c, labels in sizes_and_labels]

    def sums(mu: Tensor, labels: Tensor, c: int) -> Tensor:
        return torch.zeros(c, mu.shape[1]).index_add(0, labels, mu)

    def sizes(labels: Tensor, c: int) -> Tensor:
        return torch.bincount(labels, minlength=c)[:, None]

    def by_class(statistic: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
        return lambda mu, labels, c: torch.stack([statistic(mu[labels == y]) for y in range(c)])

    return compare(
        best_means, lambda mu, labels, c: sums(mu, labels, c) / sizes(labels, c), cases, {
            "That is the sum over each class: divide by the number of its pictures.": sums,
            "Divide by the number of pictures of the class, not by that of all.":
                lambda mu, labels, c: sums(mu, labels, c) / len(labels),
            "That is the same mean for every class: select the rows of each class first.":
                lambda mu, labels, c: mu.mean(0).expand(c, -1),
            "That is the median; the sum of *squared* distances is smallest at the mean.":
                by_class(lambda rows: rows.median(0)[0]),
            "That is the middle between the extremes; the squared distances are smallest at the mean.":
                by_class(lambda rows: (rows.amin(0) + rows.amax(0)) / 2),
            "Average over the pictures of the class, not over the latents too.":
                by_class(lambda rows: rows.mean().expand(rows.shape[1])),
            "That is one picture of each class: take the mean of all.": by_class(lambda rows: rows[-1]),
            "That is one picture of each class: take the mean of all of them.": by_class(lambda rows: rows[0]),
            "One row for each class, not one for each picture: you returned the mean of each picture's class.":
                lambda mu, labels, c: (sums(mu, labels, c) / sizes(labels, c))[labels],
        }, "the mean of each class; every other point costs (m − M)² more for each of its pictures.")


def check_log_class_posterior(log_class_posterior: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """log_class_posterior(log_px_given_y, log_prior_y), (N, C), (C,) → log q(y|x), (N, C) nats (notebook 11)."""
    g = torch.Generator().manual_seed(13)
    cases = [(-100 + 2 * torch.randn(4, 3, generator=g), torch.tensor([0.7, 0.2, 0.1]).log()),
             (-100 + torch.randn(3, 3, generator=g), torch.tensor([0.5, 0.1, 0.4]).log()),
             (-900 + 3 * torch.randn(5, 2, generator=g), torch.tensor([0.25, 0.75]).log())]

    def bayes(log_px: Tensor, log_prior: Tensor) -> Tensor:
        return torch.log_softmax(log_px + log_prior, 1)

    return compare(
        log_class_posterior, bayes, cases, {
            "The prior p(y) is missing: Bayes' rule has p(x|y)·p(y) above.": lambda log_px, _: torch.log_softmax(log_px, 1),
            "That is log p(x|y)p(y), not normalised: subtract the logarithm of its sum over y.":
                lambda log_px, log_prior: log_px + log_prior,
            "Neither prior nor normalisation: this is log p(x|y) itself.": lambda log_px, _: log_px,
            "These are probabilities: their logarithms were asked for.": lambda *case: bayes(*case).exp(),
            "Normalise over the classes, axis 1: each picture's probabilities add up to 1.":
                lambda log_px, log_prior: torch.log_softmax(log_px + log_prior, 0),
            "Add the prior before you normalise, not after: these rows do not add up to 1.":
                lambda log_px, log_prior: torch.log_softmax(log_px, 1) + log_prior,
            "The logarithm of a product is a sum: add log p(y), do not multiply by it.":
                lambda log_px, log_prior: torch.log_softmax(log_px * log_prior, 1),
            "log p(y) is a logarithm already: you added p(y).":
                lambda log_px, log_prior: torch.log_softmax(log_px + log_prior.exp(), 1),
            "The prior multiplies, so its logarithm is added, not subtracted.":
                lambda log_px, log_prior: torch.log_softmax(log_px - log_prior, 1),
            "You divided by the largest term, not by the sum over y.":
                lambda log_px, log_prior: (log_px + log_prior) - (log_px + log_prior).amax(1, keepdim=True),
            "You divided by the mean over y, not by the sum.":
                lambda log_px, log_prior: bayes(log_px, log_prior) + math.log(log_px.shape[1]),
            "That is the predicted class: all log-probabilities were asked for.": lambda *case: bayes(*case).argmax(1),
        }, "the classes' log-odds are differences of log p(x|y) + log p(y), and each row adds up to 1.",
        otherwise="exp(−900) is 0 in single precision: stay in logarithms, with torch.logsumexp or torch.log_softmax.")


def check_information_given_z(information_given_z: Callable[[Tensor], Tensor]) -> Verdict:
    """information_given_z(p), a joint table p(x, y, z) (X, Y, Z) without zeros → I(x; y|z) in nats (notebook 11)."""
    g = torch.Generator().manual_seed(14)
    # the model p(y) p(z|y) p(x|z), as in construction (b)
    p_y, p_zy = torch.tensor([0.3, 0.7]), torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    p_xz = torch.softmax(torch.randn(4, 3, generator=g), 0)
    by_means = torch.einsum("y,yz,xz->xyz", p_y, p_zy, p_xz)
    cases = [(torch.softmax(1.5 * torch.randn(24, generator=g), 0).view(shape),) for shape in ((2, 3, 4), (4, 2, 3))]
    cases.append((by_means,))

    def information(p: Tensor, first: int = 0, second: int = 1) -> Tensor:
        """Conditional mutual information of two axes, given the rest; keeps the sums over them apart."""
        rest, without_second = p.sum((first, second), keepdim=True), p.sum(second, keepdim=True)
        return p * torch.log(p * rest / (without_second * p.sum(first, keepdim=True)))

    def given_z(p: Tensor) -> Tensor:
        return information(p).sum()

    def each_slice(p: Tensor) -> Tensor:
        return torch.stack([given_z(part[..., None] / part.sum()) for part in p.unbind(2)])

    return compare(
        information_given_z, given_z, cases, {
            "That is in bits: nats have the natural logarithm.": lambda p: given_z(p) / math.log(2),
            "That is I(x; y), with z summed away: first compare x and y at each z.": lambda p: given_z(p.sum(2)[..., None]),
            "Weigh the values of z with p(z), do not just average over them.": lambda p: each_slice(p).mean(),
            "That is the sum over z without its weights p(z).": lambda p: each_slice(p).sum(),
            "One number: the mean over z of these, with the weights p(z).": each_slice,
            "That is I(x; z|y): the roles of y and z are swapped.": lambda p: information(p, 0, 2).sum(),
            "That is I(y; z|x): the condition is z, the last axis.": lambda p: information(p, 1, 2).sum(),
            "The sign: information is never negative.": lambda p: -given_z(p),
            "p(z) is missing above: given z, the product of the marginals is p(x, z)·p(y, z)/p(z).":
                lambda p: (p * torch.log(p / (p.sum(1, keepdim=True) * p.sum(0, keepdim=True)))).sum(),
            "That compares with p(x)p(y)p(z): given z, the marginals are p(x|z) and p(y|z).":
                lambda p: (p * torch.log(p / (p.sum((1, 2))[:, None, None] * p.sum((0, 2))[:, None] * p.sum((0, 1))))).sum(),
        }, "it is 0 for the table with p(y) p(z|y) p(x|z), the class-mean construction, and only for such tables.")
