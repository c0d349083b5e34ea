#!/usr/bin/env python3
"""Rebuilds the Lambda envelopes in this folder from the plain deliveries beside them.

The plain files (push-main.json and its like) are written by hand. Everything that follows from them is made here,
signatures first of all: they are over the delivery's bytes, so a delivery that was edited needs its envelopes again.

    events/generate.py            write the envelopes
    events/generate.py --check    write nothing; exit 1 and name each file that is not what would be written

Nothing here reads a clock or draws a random number: the same deliveries give the same files.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import urllib.parse
import uuid
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# The secret of GitHub's published test vector, so that anyone can check a signature by hand.
SECRET = "It's a Secret to Everybody"

ACCOUNT = "123456789012"
REGION = "us-east-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:pipehook"
SOURCE_IP = "192.0.2.10"
HOOK_ID = 512345678
REPOSITORY_ID = 1296269
USER_AGENT = "GitHub-Hookshot/8ab3f1c"

# 2026-11-20T09:41:08.031Z, a second after the push.
TIME_EPOCH = 1795167668031
TIME = "20/Nov/2026:09:41:08 +0000"

FUNCTION_URL_ID = "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6"
HTTP_API_ID = "a1b2c3d4e5"
REST_API_ID = "f6g7h8i9j0"


def guid(name):
    """A GUID that is always the same for the same name, for deliveries, requests and messages."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://github.com/octo-org/node-server#{name}"))


def delivery(name):
    """The bytes of a plain delivery: exactly what GitHub signs and sends."""
    return (FOLDER / f"{name}.json").read_bytes()


def signature(body, algorithm, secret=SECRET):
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


def github_headers(event, name, body, content_type="application/json", secret=SECRET):
    """The headers that GitHub sends, spelt as GitHub spells them."""
    return {
        "Accept": "*/*",
        "Content-Type": content_type,
        "User-Agent": USER_AGENT,
        "X-GitHub-Delivery": guid(name),
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(HOOK_ID),
        "X-GitHub-Hook-Installation-Target-ID": str(REPOSITORY_ID),
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature": signature(body, "sha1", secret),
        "X-Hub-Signature-256": signature(body, "sha256", secret),
    }


def with_forwarding(headers, host, body, prefix="X-Amzn"):
    """Adds what stands between GitHub and the function: the host, the length, the proxy's own headers."""
    return {
        **headers,
        "Host": host,
        "Content-Length": str(len(body)),
        f"{prefix}-Trace-Id": "Root=1-6b001b34-0f1e2d3c4b5a69788796a5b4",
        "X-Forwarded-For": SOURCE_IP,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }


def lower(headers):
    return {name.lower(): value for name, value in sorted(headers.items(), key=lambda item: item[0].lower())}


def function_url(headers, body, name, encode=False):
    """A Function URL's event: payload format 2.0, header names in lower case."""
    host = f"{FUNCTION_URL_ID}.lambda-url.{REGION}.on.aws"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": lower(with_forwarding(headers, host, body)),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": FUNCTION_URL_ID,
            "domainName": host,
            "domainPrefix": FUNCTION_URL_ID,
            "http": {
                "method": "POST",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": SOURCE_IP,
                "userAgent": USER_AGENT,
            },
            "requestId": guid(f"request {name}"),
            "routeKey": "$default",
            "stage": "$default",
            "time": TIME,
            "timeEpoch": TIME_EPOCH,
        },
        "body": base64.b64encode(body).decode() if encode else body.decode(),
        "isBase64Encoded": encode,
    }


