// The whole server in fifteen lines: SMTP in, IMAP and POP3 out, everything in memory.
#include "libmailcore/server/server.h"

#include "libmailcore/accounts/store_directory.h"
#include "talk.h"

#include <future>

using namespace mailcore;

static Task<void> add_account(server::Server& server, std::promise<bool>& done) {
    auto domain = server.store().write([](store::WriteTransaction& txn) {
        accounts::Domain example;
        example.name = "example.test";
        return accounts::add_domain(txn, example);
    });
    auto added = co_await std::move(domain);
    auto account = server.store().write([](store::WriteTransaction& txn) {
        accounts::Account jo;
        jo.address = *accounts::Address::parse("jo@example.test");
        return accounts::add_account(txn, jo, {});
    });
    auto id = co_await std::move(account);
    auto password = server.directory().set_password(*id, Secret{"correct horse"});
    auto set = co_await std::move(password);
    done.set_value(added && id && set);
}

int main() {
    server::Config config;
    config.in_memory = true;
    config.hostname = "mx.example.test";
    config.listen.push_back({server::ServiceKind::Smtp, {"127.0.0.1"}, 0, {}, false});
    config.listen.push_back({server::ServiceKind::Imap, {"127.0.0.1"}, 0, {}, false});
    auto created = server::Server::create(config);
    if (!created || !(*created)->start()) return 1;
    auto& server = **created;

    std::promise<bool> done;
    auto added = done.get_future();
    std::unique_ptr<Scope> scope;
    server.scheduler().post([&] {
        scope = std::make_unique<Scope>(server.scheduler());
        scope->spawn(add_account(server, done));
    });
    expect(added.get(), "the account is added");

    const auto endpoints = server.endpoints();
    const auto sent = talk(endpoints[0].bound.local_port, one_message);
    expect(sent.find("250 2.0.0 accepted as") != std::string::npos, "the message is accepted");
    std::string read;
    for (int tries = 0; tries < 100 && read.find("It works.") == std::string::npos; ++tries)
        read = talk(endpoints[1].bound.local_port,
                    "1 LOGIN jo@example.test \"correct horse\"\r\n2 SELECT INBOX\r\n"
                    "3 FETCH 1:* BODY[TEXT]\r\n4 LOGOUT\r\n");
    expect(read.find("It works.") != std::string::npos, "the message is read over IMAP");
    std::promise<void> gone;
    server.scheduler().post([&] {
        scope.reset();
        gone.set_value();
    });
    gone.get_future().wait();
    server.stop();
}
