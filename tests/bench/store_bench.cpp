// What the durable store does a second, against what the disk below it does: bench_store [FOLDER
// [SECONDS]].
#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/random.h"
#include "libmailcore/store/journal_store.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace mailcore;
using namespace mailcore::store;

namespace {

/// A loop without sockets or timers: one thread's queue, and a thread for what blocks.
class Queue final : public Scheduler {
  public:
    ~Queue() override { stop(); }
    [[nodiscard]] Instant now() const override { return clock_.now(); }
    [[nodiscard]] WallTime wall_now() const override { return clock_.wall_now(); }
    void post(Work work) override { put(ready_, ready_changed_, std::move(work)); }
    void offload(Work work) override { put(blocking_, blocking_changed_, std::move(work)); }
    TimerId start_timer(Instant, Work) override { std::abort(); }
    void cancel_timer(TimerId) override {}

    void start_pool() {
        pool_ = std::thread([this] { run(blocking_, blocking_changed_); });
    }
    void run_ready() { run(ready_, ready_changed_); }
    void end() {
        const std::scoped_lock lock(mutex_);
        ended_ = true;
        ready_changed_.notify_all();
        blocking_changed_.notify_all();
    }
    void stop() {
        end();
        if (pool_.joinable()) pool_.join();
    }

  private:
    void put(std::deque<Work>& queue, std::condition_variable& changed, Work work) {
        const std::scoped_lock lock(mutex_);
        queue.push_back(std::move(work));
        changed.notify_one();
    }
    void run(std::deque<Work>& queue, std::condition_variable& changed) {
        while (true) {
            std::deque<Work> all;
            {
                std::unique_lock lock(mutex_);
                changed.wait(lock, [&] { return ended_ || !queue.empty(); });
                if (queue.empty()) return;
                all.swap(queue);
            }
            for (auto& work : all) work();
        }
    }
    base::SystemClock clock_;
    std::mutex mutex_;
    std::condition_variable ready_changed_, blocking_changed_;
    std::deque<Work> ready_, blocking_;
    bool ended_ = false;
    std::thread pool_;
};

struct Figures {
    std::size_t done = 0;
    std::vector<double> latency_us;
    double seconds = 0, cpu_seconds = 0;
    std::uint64_t syncs = 0, disk_octets = 0;
};

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

TxnTask<Result<void>> deliver(WriteTransaction& txn, NewBlobRef body, std::uint64_t writer,
                              std::uint64_t number) {
    const auto key = "a" + std::to_string(writer) + "/" + std::to_string(number);
    if (body) {
        const auto blob = txn.add_blob(*body);
        MAILCORE_CO_TRY(txn.refer(blob, key));
    }
    // Email, membership, change: about what a filed message writes.
    txn.put(key + "/email", std::string(220, 'e'));
    txn.put(key + "/uid", std::string(48, 'u'));
    txn.put("a" + std::to_string(writer) + "/state", std::to_string(number));
    txn.announce(AccountId{writer}, ModSeq{number}, {});
    co_return Result<void>{};
}

Task<void> write_for(Store& store, Queue& queue, std::uint64_t writer, std::size_t octets,
                     Instant until, Figures& figures, int& running) {
    // Text that compresses about as mail does.
    std::string message;
    base::SeededRandom random(writer);
    while (message.size() < octets)
        message += "The quick brown fox " + random.hex(12) + " jumps over the lazy dog.\r\n";
    message.resize(octets);
    for (std::uint64_t number = 1; queue.now() < until; ++number) {
        const auto begun = queue.now();
        NewBlobRef body;
        if (octets > 0) {
            const auto blob = store.new_blob(queue, octets);
            const auto appended = co_await blob->append(message);
            if (!appended) break;
            auto finished = co_await blob->finish();
            if (!finished) break;
            body = *finished;
        }
        auto filing = store.write([body, writer, number](WriteTransaction& txn) {
            return deliver(txn, body, writer, number);
        });
        const auto done = co_await std::move(filing);
        if (!done) {
            std::printf("failed: %s\n", done.error().detail.c_str());
            break;
        }
        ++figures.done;
        figures.latency_us.push_back(
            std::chrono::duration<double, std::micro>(queue.now() - begun).count());
    }
    if (--running == 0) queue.end();
}

Figures measure(const std::string& folder, int writers, std::size_t octets, double seconds) {
    base::PosixFileSystem files;
    base::SystemRandom random;
    Queue queue;
    queue.start_pool();
    auto store = JournalStore::open(files, folder + "/bench-store", JournalStoreOptions(), random,
                                    queue, Log());
    if (!store) {
        std::printf("cannot open: %s\n", store.error().detail.c_str());
        std::exit(1);
    }
    Figures figures;
    const auto before = (*store)->status();
    const auto begun = queue.now();
    const auto cpu = cpu_seconds();
    const auto until = begun + std::chrono::milliseconds(static_cast<int>(seconds * 1000));
    int running = writers;
    {
        Scope scope(queue);
        for (int i = 0; i < writers; ++i)
            scope.spawn(write_for(**store, queue, static_cast<std::uint64_t>(i) + 1, octets, until,
                                  figures, running));
        queue.run_ready();
    }
    figures.seconds = std::chrono::duration<double>(queue.now() - begun).count();
    figures.cpu_seconds = cpu_seconds() - cpu;
    const auto after = (*store)->status();
    figures.syncs = after.syncs - before.syncs;
    figures.disk_octets = after.journal_octets - before.journal_octets;
    store->reset();
    queue.stop();
    static_cast<void>(std::system(("rm -rf '" + folder + "/bench-store'").c_str()));
    std::ranges::sort(figures.latency_us);
    return figures;
}

/// The disk's own: write so many octets, sync, again.
double syncs_a_second(const std::string& folder, std::size_t octets, bool overwrite,
                      double seconds) {
    base::PosixFileSystem files;
    const base::SystemClock clock;
    const auto path = folder + "/bench-file";
    const auto file = files.open(path, OpenMode::Create);
    if (!file) return 0;
    const std::string content(octets, 'x');
    const std::string_view piece = content;
    constexpr std::uint64_t around = std::uint64_t{64} << 20;
    if (overwrite) {
        const std::string zeros(1 << 20, '\0');
        const std::string_view zero_piece = zeros;
        for (std::uint64_t at = 0; at < around; at += zeros.size())
            if (!(*file)->write_at(at, std::span(&zero_piece, 1))) return 0;
        if (!(*file)->sync_data()) return 0;
    }
    std::size_t count = 0;
    const auto begun = clock.now();
    while (std::chrono::duration<double>(clock.now() - begun).count() < seconds) {
        const auto at = overwrite ? count * octets % (around - octets) : count * octets;
        if (!(*file)->write_at(at, std::span(&piece, 1)) || !(*file)->sync_data()) return 0;
        ++count;
    }
    const auto taken = std::chrono::duration<double>(clock.now() - begun).count();
    static_cast<void>(files.remove(path));
    return static_cast<double>(count) / taken;
}

} // namespace

