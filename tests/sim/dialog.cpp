#include "tests/sim/dialog.h"

#include "tests/sim/driver.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <dirent.h>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace mailcore::sim {

namespace {

struct Line {
    std::size_t number; // in the file, from 1
    std::size_t connection;
    std::string kind; // "C:", "S:", "given", ...
    std::string text;
};

struct Script {
    std::string name;
    std::vector<std::string> file; // as it is, for rewriting
    std::vector<Line> lines;
    std::vector<std::string> problems;
};

std::string without_comment(std::string_view line) {
    const auto at = line.find("  # ");
    auto text = line.substr(0, at);
    if (at != std::string_view::npos)
        while (text.ends_with(' ')) text.remove_suffix(1);
    return std::string(text);
}

Script parse(const std::string& path, const std::string& name, EngineRole role) {
    Script script;
    script.name = name;
    std::ifstream file(path);
    for (std::string raw; std::getline(file, raw);) script.file.push_back(raw);
    for (std::size_t i = 0; i < script.file.size(); ++i) {
        const auto& raw = script.file[i];
        if (raw.empty() || raw.starts_with('#')) continue;
        const auto text = without_comment(raw);
        Line line{i + 1, 1, {}, {}};
        std::string_view rest = text;
        if (rest[0] >= '1' && rest[0] <= '9' && rest.size() > 1) {
            line.connection = static_cast<std::size_t>(rest[0] - '0');
            rest.remove_prefix(1);
        }
        static constexpr std::string_view octet_kinds[] = {"C:", "C+", "C|", "S:", "S*", "U:"};
        static constexpr std::string_view word_kinds[] = {"given",  "peer",  "tls", "end", "cut",
                                                          "closed", "quiet", "!",   ">",   "@"};
        auto kind = std::string(rest.substr(0, 2));
        // Within the runner "C" is always what is sent to the engine.
        if (role == EngineRole::Client && kind.size() == 2 &&
            std::string_view(":+|*").contains(kind[1])) {
            if (kind[0] == 'S')
                kind[0] = 'C';
            else if (kind[0] == 'C')
                kind[0] = 'S';
        }
        if (std::ranges::find(octet_kinds, kind) != std::end(octet_kinds)) {
            line.kind = kind;
            rest.remove_prefix(2);
            if (rest.starts_with(' ')) rest.remove_prefix(1);
            line.text = rest;
        } else {
            const auto space = std::min(rest.find(' '), rest.size());
            line.kind = rest.substr(0, space);
            line.text = space < rest.size() ? rest.substr(space + 1) : "";
            if (std::ranges::find(word_kinds, line.kind) == std::end(word_kinds)) {
                script.problems.push_back(
                    fmt::format("{}:{}: not understood: {}", name, i + 1, raw));
                continue;
            }
        }
        script.lines.push_back(line);
    }
    return script;
}

std::string unescaped(std::string_view text) {
    std::string octets;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 >= text.size()) {
            octets += text[i];
            continue;
        }
        switch (text[++i]) {
        case 'r': octets += '\r'; break;
        case 'n': octets += '\n'; break;
        case 't': octets += '\t'; break;
        case '0': octets += '\0'; break;
        case 'x': {
            unsigned value = 0;
            const auto end = std::min(i + 3, text.size());
            std::from_chars(text.data() + i + 1, text.data() + end, value, 16);
            octets += static_cast<char>(value);
            i = end - 1;
            break;
        }
        default: octets += text[i];
        }
    }
    return octets;
}

std::string escaped(std::string_view octets) {
    std::string text;
    for (const unsigned char octet : octets) {
        if (octet == '\r')
            text += "\\r";
        else if (octet == '\n')
            text += "\\n";
        else if (octet < ' ' || octet == 0x7f)
            text += fmt::format("\\x{:02x}", octet);
        else
            text += static_cast<char>(octet);
    }
    return text;
}

using Captures = std::map<std::string, std::string, std::less<>>;