def api_gateway_http(headers, body, name):
    """An HTTP API's event: payload format 2.0 as well, with a route of its own, and a stage in front of the path."""
    host = f"{HTTP_API_ID}.execute-api.{REGION}.amazonaws.com"
    return {
        "version": "2.0",
        "routeKey": "POST /webhook",
        "rawPath": "/prod/webhook",
        "rawQueryString": "",
        "headers": lower(with_forwarding(headers, host, body)),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": HTTP_API_ID,
            "domainName": host,
            "domainPrefix": HTTP_API_ID,
            "http": {
                "method": "POST",
                "path": "/prod/webhook",
                "protocol": "HTTP/1.1",
                "sourceIp": SOURCE_IP,
                "userAgent": USER_AGENT,
            },
            "requestId": "Uq3xYhZ7oAMEPzg=",
            "routeKey": "POST /webhook",
            "stage": "prod",
            "time": TIME,
            "timeEpoch": TIME_EPOCH,
        },
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def api_gateway_rest(headers, body, name):
    """A REST API's proxy event (format 1.0): header names as sent, each header twice, the stage beside the path."""
    host = f"{REST_API_ID}.execute-api.{REGION}.amazonaws.com"
    headers = with_forwarding(headers, host, body)
    # A REST API keeps the length to itself.
    del headers["Content-Length"]
    return {
        "resource": "/webhook",
        "path": "/webhook",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {header: [value] for header, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "k1l2m3",
            "resourcePath": "/webhook",
            "httpMethod": "POST",
            "extendedRequestId": "Uq3xZF5MIAMEXqw=",
            "requestTime": TIME,
            "path": "/prod/webhook",
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "domainPrefix": REST_API_ID,
            "requestTimeEpoch": TIME_EPOCH,
            "requestId": guid(f"request {name}"),
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": SOURCE_IP,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": USER_AGENT,
                "user": None,
            },
            "domainName": host,
            "apiId": REST_API_ID,
        },
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def alb(headers, body, name):
    """A load balancer's event, from a target group without multi-value headers."""
    return {
        "requestContext": {
            "elb": {
                "targetGroupArn": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:"
                "targetgroup/pipehook/0a1b2c3d4e5f6071"
            }
        },
        "httpMethod": "POST",
        "path": "/webhook",
        "queryStringParameters": {},
        "headers": lower(with_forwarding(headers, "hooks.example.com", body)),
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def sqs_batch(*bodies):
    """The event that a queue hands to its function, one record a body."""
    records = []
    for number, body in enumerate(bodies, start=1):
        records.append(
            {
                "messageId": guid(f"message {number}"),
                "receiptHandle": base64.b64encode(f"receipt {number} of {QUEUE}".encode()).decode(),
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(TIME_EPOCH + number),
                    "SenderId": "AIDAEXAMPLEEXAMPLE001",
                    "ApproximateFirstReceiveTimestamp": str(TIME_EPOCH + number + 9),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": QUEUE,
                "awsRegion": REGION,
            }
        )
    return {"Records": records}


def compact(name):
    """A plain file on one line, as EventBridge puts it on a queue. 1.0 stays 1.0: CodePipeline sends floats."""
    return json.dumps(json.loads(delivery(name)), ensure_ascii=False, separators=(",", ":"))


def envelopes():
    """Every generated file: its name, and what belongs in it."""
    push = delivery("push-main")
    push_headers = github_headers("push", "push-main", push)
    form = urllib.parse.urlencode({"payload": push.decode()}).encode()
    ping = delivery("ping")
    deletion = delivery("push-deletion")
    forged = github_headers("push", "push-main forged", push, secret="a guess")
    return {
        "function-url-push-main": function_url(push_headers, push, "push-main"),
        "function-url-push-main-base64": function_url(push_headers, push, "push-main", encode=True),
        "function-url-push-main-form": function_url(
            github_headers("push", "push-main", form, content_type="application/x-www-form-urlencoded"),
            form,
            "push-main form",
        ),
        "function-url-push-deletion": function_url(
            github_headers("push", "push-deletion", deletion), deletion, "push-deletion"
        ),
        "function-url-ping": function_url(github_headers("ping", "ping", ping), ping, "ping"),
        "function-url-forged": function_url(forged, push, "push-main forged"),
        "api-gateway-http-push-main": api_gateway_http(push_headers, push, "push-main"),
        "api-gateway-rest-push-main": api_gateway_rest(push_headers, push, "push-main"),
        "alb-push-main": alb(push_headers, push, "push-main"),
        "sqs-eventbridge": sqs_batch(compact("codepipeline-stage-failed")),
        "sqs-start": sqs_batch(start_message("push-main")),
    }


def start_message(name, pipeline="node-server"):
    """What the webhook puts on the queue for a push that starts a pipeline."""
    body = delivery(name)
    push = json.loads(body)
    token = hashlib.sha256(pipeline.encode() + b"\0" + body).hexdigest()
    message = {
        "delivery": guid(name),
        "first_sent": TIME_EPOCH,
        "job": "start",
        "pipeline": pipeline,
        "repository": push["repository"]["full_name"],
        "commit": push["head_commit"]["id"],
        "ref": push["ref"],
        "source_action": "Source",
        "variables": [],
        "options": {"superseded": "error"},
        "token": f"pipehook-{token}",
    }
    return json.dumps(message, separators=(",", ":"))


def main():
    parser = argparse.ArgumentParser(description="Rebuilds the Lambda envelopes from the plain deliveries.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    arguments = parser.parse_args()

    stale = []
    for name, envelope in envelopes().items():
        path = FOLDER / f"{name}.json"
        wanted = (json.dumps(envelope, indent=2, ensure_ascii=False) + "\n").encode()
        if path.exists() and path.read_bytes() == wanted:
            continue
        stale.append(path.name)
        if not arguments.check:
            path.write_bytes(wanted)

    if arguments.check:
        for name in stale:
            print(f"events/{name} is not what events/generate.py writes; run it", file=sys.stderr)
        return 1 if stale else 0
    print(f"{len(stale)} of {len(envelopes())} envelopes written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
