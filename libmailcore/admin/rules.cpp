// Rules tried on the mail of the last days.
#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/accounts/account.h"
#include "libmailcore/filter/memory_rule_store.h"
#include "libmailcore/filter/rule_trial.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/received.h"
#include "libmailcore/mime/structure.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/mailbox.h"

#include <map>

namespace mailcore::admin::detail {

namespace {

using store::ReadTransaction;

/// A filed email without what was added on top of it when it came.
class EmailOctets final : public filter::MessageOctets {
  public:
    EmailOctets(store::Store& store, const store::Email& email) : store_(store), email_(email) {}
    std::uint64_t size() const override { return email_.size - email_.structure_offset; }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        return store::read_octets(store_, email_.pieces, email_.structure_offset + offset, octets);
    }

  private:
    store::Store& store_;
    const store::Email& email_; // outlives it
};

struct Replay {
    Replay(store::Store& a_store, filter::LuaRules& a_rules, WallTime a_since, std::size_t limit)
        : store(a_store), rules(a_rules), since(a_since), rows_max(limit) {}
    store::Store& store;
    filter::LuaRules& rules;
    WallTime since;
    std::size_t rows_max;
    std::uint64_t messages = 0, failed = 0;
    std::map<std::string, std::uint64_t> verdicts;
    Json rows = Json::array();
};

std::string value_of(std::string_view header, std::string_view name) {
    const auto field = mime::find_field(header, name);
    return field ? mime::unfolded(field->value) : std::string{};
}

/// What the fields added at arrival tell of the envelope and the peer.
void read_envelope(std::string_view above, const std::string& account, filter::Context& context) {
    auto path = value_of(above, "Return-Path");
    if (path.starts_with('<') && path.ends_with('>')) path = path.substr(1, path.size() - 2);
    context.sender = path;
    auto recipient = value_of(above, "Delivered-To");
    context.recipients = {recipient.empty() ? account : std::move(recipient)};
    const auto received = mime::parse_received(value_of(above, "Received"));
    context.helo = received.from;
    context.submission = received.with.find("SMTPA") != std::string::npos ||
                         received.with.find("SMTPSA") != std::string::npos;
    if (context.submission) context.account = context.sender;
    const auto open = received.from_comment.rfind('[');
    const auto close = received.from_comment.find(']', open == std::string::npos ? 0 : open);
    if (open == std::string::npos || close == std::string::npos) return;
    std::string_view text =
        std::string_view(received.from_comment).substr(open + 1, close - open - 1);
    if (text.starts_with("IPv6:")) text.remove_prefix(5);
    if (const auto address = IpAddress::parse(text)) {
        context.peer.transport = PeerInfo::Transport::Tcp;
        context.peer.address = *address;
    }
}

std::string kind_of(const filter::TrialResult& result) {
    if (result.verdict.kind != filter::Verdict::Kind::Continue)
        return std::string(to_string(result.verdict.kind));
    for (const auto& step : result.steps)
        if (step.verdict.refuses()) return std::string(to_string(step.verdict.kind));
    return "continue";
}

Task<Result<void>> replay_email(Replay& replay, const store::Email& email,
                                const std::string& account) {
    const auto structure = mime::Structure::decode_in_place(email.structure);
    if (!structure) co_return std::unexpected(structure.error());
    constexpr std::uint64_t header_octets_max = 1024 * 1024;
    const auto wanted =
        std::min(email.structure_offset + structure->message().body_begin, header_octets_max);
    auto header = co_await store::read_octets(replay.store, email.pieces, 0,
                                              static_cast<std::size_t>(wanted));
    if (!header) co_return std::unexpected(std::move(header).error());
    filter::Context context;
    EmailOctets octets(replay.store, email);
    const auto added = std::min<std::size_t>(email.structure_offset, header->size());
    read_envelope(std::string_view(*header).substr(0, added), account, context);
    context.header = header->substr(added);
    if (context.header.ends_with("\r\n\r\n")) context.header.resize(context.header.size() - 2);
    context.size = octets.size();
    context.structure = &*structure;
    context.octets = &octets;
    const auto result = co_await filter::try_rules(replay.rules, context);

    ++replay.messages;
    Json edits = Json::array();
    Json errors = Json::array();
    std::string text;
    std::string rule;
    for (const auto& step : result.steps) {
        for (const auto& edit : step.edits) edits.push_back(edit);
        if (!step.error.empty()) errors.push_back(step.error);
        if (step.verdict.kind != filter::Verdict::Kind::Continue) {
            text = step.verdict.text;
            rule = step.rule;
        }
    }
    if (!errors.empty()) ++replay.failed;
    const auto kind = kind_of(result);
    ++replay.verdicts[kind];
    const bool nothing = kind == "continue" && edits.empty() && errors.empty();
    if (nothing || replay.rows.size() >= replay.rows_max) co_return Result<void>{};
    const auto subject = structure->envelope().subject;
    replay.rows.push_back(
        Json{{"received", mime::format_utc(email.received.at)},
             {"account", account},
             {"sender", context.sender},
             {"subject", subject ? mime::decode_encoded_words(*subject) : std::string{}},
             {"verdict", kind},
             {"rule", rule},
             {"text", text},
             {"edits", std::move(edits)},
             {"errors", std::move(errors)}});
    co_return Result<void>{};
}

Task<Result<void>> replay_mailbox(Replay& replay, const accounts::Account& account,
                                  store::MailboxId mailbox) {
    auto& scheduler = co_await base::current_scheduler();
    const auto access = store::Access::owner(account.id);
    const store::MailboxRef ref{account.id, mailbox};
    store::Uid from{1};
    while (true) {
        MAILCORE_CO_TRY(auto batch, replay.store.read([access, ref, from](ReadTransaction& txn) {
            constexpr std::size_t emails_max = 32;
            const store::UidSet all(store::UidRange{store::Uid{1}, store::Uid{0xFFFFFFFF}});
            return store::read_emails(txn, access, ref, all, from, emails_max);
        }));
        for (const auto& each : batch.emails) {
            if (each.email.received.at < replay.since) continue;
            auto replayed = co_await replay_email(replay, each.email, account.address.to_string());
            // Expunged or damaged meanwhile: not worth the rest.
            if (!replayed) ++replay.failed;
            co_await base::sleep_until(scheduler.now()); // others' turn
        }
        if (!batch.next) co_return Result<void>{};
        from = *batch.next;
    }
}

} // namespace

