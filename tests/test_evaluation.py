"""Evaluation against exact values, quadrature and repetition. Its noise comes from seeds, so these tests always agree."""

import math
import os
import re
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from exact import LinearGaussianVAE, assert_estimates, mean_and_error, toy_vae, wide_vae
from torch import nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from vae_course import data, evaluation, models, runtime
from vae_course.conditional import class_mean_vae
from vae_course.evaluation import (
    BLOCK,
    Estimate,
    active_units,
    calibration,
    estimate,
    kl_per_latent,
    log_px,
    test_elbo,
)
from vae_course.models import GaussianLikelihood, reference_vae


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The tensors are tiny: several threads only wait for each other, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def as_they_are(images: torch.Tensor) -> torch.Tensor:
    """A `prepare` for examples that are pixels already."""
    return images


def noisy(images: torch.Tensor) -> torch.Tensor:
    """A `prepare` that draws random numbers, as the stochastic binarization does."""
    return images + 0.3 * torch.randn_like(images)


def small_vae(latent_dim: int = 3, hidden_dim: int = 11):
    torch.manual_seed(0)
    return reference_vae(latent_dim, hidden_dim)


def grey_images(n: int) -> torch.Tensor:
    """(n, 1, 28, 28) uint8."""
    return torch.randint(0, 256, (n, 1, 28, 28), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


class LabelledVAE(LinearGaussianVAE):
    """The exact model with 2·label added to every pixel: a wrong label costs many nats."""

    def encode(self, x, label):
        return super().encode(x - 2 * label[:, None])

    def decode(self, z, label):
        return super().decode(z) + 2 * label[:, None]

    def log_prior(self, z, label):
        return super().log_prior(z)

    def kl(self, mu, logvar, label):
        return super().kl(mu, logvar)


def labelled_vae(shift: float = 0.0) -> LabelledVAE:
    """One latent, so that q is the exact posterior where the shift is 0."""
    return LabelledVAE(torch.tensor([[1.0], [-0.5], [0.3]]), torch.zeros(3), 0.6, shift * torch.ones(1))


# ---------------------------------------------------------------- means and their errors

def test_estimate_is_the_mean_and_its_standard_error():
    values = torch.tensor([1.0, 2.0, 4.0, 9.0])
    mean, error = estimate(values)
    assert mean == pytest.approx(4.0)
    assert error == pytest.approx(math.sqrt((9 + 4 + 0 + 25) / 3 / 4))
    assert str(Estimate(-98.7654, 0.4321)) == "-98.77 ± 0.43"


def test_estimate_adds_up_many_large_values_without_loss():
    values = 1e4 + torch.linspace(-1, 1, 100_001)
    assert estimate(values).mean == pytest.approx(values.double().mean().item(), abs=1e-9)


@pytest.mark.parametrize("values", [torch.zeros(1), torch.zeros(0), torch.zeros(3, 2), torch.tensor(1.0)])
def test_estimate_needs_two_values(values):
    with pytest.raises(ValueError, match=r"values must have shape \(N,\)"):
        estimate(values)


# ---------------------------------------------------------------- the test ELBO

def test_test_elbo_agrees_with_the_exact_terms():
    model = wide_vae()
    x = model.draw(2500, seed=1)
    result = test_elbo(model, x, prepare=as_they_are)
    exact_kl = model.kl(*model.encode(x))
    assert result.rate.mean == pytest.approx(exact_kl.mean().item(), rel=1e-5)
    for found, exact in ((result.elbo, model.exact_elbo(x)), (result.distortion, -model.exact_recon(x))):
        assert abs(found.mean - exact.mean().item()) < 3 * found.standard_error
        # The error that is stated also holds the spread of the examples, so the noise of z alone must be well below it.
        assert abs(found.mean - exact.mean().item()) < found.standard_error
    assert result.elbo.mean == pytest.approx(-result.distortion.mean - result.rate.mean, rel=1e-5)


def test_standard_error_is_the_spread_over_test_sets():
    model = wide_vae()
    results = [test_elbo(model, model.draw(60, seed), prepare=as_they_are, seed=seed) for seed in range(200)]
    for term in ("elbo", "distortion", "rate"):
        means = torch.tensor([getattr(result, term).mean for result in results])
        stated = torch.tensor([getattr(result, term).standard_error for result in results])
        assert means.std().item() == pytest.approx(stated.mean().item(), rel=0.15)


def test_elbo_repeats_with_its_seed_alone():
    model, x = wide_vae(), torch.zeros(5, 5)
    assert test_elbo(model, x, prepare=noisy, seed=3) == test_elbo(model, x, prepare=noisy, seed=3)
    assert test_elbo(model, x, prepare=noisy, seed=3) != test_elbo(model, x, prepare=noisy, seed=4)


def test_the_draws_of_z_are_independent_of_the_binarization():
    # One seed for both would make z a function of the very numbers that binarize x; then this mean is −0.1, not 0.
    model = toy_vae()
    model.encode = lambda x: (torch.zeros_like(x), torch.zeros_like(x))
    model.decode = lambda z: z
    model.likelihood.log_prob = lambda x, z: (x * z).squeeze(1)
    result = test_elbo(model, torch.zeros(BLOCK, 1), prepare=lambda images: torch.rand_like(images) - 0.5)
    assert abs(result.distortion.mean) < 3 * result.distortion.standard_error


# ---------------------------------------------------------------- the estimate of log p(x)

def test_log_px_is_exact_when_q_is_the_posterior():
    model = toy_vae(shift=0.0, stretch=1.0)
    x = model.draw(2 * BLOCK + 300, seed=2)  # three blocks, the last one shorter
    result = log_px(model, x, n_samples=3, prepare=as_they_are)
    assert_close(result.log_px.float(), model.log_px(x), rtol=1e-4, atol=1e-4)
    assert result.monte_carlo.max() < 1e-3
    assert result.n_samples == 3


def test_log_px_has_the_values_of_the_course():
    ones = torch.ones(2000, 1)
    one_sample = log_px(toy_vae(), ones, n_samples=1, prepare=as_they_are)
    assert_estimates(one_sample.log_px, -2.0744)
    many = log_px(toy_vae(), ones[:40], n_samples=5000, prepare=as_they_are)
    assert_estimates(many.log_px, -1.57706)


def test_the_bound_rises_with_k_from_the_elbo_to_log_px():
    ones, exact, below = torch.ones(4000, 1), -1.57706, -float("inf")
    for k in (1, 2, 5, 20, 100):
        mean, error = mean_and_error(log_px(toy_vae(), ones, n_samples=k, prepare=as_they_are, seed=k).log_px)
        assert below < mean < exact + 3 * error, f"K = {k}: {mean:.4f} ± {error:.4f} after {below:.4f}"
        below = mean + 3 * error if k < 20 else mean  # so near to log p(x) the steps are smaller than three errors


def test_log_px_agrees_with_the_exact_value_within_the_error_it_states():
    model = wide_vae()
    x = model.draw(7, seed=3)
    result = log_px(model, x, n_samples=2000, prepare=as_they_are)
    assert result.log_px.shape == result.monte_carlo.shape == (7,)
    assert ((result.log_px - model.log_px(x)).abs() < 3 * result.monte_carlo).all()


def test_the_stated_monte_carlo_error_is_the_spread_over_seeds():
    model = wide_vae()
    x = model.draw(6, seed=4)
    results = [log_px(model, x, n_samples=300, prepare=as_they_are, seed=seed) for seed in range(100)]
    values = torch.stack([result.log_px for result in results])             # (100, 6)
    stated = torch.stack([result.monte_carlo for result in results])
    # The spread of 100 values is known to 1/√200 = 7 %.
    assert_close(values.std(0), stated.mean(0), rtol=0.25, atol=0)
    assert values.std(0).mean().item() == pytest.approx(stated.mean().item(), rel=0.1)


def test_log_px_is_low_by_about_half_its_squared_error():
    model = toy_vae(shift=0.1, stretch=1.3)
    result = log_px(model, torch.ones(20_000, 1), n_samples=10, prepare=as_they_are)
    low, error = mean_and_error(result.log_px - model.log_px(torch.ones(1, 1)).item())
    expected = -0.5 * result.monte_carlo.square().mean().item()
    assert low < -3 * error
    assert low == pytest.approx(expected, rel=0.2)


def test_the_estimate_over_examples_is_their_mean():
    result = log_px(wide_vae(), wide_vae().draw(50, seed=5), n_samples=20, prepare=as_they_are)
    assert result.estimate == estimate(result.log_px)


def test_log_px_of_a_small_vae_agrees_with_quadrature_over_its_latent():
    model, images = small_vae(latent_dim=1), grey_images(4)
    x = data.grey(images)
    z = torch.linspace(-8, 8, 2001)[:, None]
    with torch.no_grad():
        recon_logits, log_prior = model.decode(z), model.log_prior(z)
        joint = torch.stack([model.likelihood.log_prob(image.expand_as(recon_logits), recon_logits) for image in x])
    exact = torch.logsumexp((joint + log_prior).double(), 1) + math.log(16 / 2000)      # (4, 2001) to (4,)
    result = log_px(model, images, n_samples=3000, prepare=data.grey)
    assert ((result.log_px - exact).abs() < 4 * result.monte_carlo + 1e-3).all()
    assert test_elbo(model, images, prepare=data.grey).elbo.mean < exact.mean().item()


def test_labels_stay_with_their_images():
    model = labelled_vae()
    label = torch.arange(BLOCK + 200) % 10
    x = model.draw(len(label), seed=6) + 2 * label[:, None]
    result = log_px(model, x, label, n_samples=3, prepare=as_they_are, memory=40_000)
    exact = model.log_px(x - 2 * label[:, None])
    assert_close(result.log_px.float(), exact, rtol=1e-3, atol=1e-3)
    assert abs(test_elbo(model, x, label, prepare=as_they_are).elbo.mean - exact.mean().item()) < 0.1


# ---------------------------------------------------------------- memory

def rows_decoded(model) -> list[int]:
    """A list that grows by the number of rows whenever the decoder is called; its first entry is the probe of one row."""
    rows: list[int] = []
    model.decoder.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    return rows


@pytest.mark.parametrize("memory", [12_000, 50_000, 300_000, 2**28])
def test_log_px_does_not_depend_on_the_memory(memory):
    model = wide_vae()
    x = model.draw(23, seed=7)
    result = log_px(model, x, n_samples=101, prepare=as_they_are, memory=memory)
    assert ((result.log_px - model.log_px(x)).abs() < 4 * result.monte_carlo).all()
    assert_close(result.monte_carlo, log_px(model, x, n_samples=101, prepare=as_they_are).monte_carlo, rtol=0.5, atol=0)


def test_every_sample_of_every_image_is_decoded_within_the_memory():
    for memory in (10_000, 30_000, 100_000, 1_000_000):
        model = wide_vae()
        rows = rows_decoded(model)
        log_px(model, torch.zeros(23, 5), n_samples=101, prepare=as_they_are, memory=memory)
        assert sum(rows) == 1 + 23 * 101
        assert max(rows) * 4 * (5 + 5 + 2) <= memory  # at the very least x, recon and z of each row, in float32


def test_more_memory_takes_fewer_calls():
    calls = []
    for memory in (10_000, 100_000, 100_000_000):
        model = wide_vae()
        rows = rows_decoded(model)
        log_px(model, torch.zeros(23, 5), n_samples=101, prepare=as_they_are, memory=memory)
        calls.append(len(rows))
    assert calls[0] > calls[1] > calls[2] == 2


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive at the same time, as they are made and dropped."""

    def __init__(self):
        super().__init__()
        self.now, self.peak, self.known = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def add(self, storage) -> None:
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.now += storage.nbytes()
            weakref.finalize(storage, self.drop, storage._cdata, storage.nbytes())

    def drop(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def peak_bytes(call) -> int:
    with LiveBytes() as live:
        call()
    return live.peak


@pytest.mark.parametrize("memory", [2**20, 2**22, 2**24])
@pytest.mark.parametrize("n_samples", [7, 100])
def test_the_tensors_of_a_chunk_fit_into_the_memory(memory, n_samples):
    model, images = small_vae(latent_dim=5, hidden_dim=60), grey_images(25)
    block = peak_bytes(lambda: data.stochastic(images))  # the prepared images are there besides
    peak = peak_bytes(lambda: log_px(model, images, n_samples=n_samples, prepare=data.stochastic, memory=memory))
    assert peak <= block + memory


def test_the_weights_of_many_samples_fit_into_the_memory():
    # Here the (K, B) weights, in double precision, are larger than what the small decoder makes.
    model, x, memory = wide_vae(), torch.zeros(150, 5), 2**20
    assert peak_bytes(lambda: log_px(model, x, n_samples=2000, prepare=as_they_are, memory=memory)) <= memory


PEAK_OF_A_PROCESS = """
import torch
from vae_course import data, evaluation, models
test_set = torch.randint(0, 256, (10_000, 1, 28, 28), dtype=torch.uint8)
model = models.reference_vae(latent_dim=50, hidden_dim=500)
evaluation.log_px(model, test_set[:{images}], n_samples=5000, prepare=data.stochastic)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells in /proc")
def test_a_process_with_5000_samples_stays_below_two_gibibytes():
    # The chunks of more images are as large: they come one after the other. (ru_maxrss would count the parent too.) glibc's
    # malloc keeps freed blocks below a threshold that it moves at will, up to 3 GB of them: here it stays at a megabyte.
    done = subprocess.run([sys.executable, "-c", PEAK_OF_A_PROCESS.format(images=300)], capture_output=True, text=True,
                          env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 2 * 2**30


def test_too_little_memory_is_an_error_that_says_how_much_is_needed():
    for model, images, prepare in ((wide_vae(), torch.zeros(3, 5), as_they_are), (small_vae(), grey_images(3), data.grey)):
        with pytest.raises(ValueError, match="memory must be at least") as error:
            log_px(model, images, n_samples=40, prepare=prepare, memory=100)
        enough = int(re.search(r"at least (\d+) bytes", str(error.value))[1])
        with pytest.raises(ValueError, match=f"got {enough - 1}"):
            log_px(model, images, n_samples=40, prepare=prepare, memory=enough - 1)
        assert log_px(model, images, n_samples=40, prepare=prepare, memory=enough).log_px.isfinite().all()


def test_n_samples_must_be_positive():
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        log_px(wide_vae(), torch.zeros(3, 5), n_samples=0, prepare=as_they_are)


# ---------------------------------------------------------------- random numbers and the state of the model

def test_the_binarization_does_not_depend_on_the_memory():
    # With q the exact posterior log_px tells which x it saw, whatever z was.
    model, x = toy_vae(shift=0.0, stretch=1.0), torch.ones(BLOCK + 50, 1)
    values = [log_px(model, x, n_samples=5, prepare=noisy, memory=memory).log_px for memory in (5000, 2**16, 2**26)]
    assert_close(values[0], values[2], rtol=1e-3, atol=1e-3)
    assert_close(values[1], values[2], rtol=1e-3, atol=1e-3)
    assert values[0].std() > 0.1  # the noise was there
    other = log_px(model, x, n_samples=5, prepare=noisy, seed=1).log_px
    assert (values[2] - other).abs().max() > 0.1
    assert not torch.equal(values[2][:50], values[2][BLOCK:])  # each block has noise of its own


def test_test_elbo_and_log_px_see_the_same_binarization():
    seen = []

    def prepare(images):
        seen.append(data.stochastic(images))
        return seen[-1]

    model, images = small_vae(), grey_images(5)
    test_elbo(model, images, prepare=prepare, seed=2)
    log_px(model, images, n_samples=3, prepare=prepare, seed=2)  # its first call is the probe that sizes the chunks
    assert [len(x) for x in seen] == [5, 1, 5]
    assert torch.equal(seen[0], seen[2])


def test_evaluation_leaves_the_global_random_numbers_alone():
    model, images = small_vae(), grey_images(5)
    before = torch.get_rng_state()
    test_elbo(model, images, prepare=data.stochastic)
    log_px(model, images, n_samples=3, prepare=data.stochastic)
    active_units(model, images, prepare=data.stochastic)
    assert torch.equal(before, torch.get_rng_state())


def test_batch_norm_and_dropout_are_evaluated_and_not_trained():
    model, images = small_vae(), grey_images(5)
    model.decoder = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), model.decoder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(2):
        model.train()
        first = log_px(model, images, n_samples=30, prepare=data.grey)
        assert torch.equal(first.log_px, log_px(model, images, n_samples=30, prepare=data.grey).log_px)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_results_carry_no_gradient():
    model, images = small_vae(), grey_images(5)
    assert not log_px(model, images, n_samples=3, prepare=data.grey).log_px.requires_grad


# ---------------------------------------------------------------- values are checked once, where data enter

@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("entry", [lambda *data: test_elbo(*data, prepare=as_they_are),
                                   lambda *data: log_px(*data, n_samples=3, prepare=as_they_are)])
def test_wrong_values_are_named_on_every_device(monkeypatch, waits, entry):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: waits)
    model, images = class_mean_vae(4, 2, 3), torch.ones(5, 1, 28, 28)
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got values from 2 to 2"):
        entry(model, 2 * images, torch.arange(5) % 4)
    with pytest.raises(ValueError, match=r"labels must lie from 0 to 3 \(num_classes = 4\), got values from 0 to 4"):
        entry(model, images, torch.arange(5))


