"""Machine-checked algebra: a derivation that marks a step only if it is proved, and answers a wrong one with numbers."""

from vae_course.derivations.derivation import Derivation, Explanation
from vae_course.derivations.gaussians import normal_density
from vae_course.derivations.verdicts import Line, Proof, StepRefuted, StepUndecided, Verdict

__all__ = ["Derivation", "Explanation", "Line", "Proof", "StepRefuted", "StepUndecided", "Verdict", "normal_density"]
