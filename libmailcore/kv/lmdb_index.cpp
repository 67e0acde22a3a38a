#include "libmailcore/kv/lmdb_index.h"

#include "libmailcore/base/assert.h"

#include <cerrno>
#include <cstring>
#include <lmdb.h>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mailcore::kv {

namespace {

std::unexpected<Error> lmdb_failure(int code, std::string_view doing) {
    // LMDB's own codes are negative; the others are errno values.
    if (code > 0) return base::fail_errno(code, doing, "the index");
    auto kind = ErrorKind::Unavailable;
    switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL: kind = ErrorKind::LimitExceeded; break;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH: kind = ErrorKind::Corrupt; break;
    default: break;
    }
    return fail(kind, std::string(doing) + " the index: " + ::mdb_strerror(code));
}

MDB_val as_value(std::string_view octets) {
    return {octets.size(), const_cast<char*>(octets.data())};
}

std::string_view as_view(const MDB_val& value) {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

/// The environment, shared by the index and its readers.
struct Environment {
    MDB_env* env = nullptr;
    MDB_dbi rows = 0;
    std::string path;
    std::mutex mutex;
    std::vector<MDB_txn*> resting; // read transactions that were reset, to be renewed

    Environment() = default;
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() {
        for (auto* txn : resting) ::mdb_txn_abort(txn);
        if (env) ::mdb_env_close(env);
    }
};

class LmdbCursor final : public Cursor {
  public:
    LmdbCursor(MDB_txn* txn, MDB_dbi rows) {
        if (const int code = ::mdb_cursor_open(txn, rows, &cursor_); code != 0) set_fault(code);
    }
    ~LmdbCursor() override {
        if (cursor_) ::mdb_cursor_close(cursor_);
    }
    LmdbCursor(const LmdbCursor&) = delete;
    LmdbCursor& operator=(const LmdbCursor&) = delete;

    void start(Bounds bounds, Order order) override {
        if (fault_) return;
        bounds_ = bounds;
        order_ = order;
        const auto start = order == Order::Ascending ? bounds.from : bounds.to;
        if (start.empty()) {
            move(order == Order::Ascending ? MDB_FIRST : MDB_LAST);
            return;
        }
        // A key cannot be longer than key_octets_max, but a bound may.
        key_ = as_value(start.substr(0, key_octets_max));
        int code = ::mdb_cursor_get(cursor_, &key_, &value_, MDB_SET_RANGE);
        if (order == Order::Descending)
            code = ::mdb_cursor_get(cursor_, &key_, &value_,
                                    code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
        settle(code);
        while (valid_ && start.size() > key_octets_max && !within()) next();
    }
    [[nodiscard]] bool valid() const override { return valid_; }
    void next() override { move(order_ == Order::Ascending ? MDB_NEXT : MDB_PREV); }
    [[nodiscard]] std::string_view key() const override { return as_view(key_); }
    [[nodiscard]] std::optional<std::string_view> value() const override { return as_view(value_); }
    [[nodiscard]] const std::optional<Error>& fault() const override { return fault_; }

  private:
    void move(MDB_cursor_op step) { settle(::mdb_cursor_get(cursor_, &key_, &value_, step)); }
    [[nodiscard]] bool within() const { return bounds_.contains(as_view(key_)); }
    void settle(int code) {
        valid_ = code == 0 && within();
        if (code != 0 && code != MDB_NOTFOUND) set_fault(code);
    }
    void set_fault(int code) { fault_ = lmdb_failure(code, "walking").error(); }

    MDB_cursor* cursor_ = nullptr;
    Bounds bounds_;
    Order order_ = Order::Ascending;
    MDB_val key_{}, value_{};
    bool valid_ = false;
    std::optional<Error> fault_;
};

class LmdbReader final : public IndexReader {
  public:
    LmdbReader(std::shared_ptr<Environment> environment, MDB_txn* txn)
        : environment_(std::move(environment)), txn_(txn) {}
    ~LmdbReader() override {
        ::mdb_txn_reset(txn_);
        const std::scoped_lock lock(environment_->mutex);
        environment_->resting.push_back(txn_);
    }
    LmdbReader(const LmdbReader&) = delete;
    LmdbReader& operator=(const LmdbReader&) = delete;

    Result<std::optional<std::string_view>> get(std::string_view key) override {
        if (key.empty() || key.size() > key_octets_max) return std::nullopt;
        auto name = as_value(key);
        MDB_val value;
        const int code = ::mdb_get(txn_, environment_->rows, &name, &value);
        if (code == MDB_NOTFOUND) return std::nullopt;
        if (code != 0) return lmdb_failure(code, "reading");
        return as_view(value);
    }
    std::unique_ptr<Cursor> cursor() override {
        return std::make_unique<LmdbCursor>(txn_, environment_->rows);
    }

  private:
    std::shared_ptr<Environment> environment_;
    MDB_txn* txn_;
};

class LmdbWriter final : public IndexWriter {
  public:
    LmdbWriter(std::shared_ptr<Environment> environment, MDB_txn* txn)
        : environment_(std::move(environment)), txn_(txn) {}
    ~LmdbWriter() override {
        if (txn_) ::mdb_txn_abort(txn_);
    }
    LmdbWriter(const LmdbWriter&) = delete;
    LmdbWriter& operator=(const LmdbWriter&) = delete;

    Result<std::optional<std::string>> get(std::string_view key) override {
        auto name = as_value(key);
        MDB_val value;
        const int code = ::mdb_get(txn_, environment_->rows, &name, &value);
        if (code == MDB_NOTFOUND) return std::nullopt;
        if (code != 0) return lmdb_failure(code, "reading");
        return std::string(as_view(value));
    }
    Result<void> put(std::string_view key, std::string_view value) override {
        auto name = as_value(key), octets = as_value(value);
        if (const int code = ::mdb_put(txn_, environment_->rows, &name, &octets, 0); code != 0)
            return lmdb_failure(code, "writing");
        return {};
    }
    Result<void> erase(std::string_view key) override {
        auto name = as_value(key);
        const int code = ::mdb_del(txn_, environment_->rows, &name, nullptr);
        if (code != 0 && code != MDB_NOTFOUND) return lmdb_failure(code, "writing");
        return {};
    }
    Result<void> commit() override {
        if (const int code = ::mdb_txn_commit(std::exchange(txn_, nullptr)); code != 0)
            return lmdb_failure(code, "committing");
        return {};
    }

  private:
    std::shared_ptr<Environment> environment_;
    MDB_txn* txn_; // absent once committed
};

class LmdbIndex final : public Index {
  public:
    explicit LmdbIndex(std::shared_ptr<Environment> environment)
        : environment_(std::move(environment)) {}

    Result<std::unique_ptr<IndexReader>> read() override {
        MDB_txn* txn = nullptr;
        {
            const std::scoped_lock lock(environment_->mutex);
            if (!environment_->resting.empty()) {
                txn = environment_->resting.back();
                environment_->resting.pop_back();
            }
        }
        const int code = txn ? ::mdb_txn_renew(txn)
                             : ::mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &txn);
        if (code != 0) {
            if (txn) ::mdb_txn_abort(txn);
            return lmdb_failure(code, "reading");
        }
        return std::make_unique<LmdbReader>(environment_, txn);
    }

    Result<std::unique_ptr<IndexWriter>> write() override {
        MDB_txn* txn = nullptr;
        if (const int code = ::mdb_txn_begin(environment_->env, nullptr, 0, &txn); code != 0)
            return lmdb_failure(code, "writing");
        return std::make_unique<LmdbWriter>(environment_, txn);
    }

    Result<IndexUsage> usage() override {
        MDB_txn* txn = nullptr;
        if (const int code = ::mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &txn);
            code != 0)
            return lmdb_failure(code, "reading");
        const std::unique_ptr<MDB_txn, void (*)(MDB_txn*)> owner(txn, ::mdb_txn_abort);
        MDB_stat statistics;
        MDB_envinfo info;
        ::mdb_stat(txn, environment_->rows, &statistics);
        ::mdb_env_info(environment_->env, &info);
        // Database 0 lists the free pages: each value is a count and that many page numbers.
        std::uint64_t free_pages = 0;
        LmdbCursor cursor(txn, 0);
        for (cursor.start({}, Order::Ascending); cursor.valid(); cursor.next()) {
            std::size_t count = 0;
            if (const auto value = *cursor.value(); value.size() >= sizeof count)
                std::memcpy(&count, value.data(), sizeof count);
            free_pages += count;
        }
        if (cursor.fault()) return std::unexpected(*cursor.fault());
        struct stat file {};
        if (::stat(environment_->path.c_str(), &file) != 0)
            return base::fail_errno(errno, "looking at", environment_->path);
        const auto pages = static_cast<std::uint64_t>(info.me_last_pgno) + 1;
        return IndexUsage{(pages - std::min(pages, free_pages)) * statistics.ms_psize,
                          static_cast<std::uint64_t>(file.st_size), statistics.ms_entries};
    }

  private:
    std::shared_ptr<Environment> environment_;
};

