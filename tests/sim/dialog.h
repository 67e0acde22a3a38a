// Golden dialogues: a conversation as a text file, readable as documentation, replayed as a test.
#pragma once

#include "libmailcore/base/engine.h"
#include "tests/sim/virtual_scheduler.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::sim {

/// What a protocol's test gives the runner: the world behind the engine.
class DialogTarget {
  public:
    virtual ~DialogTarget() = default;
    /// A line `given ...`: something that exists before the first connection. False: not
    /// understood.
    virtual bool given(std::string_view text) = 0;
    /// A line `> ...`: what the world behind should do from now on. False: not understood.
    virtual bool script(std::string_view text) = 0;
    /// Opens one more connection; `peer` says whether it begins under TLS (`tls` in front of it).
    virtual std::unique_ptr<base::Dialogue> connect(base::Waker& waker, const PeerInfo& peer) = 0;
    /// Events recorded since the last call, for `! ...` lines.
    virtual std::vector<std::string> take_events() { return {}; }
};

using DialogTargetFactory =
    std::function<std::unique_ptr<DialogTarget>(VirtualScheduler& scheduler)>;

/// Runs every `*.dialog` of tests/dialogs/<folder>, each as written, one octet at a time, and cut
/// at each position. Returns what went wrong, an entry a failure; fails too if there is no
/// dialogue. With MAILCORE_UPDATE=1 in the environment, expected lines are rewritten with what came
/// instead.
///
/// A file is a comment that says which rule it shows, then lines:
///
///     given TEXT          before the first connection
///     1C: text            the client of connection 1 sends a line; without a number: connection 1
///     C+ text             the same, in one packet with the next line
///     C| a\r\nb\0\xff     raw octets, escaped, no CRLF added
///     S: text             the server's next line; ~ stands for any text, $name for a capture
///     S* text             the next line begins so; all that follows it now is not looked at
///     U: text             as S:, but a run of U: lines may come in any order
///     ! text              the next event that the target has recorded
///     > text              tells the target what to do from now on
///     @ +5m               time passes (ms, s, m, h, d)
///     tls                 the server wants to start TLS now, and it is started
///     tls at once         in front of everything else: connections begin under TLS
///     peer ADDRESS        in front of everything else: where the client is (default 192.0.2.7)
///     end                 the client sends no more
///     cut                 the connection breaks
///     closed              the server has closed
///     quiet               the server has nothing (more) to say
///
/// With EngineRole::Client the engine is the client: `S:`, `S+` and `S|` are sent to it, `C:` and
/// `C*` are what it says; all else the same.
///
/// `  # ...` at the end of a line is a comment. An `S:` line that is left over at the end is a
/// failure.
enum class EngineRole { Server, Client };
std::vector<std::string> run_dialogs(const std::string& folder, const DialogTargetFactory& factory,
                                     EngineRole role = EngineRole::Server);

} // namespace mailcore::sim
