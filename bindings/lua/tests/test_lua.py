import contextlib
import pathlib
import shutil
import smtplib
import subprocess
import tempfile
import unittest

here = pathlib.Path(__file__).resolve().parent.parent
lua = shutil.which("lua5.4") or shutil.which("lua")
letter = "Subject: hello\r\n\r\nIt works.\r\n"


def send(port, octets, recipient):
    """What the server answered to the message: 250, or the code of the refusal."""
    client = smtplib.SMTP("127.0.0.1", port)
    try:
        client.sendmail("jo@example.org", [recipient], octets)
        return 250
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):  # the script may end before we have said QUIT
            client.quit()


@unittest.skipUnless(lua, "no interpreter")
class Scripts(unittest.TestCase):
    def start(self, script):
        running = subprocess.Popen([lua, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end():
            running.kill()
            running.communicate()

        self.addCleanup(end)
        return running

    def run_text(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write('local mailcore = require "mailcore"\n' + text)
            file.flush()
            done = subprocess.run([lua, file.name], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def port_after(self, running, word):
        while line := running.stdout.readline():
            if line.startswith(word):
                return int(line.split()[-1])
        self.fail(running.stderr.read())

    def test_example_of_an_smtp_server(self):
        running = self.start(here / "examples" / "smtp_server.lua")
        port = self.port_after(running, "listening")
        self.assertEqual(send(port, "Subject: lottery\r\n\r\nYou won.\r\n", "an@example.test"), 554)
        self.assertEqual(send(port, letter, "an@example.test"), 250)
        output, errors = running.communicate(timeout=30)
        self.assertEqual((output, running.returncode), ("jo@example.org writes to an@example.test\n", 0), errors)

    def test_example_of_a_whole_server(self):
        running = self.start(here / "examples" / "whole_server.lua")
        port = self.port_after(running, "smtp ")
        self.assertEqual(send(port, letter, "jo@example.test"), 250)
        output, errors = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 0, errors)
        self.assertIn("changed\n", output)
        self.assertTrue(output.endswith("mail has come\n"))

    def test_example_of_a_rule(self):
        done = subprocess.run([lua, here / "examples" / "rule.lua"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.returncode), ("in order\n", 0), done.stderr)

    def test_a_handler_that_fails_or_answers_nonsense_defers_and_poll_says_why(self):
        for name, handler, why in [
            ("error", 'error("broken")', "broken"),
            ("a text", 'return "yes"', "made no sense"),
            ("an action", 'return { action = "perhaps" }', "made no sense"),
            ("a code", 'return { action = "reject", code = 250 }', "made no sense"),
            ("a code that is none", 'return { action = "reject", code = "x" }', "made no sense"),
            ("a large code", "return { action = 'reject', code = 1 << 40 }", "made no sense"),
        ]:
            with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
                file.write(f"""local mailcore = require "mailcore"
                    local server <close> = assert(mailcore.smtp_server(function() {handler} end))
                    print("port " .. server:port())
                    io.flush()
                    local fine, problem
                    repeat fine, problem = pcall(server.poll, server, 1) until not fine
                    print(problem)""")
                file.flush()
                running = self.start(file.name)
                self.assertEqual(send(self.port_after(running, "port"), letter, "an@example.test"), 451)
                output, _ = running.communicate(timeout=30)
                self.assertIn(why, output)

    def test_no_answer_accepts(self):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write("""local mailcore = require "mailcore"
                local taken = 0
                local server <close> = assert(mailcore.smtp_server(function() taken = taken + 1 end))
                print("port " .. server:port())
                io.flush()
                while taken == 0 do server:poll(1) end""")
            file.flush()
            running = self.start(file.name)
            self.assertEqual(send(self.port_after(running, "port"), letter, "an@example.test"), 250)
            self.assertEqual(running.wait(30), 0)

    def test_wrong_arguments_are_errors_and_failures_are_told(self):
        self.run_text("""
            local function fails(pattern, ...)
                local fine, why = pcall(...)
                assert(not fine and why:find(pattern), why)
            end
            fails("function expected", mailcore.smtp_server)
            fails("colour: no such option", mailcore.smtp_server, print, { colour = 1 })
            fails("port: expected a whole number", mailcore.smtp_server, print, { port = 65536 })
            fails("address: expected a text", mailcore.smtp_server, print, { address = {} })
            fails("on_log: expected a function", mailcore.server, { on_log = 1, in_memory = true })
            local nothing, why, kind = mailcore.smtp_server(print, { address = "nowhere" })
            assert(nothing == nil and why:find("nowhere") and kind == "rejected")
            nothing, why, kind = mailcore.store("/no/such/folder")
            assert(nothing == nil and kind == "not found")
            nothing, why, kind = mailcore.server { in_memory = true, toml = "[server]" }
            assert(nothing == nil and kind == "rejected" and why:find("hostname"))
            nothing, why, kind = mailcore.rule_check { rule = 1 }
            assert(nothing == nil and kind == "rejected")
            fails("no place here", mailcore.rule_check, { rule = print })
            fails("UTF%-8", mailcore.rule_check, { rule = "\\255" })
            local deep = {}
            for _ = 1, 100 do deep = { deep = deep } end
            fails("too many levels", mailcore.rule_check, deep)
            fails("mailcore.host", mailcore.store().call, {})
        """)

    def test_values_go_both_ways(self):
        self.run_text("""
            local store <close> = assert(mailcore.store())
            assert(store:call("domain.add", { name = "example.test" }))
            assert(store:call("account.add", { address = "jo@example.test", password = "correct horse",
                                               quota_octets = 1 << 40, administrator = true }))
            local account = store:call("account.list").accounts[1]
            assert(account.address == "jo@example.test" and math.type(account.messages) == "integer")
            assert(store:call("alias.set", { address = "sales@example.test", targets = { "jo@example.test" } }))
            local nothing, why = store:call("alias.set", { address = "all@example.test", targets = mailcore.list {} })
            assert(nothing == nil and not why:find("expected a list"), why)
            local letter = "Subject: x\\r\\n\\r\\n" .. ("y"):rep(70) .. "\\r\\n" .. ("\\0z\\r\\n"):rep(500000)
            local added = assert(store:add({ address = "jo@example.test", mailbox = "INBOX", flags = { "work" } }, letter))
            local listed = store:call("email.list", { address = "jo@example.test", mailbox = "INBOX" }).emails
            assert(#listed == 1 and listed[1].uid == added.uid and listed[1].flags[1] == "work")
            assert(store:read("jo@example.test", "INBOX", added.uid) == letter)
            local gone, missing, kind = store:read("jo@example.test", "INBOX", added.uid + 1)
            assert(gone == nil and kind == "not found", missing)
            assert(#store:endpoints() == 0 and store:poll() == 0 and store:dropped() == 0)
            store:close()
            nothing, why = store:call("status")
            assert(nothing == nil and why:find("NULL"))
        """)

    def test_collected_servers_end(self):
        self.run_text("""
            local port
            do
                local server = assert(mailcore.smtp_server(print))
                port = server:port()
            end
            collectgarbage()
            collectgarbage()
            local again = assert(mailcore.smtp_server(print, { port = port }))
        """)


if __name__ == "__main__":
    unittest.main()
