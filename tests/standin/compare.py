#!/usr/bin/env python3
"""Asks the stand-in's SQS and Parameter Store what it asks two other people's emulators, moto and MiniStack, and compares
what comes back.

    tests/standin/compare.py --tool PATH

The questions are the functions of `cases.py`; each gives names with outcomes: values without what differs by nature (ids,
moments, addresses), or of an error its code and the type that boto3 makes of it. Where an emulator says something else than
the stand-in, the difference has to stand in differences.py, with the reason why the stand-in is right. A difference that is
listed there and is none any more fails too.

Needs boto3, moto[server] and ministack. It prints the differences that are not listed and exits 1 if there are any.
"""

import argparse
import concurrent.futures
import importlib.metadata
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

import cases
from differences import KNOWN
from scene import START_SECONDS, Dev, Failed, Program, folder, until

REGION = "us-east-1"
# Where the emulators have an account of their own, this is written in its place.
ACCOUNT = "123456789012"


class Cloud:
    """One that is asked."""

    def __init__(self, name, port, account):
        self.name = name
        self.port = port
        self.account = account
        self.sqs, self.ssm = self.client("sqs"), self.client("ssm")

    def client(self, service):
        return boto3.session.Session().client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # What is refused is to be seen as it was, and what boto3 itself would refuse is to be asked.
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, ignore_configured_endpoint_urls=True),
        )

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(cloud):
    """Every outcome, by case and name."""
    outcomes = {}
    for case in cases.ALL:
        for name, outcome in case(cloud).items():
            if isinstance(outcome, str):
                outcome = outcome.replace(cloud.account, ACCOUNT)
            outcomes[f"{case.__name__}: {name}"] = outcome
    return outcomes


def ask_stand_in(tool, home):
    with Dev(tool.resolve(), home) as dev:
        cloud = Cloud("pipehook", urlsplit(dev.place["aws"]).port, dev.place["account"])
        return cloud, ask(cloud)


def ask_moto(_, home):
    port = free_port()
    return ask_other(Cloud("moto", port, ACCOUNT), home, ["moto_server", "-H", "127.0.0.1", "-p", str(port)])


def ask_ministack(_, home):
    port = free_port()
    variables = {"BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    return ask_other(Cloud("MiniStack", port, "000000000000"), home, ["ministack"], **variables)


def ask_other(cloud, home, command, **environment):
    with Program([str(Path(sys.executable).parent / command[0]), *command[1:]], home, **environment) as program:
        until(START_SECONDS, lambda: f"{cloud.name}: {program.errors()[-2000:]}", cloud.listens)
        # The stand-in has a secret from the start.
        cloud.client("secretsmanager").create_secret(Name=cases.SECRET.name, SecretString=cases.SECRET.value)
        return cloud, ask(cloud)


def compare(peer, ours, theirs):
    """Yields a line for each difference that is not listed, and for each that is listed and is none."""
    listed = {at: difference for (name, at), difference in KNOWN.items() if name == peer}
    for at in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(at), theirs.get(at)
        if at in listed:
            if listed[at].theirs != other:
                yield f"{peer}: {at}: it says {other!r}, and not what is listed, {listed[at].theirs!r}; we say {mine!r}"
            elif mine == other:
                yield f"{peer}: {at}: is listed as a difference, but both say {mine!r}"
        elif mine != other:
            yield f"{peer}: {at}: it says {other!r}, and we say {mine!r}"
    for at in sorted(listed.keys() - ours.keys() - theirs.keys()):
        yield f"{peer}: {at}: is listed, and nobody asks it"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, type=Path, help="pipehook itself")
    arguments = parser.parse_args()
    problems = []
    with folder("compare") as home:
        # All wait for the same delays and timeouts, so they wait together.
        with concurrent.futures.ThreadPoolExecutor() as together:
            asked = [together.submit(begin, arguments.tool, home) for begin in (ask_stand_in, ask_moto, ask_ministack)]
        (_, ours), *others = [one.result() for one in asked]
        for cloud, theirs in others:
            found = list(compare(cloud.name, ours, theirs))
            problems += found
            listed = sum(name == cloud.name for name, _ in KNOWN)
            version = importlib.metadata.version(cloud.name.lower())
            print(f"{cloud.name} {version}: {len(theirs)} outcomes, {listed} listed differences, {len(found)} others")
    for problem in problems:
        print(problem)
    print(f"{len(ours)} outcomes of {len(cases.ALL)} cases, {len(problems)} unexplained")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError) as error:
        print(f"FAILED: {error}")
        sys.exit(1)
