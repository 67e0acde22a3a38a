// mdctl: the command line of mdserver.
#include "client.h"
#include "init.h"
#include "rule.h"
#include "table.h"

#include "libmailcore/base/file.h"
#include "libmailcore/base/version.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/server/config_keys.h"
#include "libmailcore/server/server.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <span>
#include <string>
#include <termios.h>
#include <unistd.h>
#include <vector>

using namespace mdctl;

namespace {

/// What follows the command: words, and options with a value or without.
struct Arguments {
    std::vector<std::string> words;
    std::map<std::string, std::vector<std::string>> options;

    [[nodiscard]] bool has(const std::string& name) const { return options.contains(name); }
    [[nodiscard]] std::string value(const std::string& name,
                                    const std::string& fallback = {}) const {
        const auto found = options.find(name);
        return found == options.end() ? fallback : found->second.back();
    }
    [[nodiscard]] std::uint64_t number(const std::string& name) const {
        const auto text = value(name, "0");
        const auto number = mailcore::codec::parse_u64(text);
        if (!number) stop(name + ": expected a whole number, not " + text, 2);
        return *number;
    }
};

struct Call {
    std::string folder;
    bool json = false;
    Arguments arguments;
};

struct Command {
    const char* name;  // "account add"
    const char* usage; // what follows it
    const char* summary;
    std::size_t words_min, words_max;
    std::vector<std::string> options; // with a value; those ending in "!" have none
    int (*run)(const Call&);
};

void print_json(const Json& json) {
    fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string prompt_password() {
    if (!isatty(STDIN_FILENO))
        stop("no terminal to ask for a password: use --password-file FILE (- for standard input)",
             2);
    const auto ask_once = [](const char* text) {
        termios old{};
        tcgetattr(STDIN_FILENO, &old);
        auto silent = old;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
        fmt::print(stderr, "{}", text);
        std::string line;
        for (int c; (c = std::getchar()) != EOF && c != '\n';) line += static_cast<char>(c);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fmt::print(stderr, "\n");
        return line;
    };
    auto password = ask_once("Password: ");
    if (password != ask_once("Again: ")) stop("the two are not the same", 2);
    return password;
}

std::string read_password(const Arguments& arguments) {
    const auto path = arguments.value("password-file");
    if (path.empty()) return prompt_password();
    mailcore::base::PosixFileSystem files;
    auto text = mailcore::base::read_file(files, path == "-" ? "/dev/stdin" : path, 4096);
    if (!text) stop(text.error().detail, 2);
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return *text;
}

/// Prints the answer as JSON, or `said`.
int done(const Call& call, const Json& answer, const std::string& said) {
    if (call.json)
        print_json(answer);
    else
        fmt::print("{}\n", said);
    return 0;
}

std::string text(const Json& row, const char* field) {
    const auto& value = row.at(field);
    return value.is_string() ? value.get<std::string>() : value.dump();
}

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

int alias_add(const Call& call) {
    const auto& words = call.arguments.words;
    const std::vector<std::string> targets(words.begin() + 1, words.end());
    return done(
        call,
        ask(call.folder, {{"method", "alias.set"}, {"address", words[0]}, {"targets", targets}}),
        words[0] + " is an alias");
}
int alias_list(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "alias.list"}});
    if (call.json) return print_json(answer), 0;
    Table table({"alias", "leads to"});
    for (const auto& row : answer["aliases"]) {
        std::string targets;
        for (const auto& target : row["targets"])
            targets += (targets.empty() ? "" : ", ") + target.get<std::string>();
        table.row({text(row, "address"), targets});
    }
    table.print("no aliases");
    return 0;
}
int alias_remove(const Call& call) {
    const auto& address = call.arguments.words[0];
    return done(call, ask(call.folder, {{"method", "alias.remove"}, {"address", address}}),
                "removed " + address);
}

