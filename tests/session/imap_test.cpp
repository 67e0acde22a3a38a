#include "libmailcore/session/imap.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/sasl/client.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/keys.h"
#include "tests/catch.h"
#include "tests/session/imap_fixture.h"

#include <functional>

using namespace mailcore;
using test::ImapClient;
using test::ImapWorld;
using test::StoreKind;

namespace {

const std::string hello =
    "From: Ann <ann@example.test>\r\nTo: jo@example.test\r\nSubject: "
    "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Date: Mon, 1 Jan 2024 10:00:00 +0100\r\nMessage-ID: <1@example.test>\r\n\r\nHello there\r\n";
const std::string multipart =
    "From: bob@example.test\r\nSubject: files\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\n"
    "caf=E9 needle=\r\nwork\r\n--b\r\nContent-Type: application/octet-stream\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n";

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a client logs in, lists, selects, and reads what it appended") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    CHECK(has(client("LOGIN jo wrong"), "a NO [AUTHENTICATIONFAILED]"));
    CHECK(has(client("LOGIN jo secret"), "a OK [CAPABILITY IMAP4rev1"));
    const auto list = client("LIST \"\" *");
    CHECK(has(list, "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"));
    CHECK(has(list, "\\Trash) \"/\" Trash\r\n"));
    CHECK(has(client("NAMESPACE"), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));

    CHECK(has(client.append("INBOX", hello, "\\Flagged $Work"), "a OK [APPENDUID "));
    CHECK(has(client.append("Nowhere", hello), "a NO [TRYCREATE]"));
    const auto selected = client("SELECT INBOX");
    CHECK(has(selected, "* 1 EXISTS\r\n* 1 RECENT\r\n* OK [UNSEEN 1]"));
    CHECK(has(selected, "* OK [UIDNEXT 2]"));
    CHECK(has(selected, "$Work"));
    CHECK(has(selected, "[MAILBOXID (M"));
    CHECK(has(selected, "a OK [READ-WRITE]"));

    const auto fetched =
        client("FETCH 1 (FLAGS UID RFC822.SIZE ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)])");
    CHECK(has(fetched, "FLAGS (\\Recent \\Flagged $Work)") +
              has(fetched, "FLAGS (\\Flagged \\Recent $Work)") ==
          1);
    CHECK(has(fetched, "RFC822.SIZE " + std::to_string(hello.size())));
    CHECK(has(fetched, "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\n"));
    CHECK(has(fetched, "((\"Ann\" NIL \"ann\" \"example.test\"))"));
    const auto body = client("FETCH 1 BODY[]");
    CHECK(has(body, "BODY[] {" + std::to_string(hello.size()) + "}\r\n" + hello + ")\r\n"));
    CHECK(has(body, "\\Seen")); // told, since FLAGS were not asked for
    CHECK(has(client("FETCH 1 BODY[TEXT]<6.5>"), "BODY[TEXT]<6> {5}\r\nthere)"));
    CHECK(has(client("FETCH 2 FLAGS"), "a BAD"));
    CHECK(has(client("STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE)"),
              "* STATUS INBOX (MESSAGES 1 UNSEEN 0 UIDNEXT 2 SIZE " + std::to_string(hello.size()) +
                  ")"));
    CHECK(has(client("LOGOUT"), "* BYE"));
    CHECK(client.driver().closed());
}

TEST_CASE("a SASL exchange logs in, and plain passwords need what the options say") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    {
        ImapClient client(world);
        client.send("a AUTHENTICATE PLAIN\r\n");
        CHECK(client.take() == "+ \r\n");
        client.send(codec::base64_encode(std::string_view("\0jo\0secret", 10)) + "\r\n");
        CHECK(has(client.await_tag(), "a OK [CAPABILITY"));
    }
    world.options.login.plaintext_from_anywhere = false;
    world.options.login.plaintext_from_loopback = false;
    ImapClient client(world);
    CHECK(has(client("CAPABILITY"), "LOGINDISABLED"));
    CHECK(has(client("LOGIN jo secret"), "a NO [PRIVACYREQUIRED]"));
}

TEST_CASE(
    "SCRAM is bound to the TLS session, and a list that was shortened on the way is noticed") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    world.options.login.mechanisms = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"};
    base::SystemRandom random;
    const TlsFacts tls{.version = "TLSv1.3", .exporter_binding = std::string(32, 'b')};
    const TlsFacts old_tls{.version = "TLSv1.2"};
    {
        ImapClient client(world, tls);
        CHECK(has(client("CAPABILITY"), "AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256"));
        ImapClient unbound(world, old_tls);
        const auto offered = unbound("CAPABILITY");
        CHECK_FALSE(has(offered, "-PLUS"));
        CHECK(has(offered, "AUTH=SCRAM-SHA-256"));
        CHECK(has(unbound("AUTHENTICATE SCRAM-SHA-256-PLUS"), "a NO "));
    }
    struct Case {
        const char* name;
        TlsFacts server;
        char binding; ///< the client's; 0: none
        bool plus_offered;
        const char* answer;
    };
    const Case cases[] = {
        {"the same channel", tls, 'b', true, "a OK [CAPABILITY"},
        {"another channel", tls, 'c', true, "a NO [AUTHENTICATIONFAILED]"},
        {"a client that cannot bind", tls, 0, false, "a OK [CAPABILITY"},
        {"the list was shortened", tls, 'b', false, "a NO [AUTHENTICATIONFAILED]"},
        {"there was no -PLUS to offer", old_tls, 'b', false, "a OK [CAPABILITY"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        sasl::ClientOptions options;
        if (c.binding != 0)
            options.binding = sasl::ChannelBinding{"tls-exporter", std::string(32, c.binding)};
        options.plus_offered = c.plus_offered;
        options.iterations_min = 1;
        const auto mechanism =
            c.plus_offered ? sasl::Mechanism::ScramSha256Plus : sasl::Mechanism::ScramSha256;
        auto exchange =
            *sasl::ClientExchange::create(mechanism, {"", "jo", Secret("secret")}, options, random);
        ImapClient client(world, c.server);
        client.send("a AUTHENTICATE " + std::string(sasl::to_string(mechanism)) + " " +
                    codec::base64_encode(exchange->initial_response()->reveal()) + "\r\n");
        std::string heard;
        for (int turn = 0; turn < 3 && !has(heard, "a "); ++turn) {
            for (int wait = 0; wait < 400 && (heard = client.take()).empty(); ++wait)
                world.pass(std::chrono::seconds(1));
            if (!heard.starts_with("+ ")) break;
            const auto challenge =
                codec::base64_decode(std::string_view(heard).substr(2, heard.size() - 4));
            const auto response = exchange->respond(challenge.value());
            REQUIRE(response);
            client.send(codec::base64_encode(response->reveal()) + "\r\n");
        }
        CHECK(has(heard, c.answer));
    }
}

