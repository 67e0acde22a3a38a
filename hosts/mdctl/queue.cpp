// mdctl queue ...
#include "command.h"
#include "table.h"

namespace mdctl {

namespace {

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
    for (const auto& row : answer["damaged"])
        fmt::print("damaged: message {}{}: {}\n", text(row, "id"),
                   row["recipient"].is_null() ? std::string()
                                              : ", recipient " + text(row, "recipient"),
                   text(row, "what"));
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

} // namespace

std::vector<Command> queue_commands() {
    return {
        {"queue list", "", "mail under way", 0, 0, {}, queue_list},
        {"queue show", "ID", "one message", 1, 1, {}, queue_show},
        {"queue retry", "ID | --all", "try now", 0, 1, {"all!"}, queue_retry},
        {"queue hold", "ID | --all", "keep until released", 0, 1, {"all!"}, queue_hold},
        {"queue release", "ID | --all", "send held mail on", 0, 1, {"all!"}, queue_release},
        {"queue remove", "ID | --all", "delete; nobody is told", 0, 1, {"all!"}, queue_remove},
    };
}

} // namespace mdctl
