"""The tests call the package's functions with the shapes of their docstrings checked: see shapes.py.

A conftest is imported before the test modules, which therefore import the checked functions.
"""

import importlib.util

# The Colab versions run the explorers' tests without jaxtyping; where it is missing, test_shapes.py fails.
if importlib.util.find_spec("jaxtyping"):
    import shapes

    shapes.install()
