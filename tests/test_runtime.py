"""Which device, which number format, and random numbers that repeat."""

import random
import re

import numpy as np
import pytest
import torch

from vae_course import runtime

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine with these devices."""
    monkeypatch.delenv("VAE_COURSE_DEVICE", raising=False)

    def pretend(cuda: int = 0, mps: bool = False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    pretend()
    return pretend


# ---------------------------------------------------------------- the device

@pytest.mark.parametrize("cuda, mps, available", [
    (0, False, ["cpu"]), (0, True, ["mps", "cpu"]), (1, False, ["cuda", "cpu"]), (2, True, ["cuda", "mps", "cpu"]),
])
def test_the_fastest_device_is_picked(machine, cuda, mps, available):
    machine(cuda, mps)
    assert runtime.available_devices() == available
    assert runtime.pick_device() == torch.device(available[0])


def test_a_name_wins_over_the_variable_and_the_variable_over_the_fastest(machine, monkeypatch):
    machine(cuda=2, mps=True)
    monkeypatch.setenv("VAE_COURSE_DEVICE", "mps")
    assert runtime.pick_device() == torch.device("mps")
    assert runtime.pick_device("cpu") == CPU
    monkeypatch.setenv("VAE_COURSE_DEVICE", "")
    assert runtime.pick_device() == torch.device("cuda")


def test_one_gpu_of_several(machine):
    machine(cuda=2)
    assert runtime.pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"'cuda:2' was asked for, but this machine has 2 GPU\(s\)"):
        runtime.pick_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "CUDA", "tpu:0", "cuda:x", "cuda:-1", "cuda:", "cpu:0"])
def test_an_unknown_device_is_refused(machine, name):
    machine(cuda=1)
    with pytest.raises(ValueError, match=rf"device must be one of cuda, mps, cpu .*, got {name!r}"):
        runtime.pick_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused(machine, monkeypatch, name):
    message = rf"device {name!r} was asked for, but this machine offers only \['cpu'\]"
    with pytest.raises(ValueError, match=message):
        runtime.pick_device(name)
    monkeypatch.setenv("VAE_COURSE_DEVICE", name)
    with pytest.raises(ValueError, match=message):
        runtime.pick_device()


# ---------------------------------------------------------------- the number format

def test_bf16_is_fast_answers_yes_or_no():
    assert isinstance(runtime.bf16_is_fast(CPU), bool)
    assert runtime.bf16_is_fast(torch.device("mps")) is False


@pytest.mark.parametrize("capability, fast", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bf16_is_fast_on_ampere_and_later(monkeypatch, capability, fast):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert runtime.bf16_is_fast(torch.device("cuda")) is fast


def test_bf16_on_a_cpu_follows_the_instructions_it_has(monkeypatch):
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for present in ({}, {probes[0]}, {probes[1]}):
        for probe in probes:
            monkeypatch.setattr(torch.cpu, probe, lambda value=probe in present: value, raising=False)
        assert runtime.bf16_is_fast(CPU) is bool(present)
    for probe in probes:  # a torch that has no such questions
        monkeypatch.delattr(torch.cpu, probe)
    assert runtime.bf16_is_fast(CPU) is False


@pytest.mark.parametrize("enabled, dtype", [(True, torch.bfloat16), (False, torch.float32)])
def test_autocast_changes_products_and_only_inside(enabled, dtype):
    a = torch.ones(3, 3)
    with runtime.autocast(CPU, enabled):
        assert (a @ a).dtype == dtype
    assert (a @ a).dtype == torch.float32


# ---------------------------------------------------------------- random numbers

def test_seed_everything_repeats_python_numpy_and_torch():
    draws = []
    saved = random.getstate(), np.random.get_state(), torch.get_rng_state()
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    try:
        for _ in range(2):
            runtime.seed_everything(12)
            draws.append((random.random(), np.random.rand(), torch.rand(3).tolist()))
        assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
    finally:
        random.setstate(saved[0])
        np.random.set_state(saved[1])
        torch.set_rng_state(saved[2])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = flags
    assert draws[0] == draws[1]


def test_seeded_repeats_inside_and_leaves_no_trace_outside():
    torch.manual_seed(1)
    expected = torch.rand(6)
    torch.manual_seed(1)
    first = torch.rand(2)
    inside = []
    for device in (CPU, "cpu"):
        with runtime.seeded(5, device):
            inside.append(torch.rand(3))
    assert inside[0].equal(inside[1])
    assert torch.cat([first, torch.rand(4)]).equal(expected)


def test_seeded_puts_the_state_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt), runtime.seeded(5, CPU):
        torch.rand(3)
        raise KeyboardInterrupt
    assert torch.get_rng_state().equal(before)


def test_seeded_may_be_nested():
    with runtime.seeded(5, CPU):
        expected = torch.rand(4)
    with runtime.seeded(5, CPU):
        first = torch.rand(2)
        with runtime.seeded(6, CPU):
            torch.rand(9)
        assert torch.cat([first, torch.rand(2)]).equal(expected)


def test_the_random_state_makes_a_round_trip():
    state = runtime.random_state(CPU)
    first = torch.rand(4)
    runtime.set_random_state(state, CPU)
    assert torch.rand(4).equal(first)


def test_the_random_state_of_a_gpu_goes_with_it(monkeypatch):
    gpu, other = torch.device("cuda", 1), torch.device("mps")
    states = {gpu: torch.tensor([1, 2]), other: torch.tensor([3])}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[device].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update({device: state}))
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: states[other].clone())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: states.update({other: state}))
    for device, changed in ((gpu, torch.tensor([8, 9])), (other, torch.tensor([7]))):
        state, before = runtime.random_state(device), states[device]
        states[device] = changed
        runtime.set_random_state(state, device)
        assert states[device].equal(before)
        runtime.set_random_state(runtime.random_state(CPU), device)  # of a CPU alone: nothing to put back
        assert states[device].equal(before)


# ---------------------------------------------------------------- words

def test_the_machine_is_described_in_four_lines(monkeypatch):
    for fast, words in ((True, "bfloat16 products"), (False, "float32")):
        monkeypatch.setattr(runtime, "bf16_is_fast", lambda device, fast=fast: fast)
        lines = runtime.describe_machine(CPU).splitlines()
        assert [line.split()[0] for line in lines] == ["Python", "torch", "device", "training"]
        assert torch.__version__ in lines[1] and "cpu (" in lines[2] and lines[3].endswith(words)
        assert len({re.match(r"\w+ +", line).end() for line in lines}) == 1, "the columns must line up"


def test_devices_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert runtime.device_name(torch.device("cuda")) == "NVIDIA H200"
    assert runtime.device_name(torch.device("mps")) == "Apple GPU"
    assert re.fullmatch(rf".+ CPU, {torch.get_num_threads()} threads", runtime.device_name(CPU))


def test_a_time_stamp_sorts_by_time_and_fits_in_a_file_name():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", runtime.time_stamp())


# ---------------------------------------------------------------- when values may be checked

def test_values_are_read_on_a_cpu_and_elsewhere_only_on_request():
    here, elsewhere = torch.zeros(2), torch.zeros(2, device="meta")
    assert runtime.may_be_read(here) and not runtime.may_be_read(elsewhere)
    with runtime.checking_values():
        assert runtime.may_be_read(here) and runtime.may_be_read(elsewhere)
        with runtime.checking_values(everywhere=False):
            assert runtime.may_be_read(here) and not runtime.may_be_read(elsewhere)
        assert runtime.may_be_read(elsewhere)
    with pytest.raises(KeyError), runtime.checking_values():
        raise KeyError
    assert not runtime.may_be_read(elsewhere)


def test_nothing_is_read_while_a_function_is_compiled():
    seen = []

    def function(x):
        seen.append(runtime.may_be_read(x))
        return x + 1

    with runtime.checking_values():
        torch.compile(function, backend="eager", fullgraph=True)(torch.zeros(2))
    assert seen == [False]


# ---------------------------------------------------------------- memory

@pytest.fixture
def system(monkeypatch, tmp_path):
    """A system that tells this much of its memory."""
    def tell(meminfo: str = "", limit: str = "", stat: str = ""):
        for name, text in (("meminfo", meminfo), ("limit", limit), ("stat", stat)):
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(runtime, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(runtime, "CONTAINER", [(tmp_path / "none", tmp_path / "none", "anon"),
                                                   (tmp_path / "limit", tmp_path / "stat", "anon")])
    return tell


MEMINFO = "MemTotal:       24684752 kB\nMemFree:         1 kB\nMemAvailable:   2000 kB\n"


@pytest.mark.parametrize(("limit", "stat", "free"), [
    ("", "", 2000 * 1024), ("max\n", "anon 5\n", 2000 * 1024), ("1000000\n", "file 7\nanon 300000\n", 700_000),
    ("1000\n", "anon 5000\n", 0), ("9000000\n", "anon 5\n", 2000 * 1024),
])
def test_free_memory_is_the_machines_or_what_a_container_leaves(system, limit, stat, free):
    system(MEMINFO, limit, stat)
    assert runtime.free_memory("cpu") == free


def test_free_memory_where_the_system_tells_less(system, monkeypatch):
    system()
    monkeypatch.setattr(runtime.os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__, raising=False)
    assert runtime.free_memory("cpu") == 1000 * 4096 // 2
    monkeypatch.delattr(runtime.os, "sysconf")
    assert runtime.free_memory("cpu") == 4 * 2**30


def test_free_memory_of_a_gpu_counts_what_torch_keeps(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    assert runtime.free_memory("cuda") == 1300
