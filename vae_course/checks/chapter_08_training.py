"""Checks of the exercises of notebook 08 about training: one step, the ceiling of a batch, codes of other lengths."""

import math
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from vae_course.checks.check import Inspection
from vae_course.checks.proofs import ProveIt
from vae_course.checks.values import NO_NUMBER, close, parts_of, to_tensor
from vae_course.derivations.tasks import Task, positive
from vae_course.models import reference_vae
from vae_course.objectives import elbo_terms

# ---------------------------------------------------------------- one step of a training

def _step(parts: str = "zlbcs", clip: Callable = nn.utils.clip_grad_norm_,
          give: Callable = lambda loss, norm, _: (loss, norm), number: Callable = Tensor.item) -> Callable:
    """A training step of these parts in this order: zero the gradients, loss, backward (or uphill), clip, step."""
    def training_step(model, optimizer, loss_fn, x, max_norm):
        loss = norm = torch.zeros(())
        for part in parts:
            if part == "z":
                optimizer.zero_grad()
            elif part == "l":
                loss = loss_fn(model, x)
            elif part in "bu":
                (loss if part == "b" else -loss).backward()
            elif part == "c":
                norm = clip(model.parameters(), max_norm)
            else:
                optimizer.step()
        return give(number(loss), float(norm), max_norm)
    return training_step


def _clip_values(parameters, most: float) -> Tensor:
    """As clip_grad_norm_, but it limits each number of the gradient by itself."""
    gradients = [p.grad for p in parameters]
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    for gradient in gradients:
        gradient.clamp_(-most, most)
    return norm


MAX_NORM = 1.5


