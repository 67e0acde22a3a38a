// mdctl account ...
#include "command.h"
#include "table.h"

#include <fmt/format.h>

namespace mdctl {

namespace {

int account_add(const Call& call) {
    const auto& address = call.arguments.words[0];
    Json request{{"method", "account.add"},
                 {"address", address},
                 {"password", read_password(call.arguments)},
                 {"name", call.arguments.value("name")},
                 {"administrator", call.arguments.has("administrator")},
                 {"quota_octets", call.arguments.number("quota")}};
    return done(call, ask(call.folder, request), "added " + address);
}

int account_list(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "account.list"}});
    if (call.json) return print_json(answer), 0;
    Table table({"address", "status", "messages", "size", "quota", "name"});
    for (const auto& row : answer["accounts"])
        table.row({text(row, "address"), text(row, "status"), text(row, "messages"),
                   octets(row["octets"]),
                   row["quota_octets"] == 0 ? "-" : octets(row["quota_octets"]),
                   text(row, "name")});
    table.print("no accounts; add one with: mdctl account add ADDRESS");
    return 0;
}

int account_show(const Call& call) {
    const auto answer =
        ask(call.folder, {{"method", "account.show"}, {"address", call.arguments.words[0]}});
    if (call.json) return print_json(answer), 0;
    std::string addresses;
    for (const auto& address : answer["addresses"])
        addresses += (addresses.empty() ? "" : ", ") + address.get<std::string>();
    const auto limit = [&](const char* field, const std::string& shown) {
        return answer[field] == 0 ? std::string{} : " of " + shown;
    };
    fmt::print("address        {}\n", text(answer, "address"));
    fmt::print("id             {}\n", text(answer, "id"));
    if (!addresses.empty()) fmt::print("also           {}\n", addresses);
    if (!text(answer, "name").empty()) fmt::print("name           {}\n", text(answer, "name"));
    fmt::print("status         {}\n", text(answer, "status"));
    fmt::print("administrator  {}\n", answer["administrator"] == true ? "yes" : "no");
    fmt::print("created        {}\n", text(answer, "created"));
    fmt::print("messages       {}{}\n", text(answer, "messages"),
               limit("quota_messages", text(answer, "quota_messages")));
    fmt::print("size           {}{}\n", octets(answer["octets"]),
               limit("quota_octets", octets(answer["quota_octets"])));
    return 0;
}

int account_passwd(const Call& call) {
    const auto& address = call.arguments.words[0];
    const auto answer = ask(call.folder, {{"method", "account.passwd"},
                                          {"address", address},
                                          {"password", read_password(call.arguments)}});
    return done(call, answer, "password of " + address + " is set");
}

int account_status(const Call& call, const char* status) {
    const auto& address = call.arguments.words[0];
    const auto answer =
        ask(call.folder, {{"method", "account.status"}, {"address", address}, {"status", status}});
    return done(call, answer, address + " is " + status);
}
int account_disable(const Call& call) { return account_status(call, "disabled"); }
int account_enable(const Call& call) { return account_status(call, "active"); }
int account_freeze(const Call& call) { return account_status(call, "frozen"); }

int account_quota(const Call& call) {
    const auto& address = call.arguments.words[0];
    const auto answer = ask(call.folder, {{"method", "account.quota"},
                                          {"address", address},
                                          {"quota_octets", call.arguments.number("octets")},
                                          {"quota_messages", call.arguments.number("messages")}});
    return done(call, answer, "quota of " + address + " is set");
}

int account_remove(const Call& call) {
    const auto& address = call.arguments.words[0];
    if (!call.arguments.has("yes"))
        stop("this removes " + address + " and all its mail; say --yes", 2);
    return done(call, ask(call.folder, {{"method", "account.remove"}, {"address", address}}),
                "removed " + address);
}

} // namespace

std::vector<Command> account_commands() {
    return {
        {"account add",
         "ADDRESS [--password-file FILE] [--name NAME] [--quota OCTETS] [--administrator]",
         "make an account",
         1,
         1,
         {"password-file", "name", "quota", "administrator!"},
         account_add},
        {"account list", "", "all accounts", 0, 0, {}, account_list},
        {"account show", "ADDRESS", "one account", 1, 1, {}, account_show},
        {"account passwd",
         "ADDRESS [--password-file FILE]",
         "set a password",
         1,
         1,
         {"password-file"},
         account_passwd},
        {"account disable", "ADDRESS", "neither login nor mail", 1, 1, {}, account_disable},
        {"account freeze", "ADDRESS", "mail comes, nobody logs in", 1, 1, {}, account_freeze},
        {"account enable", "ADDRESS", "both again", 1, 1, {}, account_enable},
        {"account quota",
         "ADDRESS [--octets N] [--messages N]",
         "limit what it holds; 0: no limit",
         1,
         1,
         {"octets", "messages"},
         account_quota},
        {"account remove",
         "ADDRESS --yes",
         "remove it and all its mail",
         1,
         1,
         {"yes!"},
         account_remove},
    };
}

} // namespace mdctl
