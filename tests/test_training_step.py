"""One step of fit(): its numbers, a loss that diverges, the CUDA graph, and what a loss is told."""

from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from tiny_vae import tiny_vae
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.optim import Adam
from training_runs import (
    BATCH,
    IMAGES,
    N_STEPS,
    VALIDATION,
    N,
    at_pass,
    same,
    step_of,
    train,
    weights,
    without_seconds,
)

from vae_course import data, runtime
from vae_course.conditional import class_mean_vae, reference_cvae
from vae_course.models import reference_vae
from vae_course.objectives import negative_elbo, warm_up_negative_elbo
from vae_course.training import loop
from vae_course.training.feeding import Resident
from vae_course.training.step import GRAPH_WARM_UP, CudaGraph, PreparedLoss, TrainingStep

# ---------------------------------------------------------------- a loss that asks how far the training is

def test_progress_is_given_to_a_loss_that_asks_for_it():
    seen = []

    def loss(model, x, *, progress):
        seen.append(progress.item())
        return negative_elbo(model, x)

    history = train(tiny_vae(), loss, epochs=3, validation=VALIDATION, loss_takes_progress=True)
    steps = [value for value in seen if value < 1]
    np.testing.assert_allclose(steps, np.arange(3 * N_STEPS) / (3 * N_STEPS), rtol=1e-6)
    assert seen.count(1.0) == 3, "validation sees the loss of the end"
    assert same(without_seconds(history), without_seconds(train(tiny_vae(), epochs=3, validation=VALIDATION)))


def test_progress_goes_on_after_a_resume(tmp_path):
    seen = []

    def loss(model, x, progress=None):
        seen.append(progress.item())
        return negative_elbo(model, x)

    settings = {"epochs": 3, "checkpoint": tmp_path / "run.pt", "loss_takes_progress": True}
    train(at_pass(tiny_vae(), N_STEPS + 2), loss, **settings)
    seen.clear()
    train(tiny_vae(), loss, resume=True, **settings)
    assert len(seen) == 2 * N_STEPS and seen[0] == pytest.approx(1 / 3)


def test_progress_may_be_an_argument_of_a_partial():
    history = train(tiny_vae(), partial(warm_up_negative_elbo, warm_up=0.5), epochs=4, loss_takes_progress=True)
    first, last = history[0], history[-1]
    assert first["train_loss"] < -first["train_recon"] + 0.5 * first["train_kl"], "beta is small at first"
    assert last["train_loss"] == pytest.approx(-last["train_elbo"], rel=1e-5), "and 1 at the end"


def test_progress_is_only_given_where_that_is_said():
    def loss(model, x, progress=0.5):
        assert progress is None
        return negative_elbo(model, x)

    train(tiny_vae(), partial(partial(loss, progress=None)), epochs=1, validation=VALIDATION)
    for unbound in (loss, partial(loss), lambda model, x, *, progress=0.0: negative_elbo(model, x, beta=progress)):
        with pytest.raises(TypeError, match="`progress`, which .* its default: say loss_takes_progress=True"):
            train(tiny_vae(), unbound)


@pytest.mark.parametrize(("loss", "words"), [
    ({"loss": torch.zeros(())}, r"loss_fn must be a function \(model, x, …\).*, got dict"),
    (None, "loss_fn must be a function.*, got NoneType"),
    (lambda model, x: model(x)[0].sum(), "must return a dict of scalar tensors .*, got Tensor"),
    (lambda model, x: {"elbo": model(x)[0].sum()}, "with \"loss\" among them, .*, got 'elbo'"),
    (lambda model, x: {}, "got nothing"),
    (lambda model, x: {"loss": model(x)[0].flatten(1).sum(1)}, rf"got 'loss': a tensor of shape \({BATCH},\)"),
    (lambda model, x: {"loss": model(x)[0].sum(), "beta": 0.5}, "got 'beta': float"),
])
@pytest.mark.parametrize("waits", [False, True])
def test_a_loss_that_returns_no_dict_of_scalars_is_named(monkeypatch, loss, words, waits):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: waits)
    model = tiny_vae()
    before = weights(model)
    with pytest.raises(TypeError, match=words):
        train(model, loss)
    assert same(weights(model), before)


@pytest.mark.parametrize(("loss", "images", "takes", "words"), [
    (warm_up_negative_elbo, IMAGES, False, r"called as loss_fn\(model, x\), .*'progress'.* With loss_takes_progress=True"),
    (partial(warm_up_negative_elbo, warm_up=0.5), IMAGES, False, "'progress'.* With loss_takes_progress=True"),
    (negative_elbo, IMAGES, True, r"called as loss_fn\(model, x, progress=…\), .*unexpected keyword argument 'progress'"),
    (lambda model, x: negative_elbo(model, x), (IMAGES, IMAGES), False, r"loss_fn\(model, x, …\), .*too many positional"),
])
def test_a_loss_that_cannot_be_called_is_refused_before_the_first_step(loss, images, takes, words):
    with pytest.raises(TypeError, match=words):
        train(tiny_vae(), loss, images, loss_takes_progress=takes)


