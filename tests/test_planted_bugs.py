"""Classic mistakes of a VAE, each planted in a copy of the package: the tests of the formulas must find every one.

A copy needs a process of its own, which has imported no other copy. To import torch takes longer than the tests. So where a
process may be forked, one imports torch, pytest and nothing of the course, and a fork of it runs the tests of each copy.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
FORMULAS = ["test_densities.py", "test_objectives.py", "exact.py"]
TESTS = {"densities": FORMULAS, "objectives": FORMULAS,             # module → its tests, and what these import
         "semi_supervised": ["test_semi_supervised.py", "tiny_vae.py", "training_runs.py"]}

# Stands in the copy: the tests must import the copy, not the package that is installed.
CONFTEST = """
from pathlib import Path

import vae_course

assert Path(vae_course.__file__).parent == Path(__file__).parent / "vae_course", vae_course.__file__
"""

# mistake → module, what the module says, what the mistake says instead
BUGS = {
    "mean over the pixels": ("densities", "values.flatten(1).sum(1)", "values.flatten(1).mean(1)"),
    "mean over the latents": ("densities", "- 1 - logvar).sum(-1)", "- 1 - logvar).mean(-1)"),
    "logvar read as log sigma in the KL": (
        "densities", "(mu ** 2 + torch.exp(logvar) - 1 - logvar)", "(mu ** 2 + torch.exp(2 * logvar) - 1 - 2 * logvar)"),
    "logvar read as log sigma in the noise": ("densities", "torch.exp(0.5 * logvar) * eps", "torch.exp(logvar) * eps"),
    "missing −1 in the KL": ("densities", "torch.exp(logvar) - 1 - logvar", "torch.exp(logvar) - logvar"),
    "sign of the KL in the ELBO": ("objectives", "return self.recon - self.kl", "return self.recon + self.kl"),
    "sign of the KL in the loss": ("objectives", "recon - beta * kl", "recon + beta * kl"),
    "missing ½ in the KL": ("densities", "return 0.5 * (mu ** 2 +", "return (mu ** 2 +"),
    "sign of log q in the importance weight": (
        "objectives", "log_prior - normal_log_density(z, mu, logvar)", "log_prior + normal_log_density(z, mu, logvar)"),
    "missing log K": ("objectives", "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "torch.logsumexp(log_w, 0)"),
    "sigmoid applied twice": (
        "densities", "x * recon_logits - softplus(recon_logits)",
        "x * torch.sigmoid(recon_logits) - softplus(torch.sigmoid(recon_logits))"),
    "sign of the entropy of the labels": ("semi_supervised", "(bounds - log_q_y)).sum(1)", "(bounds + log_q_y)).sum(1)"),
    "mean over the classes": (
        "semi_supervised", "(log_q_y.exp() * (bounds - log_q_y)).sum(1)", "(bounds - log_q_y).mean(1)"),
    "missing alpha": ("semi_supervised", "bound + alpha * log_q)", "bound + log_q)"),
    "missing weight of the labelled bound": ("semi_supervised", "u + labelled_weight * bound", "u + bound"),
    "posterior means in place of samples": (
        "semi_supervised", "return reparameterize(posteriors[:, 0], posteriors[:, 1])", "return posteriors[:, 0]"),
    "labelled examples among the unlabelled of the loss": (
        "semi_supervised", "u = unlabelled_bound(", "x = torch.cat([x, x_labelled])\n    u = unlabelled_bound("),
    "labelled examples among the others of the choice": (
        "semi_supervised", "is_chosen[chosen] = True", "is_chosen[chosen] = False"),
    "softmax over the batch": ("semi_supervised", "torch.log_softmax(self.classifier(x.flatten(1)).float(), 1)",
                               "torch.log_softmax(self.classifier(x.flatten(1)).float(), 0)"),
    "missing log p(y) in the bounds": (
        "semi_supervised", "view(len(x), -1) - math.log(self.num_classes)", "view(len(x), -1)"),
    "missing log p(y) in the labelled bound": (
        "semi_supervised", ".elbo.mean() - math.log(model.num_classes)", ".elbo.mean()"),
    "other noise for each class": ("semi_supervised", "torch.randn(len(x), 1, self.latent_dim",
                                   "torch.randn(len(x), self.num_classes, self.latent_dim"),
    "rows of examples and classes mixed up": (
        "semi_supervised", "expand_as(outputs).flatten(0, 1)", "expand_as(outputs).transpose(0, 1).flatten(0, 1)"),
    "bounds read class by class": (
        "semi_supervised", "(recon - kl).view(len(x), -1)", "(recon - kl).view(-1, len(x)).T"),
    "labelled bound of the most probable class": (
        "semi_supervised", "elbo_terms(model, x_labelled, labels)",
        "elbo_terms(model, x_labelled, model.log_q_y(x_labelled).argmax(1))"),
}


def copy_of_the_package(folder: Path, module: str) -> Path:
    """The package and the tests of a module's formulas, in a folder of their own."""
    shutil.copytree(ROOT / "vae_course", folder / "vae_course", ignore=shutil.ignore_patterns("__pycache__"))
    for name in TESTS[module]:
        shutil.copy(ROOT / "tests" / name, folder)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def plant(folder: Path, module: str, old: str, new: str) -> None:
    path = folder / "vae_course" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{module}.py must say {old!r} once; change this test together with the formula"
    path.write_text(source.replace(old, new), encoding="utf-8")