@pytest.mark.parametrize("entry", [active_units, kl_per_latent, calibration])
def test_wrong_labels_are_named_on_every_device(monkeypatch, entry):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: True)
    model = class_mean_vae(4, 2, 3)
    with pytest.raises(ValueError, match=r"labels must lie from 0 to 3 \(num_classes = 4\), got values from 0 to 4"):
        entry(model, torch.ones(5, 1, 28, 28), torch.arange(5), prepare=as_they_are)
    with pytest.raises(ValueError, match="labels must lie from 0 to 3"):
        model.reconstruct(torch.ones(5, 1, 28, 28), torch.arange(5))


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("entry", [active_units, kl_per_latent])
def test_pixels_that_the_likelihood_refuses_are_named_on_every_device(monkeypatch, entry, waits):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: waits)
    grey = torch.linspace(0, 255, 5 * 784).view(5, 1, 28, 28)
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got values from 0 to 255"):
        entry(small_vae(), grey, prepare=as_they_are)
    assert entry(reference_vae(3, 11, likelihood=GaussianLikelihood()), grey, prepare=as_they_are).shape == (3,)


def test_only_the_first_block_is_read_where_reading_waits(monkeypatch):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: True)
    monkeypatch.setattr("vae_course.evaluation.BLOCK", 4)
    reads, may_be_read = [], runtime.may_be_read
    monkeypatch.setattr(runtime, "may_be_read", lambda tensor: reads.append(may_be_read(tensor)) or reads[-1])
    test_elbo(small_vae(), grey_images(13), prepare=data.grey)
    assert reads == [True, False, False, False]


