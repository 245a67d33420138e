"""The conditional VAE against exact answers and by its parts. Batch 6, latents 5, classes 4, hidden 17: all different."""

import math

import numpy as np
import pytest
import torch
from exact import assert_estimates
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from vae_course import data, evaluation
from vae_course.checkpoints import load_weights, save_weights
from vae_course.conditional import (
    CVAE,
    ClassMeans,
    ConcatCondition,
    IgnoreCondition,
    OneHot,
    class_mean_vae,
    reference_cvae,
)
from vae_course.models import GaussianEncoder, GaussianLikelihood, mlp, reference_vae
from vae_course.objectives import elbo_terms, log_weights, negative_elbo
from vae_course.training import fit

B, Z, C, HIDDEN = 6, 5, 4, 17
LABELS = torch.tensor([3, 0, 2, 2, 1, 0])
BUILDERS = [reference_cvae, class_mean_vae]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def binary_images(n: int = B) -> torch.Tensor:
    """(n, 1, 28, 28), each pixel 0 or 1."""
    return (torch.rand(n, 1, 28, 28, generator=seeded(1)) < 0.2).float()


def small(build=reference_cvae, **options) -> CVAE:
    torch.manual_seed(0)
    model = build(num_classes=C, latent_dim=Z, hidden_dim=HIDDEN, **options).eval()
    if isinstance(model.prior, ClassMeans):
        nn.init.normal_(model.prior.means)
    return model


def small_with_prior_network() -> CVAE:
    torch.manual_seed(0)
    return small(prior=GaussianEncoder(mlp([C, 7]), 7, Z))


