"""The checks are plain functions beside the tests; let their asserts explain themselves."""

import pytest

pytest.register_assert_rewrite(
    "contract_attacks", "contract_data", "contract_entries", "contract_networks", "contract_pictures", "contract_quantizers"
)