# ---------------------------------------------------------------- a step never waits for the device

def adam(parameters, lr, **options):
    """torch's Adam, whose constructor reads the rate, once."""
    optimizer = Adam(parameters, lr=1.0, **options)
    optimizer.param_groups[0]["lr"] = lr
    return optimizer


def reads(model, x, labels):
    float(x.sum())
    return negative_elbo(model, x, labels)


@pytest.mark.parametrize("takes_progress", [False, True])
@pytest.mark.parametrize(("build", "loss_fn"), [(reference_vae, negative_elbo), (reference_cvae, negative_elbo),
                                                (class_mean_vae, negative_elbo), (reference_cvae, reads)])
def test_a_step_reads_no_number(monkeypatch, build, loss_fn, takes_progress):
    # Fake tensors have shapes, but no numbers: whatever reads one, as a check of values does, fails.
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: True)
    monkeypatch.setattr(torch.optim, "Adam", adam)
    told = (lambda *batch, progress: loss_fn(*batch)) if takes_progress else loss_fn
    with FakeTensorMode():
        train = (torch.zeros(13, 1, 28, 28, dtype=torch.uint8), torch.zeros(13, dtype=torch.long))
        loss = PreparedLoss(build(hidden_dim=7), told, data.stochastic, takes_progress)
        step = TrainingStep(loss, Resident(train[:1] if build is reference_vae else train), rates=torch.ones(6),
                            progress=torch.arange(6) / 6, batch_size=4, max_grad_norm=1.0, bf16=False)
        step.begin_epoch(0)
        with pytest.raises(DataDependentOutputException) if loss_fn is reads else nullcontext():
            step()
            step()


WRONG_IMAGES = torch.full((N, 1, 28, 28), 3.0)


@pytest.mark.parametrize(("train_on", "validate_on", "words"), [
    ((WRONG_IMAGES, torch.zeros(N).long()), None, r"x must lie in \[0, 1\], got values from 3 to 3"),
    ((WRONG_IMAGES / 3, torch.arange(N)), None, r"labels must lie from 0 to 9 .*, got values from 0 to 52"),
    ((WRONG_IMAGES / 3, torch.zeros(N).long()), (WRONG_IMAGES, torch.zeros(N).long()), r"x must lie in \[0, 1\]"),
    ((WRONG_IMAGES / 3, torch.zeros(N).long()), (WRONG_IMAGES / 3, torch.arange(N)), "labels must lie from 0 to 9"),
])
def test_values_are_checked_before_the_first_step_where_steps_do_not(monkeypatch, train_on, validate_on, words):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: True)
    monkeypatch.setattr(TrainingStep, "__call__", lambda step: pytest.fail("a step was made"))
    with pytest.raises(ValueError, match=words):
        train(reference_cvae(hidden_dim=3), negative_elbo, train_on, prepare=nn.Identity(), validation=validate_on)


def test_the_check_before_the_first_step_changes_nothing(monkeypatch):
    def with_batch_norm():
        torch.manual_seed(0)
        return reference_vae(2, 5, activation=lambda: nn.BatchNorm1d(5))

    plain, checked, images = with_batch_norm(), with_batch_norm(), torch.arange(N * 784).view(N, 1, 28, 28).to(torch.uint8)
    histories = [train(plain, images=images, validation=images)]
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: True)
    histories.append(train(checked, images=images, validation=images))
    assert same(weights(plain), weights(checked)) and same(*map(without_seconds, histories))


# ---------------------------------------------------------------- bfloat16

@pytest.mark.parametrize("bf16, fast, expected", [(True, False, True), (False, True, False), (None, True, True),
                                                  (None, False, False)])
def test_products_are_in_bfloat16_where_asked_or_fast(monkeypatch, bf16, fast, expected):
    monkeypatch.setattr(runtime, "bf16_is_fast", lambda device: fast)
    model, steps, products = tiny_vae(), [], []
    model.decoder[0].register_forward_hook(lambda module, inputs, output: products.append(output.dtype))

    def spy(model, x):
        terms = negative_elbo(model, x)
        steps.append({name: term.dtype for name, term in terms.items()})
        return terms

    train(model, spy, epochs=1, bf16=bf16, validation=VALIDATION)
    product = torch.bfloat16 if expected else torch.float32
    assert products == [product] * N_STEPS + [torch.float32], "validation is always in float32"
    assert all(set(dtypes.values()) == {torch.float32} for dtypes in steps)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_bfloat16_learns_as_float32_does():
    elbos = [train(tiny_vae(), epochs=20, bf16=bf16, validation=VALIDATION)[-1]["validation_elbo"] for bf16 in (True, False)]
    assert elbos[0] != elbos[1] and elbos[0] == pytest.approx(elbos[1], abs=0.2)


