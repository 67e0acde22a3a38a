"""IMAP extensions, used by clients that others wrote."""

import os
import re

import clients
import processes
from letter import Letter, tokens
from processes import write_file
from story import story

OWN = ("mdserver",)


def raw(session, command, *arguments):
    """A command that imaplib has no method for; its untagged answers by name."""
    import imaplib
    imaplib.Commands.setdefault(command, ("AUTH", "SELECTED"))
    status, answer = session._simple_command(command, *arguments)
    assert status == "OK", answer
    untagged, session.untagged_responses = session.untagged_responses, {}
    return untagged


def filled(server, count):
    bob = server.accounts["bob"]
    letters = [Letter("x@example.org", bob.address, size=1000 + number) for number in range(count)]
    with clients.smtplib_session(server, service="smtp") as session:
        for each in letters:
            session.sendmail(each.sender, [bob.address], each.octets)
    clients.wait_messages(server, bob, count)
    return bob, letters


@story("neomutt with QRESYNC and a header cache sees what another session changed meanwhile",
       needs=["neomutt"], servers=OWN)
def neomutt_resync(scene):
    server = scene.server()
    bob, letters = filled(server, 10)
    cache = scene.folder("cache")
    more = f'set header_cache="{cache}"\nset imap_condstore=yes\nset imap_qresync=yes\n' \
           f'set sort=mailbox-order\nset pipe_decode=no'
    for number in range(2):
        target = scene.path(f"piped-{number}")
        keys = f"<first-entry><pipe-message>cat >{target}<enter><quit>"
        clients.neomutt_read(scene, server, bob, keys, more=more)
        found, = tokens([open(target, "rb").read()])
        assert found == letters[number].token, (number, found)
        # The first message goes; the cache must not show it again.
        with clients.imaplib_session(server, bob, folder="INBOX") as session:
            session.store("1", "+FLAGS", r"(\Deleted)")
            session.expunge()
            session.store("2", "+FLAGS", r"(\Flagged)")


@story("Perl's Mail::IMAPClient appends, moves, searches, idles and expunges by UID",
       needs=["perl"], servers=OWN)
def mail_imapclient(scene):
    if processes.run(["perl", "-MMail::IMAPClient", "-e", "1"], check=False).returncode:
        from story import Skip
        raise Skip("libmail-imapclient-perl is not installed")
    server = scene.server()
    bob, letters = filled(server, 5)
    program = write_file(scene.path("client.pl"), r'''
use strict; use warnings; use Mail::IMAPClient;
my ($port, $user, $password, $ca) = @ARGV;
my $imap = Mail::IMAPClient->new(Server => "localhost", Port => $port, User => $user,
    Password => $password, Starttls => [SSL_ca_file => $ca], Uid => 1) or die "login: $@";
for my $wanted (qw(IDLE UIDPLUS MOVE NAMESPACE UNSELECT)) {
    $imap->has_capability($wanted) or die "no $wanted";
}
$imap->create("Archive/2026") or die $imap->LastError;
$imap->subscribe("Archive/2026") or die $imap->LastError;
grep { $_ eq "Archive/2026" } $imap->folders or die "not listed";
$imap->select("INBOX") or die $imap->LastError;
my @all = $imap->search("ALL"); @all == 5 or die "found @all";
my $uid = $imap->append_string("Archive/2026", "Subject: appended\r\n\r\nbody\r\n", '\Seen',
    "23-Nov-2026 10:00:00 +0100") or die $imap->LastError;
$uid =~ /^\d+$/ or die "no APPENDUID: $uid";
$imap->move("Archive/2026", [@all[0, 1]]) or die $imap->LastError; # copies and marks as deleted
$imap->expunge or die $imap->LastError;
@all = $imap->search("ALL"); @all == 3 or die "after the move @all";
$imap->set_flag('Deleted', $all[0]) or die $imap->LastError;
$imap->uidexpunge([$all[0]]) or die $imap->LastError;
@all = $imap->search("ALL"); @all == 2 or die "after the expunge @all";
my $tag = $imap->idle or die $imap->LastError;
$imap->done($tag) or die $imap->LastError;
$imap->select("Archive/2026") or die $imap->LastError;
my @there = $imap->search("ALL"); @there == 3 or die "archive @there";
my ($appended) = $imap->search("SUBJECT appended"); $appended == $uid or die "search";
$imap->internaldate($uid) =~ /23-Nov-2026 (10:00:00 \+0100|09:00:00 \+0000)/
    or die $imap->internaldate($uid);
$imap->subject($uid) eq "appended" or die;
$imap->get_bodystructure($uid)->bodytype eq "TEXT" or die;
$imap->tag_and_run("UNSELECT") or die $imap->LastError;
$imap->logout or die $imap->LastError;
print "done\n";
''')
    done = processes.run(["perl", program, server.port("imap"), bob.address, bob.password, server.ca])
    assert done.stdout == "done\n", done


