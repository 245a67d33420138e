"""Checks of the exercises of notebook 13."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from types import SimpleNamespace
from unittest import mock

import torch
from torch import Tensor

from vae_course import semi_supervised as ss
from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt, WrongLine
from vae_course.checks.values import NO_NUMBER, as_number, parts_of, to_tensor
from vae_course.derivations.tasks import Posted, Task, positive, real

_SUM = "(exp(L_1) + exp(L_2))"
_LOG_RATIOS = [f"q_{k}*log(q_{k}/(exp(L_{k})/{_SUM}))" for k in (1, 2)]       # their sum is the KL
_KL_TAKEN = f" - {_LOG_RATIOS[0]} - {_LOG_RATIOS[1]}"
check_best_label_guess = ProveIt(
    "best_label_guess(d) → the derivation d with at least two steps from U to logsumexp − KL (notebook 13).",
    Task([("q_1*L_1 + q_2*L_2 - q_1*log(q_1) - q_2*log(q_2)", ""),
          ("q_1*log(exp(L_1)/q_1) + q_2*log(exp(L_2)/q_2)", "L = log(exp(L)), and a difference of logarithms"),
          (f"(q_1 + q_2)*log{_SUM}{_KL_TAKEN}", "multiply and divide by the sum of exp(L)"),
          (f"log{_SUM}{_KL_TAKEN}", "q_1 + q_2 = 1")],
         real("L_1 L_2") | positive("q_1 q_2"), given=[("q_1 + q_2", "1")], mistakes={
        "The entropy is −Σ q log q: U adds it, so each q divides.": "q_1*log(exp(L_1)*q_1) + q_2*log(exp(L_2)*q_2)",
        "The sign of the KL: U lies below logsumexp, so the KL is subtracted.":
            f"log{_SUM} + {_LOG_RATIOS[0]} + {_LOG_RATIOS[1]}",
        "The KL is missing: U reaches logsumexp only where q is the softmax.": f"log{_SUM}",
        "The two in the KL are swapped: the mean is under q, so q stands in front, and above.":
            f"log{_SUM} - exp(L_1)/{_SUM}*log(exp(L_1)/{_SUM}/q_1) - exp(L_2)/{_SUM}*log(exp(L_2)/{_SUM}/q_2)",
        "The bounds are weighed with q_1 and q_2, not with a half each.":
            "(L_1 + L_2)/2 - q_1*log(q_1) - q_2*log(q_2)",
        "logsumexp counts once: its weights q_1 and q_2 add up to 1.": f"2*log{_SUM}{_KL_TAKEN}",
    }), 2, "{n} steps, each proved, for all bounds and every q: no guess beats the softmax, whose KL is 0.")

_EQUAL = Posted([
    "(L_1 - log(1/3))/3 + (L_2 - log(1/3))/3 + (L_3 - log(1/3))/3",
    "(L_1 + L_2 + L_3)/3 - log(3)",
    "(L_1 + L_2 + L_3 - 3*log(3))/3",
], 2, "(L_1 + L_2 + L_3)/3 + log(3)", real("L_1 L_2 L_3"), {
    "This is the posted line again.": "(L_1 + L_2 + L_3)/3 - log(3)",
    "The entropy of three equal guesses is log 3, not a third of it.": "(L_1 + L_2 + L_3)/3 + log(3)/3",
    "The mean of the bounds keeps its ⅓.": "L_1 + L_2 + L_3 + log(3)",
})
_SOFTMAX = Posted([
    "A/(A + B)*(log(A) - log(A/(A + B))) + B/(A + B)*(log(B) - log(B/(A + B)))",
    "(A*log(A) + B*log(B))/(A + B) - (A*log(A/(A + B)) + B*log(B/(A + B)))/(A + B)",
    "(A*log(A) + B*log(B))/(A + B) + (A*log(A) + B*log(B))/(A + B) - log(A + B)",
    "2*(A*log(A) + B*log(B))/(A + B) - log(A + B)",
], 3, "(A*log(A) + B*log(B))/(A + B) - (A*log(A) + B*log(B))/(A + B) + log(A + B)", positive("A B"), {
    "This is the posted line again.": "(A*log(A) + B*log(B))/(A + B) + (A*log(A) + B*log(B))/(A + B) - log(A + B)",
    "The sign of the first part is mended, that of log(A + B) is not: the minus is in front of both.":
        "(A*log(A) + B*log(B))/(A + B) - (A*log(A) + B*log(B))/(A + B) - log(A + B)",
    "The largest term is not the sum: at the softmax U is log(A + B).": "Max(log(A), log(B))",
    "The entropy is lost: that is the mean of the bounds alone.": "(A*log(A) + B*log(B))/(A + B)",
})
check_entropy_lost = WrongLine(
    "entropy_lost() → (number, \"line\"), (number, \"line\"): each wrong line, and what it should be (notebook 13).",
    [_EQUAL, _SOFTMAX], "both lost the sign of the entropy: a guess that is unsure is worth more, not less.")


# ---------------------------------------------------------------- the unlabelled bound and its gradient

def _both(bound: Callable, axis: int = 1) -> Callable:
    """The value of bound(q, log q, L) → (B,), and its gradient in the logits by autograd."""
    def value_and_gradient(logits: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.clone().requires_grad_()
        log_q = torch.log_softmax(logits, axis)
        value = bound(log_q.exp(), log_q, bounds)
        return value.detach(), torch.autograd.grad(value.sum(), logits)[0]
    return value_and_gradient


def _u(q: Tensor, log_q: Tensor, bounds: Tensor) -> Tensor:
    return (q * (bounds - log_q)).sum(1)


def _by_hand(logits: Tensor, bounds: Tensor, axis: int = 1, less_u: bool = True) -> tuple[Tensor, Tensor]:
    log_q = torch.log_softmax(logits, axis)
    u = _u(log_q.exp(), log_q, bounds)
    return u, log_q.exp() * (bounds - log_q - less_u * u.unsqueeze(1))


def _underflowing(logits: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor]:
    q = torch.softmax(logits, 1)
    u = _u(q, q.log(), bounds)
    return u, q * (bounds - q.log() - u.unsqueeze(1))


def _cases() -> list[tuple[Tensor, Tensor]]:
    g = torch.Generator().manual_seed(13)
    usual = [tuple(torch.randn(2, b, c, generator=g, dtype=torch.float64)) for b, c in ((4, 3), (3, 5))]
    far = torch.tensor([[1000.0, -1000, 0], [0, 0.5, -1000], [1000, 999, -1000], [-1000, -1000, -999]], dtype=torch.float64)
    low = torch.tensor([[-3.0, -10_000, -2], [-10_000, -9998, -7], [-1, -2, -10_000], [-4, -3, -5]], dtype=torch.float64)
    return [*usual, (far, low)]


check_bound_and_gradient = Check(
    "bound_and_gradient(logits, bounds), (B, C) each → U, (B,) nats, and its gradient in the logits, (B, C) (notebook 13).",
    _by_hand, _cases(), {
    "The entropy's sign: U adds −Σ q log q, so log q is subtracted from L.":
        _both(lambda q, log_q, L: (q * (L + log_q)).sum(1)),
    "The entropy is missing: U = Σ q·L + H(q).": _both(lambda q, log_q, L: (q * L).sum(1)),
    "You averaged over the classes: U is the sum over y, weighed with q.": But(lambda u, grad: (u / grad.shape[1],
                                                                                                grad / grad.shape[1])),
    "The weights under the sum are q(y|x), not 1/C.": _both(lambda q, log_q, L: (L - log_q).mean(1)),
    "The softmax goes over the classes, axis 1: each row of q adds up to 1.": partial(_by_hand, axis=0),
    "The softmax goes over the classes: over the batch, another gradient comes out too.": _both(_u, axis=0),
    "A q of e^(−2000) is 0 in the computer, and 0·log 0 is NaN: take log_softmax, not the log of the softmax.":
        _underflowing,
    "U is right. In the gradient it is missing: q·(L − log q − U), so that each row adds up to 0.":
        partial(_by_hand, less_u=False),
    "U is right. The gradient is that of the mean over the batch: keep each example's own.":
        But(lambda u, grad: (u, grad / len(u))),
    "U is right. That is the slope in q, not in the logits: the softmax comes between.":
        lambda a, L: (_by_hand(a, L)[0], L - torch.log_softmax(a, 1) - 1),
    "U is right. In the gradient the factor q is missing.":
        lambda a, L: (_by_hand(a, L)[0], L - torch.log_softmax(a, 1) - _by_hand(a, L)[0].unsqueeze(1)),
    "U is right. The sign of the gradient: it points to where U grows.": But(lambda u, grad: (u, -grad)),
    "That is logsumexp of the bounds, U at the best guess: U is asked for at this one.":
        lambda a, L: (torch.logsumexp(L, 1), ...),
    "The order: U first, then its gradient.": But(lambda u, grad: (grad, u)),
}, "q·(L − log q − U): a class gains if its bound, less its log q, is above the mean, and each row adds up to 0.",
    otherwise="U, (B,), and its gradient q·(L − log q − U), (B, C), with log q from torch.log_softmax.")


# ---------------------------------------------------------------- more labels

_PER_CLASS, _C, _Z, _N, _N_TEST = 2, 3, 5, 300, 60


def _clusters(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Posteriors (n, 2, Z) of three clusters that lie far apart, and their classes (n,)."""
    labels = torch.randint(0, _C, (n,), generator=g)
    mu = 4 * torch.eye(_C, _Z)[labels] + 0.5 * torch.randn(n, _Z, generator=g)
    return torch.stack([mu, torch.full_like(mu, -10.0)], 1), labels


