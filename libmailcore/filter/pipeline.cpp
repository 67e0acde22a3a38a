#include "libmailcore/filter/pipeline.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::filter {

std::string_view to_string(Verdict::Kind kind) {
    switch (kind) {
    case Verdict::Kind::Continue: return "continue";
    case Verdict::Kind::Accept: return "accept";
    case Verdict::Kind::Reject: return "reject";
    case Verdict::Kind::Defer: return "defer";
    case Verdict::Kind::Discard: return "discard";
    case Verdict::Kind::Quarantine: return "quarantine";
    case Verdict::Kind::Redirect: return "redirect";
    case Verdict::Kind::Hold: return "hold";
    }
    return "unknown";
}

std::string_view to_string(Stage stage) {
    switch (stage) {
    case Stage::Connect: return "connect";
    case Stage::Helo: return "helo";
    case Stage::Auth: return "auth";
    case Stage::Mail: return "mail";
    case Stage::Rcpt: return "rcpt";
    case Stage::Headers: return "headers";
    case Stage::Message: return "message";
    case Stage::Deliver: return "deliver";
    case Stage::Sent: return "sent";
    }
    return "unknown";
}

namespace {

/// What a filter may have changed, so that it can be undone.
struct Edits {
    std::size_t header_edits, added, removed, tags, text;
    std::map<std::string, std::string, std::less<>> routes;
    std::optional<std::string> folder;
    double score;

    explicit Edits(const Context& context)
        : header_edits(context.header_edits.size()), added(context.added_recipients.size()),
          removed(context.removed_recipients.size()), tags(context.tags.size()),
          text(context.appended_text.size()), routes(context.routes), folder(context.folder),
          score(context.score) {}

    void restore(Context& context) const {
        const auto cut = [](auto& list, std::size_t size) {
            if (list.size() > size)
                list.erase(list.begin() + static_cast<std::ptrdiff_t>(size), list.end());
        };
        cut(context.header_edits, header_edits);
        cut(context.added_recipients, added);
        cut(context.removed_recipients, removed);
        cut(context.tags, tags);
        context.appended_text.resize(std::min(text, context.appended_text.size()));
        context.routes = routes;
        context.folder = folder;
        context.score = score;
    }
};

/// A reply's text is one printable line and its code fits its kind, whatever a rule has put there.
Verdict checked(Verdict verdict, std::string_view filter) {
    verdict.filter = filter;
    for (auto& octet : verdict.text)
        if (codec::is_control(octet)) octet = ' ';
    constexpr std::size_t text_octets_max = 400; // a reply line has 512 (RFC 5321 §4.5.3.1.5)
    if (verdict.text.size() > text_octets_max) verdict.text.resize(text_octets_max);
    if (verdict.kind == Verdict::Kind::Reject && (verdict.code < 500 || verdict.code > 599))
        verdict.code = 550;
    if (verdict.kind == Verdict::Kind::Defer && (verdict.code < 400 || verdict.code > 499))
        verdict.code = 451;
    return verdict;
}

} // namespace

Pipeline::Pipeline(std::vector<PipelineEntry> entries, Log log) : log_(log) {
    auto by_stage = std::make_shared<ByStage>();
    for (const auto& entry : entries)
        for (std::size_t stage = 0; stage < stages; ++stage)
            if (entry.filter->stages().has(static_cast<Stage>(stage)))
                (*by_stage)[stage].push_back(entry);
    by_stage_ = std::move(by_stage);
}

bool Pipeline::wants(Stage stage) const {
    return by_stage_ && !(*by_stage_)[static_cast<std::size_t>(stage)].empty();
}

Task<Verdict> Pipeline::judge(Stage stage, Context& context) const {
    return ask(by_stage_, log_, stage, context);
}

Task<Verdict> Pipeline::ask(std::shared_ptr<const ByStage> by_stage, Log log, Stage stage,
                            Context& context) {
    if (!by_stage) co_return Verdict::go_on();
    auto& scheduler = co_await base::current_scheduler();
    for (const auto& entry : (*by_stage)[static_cast<std::size_t>(stage)]) {
        const Edits before(context);
        const auto began = scheduler.now();
        MAILCORE_CO_AWAIT(auto answer, base::with_deadline(entry.filter->judge(stage, context),
                                                           began + entry.time_max));
        if (answer && *answer) {
            auto verdict = checked(std::move(**answer), entry.filter->name());
            if (verdict.kind == Verdict::Kind::Continue) continue;
            MAILCORE_LOG(log, Info, "filter.verdict",
                         {{"filter", entry.filter->name()},
                          {"stage", to_string(stage)},
                          {"verdict", to_string(verdict.kind)},
                          {"text", verdict.text}},
                         context.trace);
            co_return verdict;
        }
        before.restore(context);
        MAILCORE_LOG(log, Warning, "filter.failed",
                     {{"filter", entry.filter->name()},
                      {"stage", to_string(stage)},
                      {"error", answer ? answer->error().detail : std::string("out of time")}},
                     context.trace);
        if (entry.on_failure == OnFailure::Defer) {
            auto verdict = Verdict::defer("temporary failure of a mail filter", 451, "4.3.0");
            verdict.filter = entry.filter->name();
            co_return verdict;
        }
    }
    co_return Verdict::go_on();
}

} // namespace mailcore::filter
