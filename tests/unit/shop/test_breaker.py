from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.breaker import Breaker


def breaker(time, threshold: int = 3) -> Breaker:
    return Breaker(threshold=threshold, rest_s=10, monotonic=time.monotonic)


def fail(circuit: Breaker, times: int) -> None:
    for _ in range(times):
        assert circuit.admit()
        circuit.failed()


def test_it_opens_after_failures_in_a_row(time) -> None:
    circuit = breaker(time)
    fail(circuit, 2)
    assert circuit.admit()
    circuit.succeeded()
    fail(circuit, 3)
    assert not circuit.admit()


def test_one_probe_decides(time) -> None:
    circuit = breaker(time)
    fail(circuit, 3)
    time.passed = 9.9
    assert not circuit.admit()
    time.passed = 10
    assert circuit.admit()
    assert not circuit.admit()
    circuit.failed()
    time.passed = 19.9
    assert not circuit.admit()
    time.passed = 20
    assert circuit.admit()
    circuit.succeeded()
    assert circuit.admit()
    assert circuit.admit()


def test_an_abandoned_probe_leaves_room_for_another(time) -> None:
    circuit = breaker(time)
    fail(circuit, 3)
    time.passed = 10
    assert circuit.admit()
    circuit.abandoned()
    assert circuit.admit()


def test_late_failures_of_requests_sent_before_do_not_prolong_the_rest(time) -> None:
    circuit = breaker(time, threshold=1)
    assert circuit.admit()
    assert circuit.admit()
    circuit.failed()
    time.passed = 9
    circuit.failed()
    time.passed = 10
    assert circuit.admit()


@given(st.lists(st.sampled_from(["ask", "ok", "fail", "drop", "wait"]), max_size=60))
def test_it_never_stays_shut_for_good(steps: list[str]) -> None:
    now = 0.0
    circuit = Breaker(threshold=2, rest_s=5, monotonic=lambda: now)
    under_way = 0
    for step in steps:
        if step == "wait":
            now += 3
        elif step == "ask":
            under_way += circuit.admit()
        elif under_way:
            under_way -= 1
            {"ok": circuit.succeeded, "fail": circuit.failed, "drop": circuit.abandoned}[step]()
    while under_way:
        under_way -= 1
        circuit.failed()
    now += 5
    assert circuit.admit()
