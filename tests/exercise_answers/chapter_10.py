"""Right and wrong answers to the exercises of notebook 10."""

import math

import torch


def right_latent(S, T, beta):
    if S <= beta * T:
        return 0.0, 0.0
    return S - beta * T, 0.5 * math.log(S / (beta * T))


def right_predict(eigenvalues, T, beta):
    above = eigenvalues[eigenvalues > beta * T]
    return len(above), 0.5 * torch.log(above / (beta * T)).sum()


def right_free_bits(kl, floor):
    return kl.mean(0).clamp(min=floor).sum()


def falls(column, by):
    return max(column) - column[-1] > by


def steps(column):
    return [after - before for before, after in zip(column, column[1:])]


def right_diagnose(log):
    train, validation = log["train_elbo"], log["validation_elbo"]
    if log["train_kl"][-1] < 1:
        return "collapse"
    if log["train_kl"][-1] > 100:
        return "no price"
    if falls(validation, 5) and train[-1] - validation[-1] > 20:
        return "overfitting"
    if min(steps(train)) < -1:
        return "learning rate"
    return "healthy"


def diagnose_by_sums(log):
    if log["validation_kl"][-1] < 2:
        return "collapse"
    if log["train_kl"][-1] > 3 * log["train_kl"][0] + 50 or log["train_kl"][-1] > 120:
        return "no price"
    if sum(max(0, -step) for step in steps(log["train_elbo"])) > 4:
        return "learning rate"
    return "overfitting" if falls(log["validation_elbo"], 5) else "healthy"


def diagnose_by_last_epoch(log):
    train, validation, rate = (log[name][-1] for name in ("train_elbo", "validation_elbo", "train_kl"))
    if rate < 1 or rate > 100:
        return "collapse" if rate < 1 else "no price"
    if train - validation > 35:
        return "overfitting"
    return "learning rate" if train < -190 else "healthy"


RIGHT = [
    ("check_best_latent", right_latent),
    ("check_best_latent", lambda S, T, beta: (max(S - beta * T, 0.0), max(0.5 * math.log(S / (beta * T)), 0.0))),
    ("check_predict", right_predict),
    ("check_predict", lambda e, T, beta: ((e > beta * T).sum(), 0.5 * (e / (beta * T)).clamp(min=1).log().sum())),
    ("check_free_bits", right_free_bits),
    ("check_free_bits", lambda kl, floor: torch.maximum(kl.mean(0), torch.tensor(floor)).sum()),
    ("check_diagnose", right_diagnose),
    ("check_diagnose", diagnose_by_sums),
]


def answer(log, order):
    """The first illness of `order` whose sign shows, else healthy."""
    signs = {"collapse": log["train_kl"][-1] < 1, "no price": log["train_kl"][-1] > 100,
             "overfitting": falls(log["validation_elbo"], 5),
             "gap": log["train_elbo"][-1] - log["validation_elbo"][-1] > 20,
             "learning rate": min(steps(log["train_elbo"])) < -1}
    return next(("overfitting" if name == "gap" else name for name in order if signs[name]), "healthy")


WRONG = [
    ("check_best_latent", lambda S, T, beta: (S - beta * T, 0.5 * math.log(S / (beta * T))), "Below the threshold"),
    ("check_best_latent", lambda S, T, beta: (max(S - beta * T, 0.0), 0.5 * math.log(S / (beta * T))),
     "the rate is 0, not negative"),
    ("check_best_latent", lambda S, T, beta: right_latent(S, T, 1.0), "β multiplies T"),
    ("check_best_latent", lambda S, T, beta: (math.sqrt(right_latent(S, T, beta)[0]), right_latent(S, T, beta)[1]),
     "return its square"),
    ("check_best_latent", lambda S, T, beta: (right_latent(S, T, beta)[0], 2 * right_latent(S, T, beta)[1]), "½ is missing"),
    ("check_best_latent", lambda S, T, beta: (right_latent(S, T, beta)[0], right_latent(S, T, beta)[1] / math.log(2)),
     "in bits"),
    ("check_best_latent", lambda S, T, beta: right_latent(S, T, beta)[::-1], "The order"),
    ("check_best_latent", lambda S, T, beta: (0.0, 0.0), ""),
    ("check_best_latent", lambda S, T, beta: (float("nan"), float("nan")), ""),
    ("check_best_latent", lambda S, T, beta: S - beta * T, "Return 2 things"),
    ("check_best_latent", lambda S, T, beta: right_latent(S, T, beta) if S > 1 else (0.0, 0.0), ""),
    ("check_best_latent", lambda S, T, beta: right_latent(S, T, beta) if S > 1.4 * beta * T else (0.0, 0.0), ""),
    ("check_predict", lambda e, T, beta: ((e > beta * T).sum(), 0.5 * torch.log(e / (beta * T)).sum()),
     "not a negative one"),
    ("check_predict", lambda e, T, beta: (right_predict(e, T, beta)[0], 2 * right_predict(e, T, beta)[1]), "½ is missing"),
    ("check_predict", lambda e, T, beta: right_predict(e, T, 1.0), "not T"),
    ("check_predict", lambda e, T, beta: ((e <= beta * T).sum(), right_predict(e, T, beta)[1]), "On are those above"),
    ("check_predict", lambda e, T, beta: (right_predict(e, T, beta)[0], (e - beta * T).clamp(min=0).sum()),
     "squared weights"),
    ("check_predict", lambda e, T, beta: right_predict(e, T, beta)[::-1], "The order"),
    ("check_predict", lambda e, T, beta: right_predict(e[:int((e > beta * T).long().cumprod(0).sum())], T, beta), ""),
    ("check_predict", lambda e, T, beta: None, "Return 2 things"),
    ("check_free_bits", lambda kl, floor: kl.clamp(min=floor).mean(0).sum(), "before the floor"),
    ("check_free_bits", lambda kl, floor: kl.sum(1).mean().clamp(min=floor), "not for their sum"),
    ("check_free_bits", lambda kl, floor: kl.mean(0).clamp(max=floor).sum(), "Take max"),
    ("check_free_bits", lambda kl, floor: (kl.mean(0) - floor).clamp(min=0).sum(), "You subtract"),
    ("check_free_bits", lambda kl, floor: kl.mean(0).clamp(min=floor).mean(), "not averaged"),
    ("check_free_bits", lambda kl, floor: kl.mean(0).clamp(min=floor), ""),
    ("check_free_bits", lambda kl, floor: torch.tensor(float("nan")), ""),
    ("check_diagnose", lambda log: "healthy", "The rate is near 0"),
    ("check_diagnose", lambda log: answer(log, ("collapse", "overfitting", "learning rate", "no price")), "and you said"),
    ("check_diagnose", lambda log: answer(log, ("no price", "overfitting", "learning rate")), "The rate is near 0"),
    ("check_diagnose", lambda log: answer(log, ("collapse", "no price", "learning rate")), "validation ELBO has fallen"),
    ("check_diagnose", lambda log: answer(log, ("collapse", "no price", "gap", "learning rate")), "be there a gap"),
    ("check_diagnose", lambda log: answer(log, ("collapse", "no price", "overfitting", "learning rate")), "again and again"),
    ("check_diagnose", diagnose_by_last_epoch, "again and again"),
    ("check_diagnose", lambda log: "sick", "Return one of"),
    ("check_diagnose", lambda log: None, "Return one of"),
]