int domain_add(const Call& call) {
    Json request{{"method", "domain.add"}, {"name", call.arguments.words[0]}};
    if (call.arguments.has("catch-all")) request["catch_all"] = call.arguments.value("catch-all");
    if (call.arguments.has("alias-of")) request["alias_of"] = call.arguments.value("alias-of");
    return done(call, ask(call.folder, request), "added " + call.arguments.words[0]);
}
int domain_list(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "domain.list"}});
    if (call.json) return print_json(answer), 0;
    Table table({"domain", "catch-all", "state"});
    for (const auto& row : answer["domains"])
        table.row({text(row, "name"), text(row, "catch_all"),
                   row["disabled"] == true ? "disabled" : "active"});
    table.print("no domains; add one with: mdctl domain add NAME");
    return 0;
}
int domain_set(const Call& call) {
    Json request{{"method", "domain.set"}, {"name", call.arguments.words[0]}};
    if (call.arguments.has("catch-all")) request["catch_all"] = call.arguments.value("catch-all");
    if (call.arguments.has("disable")) request["disabled"] = true;
    if (call.arguments.has("enable")) request["disabled"] = false;
    return done(call, ask(call.folder, request), call.arguments.words[0] + " is changed");
}
int domain_remove(const Call& call) {
    return done(call,
                ask(call.folder, {{"method", "domain.remove"}, {"name", call.arguments.words[0]}}),
                "removed " + call.arguments.words[0]);
}

int queue_list(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "queue.list"}});
    if (call.json) return print_json(answer), 0;
    Table table({"id", "arrived", "size", "sender", "recipient", "state", "tries", "next try",
                 "last answer"});
    for (const auto& message : answer["messages"])
        for (const auto& recipient : message["recipients"])
            table.row({text(message, "id"), text(message, "arrived"), octets(message["size"]),
                       "<" + text(message, "sender") + ">", text(recipient, "address"),
                       text(recipient, "state"), text(recipient, "attempts"),
                       text(recipient, "next_try"), text(recipient, "reply").substr(0, 60)});
    table.print("the queue is empty");
    return 0;
}
int queue_show(const Call& call) {
    Arguments id;
    id.options["id"] = {call.arguments.words[0]};
    print_json(ask(call.folder, {{"method", "queue.show"}, {"id", id.number("id")}}));
    return 0;
}
int queue_change(const Call& call, const char* method) {
    Json request{{"method", method}};
    if (call.arguments.has("all"))
        request["all"] = true;
    else if (call.arguments.words.empty())
        stop("name a message by its id, or say --all", 2);
    else {
        Arguments id;
        id.options["id"] = {call.arguments.words[0]};
        request["id"] = id.number("id");
    }
    const auto answer = ask(call.folder, request);
    return done(call, answer, text(answer, "recipients") + " recipients");
}
int queue_retry(const Call& call) { return queue_change(call, "queue.retry"); }
int queue_hold(const Call& call) { return queue_change(call, "queue.hold"); }
int queue_release(const Call& call) { return queue_change(call, "queue.release"); }
int queue_remove(const Call& call) { return queue_change(call, "queue.remove"); }

int status(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "status"}});
    if (call.json) return print_json(answer), 0;
    const auto& store = answer["store"];
    fmt::print("{}\n\n", text(answer, "hostname"));
    Table table({"service", "address", "port"});
    for (const auto& row : answer["endpoints"]) {
        const bool path = !text(row, "path").empty();
        table.row({text(row, "service"), path ? text(row, "path") : text(row, "address"),
                   path ? "" : text(row, "port")});
    }
    table.print("nothing is listened on");
    fmt::print("\nstore   {}, {} free, journal {}, index {}\n",
               store["writable"] == true ? "takes writes" : "READ ONLY: " + text(store, "reason"),
               octets(store["free_octets"]), octets(store["journal_octets"]),
               octets(store["index_octets"]));
    if (answer.contains("queue"))
        fmt::print("queue   {} messages; recipients: {} waiting, {} held\n",
                   text(answer["queue"], "messages"), text(answer["queue"], "waiting"),
                   text(answer["queue"], "held"));
    for (const auto& warning : answer["warnings"])
        fmt::print("warning {}\n", warning.get<std::string>());
    for (const auto& damage : store["damages"])
        fmt::print("damage  {}\n", damage.get<std::string>());
    return 0;
}

int metrics(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "metrics"}});
    fmt::print("{}", text(answer, "text"));
    return 0;
}

int connections(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "connections"}});
    if (call.json) return print_json(answer), 0;
    Table table({"id", "service", "address", "tls", "since", "received", "sent", "memory"});
    for (const auto& row : answer["connections"])
        table.row({text(row, "id"), text(row, "service"), text(row, "address"), text(row, "tls"),
                   text(row, "since"), octets(row["received"]), octets(row["sent"]),
                   octets(row["memory"])});
    table.print("no connections");
    return 0;
}

