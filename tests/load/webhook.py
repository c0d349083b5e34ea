#!/usr/bin/env python3
"""Puts load on the webhook's release bootstrap: thousands of deliveries from many clients, into several of it at once.

    tests/load/webhook.py --rie PATH --webhook PATH [--deliveries 2000] [--clients 32] [--sandboxes 4] [--seed 1]

Lambda gives each of its sandboxes one invocation at a time and brings up more of them under load. So does this: each
sandbox is a Runtime Interface Emulator with one bootstrap, and a client takes whichever is free. Among good deliveries
come forged, unsigned and malformed ones, and the queue refuses a share of the messages, or takes them and says that it
failed. Large ones come after them. Then:

1. Each delivery gets the answer that it has to get.
2. Who was answered 202 has every message on the queue, and none too many but where the queue's own answer was lost.
3. Who was answered 500 is delivered again when the queue is well, as GitHub's users do, and has them then; each push and
   pipeline always with the same client request token, and no two with the same one.
4. What nobody signed costs no call of AWS: SSM is asked once for each sandbox.
5. No sandbox grows: between the second and the last quarter of its deliveries it comes to hold no more than GROWTH for
   each; and large ones make it hold no more than MOST.
6. No log line holds the secret, or what a body holds.

How long it took is printed, and judged by nobody. It exits 1 if something did not hold.
"""

import argparse
import hashlib
import hmac
import json
import queue
import random
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "emulator"))
from run import Emulator, executable, webhook_environment_by_parameters  # noqa: E402
from stub import REPOSITORY, SECRET, Failed, Stub, check, event, short  # noqa: E402

# Bytes a delivery. With 500 deliveries, the allocator's own steps come to some 100, and a sandbox of 9 MB that keeps to it
# grows by less than 6 %.
GROWTH = 2000

# A quarter of what the template gives the function. What a large delivery took, the allocator may keep.
MOST = 64_000_000

# In every body, and never to be seen in a log.
MARKER = "only-the-body-says-this"

CONFIG = f"""\
[[route]]
repository = "{REPOSITORY}"
branches = ["main"]
pipeline = "node-server"

[[route]]
repository = "{REPOSITORY}"
branches = ["main"]
paths = ["worker/**"]
pipeline = "node-worker"
"""


class Kind(NamedTuple):
    """A kind of delivery: how many of a thousand, what it has to be answered, and what the queue does to its messages."""

    share: int
    statuses: tuple
    fault: str = ""


KINDS = {
    # Good ones: to both pipelines, to one with the other left out by its filter, to none.
    "both": Kind(200, (202,)),
    "one": Kind(420, (202,)),
    "none": Kind(60, (202,)),
    "ping": Kind(20, (202,)),
    # Good ones, while the queue is not well. The client repeats a call, but has a budget for it that many failures use up.
    "refused once": Kind(50, (202, 500), "first"),
    "taken, but said to have failed": Kind(50, (202, 500), "lost"),
    "refused": Kind(20, (500,), "all"),
    "refused for one pipeline": Kind(20, (500,), "half"),
    # Bad ones.
    "unsigned": Kind(50, (401,)),
    "signed with another secret": Kind(50, (401,)),
    "not JSON": Kind(20, (400,)),
    "not the event": Kind(20, (400,)),
    "GET": Kind(10, (405,)),
    "elsewhere": Kind(10, (404,)),
}

LARGE = {"large": Kind(500, (202,)), "large and forged": Kind(500, (401,))}
LARGE_BYTES = 4_000_000  # Lambda takes invocations of up to 6 MB
LARGE_DELIVERIES = 40


class Delivery(NamedTuple):
    id: str
    kind: str
    request: dict  # the event of the Function URL
    messages: frozenset  # (job, pipeline) of what has to be on the queue


