"""Networks for examples of any shape, and those of the chapters, which must stay what they are, to the last bit."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from exact import assert_estimates
from torch import nn
from torch.testing import assert_close

from vae_course import data, evaluation
from vae_course.conditional import (
    CVAE,
    ClassMeans,
    ConcatCondition,
    IgnoreCondition,
    OneHot,
    class_mean_vae,
    conv_cvae,
    mlp_cvae,
    reference_cvae,
)
from vae_course.models import (
    VAE,
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    DiscretizedLogisticLikelihood,
    GaussianEncoder,
    GaussianLikelihood,
    PixelBias,
    conv_vae,
    mlp_vae,
    reference_vae,
)
from vae_course.models.networks import halved
from vae_course.objectives import elbo_terms, negative_elbo
from vae_course.semi_supervised import SemiSupervisedVAE
from vae_course.training import fit

B, Z, C, HIDDEN = 4, 5, 3, 17
LABELS = torch.tensor([2, 0, 1, 1])
SHAPES = [(1, 8, 8), (3, 48, 32), (3, 9, 15), (1, 28, 28), (4, 13, 40), (3, 33, 8)]
LIKELIHOODS = [BernoulliLikelihood, ContinuousBernoulliLikelihood, GaussianLikelihood, DiscretizedLogisticLikelihood]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(n: int, shape) -> torch.Tensor:
    """(n, *shape) uint8."""
    return torch.randint(0, 256, (n, *shape), generator=seeded(1), dtype=torch.uint8)


BUILDERS = {
    "mlp": lambda shape, **options: mlp_vae(shape, Z, HIDDEN, **options),
    "conv": lambda shape, **options: conv_vae(shape, Z, 3, HIDDEN, **options),
    "mlp with labels": lambda shape, **options: mlp_cvae(shape, C, Z, HIDDEN, **options),
    "conv with labels": lambda shape, **options: conv_cvae(shape, C, Z, 3, HIDDEN, **options),
    "class means": lambda shape, **options: class_mean_vae(C, Z, HIDDEN, input_shape=shape, **options),
    "few labels": lambda shape, **options: SemiSupervisedVAE(shape, C, Z, HIDDEN, 7, **options),
}


def condition(model) -> tuple[torch.Tensor, ...]:
    return (LABELS,) if isinstance(model, CVAE) else ()


# ---------------------------------------------------------------- the networks of the chapters, written out

def written_out_mlp() -> VAE:
    encoder = GaussianEncoder(nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(784, 400)), nn.ReLU()), 400, 20)
    decoder = nn.Sequential(nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784)), nn.Unflatten(1, (1, 28, 28)))
    return VAE(encoder, decoder)


def written_out_conv() -> VAE:
    features = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.SiLU(), nn.Flatten(),
                             nn.Linear(3136, 256), nn.SiLU())
    decoder = nn.Sequential(nn.Linear(20, 256), nn.SiLU(), nn.Linear(256, 3136), nn.SiLU(), nn.Unflatten(1, (64, 7, 7)),
                            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1), PixelBias())
    return VAE(GaussianEncoder(features, 256, 20), decoder)


def written_out_conditional(part, width: int, prior: nn.Module | None) -> CVAE:
    features = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(784 + width, 400)), nn.ReLU())
    net = nn.Sequential(nn.Sequential(nn.Linear(20 + width, 400), nn.ReLU(), nn.Linear(400, 784)),
                        nn.Unflatten(1, (1, 28, 28)))
    return CVAE(GaussianEncoder(part(features), 400, 20), part(net), OneHot(10), prior=prior)


@pytest.mark.parametrize(("build", "by_hand"), [
    (reference_vae, written_out_mlp),
    (lambda: mlp_vae((1, 28, 28)), written_out_mlp),
    (conv_vae, written_out_conv),
    (lambda: conv_vae(latent_dim=20, depth=2), written_out_conv),
    (reference_cvae, lambda: written_out_conditional(partial(ConcatCondition, gain=10.0), 10, None)),
    (lambda: mlp_cvae((1, 28, 28)), lambda: written_out_conditional(partial(ConcatCondition, gain=10.0), 10, None)),
    (class_mean_vae, lambda: written_out_conditional(IgnoreCondition, 0, ClassMeans(10, 20))),
])
def test_the_networks_of_the_chapters_are_what_they_were(build, by_hand):
    """Names, shapes, order and every random number: a chapter's output and an old checkpoint depend on them."""
    torch.manual_seed(3)
    model = build()
    after = torch.rand(3)
    torch.manual_seed(3)
    expected = by_hand()
    assert torch.equal(after, torch.rand(3)), "no more and no fewer random numbers were drawn"
    assert repr(model) == repr(expected), "a checkpoint compares this"
    assert list(model.state_dict()) == list(expected.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), expected.state_dict().values()))


