#!/usr/bin/env python3
"""Compares what the library makes of real mail with what Python's email package makes of it.

usage: differential.py MIME_DUMP SAMPLE.tar.xz FOLDER
Each kind of comparison has a share that must agree; what differs is printed with --verbose.
"""
import email, email.header, email.utils, json, pathlib, re, subprocess, sys, tarfile

# What is known to differ, and why:
# content, text  a header line without colon ends the header for Python, not for us; "==" in quoted-printable
# address        a comment behind a name is no part of it for us; "a@b <c@d>" and "Two Words@c" are one address;
#                raw 8-bit octets in names are windows-1252 for us, U+FFFD for Python
# date           the zone "+05-30" is +0530 for us, none for Python
LEAST = {"tree": 1, "content": 0.995, "text": 0.995, "subject": 1, "date": 0.99, "address": 0.98, "name": 1}


def digest(octets):
    value = 0xCBF29CE484222325
    for c in octets:
        value = ((value ^ c) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return str(value)


def collapsed(text):
    return re.sub(r"[\s\0-\x20\x7f]+", " ", text).strip()


def decoded(octets, charset):
    """Our rule for text without charset: UTF-8, and beneath it windows-1252."""
    if charset.lower() in ("", "us-ascii", "ascii", "iso-8859-1", "latin1"):
        try:
            if charset.lower() not in ("iso-8859-1", "latin1"):
                return octets.decode("utf-8")
        except UnicodeDecodeError:
            pass
        return octets.decode("cp1252", "replace")
    try:
        return octets.decode(charset, "replace")
    except LookupError:
        return decoded(octets, "")


def words(value):
    if value is None:
        return ""
    out = ""
    try:
        for piece, charset in email.header.decode_header(re.sub(r"\r?\n", "", str(value))):
            out += decoded(piece, charset or "") if isinstance(piece, bytes) else decoded(
                piece.encode("utf-8", "surrogateescape"), "")
    except Exception:
        return str(value)
    return out


def theirs(raw):
    message = email.message_from_bytes(raw)
    out = {"parts": [], "subject": words(message.get("Subject"))}

    def walk(part):
        kind = part.get_content_type()
        row = {"type": kind, "multipart": part.is_multipart() and not kind.startswith("message/")}
        out["parts"].append(row)
        if kind == "message/delivery-status":
            return
        if part.is_multipart():
            for child in part.get_payload():
                walk(child)
        else:
            content = part.get_payload(decode=True) or b""
            row["content"] = content
            if kind.startswith("text/"):
                row["text"] = decoded(content, part.get_content_charset() or "")
            row["name"] = part.get_filename() and words(part.get_filename())

    walk(message)
    for field in ("from", "to", "cc"):
        values = message.get_all(field, [])
        out[field] = [[words(n), a] for n, a in email.utils.getaddresses(
            [re.sub(r"\r?\n", "", str(v)) for v in values]) if n or a]
    parsed = email.utils.parsedate_tz(str(message.get("Date", "")))
    try:
        out["date"] = email.utils.mktime_tz(parsed) if parsed else None
    except (OverflowError, ValueError):
        out["date"] = None
    return out


def main():
    verbose = "--verbose" in sys.argv
    dump, sample, folder = [a for a in sys.argv[1:] if a != "--verbose"]
    folder = pathlib.Path(folder)
    if not pathlib.Path(sample).exists():
        print("no sample beside the project: skipped")
        return 77
    if not (folder / "sample").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(sample) as archive:
            archive.extractall(folder)
    files = sorted(str(p) for p in folder.rglob("*.eml"))
    agreed = {kind: [0, 0] for kind in LEAST}

    def compare(kind, file, a, b):
        agreed[kind][1] += 1
        if a == b:
            agreed[kind][0] += 1
        elif verbose:
            print(f"{kind}: {file}\n  ours   {str(a)[:300]!r}\n  theirs {str(b)[:300]!r}")

    lines = subprocess.run([dump] + files, capture_output=True, check=True).stdout.decode().splitlines()
    for line in lines:
        ours = json.loads(line)
        file = ours["file"]
        other = theirs(pathlib.Path(file).read_bytes())
        tree = [(p["type"], p["multipart"]) for p in ours["parts"]]
        compare("tree", file, tree, [(p["type"], p["multipart"]) for p in other["parts"]])
        compare("subject", file, collapsed(ours["subject"]), collapsed(other["subject"]))
        compare("date", file, ours.get("date"), other["date"])
        for field in ("from", "to", "cc"):
            compare("address", file, [[collapsed(n), a] for n, a in ours[field]],
                    [[collapsed(n), a] for n, a in other[field]])
        if len(tree) != len(other["parts"]):
            continue
        for a, b in zip(ours["parts"], other["parts"]):
            if "content" not in a or "content" not in b:
                continue
            # Python leaves the line end before a delimiter to the part or not, by its kind.
            same = a["content"] in (digest(b["content"]), digest(b["content"].rstrip(b"\r\n")))
            if not same and "text" in a and "text" in b:
                same = collapsed(a["text"]) == collapsed(b["text"])
            compare("content", file, a["content"] if not same else "", digest(b["content"]) if not same else "")
            if "text" in a and "text" in b:
                compare("text", file, collapsed(a["text"]), collapsed(b["text"]))
            if a.get("name") or b.get("name"):
                compare("name", file, collapsed(a.get("name") or ""), collapsed(b.get("name") or ""))
    bad = not lines
    for kind, (same, total) in agreed.items():
        share = same / total if total else 1
        bad = bad or share < LEAST[kind]
        print(f"{kind}: {same} of {total} agree ({share:.2%}, at least {LEAST[kind]:.1%})")
    return 1 if bad else 0


sys.exit(main())
