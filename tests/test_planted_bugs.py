"""Nine classic mistakes of a VAE, each planted in a copy of the package: the tests of the formulas must find every one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["test_densities.py", "test_objectives.py"]

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
}


def copy_of_the_package(folder: Path) -> Path:
    """The package and the tests of its formulas, in a folder of their own."""
    shutil.copytree(ROOT / "vae_course", folder / "vae_course", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*TESTS, "exact.py"):
        shutil.copy(ROOT / "tests" / name, folder)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def plant(folder: Path, module: str, old: str, new: str) -> None:
    path = folder / "vae_course" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{module}.py must say {old!r} once; change this test together with the formula"
    path.write_text(source.replace(old, new), encoding="utf-8")


def run_tests(folder: Path) -> subprocess.CompletedProcess:
    """pytest in a process of its own; one thread, since the tensors are tiny."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:nbval", *TESTS]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_the_copy_as_it_is_passes(tmp_path):
    result = run_tests(copy_of_the_package(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("mistake", BUGS)
def test_a_planted_mistake_is_found(tmp_path, mistake):
    folder = copy_of_the_package(tmp_path)
    plant(folder, *BUGS[mistake])
    result = run_tests(folder)
    assert result.returncode == 1, result.stdout + result.stderr  # 1: a test failed; 2 and more: the run itself
    assert "\nFAILED " in result.stdout and "ERROR" not in result.stdout
