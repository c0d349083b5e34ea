#!/usr/bin/env python3
"""Runs the release bootstraps as Lambda does: under the Runtime Interface Emulator, with stand-ins for AWS and GitHub.

    tests/emulator/run.py --rie PATH --webhook PATH --worker PATH

What the tests in Rust can't see is seen here: that the shipped binary starts, finds its configuration in an environment
that holds nothing else, and speaks the Runtime API. Each case has an emulator and a stub of its own. It prints one line
a case and exits 1 if one failed.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stub import (
    REGION,
    SECRET,
    Failed,
    Stub,
    accepted,
    all_done,
    answered,
    batch,
    check,
    event,
    push_is_queued,
    run_is_started,
    short,
)

START_SECONDS = 10
INVOKE_SECONDS = 30
FUNCTION_SECONDS = 20

# ---- The emulator.


def free_ports(count):
    """Loopback ports that were free a moment ago, all held at once so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Emulator:
    """One emulator with one bootstrap in it. It takes one invocation at a time: two at once crash it."""

    def __init__(self, rie, bootstrap, environment):
        self.port, runtime_api = free_ports(2)
        self.log = tempfile.TemporaryFile()
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            [
                rie,
                "--log-level",
                "error",
                "--runtime-interface-emulator-address",
                f"127.0.0.1:{self.port}",
                "--runtime-api-address",
                f"127.0.0.1:{runtime_api}",
                bootstrap,
                "handler",
            ],
            env={
                **kept,
                "AWS_LAMBDA_FUNCTION_NAME": Path(bootstrap).parent.name,
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(FUNCTION_SECONDS),
                "LAMBDA_TASK_ROOT": str(Path(bootstrap).parent),
                **environment,
            },
            cwd=str(Path(bootstrap).parent),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that the bootstrap goes when the emulator does.
            start_new_session=True,
        )
        try:
            self.wait_until_it_listens()
        except BaseException:
            self.close()
            raise

    def wait_until_it_listens(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            check(self.process.poll() is None, f"the emulator ended at once: {self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"the emulator does not listen after {START_SECONDS} s: {self.tail()}")

    def invoke(self, event):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=INVOKE_SECONDS)
        try:
            connection.request(
                "POST",
                "/2015-03-31/functions/function/invocations",
                json.dumps(event).encode(),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse().read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"no answer ({error!r}): {self.tail()}") from error
        finally:
            connection.close()
        try:
            return json.loads(answer)
        except ValueError as error:
            raise Failed(f"an answer that is not JSON: {answer[:300]!r}: {self.tail()}") from error

    def tail(self):
        """The last that the function logged. The emulator shares the file's offset, so it is read by position."""
        size = os.fstat(self.log.fileno()).st_size
        data = os.pread(self.log.fileno(), 1500, max(0, size - 1500))
        return data.decode(errors="replace").strip() or "(it logged nothing)"

    def close(self):
        # The leader is not reaped before the group is gone, so the group's id is still ours.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            if number == signal.SIGTERM:
                deadline = time.monotonic() + 2
                while time.monotonic() < deadline and not self.ended():
                    time.sleep(0.02)
        self.process.wait()
        self.log.close()

    def ended(self):
        """Whether the emulator has ended, without reaping it."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def aws_environment(stub):
    return {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE01",
        "AWS_SECRET_ACCESS_KEY": "not a secret",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": stub.url,
        "PIPEHOOK_QUEUE_URL": stub.queue_url,
    }


def webhook_environment(stub):
    return {
        **aws_environment(stub),
        "PIPEHOOK_CONFIG": stub.config,
        "PIPEHOOK_WEBHOOK_SECRET": SECRET,
    }


def webhook_environment_by_parameters(stub):
    return {
        **aws_environment(stub),
        "PIPEHOOK_CONFIG_PARAMETER": "/pipehook/config",
        "PIPEHOOK_WEBHOOK_SECRET_PARAMETER": "/pipehook/webhook-secret",
    }


def worker_environment(stub):
    return {
        **aws_environment(stub),
        "PIPEHOOK_CONFIG": stub.config,
        "PIPEHOOK_GITHUB_TOKEN": "ghs_ExampleExampleExampleExampleExample00",
    }


# ---- The cases.


def by_parameters(answer, stub):
    push_is_queued(answer, stub)
    check(stub.parameters_read, "no GetParameters")
    check(
        all(request.get("WithDecryption") is True for request in stub.parameters_read),
        f"GetParameters without decryption: {short(stub.parameters_read)}",
    )


def nothing_is_queued(answer, stub):
    accepted(answer)
    check(not stub.messages, f"a message: {short(stub.messages)}")


def refused(answer, stub):
    answered(answer, 401)
    check(not stub.messages, f"a message: {short(stub.messages)}")


def started_once_for_both(first, second):
    """A message that comes twice must name the same execution twice: the token is the message's, not the invocation's."""
    check(first["clientRequestToken"] == second["clientRequestToken"], "another client request token the second time")


class Cases:
    def __init__(self, rie, webhook, worker):
        self.rie = rie
        self.binaries = {"webhook": webhook, "worker": worker}
        self.failed = 0
        self.count = 0

    def run(self, function, title, given, judge, environment):
        """One case: a stub, an emulator, an invocation, and a judgement. Returns what the judge did."""
        self.count += 1
        stub = Stub()
        began = time.monotonic()
        try:
            emulator = Emulator(self.rie, self.binaries[function], environment(stub))
            try:
                answer = emulator.invoke(given)
                try:
                    result = judge(answer, stub)
                    check(not stub.refused, f"a call that nothing answers: {short(stub.refused)}")
                except Failed as failure:
                    raise Failed(f"{failure}\n  asked: {short(stub.asked)}\n  log: {emulator.tail()}") from None
            finally:
                emulator.close()
        except Failed as failure:
            self.failed += 1
            print(f"FAILED {function}: {title}: got {failure}", flush=True)
            return None
        finally:
            stub.close()
        print(f"ok     {function}: {title} ({(time.monotonic() - began) * 1000:.0f} ms)", flush=True)
        return result

    def webhook(self):
        """The webhook's cases. Returns the message that it queued for the push, if it did."""
        queued = None
        for name, kind in (
            ("function-url-push-main", "a push by Function URL"),
            ("function-url-push-main-base64", "the same in base64"),
            ("function-url-push-main-form", "the same as a form"),
            ("api-gateway-http-push-main", "the same by HTTP API"),
            ("api-gateway-rest-push-main", "the same by REST API"),
            ("alb-push-main", "the same by load balancer"),
        ):
            text = self.run("webhook", f"{kind} is queued", event(name), push_is_queued, webhook_environment)
            queued = queued or text
        push = event("function-url-push-main")
        self.run(
            "webhook",
            "configuration and secret come from parameters",
            push,
            by_parameters,
            webhook_environment_by_parameters,
        )
        for name, title, judge in (
            ("function-url-ping", "a ping is accepted and starts nothing", nothing_is_queued),
            ("function-url-push-deletion", "a deletion is accepted and starts nothing", nothing_is_queued),
            ("function-url-forged", "a forged signature is refused", refused),
        ):
            self.run("webhook", title, event(name), judge, webhook_environment)
        return queued

    def worker(self, queued):
        if queued is None:
            self.failed += 1
            self.count += 1
            print("FAILED worker: the webhook's message starts a run: got no message to begin with", flush=True)
        else:
            starts = []

            def started(answer, stub):
                run_is_started(answer, stub)
                starts.append(stub.started[0])
                if len(starts) == 2:
                    started_once_for_both(*starts)

            message = batch(queued)
            title = "the webhook's message starts a run, reports it, and looks again later"
            self.run("worker", title, message, started, worker_environment)
            self.run("worker", "the same message again asks for the same run", message, started, worker_environment)

        unparsable = batch("not a message")
        wanted = {"batchItemFailures": [{"itemIdentifier": unparsable["Records"][0]["messageId"]}]}

        def is_left_to_the_queue(answer, stub):
            check(answer == wanted, short(answer))
            check(not stub.messages and not stub.started, f"calls: {short(stub.asked)}")

        self.run(
            "worker",
            "a message that does not parse is left to the queue",
            unparsable,
            is_left_to_the_queue,
            worker_environment,
        )

        def event_is_taken(answer, stub):
            all_done(answer)
            check(not stub.started, f"a start: {short(stub.started)}")

        self.run(
            "worker",
            "CodePipeline's own event is taken, and starts nothing",
            event("sqs-eventbridge"),
            event_is_taken,
            worker_environment,
        )


def executable(text):
    path = Path(text).resolve()
    if not os.access(path, os.X_OK) or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not an executable file")
    return str(path)


def main():
    parser = argparse.ArgumentParser(description="Runs the release bootstraps under the Runtime Interface Emulator.")
    parser.add_argument("--rie", required=True, type=executable, help="the emulator")
    parser.add_argument("--webhook", required=True, type=executable, help="the webhook's bootstrap")
    parser.add_argument("--worker", required=True, type=executable, help="the worker's bootstrap")
    arguments = parser.parse_args()

    cases = Cases(arguments.rie, arguments.webhook, arguments.worker)
    cases.worker(cases.webhook())
    print(f"{cases.count - cases.failed} of {cases.count} cases ok")
    return 1 if cases.failed else 0


if __name__ == "__main__":
    sys.exit(main())
