"""Compares schemas with their first versions: what may not change within a version, and what was added.

    compatibility.py DOCUMENT FIRST [CHANGED...]

FIRST is the folder of the first versions, each CHANGED one of schemas that take the place of the document's for a
comparison of their own. The document's operations tell the direction. Of what is sent, everything must
stay that a reader of the first version relies on: required members, types, constants, patterns, bounds. Of what is
received, everything must still be taken that a writer of the first version sends. What may be added is printed as
`added`: readers that are strict must know it before it is written. Prints `broken` lines for the rest and ends with 1.
"""

import sys
from pathlib import Path

from documents import Messages, load_schemas

# Words about people, and what combines schemas (compared by place).
SILENT = {"$schema", "$id", "title", "description", "examples", "$comment"}


class Comparison:
    def __init__(self, sent):
        self.sent = sent
        self.broken, self.added = [], []

    def narrower(self, place, what):
        """The new schema takes less."""
        (self.added if self.sent else self.broken).append(f"{place}: {what}")

    def wider(self, place, what):
        """The new schema takes more."""
        (self.broken if self.sent else self.added).append(f"{place}: {what}")

    def compare(self, old, new, place):
        if isinstance(old, bool) or isinstance(new, bool):
            if old != new:
                (self.wider if new is True or old is False else self.narrower)(place, f"was {old}, is {new}")
            return
        self.members(old, new, place)
        self.required(old, new, place)
        self.values(old, new, place)
        self.bounds(old, new, place)
        for key in ("items", "propertyNames", "not", "if", "then", "else"):
            if key in old and key in new:
                self.compare(old[key], new[key], f"{place}/{key}")
            elif key in old:
                self.wider(place, f"{key} is gone")
            elif key in new:
                self.narrower(place, f"{key} is new")
        for key in ("allOf", "anyOf", "oneOf"):
            before, after = old.get(key, []), new.get(key, [])
            for number, (left, right) in enumerate(zip(before, after)):
                self.compare(left, right, f"{place}/{key}/{number}")
            if len(before) != len(after):
                more = len(after) > len(before)
                takes_more = more if key != "allOf" else not more
                # An alternative more is how a vocabulary grows, as a value more of an enumeration is.
                if takes_more and key != "allOf" and before:
                    self.added.append(f"{place}: {key} has {len(after)} alternatives, had {len(before)}")
                else:
                    (self.wider if takes_more else self.narrower)(place, f"{key} has {len(after)}, had {len(before)}")
        for name in sorted(set(old.get("$defs", {})) & set(new.get("$defs", {}))):
            self.compare(old["$defs"][name], new["$defs"][name], f"{place}/$defs/{name}")
        for name in sorted(set(old.get("$defs", {})) - set(new.get("$defs", {}))):
            self.broken.append(f"{place}/$defs/{name}: it is gone")
        if old.get("$ref") != new.get("$ref"):
            self.broken.append(f"{place}: refers to {new.get('$ref')}, did to {old.get('$ref')}")

    def members(self, old, new, place):
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name in after:
                self.compare(before[name], after[name], f"{place}.{name}")
            else:
                self.broken.append(f"{place}.{name}: it is gone")
        for name in after:
            if name not in before:
                self.added.append(f"{place}.{name}: a member more")
        left, right = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if left != right:
            if isinstance(left, dict) and isinstance(right, dict):
                self.compare(left, right, f"{place}/additionalProperties")
            elif left is False or right is True:
                self.wider(place, "members that are not named are allowed")
            else:
                self.narrower(place, "members that are not named are not allowed")

    def required(self, old, new, place):
        before, after = set(old.get("required", [])), set(new.get("required", []))
        for name in sorted(before - after):
            self.wider(f"{place}.{name}", "is not required any more")
        for name in sorted(after - before):
            self.narrower(f"{place}.{name}", "is required now")

    def values(self, old, new, place):
        def types(schema):
            found = schema.get("type")
            return None if found is None else set([found] if isinstance(found, str) else found)

        left, right = types(old), types(new)
        if left != right:
            if right is None or (left is not None and left < right):
                self.wider(place, f"type is {right}, was {left}")
            elif left is None or right < left:
                self.narrower(place, f"type is {right}, was {left}")
            else:
                self.broken.append(f"{place}: type is {right}, was {left}")
        if ("const" in old) != ("const" in new) or old.get("const") != new.get("const"):
            self.broken.append(f"{place}: the constant is {new.get('const')!r}, was {old.get('const')!r}")
        if ("enum" in old) != ("enum" in new):
            (self.narrower if "enum" in new else self.wider)(place, "an enumeration came or went")
        elif "enum" in old:
            gone = [value for value in old["enum"] if value not in new["enum"]]
            more = [value for value in new["enum"] if value not in old["enum"]]
            if gone:
                self.narrower(place, f"the values {gone} are gone")
            if more:
                # Vocabularies grow; readers hold or refuse a word they do not know.
                self.added.append(f"{place}: the values {more} are new")

    def bounds(self, old, new, place):
        for key in ("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum"):
            self.bound(old.get(key), new.get(key), f"{place}/{key}", lambda left, right: right < left)
        for key in ("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum"):
            self.bound(old.get(key), new.get(key), f"{place}/{key}", lambda left, right: right > left)
        for key in ("pattern", "format", "uniqueItems"):
            if old.get(key) != new.get(key):
                if new.get(key) is None:
                    self.wider(place, f"{key} is gone")
                elif old.get(key) is None:
                    self.narrower(place, f"{key} is new")
                else:
                    self.broken.append(f"{place}: {key} is {new[key]!r}, was {old[key]!r}")

    def bound(self, left, right, place, is_wider):
        if left == right:
            return
        if right is None or (left is not None and is_wider(left, right)):
            self.wider(place, f"is {right}, was {left}")
        else:
            self.narrower(place, f"is {right}, was {left}")


