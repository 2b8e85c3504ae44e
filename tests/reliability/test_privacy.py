from __future__ import annotations

from attacks.privacy import attack


def test_nothing_confidential_can_be_read_by_others_and_a_purge_leaves_nothing(hold):
    hold(attack)
