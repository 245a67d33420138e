"""What went wrong in a training, told from what its log holds: which term, why most likely, and what people do about it."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.training.feeding import Source
from vae_course.training.run import History

HUGE = 1e6  # nats of KL that no picture needs: log σ² is on its way to overflow

OVERFLOWED = ("The KL holds σ² = exp(logvar); most likely log σ² overflowed: the encoder's logvar is where exp(logvar), or "
              "its gradient, is no float32 number. What people do: a smaller learning_rate; a clamp in the encoder, such "
              "as logvar.clamp(-10, 10); a warm-up, loss_fn=objectives.warm_up_negative_elbo, loss_takes_progress=True.")
USUAL = ("The usual causes: a learning rate that is too high; pixels that are not in [0, 1]; a log or a division of zero in "
         "the loss; a variance that is free to shrink to zero.")


class TrainingDiverged(FloatingPointError):
    """The loss or its gradient became NaN or infinite. The model is at its last finished epoch; `history` ends there."""

    history: History

    def tell(self, history: History, warning: str | None) -> None:
        """Keep the history of the finished epochs, and add to the message what the likelihood says of itself."""
        self.history = history
        self.args = (f"{self} {warning}" if warning else str(self),)


def what_diverged(terms: dict[str, float], step: int, epoch: int, source: Source, rows: Tensor) -> str:
    """The message of TrainingDiverged.

    Args:
        terms: what the log holds of the step: "loss" first, its terms, and "gradient's norm".
        step, epoch: which, counted from 1.
        source, rows: the examples (N, …), before `prepare`, and the indices (B,) of those in the batch.
    """
    first = "gradient's norm" if math.isfinite(terms["loss"]) else "loss"
    others = ", ".join(f"{name} is {value:.4g}" for name, value in terms.items() if name != first)
    x = source[rows.to(source.device)]
    causes = OVERFLOWED if terms.get("kl", 0.0) > HUGE else USUAL
    if x.is_floating_point() and len(bad := rows[~x.flatten(1).isfinite().all(1).to(rows.device)]):
        causes = (f"train[{bad[0]}] holds nan or inf" + f", and {len(bad) - 1} more of this batch" * (len(bad) > 1)
                  + ": leave such examples out, or replace the numbers, torch.nan_to_num(x).")
    return (f"the {first} is {terms[first]} at step {step} (epoch {epoch}): {others}. {causes} The model is as it was after "
            f"the last finished epoch.")


def warning_of_examples(model: nn.Module, x: Tensor) -> str | None:
    """What will go wrong where examples x (B, …) are all alike and the likelihood learns its σ."""
    likelihood: Any = getattr(model, "likelihood", None)
    learned = hasattr(likelihood, "warning") and any(weight.requires_grad for weight in likelihood.parameters())
    if not learned or getattr(likelihood, "least_sigma", None) or len(x) < 2 or not (x == x[0]).all():
        return None
    return (f"the first {len(x):,} training examples are all alike: they can be reproduced exactly, so that the decoder's "
            f"learned σ runs to zero and the ELBO grows without limit. What people do: a floor, "
            f"GaussianLikelihood(learn_sigma=True, least_sigma=1/255); dequantization, uniform noise added to the pixels.")


def warning_of(model: nn.Module) -> str | None:
    """What the model's likelihood says about itself: a learned variance that runs to zero makes the ELBO meaningless."""
    ask: Callable[[], str | None] | None = getattr(getattr(model, "likelihood", None), "warning", None)
    with torch.no_grad():
        return ask() if callable(ask) else None