int show_events(const Call& call, const Json& answer) {
    if (call.json) return print_json(answer), 0;
    for (const auto& event : answer["events"]) {
        std::string line = fmt::format("{}  {:<24}", text(event, "time"), text(event, "event"));
        for (const auto& [name, value] : event.items())
            if (name != "time" && name != "event" && name != "level")
                line += " " + name + "=" +
                        (value.is_string() ? value.get<std::string>() : value.dump());
        fmt::print("{}\n", line);
    }
    if (answer["events"].empty()) fmt::print("nothing in the log\n");
    return 0;
}
int trace(const Call& call) {
    return show_events(call,
                       ask(call.folder, {{"method", "trace"}, {"text", call.arguments.words[0]}}));
}
int log(const Call& call) { return show_events(call, ask(call.folder, {{"method", "log"}})); }

int reload(const Call& call) {
    // Mistakes are told here, where somebody looks, before the server is asked.
    mailcore::base::PosixFileSystem files;
    const auto path = call.folder + "/mdserver.toml";
    const auto file = mailcore::base::read_file(files, path, 1024 * 1024);
    if (!file) stop(file.error().detail);
    const auto config = mailcore::server::parse_config(*file);
    if (!config) stop("not reloaded: " + config.error().to_string(path));
    auto checked = *config;
    checked.data = call.folder;
    for (const auto& problem : mailcore::server::check_rule_folder(checked))
        stop("not reloaded: " + problem.detail);
    return done(call, ask(call.folder, {{"method", "reload"}}),
                "the server reads " + path + " again; see mdctl log");
}

int rule_check(const Call& call) { return check_rule(call.arguments.words[0], call.json); }
int rule_test(const Call& call) {
    RuleTest test;
    test.rule = call.arguments.words[0];
    test.message = call.arguments.words[1];
    test.sender = call.arguments.value("from");
    if (const auto found = call.arguments.options.find("to");
        found != call.arguments.options.end())
        test.recipients = found->second;
    test.ip = call.arguments.value("ip", "192.0.2.1");
    test.helo = call.arguments.value("helo", "client.example");
    test.account = call.arguments.value("account");
    if (const auto found = call.arguments.options.find("record");
        found != call.arguments.options.end())
        test.records = found->second;
    test.json = call.json;
    return test_rule(test);
}
int rule_replay(const Call& call) {
    auto request = replay_request(call.arguments.words[0], call.arguments.value("since", "7d"));
    if (call.arguments.has("limit")) request["limit"] = call.arguments.number("limit");
    const auto answer = ask(call.folder, request);
    if (call.json) return print_json(answer), 0;
    Table table({"received", "account", "sender", "subject", "verdict", "what"});
    for (const auto& row : answer["rows"]) {
        std::string what = text(row, "text");
        for (const auto& list : {"edits", "errors"})
            for (const auto& each : row[list])
                what += (what.empty() ? "" : "; ") + each.get<std::string>();
        table.row({text(row, "received"), text(row, "account"), "<" + text(row, "sender") + ">",
                   text(row, "subject").substr(0, 40), text(row, "verdict"), what.substr(0, 80)});
    }
    table.print("the rule would have done nothing");
    fmt::print("\n{} messages", text(answer, "messages"));
    for (const auto& [verdict, count] : answer["verdicts"].items())
        fmt::print(", {} {}", count.dump(), verdict);
    fmt::print("; the rule failed at {}\n", text(answer, "failed"));
    return 0;
}

int store_check(const Call& call) {
    if (!call.json) fmt::print(stderr, "checking; a large store takes a while ...\n");
    const auto answer = ask(call.folder, {{"method", "store.check"}});
    const auto& problems = answer["problems"];
    if (call.json)
        print_json(answer);
    else {
        for (const auto& problem : problems) fmt::print("{}\n", problem.get<std::string>());
        fmt::print("{} accounts, {} problems\n", text(answer, "accounts"), problems.size());
    }
    return problems.empty() ? 0 : 1;
}
int store_rebuild(const Call& call) {
    if (!call.json) fmt::print(stderr, "rebuilding the index from the journal ...\n");
    return done(call, ask(call.folder, {{"method", "store.rebuild"}}), "the index is rebuilt");
}

int manual(const Call&); // prints the table below