# ---------------------------------------------------------------- any shape

@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BUILDERS)
def test_any_picture_goes_in_and_out(name, shape):
    torch.manual_seed(0)
    model = BUILDERS[name](shape, likelihood=DiscretizedLogisticLikelihood())
    x, y = data.grey(pixels(B, shape)), condition(model)
    mu, logvar = model.encode(x, *y)
    assert mu.shape == logvar.shape == (B, Z) and model.input_shape == shape
    assert model.decode(mu, *y).shape == model.reconstruct(x, *y).shape == x.shape
    assert model.generate(*(y or (B,))).shape == x.shape
    negative_elbo(model, x, *y)["loss"].backward()
    trained = [p for part, p in model.named_parameters() if not part.startswith("classifier")]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)


@pytest.mark.parametrize("name", ["conv", "conv with labels"])
def test_every_pixel_is_seen_and_made_also_where_a_side_is_odd(name):
    model = BUILDERS[name]((2, 11, 15), activation=nn.Tanh)
    x, y = torch.rand(1, 2, 11, 15, generator=seeded(), requires_grad=True), condition(model)[:1]
    y = tuple(part[:1] for part in y)
    model.encode(x, *y)[0].sum().backward()
    assert (x.grad != 0).all()
    z = torch.randn(1, Z, generator=seeded())
    bias = next(module for module in model.modules() if isinstance(module, PixelBias)).bias
    last = [module for module in model.modules() if isinstance(module, nn.ConvTranspose2d)][-1].bias.detach()
    made = model.decode(z, *y)[0] - bias - last.view(-1, 1, 1)
    assert (made != 0).all(), "the row and column that the halving rounded off are made of the code too"


@pytest.mark.parametrize(("sides", "depth", "expected"), [
    ((28, 28), None, [(28, 28), (14, 14), (7, 7)]), ((8, 8), None, [(8, 8), (4, 4)]), ((15, 99), None, [(15, 99), (7, 49)]),
    ((48, 32), None, [(48, 32), (24, 16), (12, 8), (6, 4)]), ((64, 64), 1, [(64, 64), (32, 32)]),
    ((9, 8), 3, [(9, 8), (4, 4), (2, 2), (1, 1)]), ((16, 16), None, [(16, 16), (8, 8), (4, 4)]),
])
def test_sides_are_halved_while_four_pixels_are_left(sides, depth, expected):
    assert halved((3, *sides), depth) == expected
    features = conv_vae((3, *sides), 2, 2, 3, depth).encoder.features
    x, seen = torch.zeros(1, 3, *sides), []
    for layer in features:
        x = layer(x)
        seen += [tuple(x.shape[2:])] if isinstance(layer, nn.Conv2d) else []
    assert seen == expected[1:]