_g = torch.Generator().manual_seed(130)
_train, _labels = _clusters(_N, _g)
_test, _test_labels = _clusters(_N_TEST, _g)
_means = torch.cat([_train, _test])[:, 0]


def _rows(codes: list[Tensor]) -> set[int]:
    """Which posteriors these codes (B, Z) were drawn from: the noise is far smaller than the way to the next one."""
    return set(torch.cdist(torch.cat(codes).float(), _means).argmin(1).tolist()) if codes else set()


@contextmanager
def _noting(passed_back: dict[str, list]) -> Iterator[None]:
    """Notes, by method, the codes whose bounds, log q(y|x) or q(z|x, y) pass a gradient back, and the gradient's sizes."""
    def noting(name: str) -> Callable:
        method = getattr(ss.SemiSupervisedVAE, name)

        @wraps(method)
        def noted(model, x, *rest, **named):
            value = method(model, x, *rest, **named)
            output = value[0] if isinstance(value, tuple) else value
            if output.requires_grad:
                output.register_hook(lambda grad: passed_back[name].append((x.detach(), grad.abs().sum(1))))
            return value
        return noted

    with ExitStack() as stack:
        for name in passed_back:
            stack.enter_context(mock.patch.object(ss.SemiSupervisedVAE, name, noting(name)))
        yield


