#!/usr/bin/env python3
"""The house rules as a test. Each rule says what is wrong, where, and what to do instead."""
import pathlib, re, subprocess, sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
problems = []


def tracked():
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    names = out.stdout.split("\n") if out.returncode == 0 else [
        str(p.relative_to(root)) for p in root.rglob("*") if "build" not in p.parts]
    return [root / n for n in names if n and (root / n).is_file()]


files = tracked()
code = [f for f in files if f.suffix in (".h", ".cpp", ".c")]
library = [f for f in code if f.relative_to(root).parts[0] == "libmailcore"]
checks = 0


def complain(path, number, text):
    problems.append(f"{path.relative_to(root)}:{number}: {text}")


def without_comments_and_strings(line):
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return re.sub(r"//.*", "", line)


# Layers: who may include whom, and which foreign headers.
layers, foreign_of = {}, {}
for number, line in enumerate((root / "libmailcore/layers.txt").read_text().split("\n"), 1):
    if not line or line.startswith("#"):
        continue
    name, rest = line.split(":", 1)
    below, _, foreign = rest.partition("|")
    layers[name.strip()] = below.split()
    foreign_of[name.strip()] = foreign.split()
guarded = sorted({f for fs in foreign_of.values() for f in fs})
order = list(layers)
for module, below in layers.items():
    for other in below:
        if other not in layers or order.index(other) >= order.index(module):
            problems.append(f"libmailcore/layers.txt: {module} names {other}, which is not below it")
for path in library:
    parts = path.relative_to(root).parts
    if len(parts) < 3:
        continue
    module = parts[1]
    if module not in layers:
        complain(path, 1, f"module {module} has no line in layers.txt")
        continue
    for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
        if m := re.match(r'#include "libmailcore/([a-z0-9_]+)/(.*)"', line):
            if m[1] != module and m[1] not in layers[module]:
                complain(path, number, f"{module} may not include {m[1]} (layers.txt)")
            if m[2].startswith("detail/") and m[1] != module:
                complain(path, number, f"detail/ of {m[1]} is its own")
        elif m := re.match(r"#include <([^>]+)>", line):
            for header in guarded:
                if m[1].startswith(header) and header not in foreign_of[module]:
                    complain(path, number, f"{module} may not include <{m[1]}> (layers.txt, second column)")
    checks += 1
for path in code:
    first = path.relative_to(root).parts[0]
    if first in ("hosts", "bindings", "examples"):
        for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
            if re.match(r'#include "libmailcore/[a-z0-9_]+/detail/', line):
                complain(path, number, "only public headers may be included here")

# The first include of x.cpp is x.h.
for path in library:
    if path.suffix == ".cpp" and path.with_suffix(".h").exists():
        first = re.search(r'^#include ["<](.*)[">]', path.read_text(errors="replace"), re.M)
        if not first or first[1] != str(path.with_suffix(".h").relative_to(root)):
            complain(path, 1, f"the first include must be {path.with_suffix('.h').relative_to(root)}")

banned = [
    (r"\bstd::regex\b|<regex>", "PCRE2 or a parser, never std::regex", lambda m: True),
    (r"\b(strtok|sscanf|stoi|stol|stoul|stoull|atoi|atol|strptime)\s*\(", "one parser a grammar: codec/number.h, mime/date.h", lambda m: True),
    (r"\b(tolower|toupper)\s*\(", "locale: codec/ascii.h", lambda m: m not in ("base", "codec")),
    (r"::now\(\)|\btime\s*\(\s*(0|NULL|nullptr)\s*\)", "time is a parameter: base::Clock", lambda m: m not in ("net",)),
    (r"\b(rand|srand)\s*\(|random_device", "randomness is a parameter: base::Random", lambda m: True),
    (r"\b(sleep|usleep|nanosleep|sleep_for)\s*\(|std::this_thread::sleep", "nothing sleeps", lambda m: True),
    (r"\bgetenv\s*\(", "only hosts read the environment", lambda m: True),
    (r"\(void\)\s*[a-z_]+(\.|->|\()", "handle, propagate, or log with a reason", lambda m: True),
    (r"catch\s*\(\s*\.\.\.\s*\)", "let it fly to the top of the work item", lambda m: m not in ("net", "server")),
    (r"\bgoto\b", "no goto", lambda m: True),
]
for path in library:
    module = path.relative_to(root).parts[1]
    name = path.name
    for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
        bare = without_comments_and_strings(line)
        for pattern, instead, applies in banned:
            if re.search(pattern, bare) and applies(module) and not (module == "base" and name in ("clock.cpp", "random.cpp")):
                complain(path, number, f"`{re.search(pattern, bare)[0]}`: {instead}")
    if path.suffix == ".h":
        text = path.read_text(errors="replace")
        if m := re.search(r"#include <(iostream|regex|filesystem)>", text):
            complain(path, 1, f"<{m[1]}> has no place in a header")
        if "#pragma once" not in text:
            complain(path, 1, "#pragma once is missing")

