"""The measures of samples against loops over pairs, analytic values for Gaussians, scikit-learn's PCA, and repetition."""

import math
import re

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as ExactPCA
from torch import nn

from vae_course import data, samples


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, shape=(3, 5, 4), seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (n, *shape), generator=rng(seed), dtype=torch.uint8)


def normal(n: int, f: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return shift + scale * torch.randn(n, f, generator=rng(seed), dtype=torch.double)


# ---------------------------------------------------------------- the nearest training pictures

def by_loops(pictures: np.ndarray, training: np.ndarray) -> np.ndarray:
    """(N, M) root of the mean squared difference of every pair."""
    return np.array([[np.sqrt(np.mean((a.astype(float) - b.astype(float)) ** 2)) for b in training] for a in pictures])


@pytest.mark.parametrize("memory", [2 ** 28, 32 * 70, 32 * 1500])     # all at once; one by one; in blocks that do not divide
def test_nearest_is_what_loops_find(memory):
    x, training = pictures(13), pictures(37, seed=1)
    expected = by_loops(x.numpy() / 255, training.numpy() / 255)
    found = samples.nearest(x, training, k=5, memory=memory)
    np.testing.assert_array_equal(found.which, np.argsort(expected, 1)[:, :5])
    np.testing.assert_allclose(found.distance, np.sort(expected, 1)[:, :5], rtol=1e-12)


def test_floats_beside_uint8_are_meant_on_the_scale_of_0_to_1():
    made, training = torch.rand(7, 3, 5, 4, generator=rng()), pictures(11)
    expected = by_loops(made.numpy(), training.numpy() / 255)
    np.testing.assert_allclose(samples.nearest(made, training, k=11).distance, np.sort(expected, 1), rtol=1e-9)
    np.testing.assert_allclose(samples.nearest(made.numpy(), training.numpy()).distance[:, 0], expected.min(1), rtol=1e-9)


def test_pictures_may_stay_in_their_file(tmp_path):
    train, test = pictures(37, seed=1), pictures(13)
    np.save(tmp_path / "all.npy", torch.cat([train, test]).numpy())
    stored = data.ImageFile(tmp_path / "all.npy")
    in_file = stored.subset(torch.arange(37)), stored.subset(torch.arange(37, 50))
    made = torch.rand(20, 3, 5, 4, generator=rng(2))
    for sets in ((train, test), in_file):
        found = samples.nearest(sets[1], sets[0], k=3, memory=32 * 1500)
        np.testing.assert_allclose(found.distance, np.sort(by_loops(test.numpy() / 255, train.numpy() / 255), 1)[:, :3])
        assert (found.distance > 0).all()
    assert samples.memorization(made, *in_file).made.which.equal(samples.memorization(made, train, test).made.which)
    codes = [samples.pca_features(images, 5)(test) for images in (train, in_file[0])]
    torch.testing.assert_close(*codes)
    assert samples.compare(made, *in_file, samples.pca_features(train, 5)) == samples.compare(
        made, train, test, samples.pca_features(in_file[0], 5))


def test_a_table_keeps_its_own_scale():
    x, training = 1000 * normal(6, 3, 0), 1000 * normal(9, 3, 1).float()
    expected = by_loops(x.numpy(), training.numpy())
    np.testing.assert_allclose(samples.nearest(x, training, k=9).distance, np.sort(expected, 1), rtol=1e-9)


def test_a_copy_is_at_exactly_0_where_the_numbers_are_large():
    training = 1e6 + normal(50, 20, 0)
    found = samples.nearest(training[[30, 4, 4]], training)
    assert found.which.flatten().tolist() == [30, 4, 4] and (found.distance == 0).all()


def test_which_were_copied():
    train, test = pictures(60), pictures(25, seed=1)
    made = torch.rand(9, 3, 5, 4, generator=rng(2))
    noise = torch.randn(3, 5, 4, generator=rng(3)) / 100
    made[2], made[5] = train[17] / 255, (train[40] / 255 + noise).clamp(0, 1)
    found = samples.memorization(made, train, test)
    assert found.copies[0].nonzero().flatten().tolist() == [2, 5] and not found.copies[1].any()
    assert found.made.which[[2, 5], 0].tolist() == [17, 40]
    assert "2 of 9" in str(found) and "0 of 25" in str(found)


def test_a_blurred_picture_is_no_copy():
    train = pictures(60)
    made = (train / 255).mean(0, keepdim=True)
    found = samples.memorization(made, train, pictures(25, seed=1))
    assert found.made.distance[0, 0] < found.test.distance.min() and not found.copies[0].any()


# ---------------------------------------------------------------- features

def correlated(n: int, seed: int) -> torch.Tensor:
    """(n, 2, 6, 5) uint8 that vary in some directions more than in others."""
    mixing = torch.randn(60, 60, generator=rng(9), dtype=torch.double) * torch.linspace(3, 0.1, 60, dtype=torch.double)
    return (128 + 5 * normal(n, 60, seed) @ mixing.T).clamp(0, 255).to(torch.uint8).view(n, 2, 6, 5)


@pytest.mark.parametrize("n", [1, 7, 55])
def test_pca_is_scikit_learns(n):
    train, test = correlated(300, 0), correlated(41, 1)
    exact = ExactPCA(n, svd_solver="full").fit(train.flatten(1).double() / 255)
    pca = samples.pca_features(train, n)
    np.testing.assert_allclose(pca.sigma, exact.singular_values_ / math.sqrt(300), rtol=1e-5)
    flat = (test.flatten(1).double() / 255).numpy()
    back = exact.inverse_transform(exact.transform(flat))
    errors = [np.mean((guess - flat) ** 2) for guess in (back, pca.decode(pca(test)).flatten(1).numpy())]
    assert math.isclose(*errors, rel_tol=1e-3)


def test_the_codes_are_whitened():
    train = correlated(300, 0)
    codes = samples.pca_features(train, 12)(train)
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(codes.T @ codes / 300, np.eye(12), atol=1e-3)


def test_draws_from_the_gaussian_of_pca_have_its_covariance():
    train = correlated(3000, 0)
    drawn = samples.pca_features(train, 59).decode(normal(20_000, 59, 3))
    variances = [(x.flatten(1).double()).var(0) for x in (train / 255, drawn)]
    np.testing.assert_allclose(*variances, rtol=0.1)


def test_what_is_given_stays_as_it_is():
    table, more = normal(40, 6, 0), normal(11, 6, 1)
    given = [x.clone() for x in (table, more)]
    pca = samples.pca_features(table, 3)
    samples.compare(more, table, more, pca)
    samples.memorization(more, table, more)
    assert torch.equal(table, given[0]) and torch.equal(more, given[1])


def test_pca_is_the_same_each_time():
    first, second = (samples.pca_features(correlated(100, 0), 5)(correlated(9, 1)) for _ in range(2))
    assert torch.equal(first, second)


def test_the_hidden_layer_of_a_judge():
    judge = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 2))
    x = pictures(1005)
    found = samples.network_features(judge[:-1])(x)
    assert found.shape == (1005, 8) and found.dtype == torch.double and not found.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(found[-3:], judge.eval()[:-1](x[-3:].float() / 255).double())


