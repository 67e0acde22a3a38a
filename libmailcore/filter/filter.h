// The interface of everything that judges mail: in C++ here, in Lua through an adapter.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/base/peer.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/task.h"
#include "libmailcore/filter/edits.h"
#include "libmailcore/filter/verdict.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {
class Structure;
}

namespace mailcore::filter {

/// Where in a message's life a filter is asked. Verdicts up to Message come before the `250`, so
/// that refused mail is refused and never bounced.
enum class Stage : std::uint8_t {
    Connect, ///< a peer has connected
    Helo,    ///< it has said its name
    Auth,    ///< it has proved who it is
    Mail,    ///< the sender is known
    Rcpt,    ///< a recipient is known: asked once for each
    Headers, ///< the header block is complete, the body has not been taken
    Message, ///< the message is complete
    Deliver, ///< before it is filed for one local recipient: folder and copies
    Sent,    ///< after delivery to another host has succeeded or failed for good
};
inline constexpr std::size_t stages = 9;
[[nodiscard]] std::string_view to_string(Stage stage);

/// Which stages a filter wants to be asked at.
class StageSet {
  public:
    constexpr StageSet(std::initializer_list<Stage> stages) {
        for (const auto stage : stages) bits_ |= bit(stage);
    }
    [[nodiscard]] constexpr bool has(Stage stage) const { return (bits_ & bit(stage)) != 0; }

  private:
    static constexpr std::uint16_t bit(Stage stage) {
        return static_cast<std::uint16_t>(1u << static_cast<unsigned>(stage));
    }
    std::uint16_t bits_ = 0;
};

/// The octets of a message, wherever they are. One scheduler's thread.
class MessageOctets {
  public:
    virtual ~MessageOctets() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// At most 1 MiB a call; fewer only at the end.
    virtual Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) = 0;
};

/// What is known so far; grows from stage to stage. Filters change it only through the edits at its
/// end.
struct Context {
    PeerInfo peer;
    std::string peer_name;   ///< of the reverse lookup, verified; empty: none
    std::string helo;        ///< as the peer said it
    std::string account;     ///< address of the authenticated account; empty: nobody
    bool submission = false; ///< on a submission port: a user's client, not another server
    TraceId trace;

    std::string sender;                  ///< MAIL FROM without brackets; empty: the null path
    std::vector<std::string> recipients; ///< accepted so far, as given
    std::string recipient;               ///< Rcpt, Deliver, Sent: the one in question

    std::string header;     ///< from Headers on: the block, without the empty line
    std::uint64_t size = 0; ///< from Message on: octets of the whole message
    const mime::Structure* structure = nullptr; ///< from Message on; absent before
    MessageOctets* octets = nullptr;            ///< from Message on; absent before

    std::map<std::string, std::string, std::less<>> notes; ///< one filter's word to a later one
    std::vector<std::string> tags;                         ///< for log, trace and headers

    // What filters may ask for
    std::vector<HeaderEdit> header_edits;
    std::vector<std::string> added_recipients;
    std::vector<std::string> removed_recipients;
    /// Message: where recipients of a foreign domain go instead of where the DNS says,
    /// "[host]:port"; domain "*": those of all.
    std::map<std::string, std::string, std::less<>> routes;
    std::string appended_text;         ///< Message: UTF-8 that is put below; see `wrap_with_text`
    std::optional<std::string> folder; ///< Deliver: file into this mailbox
    double score = 0;
};
inline constexpr std::size_t notes_max = 64;
inline constexpr std::size_t added_recipients_max = 100;
inline constexpr std::size_t routes_max = 100;
inline constexpr std::size_t appended_text_octets_max = 4 * 1024;

/// Judges mail. One object serves all connections of one loop: it keeps nothing of one of them.
/// Loop thread only.
class Filter {
  public:
    virtual ~Filter() = default;
    /// For configuration, log and trace: lower case, unique in a pipeline.
    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual StageSet stages() const = 0;
    /// May wait. An Error means that the filter could not judge (a rule failed, DNS is down); what
    /// then happens is the pipeline's `OnFailure`, never the filter's.
    virtual Task<Result<Verdict>> judge(Stage stage, Context& context) = 0;
};

/// What becomes of a message when a filter could not judge it.
enum class OnFailure : std::uint8_t {
    Open,  ///< go on as if it had said Continue
    Defer, ///< 451: try again later
};

} // namespace mailcore::filter
