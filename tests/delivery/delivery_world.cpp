#include "tests/delivery/delivery_world.h"

#include "libmailcore/mime/parser.h"

#include <algorithm>

namespace mailcore::test {

using delivery::Outcome;

class ScriptedTransport::Connection final : public delivery::RemoteConnection {
  public:
    Connection(ScriptedTransport& transport, std::string destination)
        : transport_(transport), destination_(std::move(destination)) {
        auto& now = ++transport_.open_now[destination_];
        auto& most = transport_.open_most[destination_];
        most = std::max(most, now);
    }
    ~Connection() override { --transport_.open_now[destination_]; }

    Task<std::vector<Outcome>> send(const queue::Message&,
                                    const std::vector<queue::Recipient>& recipients) override {
        Attempt attempt{transport_.scheduler_.now(), destination_, {}};
        std::vector<Outcome> outcomes;
        for (const auto& recipient : recipients) {
            attempt.recipients.push_back(recipient.address);
            const auto scripted = transport_.outcomes.find(recipient.address);
            outcomes.push_back(scripted == transport_.outcomes.end()
                                   ? Outcome::delivered("250 ok", destination_)
                                   : scripted->second);
        }
        transport_.attempts.push_back(std::move(attempt));
        if (transport_.takes.count() > 0)
            co_await base::sleep_until(transport_.scheduler_.now() + transport_.takes);
        co_return outcomes;
    }
    bool usable() const override { return true; }
    Task<void> close() override { co_return; }

  private:
    ScriptedTransport& transport_;
    std::string destination_;
};

Task<std::expected<std::unique_ptr<delivery::RemoteConnection>, Outcome>>
ScriptedTransport::open(std::string destination) {
    ++opened;
    if (const auto scripted = closed.find(destination); scripted != closed.end()) {
        attempts.push_back({scheduler_.now(), destination, {}});
        co_return std::unexpected(scripted->second);
    }
    co_return std::make_unique<Connection>(*this, std::move(destination));
}

DeliveryWorld::DeliveryWorld(delivery::CourierOptions options) : options_(std::move(options)) {
    start();
}

DeliveryWorld::~DeliveryWorld() {
    courier->stop();
    pass(std::chrono::minutes{10});
    courier.reset();
}

void DeliveryWorld::start() {
    courier.emplace(people.scheduler(), people.store(), local, reporter, transport, options_,
                    random, services.log);
    courier->start();
    people.scheduler().run_ready();
}

void DeliveryWorld::restart() {
    courier->stop();
    courier.reset();
    start();
}

queue::QueueId DeliveryWorld::submit(const std::string& sender,
                                     const std::vector<std::string>& recipients,
                                     const std::function<void(delivery::Incoming&)>& change) {
    const std::string octets = "From: <" + sender + ">\r\nSubject: letter\r\n\r\nbody of it\r\n";
    delivery::Incoming incoming;
    incoming.message.sender = sender;
    incoming.trace_header = "Received: by mail.example.test\r\n";
    const auto writer = people.store().new_blob(people.scheduler(), octets.size());
    people.run(writer->append(octets)).value();
    incoming.blob = people.run(writer->finish()).value();
    incoming.structure = std::make_shared<const mime::Structure>(mime::parse(octets));
    for (const auto& recipient : recipients) {
        auto routing = people.run(router.route(recipient)).value();
        for (auto& each : routing.recipients) incoming.recipients.push_back(std::move(each));
    }
    if (change) change(incoming);
    const auto before = told.size();
    const auto id = people.run(intake.accept(std::move(incoming))).value();
    people.scheduler().run_ready();
    for (auto i = before; i < told.size(); ++i) courier->notice(told[i]);
    people.scheduler().run_ready();
    return id;
}

} // namespace mailcore::test
