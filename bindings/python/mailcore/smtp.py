"""An SMTP server with a handler: a plain function, or a coroutine function that asyncio runs."""
from __future__ import annotations

import asyncio
import ctypes
import email
import email.message
import email.policy
import functools
import inspect
import json
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from ._library import MessageFunction, NotFound, Rejected, SmtpOptions, VerdictFields, check, encoded, library

log = logging.getLogger("mailcore")

_actions = {"accept": 1, "reject": 2, "defer": 3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message. `action`: accept, reject (for good, 5xx) or defer (for now, 4xx)."""

    action: str
    text: str | None = None
    code: int = 0  # 0: 550 to reject, 451 to defer
    enhanced: str | None = None  # "5.7.1" (RFC 3463); None: "5.7.1" and "4.7.1"


def accept() -> Verdict:
    return Verdict("accept")


def reject(text: str | None = None, code: int = 550, enhanced: str | None = None) -> Verdict:
    return Verdict("reject", text, code, enhanced)


def defer(text: str | None = None, code: int = 451, enhanced: str | None = None) -> Verdict:
    return Verdict("defer", text, code, enhanced)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came."""

    sender: str  # empty: the null path
    recipients: list[str]
    octets: bytes  # header and body, CRLF line ends
    helo: str
    peer: tuple[str, int]  # address and port

    def parsed(self) -> email.message.EmailMessage:
        """The message as the standard library has it."""
        return email.message_from_bytes(self.octets, policy=email.policy.default)  # type: ignore[return-value]


Answer = Verdict | None
Handler = Callable[[Message], Answer] | Callable[[Message], Awaitable[Answer]]


def _is_coroutine_function(handler: Any) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))


class _Desk:
    """Takes messages from the library's thread and brings answers back. Knows no SmtpServer, so that an SmtpServer
    that nobody holds any more is collected and its server ended."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop | None) -> None:
        self.handler: Any = handler
        self.loop = loop
        self.server = ctypes.c_void_p()
        self.started = threading.Event()  # a message may come before `server` is known

    def take(self, _context: Any, token: int, envelope: bytes, octets: int, length: int) -> None:
        fields = json.loads(envelope)
        message = Message(fields["sender"], fields["recipients"], ctypes.string_at(octets, length), fields["helo"],
                          (fields["peer"]["address"], fields["peer"]["port"]))
        self.started.wait()
        if self.loop is None:
            try:
                self.reply(token, self.handler(message))
            except Exception:
                self.failed(token)
            return
        work = self.answer(token, message)
        try:
            asyncio.run_coroutine_threadsafe(work, self.loop)
        except RuntimeError:  # the loop is closed
            work.close()
            self.reply(token, defer("try again later"))

    async def answer(self, token: int, message: Message) -> None:
        try:
            self.reply(token, await self.handler(message))
        except asyncio.CancelledError:
            self.reply(token, defer("try again later"))
            raise
        except Exception:
            self.failed(token)

    def failed(self, token: int) -> None:
        log.exception("the handler failed; the peer is told to try again later")
        self.reply(token, defer("the message could not be handled, try again later", 451, "4.3.0"))

    def reply(self, token: int, verdict: Answer) -> None:
        if verdict is None:
            verdict = accept()
        if not isinstance(verdict, Verdict):
            raise TypeError(f"a handler answers a Verdict or None, not {verdict!r}")
        fields = VerdictFields(action=_actions.get(verdict.action, 0), code=verdict.code,
                               enhanced=encoded(verdict.enhanced), text=encoded(verdict.text))
        try:
            check("mailcore_smtp_reply", self.server, token, ctypes.byref(fields))
        except NotFound:
            log.debug("nobody waits for this answer any more")
        except Rejected:
            log.exception("the handler's verdict made no sense; the peer is told to try again later")


class SmtpServer:
    """Takes mail for anybody, without TLS and AUTH, and asks `handler` what becomes of each message.

    A plain function is called on the server's thread, one message at a time. A coroutine function runs on the asyncio
    loop that runs when the server starts; messages are then handled side by side, and none blocks another. It answers
    a Verdict, or None to accept; what it raises is logged, and the peer told to try again later.

    `with` and `async with` start and stop it.
    """

    def __init__(self, handler: Handler, *, address: str = "127.0.0.1", port: int = 0, hostname: str = "localhost",
                 message_octets_max: int = 0, recipients_max: int = 0, answer_seconds: float = 0,
                 drain_seconds: float = 0) -> None:
        # ctypes would cut off what does not fit.
        if not 0 <= port <= 65535:
            raise ValueError(f"port: {port}")
        if min(message_octets_max, recipients_max, answer_seconds, drain_seconds) < 0:
            raise ValueError("limits and times are not negative")
        if max(recipients_max, answer_seconds * 1000, drain_seconds * 1000) >= 1 << 32:
            raise ValueError("recipients_max, answer_seconds or drain_seconds is too large")
        self._handler = handler
        self._options: dict[str, Any] = dict(
            address=encoded(address), port=port, hostname=encoded(hostname), message_octets_max=message_octets_max,
            recipients_max=recipients_max, answer_milliseconds=int(answer_seconds * 1000),
            drain_milliseconds=int(drain_seconds * 1000))
        self._server: ctypes.c_void_p | None = None
        self._end: weakref.finalize[..., SmtpServer] | None = None
        self.address = address

    @property
    def port(self) -> int:
        """Where it listens; 0 if it does not."""
        return library.mailcore_smtp_port(self._server) if self._server else 0

    def start(self) -> None:
        """Listens. Raises Conflict if the port is in use."""
        if self._server:
            raise Rejected("it runs already")
        loop = None
        if _is_coroutine_function(self._handler):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                raise RuntimeError("a coroutine as handler needs a running asyncio loop: use `async with`") from None
        desk = _Desk(self._handler, loop)
        function = MessageFunction(desk.take)
        check("mailcore_smtp_start", ctypes.byref(SmtpOptions(**self._options)), function, None,
              ctypes.byref(desk.server))
        desk.started.set()
        self._server = desk.server
        # Runs at exit too. Keeps `function` until the server has ended.
        self._end = weakref.finalize(self, _free, desk.server, function)

    def stop(self) -> None:
        """Waits shortly for messages that are open, then ends all connections. Blocks: `await` stop_async on a loop
        that has messages to answer."""
        if self._end:
            self._server = None
            self._end()
            self._end = None

    async def stop_async(self) -> None:
        """The same while the loop goes on answering."""
        # A thread of its own: those of the loop's pool may all be waiting for this server.
        own = ThreadPoolExecutor(1)
        try:
            await asyncio.get_running_loop().run_in_executor(own, self.stop)
        finally:
            own.shutdown(wait=False)

    def run(self) -> None:
        """Serves until Ctrl-C. For plain functions."""
        with self:
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                pass

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_async()


def _free(server: ctypes.c_void_p, _function: Any) -> None:
    library.mailcore_smtp_free(server)