def sign(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def delivery(number, kind):
    """A delivery as GitHub sends it, and what it is to bring about."""
    id = f"{number:08x}-cc78-11e3-81ab-4c9367dc0958"
    push = event("push-main")
    sha = hashlib.sha1(id.encode()).hexdigest()
    push["after"] = push["head_commit"]["id"] = push["commits"][-1]["id"] = sha
    push["head_commit"]["message"] = push["repository"]["description"] = MARKER
    files = ["worker/main.js"] if kind == "both" else ["src/server.js"]
    for commit in push["commits"]:
        commit |= {"added": [], "removed": [], "modified": files}
    if kind == "none":
        push["ref"] = "refs/heads/topic"
    if kind.startswith("large"):
        push["head_commit"]["message"] = (MARKER + " ") * (LARGE_BYTES // (len(MARKER) + 1))
    body = {"not JSON": MARKER, "not the event": json.dumps({"ref": MARKER})}.get(kind) or json.dumps(push)
    request = event("function-url-push-main")
    headers = request["headers"]
    headers |= {"x-github-delivery": id, "content-length": str(len(body)), "x-hub-signature-256": sign(SECRET, body)}
    request["body"] = body
    if kind == "ping":
        headers["x-github-event"] = "ping"
    elif kind == "unsigned":
        del headers["x-hub-signature-256"]
    elif kind in ("signed with another secret", "large and forged"):
        headers["x-hub-signature-256"] = sign("another secret", body)
    elif kind == "GET":
        request["requestContext"]["http"]["method"] = "GET"
    elif kind == "elsewhere":
        request["rawPath"] = request["requestContext"]["http"]["path"] = "/.env"
    starts = {("start", "node-server"), ("start" if kind == "both" else "skip", "node-worker")}
    starts = starts if {202, 500} & set((KINDS | LARGE)[kind].statuses) and kind not in ("none", "ping") else ()
    return Delivery(id, kind, request, frozenset(starts))



def deliveries_of(kinds, count, chance):
    """As many deliveries, in any order."""
    names = [name for name, kind in kinds.items() for _ in range(max(1, round(kind.share * count / 1000)))]
    chance.shuffle(names)
    return [delivery(chance.getrandbits(32), name) for name in names]


class Queue(Stub):
    """The stub of AWS, with a queue that is not well."""

    def __init__(self):
        super().__init__()
        # Where one message of two is refused, the function hangs up on the other's answer.
        self.server.handle_error = lambda *_: None
        self.config = CONFIG
        self.faults = {}  # delivery -> what happens to its messages
        self.tries = Counter()  # (delivery, pipeline) -> SendMessage calls
        self.taken = {}  # delivery -> messages, as JSON

    def aws(self, target, kind, body):
        if target != "AmazonSQS.SendMessage":
            return super().aws(target, kind, body)
        request = json.loads(body)
        message = json.loads(request["MessageBody"])
        delivery, pipeline = message["delivery"], message["pipeline"]
        self.tries[delivery, pipeline] += 1
        fault, is_first = self.faults.get(delivery), self.tries[delivery, pipeline] == 1
        unavailable = 503, kind, {"__type": "ServiceUnavailable", "message": "not well"}
        if fault == "all" or (fault == "half" and pipeline == "node-worker") or (fault == "first" and is_first):
            return unavailable
        self.taken.setdefault(delivery, []).append(message)
        return unavailable if fault == "lost" and is_first else (200, kind, self.send_message(request))


class Sandbox:
    """An emulator with a bootstrap in it, and the memory that the bootstrap held after each invocation."""

    def __init__(self, rie, webhook, stub):
        self.emulator = Emulator(rie, webhook, webhook_environment_by_parameters(stub))
        self.pid = None
        self.memory = []  # bytes
        self.large = []  # the same, after large deliveries

    def invoke(self, delivery):
        answer = self.emulator.invoke(delivery.request)
        self.pid = self.pid or self.bootstrap()
        held = self.large if delivery.kind in LARGE or self.large else self.memory
        held.append(resident(self.pid))
        return answer

    def bootstrap(self):
        """The emulator's only child, which it starts with the first invocation."""
        emulator = self.emulator.process.pid
        children = [child for task in Path(f"/proc/{emulator}/task").iterdir() for child in (task / "children").read_text().split()]
        check(len(children) == 1, f"the emulator has {len(children)} children")
        return int(children[0])

    def quarter(self, which):
        """The median of what was held in a quarter of the invocations, the first being 0."""
        size = len(self.memory) // 4
        return statistics.median(self.memory[which * size : (which + 1) * size])

    def growth(self):
        """Bytes a delivery."""
        return (self.quarter(3) - self.quarter(1)) / (len(self.memory) / 2)

    def log(self):
        self.emulator.log.seek(0)
        return self.emulator.log.read().decode(errors="replace")


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} has no memory: it has ended")


class Answer(NamedTuple):
    delivery: Delivery
    status: int
    body: str
    took: float  # seconds


def deliver(deliveries, sandboxes, clients):
    """Every delivery's answer. The clients share the work, and take whichever sandbox is free."""
    work, free, answers, wrong = queue.SimpleQueue(), queue.SimpleQueue(), [], []
    for one in deliveries:
        work.put(one)
    for sandbox in sandboxes:
        free.put(sandbox)

    def client():
        while not wrong:
            try:
                one = work.get_nowait()
            except queue.Empty:
                return
            sandbox = free.get()
            try:
                began = time.monotonic()
                answer = sandbox.invoke(one)
                took = time.monotonic() - began
                check(isinstance(answer, dict) and "statusCode" in answer, f"{one.kind}: {short(answer)}")
                answers.append(Answer(one, answer["statusCode"], answer.get("body") or "", took))
            except Failed as failure:
                wrong.append(f"{one.kind}: {failure}")
            finally:
                free.put(sandbox)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not wrong, "\n".join(wrong))
    check(len(answers) == len(deliveries), f"{len(answers)} answers to {len(deliveries)} deliveries")
    return answers


