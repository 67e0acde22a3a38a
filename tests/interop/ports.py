"""Loopback ports and addresses of one story, in a slot that nobody else on the machine holds."""

import socket

FIRST, SLOTS, WIDTH = 10000, 20, 1000  # 10000..29999, below Linux's range of ephemeral ports


class NoSlot(RuntimeError):
    pass


class Ports:
    """A range of a thousand ports. A listening socket is its lock, which goes with the process."""
    def __init__(self):
        for slot in range(SLOTS):
            guard = socket.socket()
            try:
                guard.bind(("127.0.0.1", FIRST + slot * WIDTH))
                guard.listen(1)
            except OSError:
                guard.close()
                continue
            self.slot, self.guard = slot, guard
            self.base = FIRST + slot * WIDTH
            # A server's ports are base + 25 .. base + 995; peers get what lies between 620 and 900.
            self.free = iter(range(self.base + 620, self.base + 900))
            self.bases = iter(range(self.base, self.base + 24, 3))
            self.hosts = iter(range(10, 250))
            return
        raise NoSlot(f"all {SLOTS} port ranges from {FIRST} on are taken")

    def server_base(self):
        """N for a server which listens at N + 25, N + 143, N + 993 and so on."""
        return next(self.bases)

    def port(self, kind=socket.SOCK_STREAM):
        for number in self.free:
            with socket.socket(socket.AF_INET, kind) as probe:
                try:
                    probe.bind(("127.0.0.1", number))
                    return number
                except OSError:
                    continue
        raise NoSlot("this story has used all its ports")

    def address(self):
        """A loopback address of this slot alone, for a host of its own on a shared port."""
        return f"127.77.{self.slot}.{next(self.hosts)}"
