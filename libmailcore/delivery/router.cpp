#include "libmailcore/delivery/router.h"

namespace mailcore::delivery {

Task<Result<Routing>> Router::route(std::string text) {
    const auto address = accounts::Address::parse(text);
    if (!address) co_return fail(ErrorKind::Rejected, "not an address");
    Routing routing;
    const auto to_remote = [&](const accounts::Address& target) {
        queue::Recipient recipient;
        recipient.address = target.to_string();
        recipient.route = queue::Route::Remote;
        recipient.destination = target.domain;
        routing.recipients.push_back(std::move(recipient));
    };

    // A plain foreign address is the sender's business; one behind an alias of ours is ours.
    if (!address->domain.empty()) {
        MAILCORE_CO_TRY(const bool local, directory_.is_local(address->domain));
        if (!local) {
            routing.kind = Routing::Kind::NotLocal;
            to_remote(*address);
            co_return routing;
        }
    }
    MAILCORE_CO_TRY(const auto expansion, accounts::expand(directory_, *address));
    for (const auto& local : expansion.local) {
        queue::Recipient recipient;
        recipient.address = local.original.to_string();
        recipient.route = queue::Route::Local;
        recipient.account = local.account;
        if (local.detail_folder == accounts::DetailFolder::IfExists)
            recipient.folder = local.detail;
        routing.recipients.push_back(std::move(recipient));
    }
    for (const auto& target : expansion.remote) to_remote(target);
    if (expansion.cut)
        routing.kind = Routing::Kind::Broken;
    else if (!routing.recipients.empty())
        routing.kind = Routing::Kind::Known;
    else if (!expansion.disabled.empty())
        routing.kind = Routing::Kind::Disabled;
    else if (expansion.unknown.empty())
        routing.kind = Routing::Kind::Broken; // aliases that lead to nothing but themselves
    else
        routing.kind = Routing::Kind::Unknown;
    co_return routing;
}

} // namespace mailcore::delivery