int init_folder(const Call& call) {
    InitOptions options;
    options.folder = call.arguments.words[0];
    options.domain = call.arguments.value("domain");
    options.hostname = call.arguments.value("hostname");
    options.port_base = static_cast<unsigned>(call.arguments.number("port-base"));
    if (const auto found = call.arguments.options.find("address");
        found != call.arguments.options.end())
        options.addresses = found->second;
    if (call.arguments.has("password-file")) options.password = read_password(call.arguments);
    options.json = call.json;
    if (options.domain.empty()) stop("init needs --domain", 2);
    return init(options);
}

const std::vector<Command>& commands() {
    static const std::vector<Command> table{
        {"init",
         "DIR --domain DOMAIN [--hostname HOST] [--port-base N] [--address IP]... [--password-file "
         "FILE]",
         "make a data folder that is ready to serve",
         1,
         1,
         {"domain", "hostname", "port-base", "address", "password-file"},
         init_folder},
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
        {"alias add",
         "ADDRESS TARGET...",
         "an address that leads to others",
         2,
         1000,
         {},
         alias_add},
        {"alias list", "", "all aliases", 0, 0, {}, alias_list},
        {"alias remove", "ADDRESS", "remove an alias", 1, 1, {}, alias_remove},
        {"domain add",
         "NAME [--catch-all ADDRESS] [--alias-of NAME]",
         "take mail for a domain",
         1,
         1,
         {"catch-all", "alias-of"},
         domain_add},
        {"domain list", "", "all domains", 0, 0, {}, domain_list},
        {"domain set",
         "NAME [--catch-all ADDRESS] [--disable] [--enable]",
         "change a domain",
         1,
         1,
         {"catch-all", "disable!", "enable!"},
         domain_set},
        {"domain remove", "NAME", "take no more mail for it", 1, 1, {}, domain_remove},
        {"queue list", "", "mail under way", 0, 0, {}, queue_list},
        {"queue show", "ID", "one message", 1, 1, {}, queue_show},
        {"queue retry", "ID | --all", "try now", 0, 1, {"all!"}, queue_retry},
        {"queue hold", "ID | --all", "keep until released", 0, 1, {"all!"}, queue_hold},
        {"queue release", "ID | --all", "send held mail on", 0, 1, {"all!"}, queue_release},
        {"queue remove", "ID | --all", "delete; nobody is told", 0, 1, {"all!"}, queue_remove},
        {"rule check", "FILE", "load a rule and say what is wrong with it", 1, 1, {}, rule_check},
        {"rule test",
         "FILE MESSAGE.eml [--from A] [--to A]... [--ip IP] [--helo NAME] [--account A] "
         "[--record LINE]...",
         "what a rule does to a message, stage by stage; `--record \"1.2.0.192.list.test A "
         "127.0.0.2\"`: what the DNS says",
         2,
         2,
         {"from", "to", "ip", "helo", "account", "record"},
         rule_test},
        {"rule replay",
         "FILE [--since 7d] [--limit N]",
         "what a rule would have done to the mail of the last days; nothing is changed",
         1,
         1,
         {"since", "limit"},
         rule_replay},
        {"trace",
         "TEXT",
         "the life of messages: by trace id, address, Message-ID ...",
         1,
         1,
         {},
         trace},
        {"log", "", "the last events", 0, 0, {}, log},
        {"status", "", "services, store, queue, warnings", 0, 0, {}, status},
        {"connections", "", "who is connected", 0, 0, {}, connections},
        {"metrics", "", "numbers in Prometheus' text format", 0, 0, {}, metrics},
        {"reload", "", "read mdserver.toml again without dropping a connection", 0, 0, {}, reload},
        {"store check", "", "compare everything with everything", 0, 0, {}, store_check},
        {"store rebuild", "", "make the index anew from the journal", 0, 0, {}, store_rebuild},
        {"manual", "", "print this reference as Markdown", 0, 0, {}, manual},
    };
    return table;
}

/// Whether `name` is the command, or one of the group, that `words` begin with.
bool belongs(std::string_view name, std::string_view words) {
    return name.starts_with(words) &&
           (name.size() == words.size() || words.empty() || name[words.size()] == ' ');
}