def test_channels_double_up_to_eight_times():
    layers = conv_vae((1, 200, 130), 2, 3, 5).encoder.features
    assert [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)] == [3, 6, 12, 24, 24]


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "few labels"])
def test_a_mean_image_is_where_a_network_of_any_shape_begins(name):
    shape = (3, 9, 15)
    mean = torch.rand(shape, generator=seeded(5))
    for likelihood in LIKELIHOODS:
        models = []
        for start in (mean, None):
            torch.manual_seed(0)
            models.append(BUILDERS[name](shape, likelihood=likelihood(), mean_image=start))
        with_it, without = models
        z, y = torch.zeros(B, Z), condition(with_it)
        layers = [m for m in without.decoder.modules() if isinstance(m, nn.Linear | PixelBias)]
        first = layers[-1].bias.detach().view(shape)
        change = (with_it.decode(z, *y) - without.decode(z, *y)).detach()[1] + first
        means = likelihood in (GaussianLikelihood, DiscretizedLogisticLikelihood)
        assert_close(change, mean if means else torch.logit(mean, eps=1e-3), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", BUILDERS)
def test_colour_trains_with_every_likelihood(name, likelihood):
    torch.manual_seed(0)
    model, images = BUILDERS[name]((3, 10, 8), likelihood=likelihood()), pixels(30, (3, 10, 8)) // 3
    labels = torch.arange(30) % C
    given = (images, labels) if isinstance(model, CVAE) else images
    losses = fit(model, negative_elbo, given, epochs=6, batch_size=10, prepare=data.grey, progress=False, learning_rate=0.01)
    assert losses.column("train_loss")[-1] < losses.column("train_loss")[0]
    assert model.reconstruct(data.grey(images[:B]), *condition(model)).isfinite().all()


# ---------------------------------------------------------------- the rows of a table

def table(n: int = 200, d: int = 12) -> torch.Tensor:
    """(n, d) float32 on any scale, with two directions that matter."""
    z = torch.randn(n, 2, generator=seeded(3))
    return 5 + z @ torch.randn(2, d, generator=seeded(4)) * 3 + 0.1 * torch.randn(n, d, generator=seeded(5))


def test_a_table_is_trained_and_judged_like_pictures_that_hold_the_same_numbers():
    """The same weights, once as (12,) and once as (1, 3, 4): all numbers must agree."""
    x, results = table(), []
    for shape in ((12,), (1, 3, 4)):
        torch.manual_seed(0)
        model = mlp_vae(shape, 4, HIDDEN, nn.Tanh, GaussianLikelihood(learn_sigma=True), mean_image=x.mean(0))
        rows = x.view(-1, *shape)
        history = fit(model, negative_elbo, rows[:160], validation=rows[160:], epochs=30, batch_size=20, learning_rate=0.01,
                      prepare=data.unchanged, progress=False)
        test = evaluation.test_elbo(model, rows[160:], prepare=data.unchanged)
        log_px = evaluation.log_px(model, rows[160:], n_samples=50, prepare=data.unchanged)
        results.append([*history.column("train_loss"), *history.column("validation_loss"), test.elbo.mean,
                        log_px.estimate.mean, *evaluation.active_units(model, rows, prepare=data.unchanged).tolist(),
                        *evaluation.kl_per_latent(model, rows, prepare=data.unchanged).tolist(),
                        *model.reconstruct(rows[:2]).flatten().tolist(), *model.generate(2, seeded()).flatten().tolist(),
                        *model.posterior(rows[0])[0].tolist(),
                        *elbo_terms(model, rows[:3], generator=seeded()).recon.tolist()])
        assert log_px.estimate.mean > test.elbo.mean, "L_K is above the ELBO"
        assert (model.reconstruct(rows[160:]) - rows[160:]).square().mean() < 0.2 * x.var(0).mean()
    assert_close(results[0], results[1])


def test_log_px_of_a_table_that_a_linear_model_explains_is_the_exact_one():
    """Decoder W z + b with σ: p(x) = N(b, W Wᵀ + σ²)."""
    torch.manual_seed(0)
    model = mlp_vae(5, 2, 7, nn.Identity, GaussianLikelihood(0.8))
    first, last = (layer for layer in model.decoder[0] if isinstance(layer, nn.Linear))
    w = last.weight @ first.weight
    b = last.weight @ first.bias + last.bias
    exact = torch.distributions.MultivariateNormal(b, w @ w.T + 0.64 * torch.eye(5))
    x = exact.sample((300,))
    found = evaluation.log_px(model, x, n_samples=3000, prepare=data.unchanged)
    assert_close(found.log_px.float(), exact.log_prob(x).detach(), rtol=0, atol=0.15)
    assert_estimates(found.log_px - exact.log_prob(x).detach().double(), 0.0)


@pytest.mark.parametrize("name", ["mlp", "mlp with labels", "class means", "few labels"])
def test_each_network_that_is_not_convolutional_takes_rows(name):
    model = BUILDERS[name]((6,), likelihood=GaussianLikelihood())
    x = table(B, 6)
    assert elbo_terms(model, x, *condition(model)).elbo.shape == (B,)
    one = [1] if condition(model) else []
    with pytest.raises(ValueError, match=r"no picture of an example of shape \(6,\).*model.decode"):
        model.picture(np.zeros(Z), *one)
    mu, sigma = model.posterior(x[2].numpy(), *one)
    assert_close(torch.from_numpy(mu), model.encode(x[2:3], *([LABELS[2:3]] if one else []))[0][0].detach())


def test_the_number_of_columns_alone_will_do():
    assert mlp_vae(6).input_shape == mlp_vae((6,)).input_shape == mlp_vae(np.int64(6)).input_shape == (6,)
    assert mlp_vae([3, 9, 7]).input_shape == mlp_vae(torch.Size([3, 9, 7])).input_shape == (3, 9, 7)


# ---------------------------------------------------------------- pictures in the order that a reader has

@pytest.mark.parametrize("name", BUILDERS)
def test_a_picture_in_colour_has_its_colours_last(name):
    model = BUILDERS[name]((3, 9, 15), likelihood=ContinuousBernoulliLikelihood())
    z, one = torch.randn(Z, generator=seeded()), [1] if isinstance(model, CVAE) else []
    expected = model.likelihood.mean(model.decode(z[None], *(torch.tensor([y]) for y in one)))[0].detach()
    picture = model.picture(z.numpy(), *one)
    assert picture.shape == (9, 15, 3) and picture.dtype == np.float32
    for colour in range(3):
        assert_close(torch.from_numpy(picture[:, :, colour].copy()), expected[colour])
    assert BUILDERS[name]((1, 9, 15)).picture(z.numpy(), *one).shape == (9, 15)
    with pytest.raises(ValueError, match=r"no picture of an example of shape \(2, 9, 15\)"):
        BUILDERS[name]((2, 9, 15)).picture(z.numpy(), *one)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("colours", [1, 3])
def test_posterior_takes_a_picture_in_any_order_and_type(name, colours):
    model = BUILDERS[name]((colours, 9, 15), likelihood=DiscretizedLogisticLikelihood())
    x, one = pixels(1, (colours, 9, 15)), [1] if isinstance(model, CVAE) else []
    expected = model.encode(data.grey(x), *(torch.tensor([y]) for y in one))[0][0].detach()
    x = x[0]
    forms = [x, x.numpy(), x.permute(1, 2, 0), x.permute(1, 2, 0).numpy(), data.grey(x), data.grey(x).double().numpy()]
    for image in forms + ([x[0], x[0].numpy(), data.grey(x[0]).numpy().astype(">f8")] if colours == 1 else []):
        mu, sigma = model.posterior(image, *one)
        assert_close(torch.from_numpy(mu), expected, rtol=1e-4, atol=1e-5)
        assert mu.shape == sigma.shape == (Z,) and (sigma > 0).all()


@pytest.mark.parametrize(("shape", "image", "error", "words"), [
    ((3, 9, 15), np.zeros((9, 15)), ValueError, r"shape \(3, 9, 15\), got \(9, 15\): np.stack\(\[image\] \* 3\)"),
    ((3, 9, 15), np.zeros((15, 9, 3)), ValueError, r"image must have shape \(3, 9, 15\), got \(15, 9, 3\)"),
    ((3, 9, 15), np.zeros((9, 15, 4)), ValueError, r"image must have shape \(3, 9, 15\), got \(9, 15, 4\)"),
    ((6,), np.zeros(6, np.uint8), TypeError, "image must hold the floats of a row of a table.*got uint8"),
    ((6,), np.zeros(7), ValueError, r"image must have shape \(6,\), got \(7,\)"),
    ((6,), np.array(["a"] * 6), TypeError, "image must hold numbers, got <U1"),
    ((1, 9, 15), "photo.png", TypeError, "image must hold numbers"),
    ((1, 9, 15), np.full((9, 15), 200.0), ValueError, r"x must lie in \[0, 1\].*0–255"),
    ((1, 9, 15), np.full((9, 15), np.nan), ValueError, r"x must lie in \[0, 1\]"),
])
def test_an_image_that_does_not_fit_is_named(shape, image, error, words):
    with pytest.raises(error, match=words):
        mlp_vae(shape, Z).posterior(image)


# ---------------------------------------------------------------- errors name the argument and the way out

BAD_SHAPES = [
    ((28, 28), r"got \(28, 28\): say \(1, 28, 28\) for grey pictures, \(3, 28, 28\) for colour"),
    ((28, 28, 1), r"got \(28, 28, 1\): channels first, \(1, 28, 28\)"),
    ((48, 32, 3), r"channels first, \(3, 48, 32\), and x.permute\(0, 3, 1, 2\)"),
    ((60000, 1, 28, 28), r"leave out the number of examples, \(1, 28, 28\)"),
    ((0, 28, 28), r"whole numbers ≥ 1, got \(0, 28, 28\)"), ((1, -28, 28), "whole numbers ≥ 1"),
    ((1.0, 28.0, 28.0), r"of whole numbers, got \(1.0, 28.0, 28.0\)"), ("28x28", "of whole numbers, got '28x28'"),
    ((), r"got \(\)"), (None, "got None"), ((1, 28, "28"), "of whole numbers"), ((True, 28, 28), "of whole numbers"),
    ((1, 2, 3, 4, 5), r"got \(1, 2, 3, 4, 5\)"), ({1: 2}, "of whole numbers"), (28.0, "of whole numbers, got 28.0"),
]


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "few labels"])
@pytest.mark.parametrize(("shape", "words"), BAD_SHAPES)
def test_a_shape_that_cannot_be_is_named(name, shape, words):
    with pytest.raises(ValueError, match=rf"input_shape must be \(channels, height, width\).*{words}"):
        BUILDERS[name](shape)


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: conv_vae((1, 7, 28)), ValueError, r"sides of at least 8 for convolutions, got \(1, 7, 28\): take mlp_vae"),
    (lambda: conv_vae((3, 28, 4)), ValueError, "sides of at least 8"),
    (lambda: conv_vae((784,)), ValueError, r"got \(784,\): take mlp_vae"),
    (lambda: conv_vae(20), ValueError, r"input_shape.*got \(20,\)"),
    (lambda: conv_cvae((10, 7, 7)), ValueError, "sides of at least 8"),
    (lambda: conv_vae((1, 28, 20), depth=5), ValueError, "depth must be .* from 1 to 4.*a side of 20.*got 5.*for 2"),
    (lambda: conv_vae(depth=0), ValueError, "depth must be a whole number from 1 to 4, .*got 0"),
    (lambda: conv_vae(depth=2.0), ValueError, "depth must be a whole number from 1 to 4, .*got 2.0"),
    (lambda: mlp_vae(6, latent_dim=0), ValueError, "latent_dim must be a whole number ≥ 1, got 0"),
    (lambda: mlp_vae(6, hidden_dim=20.5), ValueError, "hidden_dim must be a whole number ≥ 1, got 20.5"),
    (lambda: mlp_vae(6, latent_dim="20"), ValueError, "latent_dim must be a whole number ≥ 1, got '20'"),
    (lambda: conv_vae(channels=-1), ValueError, "channels must be a whole number ≥ 1, got -1"),
    (lambda: SemiSupervisedVAE((6,), classifier_dim=0), ValueError, "classifier_dim must be a whole number ≥ 1"),
    (lambda: SemiSupervisedVAE((6, 0)), ValueError, "input_shape must be"),
    (lambda: mlp_vae(6, activation=nn.ReLU()), TypeError, r"activation must make.*got ReLU\(\): leave out the brackets"),
    (lambda: mlp_vae(6, activation="relu"), TypeError, "activation must make a layer.*nn.ReLU.*got 'relu'"),
    (lambda: mlp_vae(6, activation=torch.relu), TypeError, "activation must make a layer"),
    (lambda: mlp_vae(6, activation=dict), TypeError, "activation must make a layer.*makes a dict"),
    (lambda: mlp_vae(6, likelihood=GaussianLikelihood), TypeError,
     r"likelihood must have log_prob, mean, sample.*the class GaussianLikelihood: GaussianLikelihood\(\), with brackets"),
    (lambda: conv_vae(likelihood="gaussian"), TypeError, r"likelihood must have log_prob.*GaussianLikelihood\(\).*got str"),
    (lambda: conv_vae(likelihood=nn.MSELoss()), TypeError, "likelihood must have log_prob.*got MSELoss"),
    (lambda: mlp_cvae((3, 9, 9), label_gain=0), ValueError, "label_gain must be positive, got 0"),
    (lambda: conv_cvae((3, 9, 9), label_gain="loud"), ValueError, "label_gain must be positive, got 'loud'"),
    (lambda: mlp_cvae((3, 9, 9), num_classes=1), ValueError, "num_classes must be a whole number ≥ 2"),
    (lambda: mlp_vae((3, 9, 9), mean_image=torch.zeros(9, 9)), ValueError, r"mean_image must have 243 pixels, got \(9, 9\)"),
    (lambda: VAE(nn.Flatten(), nn.Identity()), TypeError, "encoder must have .*latent_dim.*GaussianEncoder.*got Flatten"),
    (lambda: VAE(GaussianEncoder(nn.Flatten(), 6, 2), nn.Identity(), "mse"), TypeError, "likelihood must have log_prob"),
])
def test_errors_name_the_argument(call, error, words):
    with pytest.raises(error, match=words):
        call()


