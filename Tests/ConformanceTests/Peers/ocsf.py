"""Validates OCSF events, one a line of a file, against the schema that the package ocsf-json-schema ships.

Prints a line for each fault and ends with 1 if there is one.
"""

import json
import sys

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema


def main(version: str, path: str) -> int:
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
    validators = {}
    faults = count = 0
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    for number, event in enumerate(events, 1):
        profiles = tuple(event["metadata"].get("profiles", []))
        key = (event["class_uid"], profiles)
        if key not in validators:
            name = schemas.lookup_class_name_from_uid(event["class_uid"])
            schema = schemas.get_class_schema(name, profiles=list(profiles))
            validators[key] = jsonschema.Draft202012Validator(schema)
        for error in validators[key].iter_errors(event):
            faults += 1
            path = "/".join(str(part) for part in error.absolute_path)
            print(f"event {number} ({event['metadata'].get('event_code')}), {path or 'top'}: {error.message[:300]}")
        count += 1
    print(f"{count} events, {faults} faults")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
