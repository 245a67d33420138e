"""The shapes that docstrings promise, checked wherever a test calls a function of the package.

A docstring says `mu: (B, Z) mean of q(z|x)` and `Returns: (B,) nats`. Here this is read, made into jaxtyping's hints, and
after each call that a function answered, beartype holds the arguments and the answer against them: a letter must be one
number throughout a call. What has no shape in the docstring is held against the type that the signature names. So the
shapes stand in one place, where readers look, and readers need neither library.

What is read: in `Args:` an entry that begins with a shape, `as x`, `scalar`, or ``as `other_function` ``; in `Returns:` the
shapes in their order, `each` meaning all of a tuple; in the first paragraph `image (H, W)` after an argument's name, `(B, Z)
to (B,)`, and else what is returned. `…` stands for the same axes wherever it occurs. Where `n_samples: K, …` is said, or a
whole number bears the name of an axis, the axis has that length.
"""

import dataclasses
import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable
from importlib import import_module

import numpy as np
import torch
from beartype import BeartypeConf, beartype
from jaxtyping import Bool, Float, Float32, Int64, Shaped, TypeCheckError, UInt8, jaxtyped

MODULES = ("densities", "objectives", "models", "conditional", "linear_gaussian", "evaluation", "latent", "data",
           "samples")

AXIS = r"(?:[A-Za-z]\w*|\d+|…|\*\w+)"
# One axis and a comma, or several axes of which one is a capital, a number, `…` or `*more`: (z, x) is a pair, no shape.
SHAPE = rf"\((?:…|{AXIS},|(?=[^)]*[A-Z\d…*]){AXIS}(?:, {AXIS})+)\)"
NUMBERS = {"uint8": UInt8, "bool": Bool, "float32": Float32, "int64": Int64, "nats": Float}     # a word after a shape
CHECKER = beartype(conf=BeartypeConf(is_pep484_tower=True))                                      # an int is a float too


class WrongDocstring(AssertionError):
    """A call went well, and its arguments or its answer are not what the docstring says."""


@dataclasses.dataclass
class Shapes:
    """What one docstring says: hints, as text, of the arguments and of what is returned; lengths that arguments give."""

    arguments: dict[str, str] = dataclasses.field(default_factory=dict)     # "mu" → "B Z", or "uint8 N *_more"
    returned: list[str] = dataclasses.field(default_factory=list)           # one for each of what is returned
    each: bool = False                                                      # the last of them holds for all the others
    lengths: dict[str, str] = dataclasses.field(default_factory=dict)       # "n_samples" → "K"


# ---------------------------------------------------------------- reading a docstring

def sections(docstring: str) -> dict[str, str]:
    """The first paragraph as "", and what stands under `Args:` and `Returns:`."""
    parts, name = {"": ""}, ""
    for line in inspect.cleandoc(docstring).splitlines():
        title = re.match(r"(Args|Returns|Raises|Source):(.*)", line)
        if title:
            name, line = title[1], f"    {title[2]}"
        elif not line.strip() and not name:
            name = "rest"
        parts[name] = parts.get(name, "") + line + "\n"
    return parts


def found(text: str) -> list[tuple[str, str, str]]:
    """Each shape in a text: the word before it, the shape as jaxtyping writes it, the text after it."""
    return [(match[1] or "", axes(match[2], text[match.end():]), text[match.end():])
            for match in re.finditer(rf"(?:(\w+) )?(?<!\w)({SHAPE})", text)]


def axes(shape: str, after: str) -> str:
    """(B, …) with "uint8" after it becomes "uint8 B *_more"."""
    names = [axis.strip() for axis in shape[1:-1].split(",") if axis.strip()]
    word = re.match(r",? (\w+)", after)
    kind = [word[1]] if word and word[1] in NUMBERS else []
    return " ".join(kind + ["*_more" if axis == "…" else axis for axis in names])


