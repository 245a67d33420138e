"""What is maximised: the ELBO in its two terms, and the importance-weighted bound. Models are passed in.

A model here is anything with `encode(x, *condition)`, `decode(z, *condition)`, `likelihood.log_prob(x, recon)`,
`kl(mu, logvar, *condition)` and `log_prior(z, *condition)`; `condition` is empty for a VAE. Where its KL has no formula it
has `kl_at(z, mu, logvar, *condition)` too, which estimates it with a draw z that is there already.
"""

import inspect
import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.arguments import check_float
from vae_course.densities import normal_log_density, reparameterize


class ElboTerms(NamedTuple):
    """The two terms of the ELBO, one value per example, in nats."""

    recon: Tensor  # (B,) E_q log p(x|z), estimated with one z per example
    kl: Tensor     # (B,) KL(q(z|x) || p(z)) ≥ 0; where it has no formula, estimated with the same z

    @property
    def elbo(self) -> Tensor:
        """(B,) nats: recon − kl."""
        return self.recon - self.kl


def elbo_terms(model, x: Tensor, *condition: Tensor, generator: torch.Generator | None = None) -> ElboTerms:
    """Both terms of the ELBO of each example, with one reparameterized draw of z.

    Args:
        model: see the head of this module.
        x: (B, …) images in [0, 1].
        condition: nothing, or the labels (B,) of a conditional model.
        generator: the source of the noise; torch's global one if None.

    Returns:
        ElboTerms of (B,) nats each.

    Raises:
        TypeError, ValueError: if x does not fit the model, or its pixels lie outside [0, 1].

    Source: Kingma & Welling (2014), arXiv:1312.6114, Eq. 3 and 10. Derived in notebooks/04.
    """
    mu, logvar = _encode(model, x, condition)               # (B, Z) each
    z = reparameterize(mu, logvar, generator)               # (B, Z)
    recon = model.likelihood.log_prob(x, model.decode(z, *condition))
    if hasattr(model, "kl_at"):
        return ElboTerms(recon=recon, kl=model.kl_at(z, mu, logvar, *condition))
    return ElboTerms(recon=recon, kl=model.kl(mu, logvar, *condition))


def _encode(model, x: Tensor, condition: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """mu and logvar of q(z|x); says so where something else than a model is given, or labels to one that takes none."""
    if not hasattr(model, "encode"):
        raise TypeError(f"model must have encode, decode, likelihood and kl, as models.VAE has, got {type(model).__name__}")
    if condition and not torch.compiler.is_compiling():
        bound = hasattr(model.encode, "__func__")
        if not _takes(model.encode.__func__ if bound else model.encode, bound + 1 + len(condition)):
            raise TypeError(f"{type(model).__name__} takes no labels, and was given {len(condition)} tensor(s) beside x: "
                            f"leave them out, e.g. fit(model, loss_fn, train.images, …), or take a conditional model, such "
                            f"as conditional.reference_cvae()")
    return model.encode(x, *condition)


@lru_cache(maxsize=16)  # reading a signature takes longer than a layer
def _takes(encode: Callable, n: int) -> bool:
    """Whether a function takes n arguments by position."""
    kinds = [parameter.kind for parameter in inspect.signature(encode).parameters.values()]
    return inspect.Parameter.VAR_POSITIONAL in kinds or kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) >= n


def negative_elbo(model, x: Tensor, *condition: Tensor, beta: float | Tensor = 1.0) -> dict[str, Tensor]:
    """The training loss −mean(recon − beta·kl), with the means of its terms beside it, for `training.fit`.

    Args:
        model, x, condition: as `elbo_terms`.
        beta: weight of the summed KL; 1 is the VAE (Higgins et al. 2017 call other values β-VAE).

    Returns:
        {"loss", "recon", "kl", "elbo"}: scalar tensors, nats per example; "elbo" always has beta = 1.
    """
    terms = elbo_terms(model, x, *condition)
    recon, kl = terms.recon.mean(), terms.kl.mean()
    return {"loss": -(recon - beta * kl), "recon": recon, "kl": kl, "elbo": recon - kl}


def warm_up_negative_elbo(model, x: Tensor, *condition: Tensor, progress: Tensor, warm_up: float = 0.2) -> dict[str, Tensor]:
    """`negative_elbo` with a beta that rises from 0 to 1 in the first part of the training, against early collapse.

    Args:
        model, x, condition: as `elbo_terms`.
        progress: scalar tensor, the share of the training that is done; `fit(…, loss_takes_progress=True)` gives it.
        warm_up: the share of the training after which beta is 1.

    Source: Bowman et al. (2016), arXiv:1511.06349, §3.1; Sønderby et al. (2016), arXiv:1602.02282. Tried in notebooks/10.
    """
    if not 0 < warm_up <= 1:
        raise ValueError(f"warm_up must lie in (0, 1], got {warm_up}")
    return negative_elbo(model, x, *condition, beta=(progress / warm_up).clamp(max=1.0))


def negative_importance_weighted_bound(model, x: Tensor, *condition: Tensor, n_samples: int) -> dict[str, Tensor]:
    """The training loss −mean(L_K) of the importance-weighted autoencoder, for `training.fit`.

    Args:
        model, x, condition, n_samples: as `log_weights`.

    Returns:
        {"loss", "elbo"}: scalar tensors, nats per example; "elbo" is the mean of the K log weights.

    Source: Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, Eq. 8. Derived in notebooks/12.
    """
    log_w = log_weights(model, x, *condition, n_samples=n_samples)                  # (K, B)
    return {"loss": -importance_weighted_bound(log_w).mean(), "elbo": log_w.mean()}


def log_weights(model, x: Tensor, *condition: Tensor, n_samples: int,
                generator: torch.Generator | None = None) -> Tensor:
    """log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|x) for K draws z_k ~ q(z|x).

    Args:
        model, x, condition, generator: as `elbo_terms`.
        n_samples: K, the number of draws per example.

    Returns:
        (K, B) nats.

    Source: Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, §3. Derived in notebooks/12.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    mu, logvar = _encode(model, x, condition)                                       # (B, Z)
    shape = (n_samples, *mu.shape)
    z = reparameterize(mu.expand(shape), logvar.expand(shape), generator)           # (K, B, Z)
    # The K samples are stacked along the batch: row k·B + b holds sample k of example b.
    x_rows = x.expand(n_samples, *x.shape).flatten(0, 1)                            # (K·B, …)
    condition_rows = [c.expand(n_samples, *c.shape).flatten(0, 1) for c in condition]
    recon = model.likelihood.log_prob(x_rows, model.decode(z.flatten(0, 1), *condition_rows)).view(n_samples, -1)
    log_prior = model.log_prior(z.flatten(0, 1), *condition_rows).view(n_samples, -1)
    return recon + log_prior - normal_log_density(z, mu, logvar)


def importance_weighted_bound(log_w: Tensor) -> Tensor:
    """L_K = log( (1/K) Σ_k w_k ): the ELBO at K = 1, and log p(x) as K grows.

    Args:
        log_w: (K, B) log importance weights, nats.

    Returns:
        (B,) nats.

    Raises:
        TypeError, ValueError: if log_w is not a float tensor of two axes with K ≥ 1.

    Source: Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, §3. Derived in notebooks/12.
    """
    check_float(log_w=log_w)
    if log_w.ndim != 2 or len(log_w) == 0:
        raise ValueError(f"log_w must have shape (K, B) with K ≥ 1, got {tuple(log_w.shape)}")
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))
