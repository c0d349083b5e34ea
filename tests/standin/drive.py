#!/usr/bin/env python3
"""Drives the stand-in for AWS as its users' tools do: with boto3, its paginators and waiters, and with the AWS CLI.

    tests/standin/drive.py --tool PATH [--journal PATH]

The tool says which operations its stand-in has, and each has to be called with success here, or this fails. What is
checked is what a user of boto3 relies on: answers of the right types, exceptions of the right types, tokens that lead
through a list. calls.py asks with boto3, commands.py with the CLI; both ask `pipehook dev` twice over: as it is, and with
all that --with can add to its pipelines.

The journal is written for check_models.py, with the bytes that botocore sent and got: botocore reads past a member that it
does not know.

Needs boto3 and awscli. It prints one line a check and exits 1 if one failed.
"""

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import calls
import commands
from scene import Dev, Failed, check, folder, written

SPEED = 60
REPOSITORY = "octo-org/{}"
# Each with a service of two tasks: six interfaces are more than EC2's smallest page.
PIPELINES = ("api", "web", "jobs")
ROUTES = (
    "".join(
        f"""
[[route]]
repository = "{REPOSITORY.format(name)}"
pipeline = "{name}"
[route.variables]
GIT_BRANCH = "{{branch}}"
"""
        for name in PIPELINES
    )
    + f"""
[[route]]
repository = "{REPOSITORY.format("legacy")}"
pipeline = "legacy"
source_action = ""
"""
)


class Journal:
    """What the clients sent and got, as lines for check_models.py."""

    def __init__(self):
        self.calls = []
        self.sent = None
        self.asked = None

    def watch(self, client):
        service = client.meta.service_model.service_name

        def asked(params, model, **_):
            # A service that speaks REST is told in the path and the query, and not in a body.
            rest = model.service_model.metadata["protocol"].startswith("rest")
            self.asked = dict(params) if rest else None

        def sent(request, **_):
            self.sent = request.body

        def got(operation_model, response_dict, **_):
            body = response_dict["body"]
            self.calls.append({
                "service": service,
                "operation": operation_model.name,
                "request": read(self.sent) if self.asked is None else self.asked,
                "status": response_dict["status_code"],
                "response": read(body),
            })  # fmt: skip

        client.meta.events.register("before-parameter-build.*.*", asked)
        client.meta.events.register("before-send.*.*", sent)
        client.meta.events.register("before-parse.*.*", got)

    def done(self):
        return {(call["service"], call["operation"]) for call in self.calls if call["status"] < 300}

    def write(self, path):
        path.write_text("".join(f"{json.dumps(call)}\n" for call in self.calls), encoding="utf-8")


def read(body):
    """A body for the journal: JSON as it is, a form as an object, XML as a text, nothing as null."""
    text = body.decode() if isinstance(body, (bytes, bytearray)) else body
    if not text:
        return None
    if text.startswith("{"):
        return json.loads(text)
    return text if text.startswith("<") else dict(parse_qsl(text, keep_blank_values=True))


class Account:
    """What one `pipehook dev` stands in for: a client for each service, by its name."""

    def __init__(self, dev, home, journal):
        self.place = dev.place
        self.home = home
        for service in dev.place["operations"]:
            client = boto3.session.Session().client(
                service,
                region_name=self.place["region"],
                endpoint_url=self.place["aws"],
                aws_access_key_id="driver",
                aws_secret_access_key="stand-in",
                config=Config(retries={"total_max_attempts": 1}, ignore_configured_endpoint_urls=True),
            )
            journal.watch(client)
            setattr(self, service, client)


def attempt(case, *accounts):
    """Whether it holds."""
    try:
        case(*accounts)
    except (Failed, AssertionError, KeyError, IndexError, TypeError, ValueError, OSError, BotoCoreError, ClientError) as error:
        print(f"FAILED  {case.__doc__}: {error!r}", flush=True)
        return False
    print(f"ok  {case.__doc__}", flush=True)
    return True


def covers_all(known, done):
    def all_is_called():
        """each operation that the stand-in has was called with success"""
        check(not known - done, f"not called: {sorted(known - done)}")

    return all_is_called


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, type=Path, help="pipehook itself")
    parser.add_argument("--journal", type=Path, help="where to write what was asked and answered")
    arguments = parser.parse_args()
    tool, journal, held = arguments.tool.resolve(), Journal(), []
    with folder("drive") as home:
        start = ["--speed", str(SPEED), "--config", written(home, "dev.toml", ROUTES)]
        with Dev(tool, home, *start) as plain, Dev(tool, home, *start, "--with", "approval,batch,load-balancer") as full:
            accounts = [Account(dev, home, journal) for dev in (plain, full)]
            held += [attempt(case, *accounts) for case in calls.ALL]
            known = {(service, name) for service, names in plain.place["operations"].items() for name in names}
            held.append(attempt(covers_all(known, journal.done())))
            held += [attempt(case, *accounts) for case in commands.ALL]
            if not all(held):
                print(f"---- pipehook dev\n{plain.errors()[-2000:]}\n{full.errors()[-2000:]}")
    if arguments.journal:
        journal.write(arguments.journal)
    called = f"{len(known & journal.done())} of {len(known)} operations in {len(journal.calls)} calls"
    print(f"{sum(held)} of {len(held)} checks hold; {called} of boto3's")
    return 0 if all(held) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError) as error:
        print(f"FAILED: {error}")
        sys.exit(1)
