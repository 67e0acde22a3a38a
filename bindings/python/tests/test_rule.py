import pathlib
import tempfile
import unittest

import mailcore

message = "From: a@example.org\nTo: b@example.test\nSubject: lunch\n\nAt noon?\n"


class RuleTest(unittest.TestCase):
    def test_tells_what_is_wrong_with_it(self):
        self.assertEqual(mailcore.Rule("x = 1").problems(), [])
        problem, = mailcore.Rule("x = = 1", name="bad.lua").problems()
        self.assertIn("bad.lua:1", problem)
        with self.assertRaisesRegex(mailcore.Rejected, "bad.lua:1"):
            mailcore.Rule("x = = 1", name="bad.lua").test(message)

    def test_tells_what_it_did(self):
        trial = mailcore.Rule("""
            mail.on("headers", function(ctx)
                ctx:add_header("X-Was", ctx.sender .. " " .. ctx.recipients[1])
                mail.log("seen")
            end)""").test(message)
        self.assertEqual(trial.verdict, "continue")
        self.assertEqual(trial.header_changes, ["+ X-Was: a@example.org b@example.test"])
        self.assertIn("seen", trial.steps[0]["said"][0])
        self.assertEqual(trial.errors, [])

    def test_that_fails_says_why(self):
        trial = mailcore.Rule('mail.on("headers", function(ctx) error("broken") end)').test(message.encode())
        self.assertEqual(len(trial.errors), 1)
        self.assertIn("broken", trial.errors[0])

    def test_reads_the_lists_beside_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "10-words.lua"
            file.write_text('mail.on("headers", function(ctx) return mail.reject(mail.list("words.txt"):find("a swordfish")) end)')
            (pathlib.Path(folder) / "words.txt").write_text("swordfish\n")
            trial = mailcore.Rule.from_file(file).test(message)
        self.assertEqual(trial.steps[0]["text"], "swordfish")


class Mime(unittest.TestCase):
    def test_is_a_tree(self):
        tree = mailcore.parse(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain; charset=latin1\r\n"
                              b"\r\n\xfc\r\n")
        self.assertEqual(tree["subject"], "Grüße")
        self.assertEqual(tree["part"]["text"], "ü\r\n")


if __name__ == "__main__":
    unittest.main()
