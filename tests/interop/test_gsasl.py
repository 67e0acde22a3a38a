"""GNU SASL's own client, whose library msmtp and mpop use: SCRAM bound to the TLS session."""

import clients
from mdserver import toml_with
from processes import read_text, write_file
from story import Settings, story


@story("GNU SASL binds SCRAM to the TLS 1.3 session over SMTP and IMAP, and a shortened list is noticed",
       needs=["gsasl"], servers=("mdserver",))
def scram_plus(scene):
    # Not offered as it comes: neomutt 2022 knows bindings, takes plain SCRAM all the same, and is
    # then refused as if the list had been shortened on the way.
    mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
    server = scene.server(Settings(extra={("login", "mechanisms"): mechanisms}))
    alice = server.accounts["alice"]
    for service in ("submission", "imap"):
        for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"):
            done = clients.gsasl(server, alice, service, mechanism, check=False)
            said = done.stdout + done.stderr
            # Without -PLUS GNU SASL still says that it could bind ("y"): somebody took the
            # stronger mechanism off the list, as far as the server can tell.
            assert (done.returncode == 0) == (mechanism != "SCRAM-SHA-256"), (service, mechanism, said)
        # Over TLS 1.2 there is no binding, and none is offered.
        assert clients.gsasl(server, alice, service, "SCRAM-SHA-256-PLUS", tls13=False,
                             check=False).returncode != 0


@story("GNU SASL speaks SCRAM-SHA-1 where it is switched on, from the first login on that shows the password",
       needs=["gsasl"], servers=("mdserver",))
def scram_sha1(scene):
    server = scene.server()
    alice = server.accounts["alice"]

    def restart(*mechanisms):
        server.stop()
        write_file(server.config, toml_with(read_text(server.config), {("login", "mechanisms"): list(mechanisms)}))
        server.start()

    def succeeds(service, mechanism, bound=True):
        return clients.gsasl(server, alice, service, mechanism, bound=bound, check=False).returncode == 0

    assert not succeeds("imap", "SCRAM-SHA-1", bound=False)
    restart("SCRAM-SHA-1", "PLAIN")
    # Made before, the account has no keys of SHA-1 yet.
    assert not succeeds("imap", "SCRAM-SHA-1", bound=False)
    assert succeeds("imap", "PLAIN")
    for service in ("imap", "submission"):
        assert succeeds(service, "SCRAM-SHA-1", bound=False), service
    restart("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN")
    assert succeeds("imap", "SCRAM-SHA-1-PLUS") and succeeds("submission", "SCRAM-SHA-1-PLUS")
