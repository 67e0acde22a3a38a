#include "offline.h"

#include "owner.h"

#include "libmailcore/admin/operations.h"
#include "libmailcore/server/server.h"

#include <future>
#include <memory>

namespace mdctl {

namespace {

using namespace mailcore;
using Json = nlohmann::json;
using Outcome = Result<Json>;

Task<void> run_all(admin::Context& context, std::vector<Json> requests,
                   std::promise<Outcome>& done) {
    Outcome outcome = Json::object();
    for (auto& request : requests) {
        const auto method = request.value("method", "");
        request.erase("method");
        auto answer = co_await admin::run(context, method, request.dump());
        if (!answer) {
            outcome = std::unexpected(answer.error());
            break;
        }
        outcome = Json::parse(*answer, nullptr, false);
    }
    done.set_value(std::move(outcome));
}

} // namespace

Result<Json> run_offline(const std::string& folder, const std::string& hostname,
                         std::vector<Json> requests) {
    MAILCORE_TRY(become_owner(folder));
    server::Config config;
    config.data = folder;
    config.hostname = hostname;
    config.control_socket.clear();
    config.loops = 1;
    MAILCORE_TRY(const auto server, server::Server::create(config));
    MAILCORE_TRY(server->start());
    admin::Context context{
        server->store(), server->directory(), [](queue::QueueId, bool) {}, "mdctl", {}};
    auto& scheduler = server->scheduler();
    std::unique_ptr<Scope> scope; // lives on the loop
    std::promise<Outcome> done;
    scheduler.post([&] {
        scope = std::make_unique<Scope>(scheduler);
        scope->spawn(run_all(context, std::move(requests), done));
    });
    auto outcome = done.get_future().get();
    std::promise<void> gone;
    scheduler.post([&] {
        scope.reset();
        gone.set_value();
    });
    gone.get_future().wait();
    server->stop();
    return outcome;
}

} // namespace mdctl
