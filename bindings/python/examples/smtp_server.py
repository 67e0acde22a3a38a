"""An SMTP server in five lines, and a client that tries it."""
import smtplib

import mailcore


def handler(message):
    print(message.sender, "writes to", *message.recipients)
    return mailcore.accept()


with mailcore.SmtpServer(handler) as server:  # `server.run()` would serve until Ctrl-C
    with smtplib.SMTP(server.address, server.port) as client:
        client.sendmail("jo@example.org", ["sales@example.test"], "Subject: hello\r\n\r\nIt works.\r\n")