def tiny_images(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 1, 28, 28) uint8 and (n,) labels: the class decides which quarter of the picture is bright."""
    labels = torch.randint(0, C, (n,), generator=seeded(2))
    images = torch.randint(0, 40, (n, 1, 28, 28), generator=seeded(3), dtype=torch.uint8)
    for y, (row, column) in enumerate([(0, 0), (0, 14), (14, 0), (14, 14)]):
        images[labels == y, :, row:row + 14, column:column + 14] += 200
    return images, labels


# ---------------------------------------------------------------- labels

def test_one_hot_agrees_with_torch():
    assert_close(OneHot(C)(LABELS), nn.functional.one_hot(LABELS, C).float())
    assert_close(OneHot(C)(LABELS.to(torch.uint8)), nn.functional.one_hot(LABELS, C).float())
    assert OneHot(C)(LABELS[:0]).shape == (0, C)


@pytest.mark.parametrize(("labels", "error", "words"), [
    (LABELS.float(), TypeError, r"labels must be a tensor of whole numbers.*float32: labels.long\(\)"),
    (LABELS.tolist(), TypeError, r"labels must be a tensor of whole numbers.*list: torch.as_tensor\(labels\)"),
    (LABELS == 2, TypeError, "labels must be a tensor of whole numbers.*bool"),
    (nn.functional.one_hot(LABELS, C), ValueError, r"labels must have shape \(B,\).*\(6, 4\): labels.argmax\(1\)"),
    (LABELS + 1, ValueError, r"labels must lie from 0 to 3 \(num_classes = 4\), got values from 1 to 4"),
    (LABELS - 1, ValueError, r"labels must lie from 0 to 3 \(num_classes = 4\), got values from -1 to 2"),
    (LABELS[:5], ValueError, "same length, got 6 and 5"),
])
@pytest.mark.parametrize("build", BUILDERS)
def test_labels_that_do_not_fit_are_named(build, labels, error, words):
    model = small(build)
    with pytest.raises(error, match=words):
        model.encode(binary_images(), labels)
    with pytest.raises(error, match=words):
        model.decode(torch.zeros(B, Z), labels)
    with pytest.raises(error, match=words):
        negative_elbo(model, binary_images(), labels)


@pytest.mark.parametrize("num_classes", [1, 0, -3, 10.0, "ten"])
def test_a_number_of_classes_that_cannot_be_is_named(num_classes):
    with pytest.raises(ValueError, match="num_classes must be a whole number ≥ 2"):
        reference_cvae(num_classes=num_classes)


def test_too_few_classes_for_the_data_is_an_error_before_the_first_step():
    images, labels = tiny_images(40)
    with pytest.raises(ValueError, match=r"labels must lie from 0 to 2 \(num_classes = 3\), got values from 0 to 3"):
        fit(reference_cvae(3, Z, HIDDEN), negative_elbo, (images, labels), epochs=1, batch_size=40, prepare=data.grey,
            progress=False)


def test_a_class_that_never_came_up_in_training_cannot_be_asked_for(tmp_path):
    images, labels = tiny_images(40)
    model = reference_cvae(7, Z, HIDDEN)
    assert model.generate(torch.tensor([6])).shape == (1, 1, 28, 28)    # nothing was trained yet: nothing to compare with
    fit(model, negative_elbo, (images, labels), epochs=1, batch_size=20, prepare=data.grey, progress=False)
    save_weights(model, tmp_path / "model.safetensors")
    loaded = reference_cvae(7, Z, HIDDEN)
    load_weights(loaded, tmp_path / "model.safetensors")
    for asked in (model, loaded.eval()):
        assert asked.generate(torch.tensor([3])).shape == (1, 1, 28, 28)
        with pytest.raises(ValueError, match=r"class 6, which never came up.*num_classes is 7.*\[0, 1, 2, 3\]"):
            asked.generate(torch.tensor([3, 6]))
        with pytest.raises(ValueError, match="class 5, which never came up"):
            asked.picture(np.zeros(Z), 5)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_forward_pass_changes_no_state(build):
    model = small(build).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    negative_elbo(model, binary_images(), LABELS)["loss"].backward()
    model.generate(LABELS)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_classes_of_the_training_data_are_known_before_the_first_step():
    images, labels = tiny_images(40)
    model, seen = reference_cvae(7, Z, HIDDEN), []

    def loss(model, x, y):
        seen.append(model.condition.seen.tolist())
        return negative_elbo(model, x, y)

    labels[:] = 2
    labels[17] = 5                                  # one picture of 40, in a batch of 3: it may be left out of every batch
    fit(model, loss, (images, labels), epochs=1, batch_size=3, prepare=data.grey, progress=False)
    assert seen == [[False, False, True, False, False, True, False]] * 13


def test_a_training_that_is_stopped_before_its_first_epoch_leaves_no_class_behind():
    def stop(model, x, y):
        raise KeyboardInterrupt

    model = reference_cvae(7, Z, HIDDEN)
    fit(model, stop, tiny_images(40), epochs=1, batch_size=20, prepare=data.grey, progress=False)
    assert not model.condition.seen.any()


def test_what_is_no_label_is_not_noted():
    """A loss of one's own may take other data beside the images."""
    model, (images, labels) = small(class_mean_vae), tiny_images(40)
    fit(model, lambda model, x: negative_elbo(model, x, labels[:len(x)]), images, epochs=1, batch_size=20, prepare=data.grey,
        progress=False)
    assert not model.condition.seen.any()
    pixels = CVAE(model.encoder, model.decoder, nn.Flatten())
    pixels.note_training_data(images, torch.rand(40, 1, 2, 2))


@pytest.mark.parametrize("forget", [
    lambda model, images: negative_elbo(model, data.grey(images)),
    lambda model, images: fit(model, negative_elbo, images, epochs=1, batch_size=5, prepare=data.grey, progress=False),
    lambda model, images: evaluation.test_elbo(model, images, prepare=data.grey),
    lambda model, images: evaluation.log_px(model, images, n_samples=2, prepare=data.grey),
])
def test_forgotten_labels_are_asked_for(forget):
    with pytest.raises(TypeError, match=r"a conditional model needs its condition.*got none: e\.g\. fit\("):
        forget(small(), tiny_images(10)[0])


def test_a_plain_vae_says_that_it_takes_no_labels():
    with pytest.raises(TypeError, match="VAE takes no labels"):
        negative_elbo(reference_vae(Z, HIDDEN), binary_images(), LABELS)


# ---------------------------------------------------------------- the two constructions

@pytest.mark.parametrize("build", BUILDERS)
def test_shapes(build):
    model, x = small(build), binary_images()
    mu, logvar = model.encode(x, LABELS)
    recon, same_mu, _ = model(x, LABELS)
    assert mu.shape == logvar.shape == (B, Z)
    assert model.decode(mu, LABELS).shape == recon.shape == model.reconstruct(x, LABELS).shape == x.shape
    assert_close(mu, same_mu)
    assert model.kl(mu, logvar, LABELS).shape == model.log_prior(mu, LABELS).shape == (B,)
    assert model.sample_prior(LABELS).shape == (B, Z)
    assert model.generate(LABELS).shape == x.shape
    assert model.picture(np.zeros(Z), 2).shape == (28, 28)
    assert [values.shape for values in model.posterior(np.zeros((28, 28)), 2)] == [(Z,), (Z,)]
    assert log_weights(model, x, LABELS, n_samples=3).shape == (3, B)