# ---------------------------------------------------------------- the kernel distance

def kernel_by_loops(a: np.ndarray, b: np.ndarray) -> float:
    """The definition, pair by pair."""
    def k(x, y):
        return (sum(p * q for p, q in zip(x, y)) / len(x) + 1) ** 3

    within = [np.mean([k(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (a, b)]
    return sum(within) - 2 * np.mean([k(x, y) for x in a for y in b])


def test_the_kernel_distance_is_that_of_loops_and_its_error_a_jackknife():
    a, b = normal(9, 4, 0), normal(6, 4, 1, 1.5, 0.5)
    found = samples.kernel_distance(a, b)
    assert math.isclose(found.mean, kernel_by_loops(a.numpy(), b.numpy()), rel_tol=1e-10)
    variance = 0.0
    for own, other in ((a.numpy(), b.numpy()), (b.numpy(), a.numpy())):
        left_out = [kernel_by_loops(np.delete(own, i, 0), other) for i in range(len(own))]
        variance += (len(own) - 1) * np.var(left_out)
    assert math.isclose(found.standard_error, math.sqrt(variance), rel_tol=1e-10)


def third_moments(m: np.ndarray, s: np.ndarray) -> np.ndarray:
    """E[x x x] of N(m, s), (F, F, F)."""
    mixed = np.einsum("i,jk->ijk", m, s)
    return np.einsum("i,j,k->ijk", m, m, m) + mixed + mixed.transpose(1, 0, 2) + mixed.transpose(1, 2, 0)


def kernel_of_gaussians(m: np.ndarray, s: np.ndarray, n: np.ndarray, t: np.ndarray) -> float:
    """(x·y/F + 1)³ = 1 + 3 x·y/F + 3 (x·y)²/F² + (x·y)³/F³ compares the first three moments of N(m, s) and N(n, t)."""
    f = len(m)
    first, second, third = m - n, s + np.outer(m, m) - t - np.outer(n, n), third_moments(m, s) - third_moments(n, t)
    return 3 * (first ** 2).sum() / f + 3 * (second ** 2).sum() / f ** 2 + (third ** 2).sum() / f ** 3


def test_the_kernel_distance_of_gaussians_and_its_error():
    m, n = np.array([0.2, -0.4, 0.1]), np.array([0.5, 0.0, 0.1])
    roots = np.array([[1, 0, 0], [0.5, 0.8, 0], [0, 0.1, 1.2]]), np.array([[0.9, 0, 0], [-0.2, 1, 0], [0.3, 0, 0.7]])
    expected = kernel_of_gaussians(m, roots[0] @ roots[0].T, n, roots[1] @ roots[1].T)
    found = [samples.kernel_distance(normal(150, 3, 2 * k) @ torch.tensor(roots[0].T) + torch.tensor(m),
                                     normal(110, 3, 2 * k + 1) @ torch.tensor(roots[1].T) + torch.tensor(n))
             for k in range(200)]
    values, errors = (np.array(part) for part in zip(*found))
    spread = values.std(ddof=1)
    assert abs(values.mean() - expected) < 4 * spread / math.sqrt(200)
    assert 0.85 < math.sqrt((errors ** 2).mean()) / spread < 1.15     # 200 repeats tell a spread to 5 %


def test_at_the_floor_the_distance_is_0_and_the_error_is_too_large_rather_than_too_small():
    values, errors = (np.array(part) for part in zip(*(
        samples.kernel_distance(normal(80, 4, 2 * k), normal(60, 4, 2 * k + 1)) for k in range(200))))
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(200)
    assert 1.1 < math.sqrt((errors ** 2).mean()) / values.std() < 1.8 and (values < 0).any()


def test_blocks_change_nothing(monkeypatch):
    a, b = normal(50, 4, 0), normal(31, 4, 1)
    whole = samples.kernel_distance(a, b), samples.precision_recall(a, b)
    monkeypatch.setattr("vae_course.samples.measures.MEMORY", 32 * 31 * 7)
    np.testing.assert_allclose(samples.kernel_distance(a, b), whole[0], rtol=1e-10)
    assert samples.precision_recall(a, b) == whole[1]


# ---------------------------------------------------------------- precision and recall

def within_by_loops(points: np.ndarray, members: np.ndarray, k: int) -> float:
    radii = [sorted(np.linalg.norm(x - y) for j, y in enumerate(members) if j != i)[k - 1] for i, x in enumerate(members)]
    return np.mean([any(np.linalg.norm(p - x) <= r for x, r in zip(members, radii)) for p in points])


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_loops(k):
    real, made = normal(40, 3, 0), normal(33, 3, 1, 0.8, 0.3)
    found = samples.precision_recall(real, made, k)
    assert found.precision.mean == within_by_loops(made.numpy(), real.numpy(), k)
    assert found.recall.mean == within_by_loops(real.numpy(), made.numpy(), k)
    assert 0 < found.precision.mean != found.recall.mean < 1


def test_precision_and_recall_at_their_ends():
    real = normal(40, 3, 0)
    same, apart = samples.precision_recall(real, real.flip(0)), samples.precision_recall(real, real + 100)
    assert [share.mean for share in (*same, *apart)] == [1, 1, 0, 0]
    assert all(share.standard_error > 0.02 for share in (*same, *apart)), "40 pictures do not make certain"
    narrow = samples.precision_recall(normal(500, 3, 0), 0.1 * normal(300, 3, 1))
    assert narrow.precision.mean > 0.95 and narrow.recall.mean < 0.05, "made pictures that are all alike"


def test_the_error_of_the_precision_is_that_of_new_pictures():
    real = normal(150, 6, 0)
    shares = [samples.precision_recall(real, normal(150, 6, k, 1.2)).precision for k in range(1, 120)]
    spread = np.std([share.mean for share in shares])
    assert 0.8 < np.mean([share.standard_error for share in shares]) / spread < 1.2


# ---------------------------------------------------------------- beside the floor

def test_generated_pictures_are_worse_than_the_floor_and_real_ones_are_not():
    train, test, others = correlated(900, 0), correlated(300, 1), correlated(280, 2)
    features = samples.pca_features(train, 20)
    blurred = samples.compare(nn.functional.avg_pool2d(others / 255, 3, 1, 1), train, test, features)
    assert blurred.n == 280
    distance, shares = blurred.made
    floor, real = blurred.floor
    assert distance.mean > floor.mean + 4 * distance.standard_error and shares.recall.mean < real.recall.mean - 0.1
    unspoilt = samples.compare(others, train, test, features).made[0]
    assert abs(unspoilt.mean - floor.mean) < 4 * (unspoilt.standard_error + floor.standard_error)


def test_every_printed_form_says_what_it_is_not(capsys):
    a, b = normal(40, 3, 0), normal(33, 3, 1)
    features = samples.pca_features(pictures(50), 4)
    comparison = samples.compare(pictures(30), pictures(40, seed=1), pictures(35, seed=2), features)
    for said in (samples.kernel_distance(a, b), samples.precision_recall(a, b), comparison):
        assert "no FID or KID, not comparable with published numbers" in str(said)
    assert re.search(r"30 test pictures \(the floor\) +-?\d", str(comparison))


@pytest.mark.parametrize(("value", "error", "said"), [(0.01432, 0.00213, "0.0143 ± 0.0021"), (-3.1, 0.52, "-3.10 ± 0.52"),
                                                      (1234.5, 67.0, "1234 ± 67"), (0.0, 0.0, "0.000 ± 0.000")])
def test_a_distance_is_printed_to_two_digits_of_its_error(value, error, said):
    assert samples.KernelDistance(value, error).number() == said


# ---------------------------------------------------------------- what does not fit

IMAGES, FEATURES = pictures(8), normal(8, 3, 0)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: samples.nearest([1, 2], IMAGES), TypeError, "pictures must be a tensor of pictures (N, …).*got list"),
    (lambda: samples.nearest(IMAGES, "folder"), TypeError, "training must be a tensor.*got str.*from_arrays"),
    (lambda: samples.nearest(IMAGES.long(), IMAGES),
     TypeError, "pictures must hold uint8.*got torch.int64.*to(torch.uint8)"),
    (lambda: samples.nearest(IMAGES[0, 0, 0], IMAGES),
     ValueError, "pictures must have shape (N, …).*got (4,).*unsqueeze"),
    (lambda: samples.nearest(IMAGES[:0], IMAGES),
     ValueError, "pictures must have shape (N, …) with N ≥ 1, got (0, 3, 5, 4)"),
    (lambda: samples.nearest(IMAGES, IMAGES[:, :1]), ValueError, "same shape, got (8, 3, 5, 4) and (8, 1, 5, 4)"),
    (lambda: samples.nearest(IMAGES.float(), IMAGES),
     ValueError, "pictures must lie in [0, 1] beside uint8.*divide by 255"),
    (lambda: samples.nearest(IMAGES, IMAGES.float()), ValueError, "training must lie in [0, 1] beside uint8"),
    (lambda: samples.nearest(IMAGES / 0.0, IMAGES / 255), ValueError, "pictures must hold finite numbers"),
    (lambda: samples.nearest(IMAGES, IMAGES, k=9), ValueError, "k must be a whole number from 1 to 8.*got 9"),
    (lambda: samples.nearest(IMAGES, IMAGES, k=0), ValueError, "k must be a whole number from 1 to 8.*got 0"),
    (lambda: samples.nearest(IMAGES, IMAGES, memory=1000), ValueError, "memory must be at least 1952 bytes.*got 1000"),
    (lambda: samples.memorization(IMAGES, IMAGES, 3), TypeError, "test must be a tensor of pictures.*got int"),
    (lambda: samples.memorization(IMAGES, IMAGES[:1], IMAGES), ValueError, "train must hold at least 2"),
    (lambda: samples.pca_features(IMAGES, 8), ValueError, "n must be a whole number from 1 to 7, for 8 images.*got 8"),
    (lambda: samples.pca_features(torch.full((9, 1, 2, 2), 7, dtype=torch.uint8), 2),
     ValueError, "images must differ, and are all the same"),
    (lambda: samples.pca_features(IMAGES[[0, 1] * 4], 3),
     ValueError, "images must vary in n = 3 directions, and do in 1"),
    (lambda: samples.pca_features(IMAGES, 3)(IMAGES[:, :1]),
     ValueError, "pictures must have shape (N, 3, 5, 4).*(8, 1, 5, 4)"),
    (lambda: samples.pca_features(IMAGES, 3).decode(FEATURES[:, :2]),
     ValueError, "codes must have shape (N, 3), got (8, 2)"),
    (lambda: samples.kernel_distance(FEATURES, IMAGES),
     TypeError, "b must be a floating-point tensor.*uint8.*pca_features"),
    (lambda: samples.kernel_distance(IMAGES / 255, FEATURES), ValueError, "a must have shape (N, F).*got (8, 3, 5, 4)"),
    (lambda: samples.kernel_distance(FEATURES, FEATURES[:, :2]),
     ValueError, "a and b must have the same number of features"),
    (lambda: samples.kernel_distance(FEATURES, FEATURES[:2]),
     ValueError, "b must have shape (N, F) with N ≥ 3, got (2, 3)"),
    (lambda: samples.kernel_distance(FEATURES, FEATURES / 0), ValueError, "b must hold finite numbers"),
    (lambda: samples.precision_recall(FEATURES, FEATURES[:4], k=4),
     ValueError, "k must be a whole number from 1 to 3.*got 4"),
    (lambda: samples.compare(IMAGES, IMAGES, IMAGES, lambda x: x / 255),
     ValueError, "features(made) must have shape (N, F)"),
    (lambda: samples.compare(IMAGES, IMAGES, IMAGES, lambda x: None), TypeError, "features(made) must be.*got NoneType"),
    (lambda: samples.compare(IMAGES, IMAGES, 5, samples.pca_features(IMAGES, 2)), TypeError, "test must be a tensor"),
    (lambda: samples.precision_recall(FEATURES, [1]), TypeError, "made must be a floating-point tensor.*got list"),
])
def test_what_does_not_fit_is_named(call, error, message):
    pattern = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(error, match=pattern):
        call()
