"""What one does with codes: go from one to another, and find the axes along which they spread. NumPy only."""

import numpy as np
from numpy.typing import ArrayLike


def lerp(a: ArrayLike, b: ArrayLike, t: float) -> np.ndarray:
    """The point a fraction t of the straight way from a to b: (1 − t)·a + t·b. Derived in notebooks/09.

    Args:
        a, b: the two ends, of one shape.
        t: 0 gives a, 1 gives b.

    Raises:
        ValueError: if the shapes differ.
    """
    a, b = _same_shape(a, b)
    return (1 - t) * a + t * b


def slerp(a: ArrayLike, b: ArrayLike, t: float) -> np.ndarray:
    """The point a fraction t of the arc from a to b: (sin((1 − t)Ω)·a + sin(tΩ)·b) / sin Ω, with Ω the angle between them.

    Between two vectors of one length it keeps that length. Where the arc is not defined (a or b is zero, or they point
    in opposite directions) or has no angle (one direction), it is the straight way.

    Args:
        a, b: (Z,) the two ends.
        t: 0 gives a, 1 gives b.

    Raises:
        ValueError: if a and b are not vectors of one length.

    Source: Shoemake (1985), "Animating rotation with quaternion curves", SIGGRAPH; for latent codes White (2016),
    arXiv:1609.04468. Derived in notebooks/09.
    """
    a, b = _same_shape(a, b)
    if a.ndim != 1:
        raise ValueError(f"a and b must be vectors (Z,), got shape {a.shape}")
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / lengths, -1, 1)) if lengths > 0 else 0.0
    if np.sin(angle) < 1e-6:
        return lerp(a, b, t)
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def principal_axes(codes: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k orthogonal directions along which codes spread most: the principal component analysis of the codes.

    Args:
        codes: (n, Z), for example the posterior means of a data set; n ≥ 2.
        k: how many axes, from 1 to Z.

    Returns:
        mean (Z,) of the codes; axes (k, Z), rows of length 1, the widest first, each with its largest entry positive;
        std (k,), the standard deviation of the codes along each.

    Raises:
        ValueError: if `codes` has another shape or `k` is out of range.
    """
    codes = np.asarray(codes, dtype=float)
    if codes.ndim != 2 or len(codes) < 2:
        raise ValueError(f"codes must have shape (n, Z) with n ≥ 2, got {codes.shape}")
    if not 1 <= k <= codes.shape[1]:
        raise ValueError(f"k must be from 1 to the {codes.shape[1]} dimensions of the codes, got {k}")
    mean = codes.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(codes, rowvar=False).reshape(codes.shape[1], -1))
    widest = np.argsort(variances)[::-1][:k]
    axes = vectors[:, widest].T
    axes = axes * np.sign(axes[np.arange(k), np.abs(axes).argmax(axis=1)])[:, None]  # else the sign would be chance
    return mean, axes, np.sqrt(np.maximum(variances[widest], 0))


def _same_shape(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, got {a.shape} and {b.shape}")
    return a, b
