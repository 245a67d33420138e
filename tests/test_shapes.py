"""That the shapes of docstrings are read, that a wrong one is noticed, and that the tests call the checked functions."""

import inspect
from typing import NamedTuple

import numpy as np
import pytest
import shapes
import torch
from torch import Tensor

from vae_course import densities, evaluation, latent, objectives
from vae_course.densities import kl_to_standard_normal
from vae_course.linear_gaussian import LinearGaussian
from vae_course.models import VAE, reference_vae

# Functions whose docstring gives no shape of the tensor that they return: parts that hand on, losses, functions, iterators.
WITHOUT_SHAPE = {"warm_up_negative_elbo", "GaussianEncoder.forward", "VAE.forward", "ConcatCondition.forward",
                 "IgnoreCondition.forward", "ConditionAfter.forward", "ClassMeans.forward", "network_features",
                 "ImageFile.split"}


class Pair(NamedTuple):
    a: Tensor
    b: Tensor


def documented(docstring: str, signature: str = "x: Tensor, n: int = 1", answer: str = "Tensor"):
    """A function with this docstring and signature, which answers with what it is given as `reply`."""
    space = {"Tensor": Tensor, "Pair": Pair, "np": np}
    exec(f"def function({signature}, *, reply=None) -> {answer}:\n    return reply", space)
    space["function"].__doc__ = docstring
    return space["function"]


def check(docstring: str, signature: str = "x: Tensor, n: int = 1", answer: str = "Tensor"):
    """That function with its docstring checked."""
    function = documented(docstring, signature, answer)
    return shapes.checked(function, shapes.read(function, {}))


# ---------------------------------------------------------------- what the tests of the package stand on

def test_the_tests_call_the_checked_functions():
    assert kl_to_standard_normal is densities.kl_to_standard_normal
    for function in (kl_to_standard_normal, objectives.reparameterize, evaluation.log_weights, VAE.encode, latent.slerp):
        assert hasattr(function, "without_shapes"), function


def test_every_function_that_returns_tensors_says_of_what_shape():
    silent = {function.__qualname__ for function, said in shapes.read_all().items()
              if "Tensor" in str(inspect.signature(function).return_annotation) and not said.returned}
    assert silent <= WITHOUT_SHAPE


def test_what_is_said_of_several_parts_can_be_used():
    for function, said in shapes.read_all().items():
        annotation = inspect.get_annotations(function, eval_str=True).get("return")
        if said.returned:
            assert shapes.returned_hint(said, annotation) is not annotation, f"{function.__qualname__} says {said.returned}"


def test_most_of_the_package_is_checked():
    assert sum(hasattr(f, "without_shapes") for f in shapes.public(densities).values()) >= 10
    assert sum(bool(shapes.every(said)) for said in shapes.read_all().values()) >= 45


# ---------------------------------------------------------------- reading

@pytest.mark.parametrize("docstring, arguments, returned", [
    ("Sum.\n\nArgs:\n    x, n: (B, Z) some.\n\nReturns:\n    (B,) nats.", {"x": "B Z", "n": "B Z"}, ["nats B"]),
    ("Sum.\n\nArgs:\n    x: (…, B) some\n        (Q, Q) more.\n    n: as x; why.\n", {"x": "*_more B", "n": "*_more B"}, []),
    ("Sum.\n\nArgs:\n    x: (N, 1, 28, 28) uint8.\n\nReturns:\n    z, of the shape of x.", {"x": "uint8 N 1 28 28"},
     ["uint8 N 1 28 28"]),
    ("Sum.\n\nArgs:\n    x: scalar tensor.\n\nReturns:\n    {\"loss\"}: scalar tensors.", {"x": ""}, [""]),
    ("Grey: (B, …) uint8 to (B,\n…) float32 in [0, 1].", {"x": "uint8 B *_more"}, ["float32 B *_more"]),
    ("mu of q for one image x (H, W) in [0, 1]: (Z,) and (Z,).", {"x": "H W"}, ["Z", "Z"]),
    ("Both, (B, *input_shape) each, for x (B, …).", {"x": "B *_more"}, ["B *input_shape"]),
    ("Draws of (z, x), each (n,): see Larochelle (2011).", {}, ["n"]),
    ("log(1 + x), elementwise.", {"x": "*_more"}, ["*_more"]),
    ("As a picture, as x.", {"x": "*_more"}, ["*_more"]),
    ("No shape.\n\nRaises:\n    ValueError: if x is not (B, Z).", {}, []),
])
def test_reading(docstring, arguments, returned):
    said = shapes.read(documented(docstring), {})
    assert (said.arguments, said.returned) == (arguments, returned)


