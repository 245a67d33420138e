"""The derivations of the chapters: every step is proved again, fast enough, and wrong steps planted in them are refused."""

import collections
import time

import chapter_derivations as chapter
import pytest
import sympy as sp
from machine_speed import slowness

from vae_course.derivations import Derivation, StepRefuted, StepUndecided

every_chapter = pytest.mark.parametrize("stem", chapter.CHAPTERS)
seconds: dict[str, float] = {}
planted: collections.Counter = collections.Counter()


def test_chapters_have_derivations():
    assert [stem[:2] for stem in chapter.CHAPTERS] == [
        "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "A1"]


@every_chapter
def test_every_step_is_proved(stem):
    started = time.process_time()  # of this process alone: the machine may be busy with others
    found = chapter.of_chapter(stem)
    seconds[stem] = time.process_time() - started
    assert len(found) >= 3 and all(line for d in found for line in d.lines)


@every_chapter
def test_the_cells_show_and_invite_to_break(stem):
    sources = "\n".join(cell.source for cell in chapter.nbformat.read(chapter.NOTEBOOKS / f"{stem}.ipynb", 4).cells
                        if "derivation" in cell.metadata.get("tags", []))
    shows = ("except StepRefuted", "except (StepRefuted", ".judge(")
    assert any(way in sources for way in shows), "the reader is not shown a refusal"


@every_chapter
def test_planted_mistakes_are_refused(stem):
    accepted = []
    for d in chapter.of_chapter(stem):
        are_different = chapter.different(chapter.points_for(d))
        for previous, one in zip(d.lines, d.lines[1:]):
            before, line, because = previous.expression, one.expression, one.because
            if one.relation != "==":
                continue
            for kind, wrong in chapter.one_of_each(line, are_different).items():
                again = Derivation(before, where=d.where, given=d.given, seconds=4)
                try:
                    again.step(wrong, because=because)
                    accepted.append(f"{kind}: {before} = {wrong}")
                except StepRefuted as refusal:
                    planted[kind, "refuted with a counterexample"] += 1
                    assert_is_counterexample(refusal, before, d.where)
                except StepUndecided:
                    planted[kind, "undecided, so refused"] += 1
                assert len(again.lines) == 1
    assert not accepted, "\n".join(accepted)


def assert_is_counterexample(refusal: StepRefuted, before: sp.Basic, conditions) -> None:
    """The values keep to the assumptions and to the conditions."""
    for symbol, value in refusal.counterexample.items():
        if isinstance(symbol, sp.Symbol):
            assert not (symbol.is_positive and not value > 0), refusal
            assert not (symbol.is_integer and not value.is_integer), refusal
    numbers = {s: v for s, v in refusal.counterexample.items() if isinstance(v, sp.Number)}
    assert all(condition.subs(numbers) != sp.false for condition in conditions), refusal


def test_enough_was_planted_and_the_time_is_kept(capsys):
    """Reads what the tests above counted, so run the file as a whole."""
    if len(seconds) < len(chapter.CHAPTERS) or not planted:
        pytest.skip("needs the tests above")
    total = sum(planted.values())
    refuted = sum(n for (_, how), n in planted.items() if how.startswith("refuted"))
    kinds = {kind: sum(n for (other, _), n in planted.items() if other == kind) for kind, _ in planted}
    with capsys.disabled():
        print(f"\nplanted {total} wrong steps in the derivations of the chapters: {refuted} refuted "
              f"with a counterexample, "
              f"{total - refuted} undecided, 0 accepted ({', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))}); "
              f"all true steps are proved in {sum(seconds.values()):.1f} s")
    assert total >= 100 and refuted >= 0.9 * total
    assert set(kinds) == {"sign", "factor", "exponent", "dropped term", "swapped", "log σ for log σ²"}
    assert sum(seconds.values()) < 60 * slowness()
