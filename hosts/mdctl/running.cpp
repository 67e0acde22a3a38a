// mdctl trace, log, status, connections, metrics, reload: the running server.
#include "command.h"
#include "table.h"

#include "libmailcore/base/file.h"
#include "libmailcore/server/config_keys.h"
#include "libmailcore/server/server.h"

#include <fmt/format.h>

namespace mdctl {

namespace {

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
    const auto when = [&store](const char* field) {
        return store[field].is_null() ? std::string("never") : text(store, field);
    };
    fmt::print("        {} not needed now; last snapshot {}, last scrub {}{}\n",
               octets(store["reclaimable_octets"]), when("last_snapshot"), when("last_scrub"),
               store["scrubbing"] == true
                   ? fmt::format(" (one is under way: {} read)", octets(store["scrub_octets"]))
                   : std::string());
    if (answer.contains("queue"))
        fmt::print("queue   {} messages; recipients: {} waiting, {} held{}\n",
                   text(answer["queue"], "messages"), text(answer["queue"], "waiting"),
                   text(answer["queue"], "held"),
                   answer["queue"]["damaged"] == 0
                       ? std::string()
                       : "; " + text(answer["queue"], "damaged") + " rows damaged");
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

} // namespace

std::vector<Command> running_commands() {
    return {
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
    };
}

} // namespace mdctl
