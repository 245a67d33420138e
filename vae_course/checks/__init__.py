"""Checks of the exercises, shared by notebooks and tests: one module for each chapter.

Each takes the reader's function and returns a Verdict, ✓ or ✗ with a hint that names the likely mistake; none raises.
"""

from vae_course.checks.chapter_00 import check_bits_per_pixel, check_coin_flips, check_generate
from vae_course.checks.chapter_03 import (
    check_cost_of_halving,
    check_kl_from_log_sigma,
    check_kl_normals,
    check_kl_of_batch,
    check_kl_slopes,
)
from vae_course.checks.chapter_08 import check_deeper_vae, check_effective_beta, check_forward, check_kl_gradient, check_loss
from vae_course.checks.verdict import Verdict

__all__ = [
    "Verdict",
    "check_bits_per_pixel",
    "check_coin_flips",
    "check_cost_of_halving",
    "check_deeper_vae",
    "check_effective_beta",
    "check_forward",
    "check_generate",
    "check_kl_from_log_sigma",
    "check_kl_gradient",
    "check_kl_normals",
    "check_kl_of_batch",
    "check_kl_slopes",
    "check_loss",
]