/// Of P-256, signed by itself; its rfc822Names are jo@example.test and Both@example.test.
constexpr std::string_view jos_certificate =
    "MIIBozCCAUigAwIBAgIUXe18v7xv3s8Hfy/E22JzeAm6I0swCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCSm8w"
    "IBcNMjYxMTIzMTUwNjI2WhgPMjA4MTA4MjYxNTA2MjZaMA0xCzAJBgNVBAMMAkpvMFkwEwYHKoZIzj0CAQYI"
    "KoZIzj0DAQcDQgAEpyP62lMYUY3tv1VRi1GuY097EuGspuA473phnJ7znfB0QoX7TcZLYPpmwK4bapFRhpLZ"
    "h2PUjz4XOJQS4vrQYaOBgzCBgDAdBgNVHQ4EFgQU8PwPBHQhCKHOXgt1+6LX37PGibIwHwYDVR0jBBgwFoAU"
    "8PwPBHQhCKHOXgt1+6LX37PGibIwDwYDVR0TAQH/BAUwAwEB/zAtBgNVHREEJjAkgQ9qb0BleGFtcGxlLnRl"
    "c3SBEUJvdGhAZXhhbXBsZS50ZXN0MAoGCCqGSM49BAMCA0kAMEYCIQDFETfPe5xF7hS0K0h2odmeiOAw/EoJ"
    "zTYBQSJG1bqJFAIhANJzO2IdWGYRwYDE3NyV8trOmWkg2swuaTSu12AspiId";

TEST_CASE("EXTERNAL takes the account that a good certificate names") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    world.options.login.mechanisms = {"EXTERNAL", "PLAIN"};
    world.people.make_account("both@example.test", "secret");
    TlsFacts tls{.version = "TLSv1.3"};
    tls.peer_certificate = codec::base64_decode(jos_certificate).value();
    const auto answer = [&](bool verified, const char* authzid) {
        tls.peer_verified = verified;
        ImapClient client(world, tls);
        if (!verified) CHECK_FALSE(has(client("CAPABILITY"), "EXTERNAL"));
        const auto initial = *authzid ? codec::base64_encode(authzid) : std::string("=");
        return client("AUTHENTICATE EXTERNAL " + initial);
    };
    CHECK(has(answer(true, "jo@example.test"), "a OK [CAPABILITY"));
    CHECK(has(answer(true, "both@example.test"), "a OK [CAPABILITY"));
    CHECK(has(answer(true, ""), "a NO [AUTHENTICATIONFAILED]")); // which of the two?
    CHECK(has(answer(true, "ann@example.test"), "a NO [AUTHENTICATIONFAILED]"));
    CHECK(has(answer(false, "jo@example.test"), "a NO "));
}

TEST_CASE("8-bit header fields are appended by who has enabled UTF8=ACCEPT, or by option") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    const std::string letter = "Subject: Gr\u00fc\u00dfe\r\n\r\nbody\r\n";
    {
        ImapClient client(world);
        client.log_in();
        CHECK(has(client.append("INBOX", letter), "a NO [CANNOT]"));
        client("ENABLE UTF8=ACCEPT");
        CHECK(has(client.append("INBOX", letter), "a OK [APPENDUID"));
    }
    world.options.append_8bit_headers = true;
    ImapClient client(world);
    client.log_in();
    CHECK(has(client.append("INBOX", letter), "a OK [APPENDUID"));
}

TEST_CASE("sections, their decoding and their sizes come from what was computed at delivery") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    client.append("INBOX", multipart);
    client("SELECT INBOX");
    struct Case {
        const char* item;
        const char* answer;
    };
    const Case cases[] = {
        {"BODY.PEEK[1]", "BODY[1] {20}\r\ncaf=E9 needle=\r\nwork"},
        {"BODY.PEEK[2.MIME]", "BODY[2.MIME] {77}\r\nContent-Type: application/octet-stream\r\n"},
        {"BODY.PEEK[3]", "BODY[3] NIL"},
        {"BINARY.PEEK[1]", "BINARY[1] {15}\r\ncaf\xE9 needlework"},
        {"BINARY.SIZE[2]", "BINARY.SIZE[2] 5"},
        {"BINARY.PEEK[1]<5.6>", "BINARY[1]<5> {6}\r\nneedle"},
        {"BODYSTRUCTURE", "\"mixed\" (\"boundary\" \"b\")"},
        {"RFC822.HEADER", "RFC822.HEADER {"},
    };
    for (const auto& c : cases) {
        INFO(c.item);
        const auto answer = client(std::string("FETCH 1 ") + c.item);
        CAPTURE(answer);
        CHECK((has(answer, c.answer) ||
               codec::find_ignoring_case(answer, c.answer) != std::string::npos));
    }
}