@story("Dovecot copies a whole account away over IMAP (doveadm backup through imapc)",
       needs=["doveadm"], servers=OWN)
def dovecot_backup(scene):
    server = scene.server()
    bob, letters = filled(server, 30)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        session.create("Projects/One")
        session.copy("1:10", "Projects/One")
        session.store("5:6", "+FLAGS", r"(\Flagged $Important)")
    home = scene.folder("home")
    os.chown(home, 65534, 65534)
    config = write_file(scene.path("backup.conf"), f"""\
log_path = {scene.path('dovecot.log')}
base_dir = {scene.folder('run')}
mail_uid = 65534
mail_gid = 65534
mail_home = {home}
mail_location = maildir:~/mail:LAYOUT=fs
protocols =
ssl_client_ca_file = {server.ca}
imapc_host = 127.0.0.1
imapc_ssl_verify = no
imapc_port = {server.port("imaps")}
imapc_ssl = imaps
imapc_user = {bob.address}
imapc_password = {bob.password}
imapc_features = rfc822.size fetch-headers search modseq acl
mail_prefetch_count = 20
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={home}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
""")
    for turn in range(2):
        processes.run(["doveadm", "-c", config, "backup", "-R", "imapc:"], seconds=60,
                      env=os.environ | {"HOME": home, "USER": "copy"})
        found = [
            open(path, "rb").read() for folder, _, names in os.walk(home) for path in
            (os.path.join(folder, name) for name in names) if folder.endswith(("/cur", "/new"))
        ]
        assert len(found) == 40 + turn, (turn, len(found))
        assert {each.token for each in letters} <= set(tokens(found))
        clients.deliver(server, Letter("x@example.org", bob.address))
        clients.wait_messages(server, bob, 31 + turn)


@story("ESEARCH, LIST-STATUS, STATUS=SIZE, SPECIAL-USE, OBJECTID, CONDSTORE, QRESYNC, MULTIAPPEND, BINARY,"
       " APPENDLIMIT, PREVIEW, UTF8=ACCEPT as imaplib sends them",
       servers=OWN)
def by_imaplib(scene):
    server = scene.server()
    bob, letters = filled(server, 6)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        told = raw(session, "UID", "SEARCH", "RETURN (MIN MAX COUNT ALL)", "1:*")
        assert re.search(rb"UID MIN \d+ MAX \d+ COUNT 6 ALL \S+|UID .*COUNT 6", told["ESEARCH"][0]), told
        told = raw(session, "STATUS", "INBOX", "(MESSAGES SIZE HIGHESTMODSEQ MAILBOXID)")["STATUS"][0]
        assert b"MESSAGES 6" in told and b"SIZE " in told and b"MAILBOXID (" in told, told
        raw(session, "DELETE", "Sent")
        raw(session, "CREATE", "Outgoing", r"(USE (\Sent))")
        told = raw(session, "LIST", '""', '"*"', "RETURN (CHILDREN SPECIAL-USE STATUS (UNSEEN))")
        assert any(rb"\Sent" in row for row in told["LIST"]), told
        assert len(told["STATUS"]) == len([row for row in told["LIST"] if b"NoSelect" not in row]), told
        told = raw(session, "FETCH", "1", "(EMAILID THREADID MODSEQ)")["FETCH"][0]
        assert re.search(rb"EMAILID \([\w-]+\).*THREADID \([\w-]+\)", told), told

        told = raw(session, "SELECT", "INBOX", "(CONDSTORE)")
        modseq = int(told["HIGHESTMODSEQ"][0])
        validity, = told["UIDVALIDITY"]
        uids = session.uid("SEARCH", "ALL")[1][0].split()
        session.store("1", "+FLAGS", r"(\Flagged)")
        told = raw(session, "FETCH", "1:*", "(FLAGS)", f"(CHANGEDSINCE {modseq})")["FETCH"]
        assert len([row for row in told if b"Flagged" in row]) == 1, told
        session.store("2", "+FLAGS", r"(\Deleted)")
        session.expunge()
        # A literal may come without waiting for the server (LITERAL+), so imaplib sends it as text.
        told = raw(session, "APPEND", "INBOX", "{5+}\r\nfirst", "~{6+}\r\nsecond")
        assert session.status("INBOX", "(MESSAGES APPENDLIMIT)")[1][0].startswith(b"INBOX (MESSAGES 7 APPENDLIMIT ")
        told = raw(session, "FETCH", "1", "(PREVIEW (LAZY) BINARY.SIZE[1] BINARY.PEEK[1]<0.5>)")["FETCH"]
        assert "PREVIEW" in str(told) and "BINARY.SIZE[1] " in str(told) and "BINARY[1]<0> {5}" in str(told), told
    with clients.imaplib_session(server, bob) as session:
        assert session.enable("UTF8=ACCEPT")[0] == "OK"
        name = '"Gr\u00fc\u00dfe"'.encode()
        assert session.create(name)[0] == "OK"
        # imaplib's own append puts "UTF8 (" into the message: not used.
        message = "Subject: \u00fcber\r\n\r\nx\r\n"
        raw(session, "APPEND", name.decode(), f"UTF8 (~{{{len(message.encode())}+}}\r\n{message})")
        assert session.select(name)[0] == "OK"
        assert "\u00fcber".encode() in session.fetch("1", "(ENVELOPE)")[1][0]
        assert raw(session, "SEARCH", "SUBJECT", '"\u00fcber"')["SEARCH"][0] == b"1"
    with clients.imaplib_session(server, bob) as session:
        raw(session, "ENABLE", "QRESYNC")
        told = raw(session, "SELECT", "INBOX", f"(QRESYNC ({validity.decode()} {modseq}))")
        assert told["VANISHED"][0].split()[-1] == uids[1], told
        assert any(b"Flagged" in row for row in told["FETCH"]), told


