// Rules to check and to try, without a server.
#include "bindings/c/boundary.h"

#include "libmailcore/server/message_trial.h"

#include <nlohmann/json.hpp>

using namespace mailcore;

namespace {

using Json = nlohmann::json;

/// A request, whose fields are taken one by one; what is left in the end is unknown.
class Request {
  public:
    static Result<Request> parse(const char* text) {
        MAILCORE_TRY(c::needed(text, "request"));
        MAILCORE_TRY(const auto copy, c::take_text(text, "request"));
        auto json = Json::parse(copy, nullptr, false);
        if (!json.is_object()) return fail(ErrorKind::Rejected, "the request is no JSON object");
        return Request(std::move(json));
    }

    Result<void> take(const char* name, std::string& into) {
        const auto found = json_.find(name);
        if (found == json_.end()) return {};
        if (!found->is_string()) return wrong(name, "a text");
        into = found->get<std::string>();
        json_.erase(found);
        return {};
    }
    Result<void> take(const char* name, std::vector<std::string>& into) {
        const auto found = json_.find(name);
        if (found == json_.end()) return {};
        if (!found->is_array()) return wrong(name, "a list of texts");
        for (const auto& each : *found) {
            if (!each.is_string()) return wrong(name, "a list of texts");
            into.push_back(each.get<std::string>());
        }
        json_.erase(found);
        return {};
    }
    Result<void> take(const char* name, std::vector<filter::RuleFile>& into) {
        const auto found = json_.find(name);
        if (found == json_.end()) return {};
        if (!found->is_object()) return wrong(name, "an object of texts");
        for (const auto& [file, text] : found->items()) {
            if (!text.is_string()) return wrong(name, "an object of texts");
            into.push_back({file, text.get<std::string>()});
        }
        json_.erase(found);
        return {};
    }
    Result<void> finish() const {
        if (json_.empty()) return {};
        return fail(ErrorKind::Rejected, json_.begin().key() + ": no such field");
    }

  private:
    explicit Request(Json json) : json_(std::move(json)) {}
    static std::unexpected<Error> wrong(const char* name, const char* expected) {
        return fail(ErrorKind::Rejected, std::string(name) + ": expected " + expected);
    }
    Json json_;
};

Result<filter::RuleSource> source_of(Request& request) {
    filter::RuleFile rule;
    rule.name = "rule.lua";
    MAILCORE_TRY(request.take("name", rule.name));
    MAILCORE_TRY(request.take("rule", rule.text));
    if (rule.text.empty()) return fail(ErrorKind::Rejected, "rule: expected a text");
    filter::RuleSource source;
    MAILCORE_TRY(request.take("lists", source.lists));
    source.rules.push_back(std::move(rule));
    return source;
}

} // namespace

extern "C" {

mailcore_status mailcore_rule_check(const char* request, char** answer, char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::needed(answer, "answer"));
        MAILCORE_TRY(auto fields, Request::parse(request));
        MAILCORE_TRY(const auto source, source_of(fields));
        MAILCORE_TRY(fields.finish());
        const base::SystemClock clock;
        Json problems = Json::array();
        for (const auto& problem : filter::check_rules(source, {}, clock))
            problems.push_back(problem.detail);
        c::hand_out(answer, Json{{"problems", std::move(problems)}}.dump(
                                -1, ' ', false, Json::error_handler_t::replace));
        return {};
    });
}

mailcore_status mailcore_rule_try(const char* request, const char* octets, size_t octets_length,
                                  char** answer, char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(answer, "answer"));
        MAILCORE_TRY(auto fields, Request::parse(request));
        MAILCORE_TRY(const auto message, c::take_octets(octets, octets_length));
        server::MessageTrial trial;
        MAILCORE_TRY(trial.source, source_of(fields));
        MAILCORE_TRY(fields.take("sender", trial.sender));
        MAILCORE_TRY(fields.take("recipients", trial.recipients));
        MAILCORE_TRY(fields.take("ip", trial.ip));
        MAILCORE_TRY(fields.take("helo", trial.helo));
        MAILCORE_TRY(fields.take("account", trial.account));
        MAILCORE_TRY(fields.take("records", trial.records));
        MAILCORE_TRY(fields.finish());
        trial.message = message;
        MAILCORE_TRY(const auto tried, server::try_message(trial));
        c::hand_out(answer, server::to_json(tried));
        return {};
    });
}
}
