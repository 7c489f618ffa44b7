"""Reads an exposition document with the parsers of prometheus-client and prints what they understood, as JSON."""

import json
import math
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus


def number(value):
    if math.isinf(value) or math.isnan(value):
        return str(value)
    return value


form, path = sys.argv[1:]
with open(path, encoding="utf-8", newline="") as file:
    text = file.read()
families = {"prometheus": prometheus, "openmetrics": openmetrics}[form](text)
print(
    json.dumps(
        [
            {
                "name": family.name,
                "type": family.type,
                "help": family.documentation,
                "samples": [
                    {"name": sample.name, "labels": sample.labels, "value": number(sample.value)}
                    for sample in family.samples
                ],
            }
            for family in families
        ]
    )
)