class Outcome(NamedTuple):
    """How pytest ended, and what it printed."""
    status: int
    printed: str


OPTIONS = ["-x", "-q", "-p", "no:cacheprovider"]

# Reads folders, a line each; answers each with the exit status of pytest in it, which writes to output.txt there.
FORKING = """
import gc, os, resource, sys

import numpy, pytest, torch
from torch.distributions import MultivariateNormal

# The first broadcast and the first comparison import more of torch than `import torch` does.
torch.testing.assert_close(MultivariateNormal(torch.zeros(2), torch.eye(2)).mean, torch.zeros(2))
gc.freeze()  # a fork need not look through all that for rubbish


def tests_of(folder, options):
    with open(os.path.join(folder, "output.txt"), "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    os.chdir(folder)
    sys.path[0] = folder
    assert not [name for name in sys.modules if name.startswith("vae_course")], "the copy would not be imported"
    return pytest.main(options)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            status = int(tests_of(line.rstrip(), sys.argv[1:]))
        except BaseException as error:
            print(f"ERROR: no tests were run: {error!r}")
            status = 70
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def environment(**more: str) -> dict[str, str]:
    """One thread, since the tensors are tiny and a process with several must not be forked; no plugins, no other package."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | more


@pytest.fixture(scope="module")
def run_tests() -> Iterator[Callable[[Path], Outcome]]:
    """Runs the tests of the copy in a folder."""
    if not sys.platform.startswith("linux"):  # there is no fork on Windows, and none after an import of torch on macOS
        yield run_in_a_new_process
        return
    with subprocess.Popen([sys.executable, "-c", FORKING, *OPTIONS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env=environment()) as process:
        yield lambda folder: run_in_a_fork(process, folder)
        process.stdin.close()


def run_in_a_new_process(folder: Path) -> Outcome:
    done = subprocess.run([sys.executable, "-m", "pytest", *OPTIONS], cwd=folder, env=environment(PYTHONPATH=str(folder)),
                          capture_output=True, text=True)
    return Outcome(done.returncode, done.stdout + done.stderr)


def run_in_a_fork(process: subprocess.Popen, folder: Path) -> Outcome:
    print(folder, file=process.stdin, flush=True)
    answer = process.stdout.readline()
    assert answer, f"the process that forks has ended with status {process.wait()}"
    return Outcome(int(answer), (folder / "output.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", ["densities", "semi_supervised"])
def test_the_copy_as_it_is_passes(run_tests, tmp_path, module):
    result = run_tests(copy_of_the_package(tmp_path, module))
    assert result.status == 0, result.printed


@pytest.mark.parametrize("mistake", BUGS)
def test_a_planted_mistake_is_found(run_tests, tmp_path, mistake):
    folder = copy_of_the_package(tmp_path, BUGS[mistake][0])
    plant(folder, *BUGS[mistake])
    result = run_tests(folder)
    assert a_test_failed(result), result.printed


def a_test_failed(result: Outcome) -> bool:
    """Whether the tests ran, and one of them found the mistake."""
    return result.status == 1 and "\nFAILED " in result.printed and "ERROR" not in result.printed


def test_a_copy_that_cannot_be_imported_is_no_mistake_found(run_tests, tmp_path):
    folder = copy_of_the_package(tmp_path, "densities")
    plant(folder, "densities", "import torch\n", "import torch_that_is_not_there\n")
    result = run_tests(folder)
    assert result.status != 0 and "torch_that_is_not_there" in result.printed and not a_test_failed(result), result.printed
