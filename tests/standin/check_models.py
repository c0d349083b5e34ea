#!/usr/bin/env python3
"""Checks a stand-in's journal against botocore's models of the AWS services.

The journal holds one JSON object a line: service, operation, request, status, response, and the name of the fault that
met the call, if any. Requests that were answered with success must fit the operation's input shape, which includes
patterns, lengths, ranges and enums that botocore does not check by itself; answers must fit the output's shape, and
errors must be ones that the operation or every operation of the service can have. Members that a shape does not know
are mismatches on both sides.

EC2 and Elastic Load Balancing speak forms and XML. Of a form, the members of the operation's input are made; botocore's
own serialiser has to make the same form of them again. An answer is read with botocore's own parser, and checked as the
others are; an element that the shape does not know, which the parser passes over, is a mismatch.

Usage: check_models.py JOURNAL    (exit code 0: all fits; 1: mismatches, one a line; 2: the journal can't be read)
"""

import json
import re
import sys
from collections import Counter
from datetime import datetime
from xml.etree import ElementTree

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

AWS = {
    "cloudformation",
    "codebuild",
    "codeconnections",
    "codepipeline",
    "ec2",
    "ecs",
    "elbv2",
    "events",
    "lambda",
    "logs",
    "sqs",
    "ssm",
    "sts",
}
# What a journal holds besides: GitHub's calls and events, which check_github.py checks, and what no service was asked.
ELSEWHERE = {"github", "github-event", "unknown"}
# The services whose protocols are a form and XML.
QUERY = {"cloudformation", "ec2", "elbv2", "sts"}
# The services that speak REST. Their errors have the code in a header, which no journal holds.
REST = {"lambda"}
# Errors that any operation can answer and that models do not list.
COMMON_ERRORS = {
    "AccessDenied",
    "AccessDeniedException",
    "InternalFailure",
    "InternalServerError",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}
# What any operation of the query protocol can answer, which no model lists; EC2 has codes of its own. All are documented.
ANY_QUERY_ERRORS = {
    "AccessDenied",
    "InternalFailure",
    "InvalidAction",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "Throttling",
}
QUERY_ERRORS = {
    "cloudformation": ANY_QUERY_ERRORS | {"ValidationError"},
    "ec2": {
        "AuthFailure",
        "InternalError",
        "InvalidAction",
        "InvalidNetworkInterfaceID.NotFound",
        "InvalidNetworkInterfaceId.Malformed",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "RequestLimitExceeded",
        "UnauthorizedOperation",
        "UnknownParameter",
    },
    "elbv2": ANY_QUERY_ERRORS | {"ValidationError"},
    "sts": ANY_QUERY_ERRORS,
}
# The codes that SQS kept from its query protocol and that its JSON model does not list.
SQS_ERRORS = {"InvalidAction", "InvalidParameterValue", "MissingParameter"}
# SQS's model gives ReceiveMessage's AttributeNames the names of queue attributes, but it takes those of messages.
LOOSE_ENUMS = {"AttributeNames"}
# The models' patterns hold for a whole value. POSIX classes and \p{..} are Java's; they are not checked.
UNSUPPORTED = re.compile(r"\\p\{|\[\[:")


def models():
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in AWS}


