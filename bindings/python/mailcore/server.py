"""The whole server, and its store alone."""
from __future__ import annotations

import asyncio
import ctypes
import email
import email.message
import email.policy
import json
import logging
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from ._library import EventFunction, NotFound, ServerOptions, ask, check, encoded, library, read_octets

log = logging.getLogger("mailcore")

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service listens."""

    service: str  # "smtp", "imap", ...
    address: str
    port: int
    path: str  # of a UNIX socket; empty: TCP


class _Handle:
    """What a server and a store have in common: operations by name."""

    def __init__(self) -> None:
        self._server = ctypes.c_void_p()
        self._end: weakref.finalize[..., _Handle] | None = None

    def _own(self, *keep: Any) -> None:
        self._end = weakref.finalize(self, _free, self._server, keep)

    def call(self, method: str, **fields: Any) -> dict[str, Any]:
        """Asks for one operation (`operations` names them) and waits for its answer."""
        return ask("mailcore_server_call", self._server, encoded(method), encoded(json.dumps(fields)))

    async def call_async(self, method: str, **fields: Any) -> dict[str, Any]:
        """The same for asyncio."""
        return await asyncio.to_thread(self.call, method, **fields)

    def operations(self) -> list[dict[str, Any]]:
        """All that `call` can do: method, request (its fields), changes, summary."""
        return self.call("operations")["operations"]

    def accounts(self) -> list[dict[str, Any]]:
        return self.call("account.list")["accounts"]

    def mailboxes(self, address: str) -> list[Mailbox]:
        """Of the account with this address."""
        return [Mailbox(self, address, each["path"], each["role"], each["messages"], each["unseen"], each["octets"],
                        each["uidvalidity"], each["uidnext"])
                for each in self.call("mailbox.list", address=address)["mailboxes"] if each["selectable"]]

    def mailbox(self, address: str, path: str = "INBOX") -> Mailbox:
        """One of them. Raises NotFound."""
        for each in self.mailboxes(address):
            if each.path == path:
                return each
        raise NotFound(f"{address} has no mailbox {path}")

    def close(self) -> None:
        """Ends it and gives the store back. Blocks."""
        if self._end:
            self._end()
            self._end = None
            self._server = ctypes.c_void_p()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)


def _free(server: ctypes.c_void_p, _keep: Any) -> None:
    library.mailcore_server_free(server)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as it was when it was listed; its emails are read when asked for."""

    _of: _Handle
    address: str  # of its account
    path: str  # levels separated by "/"
    role: str  # "", "inbox", "sent", "drafts", "junk", "trash", "archive", "important"
    messages: int
    unseen: int
    octets: int
    uidvalidity: int
    uidnext: int

    def emails(self) -> Iterator[Email]:
        """Ascending by UID, read in pages."""
        after, more = 0, True
        while more:
            page = self._of.call("email.list", address=self.address, mailbox=self.path, after=after)
            for each in page["emails"]:
                after = each["uid"]
                yield Email(self, each["uid"], each["size"], datetime.fromisoformat(each["received"]),
                            frozenset(each["flags"]))
            more = page["more"] and bool(page["emails"])

    def __iter__(self) -> Iterator[Email]:
        return self.emails()

    def add(self, octets: bytes, *, flags: Iterable[str] = (), received: datetime | None = None) -> int:
        """Files an email and answers its UID. `flags`: IMAP's names ("\\\\Seen") and keywords."""
        request: dict[str, Any] = {"address": self.address, "mailbox": self.path, "flags": list(flags)}
        if received:  # without a zone: this machine's
            aware = received if received.tzinfo else received.astimezone()
            request["received"] = aware.isoformat(timespec="seconds")
        return ask("mailcore_email_add", self._of._server, encoded(json.dumps(request)), octets, len(octets))["uid"]


@dataclass(frozen=True, slots=True)
class Email:
    """An email in a mailbox; its octets are read when asked for."""

    mailbox: Mailbox
    uid: int
    size: int  # octets
    received: datetime
    flags: frozenset[str]

    def octets(self) -> bytes:
        """The whole message. Raises NotFound if it has been expunged meanwhile, Corrupt if it is damaged on disk."""
        box = self.mailbox
        read, last = bytearray(), False
        while not last:
            piece, last = read_octets("mailcore_email_read", box._of._server, encoded(box.address), encoded(box.path),
                                      self.uid, len(read))
            read += piece
        return bytes(read)

    def message(self) -> email.message.EmailMessage:
        """The message as the standard library has it."""
        return email.message_from_bytes(self.octets(), policy=email.policy.default)  # type: ignore[return-value]


class Store(_Handle):
    """A store that no server has open, or, without a folder, an empty one in memory. `with` closes it."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        check("mailcore_store_open", encoded(os.fspath(folder)) if folder is not None else None,
              ctypes.byref(self._server))
        self._own()

    def __enter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self


class Server(_Handle):
    """The whole server. Endpoints are bound at once; `start` serves.

    `config`: the text of a mdserver.toml; None: that of the data folder. `on_log` and `on_change` are given each event
    as a dictionary, one at a time, on the server's threads: they must not call the server. `with` starts and closes it.
    """

    def __init__(self, config: str | None = None, *, data: str | os.PathLike[str] | None = None,
                 in_memory: bool = False, on_log: Listener | None = None, on_change: Listener | None = None) -> None:
        super().__init__()
        functions = [EventFunction(_listening(each)) if each else EventFunction() for each in (on_log, on_change)]
        options = ServerOptions(config=encoded(config), data=encoded(os.fspath(data)) if data is not None else None,
                                in_memory=in_memory, on_log=functions[0], on_change=functions[1])
        check("mailcore_server_create", ctypes.byref(options), ctypes.byref(self._server))
        self._own(functions)

    def start(self) -> None:
        """Opens the store and serves. Raises Conflict if another process has the store."""
        check("mailcore_server_start", self._server)

    def stop(self) -> None:
        """Takes no more connections, lets what is under way finish, ends. Blocks."""
        check("mailcore_server_stop", self._server)

    def reload(self, config: str) -> list[str]:
        """Applies other settings to new connections; answers what changes with the next start only."""
        return ask("mailcore_server_reload", self._server, encoded(config))["notes"]

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(**each) for each in ask("mailcore_server_endpoints", self._server)["endpoints"]]

    def port(self, service: str) -> int:
        """Where the first endpoint of a service listens. Raises NotFound."""
        for each in self.endpoints():
            if each.service == service and not each.path:
                return each.port
        raise NotFound(f"nothing listens for {service}")

    def metrics(self) -> dict[str, float]:
        return {each["name"]: each["value"] for each in self.call("metrics")["metrics"]}

    def __enter__(self) -> Self:
        self.start()
        return self

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self


def _listening(listener: Listener) -> Callable[[Any, bytes], None]:
    def take(_context: Any, event: bytes) -> None:
        try:
            listener(json.loads(event))
        except Exception:
            log.exception("a listener failed")

    return take
