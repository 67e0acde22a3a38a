// An IMAP client (RFC 9051, RFC 3501) that reads fast: it counts, and looks at little.
#pragma once

#include "tests/bench/mdload/letters.h"
#include "tests/bench/mdload/text_client.h"

namespace mailcore::mdload {

/// One command at a time.
class ImapClient : public TextClient {
  public:
    using TextClient::TextClient;
    using Done = std::function<void()>;

    /// Connects, secures, logs in.
    void open(const User& user, Done ready);
    /// `command` without tag and CRLF. `done` at its OK; anything else is a failure.
    void run(std::string_view command, Done done);
    /// `count` letters in one APPEND (RFC 3502), where the server takes them, else in several.
    void append(std::string_view mailbox, Letters& letters, std::size_t count, Done done);
    /// `started` when the server idles.
    void idle(Done started);
    void end_idle(Done done);
    void log_out();

    /// "* 12 EXISTS" as it comes.
    std::function<void(std::uint32_t)> on_exists = [](std::uint32_t) {};
    /// Each untagged line that is no FETCH and no EXISTS, without its "* ".
    std::function<void(std::string_view)> on_untagged = [](std::string_view) {};
    /// If set, every literal is checked, as a letter.
    std::function<void(const LetterCheck&)> on_letter;

    [[nodiscard]] std::uint32_t exists() const { return exists_; }
    /// FETCH responses and octets of literals since the last `run`.
    [[nodiscard]] std::uint64_t fetched() const { return fetched_; }
    [[nodiscard]] std::uint64_t literal_octets() const { return literal_octets_; }
    /// Octets of the letters of the last `append`.
    [[nodiscard]] std::uint64_t appended_octets() const { return appended_octets_; }

    void secured() override;

  protected:
    void line(std::string_view text) override;
    void counted(std::string_view octets) override;
    void counted_end() override;

  private:
    void log_in();
    void untagged(std::string_view text);
    void capabilities(std::string_view text);
    bool begins_literal(std::string_view text);
    void append_next();

    User user_;
    Done done_, continued_;
    bool greeted_ = false, inside_ = false; // of a response, behind a literal
    bool literal_plus_ = false, literal_minus_ = false, multiappend_ = false;
    std::uint32_t exists_ = 0;
    std::uint64_t fetched_ = 0, literal_octets_ = 0;
    LetterCheck check_;
    // APPEND under way.
    std::string mailbox_, scratch_;
    Letters* letters_ = nullptr;
    std::size_t to_append_ = 0;
    std::uint64_t appended_octets_ = 0;
    Done appended_;
};

} // namespace mailcore::mdload
