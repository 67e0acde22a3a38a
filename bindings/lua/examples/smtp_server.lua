-- An SMTP server with a handler: takes one message, then ends. Run with the module's folder in LUA_CPATH.
local mailcore = require "mailcore"

local taken = 0
local server = assert(mailcore.smtp_server(function(message)
    if message.octets:find("lottery", 1, true) then
        return { action = "reject", code = 554, enhanced = "5.7.1", text = "we did not take part" }
    end
    print(message.sender .. " writes to " .. table.concat(message.recipients, ", "))
    taken = taken + 1
    return { action = "accept" }
end))

print("listening on port " .. server:port())
io.flush()
while taken == 0 do server:poll(1) end
server:close()