# ---------------------------------------------------------------- active units

def test_active_units_are_those_whose_mean_varies_over_the_data():
    model = wide_vae()
    spread = torch.tensor([0.5, 0.02, 1.0, 0.2])
    model.encode = lambda x: (x[:, :1] * spread, torch.zeros(len(x), 4))
    model.decode = lambda z: torch.zeros(len(z), 5)
    x = model.draw(BLOCK + 500, seed=8)
    x = (x - x.mean(0)) / x.std(0)                                          # so that Var(μ_j) = spread_j²
    assert active_units(model, x, prepare=as_they_are).tolist() == [True, False, True, True]
    assert active_units(model, x, prepare=as_they_are, threshold=0.1).tolist() == [True, False, True, False]


def test_active_units_do_not_count_a_constant_however_large():
    model = wide_vae()
    model.encode = lambda x: (torch.full((len(x), 2), 50.0), torch.zeros(len(x), 2))
    assert active_units(model, torch.zeros(30, 5), prepare=as_they_are).tolist() == [False, False]


def test_active_units_of_a_conditional_model():
    model = labelled_vae()
    label = torch.arange(400) % 10
    x = 2 * label[:, None] + torch.zeros(400, 3)  # images that the label explains: nothing is left for z
    assert active_units(model, x, label, prepare=as_they_are).tolist() == [False]
    assert active_units(model, x, 9 - label, prepare=as_they_are).tolist() == [True]


