"""Checks of the exercises, shared by notebooks and tests: one module for each chapter.

Each takes the reader's function and returns a Verdict, ✓ or ✗ with a hint that names the likely mistake; none raises.
"""

from vae_course.checks.chapter_00 import check_bits_per_pixel, check_coin_flips, check_generate
from vae_course.checks.chapter_01 import (
    check_class_posterior,
    check_effective_sample_size,
    check_mixture_log_px,
    check_posterior_of_several,
)
from vae_course.checks.chapter_02 import (
    check_binned_normal_kl,
    check_both_directions,
    check_categorical_kl,
    check_change_unit,
    check_mixture_moments,
)
from vae_course.checks.chapter_03 import (
    check_cost_of_halving,
    check_kl_from_log_sigma,
    check_kl_normals,
    check_kl_of_batch,
    check_kl_slopes,
)
from vae_course.checks.chapter_04 import check_best_q, check_discrete_elbo, check_gap_of_q, check_highest_log_px
from vae_course.checks.chapter_05 import (
    check_code_information,
    check_expected_distance,
    check_noise_share,
    check_priced_sigma,
)
from vae_course.checks.chapter_06 import (
    check_best_baseline,
    check_draw_and_slope,
    check_draw_exponential,
    check_score_for_log_sigma,
    check_score_over_pathwise,
)
from vae_course.checks.chapter_07 import (
    check_bce_mass,
    check_best_sigma,
    check_beta_of_means,
    check_bits_per_dimension,
    check_gaussian_nats,
)
from vae_course.checks.chapter_08 import check_deeper_vae, check_effective_beta, check_forward, check_kl_gradient, check_loss
from vae_course.checks.chapter_09 import check_arc, check_blend, check_information_of_table, check_log_mixture
from vae_course.checks.chapter_10 import check_best_latent, check_diagnose, check_free_bits, check_predict
from vae_course.checks.chapter_11 import (
    check_best_means,
    check_conditional_elbo,
    check_information_given_z,
    check_log_class_posterior,
)
from vae_course.checks.chapter_12 import check_auroc, check_best_guess, check_draws_needed, check_iw_bound
from vae_course.checks.verdict import Verdict

__all__ = [
    "Verdict",
    "check_arc",
    "check_auroc",
    "check_bce_mass",
    "check_best_baseline",
    "check_best_guess",
    "check_best_latent",
    "check_best_means",
    "check_best_q",
    "check_best_sigma",
    "check_beta_of_means",
    "check_binned_normal_kl",
    "check_bits_per_dimension",
    "check_bits_per_pixel",
    "check_blend",
    "check_both_directions",
    "check_categorical_kl",
    "check_change_unit",
    "check_class_posterior",
    "check_code_information",
    "check_coin_flips",
    "check_conditional_elbo",
    "check_cost_of_halving",
    "check_deeper_vae",
    "check_diagnose",
    "check_discrete_elbo",
    "check_draw_and_slope",
    "check_draw_exponential",
    "check_draws_needed",
    "check_effective_beta",
    "check_effective_sample_size",
    "check_expected_distance",
    "check_forward",
    "check_free_bits",
    "check_gap_of_q",
    "check_gaussian_nats",
    "check_generate",
    "check_highest_log_px",
    "check_information_given_z",
    "check_information_of_table",
    "check_iw_bound",
    "check_kl_from_log_sigma",
    "check_kl_gradient",
    "check_kl_normals",
    "check_kl_of_batch",
    "check_kl_slopes",
    "check_log_class_posterior",
    "check_log_mixture",
    "check_loss",
    "check_mixture_log_px",
    "check_mixture_moments",
    "check_noise_share",
    "check_posterior_of_several",
    "check_predict",
    "check_priced_sigma",
    "check_score_for_log_sigma",
    "check_score_over_pathwise",
]
