"""MessagePack in, MessagePack out; exceptions as data."""

import asyncio
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zypher_jobs.errors import ModelError, PredictionFailed, UnknownModel
from zypher_jobs.queue import deserialize, serialize

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_what_goes_in_comes_out(value: object) -> None:
    """Every value that MessagePack holds, inside arq's envelope."""
    assert deserialize(serialize({"r": value}))["r"] == value


def test_a_failure_comes_back_with_its_code_message_and_traceback() -> None:
    """Whatever class it was: no class is imported to rebuild it."""
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        back = deserialize(serialize({"r": error}))["r"]
    assert isinstance(back, PredictionFailed)
    assert (back.code, back.message) == ("model_error", "ZeroDivisionError: by zero")
    assert "test_serialize" in back.traceback


@pytest.mark.parametrize("error", [ModelError("it broke"), UnknownModel("x", known=[])])
def test_our_errors_keep_their_code(error: ModelError | UnknownModel) -> None:
    """``code`` is what programs read."""
    back = deserialize(serialize({"r": error}))["r"]
    assert (back.code, back.message) == (error.code, error.message)


def test_a_cancellation_comes_back_as_one() -> None:
    """arq's ``Job.abort`` waits for ``CancelledError``."""
    assert isinstance(deserialize(serialize({"r": asyncio.CancelledError()}))["r"], asyncio.CancelledError)


def test_pickle_is_never_read() -> None:
    """Whoever can write to Redis must not be able to run code."""
    with pytest.raises(msgspec.DecodeError):
        deserialize(pickle.dumps({"f": "predict"}))


def test_what_messagepack_cannot_hold_is_refused() -> None:
    """Rather than kept as something else."""
    with pytest.raises(TypeError, match="object cannot be kept"):
        serialize({"r": object()})
