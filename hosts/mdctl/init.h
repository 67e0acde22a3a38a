// mdctl init: a data folder that is ready to serve.
#pragma once

#include <string>
#include <vector>

namespace mdctl {

struct InitOptions {
    std::string folder;
    std::string domain;
    std::string hostname;
    unsigned port_base = 0;             ///< added to every port
    std::vector<std::string> addresses; ///< to listen on; empty: all
    std::string password;               ///< of the postmaster; empty: one is made
    bool json = false;
};

/// Makes folder, settings, certificate, store and postmaster, and prints what to publish in the
/// DNS.
int init(const InitOptions& options);

} // namespace mdctl