/// A map over a file that ends too early kills the process when it is touched there.
Result<void> check_length(Environment& environment) {
    MDB_envinfo info;
    MDB_stat statistics;
    ::mdb_env_info(environment.env, &info);
    ::mdb_env_stat(environment.env, &statistics);
    struct stat file {};
    if (::stat(environment.path.c_str(), &file) != 0)
        return base::fail_errno(errno, "looking at", environment.path);
    const auto needed = (static_cast<std::uint64_t>(info.me_last_pgno) + 1) * statistics.ms_psize;
    if (static_cast<std::uint64_t>(file.st_size) < needed && info.me_last_txnid > 0)
        return fail(ErrorKind::Corrupt,
                    environment.path + " is shorter than its own account of it");
    return {};
}

} // namespace

Result<std::unique_ptr<Index>> open_lmdb_index(const std::string& path,
                                               const LmdbOptions& options) {
    if (::unlink((path + "-lock").c_str()) != 0 && errno != ENOENT)
        return base::fail_errno(errno, "removing", path + "-lock");
    constexpr std::uint64_t map_octets_min = std::uint64_t{1} << 30;
    for (auto map_octets = options.map_octets;; map_octets /= 2) {
        auto environment = std::make_shared<Environment>();
        environment->path = path;
        if (const int code = ::mdb_env_create(&environment->env); code != 0)
            return lmdb_failure(code, "opening");
        ::mdb_env_set_mapsize(environment->env, map_octets);
        ::mdb_env_set_maxreaders(environment->env, options.readers_max);
        int code = ::mdb_env_open(environment->env, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS, 0600);
        if (code == ENOMEM && map_octets / 2 >= map_octets_min) continue;
        if (code != 0) return lmdb_failure(code, "opening");
        MAILCORE_TRY(check_length(*environment));
        MDB_txn* txn = nullptr;
        code = ::mdb_txn_begin(environment->env, nullptr, 0, &txn);
        if (code != 0) return lmdb_failure(code, "opening");
        code = ::mdb_dbi_open(txn, nullptr, 0, &environment->rows);
        if (code != 0) {
            ::mdb_txn_abort(txn);
            return lmdb_failure(code, "opening");
        }
        code = ::mdb_txn_commit(txn);
        if (code != 0) return lmdb_failure(code, "opening");
        return std::make_unique<LmdbIndex>(std::move(environment));
    }
}

} // namespace mailcore::kv
