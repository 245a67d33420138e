"""Right and wrong answers to the exercises of notebook 11."""

import math

import torch

D = torch.distributions


def kl_rows(mu, logvar, mean):
    return D.kl_divergence(D.Normal(mu, torch.exp(0.5 * logvar)), D.Normal(mean, 1.0)).sum(1)


def right_means(mu, labels, num_classes):
    one_hot = torch.nn.functional.one_hot(labels, num_classes).float()
    return one_hot.T @ mu / one_hot.sum(0)[:, None]


def loop_means(mu, labels, num_classes):
    rows = []
    for y in range(num_classes):
        chosen = [row for row, label in zip(mu, labels.tolist()) if label == y]
        rows.append(sum(chosen) / len(chosen))
    return torch.stack(rows)


def right_bayes(log_px, log_prior):
    joint = log_px + log_prior
    return joint - torch.logsumexp(joint, 1, keepdim=True)


def bayes_without_logarithms(log_px, log_prior):
    joint = log_px.exp() * log_prior.exp()
    return (joint / joint.sum(1, keepdim=True)).log()


def bayes_shifted(log_px, log_prior):
    joint = (log_px - log_px.amax(1, keepdim=True)).exp() * log_prior.exp()
    return (joint / joint.sum(1, keepdim=True)).log()


def entropy(p):
    return -torch.xlogy(p, p).sum()


def right_information(p):
    return entropy(p.sum(1)) + entropy(p.sum(0)) - entropy(p) - entropy(p.sum((0, 1)))


def slice_by_slice(p):
    total = 0.0
    for part in p.unbind(2):
        table = part / part.sum()
        total += part.sum() * (table * (table / (table.sum(1, keepdim=True) * table.sum(0))).log()).sum()
    return total


RIGHT = [
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon - kl_rows(mu, logvar, m)),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * ((mu - m) ** 2 + logvar.exp() - 1 - logvar).sum(-1)),
    ("check_best_means", right_means),
    ("check_best_means", loop_means),
    ("check_log_class_posterior", right_bayes),
    ("check_log_class_posterior", bayes_shifted),
    ("check_information_given_z", right_information),
    ("check_information_given_z", slice_by_slice),
]

