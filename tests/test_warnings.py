"""That a warning of our own code fails a test, and one of a library does not (conftest.py sets the filter)."""

import warnings

import pytest


def warn_in(module: str) -> None:
    """Warn as code of a module of this name would."""
    exec("import warnings; warnings.warn('a habit to be mended')", {"__name__": module})


@pytest.mark.parametrize("module", ["vae_course", "vae_course.densities", "vae_course.widgets.pad", "train_speed", "exact"])
def test_a_warning_of_our_own_code_is_an_error(module):
    with pytest.raises(UserWarning, match="a habit"):
        warn_in(module)


def test_a_warning_of_a_test_is_an_error():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize("module", ["torch.nn", "exactly", "my.vae_course"])
def test_a_warning_of_a_library_is_none_of_our_errors(module):
    with pytest.warns(UserWarning, match="a habit"):
        warn_in(module)