GREY, COLOUR = (1, 9, 15), (3, 9, 15)
NUMPY = np.zeros((B, 9, 15), np.float32)


@pytest.mark.parametrize(("shape", "x", "error", "words"), [
    (GREY, torch.zeros(B, 1, 9, 15, dtype=torch.uint8), TypeError, r"uint8.*data.grey\(x\)"),
    (GREY, torch.zeros(B, 1, 9, 15, dtype=torch.int64), TypeError, r"int64.*x.float\(\)"),
    (GREY, torch.zeros(B, 1, 9, 15, dtype=torch.bool), TypeError, r"bool.*x.float\(\)"),
    (GREY, torch.zeros(B, 1, 9, 15, dtype=torch.float64), TypeError, r"float32.*float64.*x.float\(\)"),
    (GREY, torch.zeros(B, 1, 9, 15, dtype=torch.float16), TypeError, r"float32.*float16.*x.float\(\)"),
    (GREY, NUMPY, TypeError, r"ndarray; torch.as_tensor\(x, dtype=torch.float32\)"),
    (GREY, [[0.0]], TypeError, "list; torch.as_tensor"),
    (GREY, None, TypeError, "NoneType"),
    (GREY, torch.zeros(B, 9, 15), ValueError, r"\(B, 1, 9, 15\), got \(4, 9, 15\): x.unsqueeze\(1\)"),
    (COLOUR, torch.zeros(B, 9, 15, 3), ValueError, r"\(B, 3, 9, 15\), got \(4, 9, 15, 3\): x.permute\(0, 3, 1, 2\)"),
    (COLOUR, torch.zeros(3, 9, 15), ValueError, r"got \(3, 9, 15\): x.unsqueeze\(0\)"),
    (GREY, torch.zeros(9, 15), ValueError, r"got \(9, 15\): x\[None, None\]"),
    (COLOUR, torch.zeros(9, 15, 3), ValueError, r"x.permute\(2, 0, 1\).unsqueeze\(0\)"),
    (COLOUR, torch.zeros(B, 405), ValueError, r"x.reshape\(-1, 3, 9, 15\)"),
    (GREY, torch.zeros(B, 1, 9, 16), ValueError, r"got \(4, 1, 9, 16\).*models.mlp_vae\(\(1, 9, 16\)\)"),
    ((135,), torch.zeros(B, 1, 9, 15), ValueError, r"\(B, 135\), got \(4, 1, 9, 15\): x.reshape\(-1, 135\)"),
    ((6,), torch.zeros(6), ValueError, r"\(B, 6\), got \(6,\): x.unsqueeze\(0\)"),
    ((6,), torch.zeros(B, 6, dtype=torch.float64), TypeError, r"x.float\(\)"),
])
@pytest.mark.parametrize("use", [lambda model, x: model.encode(x), lambda model, x: model.reconstruct(x),
                                 lambda model, x: negative_elbo(model, x)], ids=["encode", "reconstruct", "elbo"])