# ---------------------------------------------------------------- latent by latent, and pixel by pixel

def test_the_kl_of_the_latents_adds_up_to_the_rate():
    model, images = small_vae(), grey_images(BLOCK + 7)
    found = kl_per_latent(model, images, prepare=data.grey)
    mu, logvar = model.encode(data.grey(images))
    by_library = torch.distributions.kl_divergence(torch.distributions.Normal(mu, torch.exp(0.5 * logvar)),
                                                   torch.distributions.Normal(0.0, 1.0)).mean(0)
    assert_close(found, by_library.detach())
    assert found.sum().item() == pytest.approx(test_elbo(model, images, prepare=data.grey).rate.mean, rel=1e-5)


def test_the_kl_of_the_latents_knows_a_prior_of_the_class():
    torch.manual_seed(0)
    model, images, labels = class_mean_vae(latent_dim=3, hidden_dim=11), grey_images(40), torch.arange(40) % 10
    nn.init.normal_(model.prior.means)
    found = kl_per_latent(model, images, labels, prepare=data.grey)
    assert found.shape == (3,)
    assert found.sum().item() == pytest.approx(test_elbo(model, images, labels, prepare=data.grey).rate.mean, rel=1e-5)


class Says(nn.Module):
    """A decoder whose every pixel is white with the same probability, and 30 % of its pixels are white in truth."""

    latent_dim = 2

    def __init__(self, p: float):
        super().__init__()
        self.p, self.likelihood = p, torch.nn.Module()
        self.likelihood.mean, self.likelihood.log_prob = lambda recon: recon, lambda x, recon: torch.zeros(len(x))

    def encode(self, x):
        return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    def decode(self, z):
        return torch.full((len(z), 1, 28, 28), self.p)


