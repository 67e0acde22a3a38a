#include "tests/sim/file_index.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/codec/crc32c.h"

#include <map>
#include <mutex>
#include <utility>

namespace mailcore::sim {

namespace {

using Rows = std::map<std::string, std::string, std::less<>>;

class MapCursor final : public kv::Cursor {
  public:
    explicit MapCursor(std::shared_ptr<const Rows> rows) : rows_(std::move(rows)) {}
    void start(kv::Bounds bounds, kv::Order order) override {
        bounds_ = bounds;
        order_ = order;
        const auto start = order == kv::Order::Ascending ? bounds.from : bounds.to;
        at_ = rows_->lower_bound(start);
        if (order == kv::Order::Ascending) {
            settle();
            return;
        }
        if (start.empty()) at_ = rows_->end();
        step_back();
    }
    [[nodiscard]] bool valid() const override { return valid_; }
    void next() override {
        if (order_ == kv::Order::Descending) {
            step_back();
            return;
        }
        ++at_;
        settle();
    }
    [[nodiscard]] std::string_view key() const override { return at_->first; }
    [[nodiscard]] std::optional<std::string_view> value() const override { return at_->second; }
    [[nodiscard]] const std::optional<Error>& fault() const override { return fault_; }

  private:
    void step_back() {
        valid_ = at_ != rows_->begin();
        if (!valid_) return;
        --at_;
        settle();
    }
    void settle() { valid_ = at_ != rows_->end() && bounds_.contains(at_->first); }
    std::shared_ptr<const Rows> rows_;
    Rows::const_iterator at_;
    kv::Bounds bounds_;
    kv::Order order_ = kv::Order::Ascending;
    bool valid_ = false;
    std::optional<Error> fault_;
};

class FileIndex final : public kv::Index {
  public:
    FileIndex(base::FileSystem& files, std::string path, Rows rows, std::uint64_t octets)
        : files_(files), path_(std::move(path)),
          rows_(std::make_shared<const Rows>(std::move(rows))), octets_(octets) {}

    class Reader final : public kv::IndexReader {
      public:
        explicit Reader(std::shared_ptr<const Rows> rows) : rows_(std::move(rows)) {}
        Result<std::optional<std::string_view>> get(std::string_view key) override {
            const auto found = rows_->find(key);
            if (found == rows_->end()) return std::nullopt;
            return found->second;
        }
        std::unique_ptr<kv::Cursor> cursor() override { return std::make_unique<MapCursor>(rows_); }

      private:
        std::shared_ptr<const Rows> rows_;
    };

    class Writer final : public kv::IndexWriter {
      public:
        Writer(FileIndex& index, Rows rows) : index_(index), rows_(std::move(rows)) {}
        Result<std::optional<std::string>> get(std::string_view key) override {
            const auto found = rows_.find(key);
            if (found == rows_.end()) return std::nullopt;
            return found->second;
        }
        Result<void> put(std::string_view key, std::string_view value) override {
            rows_.insert_or_assign(std::string(key), std::string(value));
            return {};
        }
        Result<void> erase(std::string_view key) override {
            if (const auto found = rows_.find(key); found != rows_.end()) rows_.erase(found);
            return {};
        }
        Result<void> commit() override { return index_.replace(std::move(rows_)); }

      private:
        FileIndex& index_;
        Rows rows_;
    };

    Result<std::unique_ptr<kv::IndexReader>> read() override {
        return std::make_unique<Reader>(rows());
    }
    Result<std::unique_ptr<kv::IndexWriter>> write() override {
        return std::make_unique<Writer>(*this, *rows());
    }
    Result<kv::IndexUsage> usage() override {
        return kv::IndexUsage{octets_, octets_, rows()->size()};
    }

  private:
    std::shared_ptr<const Rows> rows() const {
        const std::scoped_lock lock(mutex_);
        return rows_;
    }
    Result<void> replace(Rows rows) {
        std::string content;
        codec::Writer writer(content);
        for (const auto& [key, value] : rows) writer.text(key).text(value);
        writer.u32le(codec::crc32c(content));
        MAILCORE_TRY(base::replace_file(files_, path_, content));
        const std::scoped_lock lock(mutex_);
        octets_ = content.size();
        rows_ = std::make_shared<const Rows>(std::move(rows));
        return {};
    }

    base::FileSystem& files_;
    std::string path_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Rows> rows_;
    std::uint64_t octets_; // of the file
};

} // namespace

Result<std::unique_ptr<kv::Index>> open_file_index(base::FileSystem& files,
                                                   const std::string& path) {
    MAILCORE_TRY(const bool there, files.exists(path));
    Rows rows;
    std::uint64_t octets_of_file = 0;
    if (there) {
        MAILCORE_TRY(const auto content, base::read_file(files, path, std::uint64_t{1} << 30));
        const std::string_view octets = content;
        octets_of_file = octets.size();
        if (octets.size() < 4) return fail(ErrorKind::Corrupt, path + " is too short");
        const auto body = octets.substr(0, octets.size() - 4);
        if (codec::Reader(octets.substr(body.size())).u32le() != codec::crc32c(body))
            return fail(ErrorKind::Corrupt, path + " has a wrong checksum");
        codec::Reader reader(body);
        while (reader.remaining() > 0) {
            const auto key = reader.text(), value = reader.text();
            rows.emplace_hint(rows.end(), key, value);
        }
        if (!reader.ok()) return fail(ErrorKind::Corrupt, path + " cannot be read");
    }
    return std::make_unique<FileIndex>(files, path, std::move(rows), octets_of_file);
}

} // namespace mailcore::sim