def test_what_is_no_example_is_told_with_the_call_that_mends_it(use, shape, x, error, words):
    with pytest.raises(error, match=rf"^x must .*{words}"):
        use(mlp_vae(shape, Z, HIDDEN, likelihood=GaussianLikelihood()), x)


@pytest.mark.parametrize(("z", "error", "words"), [
    (torch.zeros(B, Z, dtype=torch.float64), TypeError, r"float32.*float64: z.to\(torch.float32\)"),
    (np.zeros((B, Z)), TypeError, "ndarray; torch.as_tensor"), (torch.zeros(Z), ValueError, r"got \(5,\): z.unsqueeze\(0\)"),
    (torch.zeros(B, Z, dtype=torch.int64), TypeError, r"int64; z.float\(\)"),
])
@pytest.mark.parametrize("name", BUILDERS)
def test_what_is_no_code_is_told_with_the_call_that_mends_it(name, z, error, words):
    model = BUILDERS[name]((1, 9, 15))
    with pytest.raises(error, match=rf"^z must .*{words}"):
        model.decode(z, *condition(model))


def test_a_model_in_double_precision_takes_doubles():
    model = mlp_vae(GREY, Z, HIDDEN, likelihood=GaussianLikelihood()).double()
    assert model.encode(torch.zeros(B, *GREY, dtype=torch.float64))[0].shape == (B, Z)
    with pytest.raises(TypeError, match=r"x must be torch.float64, as the model's weights are, got torch.float32"):
        model.encode(torch.zeros(B, *GREY))


