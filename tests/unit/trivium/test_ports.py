"""The next free port, beside whatever else listens."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.ports import HOST, claim, lasting_port
from trivium.ports import next_free


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((HOST, lasting_port()))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_is_free_is_taken_as_it_is():
    port = lasting_port()
    assert next_free(HOST, port) == port


def test_a_busy_port_gives_way_to_a_later_one(busy):
    found = next_free(HOST, busy)
    assert found > busy
    with socket.socket() as listener:
        listener.bind((HOST, found))


def test_a_port_that_the_other_wire_took_is_passed_over(busy):
    first = next_free(HOST, busy)
    assert next_free(HOST, busy, taken=frozenset({first})) > first


def test_zero_leaves_the_choice_to_the_system():
    assert next_free(HOST, 0) == 0


def test_an_address_of_another_machine_is_an_error():
    with pytest.raises(OSError, match=r".+"):
        next_free("192.0.2.1", 7512)


def test_a_lasting_port_is_nobody_elses():
    port = lasting_port()
    assert not claim(port)
    program = f"from tests.support.ports import claim; print(claim({port}))"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert ran.stdout == "False\n"
    with socket.socket() as listener:
        listener.bind((HOST, port))