Answer rule_replay(Context& context, std::string text) {
    Request request(text);
    filter::RuleSource source;
    source.rules.push_back({request.text("name"), request.text("rule")});
    if (request.has("list_names")) {
        const auto names = request.texts("list_names");
        const auto texts = request.texts("list_texts");
        for (std::size_t i = 0; i < std::min(names.size(), texts.size()); ++i)
            source.lists.push_back({names[i], texts[i]});
    }
    constexpr std::uint64_t week = 7 * 86'400;
    const auto seconds = request.number_or("seconds", week);
    constexpr std::uint64_t rows_most = 10'000;
    const auto limit = std::min(request.number_or("limit", 1'000), rows_most);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));

    auto& scheduler = co_await base::current_scheduler();
    filter::MemoryRuleStore rows(scheduler);
    const filter::RulePorts ports{scheduler, nullptr, &rows, Log{}};
    auto rules = filter::LuaRules::load(source, filter::RuleLimits{}, ports);
    if (!rules) co_return std::unexpected(std::move(rules).error());
    constexpr std::uint64_t seconds_max = 100ULL * 366 * 86'400;
    Replay replay(context.store, *rules,
                  scheduler.wall_now() - std::chrono::seconds{std::min(seconds, seconds_max)},
                  limit);
    store::AccountId after;
    while (true) {
        MAILCORE_CO_TRY(const auto batch, context.store.read([after](ReadTransaction& txn) {
            return accounts::list_accounts(txn, after, 64);
        }));
        if (batch.empty()) break;
        for (const auto& account : batch) {
            MAILCORE_CO_TRY(const auto list,
                            context.store.read([id = account.id](ReadTransaction& txn) {
                                return store::list_mailboxes(txn, store::Access::owner(id), id);
                            }));
            for (const auto& listed : list.mailboxes) {
                const auto role = listed.mailbox.role;
                if (!listed.mailbox.selectable || role == store::Role::Sent ||
                    role == store::Role::Drafts)
                    continue;
                MAILCORE_CO_TRY(replay_mailbox(replay, account, listed.mailbox.id));
            }
        }
        after = batch.back().id;
    }
    co_return Json{{"messages", replay.messages},
                   {"failed", replay.failed},
                   {"verdicts", replay.verdicts},
                   {"rows", std::move(replay.rows)}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace mailcore::admin::detail
