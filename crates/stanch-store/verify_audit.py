#!/usr/bin/env python3
"""Holds a stanch journal against its signed checkpoints, without stanch and without any library.

    verify_audit.py <data folder> [--key KEY]... [--checkpoints FILE]...

Recomputes the whole chain (verify_journal.py), then checks each checkpoint of audit.checkpoints and
of the files given: its Ed25519 signature, that it belongs to this journal, and that the chain has
the signed hash at the signed entry. KEY is what `stanch audit key` printed; without one the keys of
audit.pub are believed, which whoever wrote the journal could have replaced.

Prints one line for each finding, "FINDING <what> <entry> <why>", and ends with 1; or "ok ..." and
ends with 0. Exit 2 means that something could not be read at all.

The signature is checked as RFC 8032, section 5.1.7, says, with the curve in plain Python; the form of a
checkpoint is that of https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint.
"""
import argparse
import base64
import binascii
import hashlib
import os
import sqlite3
import sys

import verify_journal

NAME, DASH = "stanch-audit", "\u2014 "

# Ed25519. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, d - c, d + c, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def point(data):
    """The point that 32 bytes stand for, or None."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed_by(key, text, signature):
    if len(signature) != 64 or point(key) is None or point(signature[:32]) is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % Q
    if s >= Q:
        return False
    a, b = times(s, BASE), add(point(signature[:32]), times(h, point(key)))
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def key_id(key):
    return hashlib.sha256(NAME.encode() + b"\n\x01" + key).digest()[:4]


def read_key(text):
    name, number, data = text.strip().split("+", 2)
    data = base64.b64decode(data, validate=True)
    if name != NAME or len(data) != 33 or data[0] != 1 or number != key_id(data[1:]).hex():
        raise ValueError(f"{text!r} is no public key of an audit")
    return data[1:]


def read_note(text):
    body, empty, rest = text.partition("\n\n")
    lines = body.split("\n")
    if not empty or len(lines) < 4 or not lines[1].isascii() or not lines[1].isdigit():
        raise ValueError("it has not the form of a checkpoint")
    if str(int(lines[1])) != lines[1] or not lines[3].startswith("time "):
        raise ValueError("it has not the form of a checkpoint")
    digest = base64.b64decode(lines[2], validate=True)
    signatures = []
    for line in rest.splitlines():
        name, space, data = line.removeprefix(DASH).partition(" ")
        if not line.startswith(DASH) or not space:
            raise ValueError("a line under it is no signature")
        data = base64.b64decode(data, validate=True)
        if len(data) < 4:
            raise ValueError("its signature is too short")
        signatures.append((name, data[:4], data[4:]))
    if not signatures or len(digest) != 32:
        raise ValueError("it has no signature, or its hash is not 32 bytes")
    return lines[0], int(lines[1]), digest, (body + "\n").encode(), signatures


def notes(text):
    found, one, under = [], "", False
    for line in text.split("\n"):
        begins = line.startswith("stanch/journal/") and one
        if (under and not line.startswith(DASH)) or begins:
            found.append(one)
            one, under = "", False
        if line == "" and one == "":
            continue
        under = under or line.startswith(DASH)
        one += line + "\n"
    return found + ([one] if one.strip() else [])


def believed(note, keys):
    """"known", "forged" or "stranger"."""
    said = "stranger"
    for name, number, signature in note[4]:
        for key in keys:
            if name == NAME and number == key_id(key):
                if signed_by(key, note[3], signature):
                    return "known"
                said = "forged"
    return said


def text_of(path, missing=False):
    if missing and not os.path.exists(path):
        return ""
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace")


def lenient_key(line):
    try:
        return read_key(line)
    except ValueError:
        return None


def audit(folder, pinned, files):
    findings = []
    keys = [read_key(k) for k in pinned]
    if not pinned:
        lines = text_of(os.path.join(folder, "audit.pub"), missing=True).splitlines()
        keys = [key for key in map(lenient_key, lines) if key]
    own = notes(text_of(os.path.join(folder, "audit.checkpoints"), missing=True))
    texts = own + [note for file in files for note in notes(text_of(file))]
    read = []
    for number, text in enumerate(texts, 1):
        try:
            read.append((number, read_note(text)))
        except ValueError as why:
            findings.append(("damaged", 0, f"checkpoint {number}: {why}"))
    hashes = {0: bytes(32)} | {note[1]: None for _, note in read if note[1] > 0}
    db = verify_journal.connect(os.path.join(folder, "journal.db"))
    first = db.execute("SELECT hash FROM entry WHERE seq = 1").fetchone()
    origin = first and "stanch/journal/" + first[0][:8].hex()
    whole, end = None, "broken"
    try:
        end = verify_journal.verify(db, None, hashes)
    except verify_journal.Broken as what:
        whole = int(str(what).removeprefix("BROKEN at entry ").split(":")[0])
        findings.append(("broken", whole, str(what)))
    covered, before = 0, 0
    for number, note in read:
        def say(what, why):
            findings.append((what, note[1], f"checkpoint {number}: {why}"))

        trust = believed(note, keys)
        if trust != "known":
            say(trust, "its signature is not one of a key that is believed")
            continue
        if origin and note[0] != origin:
            say("other", "it belongs to a journal that began otherwise")
            continue
        if number <= len(own):
            if note[1] < before:
                say("backwards", "the one before it had more entries")
            before = note[1]
        if whole is not None and note[1] >= whole:
            continue
        if hashes[note[1]] is None:
            say("truncated", "it was signed with more entries than there are")
        elif hashes[note[1]] != note[2]:
            say("rewritten", "the chain has another hash there")
        else:
            covered = max(covered, note[1])
    if not texts and end not in ("broken", "ok 0:" + bytes(32).hex()):
        findings.append(("unsigned", 0, "there are entries and no checkpoint"))
    return findings, f"{end}, {len(texts)} checkpoints vouch for the first {covered}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--checkpoints", action="append", default=[])
    asked = parser.parse_args()
    try:
        findings, summary = audit(asked.folder, asked.key, asked.checkpoints)
    except (sqlite3.Error, OSError, ValueError, binascii.Error) as what:
        print(f"cannot verify {asked.folder}: {what}", file=sys.stderr)
        return 2
    for what, entry, why in findings:
        print(f"FINDING {what} {entry} {why}")
    if not findings:
        print(summary)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
