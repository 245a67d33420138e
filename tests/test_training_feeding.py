"""Where the examples lie makes no difference: in memory, in a file, beside a GPU; and no thread outlives the training."""

import concurrent.futures
import random
import signal
import threading
from collections import deque
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from tiny_vae import PIXELS, tiny_vae
from torch import nn
from training_runs import (
    IMAGES,
    N_STEPS,
    VALIDATION,
    N,
    at_call,
    at_pass,
    on_disk,
    press_stop,
    same,
    train,
    weights,
    without_seconds,
)

from vae_course import data, runtime, training
from vae_course.conditional import reference_cvae
from vae_course.objectives import negative_elbo
from vae_course.training import feeding, identity, loop, parallel
from vae_course.training.feeding import Lane, Resident, Streamed

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert {thread for thread in threading.enumerate() if thread.name != "tqdm_monitor"} <= before


@pytest.fixture
def filed(tmp_path):
    """Writes a tensor into a file of its own, and gives its ImageFile."""
    def write(images):
        path = tmp_path / f"{len(list(tmp_path.glob('*.npy')))}.npy"
        np.save(path, images.numpy())
        return data.ImageFile(path)
    return write


@pytest.fixture
def streaming(monkeypatch):
    """No memory is large enough for a file."""
    monkeypatch.setattr(feeding, "MEMORY_SHARE", 0.0)


class Lazy:
    """A source that is neither a tensor nor a file of the course; does something at the nth batch that it is asked for."""

    device = CPU

    def __init__(self, tensor, n: int = 0, action=lambda: None):
        self.tensor, self.n, self.action, self.asked = tensor, n, action, []
        self.shape, self.dtype = tuple(tensor.shape), tensor.dtype

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, rows):
        self.asked.append(rows)
        if len(self.asked) == self.n:
            self.action()
        return self.tensor[rows]

    def split(self, size):
        for start in range(0, len(self.tensor), size):
            yield self.tensor[start:start + size]


# ---------------------------------------------------------------- the same numbers

def weighted(model, x, labels, weight):
    """A loss that sees whether labels and weights belong to the pictures."""
    terms = negative_elbo(model, x)
    return {**terms, "loss": terms["loss"] + (x.flatten(1).sum(1) * weight * labels).mean()}


def run(images, loss_fn=negative_elbo, **settings):
    model = tiny_vae()
    history = train(model, loss_fn, images, **settings)
    return weights(model), without_seconds(history)


def test_a_file_trains_as_its_tensor_does(filed, streaming, capsys):
    assert same(run(IMAGES, validation=VALIDATION), run(filed(IMAGES), validation=filed(VALIDATION)))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and said[0].startswith("train: 53 examples, 0 MB, stay on the disk: each batch comes from there")
    assert said[1].startswith("validation: 19 examples, 0 MB, stay on the disk")
    assert same(run(IMAGES), run(Lazy(IMAGES)))


def test_a_small_file_is_read_into_memory(filed, monkeypatch, capsys):
    monkeypatch.setattr(feeding, "PIECE", 4 * 15)   # four pictures at once
    monkeypatch.setattr(runtime, "free_memory", lambda device: 10**9)
    monkeypatch.setattr(feeding, "Streamed", lambda *_: pytest.fail("it was streamed"))
    assert same(run(IMAGES), run(filed(IMAGES)))
    assert capsys.readouterr().out == "train: 53 examples, 0 MB, are copied into memory (memory has 1.0 GB free).\n"


def test_what_is_on_the_device_is_not_spoken_of(capsys):
    run((IMAGES, torch.arange(N), torch.ones(N)), weighted, validation=(VALIDATION, torch.arange(19), torch.ones(19)))
    assert capsys.readouterr() == ("", "")


def test_labels_beside_a_file_stay_with_their_pictures(filed, streaming):
    rest, rest_of_validation = ((torch.arange(n), torch.linspace(0, 0.1, n)) for n in (N, 19))
    there = run((IMAGES, *rest), weighted, validation=(VALIDATION, *rest_of_validation))
    assert same(there, run((filed(IMAGES), *rest), weighted, validation=(filed(VALIDATION), *rest_of_validation)))
    assert not same(there, run((filed(IMAGES), rest[0].flip(0), rest[1]), weighted))