@pytest.mark.parametrize("gain", [1.0, 10.0])
def test_concatenation_is_a_linear_layer_on_image_and_one_hot_label(gain):
    model, x = small(label_gain=gain), binary_images()
    first = model.encoder.features.net[1][0]                # after Flatten
    assert first.weight.shape == (HIDDEN, 784 + C)
    by_hand = x.flatten(1) @ first.weight[:, :784].T + gain * first.weight[:, 784:].T[LABELS] + first.bias
    assert_close(model.encoder.features(x, OneHot(C)(LABELS)), torch.relu(by_hand))


def test_the_label_reaches_both_networks_by_concatenation_and_neither_by_class_means():
    x, other = binary_images(), (LABELS + 1) % C
    z = torch.randn(B, Z, generator=seeded())
    for build, label_matters in ((reference_cvae, True), (class_mean_vae, False)):
        model = small(build)
        assert torch.equal(model.encode(x, LABELS)[0], model.encode(x, other)[0]) != label_matters
        assert torch.equal(model.decode(z, LABELS), model.decode(z, other)) != label_matters
        assert torch.equal(model.log_prior(z, LABELS), model.log_prior(z, other)) == label_matters


def test_a_decoder_that_ignores_the_label_draws_the_same_for_every_class():
    """The label in the encoder alone is not conditional generation."""
    encoder = GaussianEncoder(ConcatCondition(mlp([784 + C, HIDDEN])), HIDDEN, Z)
    decoder = IgnoreCondition(nn.Sequential(mlp([Z, HIDDEN, 784]), nn.Unflatten(1, (1, 28, 28))))
    model = CVAE(encoder, decoder, OneHot(C)).eval()
    pictures = [model.picture(np.ones(Z), y) for y in range(C)]
    assert all(np.array_equal(pictures[0], picture) for picture in pictures)
    first, second = (model.generate(labels, seeded()) for labels in (LABELS, (LABELS + 1) % C))
    assert torch.equal(first, second)


def test_the_kl_and_the_prior_agree_with_torch_distributions():
    x = binary_images()
    for model in (small(), small(class_mean_vae), small_with_prior_network()):
        mu, logvar = model.encode(x, LABELS)
        mean, prior_logvar = model.prior_parameters(LABELS)
        prior = Normal(mean, torch.exp(0.5 * prior_logvar))
        expected = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), prior).sum(-1)
        assert_close(model.kl(mu, logvar, LABELS), expected)
        assert_close(model.log_prior(mu, LABELS), prior.log_prob(mu).sum(-1))


@pytest.mark.parametrize("shape", [(), (Z,), (1, Z), (len(LABELS), Z)])
def test_a_prior_that_is_the_same_for_all_classes_may_be_stated_in_any_shape(shape):
    class Broad(CVAE):
        def prior_parameters(self, y):
            return torch.full(shape, 0.5), torch.full(shape, 1.0)

    plain = small()
    model = Broad(plain.encoder, plain.decoder, plain.condition)
    expected = 0.5 + math.exp(0.5) * torch.randn(len(LABELS), Z, generator=seeded())
    assert_close(model.sample_prior(LABELS, seeded()), expected)
    assert model.generate(LABELS).shape == (len(LABELS), 1, 28, 28)
    assert model.log_prior(expected, LABELS).shape == (len(LABELS),)


def test_class_means_are_the_rows_of_their_table():
    model = small(class_mean_vae)
    mean, logvar = model.prior_parameters(LABELS)
    assert_close(mean, model.prior.means[LABELS])
    assert not logvar.any()
    draws = model.sample_prior(torch.full((20_000,), 2), seeded())
    assert_close(draws.mean(0), model.prior.means[2].detach(), atol=0.03, rtol=0)
    assert_close(draws.std(0), torch.ones(Z), atol=0.03, rtol=0)


