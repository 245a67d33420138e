"""Derivations that people posted in public, right and wrong: the prover names the line that is wrong.

The lines are formulas of the pages named; where a page is wrong, a corrected line follows.
"""

import pytest
import sympy as sp

from vae_course.derivations import Derivation, StepRefuted, StepUndecided
from vae_course.derivations import normal_density as N

x, z, mu, mu1, mu2, mq, mp, x1, x2 = sp.symbols("x z mu mu_1 mu_2 m_q m_p x_1 x_2", real=True)
sigma, s1, s2, sq, sp_, w1, w2, pX = sp.symbols("sigma s1 s2 sq sp w1 w2 pX", positive=True)
q, p, r = (sp.Function(name, positive=True) for name in "qpr")
half, oo, log = sp.Rational(1, 2), sp.oo, sp.log


def line(f, u):
    return sp.Integral(f, (u, -oo, oo))


def kl(one, other, u):
    return line(one * log(one / other), u)


BOTH = kl(N(x, mu1, s1 ** 2), N(x, mu2, s2 ** 2), x)
STANDARD = kl(N(z, mu, sigma ** 2), N(z, 0, 1), z)
NAMED = kl(N(z, mq, sq ** 2), N(z, mp, sp_ ** 2), z)
PIXEL = -log(N(x, mu, sigma ** 2))
FAR = (s1 ** 2 + (mu1 - mu2) ** 2) / (2 * s2 ** 2)
EVIDENCE = line(q(z) * log(q(z) / p(z)), z) - line(q(z) * log(r(z)), z) + log(pX)
PIXELS = -log(2 * sp.pi) - (x1 - mu1) ** 2 / (2 * s1 ** 2) - (x2 - mu2) ** 2 / (2 * s2 ** 2)
ONE = sp.Eq(line(q(z), z), 1)

# page → start, its lines as (formula, whether it follows from the last right line; None: it may have no value), facts
POSTED = {
    "stats.stackexchange.com/questions/7440": (BOTH, [
        (log(2 * sp.pi * s2 ** 2) / 2 + FAR - (1 + log(2 * sp.pi * s1 ** 2)) / 2, True),
        (log(s2 / s1) + FAR, False),                                                            # −½ is lost
        (log(s2 / s1) + FAR - half, True)], ()),
    "e-com-net.com/article/5623280.htm": (BOTH, [
        (((mu1 - mu2) ** 2 + s1 ** 2 + s2 ** 2) * (1 / s1 ** 2 + 1 / s2 ** 2) / 2 - 2, False)], ()),
    "the same, for KL(p‖q) + KL(q‖p)": (BOTH + kl(N(x, mu2, s2 ** 2), N(x, mu1, s1 ** 2), x), [
        (((mu1 - mu2) ** 2 + s1 ** 2 + s2 ** 2) * (1 / s1 ** 2 + 1 / s2 ** 2) / 2 - 2, True)], ()),
    "stats.stackexchange.com/questions/318184": (-(2 * log(sigma) - sigma ** 2 - mu ** 2 + 1) / 2, [
        (-(log(sigma) - sigma - mu ** 2 + 1) / 2, False)], ()),                                 # σ for σ²
    "stats.stackexchange.com/questions/338928, by μ": (sp.Derivative(PIXEL, mu), [
        (sp.Integer(2), False), ((mu - x) / sigma ** 2, True)], ()),
    "stats.stackexchange.com/questions/338928, by σ": (sp.Derivative(PIXEL, sigma), [
        (-4 * sigma + 1 / sigma, False), (1 / sigma - (x - mu) ** 2 / sigma ** 3, True)], ()),
    "stats.stackexchange.com/questions/540092": (log(N(x1, mu1, s1 ** 2) * N(x2, mu2, s2 ** 2)), [
        (PIXELS - log(s1 ** 2 * s2 ** 2) / 2, True),
        (PIXELS - (s1 ** 2 + s2 ** 2) / 2, False)], ()),                                        # a sum without logarithms
    "github.com/SupaeroDataScience/deep-learning/pull/6": (STANDARD, [
        (mu ** 2 + sigma ** 2 - log(sigma) - half, False),                                      # ½ on two of four terms
        ((mu ** 2 + sigma ** 2) / 2 - log(sigma) - half, True)], ()),
    "github.com/FluxML/model-zoo/pull/76 and 147": (STANDARD, [
        ((sigma ** 2 + mu ** 2 - 1 + log(sigma) ** 2) / 2, False), ((sigma ** 2 + mu ** 2 - 1 + 2 * log(sigma)) / 2, False),
        ((sigma ** 2 + mu ** 2 - 1 - 2 * log(sigma)) / 2, True)], ()),
    "github.com/kasparmartens/NeuralProcesses/issues/1": (NAMED, [
        ((sq ** 2 / sp_ ** 2 + (mq - mp) ** 2 / sp_ ** 2 - 1 - log(sp_ ** 2 / sq ** 2)) / 2, False),
        ((sq ** 2 / sp_ ** 2 + (mq - mp) ** 2 / sp_ ** 2 - 1 - log(sq ** 2 / sp_ ** 2)) / 2, True)], ()),
    "kvfrans.com/deriving-the-kl": (line(q(z) * log(q(z) / (r(z) * p(z) / pX)), z), [(EVIDENCE, True)], (ONE,)),
    "the same, with a planted sign": (log(pX), [
        (line(q(z) * log(r(z)), z) + line(q(z) * log(q(z) / p(z)), z) + kl(q(z), r(z) * p(z) / pX, z), False),
        (line(q(z) * log(r(z)), z) - line(q(z) * log(q(z) / p(z)), z) + kl(q(z), r(z) * p(z) / pX, z), True)], (ONE,)),
    "github.com/AntixK/PyTorch-VAE/issues/69": (-(1 + 2 * log(sigma) - mu ** 2 - sp.exp(2 * log(sigma))) / 2, [
        ((mu ** 2 + sigma ** 2 - 1 - log(sigma ** 2)) / 2, True)], ()),
    "github.com/tensorflow/probability/issues/189": (-log((w1 + w2) / 2), [(log((1 / w1 + 1 / w2) / 2), False)], ()),
    "masonlwang.com, concepts/ELBO": (line(q(z) * log(r(z) * p(z) / q(z)), z), [
        (line(log(q(z) * r(z) * p(z) / q(z)), z), None)], (ONE,)),                     # q belongs outside the logarithm
}


@pytest.mark.parametrize("page", POSTED)
def test_the_wrong_line_is_named(page):
    start, lines, given = POSTED[page]
    d = Derivation(start, given=given)
    for number, (formula, follows) in enumerate(lines, 1):
        if follows:
            d.step(formula, because=f"line {number}")
        else:
            wrong = (StepRefuted, StepUndecided) if follows is None else StepRefuted
            with pytest.raises(wrong, match=f"line {number}"):
                d.step(formula, because=f"line {number}")


def test_the_bound_that_was_posted_beside_them():
    assert Derivation((log(w1) + log(w2)) / 2).bound(log((w1 + w2) / 2), because="Jensen").relation == "<="
