"""Learning from few labels: M2, a VAE with a label that is sometimes seen, and M1+M2, the same on the codes of a VAE."""

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.conditional import CVAE, ConcatCondition, OneHot
from vae_course.densities import reparameterize
from vae_course.evaluation import BLOCK
from vae_course.models import GaussianEncoder, GaussianLikelihood, mlp
from vae_course.models.files import architecture
from vae_course.models.networks import check_network, whole_shape
from vae_course.objectives import elbo_terms


class LabelledMLP(nn.Module):
    """Linear layers whose first one sees a label too: (v, c) → W₂ a(W₁ v + U c + b) …, with an activation after the last.

    The leading axes broadcast. For v (B, 1, n) and all labels c (C, C) the product W₁ v is taken once, and the result is
    (B, C, sizes[-1]).
    """

    def __init__(self, sizes: Sequence[int], num_classes: int, activation: Callable[[], nn.Module] = nn.ReLU):
        super().__init__()
        self.of_input = nn.Linear(sizes[0], sizes[1])
        self.of_label = nn.Linear(num_classes, sizes[1], bias=False)
        self.rest = nn.Sequential(activation(), *([mlp(sizes[1:], activation), activation()] if len(sizes) > 2 else []))

    def forward(self, v: Tensor, c: Tensor) -> Tensor:
        return self.rest(self.of_input(v) + self.of_label(c))