TEST_CASE("several messages are appended at once or not at all, and shown with their previews") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    world.options.append_messages_max = 3;
    world.options.append_octets_max = 5'000;
    ImapClient client(world);
    CHECK(has(client("LOGIN jo secret"), " APPENDLIMIT=5000 "));
    const auto literal = [](const std::string& octets, const char* mark = "") {
        return std::string(mark) + "{" + std::to_string(octets.size()) + "+}\r\n" + octets;
    };
    client.send("a APPEND INBOX (\\Seen) " + literal(hello) + " ($Work) " +
                literal(multipart, "~") + " " + literal(hello) + "\r\n");
    CHECK(has(client.await_tag(), " 1:3] APPEND completed"));
    client("SELECT INBOX");
    const auto fetched = client("FETCH 1:3 (FLAGS PREVIEW)");
    CHECK(has(fetched, "* 1 FETCH (FLAGS (\\Seen"));
    CHECK(has(fetched, "PREVIEW \"Hello there\""));
    CHECK(has(fetched, "$Work"));
    CHECK(has(client("FETCH 2 BODY.PEEK[]"), multipart));
    CHECK(has(client("STATUS INBOX (APPENDLIMIT)"), "(APPENDLIMIT 5000)"));

    std::string four = "a APPEND INBOX";
    for (int n = 0; n < 4; ++n) four += " " + literal(hello);
    client.send(four + "\r\n");
    CHECK(has(client.await_tag(), "a NO [LIMIT] Too many messages at once"));
    client.send("a APPEND INBOX " + literal(hello) + " {5001}\r\n");
    CHECK(has(client.await_tag(), "a NO [TOOBIG]"));
    client.send("a APPEND INBOX " + literal(hello) + " " + literal(std::string("a\0b", 3), "~") +
                "\r\n");
    CHECK(has(client.await_tag(), "a NO [UNKNOWN-CTE]"));
    CHECK(has(client("STATUS INBOX (MESSAGES)"), "(MESSAGES 3)"));

    // RFC 6855: UTF-8 in quoted strings, both ways.
    CHECK(has(client("CREATE Gr&APwA3w-e"), "a OK"));
    client("UNSELECT");
    CHECK(has(client("ENABLE UTF8=ACCEPT"), "* ENABLED UTF8=ACCEPT"));
    CHECK(has(client("LIST \"\" Gr*"), "\"Gr\u00fc\u00dfe\""));
    client.send("a APPEND \"Gr\u00fc\u00dfe\" UTF8 (" +
                literal("Subject: \u00fcber\r\nFrom: a@b.test\r\n\r\nx\r\n", "~") + ")\r\n");
    CHECK(has(client.await_tag(), "a OK [APPENDUID"));
    client("SELECT \"Gr\u00fc\u00dfe\"");
    CHECK(has(client("FETCH 1 ENVELOPE"), "\"\u00fcber\""));
    CHECK(has(client("SEARCH SUBJECT \"\u00fcber\""), "* SEARCH 1\r\n"));
}

TEST_CASE("fields added at delivery belong to the header, and nothing behind them moves") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    const auto added = std::string("Received: by mail.example.test\r\n");
    const auto structure = mime::parse(multipart);
    const auto filed =
        world.people.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            store::AccountEdit edit(txn, store::Access::owner(world.jo), world.jo);
            MAILCORE_CO_TRY(edit.begin());
            store::NewEmail email;
            email.describe(structure, added.size());
            email.pieces.push_back(store::Piece::of(added));
            email.pieces.push_back(store::Piece::of(multipart));
            store::Filing filing;
            filing.mailbox = edit.state().inbox;
            filing.received.at = txn.now();
            MAILCORE_CO_TRY(store::file_email(edit, email, filing));
            MAILCORE_CO_TRY(edit.save());
            co_return true;
        });
    REQUIRE(filed);
    ImapClient client(world);
    client.log_in();
    client("SELECT INBOX");
    CHECK(has(client("FETCH 1 RFC822.SIZE"),
              "RFC822.SIZE " + std::to_string(added.size() + multipart.size())));
    CHECK(has(client("FETCH 1 BODY.PEEK[]"), "}\r\n" + added + multipart + ")\r\n"));
    CHECK(has(client("FETCH 1 BODY.PEEK[HEADER]"), "}\r\n" + added + "From: bob"));
    CHECK(has(client("FETCH 1 BODY.PEEK[HEADER.FIELDS (Received)]"), "}\r\n" + added + "\r\n)"));
    CHECK(has(client("FETCH 1 BODY.PEEK[TEXT]"), "}\r\n--b\r\n"));
    CHECK(has(client("FETCH 1 BODY.PEEK[1]"), "caf=E9 needle=\r\nwork"));
    CHECK(has(client("SEARCH HEADER Received mail.example"), "* SEARCH 1\r\n"));
}

