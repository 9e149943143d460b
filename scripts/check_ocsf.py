#!/usr/bin/env python3
"""Holds our OCSF events against the published schema, with somebody else's checker.

    pip install ocsf-json-schema jsonschema
    for a in A-1 A-2; do stanch alerts ocsf $a > $a.json; done
    python3 scripts/check_ocsf.py A-*.json

Exit code 1 when an event breaks the closed schema of its class.
"""
import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"


def main(paths):
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))
    validator = Draft202012Validator(schemas.get_class_schema("detection_finding", ["security_control"]))
    broken = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            errors = list(validator.iter_errors(json.load(file)))
        for error in errors:
            where = "/".join(str(p) for p in error.absolute_path)
            print(f"{path}: {where}: {error.message[:200]}")
        broken += bool(errors)
    print(f"{len(paths)} events, {broken} broken, OCSF {VERSION}")
    return 1 if broken or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
