#include "tests/sim/pair.h"

namespace mailcore::sim {

bool Pair::move(Driver& from, Driver& to, std::string& under_way) {
    under_way += from.take_output();
    if (!under_way.empty() && !to.closed() && !to.wants_tls()) {
        const auto count = random_ ? 1 + random_->below(under_way.size()) : under_way.size();
        to.offer(std::string_view(under_way).substr(0, count));
        under_way.erase(0, count);
        return true;
    }
    if (from.closed() && under_way.empty() && !to.closed()) {
        to.end();
        if (!to.closed() && to.unread() == 0) to.cut();
        return true;
    }
    return false;
}

void Pair::settle() {
    while (true) {
        bool progress = scheduler_.run_ready() > 0;
        progress |= move(client_, server_, to_server_);
        progress |= move(server_, client_, to_client_);
        if (client_.wants_tls() && server_.wants_tls()) {
            to_server_.clear();
            to_client_.clear();
            server_.tls_started(tls_facts);
            client_.tls_started(tls_facts);
            progress = true;
        }
        if (!progress) return;
    }
}

bool Pair::run_until(const std::function<bool()>& done, base::Instant limit) {
    while (true) {
        settle();
        if (done()) return true;
        const auto next = scheduler_.next_timer();
        if (!next || *next > limit) return false;
        scheduler_.step();
    }
}

} // namespace mailcore::sim
