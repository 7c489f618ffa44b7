"""The other side of the CloudEvents Kafka binding: the PyPI package cloudevents.

    cloudevents_peer.py read  IN OUT
    cloudevents_peer.py write IN OUT
    cloudevents_peer.py again IN OUT

Files have one object a line. A message is {"key", "headers": {name: text}, "value": text or null}; an event is
{"attributes": {name: text, number or boolean}, "data"}. `read` makes events of messages, `write` makes of each event its
messages in both modes, `again` reads messages and writes them anew in the mode in which they came.
"""

import json
import sys
from datetime import datetime

from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse


def message_of(line):
    return kafka.KafkaMessage(
        headers={name: text.encode() for name, text in line["headers"].items()},
        key=None if line["key"] is None else line["key"].encode(),
        value=None if line["value"] is None else line["value"].encode())


def line_of(message):
    return {
        "key": message.key.decode() if isinstance(message.key, bytes) else message.key,
        "headers": {name: value.decode() for name, value in message.headers.items()},
        "value": message.value.decode() if isinstance(message.value, bytes) else message.value,
    }


def text_of(value):
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def event_line(event):
    return {"attributes": {name: text_of(value) for name, value in event.get_attributes().items() if value is not None},
            "data": event.get_data()}


def event_of(line):
    attributes = dict(line["attributes"])
    if "time" in attributes:
        attributes["time"] = isoparse(attributes["time"])
    return CloudEvent(attributes, line["data"])


def main(verb, source, target):
    with open(source, encoding="utf-8") as lines, open(target, "w", encoding="utf-8") as out:
        for line in map(json.loads, lines):
            if verb == "read":
                results = [event_line(kafka.from_kafka(message_of(line), JSONFormat()))]
            elif verb == "write":
                event = event_of(line)
                results = [line_of(kafka.to_binary(event, JSONFormat())), line_of(kafka.to_structured(event, JSONFormat()))]
            elif verb == "again":
                is_binary = any(name.startswith("ce_") for name in line["headers"])
                event = kafka.from_kafka(message_of(line), JSONFormat())
                write = kafka.to_binary if is_binary else kafka.to_structured
                results = [line_of(write(event, JSONFormat()))]
            else:
                raise SystemExit(f"{verb}: read, write or again was expected")
            for result in results:
                print(json.dumps(result, ensure_ascii=False), file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])
