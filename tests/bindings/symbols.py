"""What libmailcore_c.so lets programs link to is what symbols.txt says. usage: symbols.py LIBRARY SYMBOLS.TXT"""
import re
import subprocess
import sys

library, listed = sys.argv[1:]
found = set()
for line in subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True,
                           text=True).stdout.splitlines():
    kind, name = line.split()[-2:]
    if kind != "A":  # not the name of the version itself
        found.add(re.sub(r"@.*", "", name))
lines = open(listed).read().split()
problems = [f"{name} is exported and not in symbols.txt" for name in sorted(found - set(lines))]
problems += [f"{name} is in symbols.txt and not exported" for name in sorted(set(lines) - found)]
problems += [f"{name} does not begin with mailcore_" for name in lines if not name.startswith("mailcore_")]
if lines != sorted(set(lines)):
    problems.append("symbols.txt is not sorted")
print("\n".join(problems) or f"{len(found)} symbols, as listed")
sys.exit(bool(problems))
