"""Every formula of the chapters' derivations, set by JupyterLab's MathJax and by KaTeX, and how wide it is on the page."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import chapter_derivations
import lab
import pytest
import sympy as sp
from jupyterlab.commands import get_app_dir

from vae_course.derivations import Derivation, Proof, Verdict, derivation

IN_A_CELL = 40  # JupyterLab shows at most 50 outputs of a cell
SHOW = """import json
from IPython.display import Latex, display
for formula in json.load(open('formulas.json'))[{first}:{end}]: display(Latex(formula))"""
MEASURE = """() => [...document.querySelectorAll('.jp-OutputArea-output')].map(output => {
    const formula = output.querySelector('mjx-container');
    if (!formula) return {wrong: output.innerText || 'nothing is there'};
    const wrong = formula.querySelector('merror, mjx-merror')?.textContent;
    const ink = [...formula.querySelectorAll('mjx-c, mjx-line')].map(part => part.getBoundingClientRect().right);
    return {wrong, right: Math.max(...ink), edge: output.getBoundingClientRect().left + output.clientWidth}; })"""
KATEX = """formulas => {
    const chunk = Object.keys(self).find(key => /Chunk_jupyterlab/.test(key));
    const define = (target, parts) => {
        for (const [key, get] of Object.entries(parts)) Object.defineProperty(target, key, {get}); };
    let katex = null;
    for (const load of Object.values(self[chunk][0][1])) {
        const exported = {};
        try { load({}, exported, {d: define}); } catch { continue; }
        if (exported.default?.renderToString) katex = exported.default; }
    return formulas.map(formula => {
        try { katex.renderToString(formula, {throwOnError: true, strict: 'error'}); return ''; }
        catch (error) { return String(error); } }); }"""
PREPARE = """import sympy as sp
from vae_course.derivations import Derivation, normal_density as N
z, mu = sp.symbols('z mu', real=True)
sigma = sp.Symbol('sigma', positive=True)
f = sp.Function('f', real=True)
q = N(z, mu, sigma**2)
kl = sp.Integral(sp.log(q / N(z, 0, 1)) * q, (z, -sp.oo, sp.oo))"""
OUTCOMES = {  # outcome → its mark, and a cell that shows it
    "proved": ("✓", "Derivation(kl).judge('(mu**2 + sigma**2)/2 - 1/2 - log(sigma)', 'steps 2b and 2c')"),
    "conditional": ("✓", "Derivation(sp.Integral(sp.exp(mu * z), (z, 0, 1))).judge('(exp(mu) - 1)/mu', 'integrate')"),
    "refuted": ("×", "Derivation(kl).judge('(mu**2 + sigma**2)/2 - log(sigma)', 'steps 2b and 2c')"),
    "undecided": ("?", "Derivation(sp.Integral(f(z), (z, 0, 1))).judge('Integral(2*z*f(z**2), (z, 0, 1))', 'a leap')"),
}


@cache
def formulas() -> list[str]:
    """Each derivation as a notebook would show it; that their steps hold is for other tests to say."""
    add = Derivation._add

    def believed(self, *line):
        with pytest.MonkeyPatch.context() as inside:      # of its steps alone: what a chapter asks the prover is answered
            inside.setattr(derivation, "judge", lambda before, line, *_: Verdict(
                "proved", replace(line, proof=Proof("")), before, "", {}, sp.S.Zero, sp.S.Zero))
            return add(self, *line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Derivation, "_add", believed)
        return [d._repr_latex_() for chapter in chapter_derivations.CHAPTERS
                for d in chapter_derivations.of_chapter.__wrapped__(chapter)]  # past its cache


def katex() -> Path | None:
    """The part of JupyterLab that holds KaTeX; its diagrams need it."""
    scripts = (Path(get_app_dir()) / "static").glob("*.js")
    return next((path for path in scripts if "KaTeX parse error" in path.read_text(encoding="utf-8")), None)


def test_every_formula_fits_the_page(notebook):
    shown = formulas()
    (notebook.root / "formulas.json").write_text(json.dumps(shown))
    notebook.page.set_viewport_size({"width": 800, "height": 1000})
    notebook.open([SHOW.format(first=k, end=k + IN_A_CELL) for k in range(0, len(shown), IN_A_CELL)], "formulas")
    notebook.start()
    notebook.finish()
    lab.until(notebook.page, lambda: notebook.page.locator("mjx-container").count() >= len(shown), "all formulas", 600)
    for width in (800, 1200):
        notebook.page.set_viewport_size({"width": width, "height": 1000})
        notebook.page.wait_for_timeout(500)
        found = notebook.page.evaluate(MEASURE)
        assert len(found) == len(shown)
        for formula, box in zip(shown, found, strict=True):
            assert not box.get("wrong"), f"{box['wrong']} in {formula}"
            assert box["right"] <= box["edge"], f"{box['right'] - box['edge']:.0f} pixels too wide at {width}: {formula}"


def test_every_formula_is_set_by_katex(browser):
    script = katex()
    if script is None:
        pytest.skip("this JupyterLab has no KaTeX: install JupyterLab 4.1 or later")
    page = browser.new_page()
    page.set_content("<!DOCTYPE html><html></html>")
    page.add_script_tag(path=script)
    asked = [formula.strip("$") for formula in formulas()]
    errors = page.evaluate(KATEX, [*asked, r"\rlap{\text{a} x^2}", r"\undefined"])
    page.close()
    assert all(errors[-2:]), "KaTeX would have said nothing"
    assert not any(errors[:-2]), [f"{error} in {formula}" for error, formula in zip(errors, asked, strict=False) if error][0]


def test_the_four_outcomes_on_the_page(notebook):
    notebook.open([PREPARE, *(cell for _, cell in OUTCOMES.values())], "verdicts")
    notebook.start()
    notebook.finish()
    shown = notebook.page.locator(".jp-OutputArea-output")
    lab.until(notebook.page, lambda: notebook.page.locator("mjx-container").count() == len(OUTCOMES), "four formulas")
    for k, (outcome, (mark, _)) in enumerate(OUTCOMES.items()):
        said = shown.nth(k).locator("mjx-assistive-mml").text_content().replace("\N{NO-BREAK SPACE}", " ")
        assert mark in said and ("for " in said) == (outcome == "conditional"), said
        assert ("At" in said) == (outcome == "refuted") and ("Try" in said) == (outcome == "undecided"), said
        notebook.screenshot(f"verdict-{outcome}", shown.nth(k))
    for box in notebook.page.evaluate(MEASURE):
        assert not box.get("wrong") and box["right"] <= box["edge"]
