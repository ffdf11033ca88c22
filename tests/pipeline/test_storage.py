"""Many small questions at once."""

import threading

import pytest

from pipeline import storage


def test_many_questions_wait_for_s3_at_the_same_time_and_keep_their_order():
    together = threading.Barrier(storage.AT_ONCE, timeout=10)

    def ask(number):
        together.wait()  # ends only when as many are asked
        return number**2

    many = range(3 * storage.AT_ONCE)
    assert storage.at_once(ask, many) == [number**2 for number in many]


def test_few_questions_are_asked_one_after_the_other():
    asked = []
    storage.at_once(lambda number: asked.append((number, threading.get_ident())), range(storage.AT_ONCE))
    assert asked == [(number, threading.get_ident()) for number in range(storage.AT_ONCE)]


def test_an_error_of_one_is_the_error_of_all():
    with pytest.raises(ZeroDivisionError):
        storage.at_once(lambda number: 1 / (number - 20), range(30))