def judge(answers, stub):
    """What is wrong with the answers, and with what the queue holds for them."""
    for delivery, status, body, _ in answers:
        kind = (KINDS | LARGE)[delivery.kind]
        about = f"{delivery.kind} ({delivery.id}), answered {status}"
        if status not in kind.statuses:
            yield f"{about} and not {kind.statuses}: {body[:300]}"
            continue
        taken = [(message["job"], message["pipeline"]) for message in stub.taken.get(delivery.id, [])]
        if not set(taken) <= delivery.messages:
            yield f"{about}: the queue has {taken}, and not {sorted(delivery.messages)}"
        if len(taken) != len(set(taken)) and kind.fault != "lost":
            yield f"{about}: the queue has a message twice: {taken}"
        if status != 202:
            continue
        if set(taken) != delivery.messages:
            yield f"{about}: the queue has {taken}, and not {sorted(delivery.messages)}"
        jobs = {"queued": "start", "skipped": "skip"}
        decided = [decision for decision in json.loads(body)["decisions"] if decision["decision"] in jobs]
        if {(jobs[one["decision"]], one["pipeline"]) for one in decided} != delivery.messages:
            yield f"{about}, with other decisions: {body[:600]}"


def judge_tokens(stub):
    """A push and a pipeline have one client request token, however often they come, and no others have it."""
    owners = {}
    for delivery, messages in stub.taken.items():
        for message in messages:
            if message["job"] == "start":
                owners.setdefault(message["token"], set()).add((delivery, message["pipeline"]))
    for token, owner in owners.items():
        if len(owner) != 1:
            yield f"{token} is the token of {sorted(owner)}"
    if len({one for owner in owners.values() for one in owner}) != len(owners):
        yield "a push and its pipeline came with two tokens"