class SemiSupervisedVAE(CVAE):
    """M2: p(x, y, z) = p(y) p(z) p(x|y, z) with p(y) = 1/C, and the approximate posterior q(y|x) q(z|x, y).

    Args:
        input_shape: shape of one example; D is the product of its numbers.
        num_classes: C.
        latent_dim, hidden_dim: Z, and the width of the hidden layers of q(z|x, y) and p(x|y, z).
        classifier_dim: width of the hidden layer of q(y|x).
        likelihood: as `CVAE`; Bernoulli if None.

    Source: Kingma, Rezende, Mohamed & Welling (2014), arXiv:1406.5298, §2.2. Built in notebooks/13.
    """

    def __init__(self, input_shape: Sequence[int], num_classes: int = 10, latent_dim: int = 10, hidden_dim: int = 200,
                 classifier_dim: int = 300, likelihood: nn.Module | None = None):
        shape = whole_shape(input_shape)
        check_network(nn.ReLU, likelihood, latent_dim=latent_dim, hidden_dim=hidden_dim, classifier_dim=classifier_dim)
        n_numbers = math.prod(shape)
        encoder = GaussianEncoder(LabelledMLP([n_numbers, hidden_dim], num_classes), hidden_dim, latent_dim)
        super().__init__(encoder, LabelledMLP([latent_dim, hidden_dim], num_classes), OneHot(num_classes), likelihood,
                         input_shape=shape)
        self.to_recon = nn.Linear(hidden_dim, n_numbers)
        self.classifier = mlp([n_numbers, classifier_dim, num_classes])
        self.num_classes = num_classes
        self.architecture = architecture("SemiSupervisedVAE", {
            "input_shape": shape, "num_classes": num_classes, "latent_dim": latent_dim, "hidden_dim": hidden_dim,
            "classifier_dim": classifier_dim})

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x, y), (B, Z) each, for x (B, *input_shape) and labels y (B,)."""
        self._check_input(x)
        return self._checked_posterior(x, self.encoder(x.flatten(1), self._condition(y, x=x)))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """recon (B, *input_shape) of p(x|y, z) for z (B, Z) and labels y (B,): what the likelihood takes."""
        self._check_code(z)
        recon = self.to_recon(self.decoder(z, self._condition(y, z=z)))
        return recon.float().unflatten(1, self.input_shape)

    def plain_decoder(self) -> nn.Module:
        """The decoder made of common layers, as `models.export_decoder` writes it: one matrix for z and label together."""
        parts = cast(LabelledMLP, self.decoder)
        first = nn.Linear(self.latent_dim + self.num_classes, self.to_recon.in_features)
        first.weight = nn.Parameter(torch.cat([parts.of_input.weight, parts.of_label.weight], 1))
        first.bias = parts.of_input.bias
        return ConcatCondition(nn.Sequential(first, parts.rest, self.to_recon, nn.Unflatten(1, self.input_shape)))

    def check_labels(self, labels: Tensor) -> None:
        """Raise TypeError or ValueError unless these are classes (n,), from 0 to C − 1, each of which occurs."""
        cast(OneHot, self.condition).check(labels)
        missing = sorted(set(range(self.num_classes)) - set(labels.tolist())) if runtime.may_be_read(labels) else []
        if missing:
            raise ValueError(f"labels must name each of the {self.num_classes} classes at least once, got none of class "
                             f"{', '.join(map(str, missing))}: label one of its examples, or make a model of fewer classes")

    def log_q_y(self, x: Tensor) -> Tensor:
        """log q(y|x) of every class: (B, *input_shape) to (B, C) nats."""
        self._check_input(x)
        return torch.log_softmax(self.classifier(x.flatten(1)).float(), 1)

    def bounds(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """L(x, y) = E_q(z|x,y) log p(x|y, z) − KL(q(z|x, y) || p(z)) + log p(y) ≤ log p(x, y), for every class y.

        All classes of an example see the same noise, so that they differ by the model alone. What the first layers make of
        x is the same for all classes, and done once.

        Args:
            x: (B, *input_shape).
            generator: the source of the noise; torch's global one if None.

        Returns:
            (B, C) nats.
        """
        self._check_input(x)
        every = torch.eye(self.num_classes, device=x.device)
        mu, logvar = (part.float() for part in self.encoder(x.flatten(1).unsqueeze(1), every))      # (B, C, Z)
        eps = torch.randn(len(x), 1, self.latent_dim, generator=generator, device=x.device)
        outputs = self.to_recon(self.decoder(mu + torch.exp(0.5 * logvar) * eps, every)).float()     # (B, C, D)
        x_rows = x.flatten(1).unsqueeze(1).expand_as(outputs).flatten(0, 1)                          # row C·b + y
        recon = self.likelihood.log_prob(x_rows, outputs.flatten(0, 1))                              # (B·C,)
        kl = self.kl(mu.flatten(0, 1), logvar.flatten(0, 1))
        return (recon - kl).view(len(x), -1) - math.log(self.num_classes)


def unlabelled_bound(log_q_y: Tensor, bounds: Tensor) -> Tensor:
    """U(x) = Σ_y q(y|x) L(x, y) + H(q(y|x)) ≤ log p(x): the label is a latent like z, and is summed over.

    Args:
        log_q_y: (B, C) log q(y|x).
        bounds: (B, C) L(x, y), nats.

    Returns:
        (B,) nats; at most logsumexp_y L(x, y), which it reaches where q(y|x) is the softmax of the bounds.

    Raises:
        ValueError: if the shapes differ.

    Source: Kingma et al. (2014), arXiv:1406.5298, Eq. 7. Derived in notebooks/13.
    """
    if log_q_y.shape != bounds.shape or log_q_y.ndim != 2:
        raise ValueError(f"log_q_y and bounds must both have shape (B, C), got {tuple(log_q_y.shape)} and "
                         f"{tuple(bounds.shape)}")
    return (log_q_y.exp() * (bounds - log_q_y)).sum(1)


def semi_supervised_loss(model: SemiSupervisedVAE, x: Tensor, *, labelled: Tensor, labels: Tensor,
                         prepare: Callable[[Tensor], Tensor], alpha: float, labelled_weight: float) -> dict[str, Tensor]:
    """−mean U(x) − labelled_weight · mean L(x', y') − alpha · mean log q(y'|x'), x' and y' the labelled examples.

    For `training.fit`, as functools.partial(semi_supervised_loss, labelled=…, labels=…, …): each step sees a batch of
    unlabelled examples and all labelled ones.

    Args:
        model: a SemiSupervisedVAE.
        x: (B, *input_shape) unlabelled examples, prepared.
        labelled: (n, …) labelled examples, not prepared: `prepare` is applied to them in each step.
        labels: (n,) their classes, from 0 to C − 1; each class must occur.
        prepare: as in `fit`.
        alpha: weight of the classification term. Without it, log q(y'|x') is trained by nothing but what U asks of it.
        labelled_weight: weight of the labelled bound; n / N where each of the N unlabelled and n labelled examples is to
            count alike.

    Returns:
        {"loss", "unlabelled_bound", "labelled_bound", "log_q_y"}: scalar tensors, nats per example.

    Raises:
        ValueError: if there are no unlabelled examples; if labelled and labels differ in length; if a class has no label, or
            a label is none of the classes; if a weight is negative.

    Source: Kingma et al. (2014), arXiv:1406.5298, Eq. 6–9, with means in place of sums. Derived in notebooks/13.
    """
    check_task(model, x, labelled, labels, alpha, labelled_weight)
    x_labelled = prepare(labelled)
    u = unlabelled_bound(model.log_q_y(x), model.bounds(x)).mean()
    bound = elbo_terms(model, x_labelled, labels).elbo.mean() - math.log(model.num_classes)
    log_q = model.log_q_y(x_labelled).gather(1, labels.long().unsqueeze(1)).mean()
    return {"loss": -(u + labelled_weight * bound + alpha * log_q), "unlabelled_bound": u, "labelled_bound": bound,
            "log_q_y": log_q}


def check_task(model: SemiSupervisedVAE, x: Tensor, labelled: Tensor, labels: Tensor, alpha: float,
               labelled_weight: float) -> None:
    """Raise TypeError or ValueError, naming the argument, for what cannot be learnt from; see `semi_supervised_loss`."""
    for name, weight in (("alpha", alpha), ("labelled_weight", labelled_weight)):
        if not weight >= 0:
            raise ValueError(f"{name} must be at least 0, got {weight!r}")
    if len(x) == 0:
        raise ValueError("x must hold unlabelled examples, got none: without them there is nothing to learn beside the "
                         "labels; train a classifier instead")
    if len(labelled) != len(labels):
        raise ValueError(f"labelled and labels must have the same length, got {len(labelled)} and {len(labels)}")
    model.check_labels(labels)


def choose_labelled(labels: Tensor, per_class: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A random choice of `per_class` examples of each class to be labelled: indices (n,) of these, and of all the others.

    Raises:
        ValueError: if a class has fewer than per_class examples.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).to(labels.device)
    counts = torch.bincount(labels)
    if not 1 <= per_class <= counts.min():
        raise ValueError(f"per_class must lie between 1 and {counts.min().item()}, the number of examples of class "
                         f"{counts.argmin().item()}, got {per_class!r}")
    chosen = torch.cat([order[labels[order] == y][:per_class] for y in range(len(counts))])
    is_chosen = torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
    is_chosen[chosen] = True
    return chosen, (~is_chosen).nonzero().squeeze(1)


# ---------------------------------------------------------------- M1: codes of a VAE in the place of pictures

@torch.no_grad()
def posteriors(vae, images: Tensor, prepare: Callable[[Tensor], Tensor]) -> Tensor:
    """mu and logvar of q(z|x) of every image: (N, …) to (N, 2, Z), what `sampled` draws codes from."""
    return torch.cat([torch.stack(vae.encode(prepare(block)), 1) for block in images.split(BLOCK)])


def sampled(posteriors: Tensor) -> Tensor:
    """A fresh code of each posterior, for `fit(prepare=sampled)`: (B, 2, Z) to (B, Z). A mean alone hides how sure it is."""
    return reparameterize(posteriors[:, 0], posteriors[:, 1])


def code_model(latent_dim: int, num_classes: int = 10, hidden_dim: int = 200, classifier_dim: int = 300,
               top_dim: int = 10) -> SemiSupervisedVAE:
    """M1+M2: a `SemiSupervisedVAE` of codes (latent_dim,), with a Gaussian likelihood whose σ is learned.

    Source: Kingma et al. (2014), arXiv:1406.5298, §2.3: the VAE is trained first, and then held fixed.
    """
    return SemiSupervisedVAE((latent_dim,), num_classes, top_dim, hidden_dim, classifier_dim,
                             GaussianLikelihood(learn_sigma=True))
