#include "libmailcore/smtp/received.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

Reception reception() {
    Reception reception;
    reception.peer.transport = PeerInfo::Transport::Tcp;
    reception.peer.address = *IpAddress::parse("192.0.2.7");
    reception.client = "client.example";
    reception.by = "mx.example";
    reception.id = "00ff";
    reception.date = "Tue, 1 Jul 2003 10:52:37 +0200";
    return reception;
}

} // namespace

TEST_CASE("a Received field says from whom, by whom, how and when") {
    auto r = reception();
    CHECK(received_field(r) ==
          "Received: from client.example ([192.0.2.7])\r\n\tby mx.example with ESMTP id 00ff;\r\n"
          "\tTue, 1 Jul 2003 10:52:37 +0200\r\n");
    r.client_name = "host.client.example";
    r.recipient = Path{{"b", "mx.example"}};
    r.peer.tls.emplace();
    r.peer.tls->cipher = "TLS_AES_128_GCM_SHA256";
    r.peer.tls->version = "TLSv1.3";
    r.authenticated = true;
    CHECK(received_field(r) == "Received: from client.example (host.client.example "
                               "[192.0.2.7])\r\n\tby mx.example with ESMTPSA id 00ff\r\n"
                               "\tfor <b@mx.example>\r\n\ttls TLS_AES_128_GCM_SHA256 "
                               "(TLSv1.3);\r\n\tTue, 1 Jul 2003 10:52:37 +0200\r\n");
}

TEST_CASE("the with clause names the protocol") {
    struct Case {
        Dialect dialect;
        bool extended, tls, authenticated, utf8;
        std::string_view keyword;
    };
    static constexpr Case cases[] = {
        {Dialect::Smtp, false, false, false, false, "SMTP"},
        {Dialect::Smtp, true, false, false, false, "ESMTP"},
        {Dialect::Smtp, true, true, false, false, "ESMTPS"},
        {Dialect::Smtp, true, false, true, false, "ESMTPA"},
        {Dialect::Smtp, true, true, true, false, "ESMTPSA"},
        {Dialect::Lmtp, true, false, false, false, "LMTP"},
        {Dialect::Lmtp, true, true, true, false, "LMTPSA"},
        {Dialect::Smtp, true, false, false, true, "UTF8SMTP"},
        {Dialect::Smtp, true, true, true, true, "UTF8SMTPSA"},
        {Dialect::Lmtp, true, true, false, true, "UTF8LMTPS"},
    };
    for (const auto& c : cases) {
        auto r = reception();
        r.dialect = c.dialect;
        r.extended = c.extended;
        r.authenticated = c.authenticated;
        r.smtp_utf8 = c.utf8;
        if (c.tls) r.peer.tls.emplace();
        CHECK(with_protocol(r) == c.keyword);
    }
}

TEST_CASE("what the client has chosen stays in its place of a Received field") {
    auto r = reception();
    r.client = "x) by evil\r\nFrom: <a@b> (";
    const auto field = received_field(r);
    CHECK(field.starts_with("Received: from [192.0.2.7] ([192.0.2.7] helo=x??by?evil??From:?"));
    CHECK(field.find("\r\nFrom") == std::string::npos);
    r.client = "[192.0.2.9]";
    CHECK(received_field(r).starts_with("Received: from [192.0.2.9] ([192.0.2.7])"));
    r.client.clear();
    CHECK(received_field(r).starts_with("Received: from [192.0.2.7] ([192.0.2.7])\r\n"));
    r.id = "a b";
    CHECK(received_field(r).find(" id ") == std::string::npos);
    r.recipient = Path{{"ü", "x"}};
    CHECK(received_field(r).find(" for ") == std::string::npos);
    r.smtp_utf8 = true;
    CHECK(received_field(r).find("\tfor <ü@x>") != std::string::npos);
    r.client = std::string(1000, '(');
    CHECK(received_field(r).size() < 600);
}

TEST_CASE("a local client has no address") {
    auto r = reception();
    r.peer.transport = PeerInfo::Transport::Unix;
    r.client = "lists";
    CHECK(received_field(r).starts_with("Received: from lists\r\n\tby mx.example"));
    r.client = "not a name";
    CHECK(received_field(r).starts_with("Received: from localhost (helo=not?a?name)\r\n"));
}

TEST_CASE("a Return-Path is the reverse-path") {
    CHECK(return_path_field({}) == "Return-Path: <>\r\n");
    CHECK(return_path_field({{"a b", "x"}}) == "Return-Path: <\"a b\"@x>\r\n");
    CHECK(return_path_field({{"a\r\nb", "x"}}) == "Return-Path: <>\r\n");
}