@story("SEARCHRES keeps what a model keeps (RFC 5182 §2.1)", servers=OWN)
def searchres_model(scene):
    import random
    chance = random.Random(5182)
    server = scene.server()
    bob, letters = filled(server, 12)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        uids = [int(uid) for uid in session.uid("SEARCH", "ALL")[1][0].split()]
        saved = []

        def fetched():
            rows = raw(session, "UID", "FETCH", "$", "(UID)").get("FETCH", [])
            return sorted(int(re.search(rb"UID (\d+)", row)[1]) for row in rows)

        for _ in range(60):
            some = sorted(chance.sample(uids, chance.randint(1, len(uids))))
            text = ",".join(map(str, some))
            if chance.random() < .3 and saved:
                some, text = [uid for uid in some if uid in saved], f"{text} UID $"
            returns = chance.choice(["SAVE", "SAVE ALL", "SAVE COUNT", "SAVE MIN", "SAVE MAX",
                                     "SAVE MIN MAX", "SAVE MIN COUNT"])
            raw(session, "UID", "SEARCH", f"RETURN ({returns})", "UID", text)
            ends = {"SAVE MIN": some[:1], "SAVE MAX": some[-1:], "SAVE MIN MAX": some[:1] + some[-1:]}
            saved = sorted(set(ends.get(returns, some)))
            if chance.random() < .1 and len(uids) > 4:  # what is expunged leaves "$" too
                gone = chance.choice(uids)
                session.uid("STORE", str(gone), "+FLAGS.SILENT", r"(\Deleted)")
                session.expunge()
                uids.remove(gone)
                saved = [uid for uid in saved if uid != gone]
            assert fetched() == saved, (returns, text, saved)
        session.select("INBOX")
        assert fetched() == []


@story("LIST-EXTENDED lists what a model lists (RFC 5258 §3)", servers=OWN)
def list_extended_model(scene):
    import random
    chance = random.Random(5258)
    server = scene.server()
    bob = server.accounts["bob"]
    names = ["m", "m/a", "m/b", "m/b/c", "m/b/d", "n", "n/e", "o"]
    with clients.imaplib_session(server, bob) as session:
        for name in names:
            session.create(name)
        for _ in range(25):
            subscribed = {name for name in names if chance.random() < .4}
            for name in names:
                (session.subscribe if name in subscribed else session.unsubscribe)(name)
            for pattern, matches in (("m*", lambda name: name[0] == "m"),
                                     ("%", lambda name: "/" not in name),
                                     ("m/%", lambda name: name[:2] == "m/" and name.count("/") == 1)):
                below = {name for name in names
                         if any(other.startswith(name + "/") for other in subscribed)}
                told = raw(session, "LIST", "(SUBSCRIBED RECURSIVEMATCH)", '""', f'"{pattern}"')
                rows = {}
                for row in told.get("LIST", []):
                    name = re.search(rb'"/" (\S+)', row)[1].decode()
                    if name in names:
                        rows[name] = (rb"\Subscribed" in row, b"CHILDINFO" in row)
                wanted = {}
                for name in names:
                    # Only where the pattern does not match what is below itself (§3.5).
                    hidden = any(other.startswith(name + "/") and not matches(other)
                                 for other in subscribed)
                    if matches(name) and (name in subscribed or hidden):
                        wanted[name] = (name in subscribed, name in below)
                extra = {name for name in rows if name not in wanted}
                assert all(name in below for name in extra), (pattern, subscribed, rows)
                for name, (own, _) in wanted.items():
                    assert rows[name][0] == own, (pattern, subscribed, rows)
                    assert not rows[name][1] or name in below, (pattern, subscribed, rows)
                    assert rows[name][1] or not any(
                        other.startswith(name + "/") and not matches(other)
                        for other in subscribed), (pattern, subscribed, rows)
