"""Learning from few labels: sums over the classes one by one, exact sums, finite differences. B, C, Z, D: all different."""

import math
from functools import partial

import pytest
import torch
from tiny_vae import Z as TINY_Z
from tiny_vae import tiny_images, tiny_vae
from torch import nn
from torch.distributions import Bernoulli, Categorical, Independent, Normal, kl_divergence
from torch.testing import assert_close
from training_runs import N_STEPS, at_pass, on_disk, same, train, weights, without_seconds

from vae_course import checkpoints, data, evaluation, semi_supervised
from vae_course.models import GaussianLikelihood
from vae_course.objectives import elbo_terms
from vae_course.semi_supervised import (
    LabelledMLP,
    SemiSupervisedVAE,
    choose_labelled,
    code_model,
    posteriors,
    sampled,
    semi_supervised_loss,
    unlabelled_bound,
)
from vae_course.training import fit

B, C, Z, SHAPE, D, HIDDEN = 5, 3, 2, (1, 2, 4), 8, 7
LABELS = torch.tensor([2, 0, 1, 1])                             # of four labelled examples


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def binary(n: int = B, shape=SHAPE, seed: int = 1) -> torch.Tensor:
    return (torch.rand(n, *shape, generator=seeded(seed)) < 0.4).float()


def small(likelihood: nn.Module | None = None, shape=SHAPE, num_classes: int = C) -> SemiSupervisedVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = SemiSupervisedVAE(shape, num_classes, Z, HIDDEN, 6, likelihood)
        for parameter in model.parameters():                    # far from 0, so that no term is small
            if parameter.ndim > 0:
                nn.init.normal_(parameter, std=0.6)
    return model


def loss_of(model, x, alpha=2.5, labelled_weight=0.3, labelled=None, labels=LABELS, prepare=data.grey):
    labelled = (255 * binary(len(LABELS), seed=2)).byte() if labelled is None else labelled
    return semi_supervised_loss(model, x, labelled=labelled, labels=labels, prepare=prepare, alpha=alpha,
                                labelled_weight=labelled_weight)


# ---------------------------------------------------------------- the bounds of all classes

@pytest.mark.parametrize("likelihood", [None, GaussianLikelihood(0.7), GaussianLikelihood(0.7, learn_sigma=True)])
@pytest.mark.parametrize("shape", [SHAPE, (11,), (3, 1)])
def test_the_bounds_are_those_of_one_class_after_the_other(likelihood, shape):
    model, x = small(likelihood, shape), binary(shape=shape)
    one_by_one = [elbo_terms(model, x, torch.full((B,), y), generator=seeded(4)).elbo - math.log(C) for y in range(C)]
    bounds = model.bounds(x, seeded(4))
    assert bounds.shape == (B, C)
    assert_close(bounds, torch.stack(one_by_one, 1))
    assert not torch.allclose(bounds, model.bounds(x, seeded(5)))
    assert bounds.std(1).min() > 0.01, "the classes differ, so that swapped ones would be seen"


def test_the_gradients_are_those_of_one_class_after_the_other():
    model, x, weight = small(), binary(), torch.randn(B, C, generator=seeded(6))
    parameters = [p for name, p in model.named_parameters() if not name.startswith("classifier")]
    one_by_one = torch.stack([elbo_terms(model, x, torch.full((B,), y), generator=seeded(4)).elbo for y in range(C)], 1)
    expected = torch.autograd.grad((weight * one_by_one).sum(), parameters)
    assert_close(torch.autograd.grad((weight * model.bounds(x, seeded(4))).sum(), parameters), expected)


def test_the_global_noise_is_used_without_a_generator():
    model, x = small(), binary()
    torch.manual_seed(8)
    first = model.bounds(x)
    torch.manual_seed(8)
    assert torch.equal(first, model.bounds(x)) and not torch.equal(first, model.bounds(x))


