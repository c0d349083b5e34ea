#!/usr/bin/env python3
"""Checks a stand-in's journal against GitHub's own descriptions of its API and its webhooks (OpenAPI).

The journal holds one JSON object a line: service, operation, path, request, status, response, and the name of the fault
that met the call, if any. Each operation must be one of GitHub's; a request that succeeded must fit the description,
parameters of its query included, and know no other members; an answer's status must be one that GitHub documents there
or that any call can have, and a success must fit the description; and each operation of those that pipehook asks must have been
answered with one. Lines of the service `github-event` are events that
the stand-in made up; their request is the payload, and it must fit the description of the webhook.

Usage: check_github.py API.json WEBHOOKS.json JOURNAL...
    (exit code 0: all fits; 1: mismatches, one a line; 2: something can't be read)
"""

import json
import sys
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import jsonschema

# What any call can be answered with: no credentials, no access, nothing there, not valid, too many, out of order.
ANYWHERE = {301, 302, 307, 400, 401, 403, 404, 422, 429, 500, 502, 503}
# Where a renamed repository is found.
BY_ID = "/repositories/{id}"
BY_NAME = "/repos/{owner}/{repo}"
# What pipehook asks of GitHub.
ASKED = {
    "GET /app",
    "GET /app/hook/config",
    "GET /app/hook/deliveries",
    "GET /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission",
    "GET /repos/{owner}/{repo}/commits/{ref}/check-runs",
    "GET /repos/{owner}/{repo}/commits/{ref}/statuses",
    "GET /repos/{owner}/{repo}/deployments",
    "GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
    "GET /repos/{owner}/{repo}/git/tags/{tag_sha}",
    "GET /repos/{owner}/{repo}/hooks",
    "GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries",
    "GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}",
    "GET /repos/{owner}/{repo}/installation",
    "GET /user",
    "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "PATCH /repos/{owner}/{repo}/hooks/{hook_id}",
    "DELETE /repos/{owner}/{repo}/hooks/{hook_id}",
    "POST /app/hook/deliveries/{delivery_id}/attempts",
    "POST /app/installations/{installation_id}/access_tokens",
    "POST /repos/{owner}/{repo}/check-runs",
    "POST /repos/{owner}/{repo}/deployments",
    "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
    "POST /repos/{owner}/{repo}/hooks",
    "POST /repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}/attempts",
    "POST /repos/{owner}/{repo}/hooks/{hook_id}/pings",
    "POST /repos/{owner}/{repo}/statuses/{sha}",
}


def as_json_schema(node):
    """OpenAPI 3.0 says `nullable`, and its formats say nothing of what is right."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: as_json_schema(value) for name, value in node.items() if name not in ("example", "format")}
    if node.pop("nullable", False) is True:
        return {"anyOf": [node, {"type": "null"}]}
    return node


class Description:
    def __init__(self, file):
        with open(file, encoding="utf-8") as text:
            self.whole = json.load(text)
        self.components = as_json_schema(self.whole["components"])
        self.validators = {}

    def resolve(self, node):
        while "$ref" in node:
            target = self.whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def validator(self, key, schema):
        if key not in self.validators:
            schema = dict(as_json_schema(schema), components=self.components)
            self.validators[key] = jsonschema.Draft4Validator(schema)
        return self.validators[key]

    def schema(self, holder):
        """The JSON schema of a request or an answer, if it has one."""
        content = self.resolve(holder).get("content", {})
        return content.get("application/json", {}).get("schema")

    def mismatches(self, key, schema, value):
        for error in self.validator(key, schema).iter_errors(value):
            place = "/".join(str(part) for part in error.absolute_path)
            yield f"{key} at {place or 'the top'}: {error.message[:300]}"


def members(api, schema):
    """The members of an object that a schema names, in all its parts."""
    schema = api.resolve(schema)
    names = set(schema.get("properties", {}))
    for part in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(part, []):
            names |= members(api, inner)
    return names


def check_call(api, call):
    method, _, template = call["operation"].partition(" ")
    template = template.replace(BY_ID, BY_NAME)
    operation = api.whole["paths"].get(template, {}).get(method.lower())
    if operation is None:
        yield f"{call['operation']}: GitHub has no such operation, or the stand-in does not know it"
        return
    status, key = call["status"], call["operation"]
    if status < 300:
        yield from check_request(api, operation, call, key)
    documented = operation["responses"].get(str(status))
    if documented is None:
        if status not in ANYWHERE:
            yield f"{key}: GitHub does not answer {status}"
        return
    schema = api.schema(documented)
    if status < 300 and schema is not None:
        yield from api.mismatches(f"{key} -> {status}", schema, call["response"])


def check_request(api, operation, call, key):
    parameters = [api.resolve(parameter) for parameter in operation.get("parameters", [])]
    query = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    for name, _ in parse_qsl(urlsplit(call["path"]).query):
        if name not in query:
            yield f"{key}: no parameter is called {name!r}"
    body = operation.get("requestBody")
    if body is None:
        if call["request"] is not None:
            yield f"{key}: takes no body"
        return
    body = api.resolve(body)
    schema = api.schema(body)
    if call["request"] is None and body.get("required"):
        yield f"{key}: takes a body"
    if call["request"] is None or schema is None:
        return
    yield from api.mismatches(key, schema, call["request"])
    for name in set(call["request"]) - members(api, schema):
        yield f"{key}: unknown member {name!r}"


def check_event(webhooks, call):
    name = call["operation"].replace("_", "-").replace(".", "-")
    webhook = webhooks.whole["webhooks"].get(name)
    if webhook is None:
        yield f"{call['operation']}: GitHub has no such event"
        return
    schema = webhooks.schema(webhook["post"]["requestBody"])
    yield from webhooks.mismatches(call["operation"], schema, call["request"])


def main():
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    api, webhooks = Description(sys.argv[1]), Description(sys.argv[2])
    found, checked, succeeded = Counter(), Counter(), set()
    for journal in sys.argv[3:]:
        with open(journal, encoding="utf-8") as lines:
            for line in lines:
                call = json.loads(line)
                if call["service"] == "github" and call["fault"] is None:
                    found.update(check_call(api, call))
                    if call["status"] < 300:
                        succeeded.add(call["operation"].replace(BY_ID, BY_NAME))
                elif call["service"] == "github-event":
                    found.update(check_event(webhooks, call))
                else:
                    continue
                checked[call["operation"]] += 1
    found.update(f"{operation}: it was answered with success nowhere" for operation in ASKED - succeeded)
    for mismatch, count in sorted(found.items()):
        print(f"{mismatch} ({count} times)")
    if not checked:
        print("no call of GitHub to check", file=sys.stderr)
        return 2
    print(f"{sum(checked.values())} calls and events of {len(checked)} kinds, {len(found)} mismatches")
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
