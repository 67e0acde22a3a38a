-- A host script that assembles a server: settings, an account, and what happens in the mailboxes. Ends when mail came.
local mailcore = require "mailcore"

local server = assert(mailcore.server {
    in_memory = true, -- or data = "/var/lib/mail"
    toml = [=[
        [server]
        hostname = "mx.example.test"
        [[listen]]
        service = "smtp"
        addresses = ["127.0.0.1"]
        port = 0
        [[listen]]
        service = "imap"
        addresses = ["127.0.0.1"]
        port = 0
    ]=],
    on_log = function(event)
        if event.level ~= "info" then print(event.event) end
    end,
    on_change = function(change) print("account " .. change.account .. " changed") end,
})
assert(server:start())
assert(server:call("domain.add", { name = "example.test" }))
assert(server:call("account.add", { address = "jo@example.test", password = "correct horse" }))

local nothing, why, kind = server:call("account.add", { address = "jo@example.test", password = "correct horse" })
assert(nothing == nil and kind == "conflict", why)

print("smtp " .. server:port("smtp"))
print("imap " .. server:port("imap"))
io.flush()

local function messages()
    local held = 0
    for _, account in ipairs(server:call("account.list").accounts) do held = held + account.messages end
    return held
end
while messages() == 0 do server:poll(1) end
print("mail has come")
server:close()
