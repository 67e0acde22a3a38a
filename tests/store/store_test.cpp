#include "libmailcore/store/store.h"

#include "libmailcore/store/memory_store.h"
#include "tests/catch.h"
#include "tests/store/store_contract.h"

using namespace mailcore;

TEST_CASE("the store in memory keeps the contract") {
    test::check_store_contract(
        [](const base::Clock& clock) { return std::make_unique<store::MemoryStore>(clock); });
}

TEST_CASE("the store in memory keeps the contract when every function is rehearsed") {
    test::check_store_contract([](const base::Clock& clock) {
        store::MemoryStore::Options options;
        options.rehearse = true;
        return std::make_unique<store::MemoryStore>(clock, options);
    });
}

TEST_CASE("the store in memory gives back what old versions took") {
    sim::VirtualScheduler scheduler;
    store::MemoryStore store(scheduler);
    const std::string value(1000, 'x');
    for (int i = 0; i < 20'000; ++i)
        REQUIRE(test::run(
            scheduler,
            store.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<void>> {
                txn.put("hot", value);
                co_return Result<void>{};
            })));
    CHECK(store.status().overlay_octets < 3'000'000);
}
