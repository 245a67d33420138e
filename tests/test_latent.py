"""Codes: straight ways, arcs and principal axes, beside scikit-learn and plain trigonometry."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from vae_course.latent import lerp, principal_axes, slerp

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("way", [lerp, slerp])
def test_the_ends_are_the_ends(way):
    a, b = RNG.standard_normal((2, 7))
    np.testing.assert_allclose(way(a, b, 0), a, atol=1e-12)
    np.testing.assert_allclose(way(a, b, 1), b, atol=1e-12)


def test_lerp_halves_and_a_quarter_of_the_way():
    np.testing.assert_allclose(lerp([0, 4, -2], [8, 0, 2], 0.25), [2, 3, -1])


def test_slerp_goes_around_the_circle_with_constant_speed():
    ends = [2 * np.array([np.cos(angle), np.sin(angle)]) for angle in (0.3, 1.7)]
    for t in (0, 0.2, 0.5, 0.9, 1):
        angle = 0.3 + t * 1.4
        np.testing.assert_allclose(slerp(*ends, t), [2 * np.cos(angle), 2 * np.sin(angle)], atol=1e-12)


def test_slerp_keeps_the_length_that_lerp_loses():
    a, b = RNG.standard_normal((2, 50))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    assert np.linalg.norm(slerp(a, b, 0.5)) == pytest.approx(np.linalg.norm(a))
    assert np.linalg.norm(lerp(a, b, 0.5)) < 0.9 * np.linalg.norm(a)


@pytest.mark.parametrize("b", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_slerp_without_an_arc_is_the_straight_way(b):
    np.testing.assert_allclose(slerp([1.0, 2.0], b, 0.25), lerp([1.0, 2.0], b, 0.25))


def test_shapes_that_do_not_fit_are_refused():
    for way in (lerp, slerp):
        with pytest.raises(ValueError, match=r"one shape, got \(2,\) and \(3,\)"):
            way([1, 2], [1, 2, 3], 0.5)
    with pytest.raises(ValueError, match=r"vectors"):
        slerp(np.ones((2, 3)), np.ones((2, 3)), 0.5)


def test_principal_axes_are_those_of_scikit_learn():
    codes = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3
    mean, axes, std = principal_axes(codes, 3)
    pca = PCA(3).fit(codes)
    np.testing.assert_allclose(mean, pca.mean_)
    np.testing.assert_allclose(std, np.sqrt(pca.explained_variance_))
    np.testing.assert_allclose(np.abs(axes @ pca.components_.T), np.eye(3), atol=1e-9)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in axes)


def test_along_an_axis_the_codes_have_its_standard_deviation():
    codes = RNG.standard_normal((300, 4)) * [1, 5, 0.1, 2]
    mean, axes, std = principal_axes(codes, 4)
    np.testing.assert_allclose(((codes - mean) @ axes.T).std(axis=0, ddof=1), std)
    assert list(np.abs(axes).argmax(axis=1)) == [1, 3, 0, 2]


def test_one_dimension_has_one_axis():
    _, axes, std = principal_axes([[1.0], [3.0]], 1)
    assert axes.tolist() == [[1.0]] and std[0] == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("codes, k, words", [(np.ones(4), 1, r"\(n, Z\)"), (np.ones((1, 3)), 1, r"n ≥ 2"),
                                             (np.ones((9, 3)), 4, "from 1 to the 3"), (np.ones((9, 3)), 0, "got 0")])
def test_bad_arguments_are_named(codes, k, words):
    with pytest.raises(ValueError, match=words):
        principal_axes(codes, k)
