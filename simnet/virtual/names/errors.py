"""The errors of name look-ups, with the numbers and words of glibc (gai_strerror(3), hstrerror(3))."""

from __future__ import annotations

from typing import Final

from .. import linux as std

_GAI = {
    std.EAI_BADFLAGS: "Bad value for ai_flags",
    std.EAI_NONAME: "Name or service not known",
    std.EAI_AGAIN: "Temporary failure in name resolution",
    std.EAI_NODATA: "No address associated with hostname",
    std.EAI_FAMILY: "ai_family not supported",
    std.EAI_SOCKTYPE: "ai_socktype not supported",
    std.EAI_SERVICE: "Servname not supported for ai_socktype",
    std.EAI_ADDRFAMILY: "Address family for hostname not supported",
}

HOST_NOT_FOUND: Final = 1  # netdb.h
TRY_AGAIN: Final = 2
NO_RECOVERY: Final = 3
NO_DATA: Final = 4
_HERROR = {
    HOST_NOT_FOUND: "Unknown host",
    TRY_AGAIN: "Host name lookup failure",
    NO_RECOVERY: "Unknown server error",
    NO_DATA: "No address associated with name",
}


def gaierror(number: int) -> std.gaierror:
    return std.gaierror(number, _GAI[number])


def herror(number: int) -> std.herror:
    return std.herror(number, _HERROR[number])
