// An SMTP server in five lines: what it is sent, a lambda takes.
#include "libmailcore/server/smtp_server.h"

#include "talk.h"

int main() {
    std::string taken;
    auto server =
        mailcore::server::SmtpServer::start([&](const mailcore::server::ReceivedMessage& message) {
            taken = message.octets;
            return mailcore::filter::Verdict::accept();
        });
    if (!server) return 1;

    const auto answers = talk((*server)->port(), one_message);
    expect(answers.find("\r\n221 ") != std::string::npos, "the server says goodbye");
    expect(taken == "Subject: hello\r\n\r\nIt works.\r\n", "the lambda got the message");
}
