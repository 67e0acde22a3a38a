#include "libmailcore/accounts/credential.h"

#include "libmailcore/accounts/account.h"
#include "libmailcore/accounts/detail/directory_rows.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/bytes.h"
#include "libmailcore/crypto/hash.h"

#include <algorithm>

namespace mailcore::accounts {

namespace {

using detail::Table;

/// 32 of them, so that five bits are one; without 0, 1, l and o.
constexpr std::string_view alphabet = "23456789abcdefghijkmnpqrstuvwxyz";
static_assert(alphabet.size() == 32);
constexpr std::size_t app_password_characters = 20;
constexpr std::size_t group_characters = 4;

std::string credentials_key(AccountId id) { return detail::key(Table::Credentials).id(id).str(); }

} // namespace

const ScramKeys* Credentials::scram_keys(sasl::ScramHash hash) const {
    const auto found = std::ranges::find(scram, hash, &ScramKeys::hash);
    return found == scram.end() ? nullptr : &*found;
}

Secret make_app_password(Random& random) {
    std::array<unsigned char, app_password_characters> octets{};
    random.fill(octets);
    std::string text;
    for (std::size_t n = 0; n < octets.size(); ++n) {
        if (n != 0 && n % group_characters == 0) text += '-';
        text += alphabet[octets[n] % alphabet.size()];
    }
    return Secret(std::move(text));
}

std::string app_password_digest(const Secret& password) {
    std::string plain;
    for (const char c : password.reveal())
        if (c != '-' && c != ' ') plain += codec::lower(c);
    const Secret wiped(std::move(plain));
    const auto digest = crypto::Sha256::of(wiped.reveal());
    return std::string(crypto::octets_of(digest));
}

TxnTask<Result<Credentials>> read_credentials(ReadTransaction& txn, AccountId id) {
    const auto key = credentials_key(id);
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "account");
    co_return detail::decode_credentials(*row);
}

TxnTask<Result<std::uint64_t>> set_credentials(WriteTransaction& txn, AccountId id,
                                               Credentials credentials) {
    MAILCORE_CO_TRY(read_account(txn, id));
    auto key = credentials_key(id);
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    std::uint64_t last = 0;
    if (row) {
        const auto old = detail::decode_credentials(*row);
        if (!old) co_return std::unexpected(old.error());
        last = old->version;
    }
    credentials.version = last + 1;
    credentials.changed = txn.now();
    txn.put(std::move(key), detail::encode(credentials));
    co_return credentials.version;
}

TxnTask<Result<std::uint64_t>> add_app_password(WriteTransaction& txn, AccountId id,
                                                AppPassword password) {
    MAILCORE_CO_TRY(read_account(txn, id));
    MAILCORE_CO_TRY(const auto others, list_app_passwords(txn, id));
    if (others.size() >= app_passwords_max)
        co_return fail(ErrorKind::LimitExceeded, "app passwords");
    if (password.label.size() > 256)
        co_return fail(ErrorKind::Rejected, "label of an app password");
    password.id = txn.next_id();
    password.created = txn.now();
    txn.put(detail::key(Table::AppPassword).id(id).u64(password.id).str(),
            detail::encode(password));
    co_return password.id;
}

TxnTask<Result<void>> remove_app_password(WriteTransaction& txn, AccountId id,
                                          std::uint64_t which) {
    auto key = detail::key(Table::AppPassword).id(id).u64(which).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "app password");
    txn.erase(std::move(key));
    MAILCORE_CO_TRY(const auto credentials, read_credentials(txn, id));
    MAILCORE_CO_TRY(set_credentials(txn, id, credentials));
    co_return Result<void>{};
}

TxnTask<Result<std::vector<AppPassword>>> list_app_passwords(ReadTransaction& txn, AccountId id) {
    const auto all = detail::key(Table::AppPassword).id(id);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, app_passwords_max));
    std::vector<AppPassword> passwords;
    for (const auto& row : rows) {
        codec::Reader number(std::string_view(row.key).substr(row.key.size() - 8));
        auto password = detail::decode_app_password(number.u64be(), row.value);
        if (!password) co_return std::unexpected(password.error());
        passwords.push_back(*std::move(password));
    }
    co_return passwords;
}

} // namespace mailcore::accounts
