"""A rule in Lua tried on a message, without a server."""
import mailcore

rule = mailcore.Rule("""
mail.on("headers", function(ctx)
    if ctx:header("Subject"):lower():find("lottery", 1, true) then
        return mail.reject("we did not take part")
    end
end)
""")
assert rule.problems() == []

bad = rule.test("From: a@example.org\nTo: b@example.test\nSubject: You won the LOTTERY\n\nCongratulations.\n")
good = rule.test("From: a@example.org\nTo: b@example.test\nSubject: lunch\n\nAt noon?\n")
print(bad.verdict, bad.steps[0]["text"])
print(good.verdict)
assert (bad.verdict, good.verdict) == ("reject", "continue")
