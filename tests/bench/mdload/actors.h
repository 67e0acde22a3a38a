// What the connections of each work do.
#pragma once

#include "tests/bench/mdload/crew.h"
#include "tests/bench/mdload/imap_client.h"
#include "tests/bench/mdload/load.h"
#include "tests/bench/mdload/pop3_client.h"
#include "tests/bench/mdload/smtp_client.h"

#include <memory>
#include <string>
#include <vector>

namespace mailcore::mdload {

/// Sends a message, to the next recipients in turn. Connects anew after so many as servers bear.
class Sender final : public Actor {
  public:
    Sender(Crew& crew, const Load& load, const SmtpSettings& settings, Letters& letters);
    void prepare() override;
    void operate() override;
    void finish() override { client_.quit(); }

  private:
    Crew& crew_;
    const Load& load_;
    Letters& letters_;
    SmtpClient client_;
    std::vector<std::string> recipients_;
    std::size_t sent_ = 0; // over this connection
};

/// Logged in, and what there is to know about it.
class Reader : public Actor {
  public:
    Reader(Crew& crew, const Load& load, std::size_t account, bool select);
    void prepare() override;
    void finish() override { client_.log_out(); }

  protected:
    void run(std::string_view command, std::uint64_t items_per_operation);
    Crew& crew_;
    const Load& load_;
    ImapClient client_;

  private:
    User user_;
    bool select_;
};

/// Files `batch` letters.
class Appender final : public Reader {
  public:
    Appender(Crew& crew, const Load& load, std::size_t account, Letters& letters)
        : Reader(crew, load, account, false), letters_(letters) {}
    void operate() override;

  private:
    Letters& letters_;
};

/// Sets a flag of one message after the other, then takes it away again: every one is a change.
/// Those that share a mailbox take messages of their own.
class Flagger final : public Reader {
  public:
    Flagger(Crew& crew, const Load& load, std::size_t account, std::size_t first, std::size_t step)
        : Reader(crew, load, account, true), next_(first), first_(first), step_(step) {}
    void operate() override;

  private:
    std::size_t next_, first_, step_;
    bool set_ = true;
};

/// Runs the commands of the load, in turns; FETCH responses and octets of literals are counted.
class Commander final : public Reader {
  public:
    Commander(Crew& crew, const Load& load, std::size_t account, std::vector<std::string> commands,
              bool select);
    void operate() override;

  private:
    std::vector<std::string> commands_;
    std::size_t next_ = 0;
};

/// SELECT is measured, UNSELECT is not.
class Selector final : public Reader {
  public:
    Selector(Crew& crew, const Load& load, std::size_t account)
        : Reader(crew, load, account, false) {}
    void operate() override;
};

/// Doubles the mailbox by COPY until it has so many messages as operations are asked for.
class Grower final : public Reader {
  public:
    Grower(Crew& crew, const Load& load, std::size_t account, std::uint64_t messages)
        : Reader(crew, load, account, true), messages_(messages) {}
    void operate() override { grow(); }

  private:
    void grow();
    std::uint64_t messages_;
};

/// Connects, logs in, logs out: anew each time. With a mailbox, also SELECT.
class Visitor final : public Actor {
  public:
    enum class Stay : std::uint8_t {
        Login,   ///< nothing more
        Select,  ///< SELECT
        Reading, ///< as a person's program does: new mail, its envelopes, the last body, flags; it
                 ///< deletes what is there, so that a mailbox stays bounded
    };
    Visitor(Crew& crew, const Load& load, std::size_t account, Stay stay);
    void prepare() override { crew_.ready(*this); }
    void operate() override;

  private:
    void leave();
    void read();
    Crew& crew_;
    const Load& load_;
    ImapClient client_;
    User user_;
    Stay stay_;
};

/// Holds a connection in IDLE. It is ready then, and has no operations.
class Idler final : public Actor {
  public:
    Idler(Crew& crew, const Load& load, std::size_t account);
    void prepare() override;
    void operate() override {}
    void rest() { client_.rest(); }
    /// Of connections that are lost later.
    [[nodiscard]] bool is_lost() const { return lost_; }

  private:
    Crew& crew_;
    const Load& load_;
    ImapClient client_;
    User user_;
    bool lost_ = false;
};

/// Delivers a message to itself and waits in IDLE for its EXISTS. Latency counts from the 250.
class Waiter final : public Actor {
  public:
    Waiter(Crew& crew, const Load& load, std::size_t account, const SmtpSettings& settings,
           Letters& letters);
    void prepare() override;
    void operate() override;
    void finish() override;

  private:
    void seen();
    Crew& crew_;
    const Load& load_;
    ImapClient client_;
    SmtpClient sender_;
    Letters& letters_;
    User user_;
    std::vector<std::string> recipients_;
    std::uint32_t exists_ = 0;
    std::size_t sent_ = 0; // over this connection
    bool accepted_ = false, announced_ = false;
    Instant accepted_at_{};
};

/// Takes all messages of a maildrop over a connection of its own.
class Popper final : public Actor {
  public:
    Popper(Crew& crew, const Load& load, std::size_t account, const Endpoint& endpoint);
    void prepare() override { crew_.ready(*this); }
    void operate() override;

  private:
    Crew& crew_;
    const Load& load_;
    Pop3Client client_;
    User user_;
};

} // namespace mailcore::mdload
