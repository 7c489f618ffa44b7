"""Checks records against the messages of their channels: each must be one of them, and only one.

    records.py DOCUMENT RECORDS

RECORDS has one object a line: topic, key, headers (an object) and value (text, or null). Prints one line for each fault,
then for each message that was met `message NAME COUNT`, and a last line that counts; ends with 1 after a fault.
"""

import json
import sys
from collections import Counter

from documents import Messages


def payload_of(record):
    """The value as its content type says: JSON where it is JSON, else the text."""
    if record["value"] is None:
        return None
    if record["headers"].get("content-type", "application/json").split(";")[0].endswith("json"):
        return json.loads(record["value"])
    return record["value"]


def main(path, records):
    messages = Messages(path)
    met, faults, count = Counter(), 0, 0
    for number, line in enumerate(open(records, encoding="utf-8"), 1):
        record = json.loads(line)
        count += 1
        place = f"record {number} of {record['topic']}"
        channel = messages.channel_of(record["topic"])
        if channel is None:
            faults += 1
            print(f"{place}: no channel has this address")
            continue
        payload = payload_of(record)
        found = {name: messages.faults(name, record["headers"], payload) for name in messages.of_channel(channel)}
        fitting = [name for name, wrong in found.items() if not wrong]
        if len(fitting) == 1:
            met[fitting[0]] += 1
            continue
        faults += 1
        if fitting:
            print(f"{place}: it is each of {', '.join(fitting)}")
        else:
            nearest = min(found, key=lambda name: len(found[name]))
            print(f"{place}: it is none of {', '.join(found)}; as {nearest}: {'; '.join(found[nearest][:3])}")
    for name, number in sorted(met.items()):
        print(f"message {name} {number}")
    print(f"{count} records: {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