TEST_CASE("large bodies are pulled, also by a client that reads slowly") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    std::string large = hello;
    while (large.size() < 600'000) large += "0123456789 0123456789 0123456789\r\n";
    client.append("INBOX", large);
    client.append("INBOX", hello);
    client("SELECT INBOX");
    const auto all = client("FETCH 1:2 BODY.PEEK[]");
    CHECK(has(all,
              "{" + std::to_string(large.size()) + "}\r\n" + large + ")\r\n* 2 FETCH (BODY[] {"));
    CHECK(has(all, "a OK FETCH completed"));
    // The same with a peer that takes little at a time.
    client.driver().set_room(10'000);
    client.send("a FETCH 1:2 (UID BODY.PEEK[])\r\n");
    std::string slowly;
    for (int i = 0; i < 1'000 && !has(slowly, "a OK"); ++i) {
        slowly += client.take();
        client.driver().set_room(10'000);
    }
    CHECK(has(slowly, large + ")\r\n* 2 FETCH (UID 2 BODY[] {"));
    CHECK(client.driver().engine().memory() < 100'000);
}

TEST_CASE("two sessions see each other's changes where they may be told") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient one(world), two(world);
    one.log_in();
    two.log_in();
    for (int i = 0; i < 4; ++i) one.append("INBOX", hello);
    one("SELECT INBOX");
    two("SELECT INBOX");
    // IDLE: at once.
    two.send("a IDLE\r\n");
    CHECK(has(two.take(), "+ "));
    CHECK(has(one("STORE 2 +FLAGS (\\Deleted)"), "* 2 FETCH (FLAGS (\\Deleted"));
    CHECK(has(two.take(), "* 2 FETCH (FLAGS (\\Deleted"));
    one.append("INBOX", hello);
    CHECK(has(two.take(), "* 5 EXISTS"));
    CHECK(has(one("EXPUNGE"), "* 2 EXPUNGE\r\n"));
    CHECK(two.take() == "* 2 EXPUNGE\r\n");
    two.send("DONE\r\n");
    CHECK(has(two.take(), "a OK IDLE completed"));
    // Expunges wait during FETCH and SEARCH with message numbers, flags do not.
    one("STORE 1 +FLAGS.SILENT (\\Deleted)");
    one("EXPUNGE");
    one("STORE 3 +FLAGS (\\Flagged)");
    const auto fetched = two("FETCH 2:4 UID");
    CHECK(!has(fetched, "EXPUNGE"));
    CHECK(has(fetched, "* 4 FETCH (FLAGS (\\Flagged"));
    const auto noop = two("NOOP");
    CHECK(has(noop, "* 1 EXPUNGE\r\n"));
    CHECK(has(two("FETCH 3 (UID FLAGS)"), "* 3 FETCH (UID 5 FLAGS (\\Flagged"));
    // What was expunged by another session cannot be fetched by its number.
    one("STORE 1 +FLAGS.SILENT (\\Deleted)");
    one("EXPUNGE");
    CHECK(has(two("FETCH 1 FLAGS"), "a NO [EXPUNGEISSUED]"));
    // A silent STORE hides nothing that somebody else did before it.
    one("STORE 2 +FLAGS ($Other)");
    const auto silent = two("STORE 2 +FLAGS.SILENT (\\Seen)");
    CHECK(!has(silent, "* 2 FETCH"));
    const auto after = two("NOOP");
    CHECK(has(after, "* 1 EXPUNGE"));
    one("STORE 1 +FLAGS.SILENT (\\Answered)");
    const auto hidden = two("STORE 1 +FLAGS.SILENT (\\Draft)");
    CHECK(has(hidden, "* 1 FETCH (FLAGS (\\Answered"));
}

TEST_CASE("a new keyword is told before the flags that use it") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient one(world), two(world);
    one.log_in();
    two.log_in();
    one.append("INBOX", hello);
    one("SELECT INBOX");
    two("SELECT INBOX");
    const std::string system = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    const auto told = [&](const std::string& keywords) {
        return "* FLAGS (" + system + keywords + ")\r\n* OK [PERMANENTFLAGS (" + system + keywords +
               " \\*)] Flags permitted\r\n";
    };
    CHECK(one("STORE 1 FLAGS ($One)") ==
          told(" $One") + "* 1 FETCH (FLAGS (\\Recent $One))\r\na OK STORE completed\r\n");
    CHECK(one("STORE 1 +FLAGS ($One)") ==
          "* 1 FETCH (FLAGS (\\Recent $One))\r\na OK STORE completed\r\n");
    // Nothing uses it, but it is there.
    CHECK(one("STORE 1 +FLAGS.SILENT ($Two)") == told(" $One $Two") + "a OK STORE completed\r\n");
    // RFC 9051 §7.3.5: so it is where somebody else made them.
    const auto fetched = two("FETCH 1 FLAGS");
    CHECK(fetched.starts_with(told(" $One $Two") + "* 1 FETCH (FLAGS ($One $Two))\r\n"));
    CHECK(fetched.find("* FLAGS", 1) == std::string::npos);
    const auto appended = one.append("INBOX", hello, "$Three");
    CAPTURE(appended);
    CHECK(has(appended, told(" $One $Three $Two") + "* 2 EXISTS\r\n"));
    const auto noop = two("NOOP");
    CAPTURE(noop);
    CHECK(has(noop, told(" $One $Three $Two") + "* 2 EXISTS\r\n"));
    two("EXAMINE INBOX");
    one("STORE 1 +FLAGS.SILENT ($Four)");
    const auto examined = two("FETCH 1 FLAGS");
    CAPTURE(examined);
    CHECK(has(examined, "$Two)\r\n* OK [PERMANENTFLAGS ()] "));
}

TEST_CASE("SEARCH passes over what is damaged, says so once, and finds the rest") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    struct Lines final : base::LogSink {
        void write(const base::LogEvent& event) override {
            if (event.id == "imap.messages_unreadable") lines.push_back(base::to_text(event));
        }
        std::vector<std::string> lines;
    } log;
    world.services.log = Log(log);
    ImapClient client(world);
    client.log_in();
    for (int i = 0; i < 20; ++i) client.append("INBOX", hello);
    client("SELECT INBOX");
    const auto damaged = world.people.write(
        [&](store::WriteTransaction& txn) -> store::TxnTask<Result<std::size_t>> {
            // Two rows are not there, and of a third the end is gone.
            const store::Key all(world.jo, store::Table::Email);
            const auto from = all.str(), end = all.end();
            MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 100));
            txn.erase(rows.at(4).key);
            txn.erase(rows.at(5).key);
            txn.put(rows.at(11).key, rows.at(11).value.substr(0, rows.at(11).value.size() / 2));
            co_return rows.size();
        });
    REQUIRE(damaged);
    REQUIRE(*damaged == 20); // one an email
    // What is shorter than it was at delivery.
    const auto filed =
        world.people.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            store::AccountEdit edit(txn, store::Access::owner(world.jo), world.jo);
            MAILCORE_CO_TRY(edit.begin());
            store::NewEmail email;
            email.describe(mime::parse(hello), 0);
            email.pieces.push_back(store::Piece::of(hello.substr(0, hello.size() - 10)));
            store::Filing filing;
            filing.mailbox = edit.state().inbox;
            MAILCORE_CO_TRY(store::file_email(edit, email, filing));
            MAILCORE_CO_TRY(edit.save());
            co_return true;
        });
    REQUIRE(filed);
    client("NOOP");
    const std::string whole = "* SEARCH 1 2 3 4 7 8 9 10 11 13 14 15 16 17 18 19 20";
    CHECK(client("SEARCH BODY there") == whole + "\r\na OK SEARCH completed\r\n");
    REQUIRE(log.lines.size() == 1);
    CHECK(has(log.lines.front(), "uid=5"));
    CHECK(has(log.lines.front(), "messages=4"));
    CHECK(client("SEARCH NOT BODY elsewhere") == whole + "\r\na OK SEARCH completed\r\n");
    CHECK(client("SEARCH SUBJECT gr") == whole + " 21\r\na OK SEARCH completed\r\n");
    log.lines.clear();
    // Its rows are not needed.
    CHECK(has(client("SEARCH UNSEEN 5:7"), "* SEARCH 5 6 7\r\n"));
    CHECK(log.lines.empty());
}

namespace {

/// Spoils the row of `table` that holds UIDs 65 to 128 of the only mailbox with so many.
void damage_second_block(ImapWorld& world, store::Table table) {
    const auto done =
        world.people.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            const store::Key all(world.jo, table);
            const auto from = all.str(), end = all.end();
            MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 100));
            const auto second = std::ranges::find_if(
                rows, [](const store::Row& row) { return row.key.ends_with('\1'); });
            if (second == rows.end()) co_return fail(ErrorKind::NotFound, "a second block");
            // Who is there and who has seen it can be read still, and SELECT needs no more.
            txn.put(second->key, second->value.substr(0, second->value.size() - 1));
            co_return true;
        });
    REQUIRE(done);
}

/// The number of responses that say `what`.
std::size_t count(const std::string& text, std::string_view what) {
    std::size_t times = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
    return times;
}

} // namespace

