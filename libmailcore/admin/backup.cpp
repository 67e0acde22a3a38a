// What a backup copies: the files of the store, which stay as long as whoever copies them is there.
#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/codec/hex.h"
#include "libmailcore/store/journal_store.h"

namespace mailcore::admin::detail {

namespace {

std::string text_of(const journal::Inventory& inventory) {
    Json files = Json::array();
    for (const auto& file : inventory.files)
        files.push_back(Json{{"name", file.name}, {"octets", file.octets}});
    const auto& id = inventory.store;
    const std::string_view octets(reinterpret_cast<const char*>(id.data()), id.size());
    return detail::text_of(Json{
        {"store", codec::hex_encode(octets)}, {"end", inventory.end}, {"files", std::move(files)}});
}

} // namespace

Answer backup_list(Context& context, std::string text) {
    Request request(text);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    auto* const store = dynamic_cast<store::JournalStore*>(&context.store);
    if (!store) co_return fail(ErrorKind::Rejected, "a store in memory has no files");
    MAILCORE_CO_AWAIT(auto all, base::offload([store] { return store->inventory(); }));
    if (!all) co_return std::unexpected(std::move(all).error());
    context.backup = all->hold;
    co_return text_of(*all);
}

Answer backup_hold(Context& context, std::string text) {
    Request request(text);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    if (!context.backup) co_return fail(ErrorKind::NotFound, "no files are being copied");
    co_return std::string("{}");
}

} // namespace mailcore::admin::detail
