"""What is made once for all tests of what is served."""

from __future__ import annotations

import pytest

from tests.unit.report.certificates import Certificates, make


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))
