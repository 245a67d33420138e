"""Parts of a conditional model: labels as vectors, networks that see the condition or not, a prior for each class."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vae_course import runtime

WHOLE_NUMBERS = (torch.int64, torch.int32, torch.int16, torch.uint8)


class OneHot(nn.Module):
    """Labels to one-hot vectors: (B,) whole numbers from 0 to num_classes − 1, to (B, num_classes) float32.

    The buffer `seen` (num_classes,) holds the classes that a model was trained on; `note` sets it, never a forward pass.

    Raises:
        TypeError: if the labels are not whole numbers.
        ValueError: if they are not one number per example, or lie outside 0 … num_classes − 1.
    """

    seen: Tensor

    def __init__(self, num_classes: int):
        super().__init__()
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be a whole number ≥ 2, got {num_classes!r}")
        self.num_classes = num_classes
        self.register_buffer("seen", torch.zeros(num_classes, dtype=torch.bool))

    def forward(self, labels: Tensor) -> Tensor:
        self.check(labels)
        one_hot = labels.unsqueeze(1) == torch.arange(self.num_classes, device=labels.device)   # (B, 1) == (C,)
        return one_hot.float()

    def note(self, labels: Tensor) -> None:
        """Add the classes of these labels (N,) to those that the model was trained on; all their values are checked."""
        with runtime.checking_values():
            self.check(labels)
        self.seen[labels.long().unique()] = True

    def check(self, labels: Tensor) -> None:
        """Raise TypeError or ValueError unless these are classes, one for each example. Values as `runtime.may_be_read`."""
        if isinstance(labels, Tensor) and labels.ndim != 1:
            one_hot = ": labels.argmax(1)" if labels.ndim == 2 and labels.shape[1] == self.num_classes else ""
            raise ValueError(f"labels must have shape (B,), one class for each example, got {tuple(labels.shape)}{one_hot}")
        if not isinstance(labels, Tensor) or labels.dtype not in WHOLE_NUMBERS:
            kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
            way_out = "labels.long()" if isinstance(labels, Tensor) else "torch.as_tensor(labels)"
            raise TypeError(f"labels must be a tensor of whole numbers (int64), got {kind}: {way_out}")
        if not runtime.may_be_read(labels):
            return
        low, high = (labels.min().item(), labels.max().item()) if len(labels) else (0, 0)
        if low < 0 or high >= self.num_classes:
            raise ValueError(f"labels must lie from 0 to {self.num_classes - 1} (num_classes = {self.num_classes}), "
                             f"got values from {low} to {high}")

    def check_seen(self, labels: Tensor) -> None:
        """Raise ValueError if the model was trained, but never on one of these classes."""
        with runtime.checking_values():
            self.check(labels)
        unseen = labels[~self.seen[labels.long()]]
        if self.seen.any() and len(unseen):
            raise ValueError(f"labels ask for class {unseen[0].item()}, which never came up in training: num_classes is "
                             f"{self.num_classes}, and the training labels held {self.seen.nonzero().flatten().tolist()}")


class ConcatCondition(nn.Module):
    """A network that sees the condition: (x, c) → net([x, gain · c]), both flattened and side by side.

    A gain above 1 lets a condition of few numbers be heard beside an x of many: its weights act, and learn, as much faster.
    """

    def __init__(self, net: nn.Module, gain: float = 1.0):
        super().__init__()
        self.net, self.gain = net, gain

    def extra_repr(self) -> str:
        return f"gain={self.gain:g}"

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.net(torch.cat([x.flatten(1), self.gain * c], 1))

    def layers(self, of: Callable[[nn.Module], list]) -> list:
        """As `models.export_decoder` tells them."""
        return [({"type": "Label", "gain": self.gain}, {}), *of(self.net)]


class IgnoreCondition(nn.Module):
    """A network that does not see the condition: (x, c) → net(x)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.net(x)

    def layers(self, of: Callable[[nn.Module], list]) -> list:
        """As `models.export_decoder` tells them."""
        return of(self.net)


class ConditionAfter(nn.Module):
    """A network that sees the condition beside what `first` makes of x: (x, c) → head(first(x), c)."""

    def __init__(self, first: nn.Module, head: nn.Module):
        super().__init__()
        self.first, self.head = first, head

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.head(self.first(x), c)


class ClassMeans(nn.Module):
    """The prior p(z|y) = N(m_y, I): one learned mean for each class, all of them 0 at the start."""

    def __init__(self, num_classes: int, latent_dim: int):
        super().__init__()
        self.means = nn.Parameter(torch.zeros(num_classes, latent_dim))

    def arguments(self) -> dict[str, int]:
        """What makes this prior again, beside its weights."""
        return {"num_classes": len(self.means), "latent_dim": self.means.shape[1]}

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:
        mean = (c.unsqueeze(2) * self.means).sum(1)  # c @ means, in float32 also under autocast
        return mean, torch.zeros_like(mean)
