"""Many random true lines; see test_prover_properties.py."""

import pytest
from test_prover_properties import MANY, PARTS, check

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("part", range(1, PARTS + 1))
def test_many_lines(part, capsys):
    check(True, MANY // PARTS, part, capsys)
