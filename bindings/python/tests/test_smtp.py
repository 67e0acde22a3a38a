import asyncio
import contextlib
import functools
import gc
import logging
import pathlib
import smtplib
import socket
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import mailcore

text = "Subject: hello\r\n\r\nIt works.\r\n"


def send(port, octets=text, recipients=("an@example.test",)):
    """What the server answered to the message: None, or the refusal."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example") as client:
        try:
            client.sendmail("jo@example.org", list(recipients), octets)
        except smtplib.SMTPDataError as error:
            return error.smtp_code, error.smtp_error.decode()
    return None


class PlainHandler(unittest.TestCase):
    def test_is_given_the_message_as_it_came(self):
        taken = []
        with mailcore.SmtpServer(taken.append) as server:
            self.assertIsNone(send(server.port, text.encode() + b"\xff-8\r\n",
                                   ("a@example.test", "b@example.test")))
        message, = taken
        self.assertEqual(message.sender, "jo@example.org")
        self.assertEqual(message.recipients, ["a@example.test", "b@example.test"])
        self.assertEqual(message.octets, text.encode() + b"\xff-8\r\n")
        self.assertEqual(message.helo, "client.example")
        self.assertEqual(message.peer[0], "127.0.0.1")
        self.assertEqual(message.parsed()["subject"], "hello")

    def test_answers_with_verdicts(self):
        cases = [
            (None, None),
            (mailcore.accept(), None),
            (mailcore.reject(), (550, "5.7.1 refused")),
            (mailcore.reject("no programs", 554, "5.6.0"), (554, "5.6.0 no programs")),
            (mailcore.reject("one\ntwo"), (550, "5.7.1 one\n5.7.1 two")),
            (mailcore.defer("later"), (451, "4.7.1 later")),
            (mailcore.defer("full", 452, "4.3.1"), (452, "4.3.1 full")),
        ]
        for verdict, expected in cases:
            with self.subTest(verdict=verdict), mailcore.SmtpServer(lambda _: verdict) as server:
                self.assertEqual(send(server.port), expected)

    def test_that_fails_or_answers_nonsense_defers(self):
        def fail(_):
            raise ValueError("broken")

        cases = [fail, lambda _: "yes", lambda _: mailcore.Verdict("perhaps"), lambda _: mailcore.reject("x", 250),
                 lambda _: mailcore.reject("x", 550, "4.0.0"), lambda _: mailcore.reject("x\0y")]
        for handler in cases:
            with self.assertLogs("mailcore", logging.ERROR), mailcore.SmtpServer(handler) as server:
                self.assertEqual(send(server.port)[0], 451)

    def test_messages_above_the_limit_are_refused(self):
        with mailcore.SmtpServer(lambda _: None, message_octets_max=1000) as server:
            with self.assertRaises(smtplib.SMTPException):
                with smtplib.SMTP("127.0.0.1", server.port) as client:
                    client.sendmail("a@example.org", ["b@example.test"], text + "x" * 70 + "\r\n" * 1000)


class CoroutineHandler(unittest.IsolatedAsyncioTestCase):
    async def test_answers_side_by_side(self):
        waiting = 0
        all_here = asyncio.Event()

        async def handler(message):
            nonlocal waiting
            waiting += 1
            if waiting == 20:
                all_here.set()
            await all_here.wait()  # nobody is answered before all are here
            return mailcore.reject(message.sender)

        async with mailcore.SmtpServer(handler) as server:
            with ThreadPoolExecutor(20) as pool:
                send_one = functools.partial(asyncio.get_running_loop().run_in_executor, pool, send, server.port)
                answers = await asyncio.wait_for(asyncio.gather(*(send_one() for _ in range(20))), 30)
        self.assertEqual(set(answers), {(550, "5.7.1 jo@example.org")})

    async def test_that_fails_defers(self):
        async def handler(_):
            raise RuntimeError("broken")

        with self.assertLogs("mailcore", logging.ERROR):
            async with mailcore.SmtpServer(handler) as server:
                self.assertEqual((await asyncio.to_thread(send, server.port))[0], 451)

    async def test_that_takes_too_long_is_answered_for(self):
        late = asyncio.Event()

        async def handler(_):
            await late.wait()

        async with mailcore.SmtpServer(handler, answer_seconds=0.2) as server:
            self.assertEqual((await asyncio.to_thread(send, server.port))[0], 451)
            late.set()  # its answer comes to nobody

    async def test_outlives_a_peer_that_goes(self):
        begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def handler(_):
            begun.set()
            await go_on.wait()
            done.set()

        async with mailcore.SmtpServer(handler) as server:
            peer = socket.create_connection(("127.0.0.1", server.port))
            self.assertTrue(peer.recv(1000).startswith(b"220 "))
            peer.sendall(b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<b@c.test>\r\nDATA\r\n\r\nx\r\n.\r\n")
            await asyncio.wait_for(begun.wait(), 20)
            peer.close()
            go_on.set()
            await asyncio.wait_for(done.wait(), 20)
            self.assertIsNone(await asyncio.to_thread(send, server.port))

    async def test_that_never_answers_does_not_keep_the_server_from_stopping(self):
        begun = asyncio.Event()

        async def handler(_):
            begun.set()
            await asyncio.Event().wait()

        server = mailcore.SmtpServer(handler, drain_seconds=0.2)
        server.start()
        sending = asyncio.create_task(asyncio.to_thread(send_quietly, server.port))
        await asyncio.wait_for(begun.wait(), 20)
        started = time.monotonic()
        await server.stop_async()
        self.assertLess(time.monotonic() - started, 10)
        await sending


def send_quietly(port):
    with contextlib.suppress(smtplib.SMTPException, OSError):
        send(port)


class Lifetime(unittest.TestCase):
    def test_a_port_in_use_is_a_conflict(self):
        with mailcore.SmtpServer(lambda _: None) as server:
            with self.assertRaises(mailcore.Conflict):
                mailcore.SmtpServer(lambda _: None, port=server.port).start()

    def test_a_wrong_address_is_rejected(self):
        with self.assertRaisesRegex(mailcore.Rejected, "nowhere"):
            mailcore.SmtpServer(lambda _: None, address="nowhere").start()

    def test_numbers_that_do_not_fit_are_refused(self):
        for wrong in ({"port": 65536}, {"port": -1}, {"recipients_max": 1 << 32}, {"answer_seconds": -1},
                      {"drain_seconds": 1e10}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                mailcore.SmtpServer(lambda _: None, **wrong)

    def test_starting_twice_is_rejected_and_stopping_twice_is_not(self):
        server = mailcore.SmtpServer(lambda _: None)
        server.start()
        with self.assertRaises(mailcore.Rejected):
            server.start()
        server.stop()
        server.stop()
        self.assertEqual(server.port, 0)
        server.start()  # again
        self.assertIsNone(send(server.port))
        server.stop()

    def test_a_server_that_nobody_holds_ends(self):
        server = mailcore.SmtpServer(lambda _: None)
        server.start()
        port = server.port
        del server
        gc.collect()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), 5)

    def test_a_coroutine_without_a_loop_is_told_at_once(self):
        async def handler(_):
            pass

        with self.assertRaisesRegex(RuntimeError, "asyncio"):
            mailcore.SmtpServer(handler).start()

    def test_a_program_that_forgets_to_stop_ends(self):
        program = "import mailcore\ns = mailcore.SmtpServer(print)\ns.start()\nprint(s.port)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_threads_may_stop_what_others_started(self):
        server = mailcore.SmtpServer(lambda _: None)
        server.start()
        thread = threading.Thread(target=server.stop)
        thread.start()
        thread.join(20)
        self.assertFalse(thread.is_alive())


class Examples(unittest.TestCase):
    def test_each_runs(self):
        examples = sorted((pathlib.Path(__file__).parent.parent / "examples").glob("*.py"))
        self.assertTrue(examples)
        for example in examples:
            with self.subTest(example=example.name):
                done = subprocess.run([sys.executable, "-B", example], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stdout)


if __name__ == "__main__":
    unittest.main()
