"""Test messages that carry the hash of their own body, so that any copy anywhere can be checked."""

import email
import email.policy
import hashlib
import itertools
import os
import random

_number = itertools.count(1)
_run = os.urandom(4).hex()


class Letter:
    """One message: `octets` with CRLF lines, found again by `token`, checked by `matches`."""
    def __init__(self, sender, recipient, *, size=1000, subject=None, headers=(), body=None):
        self.token = f"{_run}-{os.getpid()}-{next(_number)}"
        self.sender, self.recipient = sender, recipient
        self.subject = subject or f"letter {self.token}"
        if body is None:
            body = filler(self.token, size)
        self.body = body
        lines = [
            f"From: <{sender or 'mailer-daemon@example.invalid'}>", f"To: <{recipient}>",
            f"Subject: {self.subject}", "Date: Thu, 01 Jan 2026 12:00:00 +0000",
            f"Message-ID: <{self.token}@letters.example>",
            f"X-Letter: {self.token} {body_hash(body)}", *headers
        ]
        self.octets = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    @property
    def smtp_octets(self):
        """As it follows DATA's 354: dots doubled (RFC 5321 §4.5.2), the end mark behind it."""
        text = b"\r\n" + self.octets + (b"" if self.octets.endswith(b"\r\n") else b"\r\n")
        return text.replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"

    @property
    def unix_octets(self):
        """With bare LF, as sendmail-like programs want it."""
        return self.octets.replace(b"\r\n", b"\n")


def filler(seed, size):
    """Deterministic text lines of about `size` octets, some beginning with dots."""
    source = random.Random(seed)
    lines, length = [], 0
    while length < size:
        width = min(72, max(1, size - length - 2))
        line = "".join(source.choices("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJ0123456789",
                                      k=width)).strip()
        line = source.choice(("", "", "", ".", "..", "From ")) + (line or "x")
        lines.append(line.encode())
        length += len(line) + 2
    return b"".join(line + b"\r\n" for line in lines)


def body_hash(body):
    """Over the lines: programs that store with LF and put CRLF back are right to do so."""
    text = body.replace(b"\r\n", b"\n").rstrip(b"\n")
    # Delivery into an mbox and some clients quote a leading "From "; that is not damage.
    text = text.replace(b"\n>From ", b"\nFrom ")
    return hashlib.sha256(text).hexdigest()[:32]


def read(octets):
    """(token, intact) of a message found somewhere; token is None when it is not a letter."""
    head, _, body = octets.replace(b"\r\n", b"\n").partition(b"\n\n")
    for line in head.split(b"\n"):
        if line.lower().startswith(b"x-letter: "):
            token, expected = line[10:].decode().split()
            return token, body_hash(body) == expected
    return None, False


def tokens(messages):
    """Tokens of all letters among `messages`; a damaged one is a failure."""
    found = []
    for octets in messages:
        token, intact = read(octets)
        if token is None:
            continue
        assert intact, f"letter {token} was altered:\n{octets[:2000].decode(errors='replace')}"
        found.append(token)
    return found


def parse(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)