def _looked_at(answer: Callable) -> SimpleNamespace:
    """What is returned, and on what a model was trained for it."""
    passed_back: dict[str, list] = {"bounds": [], "log_q_y": [], "encode": []}
    with _noting(passed_back):
        value = answer(_PER_CLASS, _train.clone(), _labels.clone(), _test.clone())
    predicted, guesses = parts_of(value, 2) or (None, None)
    try:
        guesses = to_tensor(guesses)
    except NO_NUMBER:
        guesses = torch.zeros(0)
    bounds, log_q_y, encode = (_rows([x for x, _ in calls]) for calls in passed_back.values())
    labelled = encode | (log_q_y - bounds)
    return SimpleNamespace(
        returned=value, predicted=as_number(predicted), shape=tuple(guesses.shape),
        error=100 * (guesses != _test_labels).double().mean().item() if guesses.shape == (_N_TEST,) else math.nan,
        on_test=any(row >= _N for row in bounds | log_q_y | encode), unlabelled=len(bounds),
        counts=torch.bincount(_labels[[row for row in labelled if row < _N]], minlength=_C).tolist(),
        classified=_rows([x[size > 0] for x, size in passed_back["log_q_y"]]) & labelled,
        on_means=any((x.float().unsqueeze(1) == _means).all(2).any() for x, _ in passed_back["bounds"][:1]))