def test_an_entry_may_refer_to_another_function():
    other = documented("Sum.\n\nArgs:\n    x: (B, Z) some.\n    n: K, how many.")
    said = shapes.read(documented("Sum.\n\nArgs:\n    x, n: as `module.other`."), {"other": other})
    assert said.arguments == {"x": "B Z"} and said.lengths == {"n": "K"}


# ---------------------------------------------------------------- checking

SUM = "Sum.\n\nArgs:\n    x: (B, Z) float32.\n    n: K, how many.\n\nReturns:\n    (K, B) nats."


def test_a_call_that_agrees_passes():
    check(SUM)(torch.zeros(4, 3), 2, reply=torch.zeros(2, 4))


@pytest.mark.parametrize("x, n, answer", [
    (torch.zeros(4, 3), 2, torch.zeros(4, 2)),                  # axes swapped
    (torch.zeros(4, 3), 2, torch.zeros(3, 4)),                  # not the number of draws
    (torch.zeros(4, 3), 2, torch.zeros(2, 4).long()),           # nats are no whole numbers
    (torch.zeros(4, 3), 2, None),
    (torch.zeros(4, 3).double(), 2, torch.zeros(2, 4)),
    (torch.zeros(4), 2, torch.zeros(2, 4)),
])
def test_a_call_that_differs_from_the_docstring_is_noticed_each_time(x, n, answer):
    function = check(SUM)
    for _ in range(2):
        with pytest.raises(shapes.WrongDocstring, match="function does not hold"):
            function(x, n, reply=answer)


def test_several_parts_are_checked_one_by_one():
    each = check("Both: (B,) nats each, for x (B, Z).", answer="Pair")
    pair = check("The first (B,), the second (B, Z), for x (B, Z).", answer="tuple[Tensor, Tensor]")
    x, b = torch.zeros(4, 3), torch.zeros(4)
    each(x, reply=Pair(b, b))
    pair(x, reply=(b, x))
    for function, answer in ((each, Pair(b, x)), (pair, (x, b))):
        with pytest.raises(shapes.WrongDocstring):
            function(x, reply=answer)


def test_a_type_that_the_signature_does_not_name_is_noticed():
    function = check("(B, Z) to (B,) nats.")
    with pytest.raises(shapes.WrongDocstring):
        function(torch.zeros(4, 3), "2", reply=torch.zeros(4))


@pytest.mark.parametrize("function, right, wrong, call", [
    (kl_to_standard_normal, "(B,) nats", "(Z,) nats", lambda f: f(torch.zeros(4, 3), torch.zeros(4, 3))),
    (densities.normal_log_density, "z: (…, B, Z)", "z: (B, Z)",
     lambda f: f(torch.zeros(5, 4, 3), torch.zeros(4, 3), torch.zeros(4, 3))),
    (objectives.log_weights, "(K, B) nats", "(B, K) nats",
     lambda f: f(reference_vae(2), torch.zeros(4, 1, 28, 28), n_samples=3)),
    (VAE.encode, "(B, Z) each", "(Z, B) each", lambda f: f(reference_vae(2), torch.zeros(4, 1, 28, 28))),
    (LinearGaussian.sample, "each (n,)", "each (n, Z)", lambda f: f(LinearGaussian(1.0, 0.0, 1.0), 3)),
    (latent.principal_axes, "axes (k, Z)", "axes (Z, k)", lambda f: f(np.random.default_rng(0).normal(size=(6, 4)), 2)),
])
def test_a_mistake_planted_in_a_docstring_of_the_package_is_noticed(function, right, wrong, call):
    plain = function.without_shapes
    by_name = {other.__name__: other for other in shapes.read_all()}
    said = plain.__doc__
    call(shapes.checked(plain, shapes.read(plain, by_name)))
    try:
        assert right in said
        plain.__doc__ = said.replace(right, wrong)
        with pytest.raises(shapes.WrongDocstring):
            call(shapes.checked(plain, shapes.read(plain, by_name)))
    finally:
        plain.__doc__ = said


def test_a_function_answers_with_its_own_error_first():
    with pytest.raises(ValueError, match="mu and logvar must have the same shape"):
        kl_to_standard_normal(torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(TypeError, match="mu must be a floating-point tensor"):
        kl_to_standard_normal([1.0], torch.zeros(4, 2))
