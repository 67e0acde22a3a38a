"""The C library as ctypes sees it: mailcore.h in Python's words. Contracts stand there."""
from __future__ import annotations

import ctypes
import json
import os
import pathlib
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int32, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any

ABI_VERSION = 0


class Error(Exception):
    """A failure; its class says what to do about it."""


class Rejected(Error):
    """Refused for good: the request or an argument is wrong."""


class Unavailable(Error):
    """Not now: try again later."""


class NotFound(Error):
    """What was named does not exist."""


class Conflict(Error):
    """Exists already, is in use, or somebody else was first."""


class LimitExceeded(Error):
    """A stated limit (quota, size, count) is reached."""


class Corrupt(Error):
    """Stored or received data contradicts itself."""


class Fault(Error):
    """An error inside the library."""


# By mailcore_status; MAILCORE_NO_MEMORY is Python's own MemoryError.
_errors: dict[int, type[Exception]] = {
    1: Rejected, 2: Unavailable, 3: NotFound, 4: Conflict, 5: LimitExceeded, 6: Corrupt, 7: MemoryError, 8: Fault,
}

MessageFunction = CFUNCTYPE(None, c_void_p, c_uint64, c_char_p, c_void_p, c_size_t)
EventFunction = CFUNCTYPE(None, c_void_p, c_char_p)


class SizedStructure(ctypes.Structure):
    """Begins with its size, as every struct of the library."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(size=ctypes.sizeof(self), **fields)


class SmtpOptions(SizedStructure):
    _fields_ = [
        ("size", c_size_t), ("address", c_char_p), ("hostname", c_char_p), ("message_octets_max", c_uint64),
        ("recipients_max", c_uint32), ("answer_milliseconds", c_uint32), ("drain_milliseconds", c_uint32),
        ("port", c_uint16),
    ]


class VerdictFields(SizedStructure):
    _fields_ = [("size", c_size_t), ("action", c_int32), ("code", c_int32), ("enhanced", c_char_p), ("text", c_char_p)]


class ServerOptions(SizedStructure):
    _fields_ = [
        ("size", c_size_t), ("config", c_char_p), ("data", c_char_p), ("in_memory", c_int32),
        ("on_log", EventFunction), ("on_change", EventFunction), ("context", c_void_p),
    ]


_text_out = POINTER(c_void_p)

# Function: what it answers, what it takes.
_functions: dict[str, tuple[Any, list[Any]]] = {
    "mailcore_version": (c_char_p, []),
    "mailcore_check_abi": (c_int, [c_uint32, _text_out]),
    "mailcore_free": (None, [c_void_p]),
    "mailcore_smtp_start": (c_int, [POINTER(SmtpOptions), MessageFunction, c_void_p, POINTER(c_void_p), _text_out]),
    "mailcore_smtp_port": (c_uint16, [c_void_p]),
    "mailcore_smtp_reply": (c_int, [c_void_p, c_uint64, POINTER(VerdictFields), _text_out]),
    "mailcore_smtp_stop": (c_int, [c_void_p, _text_out]),
    "mailcore_smtp_free": (c_int, [c_void_p]),
    "mailcore_server_create": (c_int, [POINTER(ServerOptions), POINTER(c_void_p), _text_out]),
    "mailcore_server_start": (c_int, [c_void_p, _text_out]),
    "mailcore_store_open": (c_int, [c_char_p, POINTER(c_void_p), _text_out]),
    "mailcore_server_endpoints": (c_int, [c_void_p, _text_out, _text_out]),
    "mailcore_server_call": (c_int, [c_void_p, c_char_p, c_char_p, _text_out, _text_out]),
    "mailcore_server_reload": (c_int, [c_void_p, c_char_p, _text_out, _text_out]),
    "mailcore_server_stop": (c_int, [c_void_p, _text_out]),
    "mailcore_server_free": (c_int, [c_void_p]),
    "mailcore_email_read": (c_int, [c_void_p, c_char_p, c_char_p, c_uint32, c_uint64, _text_out, POINTER(c_size_t),
                                    POINTER(c_int32), _text_out]),
    "mailcore_email_add": (c_int, [c_void_p, c_char_p, c_char_p, c_size_t, _text_out, _text_out]),
    "mailcore_rule_check": (c_int, [c_char_p, _text_out, _text_out]),
    "mailcore_rule_try": (c_int, [c_char_p, c_char_p, c_size_t, _text_out, _text_out]),
    "mailcore_mime_json": (c_int, [c_char_p, c_size_t, c_size_t, _text_out, _text_out]),
}


def _load() -> ctypes.CDLL:
    """The library beside this file (a wheel), else the one that MAILCORE_LIBRARY names, else the system's."""
    beside = pathlib.Path(__file__).with_name("libmailcore_c.so")
    name = str(beside) if beside.exists() else os.environ.get("MAILCORE_LIBRARY", "libmailcore_c.so.0")
    loaded = ctypes.CDLL(name)
    for function, (answer, arguments) in _functions.items():
        found = getattr(loaded, function)
        found.restype = answer
        found.argtypes = arguments
    return loaded


library = _load()


def _take_text(pointer: c_void_p) -> str | None:
    """A text that the library handed out, freed."""
    if not pointer.value:
        return None
    text = ctypes.string_at(pointer.value)
    library.mailcore_free(pointer)
    return text.decode("utf-8", "replace")


def check(function: str, *arguments: Any) -> None:
    """Calls a function whose last parameter is `why`, and raises what it says."""
    why = c_void_p()
    status = getattr(library, function)(*arguments, ctypes.byref(why))
    text = _take_text(why)
    if status:
        raise _errors.get(status, Fault)(text or "")


def ask(function: str, *arguments: Any) -> dict[str, Any]:
    """The same for a function whose parameter before it is a JSON answer."""
    answer = c_void_p()
    check(function, *arguments, ctypes.byref(answer))
    return json.loads(_take_text(answer) or "{}")


def read_octets(function: str, *arguments: Any) -> tuple[bytes, bool]:
    """The same for a function that hands out octets, their length, and whether they are the last."""
    octets, length, last = c_void_p(), c_size_t(), c_int32()
    check(function, *arguments, ctypes.byref(octets), ctypes.byref(length), ctypes.byref(last))
    try:
        return ctypes.string_at(octets, length.value), bool(last.value)
    finally:
        library.mailcore_free(octets)


def encoded(text: str | None) -> bytes | None:
    """A text parameter; None is NULL. What holds NUL would be cut there, so it is refused."""
    if text is None:
        return None
    if "\0" in text:
        raise ValueError("a text must not hold NUL")
    return text.encode("utf-8")


def version() -> str:
    """The release of the library that is loaded."""
    return library.mailcore_version().decode()


check("mailcore_check_abi", ABI_VERSION)