def test_a_conditional_model_notes_the_classes_of_a_file(filed, streaming):
    images = torch.arange(20 * 784).remainder(256).to(torch.uint8).view(20, 1, 28, 28)
    labels = torch.tensor([2] * 10 + [5] * 10)
    results = []
    for source in (images, filed(images)):
        torch.manual_seed(0)
        model = reference_cvae(num_classes=7, latent_dim=2, hidden_dim=3)
        train(model, images=(source, labels), epochs=2)
        assert model.condition.seen.nonzero().flatten().tolist() == [2, 5]
        results.append(weights(model))
    assert same(*results)


def test_a_part_of_a_file_is_its_own_data_set(filed, streaming):
    rows = torch.randperm(N, generator=torch.Generator().manual_seed(2))[:31]
    assert same(run(IMAGES[rows]), run(filed(IMAGES).subset(rows)))


def test_a_table_in_a_file(filed, streaming):
    table = torch.rand(N, *PIXELS, generator=torch.Generator().manual_seed(0))
    assert same(run(table, prepare=nn.Identity()), run(filed(table), prepare=nn.Identity()))


@pytest.mark.parametrize("batch_size", [1, 20, 27, N])
def test_few_steps_an_epoch(filed, streaming, batch_size):
    assert same(run(IMAGES, batch_size=batch_size), run(filed(IMAGES), batch_size=batch_size))


def test_the_order_of_an_epoch_is_read_in_the_order_drawn():
    source, order = Lazy(IMAGES), torch.randperm(N)[:48].view(6, 8)
    with Streamed((source,), CPU) as feed:
        for epoch in range(2):
            feed.begin_epoch(order.roll(epoch, 0))
            for step in range(6):
                feed.advance()
                assert feed.batch(order, torch.tensor([step]))[0].equal(IMAGES[order.roll(epoch, 0)[step]])
        feed.begin_epoch(order)         # an epoch that is begun anew, as after a stop, starts at its first batch
        feed.advance()
        feed.begin_epoch(order.flip(0))
        feed.advance()
        assert feed.now[0].equal(IMAGES[order[-1]])
    assert [rows.tolist() for rows in source.asked[:6]] == order.tolist()


def test_batches_are_gathered_ahead():
    ahead = threading.Event()
    source = Lazy(IMAGES, feeding.AHEAD + 1, ahead.set)
    with Streamed((source,), CPU) as feed:
        feed.begin_epoch(torch.arange(48).view(6, 8))
        feed.advance()                                  # one is taken, and two more are there before they are asked for
        assert ahead.wait(60)
        concurrent.futures.wait(feed.coming)
        assert len(source.asked) == feeding.AHEAD + 1


# ---------------------------------------------------------------- where they lie

META = torch.device("meta")     # stands for a GPU: tensors can be there, and nothing is computed


@pytest.mark.parametrize(("free", "lies", "words"), [
    ({META: 10**4, CPU: 0}, ("meta", "meta"), "copied into meta (meta has 0 MB free, memory has 0 MB free)"),
    ({META: 10**3, CPU: 0}, ("file", "cpu"), "stay on the disk"),
    ({META: 10**3, CPU: 10**4}, ("cpu", "cpu"), "stay in memory: each batch comes from there while the one before trains"),
])
def test_a_file_goes_to_the_gpu_else_to_memory_else_stays(filed, monkeypatch, capsys, free, lies, words):
    monkeypatch.setattr(runtime, "free_memory", free.get)
    placed = feeding.place("train", (filed(IMAGES), torch.arange(N).char()), META)
    assert tuple(part.device.type if isinstance(part, torch.Tensor) else "file" for part in placed) == lies
    assert words in capsys.readouterr().out
    assert lies[0] != "cpu" or placed[0].equal(IMAGES)


