"""Your own pictures: from arrays, folders and data sets, each against a second route, and what is said of bad inputs.

A message that names a call is tried: the call is made, and must be taken.
"""

import pickle
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from vae_course import data
from vae_course.data import folders
from vae_course.data import stored as writing

N, H, W = 23, 9, 6


def noise(*shape: int, below: int = 256, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(len(shape) + shape[-1]).integers(0, below, shape).astype(dtype)


GREY, COLOUR = noise(N, H, W), noise(N, 3, H, W)


def pictures(loaded: data.ImageData) -> Counter:
    """All pictures of both sets, whatever their order."""
    return Counter(picture.numpy().tobytes() for part in (loaded.train, loaded.test) for picture in part.images)


def as_counted(images: np.ndarray) -> Counter:
    return Counter(np.ascontiguousarray(picture).tobytes() for picture in images)


def labelled(loaded: data.ImageData) -> Counter:
    """Each picture with the name of its class."""
    return Counter((picture.numpy().tobytes(), loaded.classes[label]) for part in (loaded.train, loaded.test)
                   for picture, label in zip(part.images, part.labels))


# ---------------------------------------------------------------- arrays: layouts and types

@pytest.mark.parametrize("images, expected, words", [
    (GREY, GREY[:, None], "23 grey pictures, 9 high and 6 wide"),
    (GREY[:, None], GREY[:, None], "Taken as (N, C, H, W)"),
    (GREY[..., None], GREY[:, None], "Taken as (N, H, W, C)"),
    (COLOUR, COLOUR, "23 colour pictures, 9 high and 6 wide"),
    (np.moveaxis(COLOUR, 1, 3), COLOUR, "Taken as (N, H, W, C)"),
    (torch.from_numpy(COLOUR), COLOUR, "colour"),
    (COLOUR.astype(np.int64), COLOUR, "colour"),
    (COLOUR.astype(">u2"), COLOUR, "colour"),
    (COLOUR[:, ::-1, :, ::-1], COLOUR[:, ::-1, :, ::-1], "colour"),
    (COLOUR / 255, COLOUR, "colour"),
    (torch.from_numpy(COLOUR).half() / 255, COLOUR, "colour"),
    ((torch.from_numpy(COLOUR) / 255).requires_grad_(), COLOUR, "colour"),
    (list(GREY), GREY[:, None], "grey"),
    (tuple(torch.from_numpy(COLOUR)), COLOUR, "colour"),
    (GREY.tolist(), GREY[:, None], "grey"),
    ([Image.fromarray(picture) for picture in GREY], GREY[:, None], "grey"),
    (np.array([*GREY, None], dtype=object)[:-1], GREY[:, None], "grey"),
    (GREY > 99, 255 * (GREY[:, None] > 99).astype(np.uint8), "True is white"),
    (GREY[:, :4, :4, None], GREY[:, None, :4, :4], "Taken as (N, H, W, C)"),
    (GREY[:, None, :, :3], GREY[:, None, :, :3], "Taken as (N, C, H, W)"),
    (list(GREY[:3]), GREY[:3, None], "3 grey pictures"),
])
def test_every_common_layout_and_type_is_stored_alike(capsys, images, expected, words):
    loaded = data.from_arrays(images)
    assert pictures(loaded) == as_counted(expected)
    assert loaded.train.images.dtype == torch.uint8 and loaded.train.images.is_contiguous()
    printed = capsys.readouterr()
    assert printed.out.startswith("Data: ") and printed.out.count("\n") == 1 and words in printed.out
    assert "rounded" not in printed.out and printed.err == ""


def test_two_readings_are_asked_about_and_each_way_out_gives_one():
    images = noise(N, 3, 50, 4)
    for message_and_stored in (("if they come last, pass (.*)", False), ("channels come first, pass (.*);", True)):
        words, first = message_and_stored
        with pytest.raises(ValueError, match=r"\(N, C, H, W\) or \(N, H, W, C\)") as caught:
            data.from_arrays(images)
        loaded = data.from_arrays(eval(re.search(words, str(caught.value))[1]))
        assert loaded.train.images.shape[1:] == ((3, 50, 4) if first else (3, 3, 50))
        assert not first or pictures(loaded) == as_counted(images)
    tensor = torch.from_numpy(images)
    with pytest.raises(ValueError, match=r"pass torch.moveaxis\(images, 1, 3\)"):
        data.from_arrays(tensor)
    assert pictures(data.from_arrays(tensor.permute(0, 2, 3, 1))) == as_counted(images)


def test_floats_are_rounded_to_the_nearest_of_256_levels(capsys):
    x = np.random.default_rng(1).random((N, 1, H, W))
    loaded = data.from_arrays(x, [f"{k}" for k in range(N - 1)] + ["0"])
    assert "rounded to 256 levels" in capsys.readouterr().out
    for part in (loaded.train, loaded.test):
        for picture, label in zip(part.images, part.labels):
            if loaded.classes[label] != "0":
                assert np.abs(picture.numpy() / 255 - x[int(loaded.classes[label])]).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("axis", [1, 3])
def test_alpha_is_composed_on_white(capsys, axis):
    rgba = noise(N, H, W, 4)
    whites = [Image.alpha_composite(Image.new("RGBA", (W, H), "white"), Image.fromarray(x)).convert("RGB") for x in rgba]
    loaded = data.from_arrays(np.moveaxis(rgba, 3, axis), range(N - 1) and [0, *range(N - 1)])
    assert "Alpha was composed on white" in capsys.readouterr().out
    data.from_arrays([Image.fromarray(x) for x in rgba])
    assert "Alpha was composed on white" in capsys.readouterr().out
    ours = {picture.numpy().transpose(1, 2, 0).tobytes() for picture in (*loaded.train.images, *loaded.test.images)}
    for theirs in whites:   # Pillow rounds some values the other way
        assert min(np.abs(np.frombuffer(x, np.uint8).astype(int) - np.asarray(theirs).ravel()).max() for x in ours) <= 1


def test_a_table_stays_as_it_is(capsys):
    rows = np.random.default_rng(2).normal(scale=30, size=(N, 5))
    loaded = data.from_arrays(rows)
    assert loaded.train.images.dtype == torch.float32 and loaded.train.images.shape == (19, 5)
    assert pictures(loaded) == as_counted(rows.astype(np.float32))
    assert "23 rows of 5 numbers" in capsys.readouterr().out
    data.from_arrays(np.random.default_rng(2).random((N, 3072)))
    assert "pass images.reshape(-1, 3, 32, 32)" in capsys.readouterr().out


# ---------------------------------------------------------------- arrays: labels and splits

@pytest.mark.parametrize("labels, names", [
    ([7, 13, -2], ["7", "13", "-2"]),
    (["pear", "äpfel", "fig"], ["pear", "äpfel", "fig"]),
    (np.array([2.0, 0.0, 1.0]), ["2", "0", "1"]),
    (torch.tensor([2, 9, 5], dtype=torch.uint8), ["2", "9", "5"]),
    (torch.tensor([2.0, 9.0, 5.0]).bfloat16(), ["2", "9", "5"]),
    (np.array([b"b", b"a", b"c"]), ["b", "a", "c"]),
    (np.array(["b", "a", "c"], dtype=object), ["b", "a", "c"]),
    ([torch.tensor(4), torch.tensor(2), torch.tensor(3)], ["4", "2", "3"]),
    ([True, False, True], ["True", "False", "True"]),
])
def test_labels_keep_their_names(labels, names):
    of_each = [labels[k % 3] for k in range(N)] if isinstance(labels, list) else labels[np.arange(N) % 3]
    loaded = data.from_arrays(COLOUR, of_each)
    are_numbers = names[0].lstrip("-").isdigit()
    assert loaded.classes == tuple(sorted(set(names), key=int if are_numbers else str))
    assert loaded.train.labels.dtype == torch.int64
    assert labelled(loaded) == Counter((COLOUR[k].tobytes(), names[k % 3]) for k in range(N))


@pytest.mark.parametrize("counts, fraction", [
    ([40, 25, 7, 1], 1 / 6), ([30, 30, 30], 0.31), ([3] * 20, 0.2), ([500, 2], 0.01),
])
def test_each_class_has_its_share_in_the_test(counts, fraction):
    labels = np.repeat(np.arange(len(counts)), counts)
    images = noise(len(labels), 5, 7)
    loaded = data.from_arrays(images, labels, test_fraction=fraction)
    in_test, in_train = (torch.bincount(part.labels, minlength=len(counts)) for part in (loaded.test, loaded.train))
    assert (in_test + in_train).tolist() == counts and in_train.min() >= 1
    assert all(abs(n - fraction * count) < 1 for n, count in zip(in_test.tolist(), counts))
    assert len(loaded.test) == round(fraction * len(labels))
    assert pictures(loaded) == as_counted(images)


def test_a_split_repeats_with_its_seed_and_is_in_random_order():
    labels = np.sort(np.arange(N) % 4)
    first, again, other = (data.from_arrays(GREY, labels, seed=seed) for seed in (5, 5, 6))
    assert first.train.images.equal(again.train.images) and first.test.labels.equal(again.test.labels)
    assert not first.train.images.equal(other.train.images)
    assert first.train.labels.tolist() != sorted(first.train.labels.tolist())
    torch.manual_seed(1)
    before = torch.get_rng_state()
    data.from_arrays(GREY)
    assert torch.get_rng_state().equal(before)


def test_a_class_of_one_picture_is_trained_on_and_said(capsys):
    loaded = data.from_arrays(GREY, ["common"] * (N - 1) + ["rare"])
    assert loaded.classes == ("common", "rare") and 1 in loaded.train.labels and 1 not in loaded.test.labels
    assert "1 of them without a picture in the test set" in capsys.readouterr().out


# ---------------------------------------------------------------- arrays: what is refused, and the call that mends it

DIGITS = load_digits()
BAD_IMAGES = {  # images, what the message says, and the call that it names
    "0–255 as floats": (COLOUR * 1.0, "float64 from 0 to 255", "images / 255"),
    "digits, 0–16 as floats": (DIGITS.images, "float64 from 0 to 16", "images / 16"),
    "digits, 0–16": (DIGITS.images.astype(np.uint8), "are they counts", "images / 16"),
    "digits, dark": (DIGITS.images.astype(np.uint8), "as dark as that", "images / 255"),
    "digits, int64": (torch.from_numpy(DIGITS.images).long(), "from 0 to 16", "images / 16"),
    "masks": ((GREY > 99).astype(np.uint8), "or masks", "images / 1"),
    "black": (GREY * 0, "from 0 to 0", "images / 255"),
    "16 bits": (noise(N, H, W, below=65536, dtype=np.uint16), "uint16 from", "images / 65535"),
    "12 bits": (noise(N, H, W, below=4096, dtype=np.int32), "int32 from", "images / 4095"),
    "negative": (COLOUR.astype(int) - 7, "int64 from -7", "(images + 7) / 255"),
    "[-1, 1]": (torch.from_numpy(COLOUR) / 127.5 - 1, "float32 from -1 to 1", "(images + 1) / 2"),
    "a little more than 1": (COLOUR / 250, "to 1.02", "images.clip(0, 1)"),
    "divided twice": (COLOUR / 255 / 255, "divided by 255 twice", "images * 255"),
    "NaN": (np.where(GREY == GREY[0, 0, 0], np.nan, GREY / 255), "NaN or infinite",
            "np.nan_to_num(images, posinf=1, neginf=0)"),
    "infinite": (torch.from_numpy(np.where(GREY == GREY[0, 0, 0], np.inf, GREY / 255)), "NaN or infinite",
                 "torch.nan_to_num(images, posinf=1, neginf=0)"),
    "pictures and labels": ((COLOUR, np.arange(N) % 3), "in one", "data.from_arrays(*images)"),
    "flat": (GREY.reshape(N, -1), r"(23, 54) of whole numbers", "images * 1.0"),
    "flat squares": (noise(N, 784), r"(23, 784)", "images.reshape(-1, 1, 28, 28)"),
    "one colour picture": (noise(40, 30, 3), "or one picture in colour", "images[:, None]"),
    "three grey pictures": (noise(3, 40, 30), "or one picture in colour", "images[:, None]"),
    "grey and alpha": (noise(N, 2, H, W), "(23, 2, 9, 6)", "images[:, :1]"),
    "five bands": (noise(N, H, W, 5), "must have 1 channel", "images[..., :3]"),
    "films": (noise(4, 7, 3, H, W), "films become pictures", "images.reshape(-1, 3, 9, 6)"),
    "sets": (noise(4, 25, 28, 30), "must have 1 channel", "images.reshape(-1, 28, 30)"),
    "sizes": ([noise(7, 5), noise(8, 5), noise(7, 6)], "(7, 5) and (8, 5)",
              "[PIL.Image.fromarray(x).resize((64, 64)) for x in images]"),
    "complex": (COLOUR / 255 + 0j, "complex128", "np.abs(images)"),
    "complex tensor": (torch.from_numpy(COLOUR / 255 + 0j), "complex128", "torch.abs(images)"),
    "unequal rows": ([[[1, 2], [3]]] * 4, "images[0] must have rows of one length", None),
    "labels first": (np.arange(N) % 3, "pictures come first", None),
    "a generator": ((x for x in COLOUR), "generator", "list(images)"),
    "a dict": ({"x": COLOUR}, "got dict: pass images[key]", None),
    "DataLoader": (DataLoader(TensorDataset(torch.from_numpy(COLOUR))), "DataLoader", "data.from_dataset(images.dataset)"),
    "Dataset": (TensorDataset(torch.from_numpy(COLOUR)), "got TensorDataset", "data.from_dataset(images)"),
    "pairs": ([(x, 1) for x in COLOUR], "a list of pairs", "data.from_dataset(images)"),
    "one picture": (Image.new("L", (9, 9)), "got Image", None),
    "one in an array": (GREY[:1], "at least 2 pictures", None),
    "none": (GREY[:0], "got none", None),
    "an empty list": ([], "an empty list", None),
    "None": (None, "got NoneType", None),
    "a number": (3, "got int", None),
    "one axis": (GREY.ravel(), "got (1242,)", None),
    "names": (["a.png", "b.png"], "a list of str", "data.from_folder(folder, size)"),
    "a path": (Path("pictures"), "data.from_folder(folder, size)", None),
    "strings": (np.array(["a", "b"]), "got <U1", None),
    "masked": (np.ma.masked_greater(GREY, 99), "values are masked", "images.filled(0)"),
    "NaN in a table": (np.where(np.eye(N), [[np.inf], [-np.inf]] * 11 + [[np.nan]], 2.0), "23 NaN or infinite",
                       "np.nan_to_num(images, posinf=0, neginf=0)"),
    "too large for float32": (np.full((N, 5), 1e200), "float32 can hold", None),
    "what from_arrays returns": (data.ImageSet(torch.from_numpy(COLOUR), None), "ImageSet", "images.images, images.labels"),
}


@pytest.mark.parametrize("images, words, call", BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_pictures_that_cannot_be_meant_are_refused_and_the_way_out_works(images, words, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        data.from_arrays(images)
    message = str(caught.value)
    assert message.startswith("images") and words in message
    assert "torch" not in caught.traceback[-1].path.name
    if call is None or "folder" in call:
        return
    assert call in message
    mended = eval(call, {"images": images, "np": np, "PIL": PIL, "data": data, "torch": torch})
    if not isinstance(mended, data.ImageData):
        mended = data.from_arrays(*mended if isinstance(mended, tuple) else (mended,))
    assert len(mended.train) >= 2


BAD_LABELS = {
    "too few": ([1] * (N - 1), "23 pictures, got 22", "images[:22]"),
    "too many": (np.arange(N + 4) % 3, "got 27", "labels[:23]"),
    "one-hot": (np.eye(4)[np.arange(N) % 4], r"got (23, 4)", "np.asarray(labels).argmax(1)"),
    "a column": (np.arange(N)[:, None] % 3, r"got (23, 1)", "np.asarray(labels)[:, 0]"),
    "NaN": ([0.0] * (N - 1) + [np.nan], "labels[22]", None),
    "None among strings": (["a"] * 3 + [None] * (N - 3), "20 are missing (None or NaN), the first is labels[3]", None),
    "NaN among strings": (["a"] * (N - 1) + [float("nan")], "1 are missing", None),
    "measured": (np.arange(N) / 7, "such as 0.142857", "np.digitize(labels, edges)"),
    "infinite": ([1.0] * (N - 1) + [np.inf], "such as inf", "[str(y) for y in labels]"),
    "strings and numbers": (["a", 1] * 11 + ["a"], "got int, str", "[str(y) for y in labels]"),
    "several each": ([[0], [1, 2]] * 11 + [[0]], "got list, such as [0]", "[str(y) for y in labels]"),
    "one string": ("cat", "got str", None),
    "one number": (3, "got int", None),
    "a dict": (dict.fromkeys(range(N), 1), "got dict", "list(labels.values())"),
    "a generator": ((k % 3 for k in range(N)), "got generator", "list(labels)"),
    "a name for each": ([f"{k}.png" for k in range(N)], "a label of its own", None),
    "dates": (np.arange(N).astype("M8[D]"), "got date", None),
    "complex": (np.arange(N) * 1j, "got complex", None),
    "larger than int64": ([2 ** 70, 5] * 11 + [5], "got int, such as 11805", "[str(y) for y in labels]"),
}


@pytest.mark.parametrize("labels, words, call", BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_labels_that_cannot_be_meant_are_refused_and_the_way_out_works(labels, words, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        data.from_arrays(COLOUR, labels)
    assert str(caught.value).startswith("labels must") and words in str(caught.value)
    if call is not None:
        assert call in str(caught.value)
        mended = eval(call, {"labels": labels, "images": COLOUR, "np": np, "edges": [1, 2]})
        data.from_arrays(*((mended, labels) if call.startswith("images") else (COLOUR, mended)))


@pytest.mark.parametrize("arguments, words", [
    ({"test_fraction": 0}, "test_fraction must be a share .* got 0"),
    ({"test_fraction": 1.0}, "got 1.0"),
    ({"test_fraction": 1000}, r"got 1000; for 1000 pictures pass test_fraction=1000 / len\(images\)"),
    ({"test_fraction": "a sixth"}, "got 'a sixth'"),
    ({"test_fraction": None}, "got None"),
    ({"test_fraction": float("nan")}, "got nan"),
    ({"seed": 1.5}, "seed must be a whole number"),
    ({"device": "gpu"}, "device must be one of"),
])
def test_other_arguments_are_checked(tmp_path, arguments, words):
    for call in (lambda: data.from_arrays(GREY, **arguments), lambda: data.from_dataset(list(GREY), **arguments),
                 lambda: data.from_folder(tmp_path, 8, **arguments)):
        with pytest.raises((TypeError, ValueError), match=words):
            call()


# ---------------------------------------------------------------- pictures that stay in a file

@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "pictures.npy"
    np.save(path, COLOUR)
    return path


@pytest.mark.parametrize("which", [
    3, -1, np.int64(4), torch.tensor(5), slice(4, 9), slice(9, 4), slice(None), slice(None, None, 4), [1, 5, 1], [],
    torch.tensor([4, 4, -2]), np.array([3], dtype=np.int32), torch.arange(N) % 3 == 1, range(3),
])
def test_an_image_file_answers_as_the_tensor_does(saved, which):
    tensor, file = torch.from_numpy(COLOUR), data.ImageFile(saved)
    assert file[which].equal(tensor[which]) and not file[which].requires_grad
    part = torch.tensor([5, 0, 22, 7, 7])
    inner = which if not isinstance(which, (torch.Tensor, np.ndarray, list, range)) else [0, 4, 2]
    assert file.subset(part)[inner].equal(tensor[part][inner])
    assert file.subset(part).subset([3, 1])[:].equal(tensor[part[[3, 1]]])


def test_an_image_file_has_a_tensors_shape_and_can_be_sent_to_another_process(saved, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    file = data.ImageFile("pictures.npy", index=torch.arange(0, N, 2))
    monkeypatch.chdir("/")
    assert (file.shape, file.ndim, len(file), file.dtype, file.device) == ((12, 3, H, W), 4, 12, torch.uint8,
                                                                           torch.device("cpu"))
    assert file.nbytes == 12 * 3 * H * W and "(12, 3, 9, 6)" in repr(file)
    assert pickle.loads(pickle.dumps(file))[:].equal(torch.from_numpy(COLOUR[::2]))
    assert [len(block) for block in file.split(5)] == [5, 5, 2]
    assert torch.cat(list(file.split(5))).equal(torch.stack(list(file)))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_nothing_of_the_file_stays_mapped_or_open(saved):
    loaded = data.from_arrays(data.ImageFile(saved))
    x = loaded.train.images[torch.tensor([3, 1])]
    assert str(saved) not in Path("/proc/self/maps").read_text()
    assert str(saved) not in {str(link.resolve()) for link in Path("/proc/self/fd").iterdir()}
    x += 1
    assert as_counted(np.load(saved)) == as_counted(COLOUR), "what is written to a batch stays out of the file"


@pytest.mark.parametrize("which", [
    N, [0, N], -N - 1, "a", 1.5, (0, 1), torch.zeros(3, dtype=torch.bool), torch.zeros(2, 2).long(),
])
def test_an_index_that_fits_nothing_is_refused(saved, which):
    with pytest.raises(IndexError, match="there are 23 pictures|an ImageFile takes"):
        data.ImageFile(saved)[which]


@pytest.mark.parametrize("write, words", [
    (lambda path: None, "is missing"),
    (lambda path: path.mkdir(), "is a folder"),
    (lambda path: path.write_bytes(b""), "cannot be read"),
    (lambda path: path.write_bytes(b"pictures"), "cannot be read"),
    (lambda path: np.save(path, COLOUR / 255), "float64"),
    (lambda path: np.save(path, np.asfortranarray(COLOUR)), "Fortran"),
    (lambda path: np.save(path, np.array([None])), "cannot be read"),
    (lambda path: (np.savez(path.with_suffix(".npz"), x=COLOUR), path.with_suffix(".npz").rename(path)), "no .npy file"),
    (lambda path: (np.save(path, COLOUR), path.write_bytes(path.read_bytes()[:-9])), "cannot be read"),
])
def test_a_file_without_pictures_is_refused(tmp_path, write, words):
    path = tmp_path / "x.npy"
    write(path)
    with pytest.raises(data.DataError, match=rf"{re.escape(str(path))}.*{words}.*np.save\(path, images\)"):
        data.ImageFile(path)


def test_a_file_that_shrinks_or_goes_is_named(saved):
    file = data.ImageFile(saved)
    saved.write_bytes(saved.read_bytes()[:-9])
    with pytest.raises(data.DataError, match="has become shorter"):
        file[-1]
    saved.unlink()
    with pytest.raises(data.DataError, match="cannot be read any more"):
        file[0]


@pytest.mark.parametrize("given", [data.ImageFile, lambda path: np.load(path, mmap_mode="r")])
@pytest.mark.parametrize("images", [COLOUR, GREY, COLOUR.reshape(N, -1) / np.float32(2)])
def test_what_lies_in_a_file_stays_there(tmp_path, capsys, given, images):
    np.save(tmp_path / "x.npy", images)
    labels = np.arange(N) % 3
    loaded = data.from_arrays(given(tmp_path / "x.npy"), labels)
    assert isinstance(loaded.train.images, data.ImageFile) and "They stay in x.npy" in capsys.readouterr().out
    in_memory = data.from_arrays(images, labels)
    for part, other in ((loaded.train, in_memory.train), (loaded.test, in_memory.test)):
        assert part.images[:].equal(other.images) and part.labels.equal(other.labels)


def test_a_map_of_something_else_is_read(tmp_path):
    np.save(tmp_path / "x.npy", np.moveaxis(COLOUR, 1, 3))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert pictures(data.from_arrays(mapped)) == as_counted(COLOUR)
    assert pictures(data.from_arrays(mapped[3:])) == as_counted(COLOUR[3:])
    with pytest.raises(ValueError, match=r"got torch.uint8 \(23, 9, 6, 3\): pass images\[:\]"):
        data.from_arrays(data.ImageFile(tmp_path / "x.npy"))
    assert pictures(data.from_arrays(data.ImageFile(tmp_path / "x.npy")[:])) == as_counted(COLOUR)
    np.save(tmp_path / "dark.npy", COLOUR // 16)
    with pytest.raises(ValueError, match=r"pass images\[:\] / 15"):
        data.from_arrays(data.ImageFile(tmp_path / "dark.npy"))


def test_hold_out_leaves_pictures_in_their_file(saved):
    numbered = data.ImageSet(data.ImageFile(saved), torch.arange(N))
    rest, held = data.hold_out(numbered, 6)
    assert isinstance(held.images, data.ImageFile) and (len(rest), len(held)) == (N - 6, 6)
    assert sorted(rest.labels.tolist() + held.labels.tolist()) == list(range(N))
    for part in (rest, held):
        assert part.images[:].equal(torch.from_numpy(COLOUR)[part.labels])
    with pytest.raises(TypeError, match="pass data.train"):
        data.hold_out(data.from_arrays(GREY), 3)
    with pytest.raises(ValueError, match=r"n=round\(0.1 \* len\(data\)\)"):
        data.hold_out(numbered, 0.1)


# ---------------------------------------------------------------- folders

def draw(path: Path, array: np.ndarray, mode: str | None = None, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)


def stored(loaded: data.ImageData) -> list[np.ndarray]:
    return [image.numpy() for part in (loaded.train, loaded.test) for image in part.images]


def test_one_folder_a_class_with_names_of_any_script(tmp_path, capsys):
    expected = []
    for k in range(5):
        for name, colour in (("äpfel", (10 * k, 200, 30)), ("かき", (255, 10 * k, 0)), ("b irnen", (0, 99, 10 * k))):
            draw(tmp_path / name / f"é{k}.PNG", np.full((12, 10, 3), colour, np.uint8))
            expected.append((np.full((3, 8, 8), np.array(colour)[:, None, None], np.uint8).tobytes(), name))
    loaded = data.from_folder(tmp_path, 8)
    assert loaded.classes == ("b irnen", "äpfel", "かき")
    assert labelled(loaded) == Counter(expected)
    assert torch.bincount(loaded.test.labels).tolist() in ([1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1])
    assert "3 classes: b irnen, äpfel, かき" in capsys.readouterr().out


def test_pictures_are_scaled_to_cover_the_size_and_cut_at_the_centre(tmp_path):
    three = np.zeros((30, 90, 3), np.uint8)     # red, green and blue squares side by side
    for k in range(3):
        three[:, 30 * k:30 * k + 30, k] = 255
    for name in "ab":
        draw(tmp_path / f"{name}.png", three)
    green = np.zeros((3, 30, 30), np.uint8)
    green[1] = 255
    assert all((picture == green).all() for picture in stored(data.from_folder(tmp_path, 30)))
    wide = stored(data.from_folder(tmp_path, (10, 20)))[0]      # the middle two thirds: half of red, green, half of blue
    assert wide.shape == (3, 10, 20)
    assert (wide[:, :, 1].T == [255, 0, 0]).all() and (wide[:, :, 10].T == [0, 255, 0]).all()
    assert (wide[:, :, 18].T == [0, 0, 255]).all()
    tall = stored(data.from_folder(tmp_path, (60, 20)))[0]      # enlarged
    assert tall.shape == (3, 60, 20) and (tall[1] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_as_their_exif_data_say(tmp_path, orientation):
    upright = noise(12, 8, 3)
    turned = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.swapaxes(0, 1),
              6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1), 8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in "ab":
        draw(tmp_path / f"{name}.png", np.ascontiguousarray(turned), exif=exif)
    assert (stored(data.from_folder(tmp_path, (12, 8)))[0].transpose(1, 2, 0) == upright).all()


def test_every_mode_is_read_and_its_grey_values_have_the_right_scale(tmp_path, capsys):
    ramp = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    draw(tmp_path / "deep.png", deep)
    draw(tmp_path / "deep.tif", deep.astype(np.int32))
    draw(tmp_path / "unit.tif", (ramp / 255).astype(np.float32))
    draw(tmp_path / "float.tif", ramp.astype(np.float32))
    draw(tmp_path / "grey.png", ramp)
    draw(tmp_path / "palette.png", ramp, "P")
    draw(tmp_path / "black and white.png", ramp, "1")
    loaded = data.from_folder(tmp_path, 8)
    assert loaded.train.images.shape == (6, 1, 8, 8), "no picture has a colour"
    deep8 = np.rint(deep / 257).astype(np.uint8)
    black_and_white = np.asarray(Image.fromarray(ramp).convert("1").convert("L"))
    expected = Counter(as_counted([deep8, deep8, ramp, ramp, ramp, ramp, black_and_white]))
    assert pictures(loaded) == expected
    assert "Of 16 bits or more, and brought to 8: 4." in capsys.readouterr().out


def test_colour_modes_and_alpha(tmp_path, capsys):
    rgb = np.kron(noise(4, 4, 3), np.ones((4, 4, 1), np.uint8))     # coarse, so that JPEG keeps it nearly
    alpha = np.full((16, 16, 1), 51, np.uint8)                        # one fifth
    on_white = np.rint(rgb * 0.2 + 255 * 0.8)
    draw(tmp_path / "rgb.png", rgb)
    draw(tmp_path / "rgba.png", np.concatenate([rgb, alpha], 2))
    draw(tmp_path / "cmyk.jpg", rgb, "CMYK", quality=100, subsampling=0)
    draw(tmp_path / "la.png", np.concatenate([rgb[..., :1], alpha], 2))
    draw(tmp_path / "palette.gif", rgb, "P")
    transparent = Image.fromarray(rgb[..., 0]).convert("P")
    transparent.save(tmp_path / "transparent.png", transparency=int(np.asarray(transparent)[0, 0]))
    loaded = data.from_folder(tmp_path, 16)
    found = [picture.transpose(1, 2, 0).astype(int) for picture in stored(loaded)]
    la = np.repeat(np.rint(rgb[..., :1] * 0.2 + 255 * 0.8), 3, 2)
    hole = np.where(rgb[..., :1] == rgb[0, 0, 0], 255, rgb[..., :1]).repeat(3, 2)
    for expected, tolerance in ((rgb, 0), (on_white, 1), (rgb, 12), (la, 1), (rgb, 40), (hole, 0)):
        assert min(np.abs(picture - expected).max() for picture in found) <= tolerance
    said = capsys.readouterr().out
    assert "With alpha, which was composed on white: 3." in said and "(channels=1 would make all grey): 2" in said


@pytest.mark.parametrize("channels", [1, 3])
def test_the_number_of_channels_can_be_asked_for(tmp_path, channels):
    rgb = noise(8, 8, 3)
    draw(tmp_path / "colour.png", rgb)
    draw(tmp_path / "grey.png", rgb[..., 0])
    loaded = data.from_folder(tmp_path, 8, channels=channels)
    as_grey = np.asarray(Image.fromarray(rgb).convert("L"))[None]
    expected = {1: [as_grey, rgb[None, ..., 0]], 3: [rgb.transpose(2, 0, 1), rgb[None, ..., 0].repeat(3, 0)]}[channels]
    assert pictures(loaded) == as_counted(expected)


def test_a_large_jpeg_is_decoded_in_part_and_looks_the_same(tmp_path):
    smooth = np.stack(np.meshgrid(np.linspace(0, 255, 800), np.linspace(0, 255, 600)), 2)
    smooth = np.concatenate([smooth, 255 - smooth[..., :1]], 2).astype(np.uint8)
    for name in "ab":
        draw(tmp_path / f"{name}.jpg", smooth, quality=95)
    whole = np.asarray(Image.open(tmp_path / "a.jpg").resize((64, 48), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(stored(data.from_folder(tmp_path, (48, 64)))[0].transpose(1, 2, 0) - whole).max() <= 3


def test_broken_files_are_listed_and_others_passed_over(tmp_path, capfd):
    for k in range(6):
        draw(tmp_path / "good" / f"{k}.jpg", noise(20, 20 + k, 3))
    whole = (tmp_path / "good" / "0.jpg").read_bytes()
    (tmp_path / "good" / "half.jpg").write_bytes(whole[:len(whole) // 2])
    (tmp_path / "good" / "nothing.png").write_bytes(b"")
    (tmp_path / "good" / "text.gif").write_text("no picture")
    (tmp_path / "good" / "notes.txt").write_text("about them")
    (tmp_path / "good" / ".hidden.jpg").write_bytes(whole)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    draw(tmp_path / "good" / "deeper" / "x.png", noise(9, 9))
    loaded = data.from_folder(tmp_path, 16)
    assert len(loaded.train) + len(loaded.test) == 6 and loaded.classes == ("good",)
    printed = capfd.readouterr()
    for words in ("Left out, as they cannot be read: 3 (half.jpg: ", "; nothing.png: no picture, or damaged; text.gif",
                  "Passed over, as no pictures: 1 (notes.txt)",
                  f"What lies deeper was passed over, as {Path('good', 'deeper', 'x.png')}: 1."):
        assert words in printed.out
    assert printed.err == "" and printed.out.count("\n") == 1


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    first, second = (Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (40, 200))
    for name in "ab":
        first.save(tmp_path / f"{name}.gif", save_all=True, append_images=[second])
    assert (stored(data.from_folder(tmp_path, 8))[0] == 40).all()


def test_a_picture_of_too_many_pixels_is_left_out_and_a_large_one_read_without_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    for name, side in (("a", 12), ("b", 20), ("bomb", 30)):
        draw(tmp_path / f"{name}.png", noise(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = data.from_folder(tmp_path, 8)
    assert len(loaded.train) + len(loaded.test) == 2
    assert "bomb.png: Image size (900 pixels) exceeds limit" in capsys.readouterr().out


def test_values_without_a_scale_are_left_out(tmp_path, capsys):
    for name in "ab":
        draw(tmp_path / f"{name}.png", noise(8, 8))
    draw(tmp_path / "heights.tif", (noise(8, 8).astype(np.float32) - 90) * 10)
    data.from_folder(tmp_path, 8)
    assert re.search(r"heights.tif: its values go from -\d+ to \d+, which is no scale", capsys.readouterr().out)


def folder_of(*files: str):
    def make(root: Path) -> Path:
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            if file.endswith("/"):
                (root / file).mkdir()
            elif file.endswith((".png", ".jpg")):
                draw(root / file, noise(9, 9))
            else:
                (root / file).write_text("text")
        return root
    return make


BAD_FOLDERS = {
    "missing": (lambda root: root / "nowhere" / "at all", "does not exist: name the folder"),
    "a picture": (lambda root: folder_of("a.png")(root) / "a.png", "is a file: name the folder"),
    "an archive": (lambda root: folder_of("a.zip")(root) / "a.zip", "shutil.unpack_archive"),
    "an array": (lambda root: folder_of("a.npy")(root) / "a.npy", r"data.ImageFile\(file\) reads a .npy"),
    "empty": (folder_of(), "it is empty; name the folder"),
    "empty sub-folders": (folder_of("a/", "b/"), "it is empty"),
    "no pictures": (folder_of("a.csv", "b.txt"), r"other files \(a.csv; b.txt\); name the folder"),
    "HEIC": (folder_of("IMG_1.HEIC"), r"pillow_heif.register_heif_opener\(\)"),
    "too deep": (folder_of("train/cats/1.png", "test/cats/1.png"), "they lie deeper, as test.cats.1.png; name .*test"),
    "pictures in both": (folder_of("1.png", "cats/1.png"), r"pictures \(1\) beside sub-folders with some \(cats, …\): move"),
    "all broken": (lambda root: [(root / f"{k}.jpg").write_text("") for k in range(5)] and root,
                   "none of its files can be read .0.jpg: .*; and 2 more"),
}


@pytest.mark.parametrize("make, words", BAD_FOLDERS.values(), ids=BAD_FOLDERS.keys())
def test_a_folder_without_usable_pictures_is_explained(tmp_path, make, words):
    with pytest.raises(data.DataError, match="^folder names .*" + words):
        data.from_folder(make(tmp_path), 8)


@pytest.mark.parametrize("size", [0, -3, 8.0, "8", None, True, (8,), (3, 8, 8), (8, 0), [8, "8"]])
def test_a_size_that_is_none_is_refused(tmp_path, size):
    folder_of("a.png", "b.png")(tmp_path)
    with pytest.raises(ValueError, match=r"size must be the height and width .* \(64, 48\), or one number .* got"):
        data.from_folder(tmp_path, size)


@pytest.mark.parametrize("channels", [0, 2, 4, "RGB"])
def test_channels_are_one_or_three(tmp_path, channels):
    with pytest.raises(ValueError, match="channels must be 1 for grey, 3 for colour"):
        data.from_folder(tmp_path, 8, channels=channels)


@pytest.mark.parametrize("folder", [None, 3, ["a", "b"]])
def test_a_folder_that_is_no_path_is_refused(folder):
    with pytest.raises(TypeError, match="folder must be the path of a folder of pictures, got"):
        data.from_folder(folder, 8)


def test_pictures_that_are_all_dark_are_asked_about(tmp_path):
    for k in range(3):
        draw(tmp_path / f"{k}.png", noise(8, 8, below=9) + k % 2)
    with pytest.raises(ValueError, match="the pictures hold whole numbers from 0 to 9") as caught:
        data.from_folder(tmp_path, 8, file=tmp_path / "x.npy")
    assert not list(tmp_path.glob("x.npy*"))
    call = re.search(r"Then pass (data.from_arrays\(.*? / 9 .*?\]\))", str(caught.value))[1]
    names = {"data": data, "np": np, "PIL": PIL, "paths": sorted(tmp_path.glob("*.png"))}
    assert len(eval(call, names).train) == 2


# ---------------------------------------------------------------- folders that go into a file

@pytest.fixture
def folder(tmp_path) -> Path:
    for k in range(7):
        draw(tmp_path / "in" / "ab"[k % 2] / f"{k}.png", noise(9 + k, 9, 3))
    (tmp_path / "in" / "a" / "broken.png").write_bytes(b"")
    return tmp_path / "in"


def test_a_folder_goes_into_a_file_without_a_difference(folder, tmp_path, capsys, monkeypatch):
    path = tmp_path / "new" / "x.npy"
    in_file, in_memory = data.from_folder(folder, 8, file=path), data.from_folder(folder, 8)
    for part, other in ((in_file.train, in_memory.train), (in_file.test, in_memory.test)):
        assert isinstance(part.images, data.ImageFile)
        assert part.images[:].equal(other.images) and part.labels.equal(other.labels)
    assert np.load(path).shape == (7, 3, 8, 8), "the head says how many were whole"
    capsys.readouterr()
    monkeypatch.setattr(folders, "_read", lambda path, channels, size: pytest.fail("a picture was read again"))
    again = data.from_folder(folder, 8, file=path)
    assert again.train.images[:].equal(in_file.train.images[:]) and again.classes == in_file.classes
    said = capsys.readouterr().out
    assert "x.npy held them already" in said and "Left out, as they cannot be read: 1 (broken.png" in said


@pytest.mark.parametrize("change", [
    lambda folder: {"size": 9}, lambda folder: {"channels": 1},
    lambda folder: draw(folder / "a" / "new.png", noise(9, 9)),
    lambda folder: draw(folder / "a" / "0.png", noise(9, 10)),
])
def test_a_file_of_something_else_is_not_overwritten(folder, tmp_path, change):
    path = tmp_path / "x.npy"
    data.from_folder(folder, 8, file=path)
    before = path.read_bytes()
    options = {"size": 8, **(change(folder) or {})}
    with pytest.raises(data.DataError, match=r"already and holds something else: name another file, or delete .*ImageFile"):
        data.from_folder(folder, **options, file=path)
    assert path.read_bytes() == before


def test_a_file_of_the_readers_own_is_not_overwritten(folder, saved):
    before = saved.read_bytes()
    for call in (lambda: data.from_folder(folder, 8, file=saved), lambda: data.from_dataset(list(GREY), file=saved)):
        with pytest.raises(data.DataError, match="holds something else"):
            call()
    assert saved.read_bytes() == before


@pytest.mark.parametrize("file, error, words", [
    ("x.bin", ValueError, r"got 'x.bin': pass file=.*pictures\.npy"), (".", ValueError, r"got '.'"),
    (3, ValueError, "got 3"),
    ("/dev/null/x.npy", data.DataError, "cannot be written"),
])
def test_a_file_that_cannot_be_written_is_refused(folder, tmp_path, monkeypatch, file, error, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        data.from_folder(folder, 8, file=file)


def test_an_interrupt_leaves_no_half_file(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "BLOCK", 2)

    def interrupted(path, channels, size):
        if path.name == "5.png":
            raise KeyboardInterrupt
        return np.full((3, 8, 8), 99, np.uint8), []

    monkeypatch.setattr(folders, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.from_folder(folder, 8, file=tmp_path / "out" / "x.npy")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_without_room_is_named_before_it_is_full(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(data.DataError, match="0.0 GB of the disk of .*x.npy, and 0.0 GB are free: name a file on another"):
        data.from_folder(folder, 8, file=tmp_path / "x.npy")
    assert not list(tmp_path.glob("x.npy*"))


def test_more_pictures_than_the_memory_holds_are_refused_at_once_and_go_into_a_file(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(writing.runtime, "free_memory", lambda device: 2 * 8 * 3 * 8 * 8 - 1)   # there are 8 files
    with pytest.raises(data.DataError, match=r"0.0 GB are free: pass file=\"build/pictures.npy\""):
        data.from_folder(folder, 8)
    assert len(data.from_folder(folder, 8, file=tmp_path / "pictures.npy").train) == 6
    monkeypatch.setattr(writing.runtime, "free_memory", lambda device: 2 * 8 * 3 * 8 * 8)
    assert len(data.from_folder(folder, 8).train) == 6


# ---------------------------------------------------------------- data sets

class Yields(Dataset):
    """A map-style data set whose examples a function makes."""

    def __init__(self, make, n: int = N):
        self.make, self.n = make, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k: int):
        return self.make(k)


def image(k: int) -> Image.Image:
    return Image.fromarray(COLOUR[k].transpose(1, 2, 0))


@pytest.mark.parametrize("make, expected, names", [
    (lambda k: (torch.from_numpy(COLOUR[k]), k % 3), COLOUR, "012"),
    (lambda k: (torch.from_numpy(COLOUR[k]) / 255, torch.tensor(k % 3)), COLOUR, "012"),
    (lambda k: (COLOUR[k].transpose(1, 2, 0), np.int64(k % 3)), COLOUR, "012"),
    (lambda k: (GREY[k], "abc"[k % 3]), GREY[:, None], "abc"),
    (lambda k: [GREY[k], torch.tensor([k % 3 + 5])], GREY[:, None], "567"),
    (lambda k: (image(k), k % 3), COLOUR, "012"),
    (lambda k: Image.fromarray(GREY[k]), GREY[:, None], None),
    (lambda k: (COLOUR[k],), COLOUR, None),
    (lambda k: (COLOUR[k], None), COLOUR, None),
    (lambda k: GREY[k].tolist(), GREY[:, None], None),
    (lambda k: image(k).convert("RGBA"), COLOUR, None),
    (lambda k: (COLOUR[k].ravel().astype(np.float32), k % 3), COLOUR.reshape(N, -1).astype(np.float32), "012"),
])
def test_a_data_set_of_any_common_kind(tmp_path, make, expected, names):
    loaded = data.from_dataset(Yields(make))
    assert pictures(loaded) == as_counted(expected)
    if names is None:
        assert loaded.train.labels is None and loaded.classes is None
    else:
        assert labelled(loaded) == Counter((np.ascontiguousarray(expected[k]).tobytes(), names[k % 3]) for k in range(N))
    for _ in range(2):      # the second time over the first
        in_file = data.from_dataset(Yields(make), file=tmp_path / "x.npy")
        assert in_file.train.images[:].equal(loaded.train.images) and in_file.test.images[:].equal(loaded.test.images)


def test_names_of_classes_are_kept_also_of_a_subset():
    dataset = Yields(lambda k: (COLOUR[k], k % 3))
    dataset.classes = ["zero", "one", "two", "never"]
    assert data.from_dataset(dataset).classes == ("zero", "one", "two", "never")
    part = data.from_dataset(Subset(dataset, list(range(1, N, 3)) + list(range(2, N, 3))))
    assert part.classes == ("zero", "one", "two", "never") and set(part.train.labels.tolist()) == {1, 2}
    dataset.classes = ["too", "few"]
    assert data.from_dataset(dataset).classes == ("0", "1", "2")


def test_a_list_of_pairs_is_a_data_set():
    loaded = data.from_dataset([(COLOUR[k], k % 2) for k in range(N)])
    assert pictures(loaded) == as_counted(COLOUR) and loaded.classes == ("0", "1")


class Stream(IterableDataset):
    def __iter__(self):
        return ((COLOUR[k], k % 3) for k in range(N))


class Endless(Dataset):
    def __getitem__(self, k):
        return COLOUR[k % N]


def missing_file(k):
    raise FileNotFoundError("7.png")


BAD_DATASETS = {  # the data set, what the message says, and what may be given in its place
    "iterable": (Stream(), "an IterableDataset: pass", "list(dataset)"),
    "DataLoader": (DataLoader(Yields(lambda k: COLOUR[k])), "DataLoader: pass data.from_dataset(loader.dataset)", None),
    "without length": (Endless(), "has no length", "[dataset[k] for k in range(n)]"),
    "a class": (Endless, "got Endless: a class", None),
    "array": (COLOUR, "ndarray: pass data.from_arrays(dataset)", None),
    "path": ("pictures", "data.from_folder(folder, size)", None),
    "dict": ({"a": 1}, "got dict", None),
    "None": (None, "got NoneType", None),
    "empty": ([], "at least 2 pictures", None),
    "one": (Yields(image, 1), "at least 2 pictures", None),
    "failing": (Yields(missing_file), "dataset[0] fails with FileNotFoundError: 7.png", None),
    "rows as dicts": (Yields(lambda k: {"image": COLOUR[k], "label": k % 2}), "the keys 'image', 'label'",
                      "[(item['image'], item['label']) for item in dataset]"),
    "three parts": (Yields(lambda k: (COLOUR[k], k % 2, 5)), "a tuple with the keys 0, 1, 2",
                    "[(item[0], item[1]) for item in dataset]"),
    "label first": (Yields(lambda k: (k % 2, COLOUR[k])), "begins with int", "[(y, x) for x, y in dataset]"),
    "names": (Yields(lambda k: ("1.png", k)), "begins with str", None),
    "sizes": (Yields(lambda k: COLOUR[k, :, :H - k // 9]), "uint8 (3, 9, 6) and dataset[9] uint8 (3, 8, 6)", None),
    "kinds": (Yields(lambda k: COLOUR[k] / 255 if k else COLOUR[k]), "is uint8 (3, 9, 6) and dataset[1] float64", None),
    "grey, then colour": (Yields(lambda k: image(k).convert("RGB" if k > 5 else "L")),
                          "dataset[0] is uint8 (1, 9, 6) and dataset[6] uint8 (3, 9, 6)", None),
    "unequal rows": ([[[1, 2], [3]]] * 4, "dataset[0] must have rows of one length", None),
    "normalized": (Yields(lambda k: (torch.from_numpy(COLOUR[k]) / 127.5 - 1, 0)), "float32 from -1 to 1",
                   "[((x + 1) / 2, y) for x, y in dataset]"),
    "0–255 as floats": (Yields(lambda k: COLOUR[k] * 1.0), "float64 from 0 to 255", "[x / 255 for x in dataset]"),
    "dark": (Yields(lambda k: (Image.fromarray(GREY[k] // 16), 0)), "from 0 to 15",
             "[(np.asarray(x) / 15, y) for x, y in dataset]"),
    "NaN": (Yields(lambda k: np.full((H, W), np.nan)), "NaN or infinite",
            "[np.nan_to_num(x, posinf=1, neginf=0) for x in dataset]"),
    "flat": (Yields(lambda k: noise(784)), "of images = np.stack([np.asarray(x) for x in dataset])",
             "images.reshape(-1, 1, 28, 28)"),
    "ambiguous": (Yields(lambda k: (noise(3, 50, 3), k % 2)), "may be (N, C, H, W) or (N, H, W, C)",
                  "np.moveaxis(images, 1, 3)"),
    "films": (Yields(lambda k: noise(7, 3, H, W)), "films become pictures", "images.reshape(-1, 3, 9, 6)"),
    "one-hot": (Yields(lambda k: (COLOUR[k], torch.eye(3)[k % 3])), "a Tensor of 3",
                "[(x, y[0]) for x, y in dataset]"),
    "dict for a label": (Yields(lambda k: (COLOUR[k], {"kind": k % 3})), "a dict of 1",
                         "[(x, y['kind']) for x, y in dataset]"),
    "some labels": (Yields(lambda k: (COLOUR[k], 1) if k < 5 else COLOUR[k]), "the first is labels[5]", None),
    "missing labels": (Yields(lambda k: (COLOUR[k], "a" if k < 5 else None)), "the first is labels[5]", None),
    "strings": (Yields(lambda k: np.array(["a", "b"])), "holds <U1 (2,)", None),
}


@pytest.mark.parametrize("dataset, words, call", BAD_DATASETS.values(), ids=BAD_DATASETS.keys())
def test_a_data_set_that_cannot_be_used_is_refused_and_the_way_out_works(dataset, words, call):
    with pytest.raises((TypeError, ValueError, data.DataError)) as caught:
        data.from_dataset(dataset)
    assert "dataset" in str(caught.value) or "labels" in str(caught.value)
    assert words in str(caught.value)
    if call is not None:
        assert call in str(caught.value)
        names = {"dataset": as_list(dataset) if isinstance(dataset, Yields) else dataset, "np": np, "n": 9}
        images = re.search(r"of images = (np.stack\(.*?\]\)), which data.from_arrays takes", str(caught.value))
        if images is None:
            assert len(data.from_dataset(eval(call, names)).train) >= 2
        else:
            assert len(data.from_arrays(eval(call, names | {"images": eval(images[1], names)})).train) >= 2


def as_list(dataset: Yields) -> list:
    """As a list: a loop over a Dataset goes on until an IndexError, which these functions do not raise."""
    return [dataset[k] for k in range(len(dataset))]


# ---------------------------------------------------------------- pixels of other types

@pytest.mark.parametrize("prepare", [data.grey, data.stochastic, data.fixed])
def test_what_prepares_uint8_names_the_call_for_other_types(prepare):
    floats = torch.rand(5, 3, 4, 2)
    with pytest.raises(TypeError, match=r"floats in \[0, 1\] are prepared by (data.unchanged|torch.bernoulli), or made "
                                        r"uint8 by data.from_arrays\(images\).train.images") as caught:
        prepare(floats)
    by = eval(re.search(r"prepared by ([\w.]+)", str(caught.value))[1])
    assert by(floats).shape == floats.shape
    with pytest.raises(TypeError, match=r"got ndarray: pass torch.from_numpy\(images\)"):
        prepare(COLOUR)
    for wrong in (COLOUR / 255, [1, 2], COLOUR.tolist()):
        with pytest.raises(TypeError, match=r"pass data.from_arrays\(images\).train.images"):
            prepare(wrong)


def test_a_table_is_prepared_unchanged():
    x = torch.randn(4, 7)
    assert data.unchanged(x) is x
    for wrong, words in ((torch.from_numpy(COLOUR), "data.grey"), (x.double(), r"x.float\(\)"), (x.numpy(), "from_arrays"),
                         ([1.0], "from_arrays")):
        with pytest.raises(TypeError, match=f"x must be a float32 tensor, got .*{words}"):
            data.unchanged(wrong)


def test_a_folder_whose_names_are_no_text_is_read_and_said(tmp_path, capsys):
    try:
        for k in range(3):
            draw(tmp_path / "in" / f"\udcff{k}.png", noise(9, 9))
        (tmp_path / "in" / "\udcfe.png").write_bytes(b"")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this system has no such names")
    data.from_folder(tmp_path / "in", 8)
    assert "(?.png: no picture, or damaged)" in capsys.readouterr().out


def test_folders_that_contain_themselves_end(tmp_path):
    (tmp_path / "a").mkdir()
    try:
        (tmp_path / "a" / "again").symlink_to(tmp_path)
    except OSError:
        pytest.skip("this system has no links")
    with pytest.raises(data.DataError, match="holds no pictures"):
        data.from_folder(tmp_path, 8)


def test_a_table_of_pandas(capsys):
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame(np.random.default_rng(0).normal(size=(N, 4)), columns=list("abcd"))
    labels = pandas.Series(["x", "y"] * 11 + ["x"])
    loaded = data.from_arrays(rows, labels)
    assert pictures(loaded) == as_counted(rows.to_numpy().astype(np.float32)) and loaded.classes == ("x", "y")
    with pytest.raises(ValueError, match=r"np.asarray\(labels\)\[:, 0\]"):
        data.from_arrays(rows, labels.to_frame())
    with pytest.raises(ValueError, match=r"np.asarray\(images\).reshape\(-1, 1, 28, 28\)"):
        data.from_arrays(pandas.DataFrame(noise(N, 784)))


def test_the_package_brings_no_widgets_with_it():
    code = "import sys; from vae_course import data; sys.exit('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_bar_is_shown_only_where_somebody_sees_it(monkeypatch):
    with writing.bar(3) as shown:
        assert shown.disable
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with writing.bar(3) as shown:
        assert not shown.disable and not shown.leave
