"""What the notebooks of the VAE course share. Read the modules in the order of the imports:

densities → objectives, models, linear_gaussian → evaluation; runtime, checkpoints → training; data;
plots → widgets; checks; derivations, which stands alone.
"""

__version__ = "0.1.0"
