// What a mailcore_server handle is.
#pragma once

#include "bindings/c/listeners.h"

#include "libmailcore/server/server.h"

#include <memory>
#include <mutex>
#include <string>

struct mailcore_server {
    enum class State : std::uint8_t { Bound, Running, Stopped };

    std::unique_ptr<mailcore::c::Listeners> listeners; // absent: nobody listens
    std::unique_ptr<mailcore::server::Server> server;
    std::string data;
    bool in_memory = false;
    bool only_store = false;

    std::mutex mutex; // of start, reload and stop
    State state = State::Bound;
};
