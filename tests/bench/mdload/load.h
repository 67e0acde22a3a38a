// What the command line asks for.
#pragma once

#include "tests/bench/mdload/crew.h"
#include "tests/bench/mdload/smtp_client.h"

#include <string>
#include <vector>

namespace mailcore::mdload {

/// Every option of mdload with its default. "{}" in names is the account's number.
struct Load {
    std::string work;
    Endpoint endpoint;
    std::size_t connections = 1;
    std::size_t accounts = 1, first_account = 0;
    std::string user = "user{}@example.test", password = "password {}";
    Pace pace;
    std::vector<std::size_t> sizes = {4096};
    std::uint64_t seed = 1;
    bool verify = false;
    bool gate = false; ///< says when all stand, and begins at a line of its input
    // SMTP and LMTP.
    std::string sender = "load@example.org", recipient = "user{}@example.test";
    std::size_t recipients = 1;       ///< of one message: accounts that follow each other
    std::size_t per_connection = 500; ///< messages; servers end those that send many more
    bool pipelining = true, authenticate = false;
    std::uint16_t visible_port = 0; ///< IMAP; also measures until all can be read there
    std::uint16_t sink_port = 0;    ///< also measures until all have come out there
    // IMAP and POP3.
    std::string mailbox = "INBOX";
    std::size_t batch = 1;             ///< messages of one APPEND
    std::vector<std::string> commands; ///< of imap-command, in turns
    std::size_t ahead = 64;            ///< commands of POP3 before their answers
    std::uint16_t delivery_port = 0;   ///< of idle-exists, mixed: SMTP, or LMTP if `lmtp`
    std::uint16_t pop3_port = 0;       ///< of mixed
    bool lmtp = false;

    [[nodiscard]] User account(std::size_t number) const;
    [[nodiscard]] std::string address(std::size_t number) const;
};

/// Reads the arguments; gives up with the usage when they make no sense.
[[nodiscard]] Load read_arguments(int argc, char** argv);

/// Does the work and returns its results as a JSON object.
[[nodiscard]] std::string run_work(const Load& load);

/// What this machine can do at all, with a file in `folder` and over loopback: a JSON object.
[[nodiscard]] std::string machine_limits(const std::string& folder, double seconds);

} // namespace mailcore::mdload