@pytest.mark.parametrize(("free", "lies"), [(10**4, "meta"), (10**3, "cpu")])
def test_a_tensor_in_memory_goes_to_the_gpu_if_it_fits(monkeypatch, capsys, free, lies):
    monkeypatch.setattr(runtime, "free_memory", lambda device: free)
    images, labels = feeding.place("train", (IMAGES, torch.arange(N)), META)
    assert images.device.type == labels.device.type == lies
    assert isinstance(feeding.feed((images,), META), Resident if lies == "meta" else Streamed)
    assert ("stay in memory" in capsys.readouterr().out) == (lies == "cpu")


def test_processes_of_one_machine_share_its_memory(filed, monkeypatch):
    monkeypatch.setattr(runtime, "free_memory", lambda device: 4 * 1000)       # 795 bytes may take 1000
    assert isinstance(feeding.place("train", (filed(IMAGES),), CPU)[0], torch.Tensor)
    monkeypatch.setattr(parallel, "size", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert isinstance(feeding.place("train", (filed(IMAGES),), CPU)[0], data.ImageFile)


def test_validation_is_read_in_blocks(monkeypatch):
    monkeypatch.setattr(loop, "VALIDATION_BATCH", 8)
    source = Lazy(VALIDATION)
    model = tiny_vae()
    found = training.evaluate(model, negative_elbo, data.grey, source)
    assert found == training.evaluate(model, negative_elbo, data.grey, VALIDATION) and source.asked == []


# ---------------------------------------------------------------- stops, errors, and going on

@pytest.mark.parametrize("streamed_first", [True, False])
def test_a_run_goes_on_wherever_the_data_lie(tmp_path, filed, streaming, streamed_first):
    path, whole = tmp_path / "c.pt", run(IMAGES, epochs=4)
    first, then = (filed(IMAGES), IMAGES) if streamed_first else (IMAGES, filed(IMAGES))
    train(at_pass(tiny_vae(), 2 * N_STEPS + 3), images=first, epochs=4, checkpoint=path)
    assert len(on_disk(path)["history"]) == 2
    assert same(whole, run(then, epochs=4, checkpoint=path, resume=True))


def test_the_fingerprint_of_a_file_is_that_of_its_tensor(filed, monkeypatch):
    monkeypatch.setattr(identity, "PIECE", 100)
    rows = torch.arange(0, N, 3)
    for images in (IMAGES, torch.rand(7, 3), torch.rand(2, 300)):
        assert identity.fingerprint([filed(images)]) == identity.fingerprint([images])
    assert identity.fingerprint([filed(IMAGES).subset(rows)]) == identity.fingerprint([IMAGES[rows]])
    assert identity.fingerprint([filed(IMAGES)]) != identity.fingerprint([IMAGES.flip(0)])


@pytest.mark.parametrize("call", [1, 4, N_STEPS, N_STEPS + 1, 2 * N_STEPS + 2])
def test_the_stop_button_while_a_file_trains(filed, streaming, call, capsys):
    model, expected = tiny_vae(), tiny_vae()
    history = train(model, at_call(call, press_stop), filed(IMAGES))
    finished = (call - 1) // N_STEPS
    if finished:
        train(expected, epochs=finished)
    assert len(history) == finished and same(weights(model), weights(expected)) and not model.training
    assert f"Stopped by you: the model is as it was after epoch {finished}" in capsys.readouterr().out


def test_the_stop_button_while_the_training_waits_for_a_batch(streaming):
    # The signal comes when the main thread waits: the batch is not there before it has been handled.
    source = Lazy(IMAGES, N_STEPS + 3, lambda: signal.raise_signal(signal.SIGINT))
    assert len(train(tiny_vae(), images=source)) == 1


@pytest.mark.parametrize("n", [1, 3, N_STEPS + 2])
def test_an_error_of_the_thread_is_raised_where_fit_was_called(streaming, n):
    def fail():
        raise OSError(f"the disk is gone at batch {n}")

    model = tiny_vae()
    with pytest.raises(OSError, match=f"the disk is gone at batch {n}$"):
        train(model, images=Lazy(IMAGES, n, fail))
    assert not model.training


def test_a_file_that_is_cut_short_in_training_is_named(filed, streaming):
    source = filed(IMAGES)
    with pytest.raises(data.DataError, match="0.npy"):
        train(at_pass(tiny_vae(), 2, lambda: source.path.write_bytes(source.path.read_bytes()[:300])), images=source)


def test_an_error_of_the_loss_ends_the_thread(filed, streaming):
    with pytest.raises(ZeroDivisionError):
        train(tiny_vae(), at_call(3, lambda terms: 1 / 0), filed(IMAGES))
    with pytest.raises(TypeError):
        train(tiny_vae(), lambda model, x: None, filed(IMAGES))
    with pytest.raises(training.TrainingDiverged):
        train(tiny_vae(), at_call(3, lambda terms: {**terms, "loss": terms["loss"] * float("nan")}), filed(IMAGES))


# ---------------------------------------------------------------- several processes

@pytest.mark.parametrize("rank", [0, 1, 2])
def test_each_process_gathers_its_share(monkeypatch, rank):
    monkeypatch.setattr(parallel, "size", lambda: 3)
    monkeypatch.setattr(parallel, "rank", lambda: rank)
    monkeypatch.setattr(parallel, "averaging_gradients", lambda loss: loss)
    source, shares = Lazy(torch.arange(N)), []
    for feed in (Resident((source.tensor,)), Streamed((source,), CPU)):
        loss = training.step.PreparedLoss(tiny_vae(), negative_elbo, data.grey)
        step = training.step.TrainingStep(loss, feed, rates=torch.ones(9), progress=torch.ones(9), batch_size=6,
                                          max_grad_norm=1.0, bf16=False)
        with feed, runtime.seeded(3, CPU):
            step.begin_epoch(0)
            for _ in range(step.n_steps):
                feed.advance()
                shares.append(feed.batch(step.batches, step.epoch_step)[0])
                step.epoch_step += 1
    assert len(shares) == 2 * 8 and same(shares[:8], shares[8:])
    assert all(rows.shape == (2,) for rows in source.asked)


# ---------------------------------------------------------------- the way to a GPU, with one that does its work late

class LateGpu:
    """Streams whose work is done when it must, in the order that its own stream and its events ask for, and no sooner."""

    def __init__(self, monkeypatch, seed: int):
        self.random, self.work = random.Random(seed), {"main": deque(), "side": deque()}
        self.current, self.done = "main", set()
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: LateStream(self, "side"))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: LateStream(self, self.current))
        monkeypatch.setattr(torch.cuda, "stream", self.stream)
        monkeypatch.setattr(torch.cuda, "Event", lambda: LateEvent(self))
        monkeypatch.setattr(feeding, "pinned_like", torch.empty_like)

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream.name
        yield
        self.current = before

    def later(self, action, after: object = None) -> None:
        """Put some work on the current stream, behind a mark that must have been passed first."""
        self.work[self.current].append((action, after))

    def go_on(self) -> bool:
        """Do the next piece of work of a stream that need not wait; False if there is none."""
        ready = [queue for queue in self.work.values() if queue and (queue[0][1] is None or queue[0][1] in self.done)]
        if ready:
            self.random.choice(ready).popleft()[0]()
        return bool(ready)