std::string substituted(std::string_view text, const Captures& captures) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '$') {
            auto end = i + 1;
            while (end < text.size() &&
                   (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
                ++end;
            const auto found = captures.find(text.substr(i + 1, end - i - 1));
            if (found != captures.end()) {
                out += found->second;
                i = end;
                continue;
            }
        }
        out += text[i++];
    }
    return out;
}

/// Does `text` look like `pattern`? `~` stands for any text; `$name` not yet known captures up to
/// the next fixed octet.
bool matches(std::string_view pattern, std::string_view text, Captures& captures) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '~') {
        for (std::size_t skip = 0; skip <= text.size(); ++skip)
            if (matches(pattern.substr(1), text.substr(skip), captures)) return true;
        return false;
    }
    if (pattern.front() == '$' && pattern.size() > 1 &&
        std::isalpha(static_cast<unsigned char>(pattern[1]))) {
        std::size_t end = 1;
        while (end < pattern.size() &&
               (std::isalnum(static_cast<unsigned char>(pattern[end])) || pattern[end] == '_'))
            ++end;
        const std::string name(pattern.substr(1, end - 1));
        for (std::size_t length = text.size(); length > 0; --length) {
            if (text.substr(0, length).find_first_of(" ()[]\"<>") != std::string_view::npos)
                continue;
            Captures trial = captures;
            trial[name] = text.substr(0, length);
            if (matches(pattern.substr(end), text.substr(length), trial)) {
                captures = trial;
                return true;
            }
        }
        return false;
    }
    return !text.empty() && pattern.front() == text.front() &&
           matches(pattern.substr(1), text.substr(1), captures);
}

std::optional<std::chrono::milliseconds> duration(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    long count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view unit(end, text.data() + text.size());
    if (unit == "ms") return std::chrono::milliseconds{count};
    if (unit == "s") return std::chrono::seconds{count};
    if (unit == "m") return std::chrono::minutes{count};
    if (unit == "h") return std::chrono::hours{count};
    if (unit == "d") return std::chrono::hours{24 * count};
    return std::nullopt;
}

/// How the client's octets are cut on their way.
struct Cut {
    enum class Way { AsWritten, OctetByOctet, At } way = Way::AsWritten;
    std::size_t position = 0;

    [[nodiscard]] std::string name() const {
        switch (way) {
        case Way::AsWritten: return "as written";
        case Way::OctetByOctet: return "octet by octet";
        case Way::At: return fmt::format("cut at {}", position);
        }
        return {};
    }
};

class Run {
  public:
    Run(Script& script, const DialogTargetFactory& factory, Cut cut, bool update)
        : script_(script), cut_(cut), update_(update), target_(factory(scheduler_)) {}

    /// The first thing that went wrong; empty: nothing did.
    std::string play() {
        peer_.transport = PeerInfo::Transport::Tcp;
        peer_.address = *IpAddress::parse("192.0.2.7");
        peer_.port = 40000;
        for (current_ = 0; current_ < script_.lines.size(); ++current_) {
            const auto& line = script_.lines[current_];
            if (auto problem = play(line); !problem.empty())
                return fmt::format("{}:{} ({}): {}", script_.name, line.number, cut_.name(),
                                   problem);
        }
        for (auto& [number, connection] : connections_) {
            fetch(connection);
            if (!connection.output.empty())
                return fmt::format("{} ({}): connection {}: more came: {}", script_.name,
                                   cut_.name(), number, escaped(connection.output));
        }
        return {};
    }

    [[nodiscard]] std::size_t sent() const { return sent_; }

  private:
    struct Connection {
        std::unique_ptr<Driver> driver;
        std::string output; // what the server said and no line has looked at
        std::string held;   // what C+ lines keep for the next packet
    };

    Connection& connection(std::size_t number) {
        auto& connection = connections_[number];
        if (!connection.driver) {
            connection.driver = std::make_unique<Driver>(scheduler_);
            connection.driver->start(target_->connect(*connection.driver, peer_));
            scheduler_.run_ready();
        }
        return connection;
    }