def without_a_latent(likelihood: nn.Module | None = None, n_numbers: int = 3) -> SemiSupervisedVAE:
    """p(x|y, z) does not depend on z, and q(z|x, y) is the prior: then L(x, y) is log p(x, y)."""
    model = small(likelihood, (n_numbers,))
    with torch.no_grad():
        model.decoder.of_input.weight.zero_()
        for layer in (model.encoder.to_mu, model.encoder.to_logvar):
            layer.weight.zero_()
            layer.bias.zero_()
    return model


def test_without_a_latent_the_bounds_are_the_exact_log_joint():
    every_x = torch.cartesian_prod(*3 * [torch.tensor([0.0, 1.0])])                              # (8, 3)
    model = without_a_latent()
    bounds = model.bounds(every_x)
    by_torch = [Independent(Bernoulli(logits=model.decode(torch.randn(8, Z), torch.full((8,), y))), 1).log_prob(every_x)
                for y in range(C)]
    assert_close(bounds, torch.stack(by_torch, 1) + math.log(1 / 3))
    assert_close(bounds.exp().sum(), torch.tensor(1.0))                                         # over all x and y
    assert_close(unlabelled_bound(torch.log_softmax(bounds, 1), bounds).exp().sum(), torch.tensor(1.0))

    gaussian, x = without_a_latent(GaussianLikelihood(0.4)), torch.randn(B, 3, generator=seeded(1))
    means = gaussian.decode(torch.zeros(C, Z), torch.arange(C))
    assert_close(gaussian.bounds(x), Normal(means, 0.4).log_prob(x[:, None]).sum(2) - math.log(3))


def test_the_unlabelled_bound_is_log_p_x_less_a_kl():
    bounds, logits = torch.randn(B, C, generator=seeded(1)) * 3 - 5, torch.randn(B, C, generator=seeded(2))
    log_px = torch.logsumexp(bounds, 1)
    assert_close(unlabelled_bound(torch.log_softmax(bounds, 1), bounds), log_px)
    gap = kl_divergence(Categorical(logits=logits), Categorical(logits=bounds))
    assert_close(unlabelled_bound(torch.log_softmax(logits, 1), bounds), log_px - gap)
    assert gap.min() > 0.01
    equal = torch.full((B, C), math.log(1 / C))
    assert_close(unlabelled_bound(equal, bounds), bounds.mean(1) + math.log(C))


def test_a_class_without_probability_counts_nothing():
    log_q = torch.log_softmax(torch.tensor([[1000.0, -1000.0, 0.0], [0.0, 0.0, -1000.0]]), 1)
    bounds = torch.tensor([[-3.0, -1e4, -2.0], [-1.0, -2.0, -1e4]], requires_grad=True)
    value = unlabelled_bound(log_q, bounds)
    assert_close(value.detach(), torch.tensor([-3.0, -1.5 + math.log(2)]))
    value.sum().backward()
    assert_close(bounds.grad, log_q.exp())


# ---------------------------------------------------------------- gradients

def test_the_gradient_of_the_unlabelled_bound_agrees_with_finite_differences():
    logits, bounds = torch.randn(2, 4, 3, generator=seeded(9), dtype=torch.float64).requires_grad_()
    def u(a, bound):
        return unlabelled_bound(torch.log_softmax(a, 1), bound)
    assert torch.autograd.gradcheck(u, (logits, bounds))
    grad, = torch.autograd.grad(u(logits, bounds).sum(), logits)
    log_q = torch.log_softmax(logits, 1)
    assert_close(grad, log_q.exp() * (bounds - log_q - u(logits, bounds)[:, None]))
    at_best, = torch.autograd.grad(u(logits, logits.detach()).sum(), logits)
    assert_close(at_best, torch.zeros_like(at_best), atol=1e-12, rtol=0)


def classifier_and_rest(model) -> tuple[list, list]:
    of_classifier = list(model.classifier.parameters())
    return of_classifier, [p for p in model.parameters() if all(p is not q for q in of_classifier)]


