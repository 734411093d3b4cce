"""What the functions of the socket module take for a name, a port or a number, and refuse with which words.

Owns the conversions that CPython's socketmodule.c makes before it calls the C library.
"""

from __future__ import annotations

import operator
from typing import Any

_C_INT = 1 << 31


def c_int(value: Any) -> int:
    """An argument that is an int in C (format unit i)."""
    number = operator.index(value)
    if number >= _C_INT:
        raise OverflowError("signed integer is greater than maximum")
    if number < -_C_INT:
        raise OverflowError("signed integer is less than minimum")
    return number


def c_unsigned(value: Any) -> int:
    """An argument that is an unsigned int in C (format unit I), which takes what fits and drops the rest."""
    return operator.index(value) & 0xFFFFFFFF


def c_string(call: str, place: int, value: Any) -> str:
    """An argument that is a char pointer in C, made from a str (format unit s)."""
    if not isinstance(value, str):
        raise TypeError(f"{call}() argument {place} must be str, not {_type_name(value)}")
    if "\0" in value:
        raise ValueError("embedded null character")
    return value


def encoded(call: str, value: Any) -> str:
    """The host name that gethostbyname() and its kin are given (format unit et, with IDNA)."""
    raw = _idna(value)
    if raw is None:
        raise TypeError(f"{call}() argument 1 must be str, bytes or bytearray, not {_type_name(value)}")
    if b"\0" in raw:
        raise TypeError(
            f"{call}() argument 1 must be encoded string without null bytes, not {_type_name(value)}"
        )
    return raw.decode("latin-1")


def host_of_address(value: Any) -> str:
    """The host name in an address that connect(), bind() or sendto() is given (idna_converter)."""
    if isinstance(value, str) and value.isascii():
        text = value
    else:
        raw = _idna(value)
        if raw is None:
            raise TypeError(f"str, bytes or bytearray expected, not {type(value).__name__}")
        text = raw.decode("latin-1")
    if "\0" in text:
        raise TypeError("host name must not contain null character")
    return text


def host_of_look_up(value: Any) -> str | None:
    """The host name that getaddrinfo() is given; what follows a null byte does not reach the C library."""
    raw = None if isinstance(value, bytearray) else _idna(value)
    if raw is None and value is not None:
        raise TypeError("getaddrinfo() argument 1 must be string or None")
    return None if raw is None else raw.partition(b"\0")[0].decode("latin-1")


def service_of_look_up(value: Any) -> str | None:
    """The port or service that getaddrinfo() is given, as text; of any size, as from CPython 3.12 on."""
    if type(value) is int:  # PyLong_CheckExact: True is no port
        return str(value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if value is not None and not isinstance(value, str):
        raise OSError("Int or String expected")
    if value is None:
        return None
    value.encode()  # a lone surrogate is no text: UnicodeEncodeError
    return value.partition("\0")[0]


def _idna(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode("idna")
    return bytes(value) if isinstance(value, (bytes, bytearray)) else None


def _type_name(value: Any) -> str:
    return "None" if value is None else type(value).__name__
