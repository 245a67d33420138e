"""Was it memorized? The training pictures that lie nearest to a generated one."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_course.samples.pictures import MEMORY, Images, as_images, rows

COPY = 1 / 3    # of the distance to the second nearest training picture: what is nearer to the first is called a copy


class Neighbours(NamedTuple):
    """The k nearest training pictures of each picture, the nearest first."""

    distance: Tensor    # (N, k) float64: root of the mean squared difference over a picture's numbers
    which: Tensor       # (N, k) int64: the index of the training picture; of several at the same distance any


class Memorization(NamedTuple):
    """Generated and test pictures beside their two nearest training pictures."""

    made: Neighbours
    test: Neighbours    # the floor: how near a new picture of the same kind lies

    @property
    def copies(self) -> tuple[Tensor, Tensor]:
        """Which of the generated, and which of the test pictures are three times nearer to one training picture than to any
        other: (N,) and (M,) bool."""
        made, test = (found.distance[:, 0] <= COPY * found.distance[:, 1] for found in self)
        return made, test

    def __str__(self) -> str:
        lines = [f"{'RMS per pixel to the nearest training picture':46}{'smallest':>10}{'median':>10}{'copies':>16}"]
        for name, found, copies in zip(("generated pictures", "test pictures (the floor)"), self, self.copies):
            distance = found.distance[:, 0]
            lines.append(f"{name:46}{distance.min():10.4f}{distance.median():10.4f}{f'{copies.sum()} of {len(copies)}':>16}")
        return "\n".join([*lines, "A copy is three times nearer to one training picture than to any other. Blurred pictures "
                                  "lie nearer to all of them."])


@torch.no_grad()
def nearest(pictures: Images, training: Images, k: int = 1, memory: int = MEMORY) -> Neighbours:
    """The k nearest training pictures of each picture, exact, in double precision, however many there are.

    Args:
        pictures: Tensor, NumPy array or ImageFile (N, …): uint8, or floats such as those of `model.generate`.
        training: the same with M pictures of the same shape. Where one set is uint8, x/255 is meant, and the other lies in
            [0, 1]; tables of floats (M, D) keep their own scale.
        k: how many.
        memory: bytes that the tensors of one block may take; neither set need fit into it.

    Returns:
        Neighbours. The distance is the root of the mean squared difference over a picture's numbers: 0 for an exact copy,
        0.1 for a tenth of the way from black to white at every pixel.

    Raises:
        TypeError, ValueError: if the two do not hold pictures of the same shape on the same scale; for numbers that are not
            finite; if k exceeds M; if `memory` does not suffice for one picture: says how much would.
    """
    pictures, training = as_images(pictures=pictures, training=training)
    if tuple(pictures.shape[1:]) != tuple(training.shape[1:]):
        raise ValueError(f"pictures and training must hold pictures of the same shape, got {tuple(pictures.shape)} and "
                         f"{tuple(training.shape)}: reshape one of them")
    if not isinstance(k, int) or not 1 <= k <= len(training):
        raise ValueError(f"k must be a whole number from 1 to {len(training)}, the number of training pictures, got {k!r}")
    numbers = int(np.prod(pictures.shape[1:]))
    size = int((numbers ** 2 / 4 + memory / 32) ** 0.5 - numbers / 2)       # 32 (numbers · size + size²) bytes
    if size < 1:
        raise ValueError(f"memory must be at least {32 * (numbers + 1)} bytes for pictures of {numbers} numbers, "
                         f"got {memory}")
    # Double precision, since a squared distance is here a difference of large terms; an Apple GPU has none.
    device = next((images.device for images in (pictures, training) if images.device.type == "cuda"), torch.device("cpu"))
    beside_bytes = (pictures.dtype == torch.uint8) != (training.dtype == torch.uint8)
    found = [_nearest_of_block(rows(x.to(device), "pictures", beside_bytes), training, k, size, beside_bytes)
             for x in pictures.split(size)]
    return Neighbours(torch.cat([distance for distance, _ in found]), torch.cat([index for _, index in found]))


def memorization(made: Images, train: Images, test: Images, memory: int = MEMORY) -> Memorization:
    """Was it memorized? The two nearest training pictures of generated pictures, and of test pictures for comparison.

    Copying shows in the smallest distances and in the number of copies, not in the median: a VAE's blurred picture lies
    nearer to every picture than a sharp one. Where a picture is twice in the training data, its copies have two
    neighbours at the same distance, and count as copies only if that is 0.

    Args:
        made: generated pictures: decoder means, or draws from p(x|z), whose noise hides a copy.
        train, test: what the model was trained on, and pictures that it has not seen.
        memory: as `nearest`, which also says what is raised.

    Source: three times nearer is the criterion of Gu et al. (2023), arXiv:2310.02664.
    """
    _, images, _ = as_images(made=made, train=train, test=test)     # the names that the caller knows
    if len(images) < 2:
        raise ValueError("train must hold at least 2 pictures, so that there is a second nearest, got 1")
    return Memorization(*(nearest(pictures, train, 2, memory) for pictures in (made, test)))


def _nearest_of_block(x: Tensor, training: Images, k: int, size: int, beside_bytes: bool) -> tuple[Tensor, Tensor]:
    """Distances and indices, (B, k) each on the CPU, of pictures x (B, D)."""
    squares = torch.empty(len(x), 0, dtype=torch.double, device=x.device)
    index, done = torch.empty(len(x), 0, dtype=torch.long, device=x.device), 0
    for block in training.split(size):
        y = rows(block.to(x.device), "training", beside_bytes)
        values, where = torch.addmm((y ** 2).sum(1), x, y.T, alpha=-2).topk(min(k, len(y)), largest=False)  # without |x|²
        squares, order = torch.cat([squares, values], 1).topk(min(k, done + len(y)), largest=False)
        index, done = torch.cat([index, where + done], 1).gather(1, order), done + len(y)
    # Once more from the differences, so that a copy is at exactly 0.
    chosen = (rows(training[column.to(training.device)].to(x.device), "training", beside_bytes) for column in index.T)
    distance = torch.stack([(x - y).square().mean(1).sqrt() for y in chosen], 1)
    distance, order = distance.sort(dim=1, stable=True)
    return distance.cpu(), index.gather(1, order).cpu()
