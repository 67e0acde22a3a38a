#!/usr/bin/env python3
"""Reads a journal by nothing but its description in libmailcore/journal/README.md, and checks every checksum.

journal_reader.py FOLDER [ROWS]   FOLDER is a store's journal; prints what is in it, exits with 1 if anything is wrong.
With ROWS it also prints that many of the rows that the log leads to.
"""
import hashlib, os, re, struct, sys

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(octets, before=0):
    crc = before ^ 0xFFFFFFFF
    for octet in octets:
        crc = TABLE[(crc ^ octet) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Wrong(Exception):
    pass


def segment_header(octets, store):
    if len(octets) < 4096 or octets[:8] != b"MCJRNL\r\n":
        raise Wrong("no segment header")
    version, kind, checksum = struct.unpack_from("<HHI", octets, 8)
    if crc32c(octets[:12] + bytes(4) + octets[16:4096]) != checksum:
        raise Wrong("segment header: checksum")
    number, base, made, previous, sealed, chain = struct.unpack_from("<QQQQQI", octets, 32)
    if version != 1 or octets[16:32] != store:
        raise Wrong("segment header: version or store")
    return {"kind": kind, "number": number, "base": base, "previous": previous, "sealed": sealed, "chain": chain}


def frame_at(octets, at, segment, store):
    """A frame's fields, its records and where its bodies begin; nothing if there is no valid one."""
    header = octets[at:at + 96]
    if len(header) < 96 or header[:4] != b"MCFR":
        return None
    (version, _, checksum, chain, number, position, durable, written, batch, used, records_octets, records,
     bodies_octets) = struct.unpack_from("<HHIIQQQQQQIIQ", header, 4)
    content = octets[at + 96:at + 96 + records_octets]
    whole = crc32c(content, crc32c(header[:8] + bytes(4) + header[12:], crc32c(store)))
    if version != 1 or number != segment["number"] or position != segment["base"] + at or whole != checksum:
        return None
    size = (96 + records_octets + bodies_octets + 4095) // 4096 * 4096
    return {"checksum": checksum, "chain": chain, "durable": durable, "batch": batch, "records": records,
            "content": content, "bodies": at + 96 + records_octets, "end": at + size}


def records_of(content):
    at = 0
    while at < len(content):
        kind, version, flags, octets, account, checksum = struct.unpack_from("<BBHIQI", content, at)
        record = content[at:at + 20 + octets]
        if crc32c(record[:16] + bytes(4) + record[20:]) != checksum:
            raise Wrong("record: checksum")
        yield kind, record[20:]
        at += 20 + octets


def changes_of(content):
    at, key = 0, b""

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            octet = content[at]
            at += 1
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    def text():
        nonlocal at
        octets = varint()
        at += octets
        return content[at - octets:at]

    while at < len(content):
        operation = content[at]
        at += 1
        shared = varint()
        key = key[:shared] + text()
        yield key, text() if operation == 1 else None


def snapshot_of(octets, store):
    """The rows of a snapshot and from where the log goes on over them; nothing if it is not finished."""
    header = segment_header(octets, store)
    if header["kind"] != 3 or header["sealed"] == 0:
        return None
    rows, at, end = {}, 4096, b""
    while at < len(octets):
        frame = frame_at(octets, at, header, store)
        if not frame:
            raise Wrong("snapshot %d at %d: a damaged frame" % (header["number"], at))
        for kind, content in records_of(frame["content"]):
            if kind == 16:
                rows.update(changes_of(content))
            elif kind == 17:
                end = content
        last, at = at, frame["end"]
    if last != header["sealed"] or frame["checksum"] != header["chain"]:
        raise Wrong("snapshot %d: its end" % header["number"])
    if struct.unpack_from("<Q", end, 56)[0] != len(rows):
        raise Wrong("snapshot %d: number of rows" % header["number"])
    return rows, struct.unpack_from("<Q", end)[0]


def place_of(row):
    """What a body's row in a snapshot says: as in a Body record, but in varints."""
    numbers, at = [], 2
    while len(numbers) < 4:
        value = shift = 0
        while True:
            value |= (row[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if row[at - 1] < 128:
                break
        numbers.append(value)
    return (*numbers, row[1] & 1, row[at:])


def check_body(octets, place, size, stored, uniform, digest):
    body, at, chunks = hashlib.blake2b(digest_size=32), place, []
    while sum(octets_of for _, octets_of in chunks) < size:
        checksum, stored_octets, chunk_octets, encoding = struct.unpack_from("<IIIB", octets, at)
        if crc32c(octets[at + 4:at + 16 + stored_octets]) != checksum:
            raise Wrong("chunk: checksum")
        if encoding == 0:
            body.update(octets[at + 16:at + 16 + stored_octets])
        chunks.append((16 + stored_octets, chunk_octets))
        at += 16 + stored_octets
    if uniform and body.digest() != digest:
        raise Wrong("body: digest")
    if not uniform and len(chunks) > 1:
        table = octets[at:at + 4 * len(chunks) + 4]
        if struct.unpack("<%dI" % len(chunks), table[:-4]) != tuple(taken for taken, _ in chunks):
            raise Wrong("chunk table: octets")
        if crc32c(table[:-4]) != struct.unpack("<I", table[-4:])[0]:
            raise Wrong("chunk table: checksum")
        at += len(table)
    if at - place != stored:
        raise Wrong("body: octets stored")


def main(folder, show):
    read = lambda name: open(os.path.join(folder, name), "rb").read()
    store = bytes.fromhex(re.fullmatch(r"libmailcore journal 1\n([0-9a-f]{32})\n", read("id").decode())[1])
    logs, snapshots = {}, {}
    for name in os.listdir(folder):
        if m := re.fullmatch(r"([0-9a-f]{16})\.snapshot", name):
            snapshots[int(m[1], 16)] = name
        if m := re.fullmatch(r"([0-9a-f]{16})-([0-9a-f]{16})\.log", name):
            logs[int(m[1], 16)] = name
    # Back from the last segment that has a frame behind a good header.
    chain, wanted = [], None
    for number in sorted(logs, reverse=True):
        if wanted is not None and number != wanted:
            continue
        octets = read(logs[number])
        header = segment_header(octets, store) if octets[:8] == b"MCJRNL\r\n" or chain else None
        if not chain and (not header or not frame_at(octets, 4096, header, store)):
            continue
        chain.append((header, octets, chain[-1][0]["sealed"] - header["base"] if chain else None))
        wanted = header["previous"]
        if wanted == 0:
            break
    rows, places, frames, bodies, last, begin = {}, {}, 0, 0, None, 0
    for number in sorted(snapshots):
        if found := snapshot_of(read(snapshots[number]), store):
            rows, begin = found
    for key in [key for key in rows if key.startswith(b"\0b")]:
        places[struct.unpack(">Q", key[2:])[0]] = place_of(rows.pop(key))
    if chain and wanted != 0 and chain[-1][0]["sealed"] > begin:
        raise Wrong("segment %d is missing" % wanted)
    for header, octets, end in reversed(chain):
        at = 4096
        while end is None or at < end:
            frame = frame_at(octets, at, header, store)
            if not frame:
                if end is not None:
                    raise Wrong("segment %d at %d: a damaged frame" % (header["number"], at))
                break  # the tail
            if last and frame["chain"] not in (0, last["checksum"]):
                raise Wrong("segment %d at %d: the chain is broken" % (header["number"], at))
            if header["base"] + at < begin:  # the snapshot has it
                frames, last, at = frames + 1, frame, frame["end"]
                continue
            found = 0
            for kind, content in records_of(frame["content"]):
                found += 1
                if kind == 1:
                    for key, value in changes_of(content):
                        if key.startswith(b"\0b") and value is None:
                            places.pop(struct.unpack(">Q", key[2:])[0], None)
                        elif value is None:
                            rows.pop(key, None)
                        else:
                            rows[key] = value
                elif kind == 2:
                    blob, segment, offset, size, stored, flags = struct.unpack_from("<QQQQQB", content)
                    inside = segment == 0
                    places[blob] = (header["number"] if inside else segment,
                                    offset + (frame["bodies"] if inside else 0), size, stored, flags & 1, content[41:])
            if found != frame["records"]:
                raise Wrong("segment %d at %d: number of records" % (header["number"], at))
            frames, last, at = frames + 1, frame, frame["end"]
    contents = {header["number"]: octets for header, octets, _ in chain}
    for segment, *rest in places.values():
        if segment not in contents:
            contents[segment] = read(logs.get(segment, "%016x.bodies" % segment))
            segment_header(contents[segment], store)
        check_body(contents[segment], *rest)
        bodies += 1
    print("%d snapshots, %d segments, %d frames, %d rows, %d bodies: all checksums are right" % (len(snapshots), len(chain), frames, len(rows), bodies))
    for key in sorted(rows)[:show]:
        print(key, rows[key])


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    except Wrong as wrong:
        sys.exit("%s: %s" % (sys.argv[1], wrong))
