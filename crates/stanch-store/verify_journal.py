#!/usr/bin/env python3
"""Verifies a stanch journal without stanch: recomputes every hash with Python's standard library.

    verify_journal.py <journal.db or a backup of it> [checkpoint, as printed before: 300:9f86d0...]

Prints "ok <entries>:<hash>" (and how many details were erased, if any) and exits with 0, or prints the first entry that does not fit and exits
with 1. With a checkpoint it also notices that the end was cut off or everything was rewritten.
Exit 2 means that the file could not be read at all.

The layout of what is hashed (all integers big-endian, lengths in bytes):

    SHA-256( hash of the entry before (32 bytes; zeros before the first)
             seq u64, at i64, length u32 + stream, length u32 + kind, length u32 + body,
             SHA-256 of the stored detail bytes (32 bytes; zeros when there is no detail) )

A detail may be missing when a later entry of the kind "erased" names its entry in its JSON body:
"details": [[first, last], ...]. Its hash is still in the entry and in the chain.
"""
import hashlib
import json
import os
import sqlite3
import struct
import sys
import urllib.parse


class Broken(Exception):
    pass


def broken(seq, why):
    raise Broken(f"BROKEN at entry {seq}: {why}")


def connect(path):
    uri = "file:" + urllib.parse.quote(os.path.abspath(path))
    try:
        db = sqlite3.connect(uri + "?mode=ro", uri=True)
        db.execute("SELECT count(*) FROM entry")
    except sqlite3.OperationalError:
        # A closed journal on a medium that cannot be written.
        if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal") > 0:
            raise
        db = sqlite3.connect(uri + "?immutable=1", uri=True)
    db.text_factory = bytes
    return db


def link(before, seq, at, parts, detail_hash):
    sha = hashlib.sha256(before + struct.pack(">Qq", seq, at))
    for part in parts:
        sha.update(struct.pack(">I", len(part)) + part)
    sha.update(detail_hash)
    return sha.digest()


def claims(db):
    """Ranges of entries whose details were erased, as entries of the kind "erased" say."""
    ranges = []
    for seq, body in db.execute("SELECT seq, body FROM entry WHERE CAST(kind AS TEXT) = 'erased' ORDER BY seq"):
        try:
            named = [(first, last) for first, last in json.loads(body).get("details", [])]
        except (ValueError, TypeError, AttributeError):
            broken(seq, "it names no details")
        for first, last in named:
            if not (isinstance(first, int) and isinstance(last, int) and 1 <= first <= last < seq):
                broken(seq, f"it cannot take away the details of {first} to {last}")
        ranges += named
    return ranges


def verify(db, checkpoint, hashes=None):
    """`hashes`: a dict whose keys are entry numbers; filled with the hash that was recomputed there."""
    seq, end, at_checkpoint, named, erased = 0, bytes(32), None, None, 0
    if checkpoint and checkpoint[0] == 0:
        at_checkpoint = end
    rows = db.execute(
        "SELECT e.seq, e.at, e.stream, e.kind, e.body, e.detail_hash, e.hash, d.body"
        " FROM entry e LEFT JOIN detail d ON d.seq = e.seq ORDER BY e.seq"
    )
    for found, at, stream, kind, body, detail_hash, stored_hash, detail in rows:
        if found < 1:
            broken(0, f"there is an entry numbered {found}, and numbers begin with 1")
        seq += 1
        if found != seq:
            broken(seq, f"it is missing; the next entry there has number {found}")
        if not isinstance(at, int) or not all(isinstance(p, bytes) for p in (stream, kind, body)):
            broken(seq, "a column has another type than was written")
        for text in (stream, kind):
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                broken(seq, "its text is not UTF-8")
        if detail is None and detail_hash is not None:
            named = claims(db) if named is None else named
            if not any(first <= seq <= last for first, last in named):
                broken(seq, "its detail is missing")
            erased += 1
        if detail is not None and detail_hash is None:
            broken(seq, "it has a detail that was not written with it")
        if detail is not None and hashlib.sha256(detail).digest() != detail_hash:
            broken(seq, "its detail was changed")
        end = link(end, seq, at, (stream, kind, body), detail_hash or bytes(32))
        if end != stored_hash:
            broken(seq, "its hash does not follow from it and the entry before")
        if checkpoint and checkpoint[0] == seq:
            at_checkpoint = end
        if hashes is not None and seq in hashes:
            hashes[seq] = end
    orphan = db.execute(
        "SELECT d.seq FROM detail d LEFT JOIN entry e ON e.seq = d.seq WHERE e.seq IS NULL ORDER BY d.seq LIMIT 1"
    ).fetchone()
    if orphan:
        broken(max(orphan[0], 0), "there is a detail without an entry")
    if checkpoint and at_checkpoint is None:
        broken(seq + 1, f"the checkpoint knows {checkpoint[0]} entries, the journal ends at {seq}")
    if checkpoint and at_checkpoint != checkpoint[1]:
        broken(checkpoint[0], "the chain is whole but differs from the checkpoint: it was rewritten")
    return f"ok {seq}:{end.hex()}" + (f" ({erased} details erased)" if erased else "")


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        checkpoint = None
        if len(arguments) == 2:
            number, _, digits = arguments[1].strip().partition(":")
            checkpoint = (int(number), bytes.fromhex(digits))
        print(verify(connect(arguments[0]), checkpoint))
        return 0
    except Broken as what:
        print(what)
        return 1
    except (sqlite3.Error, OSError, ValueError) as what:
        print(f"cannot verify {arguments[0]}: {what}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
