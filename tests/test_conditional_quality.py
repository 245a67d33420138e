"""The conditional VAE on the full MNIST is as good as it must be. Two to four minutes on two cores; skipped without MNIST.

A small CNN, trained here on labelled digits and on nothing else, reads what the conditional models draw. 10,000 samples;
each is a decoder mean, with z drawn from p(z|y). The numbers are printed.
"""

import time

import pytest
import real_mnist
import torch
from torch import nn

from vae_course import data, evaluation
from vae_course.conditional import class_mean_vae, reference_cvae
from vae_course.models import GaussianEncoder, mlp, reference_vae
from vae_course.objectives import elbo_terms, negative_elbo
from vae_course.training import fit

pytestmark = pytest.mark.slow

LATENTS, HIDDEN, EPOCHS = 8, 600, 12
ASKED = torch.arange(10).repeat(1000)                       # (10,000,)


@pytest.fixture(scope="module")
def mnist() -> data.ImageData:
    return data.load_mnist(folder=real_mnist.mnist_folder())


def cross_entropy(model, x, labels) -> dict[str, torch.Tensor]:
    return {"loss": nn.functional.cross_entropy(model(x), labels)}


@pytest.fixture(scope="module")
def read(mnist):
    """Pictures (n, 1, 28, 28) in [0, 1] to classes (n,), by a CNN that knows MNIST's test set well."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        cnn = nn.Sequential(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1),
                            nn.ReLU(), nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))
    fit(cnn, cross_entropy, (mnist.train.images, mnist.train.labels), epochs=4, prepare=data.grey, progress=False)

    @torch.no_grad()
    def classes(pictures):
        return torch.cat([cnn(block).argmax(1) for block in pictures.split(1000)])

    accuracy = (classes(data.grey(mnist.test.images)) == mnist.test.labels).double().mean().item()
    assert accuracy >= 0.985, f"the judge itself reads only {accuracy:.2%} of the test set"
    return classes


def trained(build, train, **options):
    """A model and the seconds that its training took; `train` is what `fit` takes."""
    images = train if isinstance(train, torch.Tensor) else train[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(latent_dim=LATENTS, hidden_dim=HIDDEN, activation=nn.SiLU,
                      mean_image=data.grey(images).mean(0), **options)
    started = time.perf_counter()
    fit(model, negative_elbo, train, epochs=EPOCHS, prepare=data.stochastic, learning_rate=5e-3, progress=False)
    return model, time.perf_counter() - started


@pytest.fixture(scope="module")
def cvae(mnist):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        prior = GaussianEncoder(mlp([10, 20]), 20, LATENTS)
    return trained(reference_cvae, (mnist.train.images, mnist.train.labels), prior=prior)


@torch.no_grad()
def share_as_asked(model, read, labels=ASKED) -> torch.Tensor:
    """(10,) share of the samples of each class of ASKED that are read as that class, with `labels` for the decoder."""
    z = model.sample_prior(ASKED, torch.Generator().manual_seed(0))
    as_asked = (read(model.likelihood.mean(model.decode(z, labels))) == ASKED).double()
    return torch.stack([as_asked[ASKED == y].mean() for y in range(10)])


def test_samples_are_the_digit_that_was_asked_for(mnist, cvae, read, capsys):
    model, seconds = cvae
    by_means, seconds_by_means = trained(class_mean_vae, (mnist.train.images, mnist.train.labels))
    found, beside = share_as_asked(model, read), share_as_asked(by_means, read)
    shuffled = share_as_asked(model, read, ASKED[torch.randperm(len(ASKED), generator=torch.Generator().manual_seed(0))])
    with capsys.disabled():
        print(f"\nread as asked, of 10,000: {found.mean():.2%} by concatenation ({seconds:.0f} s of training), "
              f"{beside.mean():.2%} by class means ({seconds_by_means:.0f} s), {shuffled.mean():.2%} "
              f"with the decoder's labels shuffled\na digit each: {', '.join(f'{share:.1%}' for share in found)}")
    assert found.mean() >= 0.97
    assert found.min() >= 0.90
    assert abs(shuffled.mean() - 0.1) < 0.02, "chance"


def test_the_label_is_worth_nats(mnist, cvae, capsys):
    plain, _ = trained(reference_vae, mnist.train.images)
    differences = []
    for k, (images, labels) in enumerate(zip(mnist.test.images.split(1000), mnist.test.labels.split(1000))):
        torch.manual_seed(k)
        x = data.stochastic(images)
        with torch.no_grad():
            conditional, unconditional = (elbo_terms(model, x, *given, generator=torch.Generator().manual_seed(k)).elbo
                                          for model, given in ((cvae[0], (labels,)), (plain, ())))
        differences.append(conditional - unconditional)
    found = evaluation.estimate(torch.cat(differences))
    with capsys.disabled():
        print(f"\nconditional minus unconditional test ELBO, the same pictures: {found} nats")
    assert found.mean > 5 * found.standard_error


def test_the_generative_classifier(mnist, cvae, capsys):
    """Grey pixels: the Bernoulli log-probability is then the mean over all ways to binarize them."""
    started = time.perf_counter()
    scores = evaluation.class_posterior(cvae[0], mnist.test.images, 10, n_samples=20, prepare=data.grey)
    right = (scores.argmax(1) == mnist.test.labels).double()
    with capsys.disabled():
        print(f"\ngenerative classifier, K = 20: {evaluation.estimate(100 * right)} % of 10,000 test images "
              f"in {time.perf_counter() - started:.0f} s")
    assert right.mean() >= 0.97
