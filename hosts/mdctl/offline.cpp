#include "offline.h"

#include "owner.h"

#include "libmailcore/server/server.h"

#include <string>
#include <utility>

namespace mdctl {

namespace {

using namespace mailcore;

class StoreSession final : public Session {
  public:
    explicit StoreSession(std::unique_ptr<server::Server> server) : server_(std::move(server)) {}
    StoreSession(const StoreSession&) = delete;
    StoreSession& operator=(const StoreSession&) = delete;
    ~StoreSession() override { server_->stop(); }

    Result<Json> ask(const Json& request) override {
        auto fields = request;
        auto method = fields.value("method", "");
        fields.erase("method");
        auto text = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
        MAILCORE_TRY(const auto answer, server_->call(std::move(method), std::move(text)));
        return Json::parse(answer, nullptr, false);
    }

  private:
    std::unique_ptr<server::Server> server_;
};

} // namespace

Result<std::unique_ptr<Session>> open_store(server::Config config) {
    MAILCORE_TRY(become_owner(config.data));
    config.listen.clear();
    config.certificates.clear();
    config.control_socket.clear();
    config.rules_folder.clear();
    config.log_file.clear();
    config.delivers = false;
    config.loops = 1;
    MAILCORE_TRY(auto server, server::Server::create(std::move(config)));
    MAILCORE_TRY(server->start());
    return std::make_unique<StoreSession>(std::move(server));
}

} // namespace mdctl