class Wrong(nn.Module):
    """An encoder of a reader's own that returns `what`."""

    latent_dim = Z

    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        return self.what


@pytest.mark.parametrize(("what", "words"), [
    ((torch.zeros(B, Z), torch.zeros(B, 1)), r"got \(4, 5\), \(4, 1\)"),
    ((torch.zeros(B, 7), torch.zeros(B, 7)), r"got \(4, 7\), \(4, 7\)"),
    ((torch.zeros(Z), torch.zeros(Z)), r"got \(5,\), \(5,\)"),
    (torch.zeros(B, 2 * Z), "got one Tensor"),
    ((torch.zeros(B, Z),), r"got \(4, 5\):"), (None, "got one NoneType"),
    ((torch.zeros(B, Z), None), r"got \(4, 5\), \(\)"),
])
def test_an_encoder_that_gives_something_else_is_named(what, words):
    model = VAE(Wrong(what), nn.Identity(), input_shape=(6,))
    with pytest.raises(ValueError, match=rf"encoder must give a pair .* = \(4, 5\), {words}.*GaussianEncoder"):
        model.encode(torch.zeros(B, 6))


@pytest.mark.parametrize(("features", "shape"), [
    (nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), (3, 9, 15)), (nn.Linear(135, 3), (1, 9, 15)),
    (nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten()), (3, 9, 15)), (nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), (6,)),
])
def test_layers_that_do_not_fit_are_told_by_the_part_that_they_are_in(features, shape):
    model = VAE(GaussianEncoder(features, 3, Z), nn.Linear(Z + 1, 6), GaussianLikelihood(), shape)
    with pytest.raises(ValueError, match=rf"the encoder's layers do not fit what it is given, \(4, {shape[0]}.*torch says"):
        model.encode(torch.zeros(B, *shape))
    with pytest.raises(ValueError, match=r"the decoder's layers do not fit what it is given, \(4, 5\)"):
        model.decode(torch.zeros(B, Z))


