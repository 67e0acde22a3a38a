"""Postfix and Dovecot as one server: it proves the stories, and is the benchmarks' peer."""

import imaplib
import os

import processes
from processes import wait_until
from peers import dovecot, postfix
from story import Account, Server, Skip

SERVICES = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")


class ReferenceServer(Server):
    """SMTP in and out by Postfix, delivery over LMTP to Dovecot, which also checks passwords.

    sdbox and not maildir, whose lock file a killed Dovecot leaves behind: the next waits for it.
    """
    kind = "reference"
    accounts_first = True
    host = "127.0.0.1"

    def __init__(self, scene, directory, settings, *, mail_format="sdbox", fsync="optimized",
                 lmtp_processes=0, postfix_settings=None):
        for peer in (postfix, dovecot):
            if peer.missing():
                raise Skip(peer.missing())
        if settings.extra:
            raise Skip("asks for what only mdserver has")
        self.scene, self.settings, self.directory = scene, settings, directory
        self.domain, self.hostname, self.ca = settings.domain, settings.hostname, scene.ca
        self.ports = {name: scene.ports.port() for name in (*SERVICES, "lmtp", "sasl")}
        certificate = settings.certificate or scene.certificate(settings.hostname)
        self.accounts = {}
        self.dovecot = dovecot.Dovecot(os.path.join(
            directory, "dovecot"), self.ports, certificate, mail_format=mail_format, fsync=fsync,
                                       lmtp_processes=lmtp_processes)
        submission = {
            "smtpd_tls_auth_only": "no",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:127.0.0.1:{self.ports['sasl']}",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated,reject",
            "smtpd_relay_restrictions": "permit_sasl_authenticated,reject",
            "smtpd_sender_restrictions": "reject_sender_login_mismatch",
            "smtpd_sender_login_maps": f"texthash:{directory}/postfix/etc/logins",
        }
        self.postfix = postfix.Postfix(
            os.path.join(directory, "postfix"), settings.hostname, listeners={
                "smtp": (self.host, self.ports["smtp"]),
                "submission": (self.host, self.ports["submission"], submission),
                "submissions": (self.host, self.ports["submissions"], submission | {
                    "smtpd_tls_wrappermode": "yes"
                }),
            }, domains=[settings.domain], certificate=certificate, wrapper=self._resolver(),
            settings=self._main() | (postfix_settings or {}))
        self._write_accounts()
        self.started = False

    def _main(self):
        settings, etc = self.settings, f"{self.directory}/postfix/etc"
        os.makedirs(etc, exist_ok=True)
        waits = settings.retry_seconds or (1,)
        values = {
            "recipient_delimiter": "+",
            "virtual_transport": f"lmtp:inet:127.0.0.1:{self.ports['lmtp']}",
            "virtual_mailbox_maps": f"texthash:{etc}/accounts",
            # Only submission relays: the stories' strangers come from loopback too.
            "mynetworks": "127.77.255.255/32",
            "smtpd_recipient_restrictions": "reject_unauth_destination",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_helo_required": "yes",
            "message_size_limit": str(settings.message_octets_max),
            "transport_maps": f"regexp:{etc}/transport",
            "smtp_tls_security_level": "may",
            "smtp_tls_CAfile": self.ca,
            "smtp_host_lookup": "dns",
            "smtp_dns_support_level": "enabled",
            "smtp_connection_cache_on_demand": "yes",
            "smtp_tls_connection_reuse": "yes",
            "smtp_connect_timeout": "2s",
            "minimal_backoff_time": f"{min(waits)}s",
            "maximal_backoff_time": f"{max(waits)}s",
            "maximal_queue_lifetime": f"{settings.give_up_seconds}s",
            "bounce_queue_lifetime": f"{settings.give_up_seconds}s",
            "smtp_connection_cache_destinations": "example.net",
            "notify_classes": "",
            "default_process_limit": "400",
        }
        transport = [f"/@{self.settings.domain}$/ {values['virtual_transport']}"]
        transport += [
            f"/@{domain}$/ smtp:[{host}]:{port}"
            for domain, (host, port) in settings.routes.items()
        ]
        if settings.delivery_port:
            values["smtp_tcp_port"] = str(settings.delivery_port)
        if settings.smart_host:
            host, port, user, password = settings.smart_host
            values |= {
                "relayhost": f"[{host}]:{port}", "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_password_maps":
                f"inline:{{ {{ [{host}]:{port} = {user}:{password} }} }}",
                "smtp_sasl_security_options": "noanonymous", "smtp_tls_security_level": "encrypt"
            }
        postfix.write_file(f"{etc}/transport", "\n".join(transport) + "\n")
        return values

    def _resolver(self):
        """Postfix asks only resolv.conf's servers at port 53: give it a resolv.conf of its own."""
        if not self.settings.dns:
            return ()
        servers = [server.rpartition(":")[0] for server in self.settings.dns]
        file = processes.write_file(
            f"{self.directory}/resolv.conf",
            "options timeout:1 attempts:1\n" +"".join(f"nameserver {server}\n"
                                                      for server in servers))
        bind = f"mount --bind {file} /etc/resolv.conf && exec \"$@\""
        if processes.run(["unshare", "-m", "true"], check=False).returncode != 0:
            raise Skip("no mount namespaces here: Postfix cannot be given another resolver")
        return ("unshare", "-m", "sh", "-c", bind, "sh")

    def _write_accounts(self):
        etc = f"{self.directory}/postfix/etc"
        addresses = list(self.dovecot.accounts)
        postfix.write_file(f"{etc}/accounts", "".join(f"{address} x\n" for address in addresses))
        postfix.write_file(f"{etc}/logins", "".join(f"{address} {address}\n"
                                                    for address in addresses))

    def port(self, service):
        return self.ports[service]

    def start(self, seconds=15.0):
        self.dovecot.start()
        self.postfix.start()
        for account in self.dovecot.accounts.items():
            assert self._first_login(Account(*account))
        self.started = True
        return self

    def stop(self):
        self.postfix.stop()
        self.dovecot.stop()
        self.started = False

    def kill(self):
        self.postfix.kill()
        self.dovecot.kill()
        self.started = False

    def reload(self):
        self.postfix.reload()

    def add_account(self, address, password):
        self.dovecot.add_account(address, password)
        self._write_accounts()
        account = Account(address, password)
        if self.started:
            self.postfix.reload()
            wait_until(lambda: self._first_login(account), "Dovecot to read its accounts again")
        return account

    def _first_login(self, account):
        """It makes the mailboxes, at which LMTP and IMAP together may deadlock."""
        with imaplib.IMAP4(self.host, self.port("imap")) as session:
            try:
                session.login(account.address, account.password)
                return session.select()[0] == "OK"
            except imaplib.IMAP4.error:
                return False

    def queue(self):
        return self.postfix.queue()

    def everything_logged(self):
        return self.postfix.everything_logged() + self.dovecot.everything_logged()
