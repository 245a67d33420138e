"""Marks for submitted notebooks: the verdict of every exercise, made by the grader and not by the notebook.

    python -m vae_course.grade submissions --csv marks.csv

Nothing that a notebook prints, stores or calls a verdict is believed. Of each exercise the answer is taken, with the
lines above that bind the names it uses (`reading`), and called in a fresh process with the course's own check. What it
returns is sent back as numbers and text, and judged in another process, in which no line of a student's ever runs
(`answers`, `transport`). So a redefined `checks`, a printed ✓, a changed package or a forged verdict has no effect there.
Then the whole notebook is run from top to bottom, in one more process, to see whether it runs (`running`).
Every process has a temporary folder, a time limit, and a process group that is ended with it (`processes`).

What this does not keep out: a submission is a program. It may read and change what the account that runs it may, use the
network, start processes that leave their group, fill memory and disk, and end other processes of the account. So
grade in a container or on a throw-away account, without a network. An exercise that is judged by watching the answer at
work (an `Inspection`: a training, say) is judged in the process in which the answer runs. There the package is compared
with what it was before, and the verdict needs a word that is sent after the check; code that searches its own process for
both can still forge it. And a right answer shows that it is right, not who wrote it: the solutions stand in the chapters,
the right functions in `vae_course.checks`. The table says where an answer is the printed solution, up to names.
"""