def test_the_best_class_mean_is_the_mean_of_the_codes_of_its_class():
    model, x = small(class_mean_vae), binary_images()
    mu, logvar = (values.detach() for values in model.encode(x, LABELS))
    with torch.no_grad():
        for y in range(C):
            model.prior.means[y] = mu[LABELS == y].mean(0)
    model.kl(mu, logvar, LABELS).sum().backward()
    assert_close(model.prior.means.grad, torch.zeros(C, Z), atol=1e-5, rtol=0)
    best = model.kl(mu, logvar, LABELS).sum().item()
    with torch.no_grad():
        model.prior.means += 0.1 * torch.randn(C, Z, generator=seeded())
    assert model.kl(mu, logvar, LABELS).sum().item() > best


def test_a_prior_network_is_trained_with_the_rest():
    model, (images, labels) = small_with_prior_network(), tiny_images(80)
    before = [parameter.clone() for parameter in model.prior.parameters()]
    fit(model, negative_elbo, (images, labels), epochs=2, batch_size=20, prepare=data.grey, progress=False)
    assert all(not torch.equal(old, new) for old, new in zip(before, model.prior.parameters()))


def test_pixels_can_be_the_condition():
    """Completion: the hidden pixels given the observed ones, through the same class."""
    observed, hidden = torch.rand(B, 1, 4, 3), (torch.rand(B, 9) < 0.5).float()
    model = CVAE(GaussianEncoder(ConcatCondition(mlp([9 + 12, HIDDEN])), HIDDEN, Z), ConcatCondition(mlp([Z + 12, 9])),
                 nn.Flatten(), prior=GaussianEncoder(mlp([12, HIDDEN]), HIDDEN, Z), input_shape=(9,))
    assert elbo_terms(model, hidden, observed).elbo.shape == (B,)
    assert model.generate(observed).shape == (B, 9)
    with pytest.raises(ValueError, match="same length"):
        model.encode(hidden, observed[:4])


def test_noise_comes_from_the_generator_alone():
    model = small(class_mean_vae)
    assert torch.equal(model.generate(LABELS, seeded(5)), model.generate(LABELS, seeded(5)))
    assert not torch.equal(model.generate(LABELS, seeded(5)), model.generate(LABELS, seeded(6)))


def test_a_mean_image_sets_the_output_bias():
    mean_image = torch.rand(1, 28, 28, generator=seeded())
    for build in BUILDERS:
        model = small(build, mean_image=mean_image)
        last = [layer for layer in model.decoder.modules() if isinstance(layer, nn.Linear)][-1]
        assert_close(last.bias.detach(), torch.logit(mean_image.flatten(), eps=1e-3))
        model = small(build, mean_image=mean_image, likelihood=GaussianLikelihood())
        last = [layer for layer in model.decoder.modules() if isinstance(layer, nn.Linear)][-1]
        assert_close(last.bias.detach(), mean_image.flatten())


# ---------------------------------------------------------------- one loop, one evaluation

def brightest_quarter(pictures: torch.Tensor) -> torch.Tensor:
    """(n,) the class that each picture shows."""
    quarters = pictures.unflatten(3, (2, 14)).unflatten(2, (2, 14)).mean((1, 3, 5))      # (n, 2, 2)
    return quarters.flatten(1).argmax(1)


@pytest.mark.parametrize("build", BUILDERS)
def test_both_learn_by_the_loop_of_the_vae(build):
    images, labels = tiny_images(400)
    model = small(build)
    history = fit(model, negative_elbo, (images, labels), validation=(images, labels), epochs=40, batch_size=20,
                  learning_rate=0.02, prepare=data.stochastic, progress=False)
    assert history[-1]["validation_elbo"] > history[0]["validation_elbo"] + 50
    asked = torch.arange(C).repeat(25)
    assert (brightest_quarter(model.generate(asked, seeded())) == asked).float().mean() > 0.95
    asked_wrongly = model.generate((asked + 1) % C, seeded())
    assert (brightest_quarter(asked_wrongly) == asked).float().mean() < 0.05


class ExactPosterior(nn.Module):
    """q(z|x, y) of the linear-Gaussian class-mean model below, exact but for a stretch that keeps the weights from 1."""

    latent_dim = 2

    def __init__(self, weight: torch.Tensor, sigma: float, means: torch.Tensor):
        super().__init__()
        self.weight, self.sigma, self.means = weight, sigma, means
        self.covariance = torch.linalg.inv(torch.eye(2) + weight.T @ weight / sigma ** 2)

    def forward(self, x, c):
        mu = (x @ self.weight / self.sigma ** 2 + c @ self.means) @ self.covariance
        return mu, (1.2 * self.covariance.diagonal()).log().expand_as(mu)