def judge_sandboxes(sandboxes, stub):
    if len(stub.parameters_read) > len(sandboxes):
        yield f"SSM was asked {len(stub.parameters_read)} times by {len(sandboxes)} sandboxes"
    if stub.refused:
        yield f"calls that nothing answers: {short(stub.refused[:5])}"
    for number, sandbox in enumerate(sandboxes, 1):
        if sandbox.growth() > GROWTH:
            yield f"sandbox {number} grows: {megabytes(sandbox.quarter(1))}, then {megabytes(sandbox.quarter(3))}"
        if max(sandbox.large, default=0) > MOST:
            yield f"sandbox {number} holds {megabytes(max(sandbox.large))} after large deliveries"
        log = sandbox.log()
        for word in (SECRET, MARKER):
            line = next((line for line in log.splitlines() if word in line), None)
            if line:
                yield f"sandbox {number} logs what it must not: {line[:300]}"


def megabytes(size):
    return f"{size / 1e6:.2f} MB"


def milliseconds(answers):
    times = sorted(answer.took * 1000 for answer in answers)
    return f"p50 {times[len(times) // 2]:.1f} ms, p99 {times[len(times) * 99 // 100]:.1f} ms ({len(times)})"


def report(answers, large, seconds, sandboxes, clients):
    print(f"{len(answers)} deliveries by {clients} clients into {len(sandboxes)} sandboxes in {seconds:.1f} s: {len(answers) / seconds:.0f}/s")
    print("    " + ", ".join(f"{count} x {status}" for status, count in sorted(Counter(one.status for one in answers).items())))
    well = [one for one in answers if not KINDS[one.delivery.kind].fault]
    print(f"    accepted: {milliseconds([one for one in well if one.status == 202])}")
    print(f"    refused: {milliseconds([one for one in well if one.status != 202])}")
    print(f"    of {megabytes(LARGE_BYTES)}: {milliseconds(large)}")
    for number, sandbox in enumerate(sandboxes, 1):
        held = ", ".join(megabytes(sandbox.quarter(which)) for which in range(4))
        print(
            f"    sandbox {number} holds {megabytes(sandbox.memory[0])} at first, {held} in the quarters of {len(sandbox.memory)} deliveries"
            f" ({sandbox.growth():+.0f} bytes each), and up to {megabytes(max(sandbox.large, default=0))} after large ones"
        )


def run(arguments):
    chance = random.Random(arguments.seed)
    deliveries = deliveries_of(KINDS, arguments.deliveries, chance)
    stub, sandboxes = Queue(), []
    try:
        stub.faults = {one.id: KINDS[one.kind].fault for one in deliveries if KINDS[one.kind].fault}
        for _ in range(arguments.sandboxes):
            sandboxes.append(Sandbox(arguments.rie, arguments.webhook, stub))
        began = time.monotonic()
        answers = deliver(deliveries, sandboxes, arguments.clients)
        seconds = time.monotonic() - began
        large = deliver(deliveries_of(LARGE, LARGE_DELIVERIES, chance), sandboxes, arguments.clients)
        report(answers, large, seconds, sandboxes, arguments.clients)
        wrong = list(judge(answers + large, stub))
        # What was not accepted is delivered again.
        stub.faults = {}
        again = deliver([one.delivery for one in answers if one.status == 500], sandboxes, arguments.clients)
        for delivery, status, body, _ in again:
            taken = {(message["job"], message["pipeline"]) for message in stub.taken.get(delivery.id, [])}
            if status != 202 or taken != delivery.messages:
                wrong.append(f"delivered again, {delivery.kind} is answered {status}, and the queue has {sorted(taken)}: {body}")
        wrong += [*judge_tokens(stub), *judge_sandboxes(sandboxes, stub)]
    finally:
        for sandbox in sandboxes:
            sandbox.emulator.close()
        stub.close()
    for line in wrong[:20]:
        print(f"FAILED {line}")
    messages = sum(len(messages) for messages in stub.taken.values())
    print(f"{len(answers + large)} answers, {len(again)} delivered again, {messages} messages on the queue, {len(wrong)} wrong")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description="Puts load on the webhook's release bootstrap.")
    parser.add_argument("--rie", required=True, type=executable, help="the emulator")
    parser.add_argument("--webhook", required=True, type=executable, help="the webhook's bootstrap")
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--sandboxes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    try:
        return run(parser.parse_args())
    except Failed as failure:
        print(f"FAILED {failure}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
