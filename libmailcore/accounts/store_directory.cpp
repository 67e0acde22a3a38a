#include "libmailcore/accounts/store_directory.h"

#include "libmailcore/accounts/detail/directory_rows.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/sasl/prepare.h"

#include <fmt/format.h>

namespace mailcore::accounts {

namespace {

using detail::AddressEntry;
using detail::AddressOfAccount;

constexpr std::string_view postmaster_name = "postmaster";

/// Checked in place of a user's who does not exist: as much work, never right.
std::string make_decoy(Random& random, const crypto::PasswordCost& cost) {
    crypto::PasswordHash decoy;
    decoy.cost = cost;
    std::array<unsigned char, 48> octets{};
    random.fill(octets);
    decoy.salt.assign(octets.begin(), octets.begin() + 16);
    decoy.hash.assign(octets.begin() + 16, octets.end());
    return decoy.to_string();
}

/// The form in which a password is hashed; as it is where it cannot be prepared, so that it is
/// wrong and costs the same.
Secret prepared(const Secret& password) {
    auto text = sasl::prepare_password(password);
    return text ? *std::move(text) : password;
}

DetailFolder folder_rule(const Account& account, const Domain& domain) {
    if (account.detail_folder != DetailFolder::Default) return account.detail_folder;
    return domain.detail_folder == DetailFolder::Default ? DetailFolder::Ignored
                                                         : domain.detail_folder;
}

TxnTask<Result<Lookup>> to_entry(ReadTransaction& txn, AddressEntry entry, Domain domain,
                                 std::string detail) {
    if (auto* alias = std::get_if<Alias>(&entry)) {
        ToAddresses to;
        to.targets = std::move(alias->targets);
        co_return Lookup(std::move(to));
    }
    MAILCORE_CO_TRY(auto account, read_account(txn, std::get<AddressOfAccount>(entry).account));
    if (account.status == AccountStatus::Disabled) co_return Lookup(ToDisabled{});
    ToAccount to;
    to.account = account.id;
    to.detail_folder = folder_rule(account, domain);
    to.address = std::move(account.address);
    to.detail = std::move(detail);
    co_return Lookup(std::move(to));
}

TxnTask<Result<Lookup>> to_postmaster(ReadTransaction& txn) {
    MAILCORE_CO_TRY(auto address, detail::postmaster(txn));
    if (!address) co_return Lookup(ToNobody{});
    ToAddresses to;
    to.targets.push_back(*std::move(address));
    co_return Lookup(std::move(to));
}

TxnTask<Result<Lookup>> look_up(ReadTransaction& txn, Address address) {
    const bool postmaster = codec::equal_ignoring_case(address.local, postmaster_name);
    if (address.domain.empty()) {
        // RFC 5321 §4.5.1: "Postmaster" without a domain is ours whatever we are called.
        if (postmaster) {
            co_return co_await to_postmaster(txn);
        }
        co_return Lookup(ToNobody{});
    }
    MAILCORE_CO_TRY(const auto domain, detail::effective_domain(txn, address.domain));
    if (!domain) co_return Lookup(ToRemote{});
    if (domain->disabled) co_return Lookup(ToDisabled{});
    MAILCORE_CO_TRY(auto exact, detail::find_address(txn, domain->id, address.local));
    if (exact) {
        co_return co_await to_entry(txn, *std::move(exact), *domain, std::string());
    }
    const auto cut = address.local.find_first_of(domain->detail_separators);
    if (cut != std::string::npos && cut > 0) {
        auto user = address.local.substr(0, cut);
        auto more = address.local.substr(cut + 1);
        MAILCORE_CO_TRY(auto base, detail::find_address(txn, domain->id, std::move(user)));
        if (base) {
            co_return co_await to_entry(txn, *std::move(base), *domain, std::move(more));
        }
    }
    if (postmaster) {
        co_return co_await to_postmaster(txn);
    }
    auto everything = Address::parse(domain->catch_all);
    if (!everything) co_return Lookup(ToNobody{});
    ToAddresses to;
    to.targets.push_back(*std::move(everything));
    to.catch_all = true;
    co_return Lookup(std::move(to));
}

} // namespace

/// Whoever a login could be, as the store has it at that moment.
struct StoreDirectory::Candidate {
    std::string key; ///< by which failures are counted
    bool may_log_in = false;
    AccountId account;
    Address address;
    Credentials credentials;
    std::vector<AppPassword> app_passwords;

