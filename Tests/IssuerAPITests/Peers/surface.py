"""Reads topics/openapi.yaml as others do.

    surface.py lint FILE       validates it against OpenAPI 3.1
    surface.py routes FILE     prints METHOD PATH for each operation
"""
import sys

import yaml
from openapi_spec_validator import validate

command, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    document = yaml.safe_load(file)
if command == "lint":
    validate(document)
    operations = [o for item in document["paths"].values() for o in item.values()]
    names = [operation["operationId"] for operation in operations]
    if len(set(names)) != len(names):
        sys.exit("an operationId stands twice")
    for operation in operations:
        if "default" not in operation["responses"] or not operation["summary"] or "security" not in operation:
            sys.exit(f"{operation['operationId']} says not what it answers, or to whom")
    print(f"{len(names)} operations")
else:
    for template, item in document["paths"].items():
        for method in item:
            print(method.upper(), template)