def walk(shape, value, path, loose=False):
    """Yields a line for everything about a value that its shape does not allow."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield f"{path}: {json.dumps(value)} is no object"
            return
        for name in value:
            if name not in shape.members:
                yield f"{path}: unknown member {name!r}"
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"{path}: required member {name!r} is missing"
        for name, member in shape.members.items():
            if name in value:
                yield from walk(member, value[name], f"{path}.{name}", name in LOOSE_ENUMS)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path}: {json.dumps(value)} is no list"
            return
        # The services answer with empty lists where their own models ask for a member.
        if value or not path.startswith("answer"):
            yield from bounds(shape, len(value), path)
        for at, item in enumerate(value):
            yield from walk(shape.member, item, f"{path}[{at}]", loose)
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{path}: {json.dumps(value)} is no object"
            return
        yield from bounds(shape, len(value), path)
        for key, item in value.items():
            yield from walk(shape.key, key, f"{path} key")
            yield from walk(shape.value, item, f"{path}[{key!r}]")
    elif kind in ("string", "character"):
        if not isinstance(value, str):
            yield f"{path}: {json.dumps(value)} is no string"
            return
        yield from bounds(shape, len(value), path)
        pattern = shape.metadata.get("pattern")
        if pattern and not UNSUPPORTED.search(pattern) and not re.fullmatch(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"
        enum = shape.metadata.get("enum")
        if enum and not loose and value not in enum:
            yield f"{path}: {value!r} is none of {', '.join(enum)}"
    elif kind in ("integer", "long"):
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{path}: {json.dumps(value)} is no integer"
        else:
            yield from bounds(shape, value, path)
    elif kind == "timestamp" and isinstance(value, datetime):
        pass  # botocore's parser has read it
    elif kind in ("float", "double", "timestamp"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{path}: {json.dumps(value)} is no number"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path}: {json.dumps(value)} is no boolean"


def bounds(shape, size, path):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"{path}: {size} is less than {low}"
    if high is not None and size > high:
        yield f"{path}: {size} is more than {high}"


def unform(shape, form, name, protocol):
    """What a form says of a shape whose fields begin with this name."""
    kind = shape.type_name
    if kind == "structure":
        members = {}
        for member, of in shape.members.items():
            field = field_name(of, member, protocol)
            prefix = f"{name}.{field}" if name else field
            if any(key == prefix or key.startswith(f"{prefix}.") for key in form):
                members[member] = unform(of, form, prefix, protocol)
        return members
    if kind == "list":
        flat = protocol == "ec2" or shape.serialization.get("flattened")
        prefix = name if flat else f"{name}.{shape.member.serialization.get('name', 'member')}"
        items = []
        while any(key == f"{prefix}.{len(items) + 1}" or key.startswith(f"{prefix}.{len(items) + 1}.") for key in form):
            items.append(unform(shape.member, form, f"{prefix}.{len(items) + 1}", protocol))
        return items
    text = form.get(name, "")
    if kind in ("integer", "long") and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


def field_name(shape, default, protocol):
    if protocol == "ec2":
        name = shape.serialization.get("name", default)
        return shape.serialization.get("queryName", name[:1].upper() + name[1:])
    return shape.serialization.get("name", default)


def check_form(operation, form):
    protocol = operation.service_model.metadata["protocol"]
    if not isinstance(form, dict):
        yield f"request: {json.dumps(form)} is no form"
        return
    members = unform(operation.input_shape, form, "", protocol)
    yield from check_request(operation, members)
    made = create_serializer(protocol).serialize_to_request(members, operation)["body"]
    made = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in made.items()}
    for name in sorted(made.keys() | form.keys()):
        if made.get(name) != form.get(name):
            yield f"request: {name} is {form.get(name)!r}, and botocore makes {made.get(name)!r}"


def strays(shape, node, path):
    """Yields a line for every element of an answer that its shape does not know."""
    kind = shape.type_name
    if kind == "structure":
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    elif kind == "list":
        known = {shape.member.serialization.get("name", "member"): shape.member}
    else:
        known = {}
    for child in node:
        tag = child.tag.rpartition("}")[2]
        if tag in known:
            yield from strays(known[tag], child, f"{path}.{tag}")
        else:
            yield f"{path}: unknown element {tag!r}"


def check_xml(service, operation, call):
    status, text = call["status"], call["response"]
    if not isinstance(text, str):
        yield f"answer: {json.dumps(text)} is no text"
        return
    shape = operation.output_shape
    parser = create_parser(operation.service_model.metadata["protocol"])
    parsed = parser.parse({"body": text.encode(), "headers": {}, "status_code": status}, shape)
    metadata = parsed.pop("ResponseMetadata", {})
    if not metadata.get("RequestId"):
        yield "answer: no request id"
    if status >= 300:
        known = {error.metadata["error"]["code"] for error in operation.error_shapes} | QUERY_ERRORS[service]
        if parsed["Error"].get("Code") not in known:
            yield f"answer: {operation.name} has no error {parsed['Error'].get('Code')!r}"
        return
    yield from walk(shape, parsed, "answer")
    root = ElementTree.fromstring(text)
    # EC2's own answers end their namespace in a slash, and its model does not.
    namespace = operation.service_model.metadata["xmlNamespace"].rstrip("/")
    if root.tag.replace("/}", "}") != f"{{{namespace}}}{operation.name}Response":
        yield f"answer: the root is {root.tag!r}"
    wrapper = shape.serialization.get("resultWrapper")
    for child in list(root):
        tag = child.tag.rpartition("}")[2]
        if wrapper and tag == wrapper:
            yield from strays(shape, child, "answer")
        if tag in (wrapper, "requestId", "ResponseMetadata"):
            root.remove(child)
    # What is left is the answer itself where nothing is wrapped, and a stray where it is.
    if wrapper:
        yield from (f"answer: unknown element {child.tag!r}" for child in root)
    else:
        yield from strays(shape, root, "answer")


def check_request(operation, request):
    shape = operation.input_shape
    if shape is None:
        return
    request = {} if request is None else request
    if isinstance(request, dict):
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            yield from (f"request: {line}" for line in report.generate_report().splitlines())
    yield from walk(shape, request, "request")


def check_answer(service, operation, call):
    status, answer = call["status"], call["response"]
    if status < 300:
        if operation.output_shape is None:
            if answer not in (None, {}):
                yield f"answer: {json.dumps(answer)} where none is expected"
        else:
            yield from walk(operation.output_shape, answer, "answer")
        return
    if service in REST:
        unknown = set(answer or {}) - {"Type", "Message"}
        if unknown:
            yield f"answer: unknown members of an error: {', '.join(sorted(unknown))}"
        return
    code = str((answer or {}).get("__type", "")).rpartition("#")[2]
    known = {shape.name for shape in operation.error_shapes} | COMMON_ERRORS
    if service == "sqs":
        known |= SQS_ERRORS
    if code not in known:
        yield f"answer: {operation.name} has no error {code!r}"
    unknown = set(answer or {}) - {"__type", "message"}
    if unknown:
        yield f"answer: unknown members of an error: {', '.join(sorted(unknown))}"


def main(path):
    known, counts, bad = models(), Counter(), 0
    with open(path, encoding="utf-8") as journal:
        for number, line in enumerate(journal, 1):
            if not line.strip():
                continue
            call = json.loads(line)
            service, name = call["service"], call["operation"]
            counts[f"{service} {name} {call['status'] or 'lost'}"] += 1
            if service in ELSEWHERE:
                continue
            if service not in AWS:
                problems = ["no service that is checked here"]
            elif name not in known[service].operation_names:
                problems = [f"{service} has no such operation"]
            else:
                operation = known[service].operation_model(name)
                problems = []
                if call["status"] < 300:
                    # What the service refused need not have been right.
                    check = check_form if service in QUERY else check_request
                    problems += check(operation, call["request"])
                if call["status"] and not call.get("fault"):
                    check = check_xml if service in QUERY else check_answer
                    problems += check(service, operation, call)
            for problem in problems:
                bad += 1
                print(f"line {number}: {service} {name}: {problem}")
    for operation, count in sorted(counts.items()):
        print(f"{count:6} {operation}")
    print(f"{sum(counts.values())} calls, {bad} mismatches")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(sys.argv[1]))
    except (OSError, ValueError, KeyError) as error:
        print(f"{sys.argv[1]}: {error!r}", file=sys.stderr)
        sys.exit(2)
