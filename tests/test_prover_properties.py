"""Random lines: whatever the prover marks is true, whatever it refutes is false, and most true ones are marked.

VAE_COURSE_SEED chooses other lines. Five thousand of each (or VAE_COURSE_LINES) stand in files of their own, which two
processes share.
"""

import collections
import gc
import os

import prover_lines
import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings

SEED = int(os.environ.get("VAE_COURSE_SEED", "0"))
FEW, MANY, PARTS = 200, int(os.environ.get("VAE_COURSE_LINES", "5000")), 4
SECONDS = 4         # of the processor, for a line
OFTEN = 0.9         # the share of true lines that are to be proved
WRONG = {True: {"refuted", "refused"}, False: {"proved", "conditional"}}   # ∫ over 0…−B is refused where x > 0


def verdicts(true: bool, n_lines: int, part: int) -> tuple[collections.Counter, list[str]]:
    """How often each verdict was given on so many random lines, and the lines on which it was wrong."""
    counts, wrong, seen = collections.Counter(), [], set()

    @seed(f"{SEED} {part} {true}")
    @settings(max_examples=n_lines, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(prover_lines.lines(true))
    def judge(line):
        family, claim = line
        assume(claim not in seen)  # each counts once
        seen.add(claim)
        gc.disable()  # Hypothesis watches each collection, and a limit that runs out within its watch is printed
        try:
            said = prover_lines.outcome(claim, SECONDS)
        finally:
            gc.enable()
        counts[said] += 1
        if said in WRONG[true]:
            wrong.append(f"{family}, {said}: {claim}")

    judge()
    return counts, wrong


def check(true: bool, n_lines: int, part: int, capsys) -> None:
    counts, wrong = verdicts(true, n_lines, part)
    n, open_share = counts.total(), 1 - (counts["proved"] + counts["conditional"] + counts["refuted"]) / counts.total()
    with capsys.disabled():
        print(f"\n{n} {'true' if true else 'false'} lines, seed {SEED}, part {part}: {counts['proved']} proved, "
              f"{counts['conditional']} with a condition, {counts['refuted']} refuted, {counts['undecided']} undecided "
              f"({open_share:.1%})")
    assert not wrong, "\n".join(wrong)
    assert n >= 0.9 * n_lines, "lines of which the truth is not known are left out; these were too many"
    assert not true or open_share <= 1 - OFTEN


@pytest.mark.parametrize("true", [True, False])
def test_two_hundred_lines(true, capsys):
    check(true, FEW, 0, capsys)


def test_enclosures_see_what_differs():
    A, x, confirmed, log = prover_lines.A, prover_lines.x, prover_lines.confirmed, prover_lines.sp.log
    for one, other in [(log(A ** 2), 2 * log(A)), ((x + 1) ** 2, x ** 2 + 2 * x + 1)]:
        assert not confirmed(one, other) and confirmed(one, other + prover_lines.R(1, 10 ** 60))
    assert confirmed(A, log(A), "<=") and not confirmed(log(A), A, "<=")
