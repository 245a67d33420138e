"""Right and wrong answers to the exercises of notebook 09."""

import math

import torch

D = torch.distributions


def right_information(q):
    mixture = q.mean(0)
    return (torch.xlogy(q, q) - torch.xlogy(q, mixture)).sum(1).mean()


def entropy(p):
    return -torch.xlogy(p, p).sum(-1)


def kl_rows(q, other):
    return (torch.xlogy(q, q) - torch.xlogy(q, other)).sum(-1)


def densities(z, mu, logvar):
    return D.Independent(D.Normal(mu, torch.exp(0.5 * logvar)), 1)


def right_mixture(z, mu, logvar):
    return D.MixtureSameFamily(D.Categorical(torch.ones(len(mu))), densities(z, mu, logvar)).log_prob(z)


def mixture_by_hand(z, mu, logvar):
    log_q = -0.5 * ((z - mu) ** 2 / logvar.exp() + logvar + math.log(2 * math.pi)).sum(1)
    return torch.logsumexp(log_q, 0) - math.log(len(mu))


def angle_between(a, b):
    return torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))


def slerp_with(angle_of):
    def arc(a, b, t):
        angle = angle_of(a, b)
        if torch.sin(angle).abs() < 1e-3:
            return (1 - t) * a + t * b
        return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return arc


right_arc = slerp_with(angle_between)


def arc_by_rotation(a, b, t):
    """Turn a in the plane of a and b, in an orthogonal basis; slerp is linear in the lengths of a and b."""
    angle = angle_between(a, b)
    if torch.sin(angle) < 1e-3:
        return a + t * (b - a)
    one = a / a.norm()
    two = b / b.norm() - torch.cos(angle) * one
    two = two / two.norm()
    weight_a, weight_b = torch.sin((1 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
    along = weight_a * a.norm() + weight_b * b.norm() * torch.cos(angle)
    return along * one + weight_b * b.norm() * torch.sin(angle) * two


def arc_without_the_special_case(a, b, t):
    angle = angle_between(a, b).double()
    angle = torch.where(angle < 1e-2, 0.0, angle)  # rounding alone decides whether the angle is exactly 0
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


RIGHT = [
    ("check_information_of_table", right_information),
    ("check_information_of_table", lambda q: entropy(q.mean(0)) - entropy(q).mean()),
    ("check_log_mixture", right_mixture),
    ("check_log_mixture", mixture_by_hand),
    ("check_arc", right_arc),
    ("check_arc", arc_by_rotation),
    ("check_blend", lambda codes, weights: weights @ codes / weights.square().sum().sqrt()),
    ("check_blend", lambda codes, weights: torch.nn.functional.normalize(weights, dim=0) @ codes),
]

WRONG = [
    ("check_information_of_table", lambda q: right_information(q) / math.log(2), "in bits"),
    ("check_information_of_table", lambda q: kl_rows(q, q.mean(0)).sum(), "Average over the n pictures"),
    ("check_information_of_table", lambda q: math.log(q.shape[1]) - entropy(q).mean(), "the KL to a uniform prior"),
    ("check_information_of_table", lambda q: kl_rows(q.mean(0).expand_as(q), q).mean(), "the wrong way round"),
    ("check_information_of_table", lambda q: entropy(q.mean(0)), "entropy of the aggregated posterior"),
    ("check_information_of_table", lambda q: entropy(q).mean(), "mean entropy of the rows"),
    ("check_information_of_table", lambda q: -right_information(q), "The sign"),
    ("check_information_of_table", lambda q: kl_rows(q, q.mean(0)).mean() / q.shape[1], "Sum over the codes"),
    ("check_information_of_table", lambda q: kl_rows(q, q.mean(1, keepdim=True)).mean(), "mean(1) gives it"),
    ("check_information_of_table", lambda q: (q * (q / q.mean(0)).log()).sum(1).mean(), "0·log 0"),

    ("check_log_mixture", lambda z, mu, logvar: densities(z, mu, logvar).log_prob(z).mean(), "mean of the logarithms"),
    ("check_log_mixture", lambda z, mu, logvar: densities(z, mu, logvar).log_prob(z).logsumexp(0), "subtract log n"),
    ("check_log_mixture", lambda z, mu, logvar: densities(z, mu, logvar).log_prob(z).exp().mean().log(), "underflow"),
    ("check_log_mixture", lambda z, mu, logvar: right_mixture(z, mu, 2 * logvar), "as if it were log σ"),
    ("check_log_mixture", lambda z, mu, logvar: mixture_by_hand(z, mu, logvar) + len(z) / 2 * math.log(2 * math.pi),
     "The constant is missing"),
    ("check_log_mixture", lambda z, mu, logvar: D.Normal(mu.mean(0), logvar.exp().mean(0).sqrt()).log_prob(z).sum(),
     "the mean cloud"),
    ("check_log_mixture", lambda z, mu, logvar: (D.Normal(mu, torch.exp(logvar / 2)).log_prob(z).logsumexp(0)
                                                 - math.log(len(mu))).sum(), "sum before you mix"),
    ("check_log_mixture", lambda z, mu, logvar: D.Normal(mu, torch.exp(logvar / 2)).log_prob(z).mean(1).logsumexp(0)
     - math.log(len(mu)), "sum over the latents"),
    ("check_log_mixture", lambda z, mu, logvar: (-0.5 * ((z - mu) ** 2 / torch.exp(logvar / 2) + logvar
                                                         + math.log(2 * math.pi))).sum(1).logsumexp(0) - math.log(len(mu)),
     "You divided by σ"),
    ("check_log_mixture", lambda z, mu, logvar: right_mixture(z, mu, -logvar), "the answer should be"),

    ("check_arc", lambda a, b, t: (1 - t) * a + t * b, "That is lerp"),
    ("check_arc", slerp_with(lambda a, b: torch.arccos((a @ b).clamp(-1, 1))), "divide a·b by both norms"),
    ("check_arc", slerp_with(lambda a, b: torch.rad2deg(angle_between(a, b))), "radians"),
    ("check_arc", lambda a, b, t: torch.sin((1 - t) * angle_between(a, b)) * a + torch.sin(t * angle_between(a, b)) * b,
     "divide by sin Ω"),
    ("check_arc", lambda a, b, t: right_arc(a, b, 1 - t), "swapped"),
    ("check_arc", slerp_with(lambda a, b: a @ b / (a.norm() * b.norm())), "take arccos"),
    ("check_arc", lambda a, b, t: right_arc(a / a.norm(), b / b.norm(), t), "the ends keep their lengths"),
    ("check_arc", lambda a, b, t: math.cos(t * math.pi / 2) * a + math.sin(t * math.pi / 2) * b, "a right angle only"),
    ("check_arc", arc_without_the_special_case, "use lerp there"),

    ("check_blend", lambda codes, weights: weights @ codes, "That is the weighted mean"),
    ("check_blend", lambda codes, weights: weights @ codes / weights.square().sum(), "not by the variance"),
    ("check_blend", lambda codes, weights: weights @ codes * len(weights) ** 0.5, "equal weights only"),
    ("check_blend", lambda codes, weights: torch.nn.functional.normalize(weights @ codes, dim=0) * codes.shape[1] ** 0.5,
     "the length of this one vector"),
    ("check_blend", lambda codes, weights: weights @ codes / (weights @ codes).std(), "the spread of these few codes"),
    ("check_blend", lambda codes, weights: weights.square() @ codes / weights.square().sum().sqrt(),
     "The weights were squared"),
]