def _learnt(per_class: int = _PER_CLASS, alpha: float = 10.0, steps: int = 30, prepare: Callable = ss.sampled,
            loss_fn: Callable = ss.semi_supervised_loss, on: str = "train", predicted: float | None = 5.0,
            guess: Callable = Tensor.argmax) -> Callable:
    """The answer that trains M1+M2 so; a right one, or one with something wrong."""
    def more_labels(n_per_class: int, posteriors: Tensor, labels: Tensor, test_posteriors: Tensor):
        chosen, others = ss.choose_labelled(labels, per_class)
        model = ss.code_model(posteriors.shape[2], int(labels.max()) + 1, 30, 30, 3)
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        for step in range(steps):
            x = (posteriors[others] if on == "train" else test_posteriors)[step % 3::3]
            terms = loss_fn(model, prepare(x), labelled=posteriors[chosen], labels=labels[chosen], prepare=prepare,
                            alpha=alpha, labelled_weight=0.1)
            optimizer.zero_grad()
            terms["loss"].backward()
            optimizer.step()
        return predicted, guess(model.log_q_y(test_posteriors[:, 0]), 1)
    return more_labels


def _labels_alone(model, x, *, labelled, labels, prepare, alpha, labelled_weight) -> dict[str, Tensor]:
    return {"loss": -model.log_q_y(prepare(labelled)).gather(1, labels.unsqueeze(1)).mean()}


check_more_labels = Inspection(
    "more_labels(n_per_class, posteriors, labels, test_posteriors) → your prediction of the test error in %, and the\n"
    "guesses (n,) of M1+M2 trained on the posteriors (N, 2, Z) with n_per_class labels of each class (notebook 13).",
    _looked_at, _learnt(), {
    "Return two things: the error that you predict, in %, and the guesses.":
        (lambda seen: not parts_of(seen.returned, 2), lambda *arguments: _learnt()(*arguments)[1]),
    "Predict first: write down the test error that you expect, a number from 0 to 100, in %.":
        (lambda seen: not 0 <= seen.predicted <= 100, _learnt(predicted=None), _learnt(predicted=-5.0)),
    "The guesses have the shape {seen.shape}; one class is asked for each of the 60 test posteriors, (60,).":
        (lambda seen: seen.shape != (_N_TEST,), lambda *arguments: (5.0, _learnt()(*arguments)[1][:, None]),
         lambda n, posteriors, labels, test: (5.0, labels)),
    "Test posteriors were trained on: they are for the guesses at the end, and for nothing else.":
        (lambda seen: seen.on_test, _learnt(on="test")),
    "Labels of {seen.counts} posteriors of the classes were used, where n_per_class is 2: `choose_labelled` chooses them.":
        (lambda seen: any(seen.counts) and set(seen.counts) != {_PER_CLASS}, _learnt(80), _learnt(1)),
    "The labels alone were learnt from: no bound of a posterior without a label was raised. `semi_supervised_loss` does it.":
        (lambda seen: seen.unlabelled == 0, _learnt(loss_fn=_labels_alone), lambda n, p, labels, test: (5.0, test[:, 0, 0])),
    "Only {seen.unlabelled} posteriors without a label were seen in training: all that `choose_labelled` leaves may be.":
        (lambda seen: seen.unlabelled < _N // 2, _learnt(steps=1)),
    "The labels never reached q(y|x): alpha is 0, so that the classes may be learnt under each other's names.":
        (lambda seen: not seen.classified, _learnt(alpha=0.0)),
    "The posteriors' means were trained on: a mean hides how sure it is. Draw a code in each step, prepare=sampled.":
        (lambda seen: seen.on_means, _learnt(prepare=lambda posteriors: posteriors[:, 0])),
    "The guesses are wrong for {seen.error:.0f} % of three clusters that lie far apart: train longer, guess by log q(y|x).":
        (lambda seen: seen.error > 10, _learnt(guess=Tensor.argmin)),
}, "{seen.error:.0f} % wrong on three clusters. Now call it with the digits' codes: was {seen.predicted:g} % near?")
