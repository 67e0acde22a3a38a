"""`./cmake/run`: the demo server, and the commands it prints, as a newcomer types them."""

import os
import re
import signal
import subprocess

import processes
from processes import wait_until
from story import Skip, story

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))


@story("./cmake/run prints three commands that work; Ctrl-C stops it; the next run finds the mail",
       needs=["curl"], servers=("mdserver",), deadline=120)
def demo(scene):
    if os.path.realpath(scene.binaries[0]) != f"{ROOT}/build/release/hosts/mdserver":
        raise Skip("cmake/run builds the release, which is not what is tested here")
    base = scene.ports.server_base()
    argv = [f"{ROOT}/cmake/run", "--port-base", base, "--data", scene.path("deeper", "demo")]

    def started(log):
        run = processes.Process(argv, log, env=os.environ | {"MAILCORE_NO_INSTALL": "1"}, cwd=ROOT)
        wait_until(lambda: "mdserver: ready" in run.output() or not run.running(), "ready", 60)
        assert run.running(), run.output()
        return run

    def interrupted(run):
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        status = run.child.wait(20)
        assert status == 0 and "mdserver has stopped" in run.output(), run.output()

    first = started(scene.path("first.log"))
    commands = re.split(r"\n\s*\n", re.search(r"\n( +printf.*?)\ncmake/run: starting", first.output(),
                                              re.DOTALL)[1].strip())
    assert len(commands) == 3, commands
    send, by_imap, by_pop3 = commands
    processes.run(["bash", "-ec", send])
    wait_until(
        lambda: "It works." in subprocess.run(["bash", "-c", by_imap], capture_output=True, text=True,
                                              check=False).stdout, "the mail over IMAP")
    assert "It works." in processes.run(["bash", "-ec", by_pop3]).stdout
    interrupted(first)

    second = started(scene.path("second.log"))
    assert "It works." in processes.run(["bash", "-ec", by_imap]).stdout
    interrupted(second)