class LateStream:
    def __init__(self, gpu: LateGpu, name: str):
        self.gpu, self.name = gpu, name

    def wait_stream(self, other) -> None:
        mark = LateEvent(self.gpu)
        mark.record(other)
        self.wait_event(mark)

    def wait_event(self, event) -> None:
        with self.gpu.stream(self):
            self.gpu.later(lambda: None, event.mark)


class LateEvent:
    def __init__(self, gpu: LateGpu):
        self.gpu, self.mark = gpu, None

    def record(self, stream) -> None:
        self.mark = mark = object()
        with self.gpu.stream(stream):
            self.gpu.later(lambda: self.gpu.done.add(mark))

    def synchronize(self) -> None:
        while self.mark is not None and self.mark not in self.gpu.done:
            assert self.gpu.go_on()


class LateTensor:
    """A tensor on the GPU, into which is copied when its stream comes to that."""

    def __init__(self, gpu: LateGpu, tensor):
        self.gpu, self.tensor = gpu, tensor

    def copy_(self, source, non_blocking=False) -> None:
        self.gpu.later(lambda: self.tensor.copy_(getattr(source, "tensor", source)))


def trained_on(gpu: LateGpu) -> bool:
    """Whether the steps of two epochs find the batches that they are to train on, in both of two sources."""
    sources, order = (IMAGES, torch.arange(N)), torch.randperm(N)[:48].view(6, 8)
    lane = Lane(sources, 8, CPU)
    lane.buffer, lane.place = ([LateTensor(gpu, part) for part in parts] for parts in (lane.buffer, lane.place))
    found, expected = [], []
    with Streamed(sources, CPU) as feed:
        feed.lane = lane
        for epoch in range(2):
            feed.begin_epoch(order.roll(epoch))
            for rows in order.roll(epoch):
                feed.advance()
                concurrent.futures.wait(feed.coming)        # the thread is as fast as it can be
                images, numbers = feed.batch(order, rows)
                assert (images, numbers) == tuple(lane.place), "a graph reads where it was recorded"
                gpu.later(lambda place=lane.place: found.append([part.tensor.clone() for part in place]))
                expected.append([source[rows] for source in sources])
            while gpu.go_on():                              # fit reads the losses at the end of an epoch
                pass
    return same(found, expected)


