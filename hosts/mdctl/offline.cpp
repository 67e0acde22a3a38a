#include "offline.h"

#include "libmailcore/admin/operations.h"
#include "libmailcore/server/server.h"

#include <future>

namespace mdctl {

namespace {

using namespace mailcore;
using Outcome = Result<Json>;

Task<void> run_one(admin::Context& context, std::string method, std::string request,
                   std::shared_ptr<std::promise<Outcome>> done) {
    auto answer = co_await admin::run(context, std::move(method), std::move(request));
    if (answer)
        done->set_value(Json::parse(*answer, nullptr, false));
    else
        done->set_value(std::unexpected(std::move(answer).error()));
}

class StoreSession final : public Session {
  public:
    StoreSession(std::unique_ptr<server::Server> server, std::uint64_t message_octets_max)
        : server_(std::move(server)), context_{server_->store(),
                                               server_->directory(),
                                               [](queue::QueueId, bool) {},
                                               "mdctl",
                                               {},
                                               message_octets_max} {
        on_loop([this] { scope_ = std::make_unique<Scope>(server_->scheduler()); });
    }
    StoreSession(const StoreSession&) = delete;
    StoreSession& operator=(const StoreSession&) = delete;
    ~StoreSession() override {
        on_loop([this] {
            scope_.reset();
            context_.uploads = {};
        });
        server_->stop();
    }

    Outcome ask(const Json& request) override {
        auto fields = request;
        const auto method = fields.value("method", "");
        fields.erase("method");
        auto text = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
        const auto done = std::make_shared<std::promise<Outcome>>();
        auto outcome = done->get_future();
        server_->scheduler().post(
            [&] { scope_->spawn(run_one(context_, method, std::move(text), done)); });
        return outcome.get();
    }

  private:
    template <class Function>
    void on_loop(Function function) {
        std::promise<void> done;
        server_->scheduler().post([&] {
            function();
            done.set_value();
        });
        done.get_future().wait();
    }

    std::unique_ptr<server::Server> server_;
    admin::Context context_;
    std::unique_ptr<Scope> scope_; // lives on the loop
};

} // namespace

Result<std::unique_ptr<Session>> open_store(const std::string& folder, const std::string& hostname,
                                            std::uint64_t message_octets_max) {
    server::Config config;
    config.data = folder;
    config.hostname = hostname;
    config.control_socket.clear();
    config.loops = 1;
    MAILCORE_TRY(auto server, server::Server::create(config));
    MAILCORE_TRY(server->start());
    return std::make_unique<StoreSession>(std::move(server), message_octets_max);
}

Result<Json> run_offline(const std::string& folder, const std::string& hostname,
                         const std::vector<Json>& requests) {
    MAILCORE_TRY(const auto session,
                 open_store(folder, hostname, server::Config{}.message_octets_max));
    Outcome outcome = Json::object();
    for (const auto& request : requests) {
        outcome = session->ask(request);
        if (!outcome) break;
    }
    return outcome;
}

} // namespace mdctl