# File names are nouns of the field.
for path in files:
    if re.search(r"(^|_)(util|utils|common|helper|helpers|misc|manager)(\d*)(_|\.)", path.name):
        complain(path, 1, "name the noun: no util, common, helper, misc or manager")

# g++ 12 and coroutines (libmailcore/STYLE.md). co_await stands as a statement, as the whole initialiser of a
# named variable, or in co_return co_await.
for path in code:
    for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
        bare = without_comments_and_strings(line)
        if "co_await" not in bare or "operator co_await" in bare or bare.lstrip().startswith("#"):
            continue
        if re.match(r"\s*(\}?\s*(else )?(if|for|while) \(.*\) |\}?\s*else )?co_await\b", bare) or re.search(r"\bco_return co_await\b", bare) or \
                re.search(r"=\s*co_await\b", bare) or re.match(r"\s*auto name = co_await", bare):
            condition = re.sub(r"\) (co_return )?co_await\b", ")", bare)
            if re.search(r"\b(if|while|switch|for)\s*\(.*(?<!co_return )co_await|&&.*co_await|\?.*co_await", condition):
                complain(path, number, "co_await in a condition: name a variable first (g++ 12)")
            continue
        complain(path, number, "co_await only as a statement, a whole initialiser or co_return co_await (g++ 12)")

    text = path.read_text(errors="replace")
    for m in re.finditer(r"\bco_await\b(?! std::move\()([^;]*);", text):
        if "operator co_await" in text[m.start() - 9:m.end()] or path.relative_to(root).parts[0] == "tests":
            continue
        if re.search(r"\[[^\]]+\]\s*[({]|\w\{", without_comments_and_strings(m[1].replace("\n", " "))):
            complain(path, text.count("\n", 0, m.start()) + 1,
                     "closures and braced values in a co_await: MAILCORE_CO_AWAIT (g++ 12)")

# Line length.
for path in code:
    for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
        if len(line) > (120 if path in library else 140):
            complain(path, number, f"{len(line)} columns")

# Citations: every RFC that is cited has a row in rfcs.txt that says yes or partial.
rows = {}
table = root / "libmailcore/rfcs.txt"
if table.exists():
    for line in table.read_text().split("\n"):
        if m := re.match(r"(\d+)\s+(yes|partial|no)\s+(.*)", line):
            rows[m[1]] = m[2]
    if list(rows) != sorted(rows, key=int):
        problems.append("libmailcore/rfcs.txt: rows are not sorted by number")
    cited = {}
    for path in code:
        for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
            for m in re.finditer(r"\bRFC (\d{3,5})\b", line):
                cited.setdefault(m[1], (path, number))
            if m := re.search(r"\bRFC(?!822)(\d{3,5})\b|\brfc ?\d{3,5} (section|sec)", line):
                if '"' not in line:
                    complain(path, number, "cite as `RFC nnnn §x.y`")
    for rfc, (path, number) in sorted(cited.items()):
        if rows.get(rfc) not in ("yes", "partial"):
            complain(path, number, f"RFC {rfc} is cited but not supported in libmailcore/rfcs.txt")

# READMEs name files that there are: beside them, in a module, or from the top. What a server's folder holds is not ours.
of_others = {"mdserver.toml", "lua-api.md"}
for readme in (f for f in files if f.name in ("README.md", "MODEL.md")):
    for number, line in enumerate(readme.read_text().split("\n"), 1):
        for name in re.findall(r"`([\w./-]+\.(?:h|cpp|py|txt|md|lua))`", line):
            if name not in of_others and not any((base / name).exists() for base in (readme.parent, root, root / "libmailcore")):
                complain(readme, number, f"there is no {name}")

# The top level is fixed.
allowed = {"libmailcore", "hosts", "bindings", "examples", "tests", "cmake", "CMakeLists.txt", "LICENSE", "README.md"}
for path in files:
    first = path.relative_to(root).parts[0]
    if first not in allowed and not first.startswith("."):
        complain(path, 1, f"{first} does not belong on the top level")

if checks == 0:
    problems.append("tidy checked no file")
for problem in sorted(set(problems)):
    print(problem)
print(f"tidy: {checks} library files, {len(set(problems))} problems")
sys.exit(1 if problems else 0)
