"""Machine-checked algebra: a derivation that marks a step only if it is proved, and answers a wrong one with numbers.

What a ✓ means, and what it trusts
----------------------------------
**The claim.** A ✓ says: for all values that the symbols may take by their assumptions and `where`, and for all functions
that satisfy `given`, both lines are equal (or one bounds the other) wherever either has a value. "✓ for a ≠ 0" says it
for those values alone; "✓ if …" says it if the sentence holds. Undeclared symbols are complex numbers; in a bound both
sides must be shown to be real. Integers are integers, and a symbol that is only nonnegative may be 0.

**How it is reached.** The difference of the lines is rewritten until it is zero, or a form that is never negative.
Numbers never prove. The rules stand in tables, each with its test: `proofs` (rewritings of the difference), `integrals`,
`sums`, `limits`, `derivatives` (closed forms), `inequalities` (bounds), `facts` (what is given), `definedness` (where a
line has a value), `domain` (`where` as symbols with assumptions). `Derivation.explain(k)` tells which of them proved step
k.

**What of SymPy is trusted.** That these return an expression equal to the one that they got, for the assumptions of its
symbols: `expand`, `expand_log`, `factor`, `together`, `cancel`, `powsimp`, `radsimp`, `simplify`, `rewrite`,
`piecewise_fold`, `diff`; where `integrate`, `summation` and `limit` are asked, the conditions in their answers are read;
what they leave out (a parameter that may vanish, a jump, a part that diverges, a pole of a factorial) our rules look for
before they ask. That the assumptions of an expression (`is_positive`, …) follow from those of its symbols.

**What is assumed without a word.** Integrals and sums over functions that are not known (q(z), p(z)) are taken to exist
wherever they are written, and may be split. A symbol of a fact on an integral or a sum that is free in no line stands for
all its values. Whatever else a proof assumes, such as the exchange of a derivative with an integral over an unknown
function, is said beside the mark.

**What a counterexample is.** Values that the assumptions allow, at which the two sides lie in intervals that do not meet
(interval arithmetic), or, for integrals, at which two independent ways to a number agree to 1e-9 on each side and the
sides differ by far more. Otherwise the step is undecided. A divergent integral has no value and is never given one. If a
proof and a counterexample are both found, one of the two is wrong, and nothing is marked. Time is counted in seconds of
the processor that a step itself computes, so that a busy machine changes no verdict.
"""

from vae_course.derivations.derivation import Derivation, Explanation
from vae_course.derivations.gaussians import normal_density
from vae_course.derivations.verdicts import Line, Proof, StepRefuted, StepUndecided, Verdict

__all__ = ["Derivation", "Explanation", "Line", "Proof", "StepRefuted", "StepUndecided", "Verdict", "normal_density"]