def read(function: Callable, others: dict[str, Callable], instead: str | None = None) -> Shapes:
    """What the docstring of a function says, or one `instead` where there is none; it may refer to `others`, by name."""
    parts = sections(function.__doc__ or instead or "")
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    shapes = Shapes()
    read_summary(parts[""], names, shapes)
    for entry in re.split(r"\n {4}(?! )", "\n" + parts.get("Args", "")):
        head, _, text = entry.partition(": ")
        listed = [name.strip(" *") for name in head.split(",")]
        if set(listed) <= set(names):
            read_entry(listed, " ".join(text.split()), shapes, others)
    if "Returns" in parts:
        returned = " ".join(parts["Returns"].split())
        read_returned(returned, [], shapes)
    shapes.lengths |= {name: name for name in names if any(name in hint.split() for hint in every(shapes))}
    return shapes


def every(shapes: Shapes) -> list[str]:
    return [*shapes.arguments.values(), *shapes.returned]


def read_summary(text: str, names: list[str], shapes: Shapes) -> None:
    """`(B, Z) to (B,)` is the first argument and the answer; else the word before a shape tells whose it is."""
    text = " ".join(text.split())
    before, to, after = text.rpartition(" to (")
    if to and found("(" + after) and found(before) and names:
        shapes.arguments[names[0]] = found(before)[0][1]
        shapes.returned = [found("(" + after)[0][1]]
    elif "elementwise" in text:
        shapes.arguments[names[0]] = "*_more"
        shapes.returned = ["*_more"]
    else:
        shapes.arguments |= {word: hint for word, hint, _ in found(text) if word in names}
        read_returned(text, names, shapes)


def read_returned(text: str, names: list[str], shapes: Shapes) -> None:
    """What is said of the answer: its shapes in their order, one for `each` of its parts, or `as x`, an argument."""
    each = re.search(rf"each ({SHAPE})(.*)", text) or re.search(rf"({SHAPE})((?: \w+)? each\b.*)", text)
    same = re.search(r"(?:^|, )(?:as|of the shape of) (\w+)\b", text)
    if each:
        shapes.returned, shapes.each = [axes(each[1], each[2])], True
    elif re.match(r"{[^}]*}: scalar", text):    # a dictionary of them
        shapes.returned = [""]
    elif found(text):
        shapes.returned = [hint for word, hint, _ in found(text) if word not in names]
    elif same and same[1] in (names or shapes.arguments):
        shapes.returned = [shapes.arguments.setdefault(same[1], "*_more")]


def read_entry(listed: list[str], text: str, shapes: Shapes, others: dict[str, Callable]) -> None:
    """One entry of `Args:`, of one argument or of several."""
    shape, length = re.match(SHAPE, text), re.match(r"([A-Z])\b[,.]", text)
    same, other = re.match(r"as (\w+)\b", text), re.match(r"as `(?:\w+\.)?(\w+)`", text)
    for name in listed:
        if shape:
            shapes.arguments[name] = axes(shape[0], text[shape.end():])
        elif re.match(r"(a )?scalar\b", text):
            shapes.arguments[name] = ""
        elif length:
            shapes.lengths[name] = length[1]
        elif other and other[1] in others:
            theirs = read(others[other[1]], others)
            if name in theirs.arguments:
                shapes.arguments[name] = theirs.arguments[name]
            if name in theirs.lengths:
                shapes.lengths[name] = theirs.lengths[name]
        elif same and same[1] in shapes.arguments:
            shapes.arguments[name] = shapes.arguments[same[1]]


# ---------------------------------------------------------------- checking a call

def hint(text: str) -> object:
    """jaxtyping's hint: "nats B" is an array of floating-point numbers with one axis, of length B."""
    word, _, rest = text.partition(" ")
    kind, names = (NUMBERS[word], rest) if word in NUMBERS else (Shaped, text)
    return kind[torch.Tensor, names] | kind[np.ndarray, names]


def returned_hint(shapes: Shapes, annotation: object) -> object:
    """The hint of an answer; its type alone where the docstring does not give a shape for each part of it."""
    parts = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else getattr(annotation, "_fields", ())
    hints = [hint(text) for text in shapes.returned]
    if typing.get_origin(annotation) is dict and len(hints) == 1:
        return dict[str, hints[0]]
    if parts and shapes.each and len(hints) == 1:
        hints *= len(parts)
    if parts:
        return tuple[tuple(hints)] if len(hints) == len(parts) else annotation
    return hints[0] if len(hints) == 1 else annotation


