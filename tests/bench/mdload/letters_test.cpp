// Letters are of the size asked for, and a change of any octet is noticed.
#include "tests/bench/mdload/letters.h"
#include "tests/catch.h"

using namespace mailcore;
using mdload::LetterCheck;
using mdload::Letters;

namespace {

std::string next(Letters& letters) {
    const auto letter = letters.next();
    return std::string(letter.head) + std::string(letter.body);
}

/// What a check says of a text that comes in pieces of `step` octets.
std::optional<std::uint64_t> checked(std::string_view text, std::size_t step) {
    LetterCheck check;
    check.begin();
    for (std::size_t at = 0; at < text.size(); at += step) check.feed(text.substr(at, step));
    return check.end();
}

} // namespace

TEST_CASE("letters have the size asked for, within a line, and lines that need no stuffing") {
    Letters letters({1024, 4096, 4097, 12 * 1024, 65536, 200 * 1024, 2 * 1024 * 1024}, 1);
    for (const std::size_t size :
         {1024u, 4096u, 4097u, 12u * 1024, 65536u, 200u * 1024, 2048u * 1024}) {
        INFO(size);
        const auto text = next(letters);
        CHECK(text.size() <= size);
        CHECK(text.size() + 80 >= size);
        CHECK(text.ends_with("\r\n"));
        CHECK(text.find("\n.") == std::string::npos);
        CHECK(text.find("\r\n\r\n") != std::string::npos);
        for (std::size_t at = text.find('\n'); at != std::string::npos;
             at = text.find('\n', at + 1))
            CHECK(text[at - 1] == '\r');
    }
}

TEST_CASE("a letter is recognised however it is cut, with fields before it") {
    Letters letters({2000}, 3);
    for (std::uint64_t number = 0; number < 3; ++number) {
        const auto text = next(letters);
        const auto delivered =
            "Return-Path: <x@example.org>\r\nReceived: from a by b; x\r\n" + text;
        for (const std::size_t step : {1u, 2u, 7u, 100u, 5000u}) {
            INFO(step);
            CHECK(checked(text, step) == number);
            CHECK(checked(delivered, step) == number);
        }
    }
}

TEST_CASE("a letter that lost, gained or changed an octet is not what was sent") {
    Letters letters({1500}, 4);
    const auto text = next(letters);
    CHECK(checked(text, 64));
    CHECK_FALSE(checked(text.substr(0, text.size() - 1), 64));
    CHECK_FALSE(checked(text + "\n", 64));
    CHECK_FALSE(checked("", 64));
    CHECK_FALSE(checked("Subject: another\r\n\r\nletter\r\n", 64));
    for (std::size_t at = 0; at < text.size(); at += 13) {
        auto other = text;
        other[at] = static_cast<char>(other[at] ^ 1);
        INFO(at);
        // The number alone is not covered: it says which letter it is.
        const auto said = checked(other, 64);
        CHECK((!said || *said != 0 || at < 10));
    }
}

TEST_CASE("letters of different seeds differ, those of one seed do not") {
    Letters one({1000}, 5), same({1000}, 5), other({1000}, 6);
    const auto text = next(one);
    CHECK(text == next(same));
    CHECK(text != next(other));
}