def test_the_labelled_bound_teaches_the_classifier_nothing_and_alphas_term_nothing_else():
    model = small(GaussianLikelihood(0.5, learn_sigma=True))
    terms = loss_of(model, binary())
    of_classifier, rest = classifier_and_rest(model)
    no_grad = torch.autograd.grad(terms["labelled_bound"], of_classifier, allow_unused=True, retain_graph=True)
    assert no_grad == (None,) * len(of_classifier)
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(terms["labelled_bound"], rest, retain_graph=True))
    assert torch.autograd.grad(terms["log_q_y"], rest, allow_unused=True) == (None,) * len(rest)


def test_the_gradient_of_alphas_term_is_that_of_a_cross_entropy():
    model, labelled = small(), binary(len(LABELS), seed=2)
    of_classifier, rest = classifier_and_rest(model)
    grads = []
    for alpha in (0.0, 2.5):
        torch.manual_seed(1)
        grads.append(torch.autograd.grad(loss_of(model, binary(), alpha)["loss"], of_classifier))
    expected = torch.autograd.grad(nn.functional.cross_entropy(model.classifier(labelled.flatten(1)), LABELS), of_classifier)
    assert_close([with_alpha - without for without, with_alpha in zip(*grads)], [2.5 * g for g in expected],
                 atol=1e-5, rtol=1e-4)
    q = torch.softmax(model.classifier(labelled.flatten(1)), 1)
    assert_close(expected[-1], (q - nn.functional.one_hot(LABELS, C)).mean(0))                   # of the last bias
    step, bias = 1e-2, model.classifier[-1].bias
    for k in range(C):                                                                          # and by differences
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                bias[k] += sign * step
                values.append(loss_of(model, binary())["log_q_y"].item())
                bias[k] -= sign * step
        assert (values[1] - values[0]) / (2 * step) == pytest.approx(expected[-1][k].item(), abs=2e-3)


# ---------------------------------------------------------------- the loss

def test_the_loss_is_the_sum_of_its_three_means():
    model, x = small(), binary()
    labelled = (255 * binary(len(LABELS), seed=2)).byte()
    torch.manual_seed(1)
    terms = loss_of(model, x, labelled=labelled)
    torch.manual_seed(1)
    bounds, q = model.bounds(x), torch.softmax(model.classifier(x.flatten(1)), 1)                  # the same noise
    u = sum(q[b, y] * (bounds[b, y] - q[b, y].log()) for b in range(B) for y in range(C)) / B
    labelled = labelled.float() / 255
    labelled_bound = elbo_terms(model, labelled, LABELS).elbo.mean() + math.log(1 / 3)
    q = torch.softmax(model.classifier(labelled.flatten(1)), 1)
    log_q = sum(q[i, y].log() for i, y in enumerate(LABELS.tolist())) / len(LABELS)
    assert list(terms) == ["loss", "unlabelled_bound", "labelled_bound", "log_q_y"]
    assert_close(terms["unlabelled_bound"], u)
    assert_close(terms["labelled_bound"], labelled_bound)
    assert_close(terms["log_q_y"], log_q)
    assert_close(terms["loss"], -u - 0.3 * labelled_bound - 2.5 * log_q)
    assert all(value.shape == () for value in terms.values())


def test_at_the_natural_weight_every_example_counts_alike():
    """U over N examples and L over n, as sums, are N times the loss of means."""
    model, x = without_a_latent(), binary(B, (3,))                                              # no noise
    labelled = (255 * binary(len(LABELS), (3,), seed=2)).byte()
    loss = loss_of(model, x, 0.0, len(LABELS) / B, labelled)["loss"]
    total = unlabelled_bound(model.log_q_y(x), model.bounds(x)).sum()
    total += model.bounds(labelled / 255).gather(1, LABELS[:, None]).sum()
    assert_close(B * loss, -total)


