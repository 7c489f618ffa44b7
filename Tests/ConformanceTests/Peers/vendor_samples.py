"""Checks records of vendors against the JSON Schemas of what is read of them.

    vendor_samples.py DOCUMENT RECORDS

RECORDS has one object a line: sample, schema (a file beside the document's schemas) and value. Prints one line for each
record that its schema does not allow, and a last line that counts; ends with 1 after a fault.
"""

import json
import sys

from documents import Messages, where


def main(path, records):
    messages = Messages(path)
    validators, faults, count = {}, 0, 0
    for line in open(records, encoding="utf-8"):
        record = json.loads(line)
        name = record["schema"]
        if name not in validators:
            validators[name] = messages.validator(messages.schemas[name])
        count += 1
        found = sorted(validators[name].iter_errors(record["value"]), key=lambda error: len(error.absolute_path))
        if found:
            faults += 1
            print(f"{record['sample']} is not {name}: payload{where(found[0])}: {found[0].message[:300]}")
    print(f"{count} records: {faults} faults")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
