// Somebody who reads his mail over IMAP and believes what he is told, with a naive idea of the
// mailbox made of that alone.
#pragma once

#include "libmailcore/base/random.h"
#include "tests/world/letters.h"
#include "tests/world/login.h"
#include "tests/world/network.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

/// One session with INBOX. It looks, fetches, flags, moves, appends, expunges and idles until told
/// to finish; then it looks once more and waits.
class ImapReader final : public End {
  public:
    struct Entry {
        std::uint32_t uid = 0;                      ///< 0: not told yet
        std::optional<std::set<std::string>> flags; ///< without \Recent
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    ImapReader(sim::VirtualScheduler& wire, Random& random, Letters& letters, std::string user);
    ~ImapReader() override;

    void receive(std::string_view octets) override;
    void receive_end() override { reset(); }
    void reset() override;
    [[nodiscard]] std::string take_output() override { return std::exchange(out_, {}); }
    [[nodiscard]] bool closed() const override { return closed_; }

    /// Whether its server's disk fails now or did a moment ago: that may refuse anything.
    std::function<bool()> is_server_troubled;
    /// The quota is used up: nothing can be appended.
    bool is_full = false;
    /// It goes away in the middle of what it sends, now and then.
    bool hangs_up = false;

    /// From now on it takes its time.
    void slow_down() { pause_max_ = std::chrono::minutes(25); }
    /// From now on it only looks.
    void finish();
    /// It has looked, and knows every message.
    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] const std::vector<Entry>& view() const { return view_; }
    /// The view, for people.
    [[nodiscard]] std::string text() const;
    /// Told once, when the connection has ended.
    std::function<void()> when_over;

  private:
    enum class Doing : std::uint8_t {
        Nothing,
        LogIn,        // LOGIN
        Authenticate, // AUTHENTICATE
        Select,
        Look,    // NOOP
        Learn,   // FETCH by number
        Read,    // UID FETCH
        Flag,    // STORE by number
        Discard, // UID STORE +FLAGS (\Deleted)
        Expunge,
        Copy, // UID COPY and UID MOVE
        Append,
        Idle,
        LastLook,
    };
    void command(Doing doing, const std::string& text);
    void think();
    void act();
    void log_in();
    void authenticated(std::string_view text);
    void append();
    void go_on_appending();
    void appended(std::string_view text);
    void response(const std::string& text);
    void untagged(std::string_view text);
    void fetched(std::uint32_t number, std::string_view items);
    void code(std::string_view text);
    void tagged(std::string_view text);
    [[nodiscard]] const Entry* pick();
    void complain(const std::string& what);

    sim::VirtualScheduler& wire_;
    Random& random_;
    Letters& letters_;
    std::string user_;
    MailboxKey key_;
    std::uint32_t uidnext_ = 0;
    std::uint64_t modseq_ = 0;
    std::vector<Entry> view_;
    Doing doing_ = Doing::Nothing;
    std::uint32_t subject_ = 0; // UID that the command is about
    std::optional<Login> login_;
    Append* append_ = nullptr;          // under way; the letters'
    std::vector<std::string> portions_; // of it, each sent when the one before was asked for
    std::string append_uid_;            // the last APPENDUID
    unsigned tags_ = 0;
    std::string tag_;
    std::optional<TimerId> timer_;
    std::string in_, out_;
    std::chrono::milliseconds pause_max_ = std::chrono::minutes(2);
    bool greeted_ = false, idling_ = false, finishing_ = false, done_ = false, closed_ = false;
};

} // namespace mailcore::world
