// What clients of line protocols share: lines, and octets between them that are counted.
#pragma once

#include "tests/bench/mdload/wire.h"

#include <functional>
#include <string>
#include <string_view>

namespace mailcore::mdload {

/// Who logs in.
struct User {
    std::string name, password;
};

/// Cuts what comes into lines; octets announced by `expect_octets` pass uncut and unseen but for
/// `counted`. A client may be opened again after it was closed or lost.
class TextClient : public WireUser {
  public:
    TextClient(Loop& loop, const Endpoint& endpoint) : endpoint_(endpoint), wire_(loop, *this) {}

    /// The connection is lost, or the server refused something: the client is closed by then.
    std::function<void(const std::string& why)> on_failed = [](const std::string&) {};

    void close();
    [[nodiscard]] bool resumed() const { return wire_.resumed(); }
    /// For a connection that will be silent.
    void rest();

    void received(std::string_view octets) override;
    void lost(const std::string& why) override;

  protected:
    void connect();
    /// Without its CRLF; valid during the call.
    virtual void line(std::string_view text) = 0;
    virtual void counted(std::string_view octets) { static_cast<void>(octets); }
    virtual void counted_end() {}
    void expect_octets(std::uint64_t octets) { counted_left_ = octets; }
    void fail(const std::string& why);

    const Endpoint& endpoint_;
    Wire wire_;

  private:
    std::string partial_; // line
    std::uint64_t counted_left_ = 0;
    std::uint64_t life_ = 0;
};

} // namespace mailcore::mdload