def _taken(training_step: Callable) -> SimpleNamespace:
    """What three steps of a linear model return, and its weights before and after each of them, (4, 8)."""
    g = torch.Generator().manual_seed(8)
    model = nn.Linear(3, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    returned, path = [], [nn.utils.parameters_to_vector(model.parameters()).detach().clone()]
    for x in 3 * torch.randn(3, 5, 3, generator=g):
        value = training_step(model, optimizer, lambda net, batch: ((net(batch) - 1) ** 2).sum(1).mean(), x, MAX_NORM)
        returned.append(parts_of(value, 2))
        path.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    seen = SimpleNamespace(path=torch.stack(path), two=True)
    seen.graph = any(getattr(part, "requires_grad", False) for pair in returned for part in pair)
    try:
        seen.losses, seen.norms = torch.stack([to_tensor(pair).reshape(2) for pair in returned]).unbind(1)
    except NO_NUMBER:
        seen.two = False
    return seen


def _walks_as(*parts_and_clip) -> Callable:
    """Whether the weights went where this mistake leads."""
    return lambda seen: close(seen.path, _taken(_step(*parts_and_clip)).path)


def _returns(name: str, answer: Callable) -> Callable:
    """Whether the losses or the norms are those that this answer returns."""
    return lambda seen: close(getattr(seen, name), getattr(_taken(answer), name))


check_training_step = Inspection(
    "training_step(model, optimizer, loss_fn, x, max_norm) → the loss before the step, and the norm of its gradient before\n"
    "clipping (notebook 08).",
    _taken, _step(), {
    "Return two numbers: the loss, and the norm of the gradient.":
        (lambda seen: not seen.two, _step(give=lambda loss, norm, _: loss)),
    "Return loss.item(), a plain number: a tensor keeps the whole computation of its batch in memory.":
        (lambda seen: seen.graph, _step(number=lambda loss: loss)),
    "The weights do not move: zero_grad() comes before backward(), since it erases the gradients, and step() comes last.":
        (lambda seen: close(seen.path, seen.path[0].expand(4, -1)), _step("zlbc"), _step("lbzcs"), _step("zls")),
    "The gradients pile up from step to step: backward() adds to what is there. Call optimizer.zero_grad() before it.":
        (_walks_as("lbcs"), _step("lbcs")),
    "The optimizer uses the whole gradient: clip between backward() and step(), with clip_grad_norm_ and max_norm.":
        (_walks_as("zlbs"), _step("zlbs"), _step("zlbsc"), _step("zlcbs")),
    "Each number of the gradient is clipped by itself, which turns its direction: clip_grad_norm_ scales the whole.":
        (_walks_as("zlbcs", _clip_values), _step(clip=_clip_values)),
    "The loss rises: you go uphill. step() subtracts the gradient already.": (_walks_as("zlucs"), _step("zlucs")),
    "The weights are not where one clipped step downhill leads: zero_grad, loss, backward, clip, step, each once.":
        (lambda seen: not close(seen.path, _taken(_step()).path), _step("zlbcss"),
         _step(clip=lambda parameters, most: nn.utils.clip_grad_norm_(parameters, 1.0))),
    "The loss and the norm have changed places.":
        (_returns("losses", _step(give=lambda loss, norm, _: (norm, loss))), _step(give=lambda loss, norm, _: (norm, loss))),
    "That is the loss after the step: return the one from which the gradient was computed.":
        (_returns("losses", _step("zlbcsl")), _step("zlbcsl")),
    "That is the norm after clipping, which max_norm bounds: clip_grad_norm_ returns the one before.":
        (lambda seen: seen.norms.max() <= MAX_NORM + 1e-4, _step(give=lambda loss, norm, most: (loss, min(norm, most)))),
    "The weights are right, the numbers are not: return the loss, and the norm that clip_grad_norm_ returns.":
        (lambda seen: not (close(seen.losses, _taken(_step()).losses) and close(seen.norms, _taken(_step()).norms)),
         _step(give=lambda loss, norm, _: (loss, norm ** 2)), _step(give=lambda loss, norm, _: (loss / 5, norm))),
}, "zero, loss, backward, clip, step. An epoch is this step, once for each batch.")


# ---------------------------------------------------------------- the ceiling of a batch in which a picture is repeated

check_repeated_picture = ProveIt(
    "repeated_picture(d) → the derivation d with at least two steps up to the ceiling (notebook 08).",
    Task([("log(p_1)/2 + log(p_2)/4 + log(p_3)/4", ""),
          ("log(2*p_1)/2 + log(4*p_2)/4 + log(4*p_3)/4 - 3/2*log(2)", "the logarithm of a product"),
          ("log(p_1 + p_2 + p_3) - 3/2*log(2)", "Jensen, with the weights 1/2, 1/4, 1/4"),
          ("-3/2*log(2)", "p_1 + p_2 + p_3 = 1")], positive("p_1 p_2 p_3"), given=[("p_1 + p_2 + p_3", "1")], relation="<=",
         mistakes={
        "Jensen gives a bound: use d.bound(…, relation=\"<=\").": "log(p_1/2 + p_2/4 + p_3/4)",
        "What is multiplied in must be taken out again: ½ log 2, ¼ log 4 and ¼ log 4 are 3/2 log 2.":
            "log(2*p_1)/2 + log(4*p_2)/4 + log(4*p_3)/4",
        "That is the ceiling of four different pictures.": "-log(4)",
        "A picture that is there twice counts twice: the weights are ½, ¼ and ¼.": "(log(p_1) + log(p_2) + log(p_3))/3",
    }), 2, "{n} steps, each proved. A batch is best explained by giving each picture its share of the batch.")


# ---------------------------------------------------------------- codes of other lengths

_SIZES, _N, _N_TEST = (5, 80), 240, 60


def _bars(n: int, on: int, g: torch.Generator) -> Tensor:
    """Pictures (n, 1, 28, 28) uint8 of 7 bars, each nearly white or nearly black; the last is white in half, or in none."""
    white = torch.rand(n, 7, generator=g) < torch.tensor([0.5] * 6 + [0.5 * on])
    return (5 + 240 * white.repeat_interleave(4, 1)[:, None, :, None].expand(n, 1, 28, 28)).to(torch.uint8).contiguous()


_bar_g = torch.Generator().manual_seed(80)
_bar_train, _bar_test = _bars(_N, 0, _bar_g), _bars(_N_TEST, 1, _bar_g)


def _binary(images: Tensor) -> Tensor:
    return (torch.rand(images.shape) < images / 255).float()


@torch.no_grad()
def _rate_and_distortion(model, images: Tensor) -> tuple[float, float]:
    terms = [elbo_terms(model, _binary(images)) for _ in range(4)]
    return tuple(sum(term.mean().item() for term in part) / 4 for part in
                 ([one.kl for one in terms], [-one.recon for one in terms]))  # type: ignore[return-value]


def _numbers_of(table) -> Tensor | None:
    """{5: (rate, distortion), 80: …} as (2, 2); None if it is nothing like that."""
    try:
        return torch.stack([to_tensor(table[size]).reshape(2) for size in _SIZES])
    except (*NO_NUMBER, KeyError, IndexError):
        return None


def _sized(answer: Callable) -> SimpleNamespace:
    """What is predicted and measured, and what the models that are returned give on both sets of pictures."""
    predicted, measured, trained = parts_of(answer(_bar_train.clone(), _bar_test.clone()), 3) or (None, None, None)
    seen = SimpleNamespace(three=trained is not None, predicted=_numbers_of(predicted), measured=_numbers_of(measured))
    try:
        seen.sizes = [trained[size].encode(_binary(_bar_test[:2]))[0].shape[1] for size in _SIZES]
        found = [[_rate_and_distortion(trained[size], images) for images in (_bar_test, _bar_train)] for size in _SIZES]
    except (TypeError, KeyError, IndexError, AttributeError):
        seen.sizes, found = [], [[(math.nan, math.nan)] * 2] * 2
    seen.test, seen.train = (torch.tensor([pair[k] for pair in found], dtype=torch.float64) for k in (0, 1))
    return seen


def _near(numbers: Tensor, wanted: Tensor) -> bool:
    """Both draw the pixels and the codes anew, so they agree only nearly."""
    return bool(((numbers - wanted).abs() < 1 + 0.08 * wanted.abs()).all())


@cache
def _models(sizes: tuple[int, int], steps: int, on: str) -> dict[int, nn.Module]:
    images, trained = {"train": _bar_train, "test": _bar_test}[on], dict[int, nn.Module]()
    for asked, size in zip(_SIZES, sizes):
        trained[asked] = vae = reference_vae(size, hidden_dim=100)
        optimizer = torch.optim.Adam(vae.parameters(), 5e-3)
        for step in range(steps):
            terms = elbo_terms(vae, _binary(images[step % 6::6]))
            optimizer.zero_grad()
            (-terms.elbo.mean()).backward()
            optimizer.step()
    return trained


def _sized_answer(sizes: tuple[int, int] = _SIZES, steps: int = 120, on: str = "train", measured_on: str = "test",
                  guess: Callable = lambda measured: {5: (4.0, 250.0), 80: (8.0, 240.0)},
                  give: Callable = lambda rate, distortion: (rate, distortion),
                  back: Callable = lambda *parts: parts) -> Callable:
    """The answer that trains so; a right one, or one with something wrong."""
    def code_sizes(train_images: Tensor, test_images: Tensor):
        trained, images = _models(sizes, steps, on), {"train": train_images, "test": test_images}[measured_on]
        measured = {size: give(*_rate_and_distortion(vae, images)) for size, vae in trained.items()}
        return back(guess(measured), measured, trained)
    return code_sizes


check_code_sizes = Inspection(
    "code_sizes(train_images, test_images) → predicted, measured, trained: {5: …, 80: …} each, of (rate, distortion), of\n"
    "(rate, distortion), and of the models with so many latents (notebook 08).",
    _sized, _sized_answer(), {
    "Return three things: what you predicted, what you measured, and the trained models.":
        (lambda seen: not seen.three, _sized_answer(back=lambda *parts: parts[1])),
    "Predict first: predicted must hold a rate and a distortion, in nats, for 5 and for 80 latents.":
        (lambda seen: seen.predicted is None or not (seen.predicted > 0).all(), _sized_answer(guess=lambda _: None),
         _sized_answer(guess=lambda _: {5: (10.0, 100.0)}),
         _sized_answer(guess=lambda _: {5: (10.0, -100.0), 80: (20.0, -80.0)})),
    "What you predicted is what you measured, digit by digit: write the prediction down before you train.":
        (lambda seen: seen.measured is not None and close(seen.predicted, seen.measured, 1e-9),
         _sized_answer(guess=lambda measured: measured)),
    "trained must hold the two models, trained[5] and trained[80], with so many latents: they have {seen.sizes}.":
        (lambda seen: seen.sizes != list(_SIZES), _sized_answer(sizes=(20, 20)),
         _sized_answer(back=lambda *parts: (*parts[:2], {}))),
    "measured must hold a rate and a distortion for 5 and for 80 latents.":
        (lambda seen: seen.measured is None, _sized_answer(back=lambda predicted, _, trained: (predicted, None, trained))),
    "Train the models: their distortions on the training pictures are {seen.train[0][1]:.0f} and {seen.train[1][1]:.0f}.":
        (lambda seen: seen.train[:, 1].max() > 300, _sized_answer(steps=0)),
    "Your models have seen the test pictures in training: these are for measuring.":
        (lambda seen: (seen.test[:, 1] - seen.train[:, 1]).min() < 100, _sized_answer(on="test")),
    "That was measured on the training pictures.":
        (lambda seen: _near(seen.measured, seen.train), _sized_answer(measured_on="train")),
    "The distortion is −recon, a positive number.": (lambda seen: (seen.measured[:, 1] < 0).any(),
                                                     _sized_answer(give=lambda rate, distortion: (rate, -distortion))),
    "The order: the rate first, then the distortion.":
        (lambda seen: _near(seen.measured.flip(1), seen.test),
         _sized_answer(give=lambda rate, distortion: (distortion, rate))),
    "In nats per image, please: that is the mean over the pixels.":
        (lambda seen: _near(784 * seen.measured[:, 1], seen.test[:, 1]),
         _sized_answer(give=lambda rate, distortion: (rate, distortion / 784))),
    "The models that you returned do not give the numbers that you measured.":
        (lambda seen: not _near(seen.measured, seen.test),
         _sized_answer(give=lambda rate, distortion: (rate, distortion + 40))),
}, "rates and distortions are those of your models. Now call it with MNIST, and compare with what you predicted.")