TEST_CASE("a damaged row of 64 messages costs these, in FETCH as in SEARCH, and STORE refuses") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    const auto table = GENERATE(store::Table::Flags, store::Table::Messages);
    const bool flags = table == store::Table::Flags;
    CAPTURE(flags);
    struct Lines final : base::LogSink {
        void write(const base::LogEvent& event) override {
            if (event.id.starts_with("imap.")) lines.push_back(base::to_text(event));
        }
        std::vector<std::string> lines;
    } log;
    world.services.log = Log(log);
    ImapClient client(world);
    client.log_in();
    for (int i = 0; i < 200; ++i) client.append("INBOX", hello);
    damage_second_block(world, table);
    CHECK(has(client("SELECT INBOX"), "* 200 EXISTS\r\n"));

    const auto told_once = [&] {
        REQUIRE(log.lines.size() == 1);
        CHECK(log.lines[0].starts_with("warning imap.messages_unreadable "));
        CHECK(has(log.lines[0], "uid=65 messages=64 error="));
        log.lines.clear();
    };
    const std::string rest = "* SEARCH " + [] {
        std::string numbers;
        for (int n = 1; n <= 200; ++n)
            if (n <= 64 || n > 128) numbers += (n > 1 ? " " : "") + std::to_string(n);
        return numbers;
    }();
    // Of what is read for the answer, and of what is not.
    for (const auto* key : {"BODY there", "SINCE 1-Jan-2000", "NOT DELETED LARGER 1"}) {
        CAPTURE(key);
        CHECK(client(std::string("SEARCH ") + key) == rest + "\r\na OK SEARCH completed\r\n");
        told_once();
    }
    CHECK(has(client("SEARCH UNSEEN 60:66"),
              flags ? "* SEARCH 60 61 62 63 64\r\na OK" : "* SEARCH 60 61 62 63 64 65 66\r\na OK"));
    CHECK(log.lines.size() == flags);
    log.lines.clear();

    for (const auto* items : {"(FLAGS RFC822.SIZE)", "(FLAGS ENVELOPE)", "(FLAGS BODY.PEEK[])"}) {
        CAPTURE(items);
        const auto fetched = client(std::string("FETCH 1:* ") + items);
        CHECK(count(fetched, " FETCH (") == 200 - 64);
        CHECK(has(fetched, "* 64 FETCH "));
        CHECK(has(fetched, "* 129 FETCH "));
        CHECK(has(fetched, "\r\na NO [CORRUPTION] "));
        told_once();
    }
    // The row that is damaged is not needed.
    const auto other = client(flags ? "FETCH 1:* (ENVELOPE)" : "FETCH 1:* (FLAGS)");
    CHECK(count(other, " FETCH (") == 200);
    CHECK(has(other, "\r\na OK "));
    CHECK(log.lines.empty());
    // Those that are read become \Seen.
    const auto read = client("FETCH 60:70 (BODY[TEXT])");
    CHECK(count(read, "BODY[TEXT] {") == (flags ? 11 : 5));
    CHECK(has(read, flags ? "\r\na OK " : "\r\na NO [CORRUPTION] "));
    CHECK(has(client("FETCH 64 FLAGS"), "\\Seen"));
    log.lines.clear();

    const auto stored = client("STORE 1:* +FLAGS (\\Flagged)");
    const auto flagged = client("SEARCH FLAGGED");
    if (flags) {
        // All or nothing.
        CHECK(has(stored, "a NO [CORRUPTION] "));
        CHECK(has(flagged, "* SEARCH\r\na OK"));
        CHECK(has(client("STORE 1:64,129:* +FLAGS.SILENT (\\Flagged)"), "a OK"));
        CHECK(has(client("SEARCH FLAGGED"), rest + "\r\na OK"));
    } else {
        CHECK(has(stored, "a OK"));
        CHECK(count(flagged, " ") > 200);
    }
    CHECK(has(client("COPY 1:* Trash"), "a NO [CORRUPTION] "));
    CHECK(has(client("STATUS Trash (MESSAGES)"), "MESSAGES 0"));
}

TEST_CASE("SEARCH finds by every kind of criterion") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    client.append("INBOX", hello, "\\Seen");
    client.append("INBOX", multipart, "\\Flagged $Work");
    client.append("INBOX", "Subject: three\r\n\r\nplain body\r\n");
    client("SELECT INBOX");
    struct Case {
        const char* criteria;
        const char* answer;
    };
    const Case cases[] = {
        {"ALL", "* SEARCH 1 2 3\r\n"},
        {"SEEN", "* SEARCH 1\r\n"},
        {"UNSEEN", "* SEARCH 2 3\r\n"},
        {"NOT FLAGGED", "* SEARCH 1 3\r\n"},
        {"KEYWORD $work", "* SEARCH 2\r\n"},
        {"2:*", "* SEARCH 2 3\r\n"},
        {"UID 3:*", "* SEARCH 3\r\n"},
        {"OR UID 1 FLAGGED", "* SEARCH 1 2\r\n"},
        {"FROM ann", "* SEARCH 1\r\n"},
        {"FROM \"Ann <ann@EXAMPLE.test>\"", "* SEARCH 1\r\n"},
        {"TO jo@", "* SEARCH 1\r\n"},
        {"CHARSET UTF-8 SUBJECT \"gr\xC3\x9C\"", "* SEARCH 1\r\n"},
        {"SUBJECT three", "* SEARCH 3\r\n"},
        {"HEADER Message-ID \"\"", "* SEARCH 1\r\n"},
        {"BODY needlework", "* SEARCH 2\r\n"},
        {"CHARSET UTF-8 BODY \"CAF\xC3\x89\"", "* SEARCH 2\r\n"},
        {"BODY bob@example.test", "* SEARCH\r\n"},
        {"TEXT bob@example.test", "* SEARCH 2\r\n"},
        {"NOT BODY needlework", "* SEARCH 1 3\r\n"},
        {"OR BODY needlework SUBJECT three", "* SEARCH 2 3\r\n"},
        {"SMALLER 100", "* SEARCH 3\r\n"},
        {"LARGER 250", "* SEARCH 2\r\n"},
        {"SENTON 1-Jan-2024", "* SEARCH 1\r\n"},
        {"SENTSINCE 2-Jan-2024", "* SEARCH\r\n"},
        {"SINCE 1-Jan-2020", "* SEARCH 1 2 3\r\n"},
        {"RETURN (MIN MAX COUNT) ALL", "MIN 1 MAX 3 COUNT 3\r\n"},
        {"RETURN (SAVE) 2:3", "a OK"},
        {"$ FLAGGED", "* SEARCH 2\r\n"},
        {"RETURN () UNSEEN", "ALL 2:3\r\n"},
        {"MODSEQ 1", "(MODSEQ "},
        {"RECENT", "* SEARCH 1 2 3\r\n"},
    };
    for (const auto& c : cases) {
        INFO(c.criteria);
        // An astring with 8-bit octets is not a quoted string before IMAP4rev2 is on: as a literal.
        std::string line = std::string("SEARCH ") + c.criteria;
        const auto quote = line.find('"');
        if (quote != std::string::npos && line.find("CHARSET") != std::string::npos) {
            auto text = line.substr(quote + 1);
            text.pop_back();
            line = line.substr(0, quote) + "{" + std::to_string(text.size()) + "+}\r\n" + text;
        }
        const auto answer = client(line);
        CAPTURE(answer);
        CHECK(has(answer, c.answer));
        CHECK(has(answer, "a OK"));
    }
}

