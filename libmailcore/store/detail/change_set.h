// The changes of one transaction before anybody else sees them.
#pragma once

#include "libmailcore/kv/cursor.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace mailcore::store::detail {

/// Keys in order; no value: erased.
using ChangeSet = std::map<std::string, std::optional<std::string>, std::less<>>;

/// Walks a change set, which must not change meanwhile.
class ChangeCursor final : public kv::Cursor {
  public:
    explicit ChangeCursor(const ChangeSet& changes) : changes_(changes) {}

    void start(kv::Bounds bounds, kv::Order order) override {
        ascending_ = order == kv::Order::Ascending;
        from_ = changes_.lower_bound(bounds.from);
        to_ = bounds.to.empty() ? changes_.end() : changes_.lower_bound(bounds.to);
        if (!bounds.to.empty() && bounds.to <= bounds.from) to_ = from_;
        at_ = from_;
        done_ = from_ == to_;
        if (!done_ && !ascending_) at_ = std::prev(to_);
    }
    [[nodiscard]] bool valid() const override { return !done_; }
    void next() override {
        if (ascending_) {
            done_ = ++at_ == to_;
        } else {
            done_ = at_ == from_;
            if (!done_) --at_;
        }
    }
    [[nodiscard]] std::string_view key() const override { return at_->first; }
    [[nodiscard]] std::optional<std::string_view> value() const override { return at_->second; }
    [[nodiscard]] const std::optional<Error>& fault() const override { return fault_; }

  private:
    const ChangeSet& changes_;
    ChangeSet::const_iterator from_, to_, at_;
    bool ascending_ = true;
    bool done_ = true;
    std::optional<Error> fault_; // never set
};

} // namespace mailcore::store::detail
