"""Checks an AsyncAPI document: against the specification's own schema, its references, its schemas and its examples.

    asyncapi_document.py DOCUMENT

Prints one line for each fault and a last line that counts what was checked; ends with 1 after a fault.
"""

import sys

import jsonschema

from documents import Messages, asyncapi_schema, pointer, where


# Under which every schema has its name.
ROOT = "https://schemas.clawbureau.example/clawgrant/"


def references(value, path=""):
    """All references of a document with their places, examples left out: what stands there is data."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "$ref" and isinstance(member, str):
                yield path, member
            elif key != "examples":
                yield from references(member, f"{path}/{key}")
    elif isinstance(value, list):
        for number, element in enumerate(value):
            yield from references(element, f"{path}/{number}")


def main(path):
    faults = []
    messages = Messages(path)
    document = messages.document

    official = asyncapi_schema()
    for error in jsonschema.Draft7Validator(official).iter_errors(document):
        deepest = jsonschema.exceptions.best_match([error])
        faults.append(f"specification{where(deepest)}: {deepest.message[:300]}")
    spoiled = dict(document, channels=dict(document["channels"], broken={"adress": "x"}))
    if not list(jsonschema.Draft7Validator(official).iter_errors(spoiled)):
        faults.append("the specification's schema takes a channel with a member that no channel has")

    for name, schema in messages.schemas.items():
        if schema.get("$id") != ROOT + name:
            faults.append(f"{name}: its $id is {schema.get('$id')} and not {ROOT + name}")

    used = set()
    for place, reference in references(document):
        name, _, fragment = reference.partition("#")
        if name:
            file = name.removeprefix("./schemas/")
            if file not in messages.schemas:
                faults.append(f"{place}: there is no {name}")
                continue
            used.add(file)
        try:
            if fragment:
                pointer(messages.schemas[name.removeprefix("./schemas/")] if name else document, fragment)
        except (KeyError, IndexError):
            faults.append(f"{place}: {reference} leads nowhere")

    for name, operation in document["operations"].items():
        channel = operation["channel"]["$ref"].rsplit("/", 1)[1]
        offered = {f"#/channels/{channel}/messages/{message}" for message in document["channels"][channel]["messages"]}
        for reference in operation["messages"]:
            if reference["$ref"] not in offered:
                faults.append(f"operation {name}: {reference['$ref']} is no message of its channel")
    operated = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    for channel in document["channels"]:
        if f"#/channels/{channel}" not in operated:
            faults.append(f"channel {channel}: no operation sends or receives it")

    # What is no schema cannot be asked about examples.
    sound = True
    identifiers = [schema["$id"] for schema in messages.schemas.values()]
    if len(identifiers) != len(set(identifiers)):
        faults.append("two schemas have the same $id")
    for file, schema in messages.schemas.items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            sound = False
            faults.append(f"{file}: {error.message[:300]}")
        if not schema["$id"].endswith("/" + file):
            faults.append(f"{file}: its $id is {schema['$id']}")
        for place, reference in references(schema):
            target = reference.partition("#")[0]
            used.add(target)
            if target and target not in messages.schemas:
                faults.append(f"{file}{place}: there is no {target}")
    # The rules are a file, not a record.
    for file in set(messages.schemas) - used - {"issuance-rules.v1.json"}:
        faults.append(f"{file}: no message uses it")

    for file, schema in messages.schemas.items() if sound else []:
        for number, example in enumerate(schema.get("examples", [])):
            for error in messages.validator({"$ref": schema["$id"]}).iter_errors(example):
                faults.append(f"{file} example {number}{where(error)}: {error.message[:300]}")

    examples = 0
    on_channels = {name for channel in document["channels"] for name in messages.of_channel(channel)}
    for name, message in document["components"]["messages"].items():
        if name not in on_channels:
            faults.append(f"message {name}: it is on no channel")
        if not message.get("examples"):
            faults.append(f"message {name}: it has no example")
        for example in message.get("examples", []) if sound else []:
            examples += 1
            for fault in messages.faults(name, example.get("headers", {}), example.get("payload")):
                faults.append(f"message {name}, example {example.get('name')}: {fault}")

    for fault in faults:
        print(fault)
    print(f"{len(document['channels'])} channels, {len(messages.validators)} messages, {examples} examples, "
          f"{len(messages.schemas)} schemas: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
