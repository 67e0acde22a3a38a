"""The same with a coroutine as handler: asyncio answers, and nobody waits for somebody else's message."""
import asyncio
import smtplib

import mailcore


async def handler(message):
    await asyncio.sleep(0.05)  # a question to a database, perhaps
    if "subject" not in message.parsed():
        return mailcore.reject("a message needs a subject", 554, "5.6.0")
    print("taken:", message.parsed()["subject"])


def send(port, text):
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("jo@example.org", ["sales@example.test"], text)


async def main():
    async with mailcore.SmtpServer(handler) as server:
        await asyncio.to_thread(send, server.port, "Subject: hello\r\n\r\nIt works.\r\n")
        try:
            await asyncio.to_thread(send, server.port, "From: jo@example.org\r\n\r\nNo subject.\r\n")
        except smtplib.SMTPDataError as error:
            print("refused:", error.smtp_code)


asyncio.run(main())
