"""curl over SMTP, IMAP and POP3."""

import clients
from certificates import Authority
from letter import Letter, read, tokens
from processes import write_file
from story import Account, Settings, story


@story("curl sends over STARTTLS and TLS, with every password mechanism it has", needs=["curl"])
def send(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    # Debian's curl has no SCRAM; msmtp's story has.
    for tls, mechanism in (("starttls", None), ("starttls", "PLAIN"), ("starttls", "LOGIN"),
                           ("tls", None)):
        message = Letter(alice.address, bob.address, size=30_000)
        clients.curl_send(server, alice, message, tls=tls, mechanism=mechanism)
        clients.wait_letter(server, bob, message)


@story("curl logs in with a client's certificate over SMTP, IMAP and POP3 and nobody with a stranger's",
       needs=["curl", "openssl"], servers=("mdserver",))
def external(scene):
    known = Authority(scene.path("clients")).create()
    unknown = Authority(scene.path("strangers")).create()
    server = scene.server(Settings(extra={("tls", "client_ca_file"): known.certificate,
                                          ("login", "mechanisms"): ["EXTERNAL", "PLAIN"]}))
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    message = Letter("x@example.org", bob.address)
    clients.deliver(server, message)
    clients.wait_messages(server, bob, 1)
    nobody = Account(bob.address, "")  # curl takes EXTERNAL where there is no password

    def login(authority, service, tls, *arguments):
        chain, key = authority.issue(authority.directory, "laptop.example.org", bob.address)
        return clients.curl(server, nobody, service, "--cert", chain, "--key", key, "--login-options",
                            "AUTH=EXTERNAL", *arguments, tls=tls, check=False)

    for service, tls, answer in (("imap", "starttls", "INBOX"), ("imaps", "tls", "INBOX"),
                                 ("pop3", "starttls", "1 "), ("pop3s", "tls", "1 ")):
        done = login(known, service, tls)
        assert done.returncode == 0 and answer in done.stdout, (service, done.stdout, done.stderr)
        assert login(unknown, service, tls).returncode == 67, service  # "login denied"
    sent = Letter(bob.address, alice.address)
    letter = write_file(scene.path("letter"), sent.octets)
    arguments = ["--mail-from", bob.address, "--mail-rcpt", alice.address, "--upload-file", letter]
    assert login(unknown, "submission", "starttls", *arguments).returncode == 67
    done = login(known, "submission", "starttls", *arguments)
    assert done.returncode == 0, done.stderr
    clients.wait_letter(server, alice, sent)


@story("curl reads over IMAP: LIST, EXAMINE, FETCH by UID, SEARCH, APPEND, EXPUNGE", needs=["curl"])
def imap(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = [Letter("x@example.org", bob.address, size=size) for size in (100, 200_000)]
    for message in sent:
        clients.deliver(server, message)
    clients.wait_messages(server, bob, 2)
    for tls, service in (("starttls", "imap"), ("tls", "imaps")):

        def curl(path, *arguments, **more):
            return clients.curl(server, bob, service, *arguments, tls=tls, path=path, **more)

        assert "INBOX" in curl("").stdout
        found = [curl(f"INBOX;MAILINDEX={number}", octets=True) for number in (1, 2)]
        assert sorted(tokens(found)) == sorted(message.token for message in sent)
        assert "EXISTS" in curl("", "--request", "EXAMINE INBOX").stdout
        answer = curl(f"INBOX?SUBJECT%20{sent[1].token}").stdout
        assert len(answer.split()) == 3, answer  # * SEARCH n
        message = Letter("append@example.org", bob.address)
        # APPEND announces its size: curl wants a file for that.
        curl("Drafts", "--upload-file", write_file(scene.path("append"), message.octets))
        assert message.token in tokens(clients.messages(server, bob, "Drafts"))
    curl("INBOX", "--request", r"STORE 1 +FLAGS \Deleted")
    curl("INBOX", "--request", "EXPUNGE")
    assert len(clients.messages(server, bob)) == 1


@story("curl reads and deletes over POP3", needs=["curl"])
def pop3(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    for tls, service in (("none", "pop3"), ("starttls", "pop3"), ("tls", "pop3s")):
        message = Letter("x@example.org", bob.address, size=50_000)
        clients.deliver(server, message)
        clients.wait_messages(server, bob, 1)
        assert len(clients.curl(server, bob, service, tls=tls).stdout.splitlines()) == 1
        octets = clients.curl(server, bob, service, tls=tls, path="1", octets=True)
        assert read(octets) == (message.token, True)
        clients.curl(server, bob, service, "--request", "DELE", "--head", tls=tls, path="1")
        assert clients.messages(server, bob) == []