def test_prepare_is_applied_to_the_labelled_in_each_step():
    model, seen = small(), []

    def prepare(labelled):
        seen.append(labelled)
        return data.grey(labelled)

    raw = (255 * binary(len(LABELS), seed=2)).byte()
    loss_of(model, binary(), labelled=raw, prepare=prepare)
    assert len(seen) == 1 and seen[0] is raw


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_labels_may_be_any_whole_numbers(dtype):
    model, x = without_a_latent(), binary(B, (3,))
    labelled = (255 * binary(len(LABELS), (3,), seed=2)).byte()
    assert_close(loss_of(model, x, labelled=labelled, labels=LABELS.to(dtype))["loss"],
                 loss_of(model, x, labelled=labelled)["loss"])


@pytest.mark.parametrize(("changes", "error", "words"), [
    ({"alpha": -0.1}, ValueError, "alpha must be at least 0, got -0.1"),
    ({"alpha": math.nan}, ValueError, "alpha must be at least 0, got nan"),
    ({"labelled_weight": -1.0}, ValueError, "labelled_weight must be at least 0, got -1.0"),
    ({"labelled_weight": math.nan}, ValueError, "labelled_weight must be at least 0, got nan"),
    ({"labels": torch.tensor([0, 1, 1, 0])}, ValueError, "each of the 3 classes at least once, got none of class 2: label"),
    ({"labels": torch.tensor([1, 1, 1, 1])}, ValueError, "got none of class 0, 2"),
    ({"labels": torch.tensor([0, 1, 2, 3])}, ValueError, r"from 0 to 2 \(num_classes = 3\), got values from 0 to 3"),
    ({"labels": torch.tensor([0, 1, 2, -1])}, ValueError, "got values from -1 to 2"),
    ({"labels": LABELS.float()}, TypeError, "labels must be a tensor of whole numbers.*float32"),
    ({"labels": LABELS.tolist()}, TypeError, "labels must be a tensor of whole numbers.*list"),
    ({"labels": nn.functional.one_hot(LABELS, C)}, ValueError, r"labels must have shape \(B,\).*\(4, 3\)"),
    ({"labels": LABELS[:3]}, ValueError, "labelled and labels must have the same length, got 4 and 3"),
    ({"labelled": torch.zeros(0, *SHAPE, dtype=torch.uint8), "labels": LABELS[:0]}, ValueError, "got none of class 0, 1, 2"),
    ({"x": binary(0)}, ValueError, "x must hold unlabelled examples, got none: .* train a classifier instead"),
    ({"x": binary(shape=(2, 4))}, ValueError, r"x must have shape \(B, 1, 2, 4\), got \(5, 2, 4\)"),
    ({"x": (255 * binary()).byte()}, TypeError, r"x must be a floating-point tensor.*data.grey\(x\)"),
    ({"labelled": torch.zeros(4, 9, dtype=torch.uint8)}, ValueError, r"x must have shape \(B, 1, 2, 4\), got \(4, 9\)"),
    ({"x": 255 * binary()}, ValueError, r"must lie in \[0, 1\], got values from 0 to 255"),
])
def test_what_cannot_be_learnt_from_is_named(changes, error, words):
    with pytest.raises(error, match=words):
        loss_of(small(), **{"x": binary(), **changes})


@pytest.mark.parametrize(("log_q_y", "bounds"), [
    (torch.zeros(B, C), torch.zeros(B, C + 1)), (torch.zeros(B, C), torch.zeros(C)), (torch.zeros(C), torch.zeros(C)),
    (torch.zeros(B, 1, C), torch.zeros(B, 1, C))])
def test_an_unlabelled_bound_of_other_shapes_is_refused(log_q_y, bounds):
    with pytest.raises(ValueError, match=r"log_q_y and bounds must both have shape \(B, C\), got"):
        unlabelled_bound(log_q_y, bounds)


