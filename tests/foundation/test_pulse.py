"""When a cluster counts as hanging, without processes and without waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.worker.pulse import BEGAN, ENDED, SPAWNED, Pulse, sign


@pytest.fixture
def pulse() -> Pulse:
    return new_pulse()


def new_pulse() -> Pulse:
    return Pulse(workers=2, start_seconds=20, idle_seconds=30, busy_seconds=50, started_at=100)


def test_it_waits_for_the_start_and_no_longer(pulse):
    assert not pulse.is_stuck(119)
    assert pulse.is_stuck(121)


def test_silence_without_a_canary_proves_nothing(pulse):
    pulse.feed(sign(SPAWNED, 1), now=101)

    assert not pulse.is_stuck(10_000)


def test_an_unanswered_canary_is_a_hang(pulse):
    pulse.feed(sign(SPAWNED, 1), now=101)
    pulse.canary_sent(110)
    pulse.canary_sent(130)  # does not begin the wait anew

    assert not pulse.is_stuck(139)
    assert pulse.is_stuck(141)


def test_any_task_answers_the_canary(pulse):
    pulse.feed(sign(SPAWNED, 1), now=101)
    pulse.canary_sent(110)
    pulse.feed(sign(BEGAN, 1), now=139)

    assert not pulse.is_stuck(10_000)


def test_an_unreachable_queue_excuses_silence(pulse):
    pulse.feed(sign(SPAWNED, 1), now=101)
    pulse.canary_sent(110)
    pulse.canary_failed()
    pulse.canary_sent(150)

    assert not pulse.is_stuck(179)
    assert pulse.is_stuck(181)


def test_busy_workers_may_take_as_long_as_a_task(pulse):
    pulse.feed(sign(BEGAN, 1) + sign(BEGAN, 2), now=110)
    pulse.canary_sent(111)

    assert not pulse.is_stuck(160)
    assert pulse.is_stuck(162)


def test_one_idle_worker_is_enough_to_expect_an_answer(pulse):
    pulse.feed(sign(BEGAN, 1) + sign(BEGAN, 2) + sign(ENDED, 2), now=110)
    pulse.canary_sent(111)

    assert pulse.is_stuck(142)


def test_a_worker_killed_while_busy_does_not_count_as_busy_for_ever(pulse):
    pulse.feed(sign(BEGAN, 1) + sign(BEGAN, 2), now=110)
    pulse.feed(sign(SPAWNED, 3), now=165)
    pulse.canary_sent(166)

    assert pulse.is_stuck(197)


@given(st.lists(st.tuples(st.sampled_from([SPAWNED, BEGAN, ENDED]), st.integers(1, 99_999)), min_size=1), st.data())
def test_signs_may_arrive_in_any_pieces(signs, data):
    stream = b"".join(sign(kind, pid) for kind, pid in signs)
    whole, pieces = new_pulse(), new_pulse()
    whole.feed(stream, now=101)
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        pieces.feed(stream[:size], now=101)
        stream = stream[size:]

    assert pieces == whole
