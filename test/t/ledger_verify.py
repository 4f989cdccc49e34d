#!/usr/bin/env python3
"""Verify chains of the ledger without PostgreSQL.

Written from docs/ledger.md alone, so that the page and the C code check each
other.  Reads the files that the page's export makes (COPY text format: JSON
lines with backslashes doubled), prints a line for each problem and ends with
status 1 if there is one.
"""
import hashlib
import json
import re
import struct
import sys
from datetime import datetime, timedelta, timezone

FORMAT = "changemgmt-ledger-1"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def field(content):
    """A field from bytes or text; None is null."""
    if content is None:
        return b"\xff\xff\xff\xff"
    if isinstance(content, str):
        content = content.encode("utf-8")
    return struct.pack(">I", len(content)) + content


def microseconds(text):
    if text in ("infinity", "-infinity"):
        return text
    # fromisoformat of older Pythons wants three or six digits
    text = re.sub(r"\.(\d+)", lambda m: "." + m.group(1).ljust(6, "0"), text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return str((moment - EPOCH) // timedelta(microseconds=1))


def array_content(value, element_type):
    lengths = []
    level = value
    while isinstance(level, list) and level:
        lengths.append(len(level))
        level = level[0]
    content = struct.pack(">I", len(lengths))
    for length in lengths:
        # JSON doesn't tell the lower bound; nothing of ours has another
        content += struct.pack(">Ii", length, 1)

    def elements(level):
        if isinstance(level, list):
            return b"".join(elements(part) for part in level)
        return value_field(element_type, json.dumps(level))

    return content + elements(value)


def value_field(type_name, raw):
    """A field from the name of a type and the value as JSON text."""
    # JSON's own null can't be told from SQL's here; no column of ours allows it
    if raw is None or raw == "null":
        return field(None)
    if type_name in ("jsonb", "json", "boolean",
                     "smallint", "integer", "bigint"):
        return field(raw)
    if type_name.endswith("[]"):
        return field(array_content(json.loads(raw), type_name[:-2]))
    # parse_float: numbers stay as they are written
    value = json.loads(raw, parse_float=str, parse_int=str,
                       parse_constant=str)
    if type_name.startswith("timestamp"):
        return field(microseconds(value))
    if type_name == "bytea":
        return field(value[2:])
    return field(value)


def row_digest(columns):
    """columns: {name: (type, JSON text or None)}"""
    content = b""
    for name in sorted(columns, key=lambda n: n.encode("utf-8")):
        type_name, raw = columns[name]
        if name in ("ledger_sequence", "ledger_head") or raw in (None, "null"):
            continue
        content += field(name) + value_field(type_name, raw)
    return hashlib.sha256(content).digest()


def entry_hash(entry):
    """entry: the same form as the columns of a row"""
    def value(name):
        type_name, raw = entry[name]
        return value_field(type_name, raw)

    def raw_bytes(name):
        return field(bytes.fromhex(json.loads(entry[name][1])[2:]))

    return hashlib.sha256(
        field(FORMAT) + raw_bytes("previous_hash")
        + b"".join(value(name) for name in (
            "subject_kind", "subject_id", "sequence", "event",
            "from_status", "to_status", "changed", "actor", "session_role",
            "effective_role", "client_address", "application",
            "recorded_at", "reason"))
        + raw_bytes("row_digest")).digest()


def plain(columns, name):
    raw = columns[name][1]
    return None if raw is None else json.loads(raw)


def as_hex(digest):
    return "\\x" + digest.hex()


def merkle(leaves):
    """The tree's hash, as the page defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(
        b"\x01" + merkle(leaves[:k]) + merkle(leaves[k:])).digest()


def root_of(heads):
    """heads: {(kind, id): (sequence, hash)}"""
    ordered = sorted(heads.items(),
                     key=lambda h: (h[0][0].encode("utf-8"), h[0][1]))
    return merkle([
        field(kind) + field(str(subject_id)) + field(str(sequence))
        + field(bytes.fromhex(head[2:]))
        for (kind, subject_id), (sequence, head) in ordered])


def heads_at(kept, checkpoint):
    """The heads that a checkpoint saw, from those that are kept."""
    heads, newest = {}, {}
    for head in kept:
        key = (plain(head, "subject_kind"), plain(head, "subject_id"))
        number = plain(head, "checkpoint_id")
        if newest.get(key, 0) < number <= checkpoint:
            newest[key] = number
            heads[key] = (plain(head, "sequence"), plain(head, "hash"))
    return {key: head for key, head in heads.items() if head[0] != 0}


def verify_checkpoints(entries, checkpoints, kept, root):
    """Yield (kind, id, sequence, problem)."""
    hashes = {(plain(entry, "subject_kind"), plain(entry, "subject_id"),
               plain(entry, "sequence")): plain(entry, "hash")
              for entry in entries}
    for head in kept:
        at = (plain(head, "subject_kind"), plain(head, "subject_id"),
              plain(head, "sequence"))
        checkpoint = plain(head, "checkpoint_id")
        if at[2] != 0 and at not in hashes:
            yield (*at, f"missing, but checkpoint {checkpoint} saw it")
        elif at[2] != 0 and hashes[at] != plain(head, "hash"):
            yield (*at, f"not what checkpoint {checkpoint} saw")

    is_known = root is None
    for checkpoint in checkpoints:
        number = plain(checkpoint, "id")
        if root is not None and plain(checkpoint, "root") != "\\x" + root:
            continue
        is_known = True
        heads = heads_at(kept, number)
        if plain(checkpoint, "root") != as_hex(root_of(heads)):
            yield ("ledger_checkpoint", number, None, "root is wrong")
        if (plain(checkpoint, "subjects") != len(heads)
                or plain(checkpoint, "entries")
                != sum(sequence for sequence, _ in heads.values())):
            yield ("ledger_checkpoint", number, None, "counts are wrong")
    if not is_known:
        yield ("ledger_checkpoint", None, None, "no checkpoint has this root")


def verify(entries, rows):
    """Yield (kind, id, sequence, problem)."""
    chains = {}
    for entry in entries:
        key = (plain(entry, "subject_kind"), plain(entry, "subject_id"))
        chains.setdefault(key, []).append(entry)

    for key, chain in sorted(chains.items()):
        chain.sort(key=lambda e: plain(e, "sequence"))
        head = as_hex(bytes(32))
        for place, entry in enumerate(chain, 1):
            at = (*key, plain(entry, "sequence"))
            if at[2] != place:
                yield (*at, f"expected entry {place}")
            if plain(entry, "previous_hash") != head:
                yield (*at, "previous_hash is wrong")
            if plain(entry, "hash") != as_hex(entry_hash(entry)):
                yield (*at, "hash is wrong")
            head = plain(entry, "hash")

        last = chain[-1]
        at = (*key, plain(last, "sequence"))
        row = rows.pop(key, None)
        if plain(last, "event") == "delete":
            if row is not None:
                yield (*at, "the row is there, but deleted")
            continue
        if row is None:
            yield (*at, "the row is gone")
            continue
        if "ledger_head" in row:
            if plain(row, "ledger_sequence") != at[2]:
                yield (*at, "ledger_sequence is wrong")
            if plain(row, "ledger_head") != head:
                yield (*at, "ledger_head is wrong")
        if plain(last, "row_digest") != as_hex(row_digest(row)):
            yield (*at, "row_digest is wrong")

    for key, row in sorted(rows.items()):
        if "ledger_head" in row and plain(row, "ledger_sequence") != 0:
            yield (*key, plain(row, "ledger_sequence"), "no entry in the ledger")


def read(paths):
    """The rows of each table, as their columns."""
    tables = {}
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in filter(str.strip, lines):
                record = json.loads(line.replace("\\\\", "\\"))
                tables.setdefault(record["table"], []).append(record["columns"])
    return tables


def main():
    paths, root = sys.argv[1:], None
    if paths[:1] == ["--root"]:
        root, paths = paths[1].lower(), paths[2:]
    tables = read(paths)
    entries = tables.pop("ledger", [])
    checkpoints = tables.pop("ledger_checkpoint", [])
    kept = tables.pop("ledger_checkpoint_head", [])
    rows = {(table, plain(columns, "id")): columns
            for table, subjects in tables.items() for columns in subjects}
    counts = len(entries), len(rows)
    problems = list(verify(entries, rows))
    problems += verify_checkpoints(entries, checkpoints, kept, root)
    for problem in problems:
        print("%s %s, entry %s: %s" % problem)
    print("%d entries, %d rows, %d problems" % (*counts, len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