@pytest.mark.parametrize("method", ["bounds", "log_q_y"])
def test_what_is_no_batch_of_examples_is_refused(method):
    with pytest.raises(ValueError, match=r"x must have shape \(B, 1, 2, 4\), got \(5, 8\)"):
        getattr(small(), method)(binary(shape=(D,)))


# ---------------------------------------------------------------- the model

def test_a_layer_that_sees_a_label_is_a_layer_of_both_side_by_side():
    net = LabelledMLP([4, HIDDEN, 6, 5], C, nn.Tanh)
    v, c = torch.randn(B, 4, generator=seeded(1)), torch.eye(C)[torch.tensor([0, 2, 1, 1, 0])]
    joined = nn.Linear(4 + C, HIDDEN)
    joined.weight.data = torch.cat([net.of_input.weight, net.of_label.weight], 1).data
    joined.bias = net.of_input.bias
    by_hand = nn.Sequential(joined, nn.Tanh(), net.rest[1][0], nn.Tanh(), net.rest[1][2], nn.Tanh())
    assert_close(net(v, c), by_hand(torch.cat([v, c], 1)))
    assert_close(net(v[:, None], torch.eye(C))[:, 1], net(v, torch.eye(C)[[1] * B]))


def test_shapes_and_what_depends_on_what():
    model, x = small(), binary()
    labels = torch.tensor([0, 2, 1, 1, 0])
    mu, logvar = model.encode(x, labels)
    assert mu.shape == logvar.shape == (B, Z) and model.decode(mu, labels).shape == (B, *SHAPE)
    log_q = model.log_q_y(x)
    assert log_q.shape == (B, C)
    assert_close(log_q.exp().sum(1), torch.ones(B))
    assert_close(log_q[2:3], model.log_q_y(x[2:3]))                 # an example is judged alone
    assert not torch.equal(mu, model.encode(x, (labels + 1) % C)[0])
    assert not torch.equal(model.decode(mu, labels), model.decode(mu, (labels + 1) % C))


def test_pictures_are_generated_by_class_and_the_elbo_is_that_of_a_cvae():
    model, x = small(), binary()
    labels = torch.tensor([0, 2, 1, 1, 0])
    pictures = model.generate(labels, seeded(2))
    assert pictures.shape == (B, *SHAPE)
    z = torch.randn(B, Z, generator=seeded(2))
    assert_close(pictures, torch.sigmoid(model.decode(z, labels)).detach())
    found = evaluation.test_elbo(model, (255 * x).byte(), labels, prepare=data.grey, seed=3)
    draws = torch.stack([elbo_terms(model, x, labels, generator=seeded(k)).elbo.mean().detach() for k in range(400)])
    assert abs(found.elbo.mean - draws.mean().item()) < 4 * draws.std().item()


def test_the_error_rate_counts_the_most_probable_classes():
    model, x = small(), binary(9)
    guesses = model.log_q_y(x).argmax(1)
    assert evaluation.error_rate(model.log_q_y, x, guesses).mean == 0
    wrong = guesses.clone()
    wrong[[0, 4, 7]] = (wrong[[0, 4, 7]] + 1) % C
    assert evaluation.error_rate(model.log_q_y, x, wrong).mean == pytest.approx(3 / 9)


def test_bfloat16_products_give_float32_terms_near_the_others():
    model, x = small(), binary()
    torch.manual_seed(1)
    expected = loss_of(model, x)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        terms = loss_of(model, x)
    assert all(value.dtype == torch.float32 for value in terms.values())
    assert_close(terms, expected, atol=0.3, rtol=0.03)


# ---------------------------------------------------------------- which examples are labelled

DIGITS = torch.randint(0, 4, (200,), generator=seeded(5))