@pytest.mark.parametrize("seed", range(20))
def test_each_step_on_a_gpu_finds_its_batch(monkeypatch, seed):
    assert trained_on(LateGpu(monkeypatch, seed))


@pytest.mark.parametrize("missing", ["arrived.synchronize", "stream.wait_event", "main.wait_event"])
def test_none_of_the_waits_is_one_too_many(monkeypatch, missing):
    if missing == "arrived.synchronize":
        monkeypatch.setattr(LateEvent, "synchronize", lambda event: None)
    else:
        name, wait = "side" if missing.startswith("stream") else "main", LateStream.wait_event
        monkeypatch.setattr(LateStream, "wait_event", lambda self, event: self.name == name or wait(self, event))
    assert not all(trained_on(LateGpu(monkeypatch, seed)) for seed in range(20))


def test_the_copy_runs_beside_the_step_before(monkeypatch):
    gpu = LateGpu(monkeypatch, 0)
    lane = Lane((IMAGES,), 8, CPU)
    lane.buffer, lane.place = ([LateTensor(gpu, part) for part in parts] for parts in (lane.buffer, lane.place))
    lane.bring(lane.pin([IMAGES[:8]], 0))
    while gpu.go_on():
        pass
    gpu.later(lambda: pytest.fail("the step was waited for"))       # the step, not done yet
    lane.bring(lane.pin([IMAGES[8:16]], 1))
    queue = gpu.work["side"]
    while queue and (queue[0][1] is None or queue[0][1] in gpu.done):
        queue.popleft()[0]()
    assert lane.buffer[0].tensor.equal(IMAGES[8:16]) and not queue
    gpu.work["main"].popleft()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("cuda_graph", [True, False])
def test_on_a_gpu_streamed_is_bit_for_bit_the_same(filed, monkeypatch, cuda_graph):
    results = []
    for images, share in ((IMAGES.cuda(), 0.5), (IMAGES, 0.5), (IMAGES, 0.0), (filed(IMAGES), 0.0)):
        monkeypatch.setattr(feeding, "GPU_SHARE", share)
        model = tiny_vae().cuda()
        history = train(model, images=images, epochs=4, cuda_graph=cuda_graph, validation=VALIDATION)
        results.append((weights(model), without_seconds(history)))
    assert all(same(results[0], other) for other in results[1:])
