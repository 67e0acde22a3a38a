-- A rule tried on a message, and a message taken apart, without a server.
local mailcore = require "mailcore"

local rule = { rule = [[
    mail.on("headers", function(ctx)
        if ctx:header("Subject") == "lottery" then return mail.reject("we did not take part") end
    end)
]] }
assert(#mailcore.rule_check(rule) == 0)
assert(mailcore.rule_try(rule, "Subject: lottery\r\n\r\nYou won.\r\n").verdict == "reject")
assert(mailcore.rule_try(rule, "Subject: lunch\r\n\r\nAt noon?\r\n").verdict == "continue")

local parsed = mailcore.mime("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nAt noon?\r\n")
assert(parsed.subject == "Grüße" and parsed.part.text == "At noon?\r\n")
print("in order")
