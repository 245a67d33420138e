"""The reference VAE on the full MNIST is as good as it must be. One to three minutes on two cores; skipped without MNIST.

The textbook script, Adam at a constant 1e-3, has −105.5 nats after 10 epochs on grey pixels; binarized, a test ELBO
of −100.2 and a log p(x) of −95.2 nats after 20. The trainer must be as good in as many epochs; its numbers are printed.
"""

import time

import pytest
import real_mnist
import torch

from vae_course import data, evaluation
from vae_course.models import reference_vae
from vae_course.objectives import negative_elbo
from vae_course.training import fit
from vae_course.training.schedules import cosine, one_cycle

pytestmark = pytest.mark.slow

N_SAMPLES = 500  # K of the importance-weighted estimate


@pytest.fixture(scope="module")
def mnist() -> data.ImageData:
    return data.load_mnist(folder=real_mnist.mnist_folder())


def trained(mnist: data.ImageData, **settings):
    """A reference VAE that starts at the mean image, and the seconds that its training took."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = reference_vae(mean_image=data.grey(mnist.train.images).mean(0))
    started = time.perf_counter()
    fit(model, negative_elbo, mnist.train.images, progress=False, **settings)
    return model, time.perf_counter() - started


def test_grey_pixels(mnist, capsys):
    model, seconds = trained(mnist, epochs=6, prepare=data.grey, learning_rate=8e-3, schedule=cosine)
    found = evaluation.test_elbo(model, mnist.test.images, prepare=data.grey)
    with capsys.disabled():
        print(f"\ngrey, 6 epochs in {seconds:.0f} s: test ELBO {found.elbo}")
    assert found.elbo.mean >= -105.5


def test_stochastic_binarization(mnist, capsys):
    model, seconds = trained(mnist, epochs=20, prepare=data.stochastic, learning_rate=5e-3, schedule=one_cycle)
    found = evaluation.test_elbo(model, mnist.test.images, prepare=data.stochastic)
    started = time.perf_counter()
    log_px = evaluation.log_px(model, mnist.test.images, n_samples=N_SAMPLES, prepare=data.stochastic).estimate
    with capsys.disabled():
        print(f"\nbinarized, 20 epochs in {seconds:.0f} s: test ELBO {found.elbo}, "
              f"log p(x) {log_px} (K = {N_SAMPLES}, 10,000 images, {time.perf_counter() - started:.0f} s)")
    assert found.elbo.mean >= -100
    assert log_px.mean >= -95.5
    assert log_px.mean > found.elbo.mean, "the importance-weighted bound is the tighter one"