TEST_CASE("STORE with UNCHANGEDSINCE tells what it left alone, and MODSEQ goes up") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient one(world), two(world);
    one.log_in();
    two.log_in();
    for (int i = 0; i < 3; ++i) one.append("INBOX", hello);
    two("SELECT INBOX");
    const auto selected = one("SELECT INBOX (CONDSTORE)");
    const auto at = selected.find("HIGHESTMODSEQ ") + 14;
    const auto modseq = selected.substr(at, selected.find(']', at) - at);
    two("STORE 2 +FLAGS (\\Seen)");
    const auto stored = one("STORE 1:3 (UNCHANGEDSINCE " + modseq + ") +FLAGS.SILENT (\\Flagged)");
    CHECK(has(stored, "a OK [MODIFIED 2]"));
    CHECK(has(stored, "* 2 FETCH (UID 2 MODSEQ (")); // what the other session did
    CHECK(has(stored, "* 1 FETCH (UID 1 MODSEQ ("));
    CHECK(has(one("FETCH 1:3 (FLAGS) (CHANGEDSINCE " + modseq + ")"), "* 2 FETCH (FLAGS (\\Seen"));
}

TEST_CASE("QRESYNC tells a client that comes back what vanished and what changed") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient one(world), two(world);
    one.log_in();
    two.log_in();
    for (int i = 0; i < 5; ++i) one.append("INBOX", hello);
    CHECK(has(one("ENABLE QRESYNC"), "* ENABLED QRESYNC"));
    const auto selected = one("SELECT INBOX");
    const auto number_behind = [&](std::string_view word) {
        const auto at = selected.find(word) + word.size();
        return selected.substr(at, selected.find(']', at) - at);
    };
    const auto modseq = number_behind("HIGHESTMODSEQ ");
    const auto validity = number_behind("UIDVALIDITY ");
    two("SELECT INBOX");
    two("STORE 2,4 +FLAGS.SILENT (\\Deleted)");
    two("EXPUNGE");
    two("STORE 1 +FLAGS.SILENT (\\Flagged)");
    const auto fetched = one("FETCH 1 FLAGS");
    CHECK(!has(fetched, "VANISHED"));
    CHECK(
        has(fetched, "a OK [HIGHESTMODSEQ " + modseq + "]")); // expunges are delayed: RFC 7162 §3.2
    CHECK(has(one("NOOP"), "* VANISHED 2,4\r\n"));
    const auto expunged = (two("STORE 3 +FLAGS.SILENT (\\Deleted)"), one("EXPUNGE"));
    CHECK(has(expunged, "* VANISHED 5\r\na OK [HIGHESTMODSEQ "));
    CHECK(!has(one("CLOSE"), "HIGHESTMODSEQ"));
    const auto again = one("SELECT INBOX (QRESYNC (" + validity + " " + modseq + "))");
    CHECK(has(again, "* VANISHED (EARLIER) 2,4:5\r\n"));
    CHECK(has(again, "* 1 FETCH (UID 1 MODSEQ ("));
    CHECK(!has(again, "* 2 FETCH"));
    const auto known = one("SELECT INBOX (QRESYNC (" + validity + " " + modseq + " 1:3))");
    CHECK(has(known, "* VANISHED (EARLIER) 2\r\n"));
    CHECK(has(one("UID FETCH 1:* (FLAGS) (CHANGEDSINCE " + modseq + " VANISHED)"),
              "* VANISHED (EARLIER) 2,4:5\r\n"));
    CHECK(!has(one("SELECT INBOX (QRESYNC (1 " + modseq + "))"), "VANISHED"));
}

TEST_CASE("COPY and MOVE say what became of each message") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    for (int i = 0; i < 3; ++i) client.append("INBOX", hello);
    client("SELECT INBOX");
    CHECK(has(client("COPY 1:2 Archive"), "a OK [COPYUID "));
    CHECK(has(client("COPY 1 Nowhere"), "a NO [TRYCREATE]"));
    const auto moved = client("MOVE 2:3 Archive");
    CHECK(has(moved, " 2:3 3:4]"));
    CHECK(moved.find("COPYUID") < moved.find("EXPUNGE"));
    CHECK(has(moved, "* 2 EXPUNGE\r\n* 2 EXPUNGE\r\na OK"));
    CHECK(has(client("STATUS Archive (MESSAGES)"), "MESSAGES 4"));
    const auto id = client("FETCH 1 EMAILID");
    client("SELECT Archive");
    CHECK(has(client("FETCH 1 EMAILID"),
              id.substr(id.find("EMAILID"), id.find("))") - id.find("EMAILID"))));
    client("EXAMINE Archive");
    CHECK(has(client("MOVE 1 INBOX"), "a NO [READ-ONLY]"));
    CHECK(has(client("STORE 1 +FLAGS (\\Seen)"), "a NO [READ-ONLY]"));
    CHECK(!has(client("FETCH 1 (BODY[])"), "\\Seen"));
}

