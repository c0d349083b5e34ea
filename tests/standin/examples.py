#!/usr/bin/env python3
"""Posts octokit's example payloads, each signed, to the webhook of `pipehook dev`.

    tests/standin/examples.py --tool PATH PACKAGE

PACKAGE is the unpacked npm package @octokit/webhooks-examples: payloads of all events as people have received them, from
github.com and from versions of GitHub Enterprise Server. GitHub sent them, so none may be refused: each is answered with
202, and the answer has a decision with a reason. They are posted twice:

- where no route names their repositories, every one is ignored,
- where routes do, pushes, pull requests and presses are queued as `commit_of` says from the payload alone, and a commit
  that a push or a pull request has queued gets its statuses from the worker. The check runs of the examples are other
  people's, and pressing their buttons does nothing; the same presses of a check run of a pipeline's are posted, too.

It prints a line a set of payloads and exits 1 if something did not hold.
"""

import argparse
import hashlib
import hmac
import http.client
import json
import sys
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from scene import Dev, Failed, check, folder, until, written

# The repositories of the payloads that can start something.
REPOSITORIES = ("Codertocat/Hello-World", "electron/electron", "github/hello-world")
# Pushes and presses start one pipeline and pull requests another: where a route takes a branch's pushes, its pull
# requests start nothing more.
MATCHING = "".join(
    f"""
[[route]]
repository = "{repository}"
branches = ["**"]
tags = ["**"]
pipeline = "pushes-{number}"

[[route]]
repository = "{repository}"
branches = []
pull_requests = true
pipeline = "pulls-{number}"
"""
    for number, repository in enumerate(REPOSITORIES)
)
OTHERS = """
[[route]]
repository = "octo-org/node-server"
branches = ["**"]
tags = ["**"]
pull_requests = true
pipeline = "node-server"
"""
SETTLE_SECONDS = 120


def commit_of(event, payload):
    """The commit that a payload has queued where a route takes its repository; None where it starts nothing."""
    action = payload.get("action")
    if event == "push":
        if payload["deleted"]:
            return None
        return (payload["head_commit"] or {"id": payload["after"]})["id"]
    if event == "pull_request":
        head, base = payload["pull_request"]["head"], payload["pull_request"]["base"]
        is_fork = not head["repo"] or head["repo"]["id"] != base["repo"]["id"]
        return head["sha"] if action in ("opened", "reopened", "synchronize") and not is_fork else None
    if event == "check_run":
        is_ours = payload["check_run"]["name"].startswith("codepipeline/")
        return payload["check_run"]["head_sha"] if is_ours and action in ("requested_action", "rerequested") else None
    if event == "check_suite":
        return payload["check_suite"]["head_sha"] if action == "rerequested" else None
    return None


def variants(event, payload):
    """A payload as it is, and where it is about a check run also as if that were a pipeline's."""
    yield payload
    if event == "check_run":
        number = REPOSITORIES.index(payload["repository"]["full_name"])
        yield payload | {"check_run": payload["check_run"] | {"name": f"codepipeline/pushes-{number}"}}


class Webhook:
    """Delivers as GitHub does, over one connection."""

    def __init__(self, place):
        self.secret = place["webhook_secret"].encode()
        self.address = urlsplit(place["webhook"]).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def deliver(self, event, payload):
        body = json.dumps(payload, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": f"sha256={hmac.new(self.secret, body, hashlib.sha256).hexdigest()}",
        }
        self.connection.request("POST", "/", body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


def judge(status, text, event, payload, is_routed):
    """What is wrong with an answer; None where nothing is. And the decisions."""
    if status != 202:
        return f"answered with {status}: {text}", []
    answer = json.loads(text)
    decisions = answer["decisions"]
    if answer["event"] != event or not decisions or not all(decision["reason"] for decision in decisions):
        return f"the answer does not tell: {text}", []
    queued = {decision["commit"] for decision in decisions if decision["decision"] == "queued"}
    commit = commit_of(event, payload) if is_routed else None
    wanted = {commit} if commit else set()
    return (f"queued {queued or 'nothing'}, not {wanted or 'nothing'}: {text}" if queued != wanted else None), decisions


def post(dev, sets, is_routed):
    """Posts every payload. Gives the problems, the pipeline of each commit that a push or a pull request has queued, and
    how many payloads there were."""
    webhook = Webhook(dev.place)
    problems, started, total = [], {}, 0
    for name, events in sets:
        counts = Counter()
        for one in events:
            event = one["name"]
            payloads = [payload for example in one["examples"] for payload in variants(event, example)]
            for number, payload in enumerate(payloads):
                status, text = webhook.deliver(event, payload)
                problem, decisions = judge(status, text, event, payload, is_routed)
                if problem:
                    problems.append(f"{name}: {event} {payload.get('action', '')} ({number}): {problem}")
                counts[decisions[0]["decision"] if decisions else "refused"] += 1
                if event in ("push", "pull_request"):
                    for decision in decisions:
                        if decision["decision"] == "queued":
                            started[decision["commit"]] = decision["pipeline"]
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"{name}, {'routed' if is_routed else 'not routed'}: {sum(counts.values())} payloads, {told}", flush=True)
        total += sum(counts.values())
    return problems, started, total


def follow(dev, started):
    """Waits until GitHub shows something of each commit that was queued."""
    missing = dict(started)

    def all_shown():
        for status in dev.statuses():
            if missing.get(status["sha"]) and status["context"].startswith(f"codepipeline/{missing[status['sha']]}"):
                del missing[status["sha"]]
        return not missing

    until(SETTLE_SECONDS, lambda: f"no status of {missing}: {dev.errors()[-2000:]}", all_shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, type=Path, help="pipehook itself")
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    arguments = parser.parse_args()
    files = sorted(arguments.package.glob("*/index.json"))
    sets = [(file.parent.name, json.loads(file.read_text(encoding="utf-8"))) for file in files]
    check(any(name == "api.github.com" for name, _ in sets), f"no payloads below {arguments.package}")
    problems, total = [], 0
    with folder("examples") as home:
        for is_routed, routes in ((False, OTHERS), (True, MATCHING)):
            config = written(home, "dev.toml", routes)
            with Dev(arguments.tool.resolve(), home, "--speed", "100", "--config", config) as dev:
                found, started, posted = post(dev, sets, is_routed)
                problems += found
                total += posted
                check(is_routed == bool(started), started)
                follow(dev, started)
    for problem in problems:
        print(problem)
    print(f"{total} deliveries, {len(problems)} not answered as they should be")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError, ValueError, http.client.HTTPException) as error:
        print(f"FAILED: {error}")
        sys.exit(1)