class LinearDecoder(nn.Module):
    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = weight

    def forward(self, z, c):
        return z @ self.weight.T


def exact_model() -> tuple[CVAE, torch.Tensor, list[MultivariateNormal]]:
    """p(x|y) = N(W m_y, WWᵀ + σ²I) for three classes; the model, 40 examples and the three densities."""
    weight, sigma = torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, 0.2]]), 0.7
    prior = ClassMeans(3, 2)
    prior.means.data = torch.tensor([[2.0, 0.0], [0.0, -1.0], [-1.0, 1.5]])
    model = CVAE(ExactPosterior(weight, sigma, prior.means.data), LinearDecoder(weight), OneHot(3),
                 GaussianLikelihood(sigma), prior, input_shape=(3,)).eval()
    covariance = weight @ weight.T + sigma ** 2 * torch.eye(3)
    densities = [MultivariateNormal(weight @ mean, covariance) for mean in prior.means.data]
    return model, 1.5 * torch.randn(40, 3, generator=seeded(4)), densities


def test_the_bounds_lie_below_the_exact_log_density_and_reach_it():
    model, x, densities = exact_model()
    labels = torch.arange(40) % 3
    exact = torch.stack([densities[y].log_prob(row) for row, y in zip(x, labels)])
    with torch.no_grad():
        draws = torch.stack([elbo_terms(model, x, labels, generator=seeded(seed)).elbo for seed in range(2000)])
    of_all = draws.mean(1).double()                             # (2000,) independent estimates of the mean ELBO
    gap = exact.double().mean() - of_all.mean()
    assert gap > 4 * of_all.std() / len(of_all) ** 0.5, "q is not the posterior, so the bound is not tight"
    found = evaluation.log_px(model, x, labels, n_samples=4000, prepare=lambda x: x)
    assert_estimates(found.log_px - exact.double(), 0.0)


@pytest.mark.parametrize("log_prior_y", [None, torch.tensor([0.7, 0.2, 0.1]).log()])
def test_the_class_posterior_is_bayes_rule(log_prior_y):
    model, x, densities = exact_model()
    found = evaluation.class_posterior(model, x, 3, n_samples=4000, prepare=lambda x: x, log_prior_y=log_prior_y)
    prior = torch.full((3,), 1 / 3) if log_prior_y is None else log_prior_y.exp()
    joint = torch.stack([density.log_prob(x).exp() for density in densities], 1) * prior
    assert_close(found.exp(), (joint / joint.sum(1, keepdim=True)).double(), atol=0.02, rtol=0)
    assert_close(torch.logsumexp(found, 1), torch.zeros(40, dtype=torch.float64))


def test_the_class_posterior_names_a_prior_that_does_not_fit():
    model, x, _ = exact_model()
    with pytest.raises(ValueError, match=r"log_prior_y must have shape \(3,\), got \(4,\)"):
        evaluation.class_posterior(model, x, 3, n_samples=2, prepare=lambda x: x, log_prior_y=torch.zeros(4))
    with pytest.raises(ValueError, match=r"labels must lie from 0 to 2 \(num_classes = 3\)"):
        evaluation.class_posterior(model, x, 5, n_samples=2, prepare=lambda x: x)
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 0"):
        evaluation.class_posterior(model, x, 0, n_samples=2, prepare=lambda x: x)


def test_training_against_the_wrong_prior_leaves_the_class_means_untrained():
    """KL to N(0, I) with a sampler around class means: nothing ever moves the means, so all classes are drawn alike."""
    images, labels = tiny_images(200)
    model = small(class_mean_vae)
    nn.init.zeros_(model.prior.means)

    def wrong_loss(model, x, y):
        mu, logvar = model.encode(x, y)
        recon = elbo_terms(model, x, y).recon.mean()
        kl = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).sum(-1).mean()
        return {"loss": kl - recon + 0 * model.prior.means.sum(), "kl": kl}

    fit(model, wrong_loss, (images, labels), epochs=3, batch_size=20, prepare=data.stochastic, progress=False)
    assert not model.prior.means.any()
    drawn = [model.generate(torch.full((5,), y), seeded()) for y in range(C)]
    assert all(torch.equal(drawn[0], others) for others in drawn)