/// The reference of all commands as Markdown: hosts/mdctl/mdctl.md.
int manual(const Call&) {
    fmt::print(
        "# mdctl\n\n"
        "Rules an mdserver: over its control socket while it runs, on its store while it does "
        "not. This page is printed by `mdctl manual`.\n\n"
        "    mdctl [-d DIR] [--json] COMMAND ...\n\n"
        "`DIR` is the data folder (default: `$MDSERVER_DIR`, else `/var/lib/mdserver`). "
        "`--json` prints the whole answer for machines. Exit status: 0 done, 1 refused, 2 "
        "wrong call, 3 not found.\n\n| command | what it does |\n|---|---|\n");
    for (const auto& command : commands()) {
        std::string usage;
        for (const char* c = command.usage; *c; ++c) {
            if (*c == '|') usage += '\\';
            usage += *c;
        }
        fmt::print("| `{}{}{}` | {} |\n", command.name, usage.empty() ? "" : " ", usage,
                   command.summary);
    }
    return 0;
}

void print_help(std::FILE* to, std::string_view only = {}) {
    if (only.empty())
        fmt::print(
            to,
            "usage: mdctl [-d DIR] [--json] COMMAND ...\n\n"
            "DIR is the server's data folder (default: $MDSERVER_DIR, else /var/lib/mdserver).\n"
            "--json prints the whole answer for machines. Exit status: 0 done, 1 refused, 2 wrong "
            "call, 3 not found.\n\n");
    for (const auto& command : commands())
        if (belongs(command.name, only))
            fmt::print(to, "  {}{}{}\n      {}\n", command.name, *command.usage ? " " : "",
                       command.usage, command.summary);
}

} // namespace

int main(int argc, char** argv) {
    Call call;
    const char* from_environment = std::getenv("MDSERVER_DIR");
    call.folder = from_environment ? from_environment : "/var/lib/mdserver";
    std::vector<std::string> words;
    bool help = false;
    const std::span all(argv, static_cast<std::size_t>(argc));
    std::size_t at = 1;
    // Options of mdctl itself may stand anywhere; those of a command are known once it is.
    std::vector<std::string> rest;
    for (; at < all.size(); ++at) {
        const std::string word = all[at];
        if (word == "-d" && at + 1 < all.size())
            call.folder = all[++at];
        else if (word == "--json")
            call.json = true;
        else if (word == "--help" || word == "-h")
            help = true;
        else
            rest.push_back(word);
    }
    if (rest.empty() || rest[0] == "help") {
        std::string only;
        for (std::size_t i = 1; i < rest.size(); ++i) only += (only.empty() ? "" : " ") + rest[i];
        print_help(rest.empty() && !help ? stderr : stdout, only);
        return rest.empty() && !help ? 2 : 0;
    }
    if (rest[0] == "version" || rest[0] == "--version") {
        fmt::print("mdctl {}\n", mailcore::version());
        return 0;
    }
    for (const auto& command : commands()) {
        std::vector<std::string> name;
        for (const std::string_view part{command.name}; const char c : part) {
            if (c == ' ' || name.empty()) name.emplace_back();
            if (c != ' ') name.back() += c;
        }
        if (rest.size() < name.size() || !std::equal(name.begin(), name.end(), rest.begin()))
            continue;
        if (help) {
            print_help(stdout, command.name);
            return 0;
        }
        for (std::size_t i = name.size(); i < rest.size(); ++i) {
            if (!rest[i].starts_with("--")) {
                call.arguments.words.push_back(rest[i]);
                continue;
            }
            auto option = rest[i].substr(2);
            const auto& known = command.options;
            if (std::ranges::find(known, option + "!") != known.end()) {
                call.arguments.options[option].emplace_back();
            } else if (std::ranges::find(known, option) != known.end() && i + 1 < rest.size()) {
                call.arguments.options[option].push_back(rest[++i]);
            } else {
                stop(fmt::format("{}: no option {}, or its value is missing\n  usage: mdctl {} {}",
                                 command.name, rest[i], command.name, command.usage),
                     2);
            }
        }
        const auto count = call.arguments.words.size();
        if (count < command.words_min || count > command.words_max)
            stop(fmt::format("usage: mdctl {} {}", command.name, command.usage), 2);
        return command.run(call);
    }
    const bool group = std::ranges::any_of(
        commands(), [&](const Command& command) { return belongs(command.name, rest[0]); });
    if (group && help) {
        print_help(stdout, rest[0]);
        return 0;
    }
    if (group) {
        fmt::print(stderr, "mdctl: {} what?\n", rest[0]);
        print_help(stderr, rest[0]);
    } else {
        fmt::print(stderr, "mdctl: no command \"{}\"; all of them: mdctl help\n", rest[0]);
    }
    return 2;
}