def test_the_choice_is_balanced_and_the_others_are_all_the_others():
    chosen, others = choose_labelled(DIGITS, 6, seed=2)
    assert torch.equal(torch.bincount(DIGITS[chosen]), torch.tensor([6, 6, 6, 6]))
    assert torch.equal(DIGITS[chosen].view(4, 6), torch.arange(4)[:, None].expand(4, 6))            # class by class
    assert sorted(chosen.tolist() + others.tolist()) == list(range(200))
    assert others.tolist() == sorted(others.tolist())


def test_the_choice_depends_on_the_seed_alone():
    first = choose_labelled(DIGITS, 6, seed=2)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    assert all(map(torch.equal, first, choose_labelled(DIGITS, 6, seed=2)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first[0], choose_labelled(DIGITS, 6, seed=3)[0])
    assert torch.equal(first[0].view(4, 6)[:, :2].flatten(), choose_labelled(DIGITS, 2, seed=2)[0])   # more, not others


def test_every_example_may_be_chosen():
    share = torch.zeros(40)
    for seed in range(300):
        share[choose_labelled(torch.arange(40) % 2, 5, seed)[0]] += 1 / 300
    assert share.min() > 0.15 and share.max() < 0.36               # 5 of 20: 0.25 ± 0.025


@pytest.mark.parametrize("per_class", [0, -1, 8])
def test_more_labels_than_there_are_cannot_be_chosen(per_class):
    labels = torch.tensor([0] * 9 + [1] * 7 + [2] * 8)
    with pytest.raises(ValueError, match=f"between 1 and 7, the number of examples of class 1, got {per_class}"):
        choose_labelled(labels, per_class)
    chosen, others = choose_labelled(labels, 7)
    assert len(chosen) == 21 and len(others) == 3


# ---------------------------------------------------------------- M1: sampled codes

def test_the_posteriors_are_those_of_the_encoder(monkeypatch):
    monkeypatch.setattr(semi_supervised, "BLOCK", 4)
    vae, images = tiny_vae(), tiny_images(11)
    found = posteriors(vae, images, data.grey)
    assert found.shape == (11, 2, TINY_Z) and not found.requires_grad
    mu, logvar = vae.encode(data.grey(images))
    assert_close(found, torch.stack([mu, logvar], 1).detach())


def test_codes_are_drawn_anew_with_the_posteriors_mean_and_variance():
    posterior = torch.tensor([[[1.0, -2.0, 0.5], [0.0, 1.5, -3.0]]])
    many = posterior.expand(40_000, 2, 3)
    torch.manual_seed(4)
    draws = sampled(many)
    assert draws.shape == (40_000, 3) and not torch.equal(draws, sampled(many))
    variance = posterior[0, 1].exp()
    assert ((draws.mean(0) - posterior[0, 0]).abs() < 5 * (variance / 40_000).sqrt()).all()
    assert ((draws.var(0) / variance - 1).abs() < 5 * (2 / 40_000) ** 0.5).all()


def test_the_model_of_codes_has_a_gaussian_likelihood_whose_sigma_is_learned():
    model = code_model(4, C, 9, 8, Z)
    assert model.input_shape == (4,) and model.latent_dim == Z and model.likelihood.logvar.requires_grad
    loss_of(model, torch.randn(B, 4), labelled=torch.randn(4, 2, 4), prepare=sampled)["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


# ---------------------------------------------------------------- training

def tiny_model(seed: int = 0) -> SemiSupervisedVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SemiSupervisedVAE((1, 5, 3), C, Z, HIDDEN, 6)


def tiny_loss(alpha: float = 2.0):
    return partial(semi_supervised_loss, labelled=tiny_images(4, seed=5), labels=LABELS, prepare=data.stochastic,
                   alpha=alpha, labelled_weight=0.2)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole, stopped, resumed = tiny_model(), tiny_model(), tiny_model(8)
    history = train(whole, tiny_loss(), epochs=4, checkpoint=tmp_path / "whole.pt")
    assert set(history[0]) >= {"train_loss", "train_unlabelled_bound", "train_labelled_bound", "train_log_q_y"}
    third_epoch = 2 * 2 * N_STEPS + 1                               # two passes of the encoder in each step
    train(at_pass(stopped, third_epoch), tiny_loss(), epochs=4, checkpoint=tmp_path / "stopped.pt")
    assert len(on_disk(tmp_path / "stopped.pt")["history"]) == 2
    torch.manual_seed(77)
    again = train(resumed, tiny_loss(), epochs=4, checkpoint=tmp_path / "stopped.pt", resume=True)
    assert same(weights(whole), weights(resumed)) and without_seconds(history) == without_seconds(again)
    assert same(on_disk(tmp_path / "whole.pt"), on_disk(tmp_path / "stopped.pt"))


def test_a_run_of_another_alpha_or_other_labels_is_not_resumed(tmp_path):
    path = tmp_path / "c.pt"
    train(tiny_model(), tiny_loss(), epochs=2, checkpoint=path)
    other_labels = partial(tiny_loss(), labels=LABELS.flip(0))
    for loss_fn in (tiny_loss(alpha=3.0), other_labels):
        with pytest.raises(checkpoints.CheckpointError, match="loss"):
            train(tiny_model(), loss_fn, epochs=2, checkpoint=path, resume=True)


def test_weights_are_saved_and_loaded(tmp_path):
    model, loaded = tiny_model(), tiny_model(8)
    checkpoints.save_weights(model, tmp_path / "m.safetensors")
    checkpoints.load_weights(loaded, tmp_path / "m.safetensors")
    x = binary(shape=(1, 5, 3))
    assert torch.equal(model.log_q_y(x), loaded.log_q_y(x))
    assert torch.equal(model.bounds(x, seeded()), loaded.bounds(x, seeded()))


@pytest.mark.parametrize("bf16", [False, True])
def test_training_raises_every_term(bf16):
    model = tiny_model()
    history = train(model, tiny_loss(), epochs=15, bf16=bf16)
    for name in ("train_unlabelled_bound", "train_labelled_bound", "train_log_q_y"):
        assert history[-1][name] > history[0][name], name


def three_strips(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Posteriors (n, 2, 2) of three clusters, five times as long as wide, one above the other, and their classes."""
    labels = torch.arange(n) % C
    mu = torch.randn(n, 2, generator=seeded(seed)) * torch.tensor([0.5, 0.1])
    mu[:, 1] += labels - 1.0
    return torch.stack([mu, torch.full_like(mu, -6.0)], 1), labels


def test_codes_without_labels_put_the_boundary_where_nothing_lies():
    """One label of each cluster, at the left, the right and the left end: by the nearest label a quarter is wrong."""
    codes, labels = three_strips(600, seed=1)
    ends = torch.tensor([[-0.7, -1.0], [0.7, 0.0], [-0.7, 1.0]])
    distance = torch.cdist(ends, codes[:, 0]) + 100 * (labels != torch.arange(C)[:, None])
    chosen = distance.argmin(1)
    others = torch.tensor(sorted(set(range(600)) - set(chosen.tolist())))
    torch.manual_seed(0)
    model = code_model(2, C, 30, 30, 1)
    loss_fn = partial(semi_supervised_loss, labelled=codes[chosen], labels=labels[chosen], prepare=sampled, alpha=0.1,
                      labelled_weight=0.1)
    fit(model, loss_fn, codes[others], epochs=50, batch_size=100, learning_rate=1e-2, prepare=sampled, progress=False)
    test_codes, test_labels = three_strips(600, seed=2)
    nearest = torch.cdist(test_codes[:, 0], codes[chosen, 0]).argmin(1)
    assert (labels[chosen][nearest] != test_labels).float().mean() > 0.25
    assert evaluation.error_rate(lambda codes: model.log_q_y(codes[:, 0]), test_codes, test_labels).mean < 0.12