# ---------------------------------------------------------------- the CUDA graph, with a stand-in for the GPU

class FakeGpu:
    """torch.cuda's streams and graphs: what a step does while it is recorded is kept, and done when it is replayed."""

    def __init__(self, monkeypatch, fails: bool = False):
        self.fails, self.recording, self.events, self.current = fails, None, [], "default"
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: FakeStream(self, "side"))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: FakeStream(self, self.current))
        monkeypatch.setattr(torch.cuda, "stream", self.stream)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(self))
        monkeypatch.setattr(torch.cuda, "graph", self.graph)

    def launch(self, work) -> None:
        """Run some work now, or keep it where a graph is recorded."""
        if self.recording is not None:
            self.recording.append(work)
        else:
            self.events.append(f"run on {self.current}")
            work()

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream.name
        yield
        self.current = before

    @contextmanager
    def graph(self, graph, stream):
        self.events.append(f"record on {stream.name}")
        self.recording = graph.work
        try:
            yield
            if self.fails:
                raise RuntimeError("operation not permitted when stream is capturing\nmore lines")
        finally:
            self.recording = None


class FakeStream:
    """Has a name, and can wait for another one."""

    def __init__(self, gpu: FakeGpu, name: str):
        self.gpu, self.name = gpu, name

    def wait_stream(self, other: "FakeStream") -> None:
        self.gpu.events.append(f"{self.name} waits for {other.name}")


class FakeGraph:
    """Keeps work, and does it again at each replay."""

    def __init__(self, gpu: FakeGpu):
        self.gpu, self.work = gpu, []

    def replay(self) -> None:
        self.gpu.events.append("replay")
        for work in self.work:
            work()


class FakeStep:
    """A step whose work goes through the fake GPU; its rate says on which device it is, as that of a TrainingStep."""

    def __init__(self, gpu: FakeGpu, work):
        self.gpu, self.work, self.rate = gpu, work, torch.zeros(())

    def __call__(self) -> None:
        self.gpu.launch(self.work)


def test_a_step_is_warmed_up_recorded_once_and_replayed(monkeypatch):
    gpu, done = FakeGpu(monkeypatch), []
    one_step = CudaGraph(FakeStep(gpu, lambda: done.append("step")))
    for n in range(1, 8):
        one_step()
        assert len(done) == n, "each call is one step, the one that records too"
    warm_up = ["side waits for default", "run on side", "default waits for side"]
    assert gpu.events == warm_up * GRAPH_WARM_UP + ["record on side"] + ["replay"] * (7 - GRAPH_WARM_UP)


def test_a_step_that_cannot_be_recorded_runs_as_usual(monkeypatch, capsys):
    gpu, done = FakeGpu(monkeypatch, fails=True), []
    one_step = CudaGraph(FakeStep(gpu, lambda: done.append("step")))
    for n in range(1, 8):
        one_step()
        assert len(done) == n
    printed = capsys.readouterr().out
    assert printed.count("cannot be recorded as a CUDA graph (operation not permitted when stream is capturing)") == 1
    assert "more lines" not in printed
    assert gpu.events.count("record on side") == 1 and "replay" not in gpu.events
    assert gpu.events.count("run on default") == 7 - GRAPH_WARM_UP


@pytest.mark.parametrize("fails", [False, True])
def test_training_through_the_graph_gives_the_same_weights(monkeypatch, fails):
    gpu, results = FakeGpu(monkeypatch, fails), []
    for use_graph in (True, False):
        model = tiny_vae()
        step = step_of(model)
        one_step = CudaGraph(FakeStep(gpu, step)) if use_graph else step
        with runtime.seeded(0, torch.device("cpu")):
            for epoch in range(2):
                step.begin_epoch(epoch)
                for _ in range(N_STEPS):
                    one_step()
        results.append((weights(model), step.epoch_means()))
    assert same(*results)


def test_on_a_cpu_no_graph_is_asked_for(monkeypatch):
    monkeypatch.setattr(loop, "CudaGraph", lambda step: pytest.fail("a graph was made"))
    train(tiny_vae(), epochs=1, cuda_graph=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("reads_a_number", [False, True])
def test_on_a_gpu_the_graph_trains_as_well_as_without(reads_a_number, capsys):
    def loss_fn(model, x):
        terms = negative_elbo(model, x)
        if reads_a_number:
            terms["loss"].item()  # cannot be recorded: the plain fallback
        return terms

    elbos = []
    for cuda_graph in (True, False):
        model = tiny_vae().cuda()
        history = train(model, loss_fn, IMAGES.cuda(), epochs=20, cuda_graph=cuda_graph, validation=VALIDATION.cuda())
        elbos.append(history[-1]["validation_elbo"])
    assert elbos[0] == pytest.approx(elbos[1], abs=0.3)
    assert ("cannot be recorded" in capsys.readouterr().out) == reads_a_number