def checker(function: Callable, shapes: Shapes) -> type:
    """A class whose instances are calls that agree with the docstring: one field for each argument, and the answer."""
    annotations = typing.get_type_hints(function)
    fields = []
    for name, parameter in inspect.signature(function).parameters.items():
        said = shapes.arguments.get(name, shapes.lengths.get(name))
        kind = annotations.get(name, object)
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            kind = object
        elif said is not None:
            kind = hint(said) | None if parameter.default is None else hint(said)
        fields.append((name, kind))
    fields.append(("returns", returned_hint(shapes, annotations.get("return", object))))
    return jaxtyped(dataclasses.make_dataclass(function.__name__, fields), typechecker=CHECKER)


def outline(value: object) -> object:
    """All of a value on which the check of a call depends: what was found good need not be looked at again."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return type(value), value.shape, value.dtype
    if isinstance(value, dict):
        return tuple((key, outline(part)) for key, part in value.items())
    if isinstance(value, (tuple, list)):
        return type(value), *map(outline, value)
    return value if isinstance(value, int) else type(value)


def checked(function: Callable, shapes: Shapes) -> Callable:
    """The function, each call held against its docstring: after the call, so that the function's own errors come first."""
    signature, agrees = inspect.signature(function), checker(function, shapes)
    seen = set()

    def look(args: tuple, kwargs: dict, answer: object) -> None:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        for name in shapes.lengths.keys() - shapes.arguments.keys():
            call.arguments[name] = np.broadcast_to(0, (call.arguments[name],))
        for name in shapes.arguments.keys() & call.arguments.keys():
            if isinstance(call.arguments[name], (list, tuple)):
                call.arguments[name] = np.asarray(call.arguments[name])
        try:
            agrees(**call.arguments, returns=answer)
        except TypeCheckError as error:
            raise WrongDocstring(f"the docstring of {function.__module__}.{function.__qualname__} does not hold in this "
                                 f"call: it says {shapes}\n{error}") from None

    def with_shapes(*args, **kwargs):
        answer = function(*args, **kwargs)
        if not torch.compiler.is_compiling():
            key = outline((args, kwargs, answer))
            if key not in seen:
                look(args, kwargs, answer)
                seen.add(key)
        return answer

    # Its globals name the package: so `training.identity` tells it as the function itself, and not as a loss of one's own.
    of_the_package = {**globals(), "__name__": function.__module__}
    told = types.FunctionType(with_shapes.__code__, of_the_package, closure=with_shapes.__closure__)
    return functools.wraps(function)(told)


# ---------------------------------------------------------------- all of the package

def public(module: types.ModuleType) -> dict[tuple[object, str], Callable]:
    """(owner, name) → function: the public functions of a module or folder, and the public methods of its public classes."""
    here = [(module, name, thing) for name, thing in vars(module).items()
            if f"{getattr(thing, '__module__', '')}.".startswith(f"{module.__name__}.")]
    here += [(owner, name, thing) for _, _, owner in here if isinstance(owner, type) for name, thing in vars(owner).items()]
    return {(owner, name): thing for owner, name, thing in here
            if inspect.isfunction(thing) and not name.startswith("_") and not getattr(owner, "__name__", "").startswith("_")}


def all_functions() -> dict[tuple[object, str], Callable]:
    """`public` of all the modules of which the shapes are checked, without the wrapper where there is one."""
    found = {}
    for name in MODULES:
        found |= public(import_module(f"vae_course.{name}"))
    return {key: getattr(function, "without_shapes", function) for key, function in found.items()}


def read_all() -> dict[Callable, Shapes]:
    """What the docstring of each of these functions says; that of its class where `forward` has none."""
    functions = all_functions()
    by_name = {name: function for (owner, name), function in functions.items() if isinstance(owner, types.ModuleType)}
    return {function: read(function, by_name, owner.__doc__ if name == "forward" else None)
            for (owner, name), function in functions.items()}


def install() -> None:
    """Put checked functions in the place of those whose docstring gives shapes, in every module that has them."""
    shapes = read_all()
    for (owner, name), function in all_functions().items():
        if not every(shapes[function]):
            continue
        with_shapes = checked(function, shapes[function])
        with_shapes.without_shapes = function
        setattr(owner, name, with_shapes)
        for module in [module for key, module in sys.modules.items() if key.startswith("vae_course.")]:
            if vars(module).get(name) is function:
                setattr(module, name, with_shapes)
