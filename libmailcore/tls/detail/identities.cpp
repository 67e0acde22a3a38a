#include "libmailcore/tls/detail/identities.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

namespace mailcore::tls::detail {

namespace {

const unsigned char* bytes(std::string_view octets) {
    return reinterpret_cast<const unsigned char*>(octets.data());
}

} // namespace

Result<Chain> parse_chain(const std::string& pem) {
    Chain chain;
    const int error = mbedtls_x509_crt_parse(chain.get(), bytes(pem), pem.size() + 1);
    if (error != 0)
        return fail(ErrorKind::Corrupt, error < 0
                                            ? "certificate: " + crypto::mbedtls::describe(error)
                                            : "certificate: one of the chain cannot be read");
    return chain;
}

Result<Key> parse_key(const Secret& pem) {
    Key key;
    const auto text = pem.reveal(); // a std::string's: a NUL follows
    if (const int error = mbedtls_pk_parse_key(key.get(), bytes(text), text.size() + 1, nullptr, 0,
                                               crypto::mbedtls::system_random, nullptr))
        return fail(ErrorKind::Corrupt, "private key: " + crypto::mbedtls::describe(error));
    return key;
}

void Identities::add(Identity identity) {
    const auto number = all_.size();
    for (const auto& name : identity.leaf.host_names) {
        auto& index = name.starts_with("*.") ? by_parent_ : by_name_;
        index[name.starts_with("*.") ? name.substr(1) : name].push_back(number);
    }
    all_.push_back(std::move(identity));
    if (all_.back().leaf.host_names == all_.front().leaf.host_names) default_.push_back(number);
}

const std::vector<std::size_t>* Identities::named(std::string_view server_name) const {
    if (const auto exact = by_name_.find(server_name); exact != by_name_.end())
        return &exact->second;
    // RFC 9525 §6.3: a wildcard stands for the whole left-most label.
    const auto dot = server_name.find('.');
    if (dot == std::string_view::npos || dot == 0) return nullptr;
    const auto wild = by_parent_.find(server_name.substr(dot));
    return wild == by_parent_.end() ? nullptr : &wild->second;
}

std::vector<std::size_t> Identities::select(std::string_view server_name, WallTime now) const {
    MAILCORE_ASSERT(!all_.empty());
    const auto* found = named(server_name);
    std::vector<std::size_t> selected = found != nullptr ? *found : default_;
    const auto valid = [&](std::size_t number) {
        const auto& leaf = all_[number].leaf;
        return leaf.not_before <= now && now <= leaf.not_after;
    };
    if (std::ranges::any_of(selected, valid))
        std::erase_if(selected, [&](std::size_t number) { return !valid(number); });
    return selected;
}

} // namespace mailcore::tls::detail
