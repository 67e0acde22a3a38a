"""A certificate authority of the run, and certificates for the hosts in it (made with openssl)."""

import datetime
import os

import processes

ALWAYS = ("localhost", "127.0.0.1", "::1")  # clients connect by these

CA_SETTINGS = """\
[ca]
default_ca = interop
[interop]
database = {stem}.index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
x509_extensions = extensions
[policy]
commonName = supplied
[extensions]
subjectAltName = {names}
extendedKeyUsage = serverAuth, clientAuth
basicConstraints = critical, CA:FALSE
keyUsage = digitalSignature
"""


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.certificate = os.path.join(directory, "authority.pem")
        self.key = os.path.join(directory, "authority.key")

    def create(self):
        os.makedirs(self.directory, exist_ok=True)
        self._key(self.key)
        processes.run([
            "openssl", "req", "-x509", "-new", "-key", self.key, "-days", "3650", "-subj",
            "/CN=Interop test authority", "-out", self.certificate, "-addext",
            "keyUsage=critical,keyCertSign,cRLSign"
        ])
        return self

    def issue(self, directory, hostname, *more, days=365, stem=None):
        """Returns the paths of a chain and its key for `hostname`; negative `days` has expired."""
        stem = os.path.join(directory, stem or hostname)
        names = ",".join(
            ("email:" if "@" in name else
             "IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name
            for name in dict.fromkeys((hostname, *more, *ALWAYS)))
        # `openssl ca` and not `x509 -req`: only it has always taken dates in the past.
        processes.write_file(stem + ".index", "")
        settings = processes.write_file(stem + ".cnf", CA_SETTINGS.format(stem=stem, names=names))
        self._key(stem + ".key")
        processes.run(["openssl", "req", "-new", "-key", stem + ".key", "-subj", f"/CN={hostname}",
                       "-out", stem + ".csr"])
        now = datetime.datetime.now(datetime.timezone.utc)
        first = now - datetime.timedelta(days=30)
        last = now + datetime.timedelta(days=days)
        processes.run(["openssl", "ca", "-batch", "-notext", "-config", settings, "-in", stem + ".csr",
                       "-cert", self.certificate, "-keyfile", self.key, "-out", stem + ".pem",
                       "-startdate", f"{first:%Y%m%d%H%M%SZ}", "-enddate", f"{last:%Y%m%d%H%M%SZ}"],
                      cwd=directory)
        return stem + ".pem", stem + ".key"

    @staticmethod
    def _key(path):
        processes.run([
            "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path
        ])
        os.chmod(path, 0o644)  # test keys; servers drop privileges before some of them read it
