#include "offline.h"

#include "libmailcore/admin/operations.h"
#include "libmailcore/base/random.h"
#include "libmailcore/server/server.h"
#include "libmailcore/store/journal_store.h"

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

Result<Json> store_files_offline(const std::string& folder) {
    base::PosixFileSystem files;
    base::SystemClock clock;
    base::SystemRandom random;
    const auto path = folder + "/store";
    MAILCORE_TRY(const bool there, files.exists(path + "/journal"));
    if (!there) return fail(ErrorKind::NotFound, folder + " holds no store");
    // Opened once, the log ends where it says it does, also after a crash.
    MAILCORE_TRY(const auto store, store::JournalStore::open(files, path, {}, random, clock, {}));
    MAILCORE_TRY(const auto inventory, store->inventory());
    return Json::parse(admin::files_answer(inventory));
}

} // namespace mdctl
