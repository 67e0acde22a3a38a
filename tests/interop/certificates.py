"""A certificate authority of the run, and certificates for the hosts in it (made with openssl)."""

import os

import processes

ALWAYS = ("localhost", "127.0.0.1", "::1")   # clients connect by these


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.certificate = os.path.join(directory, "authority.pem")
        self.key = os.path.join(directory, "authority.key")

    def create(self):
        os.makedirs(self.directory, exist_ok=True)
        self._key(self.key)
        processes.run(["openssl", "req", "-x509", "-new", "-key", self.key, "-days", "3650",
                       "-subj", "/CN=Interop test authority", "-out", self.certificate,
                       "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        return self

    def issue(self, directory, hostname, *more, days=365, stem=None):
        """Returns the paths of a chain and its key for `hostname`; negative `days` has expired."""
        stem = os.path.join(directory, stem or hostname)
        names = ",".join(("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name
                         for name in dict.fromkeys((hostname, *more, *ALWAYS)))
        extensions = processes.write_file(
            stem + ".ext", f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
                           "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n")
        self._key(stem + ".key")
        processes.run(["openssl", "req", "-new", "-key", stem + ".key", "-subj", f"/CN={hostname}",
                       "-out", stem + ".csr"])
        # Several stories issue at once: a random serial number, no serial file.
        serial = "0x" + os.urandom(15).hex()
        processes.run(["openssl", "x509", "-req", "-in", stem + ".csr", "-CA", self.certificate,
                       "-CAkey", self.key, "-set_serial", serial, "-days", str(days),
                       "-extfile", extensions, "-out", stem + ".pem"])
        return stem + ".pem", stem + ".key"

    @staticmethod
    def _key(path):
        processes.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])
        os.chmod(path, 0o644)   # test keys; servers drop privileges before some of them read it
