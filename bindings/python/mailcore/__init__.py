"""libmailcore: a mail server to embed.

An SMTP server with a handler (`SmtpServer`), the whole server (`Server`), its store alone (`Store`), rules to check
and to try (`Rule`) and the MIME parser (`parse`). All of it is the C library, called by ctypes.
"""
from ._library import (
    Conflict,
    Corrupt,
    Error,
    Fault,
    LimitExceeded,
    NotFound,
    Rejected,
    Unavailable,
    version,
)
from .mime import parse
from .rule import Rule, Trial
from .server import Email, Endpoint, Mailbox, Server, Store
from .smtp import Message, SmtpServer, Verdict, accept, defer, reject

__all__ = [
    "Conflict", "Corrupt", "Email", "Endpoint", "Error", "Fault", "LimitExceeded", "Mailbox", "Message", "NotFound",
    "Rejected", "Rule", "Server", "SmtpServer", "Store", "Trial", "Unavailable", "Verdict", "accept", "defer", "parse",
    "reject", "version",
]
