#include "libmailcore/mime/maildir.h"

#include "tests/catch.h"

using namespace mailcore;
using mime::MaildirKeywords;
using mime::MaildirName;
using Levels = std::vector<std::string>;

TEST_CASE("the name of a message's file holds its flags") {
    struct Case {
        const char* file;
        const char* unique;
        const char* letters;
    };
    static constexpr Case cases[] = {
        {"1700000000.M1P2.host:2,RS", "1700000000.M1P2.host", "RS"},
        {"1700000000.M1P2.host,S=1,W=2:2,", "1700000000.M1P2.host,S=1,W=2", ""},
        {"1700000000.M1P2.host", "1700000000.M1P2.host", ""},
        {"x:1,abc", "x", ""},
        {"x:", "x", ""},
        {"x:2,Sab", "x", "Sab"},
    };
    for (const auto& c : cases) {
        INFO(c.file);
        const auto name = MaildirName::parse(c.file);
        REQUIRE(name);
        CHECK(name->unique == c.unique);
        CHECK(name->letters == c.letters);
    }
    for (const char* file : {"", ".", "..", ".hidden", ":2,S"})
        CHECK_FALSE(MaildirName::parse(file));
    CHECK(MaildirName{"u", "S"}.text() == "u:2,S");
}

TEST_CASE("flags become letters and letters flags") {
    MaildirKeywords keywords;
    std::size_t lost = 0;
    const std::vector<std::string> flags{"\\Seen",    "\\Answered", "\\Flagged", "\\Draft",
                                         "\\Deleted", "$Forwarded", "Work"};
    CHECK(mime::maildir_letters(flags, keywords, lost) == "DFPRSTab");
    CHECK(keywords.text() == "0 $Forwarded\n1 Work\n");
    CHECK(mime::maildir_flags("DFPRSTab", keywords) ==
          std::vector<std::string>{"\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen",
                                   "\\Deleted", "Work"});
    CHECK(mime::maildir_letters({"work", "WORK", "\\Recent"}, keywords, lost) == "b");
    CHECK(lost == 0);
    CHECK(mime::maildir_flags("Zz9S", keywords) == std::vector<std::string>{"\\Seen"});
}

TEST_CASE("what is written like a system flag is no keyword, and keeps its letter") {
    MaildirKeywords keywords("0 \\Seen\n1 Work\n");
    std::size_t lost = 0;
    CHECK(mime::maildir_flags("ab", keywords) == std::vector<std::string>{"Work"});
    CHECK(mime::maildir_letters({"New"}, keywords, lost) == "c");
}

TEST_CASE("the letters end at z; what has none is counted") {
    MaildirKeywords keywords;
    std::size_t lost = 0;
    std::vector<std::string> flags;
    for (int i = 0; i < 28; ++i) flags.push_back("k" + std::to_string(i));
    CHECK(mime::maildir_letters(flags, keywords, lost) == "abcdefghijklmnopqrstuvwxyz");
    CHECK(lost == 2);
    CHECK(mime::maildir_letters({"$Forwarded"}, keywords, lost) == "P");
    CHECK(lost == 2);
}

TEST_CASE("dovecot-keywords is read with its gaps, and lines that are none are passed over") {
    const MaildirKeywords keywords(
        "0 Work\r\n2 $Junk\n\nx y\n3\n4 \n26 TooMany\n99999999999999999999 z\n25 last");
    CHECK(keywords.keyword('a') == "Work");
    CHECK(keywords.keyword('b').empty());
    CHECK(keywords.keyword('c') == "$Junk");
    CHECK(keywords.keyword('z') == "last");
    CHECK(keywords.keyword('A').empty());
    CHECK(keywords.text() == "0 Work\n2 $Junk\n25 last\n");
}

TEST_CASE("a mailbox has a folder of its name") {
    struct Case {
        Levels levels;
        const char* folder;
    };
    const Case cases[] = {
        {{"Work"}, ".Work"},
        {{"Work", "Paid"}, ".Work.Paid"},
        {{"Entw\xc3\xbcrfe"}, ".Entw&APw-rfe"},
        {{"a&b"}, ".a&-b"},
        {{"v1.2"}, ".v1\\2e2"},
        {{".."}, ".\\2e\\2e"},
        {{"a\\b"}, ".a\\5cb"},
        {{"a\\2eb"}, ".a\\5c2eb"},
        {{}, ""},
    };
    for (const auto& c : cases) {
        INFO(c.folder);
        CHECK(mime::maildir_folder(c.levels) == c.folder);
        if (!c.levels.empty()) CHECK(mime::maildir_levels(c.folder) == c.levels);
    }
    CHECK_FALSE(mime::maildir_folder({"\xff"}));
}

TEST_CASE("folders as other programs name them") {
    struct Case {
        const char* folder;
        std::optional<Levels> levels;
    };
    const Case cases[] = {
        {".Entw\xc3\xbcrfe", Levels{"Entw\xc3\xbcrfe"}},
        {".R&D", Levels{"R&D"}},
        {".a\\b", Levels{"a\\b"}},
        {".a\\2", Levels{"a\\2"}},
        {".INBOX.Sub", Levels{"INBOX", "Sub"}},
        {".a..b", std::nullopt},
        {"..", std::nullopt},
        {".", std::nullopt},
        {"Work", std::nullopt},
        {"", std::nullopt},
        {".\xff", std::nullopt},
    };
    for (const auto& c : cases) {
        INFO(c.folder);
        CHECK(mime::maildir_levels(c.folder) == c.levels);
    }
}

TEST_CASE("subscriptions are read in either form") {
    CHECK(mime::parse_maildir_subscriptions("Work\nINBOX.Old\nWork.Paid\nEntw&APw-rfe\n..\n") ==
          std::vector<Levels>{{"Work"}, {"Old"}, {"Work", "Paid"}, {"Entw\xc3\xbcrfe"}});
    CHECK(mime::parse_maildir_subscriptions("V\t2\n\nWork\nWork\tPaid\nv1.2\n\xff\n") ==
          std::vector<Levels>{{"Work"}, {"Work", "Paid"}, {"v1.2"}});
    CHECK(mime::parse_maildir_subscriptions("").empty());
    CHECK(mime::parse_maildir_subscriptions("V\t2").empty());
}