int main(int argc, char** argv) {
    // A folder of its own below the one given; on the disk to be measured, so not in memory.
    std::string folder = std::string(argc > 1 ? argv[1] : "/var/tmp") + "/mailcore-bench-XXXXXX";
    if (!::mkdtemp(folder.data())) {
        std::printf("cannot make a folder in %s\n", argc > 1 ? argv[1] : "/var/tmp");
        return 1;
    }
    const double seconds = argc > 2 ? std::strtod(argv[2], nullptr) : 3;
    std::printf("the disk, fdatasync a second: append 4 KiB %.0f, over written blocks %.0f; append "
                "256 KiB %.0f, over written blocks %.0f\n",
                syncs_a_second(folder, 4096, false, seconds / 3),
                syncs_a_second(folder, 4096, true, seconds / 3),
                syncs_a_second(folder, 262'144, false, seconds / 3),
                syncs_a_second(folder, 262'144, true, seconds / 3));
    std::printf("%-20s %8s %10s %9s %9s %9s %11s %11s\n", "what", "writers", "a second", "p50 us",
                "p99 us", "CPU us", "syncs each", "disk/octet");
    struct Case {
        const char* what;
        std::size_t octets;
    };
    for (const auto& c : {Case{"transactions", 0}, Case{"messages of 4 KiB", 4096},
                          Case{"messages of 20 KiB", 20'480}, Case{"messages of 64 KiB", 65'536}})
        for (const int writers : {1, 10, 50}) {
            const auto figures = measure(folder, writers, c.octets, seconds);
            if (figures.done == 0) continue;
            const auto done = static_cast<double>(figures.done);
            std::printf("%-20s %8d %10.0f %9.0f %9.0f %9.0f %11.3f %11.2f\n", c.what, writers,
                        done / figures.seconds, figures.latency_us[figures.done / 2],
                        figures.latency_us[figures.done * 99 / 100],
                        figures.cpu_seconds * 1e6 / done, static_cast<double>(figures.syncs) / done,
                        c.octets == 0 ? 0.0
                                      : static_cast<double>(figures.disk_octets) /
                                            (done * static_cast<double>(c.octets)));
        }
    return std::system(("rm -rf '" + folder + "'").c_str());
}