    void fetch(Connection& connection) {
        scheduler_.run_ready();
        connection.output += connection.driver->take_output();
    }

    void send(Connection& connection, std::string_view octets) {
        auto& driver = *connection.driver;
        if (cut_.way == Cut::Way::OctetByOctet) {
            for (const char octet : octets) {
                driver.offer({&octet, 1});
                scheduler_.run_ready();
            }
        } else if (cut_.way == Cut::Way::At && cut_.position > sent_ &&
                   cut_.position < sent_ + octets.size()) {
            driver.offer(octets.substr(0, cut_.position - sent_));
            scheduler_.run_ready();
            driver.offer(octets.substr(cut_.position - sent_));
        } else {
            driver.offer(octets);
        }
        sent_ += octets.size();
        scheduler_.run_ready();
    }

    std::optional<std::string> next_line(Connection& connection) {
        fetch(connection);
        const auto end = connection.output.find("\r\n");
        if (end == std::string::npos) return std::nullopt;
        auto text = connection.output.substr(0, end);
        connection.output.erase(0, end + 2);
        return text;
    }

    std::string expect(const Line& line, Connection& connection) {
        const auto came = next_line(connection);
        const auto wanted = substituted(line.text, captures_);
        if (came && matches(wanted, *came, captures_)) return {};
        if (came && update_) {
            auto& raw = script_.file[line.number - 1];
            raw = raw.substr(0, raw.find(':') + 1) + " " + *came;
            return {};
        }
        return fmt::format("expected: {}\n    came: {}", wanted,
                           came                        ? escaped(*came)
                           : connection.output.empty() ? "(nothing)"
                                                       : escaped(connection.output));
    }

    std::string play(const Line& line) {
        if (line.kind == "given")
            return target_->given(line.text) ? "" : "given what? " + line.text;
        if (line.kind == "peer") {
            const auto address = IpAddress::parse(line.text);
            if (!address) return "not an address: " + line.text;
            peer_.address = *address;
            return {};
        }
        if (line.kind == "tls" && line.text == "at once") {
            peer_.tls = facts();
            return {};
        }
        if (line.kind == ">")
            return target_->script(line.text) ? "" : "not understood: " + line.text;
        if (line.kind == "@") {
            const auto by = duration(line.text);
            if (!by) return "not a duration: " + line.text;
            connection(line.connection);
            scheduler_.run_until(scheduler_.now() + *by);
            return {};
        }
        if (line.kind == "!") {
            scheduler_.run_ready();
            for (auto& event : target_->take_events()) events_.push_back(std::move(event));
            if (events_.empty()) return "no event; expected: " + line.text;
            auto event = events_.front();
            events_.erase(events_.begin());
            return matches(substituted(line.text, captures_), event, captures_)
                       ? ""
                       : fmt::format("expected event: {}\n    came: {}", line.text, event);
        }
        auto& connection = this->connection(line.connection);
        auto& driver = *connection.driver;
        if (line.kind == "C+") {
            connection.held += substituted(line.text, captures_) + "\r\n";
            return {};
        }
        if (line.kind == "C:") {
            send(connection,
                 std::exchange(connection.held, {}) + substituted(line.text, captures_) + "\r\n");
            return {};
        }
        if (line.kind == "C|") {
            send(connection,
                 std::exchange(connection.held, {}) + unescaped(substituted(line.text, captures_)));
            return {};
        }
        if (line.kind == "S:") return expect(line, connection);
        if (line.kind == "S*") {
            const auto came = next_line(connection);
            connection.output.clear();
            return came && came->starts_with(line.text)
                       ? ""
                       : fmt::format("expected: {}...\n    came: {}", line.text,
                                     came.value_or("(nothing)"));
        }
        if (line.kind == "U:") return expect_unordered(connection);
        if (line.kind == "tls") {
            fetch(connection);
            if (!driver.wants_tls()) return "the server does not want to start TLS";
            auto peer = peer_;
            peer.tls = facts();
            driver.tls_started(peer);
            scheduler_.run_ready();
            return {};
        }
        if (line.kind == "end") {
            driver.end();
            return {};
        }
        if (line.kind == "cut") {
            driver.cut();
            scheduler_.run_ready();
            return {};
        }
        if (line.kind == "closed") {
            fetch(connection);
            if (!driver.closed()) return "the server has not closed";
            return connection.output.empty() ? ""
                                             : "before that came: " + escaped(connection.output);
        }
        if (line.kind == "quiet") {
            fetch(connection);
            return connection.output.empty() ? "" : "there came: " + escaped(connection.output);
        }
        return "not understood";
    }