    static TxnTask<Result<Candidate>> find(ReadTransaction& txn, Address address) {
        Candidate candidate;
        MAILCORE_CO_TRY(const auto domain, detail::effective_domain(txn, address.domain));
        if (!domain) co_return candidate;
        MAILCORE_CO_TRY(const auto entry, detail::find_address(txn, domain->id, address.local));
        const auto* owner = entry ? std::get_if<AddressOfAccount>(&*entry) : nullptr;
        if (!owner) co_return candidate;
        MAILCORE_CO_TRY(auto account, read_account(txn, owner->account));
        MAILCORE_CO_TRY(candidate.credentials, read_credentials(txn, account.id));
        MAILCORE_CO_TRY(candidate.app_passwords, list_app_passwords(txn, account.id));
        candidate.account = account.id;
        candidate.may_log_in = account.status == AccountStatus::Active && !domain->disabled;
        candidate.address = std::move(account.address);
        co_return candidate;
    }
};

StoreDirectory::StoreDirectory(store::Store& store, Random& random, StoreDirectoryOptions options,
                               Log log)
    : store_(store), random_(random), options_(std::move(options)), log_(log),
      guard_(options_.guard), cache_(random, options_.cache), hashing_(options_.hashing),
      decoy_hash_(make_decoy(random, options_.password_cost)) {}

Task<Result<Lookup>> StoreDirectory::lookup(Address address) {
    auto work = [address = std::move(address)](ReadTransaction& txn) {
        return look_up(txn, address);
    };
    co_return co_await store_.read(std::move(work));
}

Task<Result<bool>> StoreDirectory::is_local(std::string domain) {
    auto work = [domain = std::move(domain)](ReadTransaction& txn) {
        return find_domain(txn, domain);
    };
    auto answer = co_await store_.read(std::move(work));
    if (!answer) co_return std::unexpected(answer.error());
    co_return answer->has_value();
}

Task<Result<Account>> StoreDirectory::account(AccountId id) {
    auto work = [id](ReadTransaction& txn) { return read_account(txn, id); };
    co_return co_await store_.read(std::move(work));
}

Task<Result<bool>> StoreDirectory::may_send_as(AccountId account, Address sender) {
    MAILCORE_CO_TRY(const auto found, lookup(sender));
    if (const auto* to = std::get_if<ToAccount>(&found)) co_return to->account == account;
    const auto* more = std::get_if<ToAddresses>(&found);
    if (!more || more->catch_all) co_return false;
    for (const auto& target : more->targets) {
        MAILCORE_CO_TRY(const auto next, lookup(target));
        const auto* to = std::get_if<ToAccount>(&next);
        if (to && to->account == account) co_return true;
    }
    co_return false;
}

std::optional<Address> StoreDirectory::user_address(std::string_view user) const {
    if (user.find('@') != std::string_view::npos) return Address::parse(user);
    if (options_.default_domain.empty()) return std::nullopt;
    return Address::of(user, options_.default_domain);
}

Task<Result<StoreDirectory::Candidate>> StoreDirectory::find_candidate(std::string user) {
    Candidate candidate;
    const auto address = user_address(user);
    // A name that cannot be one is looked for all the same: it takes as long.
    auto wanted = address.value_or(Address{});
    auto work = [wanted = std::move(wanted)](ReadTransaction& txn) {
        return Candidate::find(txn, wanted);
    };
    MAILCORE_CO_TRY(candidate, store_.read(std::move(work)));
    if (candidate.account.value != 0) {
        // All addresses of an account are one to who guesses its password.
        candidate.key = fmt::format("#{}", candidate.account.value);
    } else if (address) {
        candidate.key = *local_part_key(address->local) + '@' + address->domain;
    } else {
        candidate.key = codec::lower(std::string_view(user).substr(0, 320));
    }
    co_return candidate;
}

/// False: it is refused.
Task<Result<bool>> StoreDirectory::wait_for_turn(std::string user, IpAddress peer) {
    auto& scheduler = co_await base::current_scheduler();
    const auto admission = guard_.admit(user, peer, scheduler.now());
    if (admission.refused) co_return false;
    if (admission.at > scheduler.now()) {
        co_await base::sleep_until(admission.at);
    }
    co_return true;
}

Task<Result<bool>> StoreDirectory::still_valid(AccountId account,
                                               std::uint64_t credential_version) {
    auto work = [account, credential_version](ReadTransaction& txn) -> TxnTask<Result<bool>> {
        auto row = co_await read_account(txn, account);
        if (!row && row.error().kind == ErrorKind::NotFound) co_return false;
        if (!row) co_return std::unexpected(row.error());
        MAILCORE_CO_TRY(const auto domain, detail::effective_domain(txn, row->address.domain));
        MAILCORE_CO_TRY(const auto credentials, read_credentials(txn, account));
        co_return row->status == AccountStatus::Active&& domain && !domain->disabled &&
            credentials.version == credential_version;
    };
    co_return co_await store_.read(std::move(work));
}

/// Counts and logs how it ended. What was right a moment ago must still be.
Task<Result<LoginAnswer>> StoreDirectory::conclude(Login login, Candidate candidate,
                                                   LoginAnswer answer) {
    if (answer.outcome == LoginOutcome::Accepted) {
        MAILCORE_CO_TRY(const auto valid,
                        still_valid(candidate.account, candidate.credentials.version));
        if (!valid) answer.outcome = LoginOutcome::Denied;
    }
    auto& scheduler = co_await base::current_scheduler();
    if (answer.outcome == LoginOutcome::Accepted) {
        guard_.succeeded(candidate.key, login.peer, scheduler.now());
        answer.account = candidate.account;
        answer.address = candidate.address;
        answer.credential_version = candidate.credentials.version;
        co_return answer;
    }
    guard_.failed(candidate.key, login.peer, scheduler.now());
    // Of names that are nobody's only the address is logged: people type passwords there.
    MAILCORE_LOG(log_, Warning, "login.denied",
                 {{"account", candidate.account},
                  {"service", login.service},
                  {"peer", login.peer.to_string()}});
    co_return answer;
}

Task<Result<LoginAnswer>> StoreDirectory::authenticate(Login login) {
    MAILCORE_CO_TRY(auto candidate, find_candidate(login.user));
    auto& scheduler = co_await base::current_scheduler();
    LoginAnswer answer;
    answer.rights = store::Rights::all();
    const auto password = prepared(login.password);
    if (candidate.may_log_in && !candidate.credentials.password_hash.empty() &&
        cache_.contains(candidate.account, candidate.credentials.version, password,
                        scheduler.now())) {
        answer.outcome = LoginOutcome::Accepted;
        answer.account = candidate.account;
        answer.address = candidate.address;
        answer.credential_version = candidate.credentials.version;
        co_return answer;
    }
    MAILCORE_CO_TRY(const auto admitted, wait_for_turn(candidate.key, login.peer));
    if (!admitted) {
        MAILCORE_LOG(log_, Warning, "login.throttled",
                     {{"account", candidate.account},
                      {"service", login.service},
                      {"peer", login.peer.to_string()}});
        answer.outcome = LoginOutcome::Throttled;
        co_return answer;
    }

    const auto digest = app_password_digest(login.password);
    for (const auto& own : candidate.app_passwords) {
        if (!candidate.may_log_in || !crypto::equal_constant_time(own.digest, digest)) continue;
        answer.outcome = LoginOutcome::Accepted;
        answer.rights = own.rights;
        answer.app_password = own.id;
        co_return co_await conclude(std::move(login), std::move(candidate), std::move(answer));
    }

    const bool real = candidate.may_log_in && !candidate.credentials.password_hash.empty();
    auto hash = real ? candidate.credentials.password_hash : decoy_hash_;
    const auto cost = options_.password_cost;
    auto verify = [password, hash, cost] { return crypto::verify_password(password, hash, cost); };
    MAILCORE_CO_TRY(const auto checked, hashing_.run(std::move(verify)));
    if (!checked) co_return std::unexpected(checked.error());
    const bool right = real && *checked != crypto::PasswordMatch::No;
    answer.outcome = right ? LoginOutcome::Accepted : LoginOutcome::Denied;
    const auto id = candidate.account;
    const auto version = candidate.credentials.version;
    const bool lacks_keys = lacks_scram_keys(candidate.credentials);
    MAILCORE_CO_TRY(auto concluded,
                    conclude(std::move(login), std::move(candidate), std::move(answer)));
    if (concluded.outcome != LoginOutcome::Accepted) co_return concluded;
    cache_.add(id, version, password, scheduler.now());
    if (*checked == crypto::PasswordMatch::YesButWeak || lacks_keys) {
        // Of no consequence for this login if it fails; the next one tries again.
        const auto renewed = co_await renew_credentials(id, version, password);
        if (!renewed)
            MAILCORE_LOG(log_, Warning, "login.rehash_failed",
                         {{"account", id}, {"error", renewed.error().detail}});
    }
    co_return concluded;
}

bool StoreDirectory::lacks_scram_keys(const Credentials& credentials) const {
    return std::ranges::any_of(options_.scram, [&](sasl::ScramHash hash) {
        return credentials.scram_keys(hash) == nullptr;
    });
}

Task<Result<StoreDirectory::Kept>> StoreDirectory::derive(Secret password) {
    auto work = [plain = std::move(password), hashes = options_.scram,
                 iterations = options_.scram_iterations, cost = options_.password_cost,
                 random = &random_]() -> Result<Kept> {
        Kept kept;
        MAILCORE_TRY(kept.hash, crypto::hash_password(plain, *random, cost));
        for (const auto hash : hashes) {
            MAILCORE_TRY(auto keys, sasl::make_scram_keys(hash, plain, *random, iterations));
            kept.scram.push_back(std::move(keys));
        }
        return kept;
    };
    MAILCORE_CO_TRY(auto kept, hashing_.run(std::move(work)));
    co_return kept;
}

/// The same password, at the cost and with the keys that are wanted now. Its version stays: nobody
/// has to log in again.
Task<Result<void>> StoreDirectory::renew_credentials(AccountId id, std::uint64_t version,
                                                     Secret password) {
    MAILCORE_CO_TRY(auto kept, derive(std::move(password)));
    auto put = [id, version, kept](WriteTransaction& txn) -> TxnTask<Result<void>> {
        MAILCORE_CO_TRY(auto credentials, read_credentials(txn, id));
        if (credentials.version != version) co_return Result<void>{};
        credentials.password_hash = kept.hash;
        credentials.scram = kept.scram;
        txn.put(detail::key(detail::Table::Credentials).id(id).str(), detail::encode(credentials));
        co_return Result<void>{};
    };
    co_return co_await store_.write(std::move(put));
}

Task<Result<ScramLogin>> StoreDirectory::begin_scram(Login login, sasl::ScramHash hash) {
    MAILCORE_CO_TRY(auto candidate, find_candidate(login.user));
    ScramLogin begun;
    MAILCORE_CO_TRY(const auto admitted, wait_for_turn(candidate.key, login.peer));
    if (!admitted) {
        begun.outcome = LoginOutcome::Throttled;
        co_return begun;
    }
    begun.outcome = LoginOutcome::Accepted;
    const auto* const keys = candidate.credentials.scram_keys(hash);
    if (!candidate.may_log_in || keys == nullptr) co_return begun;
    begun.keys = *keys;
    begun.account = candidate.account;
    begun.address = std::move(candidate.address);
    begun.rights = store::Rights::all();
    begun.credential_version = candidate.credentials.version;
    co_return begun;
}

Task<Result<LoginAnswer>> StoreDirectory::end_scram(Login login, ScramLogin begun,
                                                    LoginOutcome proof) {
    MAILCORE_CO_TRY(auto candidate, find_candidate(login.user));
    LoginAnswer answer;
    answer.rights = begun.rights;
    const bool same = candidate.account == begun.account &&
                      candidate.credentials.version == begun.credential_version;
    if (proof == LoginOutcome::Accepted && begun.account.value != 0 && same)
        answer.outcome = LoginOutcome::Accepted;
    co_return co_await conclude(std::move(login), std::move(candidate), std::move(answer));
}

Task<Result<LoginAnswer>> StoreDirectory::admit(Login login) {
    MAILCORE_CO_TRY(auto candidate, find_candidate(login.user));
    MAILCORE_CO_TRY(const auto admitted, wait_for_turn(candidate.key, login.peer));
    LoginAnswer answer;
    answer.rights = store::Rights::all();
    if (!admitted) {
        answer.outcome = LoginOutcome::Throttled;
        co_return answer;
    }
    if (candidate.may_log_in) answer.outcome = LoginOutcome::Accepted;
    co_return co_await conclude(std::move(login), std::move(candidate), std::move(answer));
}

Task<Result<void>> StoreDirectory::set_password(AccountId id, Secret password) {
    if (password.size() < options_.password_octets_min)
        co_return fail(ErrorKind::Rejected, "the password is too short");
    if (password.size() > options_.password_octets_max)
        co_return fail(ErrorKind::Rejected, "the password is too long");
    const auto text = sasl::prepare_password(password);
    if (!text)
        co_return fail(ErrorKind::Rejected, "the password has characters that are not allowed");
    MAILCORE_CO_TRY(auto kept, derive(*text));
    Credentials credentials;
    credentials.password_hash = std::move(kept.hash);
    credentials.scram = std::move(kept.scram);
    auto put = [id, credentials](WriteTransaction& txn) {
        return set_credentials(txn, id, credentials);
    };
    auto stored = co_await store_.write(std::move(put));
    if (!stored) co_return std::unexpected(stored.error());
    cache_.drop(id);
    MAILCORE_LOG(log_, Info, "account.password_set", {{"account", id}});
    co_return Result<void>{};
}

Task<Result<Secret>> StoreDirectory::make_app_password(AccountId id, std::string label,
                                                       store::Rights rights) {
    auto password = accounts::make_app_password(random_);
    AppPassword row;
    row.label = std::move(label);
    row.digest = app_password_digest(password);
    row.rights = rights;
    auto put = [id, row](WriteTransaction& txn) { return add_app_password(txn, id, row); };
    auto stored = co_await store_.write(std::move(put));
    if (!stored) co_return std::unexpected(stored.error());
    MAILCORE_LOG(log_, Info, "account.app_password_made", {{"account", id}});
    co_return password;
}

Task<Result<void>> StoreDirectory::revoke_app_password(AccountId id, std::uint64_t which) {
    auto erase = [id, which](WriteTransaction& txn) { return remove_app_password(txn, id, which); };
    auto stored = co_await store_.write(std::move(erase));
    if (!stored) co_return stored;
    cache_.drop(id);
    MAILCORE_LOG(log_, Info, "account.app_password_revoked", {{"account", id}});
    co_return stored;
}

} // namespace mailcore::accounts
