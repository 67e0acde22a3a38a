#include "libmailcore/server/message_trial.h"

#include "libmailcore/delivery/rule_names.h"
#include "libmailcore/dns/zone.h"
#include "libmailcore/filter/memory_rule_store.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/net/loops.h"

#include <algorithm>
#include <fmt/format.h>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>

namespace mailcore::server {

namespace {

using Json = nlohmann::json;

class TextOctets final : public filter::MessageOctets {
  public:
    explicit TextOctets(const std::string& text) : text_(text) {}
    std::uint64_t size() const override { return text_.size(); }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        if (offset >= text_.size()) co_return std::string{};
        co_return text_.substr(static_cast<std::size_t>(offset), octets);
    }

  private:
    const std::string& text_; // the caller's
};

std::string with_crlf(const std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
        out += text[i];
    }
    return out;
}

Task<void> run(filter::LuaRules& rules, filter::Context& context,
               std::promise<filter::TrialResult>& done) {
    auto result = co_await filter::try_rules(rules, context);
    done.set_value(std::move(result));
}

std::vector<std::string> fields_of(const std::string& header) {
    std::vector<std::string> fields;
    mime::HeaderScanner scanner(header);
    while (auto field = scanner.next()) {
        auto text = header.substr(field->offset, field->octets);
        while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
        fields.push_back(std::move(text));
    }
    return fields;
}

std::vector<std::string> difference(const std::string& before, const std::string& after) {
    const auto old_fields = fields_of(before);
    auto rest = fields_of(after);
    std::vector<std::string> lines;
    for (const auto& field : old_fields)
        if (const auto same = std::ranges::find(rest, field); same != rest.end())
            rest.erase(same);
        else
            lines.push_back("- " + field);
    for (const auto& field : rest) lines.push_back("+ " + field);
    return lines;
}

void append_mailboxes(std::span<const mime::AddressView> list, std::size_t addresses_max,
                      std::vector<std::string>& into) {
    for (const auto& each : list)
        if (each.kind == mime::Address::Kind::Mailbox && into.size() < addresses_max)
            into.push_back(std::string(each.local) + "@" + std::string(each.domain));
}

Result<filter::Context> context_of(const MessageTrial& trial, const std::string& message,
                                   const mime::Structure& structure) {
    filter::Context context;
    const auto address = IpAddress::parse(trial.ip);
    if (!address) return fail(ErrorKind::Rejected, "ip: not an address: " + trial.ip);
    context.peer.transport = PeerInfo::Transport::Tcp;
    context.peer.address = *address;
    context.helo = trial.helo;
    context.account = trial.account;
    context.submission = !trial.account.empty();
    context.sender = trial.sender;
    context.recipients = trial.recipients;
    constexpr std::size_t recipients_max = 1000;
    if (context.sender.empty()) {
        std::vector<std::string> from;
        append_mailboxes(structure.envelope().from, 1, from);
        if (!from.empty()) context.sender = std::move(from.front());
    }
    if (context.recipients.empty())
        append_mailboxes(structure.envelope().to, recipients_max, context.recipients);
    context.header = message.substr(0, mime::header_octets(message));
    if (context.header.ends_with("\r\n\r\n")) context.header.resize(context.header.size() - 2);
    context.size = message.size();
    return context;
}

Json json_of(const filter::TrialStep& step) {
    return Json{{"rule", step.rule},
                {"stage", to_string(step.stage)},
                {"recipient", step.recipient},
                {"verdict", to_string(step.verdict.kind)},
                {"code", step.verdict.code},
                {"enhanced", step.verdict.enhanced},
                {"text", step.verdict.text},
                {"target", step.verdict.target},
                {"error", step.error},
                {"edits", step.edits},
                {"said", step.said},
                {"instructions", step.instructions},
                {"nanoseconds", step.busy.count()}};
}

} // namespace

bool TriedMessage::failed() const {
    return std::ranges::any_of(result.steps, [](const auto& step) { return !step.error.empty(); });
}

Result<TriedMessage> try_message(const MessageTrial& trial) {
    const auto message = with_crlf(trial.message);
    const auto structure = mime::parse(message);
    TextOctets octets(message);
    MAILCORE_TRY(auto context, context_of(trial, message, structure));
    const auto header = context.header;
    context.structure = &structure;
    context.octets = &octets;

    dns::Zone zone;
    for (const auto& record : trial.records)
        if (const auto added = zone.add(record); !added)
            return fail(ErrorKind::Rejected,
                        fmt::format("record: {} expected at {}: {}", added.error().expected,
                                    added.error().offset, record));
    MAILCORE_TRY(const auto loops, net::Loops::create({1, 1}));
    auto& loop = (*loops)[0];
    delivery::ResolverNames names(zone);
    filter::MemoryRuleStore store(loop);
    filter::RuleLimits limits;
    limits.look_every = 1; // counts exactly
    MAILCORE_TRY(auto rules,
                 filter::LuaRules::load(trial.source, limits, {loop, &names, &store, {}}));

    loops->start();
    std::unique_ptr<Scope> scope; // lives on the loop
    std::promise<filter::TrialResult> done;
    loop.post([&] {
        scope = std::make_unique<Scope>(loop);
        scope->spawn(run(rules, context, done));
    });
    TriedMessage tried;
    tried.result = done.get_future().get();
    std::promise<void> gone;
    loop.post([&] {
        scope.reset();
        gone.set_value();
    });
    gone.get_future().wait();
    loops->stop();
    tried.header_changes = difference(header, tried.result.header);
    return tried;
}

std::string to_json(const TriedMessage& tried) {
    Json steps = Json::array();
    for (const auto& step : tried.result.steps) steps.push_back(json_of(step));
    return Json{{"steps", std::move(steps)},
                {"verdict", to_string(tried.result.verdict.kind)},
                {"header_changes", tried.header_changes},
                {"appended_text", tried.result.appended_text}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace mailcore::server
