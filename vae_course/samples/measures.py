"""How far are generated pictures from real ones: a kernel distance, precision and recall, beside what real pictures get."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.evaluation import Estimate
from vae_course.samples.pictures import MEMORY, Images, as_images

WARNING = "own features: no FID or KID, not comparable with published numbers"


class KernelDistance(Estimate):
    """An unbiased estimate of a squared distance between two distributions. It is 0 if they agree, so it may be below 0."""

    def number(self) -> str:
        """The value to two digits of its error, as "0.0143 ± 0.0021"."""
        error = self.standard_error
        digits = 3 if not 0 < error < math.inf else min(12, max(0, 1 - math.floor(math.log10(error))))
        return f"{self.mean:.{digits}f} ± {error:.{digits}f}"

    def __str__(self) -> str:
        return f"{self.number()} ({WARNING})"


class PrecisionRecall(NamedTuple):
    """Two shares in [0, 1]; their standard errors are those of independent pictures beside a fixed other set."""

    precision: Estimate     # of the made pictures, how many lie where real ones are
    recall: Estimate        # of the real pictures, how many lie where made ones are

    def __str__(self) -> str:
        return f"precision {self.precision}, recall {self.recall} ({WARNING})"


class Comparison(NamedTuple):
    """Generated pictures and test pictures, each beside training pictures, in one space of features."""

    made: tuple[KernelDistance, PrecisionRecall]
    floor: tuple[KernelDistance, PrecisionRecall]   # of real test pictures: nothing generated need be better
    n: int                                          # how many pictures of each kind

    def __str__(self) -> str:
        lines = [f"{f'beside {self.n:,} training pictures':32}{'kernel distance':>22}{'precision':>14}{'recall':>14}"]
        for name, (distance, shares) in {f"{self.n:,} generated pictures": self.made,
                                         f"{self.n:,} test pictures (the floor)": self.floor}.items():
            lines.append(f"{name:32}{distance.number():>22}{shares.precision!s:>14}{shares.recall!s:>14}")
        return "\n".join([*lines, f"({WARNING})"])


@torch.no_grad()
def compare(made: Images, train: Images, test: Images, features: Callable[[Images], Tensor], k: int = 3,
            seed: int = 0) -> Comparison:
    """Generated pictures beside training pictures, and test pictures beside the same training pictures: the floor.

    All three sets are cut to the size of the smallest, at random, since precision and recall depend on the numbers.

    Args:
        made: generated pictures; say whether these are decoder means or draws from p(x|z).
        train, test: real ones, on the same scale as `made`.
        features: pictures (N, …) → (N, F), such as `pca_features(train)` or `network_features(judge[:-1])`. They know the
            training pictures: the floor holds what test pictures lose by that.
        k: as `precision_recall`.
        seed: of the choice of pictures.

    Raises:
        TypeError, ValueError: as `kernel_distance` and `precision_recall`.
    """
    sets = as_images(made=made, train=train, test=test)
    n = min(map(len, sets))
    generator = torch.Generator().manual_seed(seed)
    chosen = [images[torch.randperm(len(images), generator=generator)[:n].sort()[0].to(images.device)] for images in sets]
    named = {f"features({name})": features(images) for name, images in zip(("made", "train", "test"), chosen)}
    made, train, test = _features(3, **named)
    of_made, of_test = ((kernel_distance(train, other), precision_recall(train, other, k)) for other in (made, test))
    return Comparison(of_made, of_test, n)


@torch.no_grad()
def kernel_distance(a: Tensor, b: Tensor) -> KernelDistance:
    """The squared maximum mean discrepancy under the kernel k(x, y) = (x·y/F + 1)³: KID's formula in features of your own.

    The kernel compares means, covariances and third moments, and depends on the scale of the features: those of
    `pca_features` have variance 1. It is no KID, whose features are those of an Inception network.

    Args:
        a: (N, F) features of one set, N ≥ 3.
        b: (M, F) those of the other, M ≥ 3.

    Returns:
        KernelDistance, unbiased, without a unit. Its standard error is the jackknife's, which leaves out each example in
        turn. (KID's usual error is a spread over random subsets: it depends on their size, and is not that of the mean.)
        Where the distributions agree, the jackknife is too large by about √2: at the floor it errs on the safe side.

    Raises:
        TypeError, ValueError: if a and b do not hold as many finite features; names them.

    Source: Bińkowski et al. (2018), arXiv:1801.01401, Eq. 4; Gretton et al. (2012), JMLR 13, Eq. 3.
    """
    a, b = _features(3, a=a, b=b)
    inner = [_kernel_sums(x, x) - (x.square().mean(1) + 1) ** 3 for x in (a, b)]    # each with all others of its set
    across = _kernel_sums(a, b), _kernel_sums(b, a)                                 # each with all of the other set
    within = [sums.sum() / (len(sums) * (len(sums) - 1)) for sums in inner]
    variance = 0.0
    for own, cross, other in zip(inner, across, (b, a)):
        n = len(own)
        left_out = (own.sum() - 2 * own) / ((n - 1) * (n - 2)) - 2 * (cross.sum() - cross) / ((n - 1) * len(other))  # (n,)
        variance += (n - 1) / n * (left_out - left_out.mean()).square().sum().item()
    distance = within[0] + within[1] - 2 * across[0].sum() / (len(a) * len(b))
    return KernelDistance(distance.item(), variance ** 0.5)


@torch.no_grad()
def precision_recall(real: Tensor, made: Tensor, k: int = 3) -> PrecisionRecall:
    """How many of the made pictures lie where real ones are, and how many real ones where made ones are.

    A set's place is the union of balls around its members; a ball reaches to the k-th nearest other member. Both shares
    grow with the number of pictures, so compare only what was measured with as many.

    Args:
        real: (N, F) features of real pictures, N > k.
        made: (M, F) features of made pictures, M > k.
        k: which neighbour a ball reaches.

    Returns:
        PrecisionRecall. The standard errors are those of a share of independent pictures beside fixed balls. That other
        pictures of the other set would make other balls is not in them: in repeated draws of two Gaussians the whole spread
        was 1.2 to 1.5 times as large. (A bootstrap is no way out: a picture that is drawn twice makes a ball of radius 0.)
        Near 0 and 1 the error is that of a share with one more hit and one more miss.

    Raises:
        TypeError, ValueError: if real and made do not hold as many finite features, or k is not less than N and M.

    Source: Kynkäänniemi et al. (2019), arXiv:1904.06991, Eq. 1 and 2.
    """
    real, made = _features(2, real=real, made=made)
    most = min(len(real), len(made)) - 1
    if not isinstance(k, int) or not 1 <= k <= most:
        raise ValueError(f"k must be a whole number from 1 to {most}, one less than the number of pictures, got {k!r}")
    return PrecisionRecall(_share_within(made, real, k), _share_within(real, made, k))


def _features(least: int, **sets: Tensor) -> list[Tensor]:
    """The two sets in double precision on the CPU; TypeError or ValueError if they are no features (N, F) alike."""
    for name, x in sets.items():
        if not isinstance(x, Tensor) or not x.is_floating_point():
            kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise TypeError(f"{name} must be a floating-point tensor of features (N, F), got {kind}: "
                            f"e.g. samples.pca_features(train.images)(pictures)")
        if x.ndim != 2 or len(x) < least:
            raise ValueError(f"{name} must have shape (N, F) with N ≥ {least}, got {tuple(x.shape)}: features of pictures, "
                             f"e.g. samples.pca_features(train.images)(pictures)")
        if not torch.isfinite(x).all():
            raise ValueError(f"{name} must hold finite numbers, got NaN or infinity")
    if len({x.shape[1] for x in sets.values()}) > 1:
        raise ValueError(f"{' and '.join(sets)} must have the same number of features, got "
                         f"{' and '.join(str(tuple(x.shape)) for x in sets.values())}")
    return [x.cpu().double() for x in sets.values()]


def _kernel_sums(x: Tensor, y: Tensor) -> Tensor:
    """Σ_j k(x_i, y_j): (N, F) and (M, F) to (N,)."""
    size = max(1, MEMORY // (32 * len(y)))
    return torch.cat([((block @ y.T) / x.shape[1] + 1).pow(3).sum(1) for block in x.split(size)])


def _share_within(points: Tensor, members: Tensor, k: int) -> Estimate:
    """The share of the points that lie in the ball of at least one member."""
    size = max(1, MEMORY // (32 * len(members)))
    # One formula for all distances, without a difference of large terms: a point at a ball's border is always within.
    radius = torch.cat([_distances(block, members).kthvalue(k + 1)[0] for block in members.split(size)])  # itself is first
    n, hits = len(points), sum((_distances(block, members) <= radius).any(1).sum().item() for block in points.split(size))
    share, careful = hits / n, (hits + 1) / (n + 2)
    return Estimate(share, (careful * (1 - careful) / n) ** 0.5)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
