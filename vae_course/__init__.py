"""What the notebooks of the VAE course share. Read the modules in the order of the imports:

runtime → arguments → densities → objectives, models, linear_gaussian → evaluation; checkpoints → training; data;
plots → widgets; checks; derivations, which stands alone.
"""

__version__ = "0.1.0"
