"""A ByteQueue behaves as a bytes object from which one cuts the front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simnet.virtual.kernel.buffers import ByteQueue

steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(max_size=12)),
        st.tuples(st.sampled_from(["take", "peek"]), st.integers(0, 30)),
    ),
    max_size=40,
)


@given(st.lists(st.binary(max_size=8), max_size=3), steps)
def test_a_byte_queue_is_a_bytes_object_cut_from_the_front(start: list[bytes], program: list[tuple]) -> None:
    queue, model = ByteQueue(*start), b"".join(start)
    for what, argument in program:
        if what == "append":
            queue.append(argument)
            model += argument
        elif what == "take":
            assert queue.take(argument) == model[:argument]
            model = model[argument:]
        else:
            assert queue.peek(argument) == model[:argument]
        assert queue.size == len(model)
    assert queue.take(10_000) == model


def test_a_piece_that_is_taken_whole_is_the_object_that_came_in() -> None:
    """Which is why a large transfer costs no copies."""
    piece = bytes(10_000)
    assert ByteQueue(b"first", piece).take(5) == b"first"
    queue = ByteQueue(piece)
    assert queue.take(10_000) is piece