def test_calibration_counts_the_white_pixels():
    images = torch.full((200, 1, 28, 28), 77, dtype=torch.uint8)                    # white with 77/255 = 0.302
    found = calibration(Says(0.75), images, prepare=data.stochastic)
    assert found.n_pixels.tolist() == [0] * 7 + [200 * 784] + [0] * 2
    assert found.predicted[7].item() == pytest.approx(0.75) and math.isnan(found.predicted[0])
    assert found.observed[7].item() == pytest.approx(77 / 255, abs=5 * (0.3 * 0.7 / (200 * 784)) ** 0.5)
    for p, group in ((0.0, 0), (1.0, 3)):
        assert calibration(Says(p), images, prepare=data.stochastic, bins=4).n_pixels[group] == 200 * 784


def test_calibration_needs_pixels_that_can_be_counted():
    with pytest.raises(ValueError, match="prepare must give pixels of 0 and 1"):
        calibration(Says(0.5), grey_images(3), prepare=data.grey)


@pytest.mark.parametrize("given, way_out", [
    (np.zeros((5, 1, 28, 28), np.uint8), r"data\.from_arrays\(images\)\.train\.images"),
    (data.ImageSet(torch.zeros(5, 1, 28, 28, dtype=torch.uint8), None), r"images\.images"),
    (torch.utils.data.TensorDataset(torch.zeros(5, 1, 28, 28)), r"data\.from_dataset\(images\)"),
    ([torch.zeros(1, 28, 28)] * 5, r"data\.from_arrays\(images\)"),
])
@pytest.mark.parametrize("measure", [
    lambda *a: evaluation.test_elbo(*a, prepare=data.grey),
    lambda *a: evaluation.log_px(*a, n_samples=3, prepare=data.grey),
    lambda *a: evaluation.active_units(*a, prepare=data.grey),
    lambda *a: evaluation.kl_per_latent(*a, prepare=data.grey),
    lambda *a: evaluation.calibration(*a, prepare=data.stochastic),
], ids=["test_elbo", "log_px", "active_units", "kl_per_latent", "calibration"])
def test_what_is_no_tensor_of_pictures_is_named(measure, given, way_out):
    with pytest.raises(TypeError, match=f"images must be a tensor .*, got .*{way_out}"):
        measure(models.reference_vae(3, hidden_dim=5), given)
