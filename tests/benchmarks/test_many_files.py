"""Counting answers."""

from many_files import Tally, tally


def test_every_file_answered_once():
    assert tally(["a", "b", "c"], ["c", "a", "b"]) == Tally(answers=3, unanswered=0, repeated=0)


def test_one_answered_twice_and_one_not_at_all():
    assert tally(["a", "b", "c"], ["a", "a", "b"]) == Tally(answers=3, unanswered=1, repeated=1)


def test_an_answer_to_something_else_leaves_the_file_unanswered():
    assert tally(["a"], ["x"]) == Tally(answers=1, unanswered=1, repeated=0)