def directions(messages):
    """The files of what is sent and of what is received, followed through their references."""
    found = {"send": set(), "receive": set()}
    for operation in messages.document["operations"].values():
        channel = operation["channel"]["$ref"].rsplit("/", 1)[1]
        for name in messages.of_channel(channel):
            follow(messages.document["components"]["messages"][name]["payload"], messages, found[operation["action"]])
    return found


def follow(value, messages, files):
    if isinstance(value, list):
        for element in value:
            follow(element, messages, files)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key == "$ref" and isinstance(member, str):
                file = member.partition("#")[0].removeprefix("./schemas/")
                if file and file not in files:
                    files.add(file)
                    follow(messages.schemas[file], messages, files)
            elif key != "examples":
                follow(member, messages, files)


def compare(messages, before):
    """Compares the messages' schemas with the first versions; prints what differs and returns how much is broken."""
    found = directions(messages)
    count, broken = 0, 0
    for file, old in before.items():
        if file not in messages.schemas:
            print(f"broken {file}: it is gone")
            broken += 1
            continue
        for action in ("send", "receive"):
            # What no topic carries is a file that people write: what was taken must be taken.
            if file not in found[action] and (file in found["send"] or action == "send"):
                continue
            comparison = Comparison(sent=action == "send")
            comparison.compare(old, messages.schemas[file], file)
            count += 1
            broken += len(comparison.broken)
            for line in comparison.added:
                print(f"added {line}")
            for line in comparison.broken:
                print(f"broken {line}")
    print(f"{count} schemas compared with their first versions: {broken} broken")
    return broken


def main(path, first, changed):
    messages = Messages(path)
    before = load_schemas(first)
    if not changed:
        return 1 if compare(messages, before) else 0
    present, broken = messages.schemas, 0
    for folder in changed:
        print(f"case {Path(folder).name}")
        messages.schemas = dict(present, **load_schemas(folder))
        broken += compare(messages, before)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
