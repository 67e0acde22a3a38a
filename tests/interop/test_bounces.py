"""Reports: what a sender learns of undeliverable mail (RFC 3464), and who never gets one."""

import clients
from letter import Letter, parse
from processes import wait_until
from story import Settings, story

REMOTE = "example.net"


def setting(scene, refuse, **settings):
    port = scene.ports.port()
    peer = scene.postfix("receiver", hostname="mx.example.net", domains=[REMOTE], listeners={
        "mx": ("127.0.0.1", port)
    }, refuse=refuse)
    return scene.server(Settings(routes={REMOTE: ("127.0.0.1", port)}, **settings)), peer


def check_report(octets, sender, recipient, status, action="failed"):
    """The parts RFC 3464 and RFC 6522 ask for: (message, recipient fields, returned part)."""
    report = parse(octets)
    assert report.get_content_type() == "multipart/report", report.get_content_type()
    assert report.get_param("report-type") == "delivery-status"
    assert report["Return-Path"] == "<>", report["Return-Path"]
    assert sender in report["To"] and report["From"] and report["Date"] and report[
        "Message-ID"] and report["Subject"]
    assert report.get("Auto-Submitted", "").startswith(
        ("auto-replied", "auto-generated")), report["Auto-Submitted"]
    assert report["MIME-Version"] == "1.0"
    text, delivery, returned = report.iter_parts()
    assert text.get_content_type() == "text/plain" and recipient in text.get_content()
    assert delivery.get_content_type() == "message/delivery-status"
    message, *recipients = delivery.iter_parts()
    assert message["Reporting-MTA"].replace(" ",
                                            "") == "dns;mx.example.test", message["Reporting-MTA"]
    about, = [one for one in recipients if recipient in one["Final-Recipient"]]
    assert about["Final-Recipient"].replace(" ", "").lower() == f"rfc822;{recipient}"
    assert about["Action"].lower() == action, about["Action"]
    assert about["Status"].startswith(status), about["Status"]
    return message, about, returned


@story("a 5xx brings a report with reason, remote host and the message into the sender's mailbox",
       needs=["postfix"])
def refused(scene):
    server, _ = setting(scene, {f"bad@{REMOTE}": "550 5.7.1 we do not want this"})
    alice = server.accounts["alice"]
    message = Letter(alice.address, f"bad@{REMOTE}")
    clients.submit(server, alice, message)
    octets, = clients.wait_messages(server, alice, 1)
    _, about, returned = check_report(octets, alice.address, f"bad@{REMOTE}", "5.7.1")
    diagnostic = " ".join(about["Diagnostic-Code"].split())
    assert diagnostic.startswith(
        "smtp") and "550 5.7.1" in diagnostic and "we do not want this" in diagnostic, diagnostic
    assert about["Remote-MTA"], "no Remote-MTA"
    assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers")
    assert message.token in str(returned)
    server.wait_queue_empty()


@story(
    "DSN options: NOTIFY=NEVER is silent, ENVID and ORCPT come back, RET=HDRS returns headers only",
    needs=["postfix"])
def dsn_options(scene):
    server, peer = setting(scene, {f"bad@{REMOTE}": "550 5.1.1 no such user"})
    alice = server.accounts["alice"]
    silent = Letter(alice.address, f"bad@{REMOTE}")
    clients.submit(server, alice, silent, recipient_options=["NOTIFY=NEVER"])
    wait_until(lambda: peer.logged("reject: RCPT"), "the refusal", 20)
    server.wait_queue_empty()
    told = Letter(alice.address, f"bad@{REMOTE}", size=5000)
    clients.submit(server, alice, told, options=["RET=HDRS", "ENVID=order-4711"],
                   recipient_options=["NOTIFY=FAILURE", f"ORCPT=rfc822;Bad+2Bold@{REMOTE}"])
    octets, = clients.wait_messages(server, alice, 1)
    message, about, returned = check_report(octets, alice.address, f"bad@{REMOTE}", "5.1.1")
    assert message["Original-Envelope-Id"] == "order-4711"
    assert about["Original-Recipient"].replace(
        " ", "").lower() == f"rfc822;bad+old@{REMOTE}", about["Original-Recipient"]
    assert returned.get_content_type() == "text/rfc822-headers" and told.token in str(returned)
    assert told.body[:60] not in octets
    assert silent.token.encode() not in octets


@story("NOTIFY=SUCCESS brings a report of delivery into a local mailbox")
def success(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    message = Letter(alice.address, bob.address)
    clients.submit(server, alice, message, recipient_options=["NOTIFY=SUCCESS"])
    clients.wait_letter(server, bob, message)
    octets, = clients.wait_messages(server, alice, 1)
    # Postfix hands over to Dovecot, which cannot tell it what became of the message.
    action = "delivered" if server.kind == "mdserver" else "relayed"
    check_report(octets, alice.address, bob.address, "2.", action=action)


@story("a bounce is never bounced: mail from <> that is refused ends there", needs=["postfix"])
def never_bounced(scene):
    server, peer = setting(scene, {f"bad@{REMOTE}": "550 5.1.1 no such user"})
    alice = server.accounts["alice"]
    # A user's receipt goes out from <>; the remote refuses it.
    receipt = Letter("", f"bad@{REMOTE}")
    clients.submit(server, alice, receipt)
    wait_until(lambda: peer.logged(r"reject: RCPT .* from=<> to=<bad@"), "the refusal", 20)
    server.wait_queue_empty()
    for account in server.accounts.values():
        assert clients.messages(server, account) == []


@story(
    "a report leaves with the null sender; when the sender's own host refuses it, it ends there",
    needs=["postfix"], servers=("mdserver",))
def report_leaves(scene):
    # A stranger's mail to an alias that forwards to a host which refuses: the report goes to the
    # stranger's host.
    server, peer = setting(scene, {
        f"bad@{REMOTE}": "550 5.1.1 no", f"stranger@{REMOTE}": "550 5.1.1 no reports here"
    })
    forward = f"forward@{server.domain}"
    server.control("alias", "add", forward, f"bad@{REMOTE}")
    message = Letter(f"stranger@{REMOTE}", forward)
    clients.deliver(server, message)
    wait_until(lambda: peer.logged(rf"reject: RCPT .* from=<> to=<stranger@{REMOTE}>"),
               "the refused report", 20)
    server.wait_queue_empty()
    for account in server.accounts.values():
        assert clients.messages(server, account) == []