TEST_CASE("mailboxes are created, renamed, subscribed and deleted with the codes of RFC 5530") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    struct Case {
        const char* line;
        const char* answer;
    };
    const Case cases[] = {
        {"CREATE Work/2024", "a OK [MAILBOXID (M"},
        {"CREATE Work/2024", "a NO [ALREADYEXISTS]"},
        {"LIST \"\" %", "* LIST (\\HasChildren) \"/\" Work\r\n"},
        {"LIST \"\" Work/%", "\"/\" Work/2024\r\n"},
        {"CREATE Spam (USE (\\Junk))", "a NO [USEATTR]"},
        {"CREATE All (USE (\\All))", "a NO [USEATTR]"},
        {"RENAME Nowhere Else", "a NO [NONEXISTENT]"},
        {"RENAME Work/2024 Work/2025", "a OK"},
        {"DELETE Work/2024", "a NO [NONEXISTENT]"},
        {"DELETE INBOX", "a NO [CANNOT]"},
        {"SUBSCRIBE Work/2025", "a OK"},
        {"SUBSCRIBE Gone", "a OK"},
        {"LSUB \"\" %", "* LSUB (\\NoSelect) \"/\" Work\r\n"},
        {"LIST (SUBSCRIBED) \"\" *", "(\\NonExistent \\Subscribed) \"/\" Gone\r\n"},
        {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %", "Work (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"},
        {"LIST (SPECIAL-USE) \"\" *", "\\Sent) \"/\" Sent\r\n"},
        {"LIST \"\" Work/* RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN))",
         "* STATUS Work/2025 (MESSAGES 0 UNSEEN 0)\r\n"},
        {"UNSUBSCRIBE Gone", "a OK"},
        {"SELECT Work/2025", "a OK [READ-WRITE]"},
        {"DELETE Work/2025", "a NO [INUSE]"},
        {"UNSELECT", "a OK"},
        {"DELETE Work/2025", "a OK"},
        {"SELECT Work/2025", "a NO [NONEXISTENT]"},
        {"STATUS Nowhere (MESSAGES)", "a NO [NONEXISTENT]"},
    };
    for (const auto& c : cases) {
        INFO(c.line);
        const auto answer = client(c.line);
        CAPTURE(answer);
        CHECK(codec::find_ignoring_case(answer, c.answer) != std::string::npos);
    }
}

TEST_CASE("a client that knows mod-sequences is told them with every FLAGS") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    for (int i = 0; i < 3; ++i) client.append("INBOX", hello);
    client("SELECT INBOX");
    CHECK(!has(client("FETCH 1 FLAGS"), "MODSEQ"));
    const auto status =
        client("STATUS INBOX (HIGHESTMODSEQ)"); // an enabling command (RFC 7162 §3.1)
    CHECK(has(status, "* OK [HIGHESTMODSEQ "));
    const auto at = status.find("INBOX (HIGHESTMODSEQ ") + 21;
    const auto modseq = status.substr(at, status.find(')', at) - at);
    CHECK(has(client("FETCH 1 FLAGS"), " MODSEQ ("));
    CHECK(!has(client("FETCH 1 UID"), "MODSEQ"));
    CHECK(has(client("FETCH 1 BODY[HEADER]"), "* 1 FETCH (UID 1 MODSEQ ("));
    // Only what has changed is looked at, and only that is marked as seen.
    const auto changed = client("FETCH 1:3 (UID BODY[TEXT]) (CHANGEDSINCE " + modseq + ")");
    CHECK(has(changed, "* 1 FETCH (UID 1 BODY[TEXT]"));
    CHECK(!has(changed, "* 2 FETCH"));
    CHECK(has(client("SEARCH UNSEEN"), "* SEARCH 2 3\r\n"));
    CHECK(has(client("SEARCH MODSEQ \"/flags/\\\\Seen\" all 1"), "* SEARCH 1 2 3 (MODSEQ "));
}

TEST_CASE("IMAP4rev2 sessions get its answers") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    client.append("INBOX", hello);
    CHECK(has(client("ENABLE IMAP4rev2"), "* ENABLED IMAP4rev2\r\n"));
    const auto selected = client("SELECT inbox");
    CHECK(has(selected, "* LIST () \"/\" INBOX\r\n"));
    CHECK(!has(selected, "RECENT"));
    CHECK(!has(selected, "UNSEEN"));
    CHECK(!has(client("FETCH 1 FLAGS"), "Recent"));
    CHECK(has(client("SEARCH ALL"), "* ESEARCH (TAG \"a\") ALL 1\r\n"));
    CHECK(has(client("SEARCH SEEN"), "* ESEARCH (TAG \"a\")\r\n"));
    client.append("INBOX", hello);
    CHECK(has(client("STORE 2 +FLAGS (\\Seen)"), "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"));
}

TEST_CASE("what is asked about nothing is answered with nothing, and what cannot be is refused") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    client.append("INBOX", hello);
    struct Case {
        const char* line;
        const char* answer;
    };
    const Case cases[] = {
        {"LIST \"\" inbox", "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"},
        {"LIST \"\" \"\"", "* LIST (\\Noselect) \"/\" \"\"\r\n"},
        {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Gone", "a OK LIST completed"},
        {"SUBSCRIBE Gone/Below", "a OK"},
        {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
         "* LIST (\\NonExistent) \"/\" Gone (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"},
        {"LIST (RECURSIVEMATCH) \"\" %", "a BAD"},
        {"CREATE INBOX", "a NO [ALREADYEXISTS]"},
        {"CREATE Slash/", "a OK"},
        {"LIST \"\" Slash", "* LIST (\\HasNoChildren) \"/\" Slash\r\n"},
        {"SELECT INBOX (QRESYNC (1 1))", "a BAD"},
        {"SELECT INBOX", "a OK"},
        {"ENABLE CONDSTORE", "a BAD"},
        {"UID COPY 99 Archive", "a OK COPY completed\r\n"},
        {"UID MOVE 99 Archive", "a OK MOVE completed\r\n"},
        {"UID FETCH 99 FLAGS", "a OK FETCH completed\r\n"},
        {"UID STORE 99 FLAGS (\\Seen)", "a OK STORE completed\r\n"},
        {"UID FETCH 99:* UID",
         "* 1 FETCH (UID 1)\r\n"}, // "*" is the last one, whatever stands before it
        {"UID EXPUNGE 99", "a OK EXPUNGE completed\r\n"},
        {"SEARCH CHARSET X-NONE SUBJECT x", "a NO [BADCHARSET (US-ASCII UTF-8)]"},
        {"SEARCH RETURN (MIN MAX COUNT) SEEN", "* ESEARCH (TAG \"a\") COUNT 0\r\n"},
        {"SEARCH SEEN", "* SEARCH\r\n"},
        {"FETCH $ UID", "a OK FETCH completed\r\n"},
        {"STORE 1 +FLAGS (\\Recent)", "a BAD"},
        {"UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)", "a BAD"},
        {"FETCH 1 THREADID", "* 1 FETCH (THREADID (T"},
    };
    for (const auto& c : cases) {
        INFO(c.line);
        const auto answer = client(c.line);
        CAPTURE(answer);
        CHECK(has(answer, c.answer));
    }
}