    /// The run of U: lines that begins here, in any order.
    std::string expect_unordered(Connection& connection) {
        std::vector<std::string> wanted;
        const auto first = current_;
        while (current_ < script_.lines.size() && script_.lines[current_].kind == "U:" &&
               script_.lines[current_].connection == script_.lines[first].connection)
            wanted.push_back(substituted(script_.lines[current_++].text, captures_));
        --current_;
        while (!wanted.empty()) {
            const auto came = next_line(connection);
            if (!came) return "nothing more came; expected: " + wanted.front();
            const auto found = std::ranges::find_if(
                wanted, [&](const auto& each) { return matches(each, *came, captures_); });
            if (found == wanted.end())
                return fmt::format("expected one of: {}...\n    came: {}", wanted.front(), *came);
            wanted.erase(found);
        }
        return {};
    }

    static TlsFacts facts() {
        TlsFacts facts;
        facts.version = "TLSv1.3";
        facts.cipher = "TLS_AES_128_GCM_SHA256";
        return facts;
    }

    Script& script_;
    Cut cut_;
    bool update_;
    VirtualScheduler scheduler_;
    std::unique_ptr<DialogTarget> target_;
    PeerInfo peer_;
    std::map<std::size_t, Connection> connections_;
    Captures captures_;
    std::vector<std::string> events_;
    std::size_t current_ = 0;
    std::size_t sent_ = 0;
};

std::vector<std::string> names(const std::string& folder) {
    std::vector<std::string> found;
    if (DIR* stream = ::opendir(folder.c_str())) {
        while (const auto* entry = ::readdir(stream))
            if (std::string_view(entry->d_name).ends_with(".dialog"))
                found.emplace_back(entry->d_name);
        ::closedir(stream);
    }
    std::ranges::sort(found);
    return found;
}

} // namespace

std::vector<std::string> run_dialogs(const std::string& folder, const DialogTargetFactory& factory,
                                     EngineRole role) {
    const std::string path = std::string(MAILCORE_SOURCE_DIR "/tests/dialogs/") + folder;
    const bool update = std::getenv("MAILCORE_UPDATE") != nullptr;
    std::vector<std::string> problems;
    const auto files = names(path);
    if (files.empty()) problems.push_back(path + " holds no dialogue");
    for (const auto& name : files) {
        auto script = parse(path + "/" + name, folder + "/" + name, role);
        if (!script.problems.empty()) {
            problems.insert(problems.end(), script.problems.begin(), script.problems.end());
            continue;
        }
        std::size_t sent = 0;
        {
            Run run(script, factory, Cut{}, update);
            if (auto problem = run.play(); !problem.empty()) {
                problems.push_back(std::move(problem));
                continue;
            }
            sent = run.sent();
        }
        if (update) {
            std::ofstream file(path + "/" + name);
            for (const auto& line : script.file) file << line << '\n';
            continue;
        }
        // Long dialogues are cut at some 2,000 places, evenly: their middles look alike.
        const auto stride = std::max<std::size_t>(1, sent / 2000);
        std::string problem = Run(script, factory, Cut{Cut::Way::OctetByOctet}, false).play();
        for (std::size_t at = 1; problem.empty() && at < sent; at += stride)
            problem = Run(script, factory, Cut{Cut::Way::At, at}, false).play();
        if (!problem.empty()) problems.push_back(std::move(problem));
    }
    return problems;
}

} // namespace mailcore::sim