def test_an_error_of_another_kind_is_left_as_it_is():
    class Broken(Wrong):
        def forward(self, x):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="^out of memory$"):
        VAE(Broken(None), nn.Identity(), input_shape=(6,)).encode(torch.zeros(B, 6))


@pytest.mark.parametrize("name", ["mlp", "conv with labels"])
def test_the_loss_is_one_graph_for_the_compiler(name):
    """No check may break the graph: benchmarks/gpu_speed.py compiles the loss as a whole."""
    model, x = BUILDERS[name]((1, 9, 15), likelihood=DiscretizedLogisticLikelihood()), data.grey(pixels(B, (1, 9, 15)))
    y = condition(model)
    compiled = torch.compile(lambda x: negative_elbo(model, x, *y)["kl"], backend="eager", fullgraph=True)
    assert_close(compiled(x), negative_elbo(model, x, *y)["kl"])


def test_a_copy_keeps_the_architecture_and_shares_nothing():
    model = conv_vae((3, 48, 32), activation=nn.ReLU)
    again = copy.deepcopy(model).to(torch.float32).eval()
    assert again.architecture == model.architecture and again.architecture is not model.architecture
    assert model.architecture["builder"] == "conv_vae" and model.architecture["arguments"]["input_shape"] == [3, 48, 32]


def test_a_louder_label_goes_with_a_larger_picture():
    assert mlp_cvae((1, 28, 28)).decoder.gain == 10.0
    assert mlp_cvae((3, 56, 56)).decoder.gain == pytest.approx(10 * math.sqrt(12))