TEST_CASE("expunges of others wait during STORE and SEARCH, but not during the UID commands") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient one(world), two(world);
    one.log_in();
    two.log_in();
    for (int i = 0; i < 6; ++i) one.append("INBOX", hello);
    one("SELECT INBOX");
    two("SELECT INBOX");
    struct Case {
        const char* line;
        bool tells;
    };
    const Case cases[] = {
        {"FETCH 1 UID", false},
        {"STORE 1 +FLAGS (\\Flagged)", false},
        {"SEARCH ALL", false},
        {"UID SEARCH 1:*", false}, // names message numbers
        {"UID FETCH 1 UID", true},
        {"UID SEARCH ALL", true},
        {"UID STORE 1 FLAGS ($A)", true},
        {"CHECK", true},
    };
    auto last = 6;
    for (const auto& c : cases) {
        INFO(c.line);
        // The second message goes, so that all behind it have other numbers.
        if (last > 2) {
            one("STORE 2 +FLAGS.SILENT (\\Deleted)");
            one("EXPUNGE");
            --last;
        }
        const auto answer = two(c.line);
        CAPTURE(answer);
        CHECK((has(answer, " EXPUNGE\r\n") || !c.tells));
        CHECK((!has(answer, " EXPUNGE\r\n") || c.tells));
        if (c.tells && last <= 2) break;
    }
}

TEST_CASE("many messages are fetched in order, whatever is asked and wherever gaps are") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    // Another mailbox takes ids between, and one email in ten has rows of several parts.
    const auto subject = [](int number) {
        return "Subject: number " + std::to_string(number) + "\r\n";
    };
    std::string long_field = "References:";
    for (int i = 0; i < 150; ++i) long_field += " <" + std::to_string(i) + "@example.test>";
    for (int number = 1; number <= 150; ++number) {
        client.append("INBOX", subject(number) + (number % 10 == 0 ? long_field + "\r\n" : "") +
                                   "\r\nbody\r\n");
        if (number % 7 == 0) client.append("Archive", hello);
    }
    client("SELECT INBOX");
    client("STORE 20:30,70 +FLAGS.SILENT (\\Deleted)");
    client("EXPUNGE");
    std::vector<int> uids;
    for (int uid = 1; uid <= 150; ++uid)
        if ((uid < 20 || uid > 30) && uid != 70) uids.push_back(uid);
    const auto all_of = [&](const std::string& answer,
                            const std::function<std::string(int)>& shown) {
        std::size_t at = 0;
        for (std::size_t i = 0; i < uids.size(); ++i) {
            const auto line = "* " + std::to_string(i + 1) + " FETCH (" + shown(uids[i]);
            const auto found = answer.find(line, at);
            if (found == std::string::npos) return "missing: " + line;
            at = found + line.size();
        }
        return std::string("all");
    };
    CHECK(all_of(client("FETCH 1:* UID"),
                 [](int uid) { return "UID " + std::to_string(uid) + ")\r\n"; }) == "all");
    CHECK(all_of(client("UID FETCH 1:* (RFC822.SIZE)"), [](int) { return "RFC822.SIZE "; }) ==
          "all");
    CHECK(all_of(client("FETCH 1:* (FLAGS ENVELOPE)"), [](int uid) {
              return "FLAGS (\\Recent) ENVELOPE (NIL \"number " + std::to_string(uid) + "\" NIL";
          }) == "all");
    CHECK(all_of(client("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)])"), [&](int uid) {
              return "BODY[HEADER.FIELDS (Subject)] {" + std::to_string(subject(uid).size() + 2) +
                     "}\r\n" + subject(uid);
          }) == "all");
    const auto some = client("UID FETCH 3,19:31,149:* (ENVELOPE)");
    CHECK(has(some, "* 19 FETCH (ENVELOPE (NIL \"number 19\""));
    CHECK(has(some, "* 20 FETCH (ENVELOPE (NIL \"number 31\""));
    CHECK(has(some, "\"number 150\""));
    CHECK(!has(some, "\"number 32\""));
}

TEST_CASE("a session whose mailbox is deleted by another ends with BYE") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient one(world), two(world);
    one.log_in();
    two.log_in();
    one("CREATE Work");
    two("SELECT Work");
    one("DELETE Work");
    CHECK(has(two("NOOP"), "* BYE"));
    CHECK(two.driver().closed());
}

TEST_CASE("a session that is cut off in the middle of anything leaves nothing behind") {
    const auto kind = GENERATE(StoreKind::Memory, StoreKind::Durable);
    const char* const lines[] = {"a LOGIN jo secret\r\n",
                                 "a AUTHENTICATE PLAIN\r\n",
                                 "a SELECT INBOX\r\n",
                                 "a FETCH 1 BODY[]\r\n",
                                 "a SEARCH TEXT nothing\r\n",
                                 "a IDLE\r\n",
                                 "a APPEND INBOX {1000+}\r\nSubject: x\r\n"};
    for (const auto* line : lines) {
        INFO(line);
        ImapWorld world(kind);
        ImapClient client(world);
        if (!std::string_view(line).starts_with("a LOGIN") &&
            !std::string_view(line).starts_with("a AUTH")) {
            client.log_in();
            std::string large = hello;
            while (large.size() < 300'000) large += "0123456789 0123456789 0123456789\r\n";
            client.append("INBOX", large);
            client("SELECT INBOX");
        }
        client.driver().set_room(100);
        client.send(line);
        client.driver().cut();
        world.people.scheduler().run_ready();
        CHECK(client.driver().closed());
    }
}

TEST_CASE("an idle session holds no buffers") {
    ImapWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    ImapClient client(world);
    client.log_in();
    for (int i = 0; i < 10; ++i) client.append("INBOX", hello);
    client("SELECT INBOX");
    client("FETCH 1:* (FLAGS BODY.PEEK[])");
    client.send("a IDLE\r\n");
    (void)client.take();
    CHECK(client.driver().engine().memory() < 1'000);
    CHECK(client.session().finished());
}
