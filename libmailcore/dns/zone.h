// A small DNS in memory: for tests, simulations, and embedders without a network.
#pragma once

#include "libmailcore/dns/caching_resolver.h"

#include <map>
#include <string_view>
#include <vector>

namespace mailcore::dns {

/// Records of any number of domains, answered at once or as scripted. Wildcards as in RFC 4592. It
/// is a Resolver for those who look up, and `respond` makes it a name server for those who speak
/// the wire. Meant for hundreds of records: what does not exist is found out by looking at all. One
/// thread only.
class Zone final : public Resolver, public Upstream {
  public:
    /// What happens to questions about a name, other than being answered.
    enum class Fault : std::uint8_t {
        ServFail, ///< Unavailable at once
        Silence,  ///< Unavailable after `timeout`
    };

    Zone() = default;
    /// Lines as `parse_record` reads them; empty lines and those that begin with `;` are skipped.
    /// Fails with the offset in `text`.
    Result<void, ParseError> add(std::string_view text);
    void add(Record record);
    void erase(const Name& name);
    /// All questions about `name`, whatever the type, meet `fault`, `times` times.
    void break_name(const Name& name, Fault fault,
                    std::size_t times = static_cast<std::size_t>(-1));
    void mend_name(const Name& name) { faults_.erase(name); }
    /// Answers about this name and all below are authenticated.
    void sign(const Name& name) { signed_.push_back(name); }
    /// How long Silence lasts. Default: 5 s.
    void set_timeout(std::chrono::milliseconds timeout) { timeout_ = timeout; }

    Task<Result<Answer>> lookup(Name name, Type type) override;
    Task<Result<Message>> ask(Question question) override;
    /// The response of a recursive server that knows all of this and nothing else; nothing:
    /// silence.
    [[nodiscard]] std::optional<Message> respond(const Message& query);
    /// All questions that came, oldest first; at most the last 4096.
    [[nodiscard]] const std::vector<Question>& asked() const { return asked_; }
    void forget_asked() { asked_.clear(); }

  private:
    struct BrokenName {
        Fault fault;
        std::size_t times;
    };
    [[nodiscard]] std::optional<Fault> take_fault(const Name& name);
    [[nodiscard]] Message answer(const Question& question) const;
    [[nodiscard]] bool exists(const Name& name) const;
    [[nodiscard]] std::optional<Name> source(const Name& name) const;
    [[nodiscard]] bool is_signed(const Name& name) const;
    void remember(const Question& question);

    std::multimap<Name, Record> records_;
    std::map<Name, BrokenName> faults_;
    std::vector<Name> signed_;
    std::vector<Question> asked_;
    std::chrono::milliseconds timeout_{5000};
};

} // namespace mailcore::dns
