// The whole server, and a store alone, which is a server without endpoints.
#include "bindings/c/server.h"

#include "bindings/c/boundary.h"

#include "libmailcore/base/file.h"
#include "libmailcore/server/config_keys.h"

#include <nlohmann/json.hpp>

using namespace mailcore;

namespace {

using Json = nlohmann::json;
using State = mailcore_server::State;

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<server::Config> parse(const std::string& text, std::string_view name) {
    auto config = server::parse_config(text);
    if (!config) return fail(ErrorKind::Rejected, config.error().to_string(name));
    return std::move(*config);
}

Result<void> check_folder(const std::string& folder) {
    base::PosixFileSystem files;
    MAILCORE_TRY(const auto exists, files.exists(folder));
    if (!exists) return fail(ErrorKind::NotFound, "there is no folder " + folder);
    return {};
}

Result<server::Config> config_of(const mailcore_server_options& given) {
    server::Config config;
    MAILCORE_TRY(auto data, c::take_text(given.data, "data"));
    if (given.in_memory == 0) {
        if (data.empty()) return fail(ErrorKind::Rejected, "data: expected the data folder");
        MAILCORE_TRY(check_folder(data));
    }
    if (given.config) {
        MAILCORE_TRY(const auto text, c::take_text(given.config, "config"));
        MAILCORE_TRY(config, parse(text, "config"));
    } else if (given.in_memory == 0) {
        base::PosixFileSystem files;
        const auto path = data + "/mdserver.toml";
        constexpr std::uint64_t octets_max = 1024 * 1024;
        MAILCORE_TRY(const auto text, base::read_file(files, path, octets_max));
        MAILCORE_TRY(config, parse(text, path));
    } else {
        config.hostname = "localhost";
    }
    config.in_memory = given.in_memory != 0;
    if (config.in_memory && data.empty()) {
        config.data = ".";
        if (!given.config) config.rules_folder.clear();
    } else {
        config.data = std::move(data);
    }
    return config;
}

Result<std::unique_ptr<mailcore_server>> create(server::Config config,
                                                std::unique_ptr<c::Listeners> listeners) {
    auto made = std::make_unique<mailcore_server>();
    made->data = config.data;
    made->in_memory = config.in_memory;
    made->listeners = std::move(listeners);
    server::Server::Parts parts;
    parts.log = made->listeners.get();
    if (made->listeners && made->listeners->wants_changes())
        parts.changed = [told = made->listeners.get()](const store::Change& change) {
            told->changed(change);
        };
    MAILCORE_TRY(made->server, server::Server::create(std::move(config), std::move(parts)));
    return made;
}

Result<void> start(mailcore_server& handle) {
    const std::scoped_lock lock(handle.mutex);
    if (handle.state != State::Bound)
        return fail(ErrorKind::Rejected,
                    handle.state == State::Running ? "it runs already" : "it has stopped");
    const auto started = handle.server->start();
    handle.state = started ? State::Running : State::Stopped;
    return started;
}

} // namespace

extern "C" {

mailcore_status mailcore_server_create(const mailcore_server_options* options,
                                       mailcore_server** server, char** why) noexcept {
    if (server) *server = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(c::needed(options, "options"));
        MAILCORE_TRY(const auto given, c::take_struct(options, "options"));
        MAILCORE_TRY(auto config, config_of(given));
        MAILCORE_TRY(auto made,
                     create(std::move(config), std::make_unique<c::Listeners>(
                                                   given.on_log, given.on_change, given.context)));
        *server = made.release();
        return {};
    });
}

mailcore_status mailcore_server_start(mailcore_server* server, char** why) noexcept {
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        return start(*server);
    });
}

mailcore_status mailcore_store_open(const char* data, mailcore_server** store,
                                    char** why) noexcept {
    if (store) *store = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(store, "store"));
        server::Config config;
        config.hostname = "localhost";
        config.control_socket.clear();
        config.rules_folder.clear();
        config.log_file.clear();
        config.loops = 1;
        config.delivers = false;
        config.in_memory = data == nullptr;
        if (data) {
            MAILCORE_TRY(config.data, c::take_text(data, "data"));
            MAILCORE_TRY(check_folder(config.data));
        }
        MAILCORE_TRY(auto made, create(std::move(config), nullptr));
        made->only_store = true;
        MAILCORE_TRY(start(*made));
        *store = made.release();
        return {};
    });
}

mailcore_status mailcore_server_endpoints(const mailcore_server* server, char** answer,
                                          char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(c::needed(answer, "answer"));
        Json list = Json::array();
        for (const auto& endpoint : server->server->endpoints())
            list.push_back(Json{{"service", to_string(endpoint.service)},
                                {"address", endpoint.bound.local_address.to_string()},
                                {"port", endpoint.bound.local_port},
                                {"path", endpoint.path}});
        c::hand_out(answer, text_of(Json{{"endpoints", std::move(list)}}));
        return {};
    });
}

mailcore_status mailcore_server_call(mailcore_server* server, const char* method,
                                     const char* request, char** answer, char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(c::needed(method, "method"));
        MAILCORE_TRY(c::needed(answer, "answer"));
        MAILCORE_TRY(auto name, c::take_text(method, "method"));
        MAILCORE_TRY(auto fields, c::take_text(request, "request"));
        MAILCORE_TRY(const auto text, server->server->call(std::move(name), std::move(fields)));
        c::hand_out(answer, text);
        return {};
    });
}

mailcore_status mailcore_server_reload(mailcore_server* server, const char* config, char** answer,
                                       char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(c::needed(config, "config"));
        MAILCORE_TRY(c::needed(answer, "answer"));
        MAILCORE_TRY(const auto text, c::take_text(config, "config"));
        MAILCORE_TRY(auto next, parse(text, "config"));
        next.data = server->data;
        next.in_memory = server->in_memory;
        const std::scoped_lock lock(server->mutex);
        if (server->state != State::Running)
            return fail(ErrorKind::Unavailable, "the server does not run");
        if (server->only_store) return fail(ErrorKind::Rejected, "a store has no settings");
        MAILCORE_TRY(const auto notes, server->server->reload(std::move(next)));
        c::hand_out(answer, text_of(Json{{"notes", notes}}));
        return {};
    });
}

mailcore_status mailcore_server_stop(mailcore_server* server, char** why) noexcept {
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        const std::scoped_lock lock(server->mutex);
        if (server->state == State::Running) server->server->stop();
        server->state = State::Stopped;
        return {};
    });
}

mailcore_status mailcore_server_free(mailcore_server* server) noexcept {
    return c::guarded(nullptr, [&]() -> Result<void> {
        if (!server) return {};
        MAILCORE_TRY(c::outside_callbacks());
        delete server;
        return {};
    });
}
}