WRONG = [
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon - kl_rows(mu, logvar, 0.0), "the KL to N(0, I)"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon + kl_rows(mu, logvar, m), "The sign of the KL"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: kl_rows(mu, logvar, m) - recon, "a loss"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * ((mu - m) + logvar.exp() - 1 - logvar).sum(1), "must be squared"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * ((mu - m).abs() + logvar.exp() - 1 - logvar).sum(1), "not |mu − m|"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * (mu ** 2 - m ** 2 + logvar.exp() - 1 - logvar).sum(1), "mu² − m²"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * (mu ** 2 + m ** 2 + logvar.exp() - 1 - logvar).sum(1), "mu² + m²"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon - kl_rows(mu, logvar, -m), "not (mu + m)²"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon - 2 * kl_rows(mu, logvar, m), "½"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon - kl_rows(mu, logvar, m) / mu.shape[1],
     "do not average over them"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: (recon - kl_rows(mu, logvar, m)).mean(), "over the batch"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m: recon - kl_rows(mu, 2 * logvar, m), "as if it were log σ"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * ((mu - m) ** 2 + torch.exp(0.5 * logvar) - 1 - logvar).sum(1), "is σ"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - 0.5 * ((mu - m) ** 2 + logvar.exp() - logvar).sum(1), "The −1"),
    ("check_conditional_elbo", lambda recon, mu, logvar, m:
     recon - kl_rows(mu, logvar, m)[:, None], "The shape should be"),

    ("check_best_means", lambda mu, labels, c: right_means(mu, labels, c) * torch.bincount(labels)[:, None],
     "the sum over each class"),
    ("check_best_means", lambda mu, labels, c:
     right_means(mu, labels, c) * torch.bincount(labels)[:, None] / len(mu), "not by that of all"),
    ("check_best_means", lambda mu, labels, c: mu.mean(0).repeat(c, 1), "the same mean for every class"),
    ("check_best_means", lambda mu, labels, c: torch.stack([mu[labels == y].median(0).values for y in range(c)]),
     "the median"),
    ("check_best_means", lambda mu, labels, c:
     torch.stack([mu[labels == y].mean() for y in range(c)])[:, None].expand(-1, mu.shape[1]),
     "not over the latents"),
    ("check_best_means", lambda mu, labels, c: torch.stack([mu[labels == y][0] for y in range(c)]),
     "one picture of each class"),
    ("check_best_means", lambda mu, labels, c: right_means(mu, labels, c)[labels], "One row for each class"),
    ("check_best_means", lambda mu, labels, c: torch.stack([mu[labels == y].mean(1) for y in range(c)]), "raised"),
    ("check_best_means", lambda mu, labels, c: right_means(mu, labels, c).T, "the answer should be"),

    ("check_log_class_posterior", lambda log_px, log_prior: torch.log_softmax(log_px, 1), "The prior p(y) is missing"),
    ("check_log_class_posterior", lambda log_px, log_prior: log_px + log_prior, "not normalised"),
    ("check_log_class_posterior", lambda log_px, log_prior: log_px, "log p(x|y) itself"),
    ("check_log_class_posterior", lambda log_px, log_prior: torch.softmax(log_px + log_prior, 1), "These are probabilities"),
    ("check_log_class_posterior", lambda log_px, log_prior: torch.log_softmax(log_px + log_prior, 0), "over the classes"),
    ("check_log_class_posterior", lambda log_px, log_prior: torch.log_softmax(log_px, 1) + log_prior,
     "before you normalise"),
    ("check_log_class_posterior", lambda log_px, log_prior: torch.log_softmax(log_px * log_prior, 1), "do not multiply"),
    ("check_log_class_posterior", lambda log_px, log_prior: torch.log_softmax(log_px + log_prior.exp(), 1),
     "a logarithm already"),
    ("check_log_class_posterior", lambda log_px, log_prior: torch.log_softmax(log_px - log_prior, 1), "not subtracted"),
    ("check_log_class_posterior", lambda log_px, log_prior: right_bayes(log_px, log_prior) + math.log(log_px.shape[1]),
     "the mean over y"),
    ("check_log_class_posterior", lambda log_px, log_prior:
     (log_px + log_prior) - (log_px + log_prior).max(1, keepdim=True).values,
     "the largest term"),
    ("check_log_class_posterior", lambda log_px, log_prior: (log_px + log_prior).argmax(1), "the predicted class"),
    ("check_log_class_posterior", bayes_without_logarithms, "stay in logarithms"),

    ("check_information_given_z", lambda p: right_information(p) / math.log(2), "in bits"),
    ("check_information_given_z", lambda p: right_information(p.sum(2, keepdim=True)), "with z summed away"),
    ("check_information_given_z", lambda p:
     torch.stack([right_information(part[..., None] / part.sum()) for part in p.unbind(2)]).mean(), "do not just average"),
    ("check_information_given_z", lambda p:
     torch.stack([right_information(part[..., None] / part.sum()) for part in p.unbind(2)]).sum(), "without its weights"),
    ("check_information_given_z", lambda p:
     torch.stack([right_information(part[..., None] / part.sum()) for part in p.unbind(2)]), "One number"),
    ("check_information_given_z", lambda p: right_information(p.transpose(1, 2)), "y and z are swapped"),
    ("check_information_given_z", lambda p: right_information(p.permute(1, 2, 0)), "the condition is z"),
    ("check_information_given_z", lambda p: -right_information(p), "The sign"),
    ("check_information_given_z", lambda p: right_information(p) + entropy(p.sum((0, 1))), "p(z) is missing"),
    ("check_information_given_z", lambda p:
     entropy(p.sum((1, 2))) + entropy(p.sum((0, 2))) + entropy(p.sum((0, 1))) - entropy(p), "p(x)p(y)p(z)"),
    ("check_information_given_z", lambda p: torch.tensor(0.0), "the answer should be"),
]
