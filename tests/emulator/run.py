#!/usr/bin/env python3
"""Runs the release bootstraps as Lambda does: under the Runtime Interface Emulator, with stand-ins for AWS and GitHub.

    tests/emulator/run.py --rie PATH --webhook PATH --worker PATH

What the tests in Rust can't see is seen here: that the shipped binary starts, finds its configuration in an environment
that holds nothing else, and speaks the Runtime API. Each case has an emulator and a stub of its own. It prints one line
a case and exits 1 if one failed.
"""

import argparse
import copy
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

EVENTS = Path(__file__).resolve().parents[2] / "events"
SECRET = "It's a Secret to Everybody"
COMMIT = json.loads((EVENTS / "push-main.json").read_text(encoding="utf-8"))["after"]
REPOSITORY = "octo-org/node-server"
PIPELINE = "node-server"
ACCOUNT = "123456789012"
REGION = "us-east-1"

START_SECONDS = 10
INVOKE_SECONDS = 30
FUNCTION_SECONDS = 20

CONFIG = f"""\
[github]
api_url = "http://127.0.0.1:PORT/github"

[[route]]
repository = "{REPOSITORY}"
tags = ["v*"]
pull_requests = true
pipeline = "{PIPELINE}"
"""


class Failed(Exception):
    """A check that did not hold; its text is what was got."""


def check(holds, got):
    if not holds:
        raise Failed(got)


# ---- The stand-ins: as little of AWS and GitHub as the cases ask for, and everything asked of them is kept.


class Stub:
    """An HTTP server on loopback that answers as SQS, SSM, CodePipeline and GitHub."""

    def __init__(self):
        self.lock = threading.Lock()
        self.messages = []  # what SendMessage was given
        self.started = []  # what StartPipelineExecution was given
        self.executions = {}  # client request token -> execution id
        self.statuses = []  # (sha, body) of every status posted
        self.parameters_read = []
        self.asked = []  # a line a request, for the report of a failure
        self.refused = []  # requests that nothing here answers
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                with stub.lock:
                    code, kind, answer = stub.route(self.command, urlsplit(self.path), self.headers, body)
                data = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def route(self, method, url, headers, body):
        target = headers.get("X-Amz-Target")
        self.asked.append(f"{method} {url.path} {target or ''}".rstrip())
        if target:
            return self.aws(target, headers.get("Content-Type", ""), body)
        if url.path.startswith("/github/"):
            return self.github(method, url.path[len("/github") :], headers, body)
        return self.refuse(f"{method} {url.path}", 404, "application/json", {"message": "Not Found"})

    def refuse(self, what, code, kind, answer):
        self.refused.append(what)
        return code, kind, answer

    def aws(self, target, kind, body):
        service, _, operation = target.partition(".")
        request = json.loads(body or b"{}")
        version = "1.0" if service == "AmazonSQS" else "1.1"
        wanted = f"application/x-amz-json-{version}"
        answers = {
            "AmazonSQS": {"SendMessage": self.send_message, "SendMessageBatch": self.send_message_batch},
            "AmazonSSM": {"GetParameters": self.get_parameters},
            "CodePipeline_20150709": {
                "StartPipelineExecution": self.start_pipeline_execution,
                "GetPipelineExecution": self.get_pipeline_execution,
                "GetPipelineState": lambda request: {
                    "pipelineName": request["name"],
                    "pipelineVersion": 1,
                    "stageStates": [],
                    "created": 1772445600.25,
                    "updated": 1772445600.25,
                },
                "GetPipeline": self.get_pipeline,
                "ListActionExecutions": lambda request: {"actionExecutionDetails": []},
                "ListPipelineExecutions": lambda request: {"pipelineExecutionSummaries": []},
            },
        }
        answer = answers.get(service, {}).get(operation)
        if answer is None or kind != wanted:
            error = {"__type": "UnknownOperationException", "message": f"{target} as {kind}"}
            return self.refuse(f"{target} as {kind}", 400, wanted, error)
        return 200, wanted, answer(request)

    def send_message(self, request):
        self.messages.append(request)
        return {"MessageId": str(uuid.uuid4()), "MD5OfMessageBody": md5(request["MessageBody"])}

    def send_message_batch(self, request):
        sent = []
        for entry in request["Entries"]:
            message = {"QueueUrl": request["QueueUrl"], **entry}
            sent.append({"Id": message.pop("Id"), **self.send_message(message)})
        return {"Successful": sent, "Failed": []}

    def get_parameters(self, request):
        self.parameters_read.append(request)
        known = {"/pipehook/config": CONFIG.replace("PORT", str(self.port)), "/pipehook/webhook-secret": SECRET}
        found = [
            {
                "Name": name,
                "Type": "SecureString",
                "Value": known[name],
                "Version": 1,
                "LastModifiedDate": 1772445600.25,
                "ARN": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}",
                "DataType": "text",
            }
            for name in request["Names"]
            if name in known
        ]
        return {"Parameters": found, "InvalidParameters": [name for name in request["Names"] if name not in known]}

    def start_pipeline_execution(self, request):
        self.started.append(request)
        token = request.get("clientRequestToken") or str(uuid.uuid4())
        return {"pipelineExecutionId": self.executions.setdefault(token, str(uuid.uuid4()))}

    def get_pipeline_execution(self, request):
        own = request["pipelineExecutionId"] in self.executions.values()
        execution = {
            "pipelineName": request["pipelineName"],
            "pipelineVersion": 1,
            "pipelineExecutionId": request["pipelineExecutionId"],
            "status": "InProgress",
            "artifactRevisions": [],
            "variables": [],
            "trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": f"arn:aws:iam::{ACCOUNT}:root"},
            "executionMode": "QUEUED",
            "executionType": "STANDARD",
        }
        if not own:
            # Somebody else's execution, whose source action has run: the commit is in its artifact.
            execution["artifactRevisions"] = [
                {"name": "SourceOutput", "revisionId": COMMIT, "revisionSummary": "Answer /health"}
            ]
        return {"pipelineExecution": execution}

    def get_pipeline(self, request):
        def action(name, category, owner, provider, configuration):
            kind = {"category": category, "owner": owner, "provider": provider, "version": "1"}
            return {"name": name, "actionTypeId": kind, "runOrder": 1, "configuration": configuration}

        connection = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0a1b2c3d-1111-2222-3333-0a1b2c3d4e5f"
        source = {"ConnectionArn": connection, "FullRepositoryId": REPOSITORY, "BranchName": "main"}
        deploy = {"ClusterName": "staging", "ServiceName": PIPELINE}
        return {
            "pipeline": {
                "name": request["name"],
                "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{PIPELINE}-pipeline",
                "stages": [
                    {
                        "name": "Source",
                        "actions": [action("Source", "Source", "AWS", "CodeStarSourceConnection", source)],
                    },
                    {
                        "name": "Build",
                        "actions": [action("Build", "Build", "AWS", "CodeBuild", {"ProjectName": PIPELINE})],
                    },
                    {"name": "Deploy", "actions": [action("Deploy", "Deploy", "AWS", "ECS", deploy)]},
                ],
                "version": 1,
                "executionMode": "QUEUED",
                "pipelineType": "V2",
            },
            "metadata": {
                "pipelineArn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{request['name']}",
                "created": 1772445600.25,
                "updated": 1772445600.25,
            },
        }

    def github(self, method, path, headers, body):
        kind = "application/json; charset=utf-8"
        if not headers.get("Authorization"):
            return self.refuse(f"{method} {path} without a token", 401, kind, {"message": "Requires authentication"})
        repository = re.escape(f"/repos/{REPOSITORY}")
        if method == "GET" and re.fullmatch(rf"{repository}/commits/[0-9a-f]{{40}}/statuses", path):
            return 200, kind, []
        post = re.fullmatch(rf"{repository}/statuses/([0-9a-f]{{40}})", path)
        if method == "POST" and post:
            sha, status = post[1], json.loads(body)
            self.statuses.append((sha, status))
            number = 30_000_000_000 + len(self.statuses)
            return 201, kind, created_status(sha, status, number)
        return self.refuse(f"{method} {path}", 404, kind, {"message": "Not Found", "status": "404"})


def created_status(sha, status, number):
    """What GitHub answers to a status that it has taken."""
    user = "https://api.github.com/users/octocat"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "url": f"https://api.github.com/repos/{REPOSITORY}/statuses/{sha}",
        "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
        "id": number,
        "node_id": f"SC_kwDOABPHjc8AAAAG{number:x}",
        "state": status["state"],
        "description": status.get("description"),
        "target_url": status.get("target_url"),
        "context": status.get("context", "default"),
        "created_at": now,
        "updated_at": now,
        "creator": {
            "login": "octocat",
            "id": 1,
            "node_id": "MDQ6VXNlcjE=",
            "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
            "gravatar_id": "",
            "url": user,
            "html_url": "https://github.com/octocat",
            "followers_url": f"{user}/followers",
            "following_url": f"{user}/following{{/other_user}}",
            "gists_url": f"{user}/gists{{/gist_id}}",
            "starred_url": f"{user}/starred{{/owner}}{{/repo}}",
            "subscriptions_url": f"{user}/subscriptions",
            "organizations_url": f"{user}/orgs",
            "repos_url": f"{user}/repos",
            "events_url": f"{user}/events{{/privacy}}",
            "received_events_url": f"{user}/received_events",
            "type": "User",
            "site_admin": False,
        },
    }


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


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
                "AWS_LAMBDA_FUNCTION_NAME": Path(bootstrap).name,
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
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{stub.port}",
        "PIPEHOOK_QUEUE_URL": f"http://127.0.0.1:{stub.port}/{ACCOUNT}/pipehook",
    }


def webhook_environment(stub):
    return {
        **aws_environment(stub),
        "PIPEHOOK_CONFIG": CONFIG.replace("PORT", str(stub.port)),
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
        "PIPEHOOK_CONFIG": CONFIG.replace("PORT", str(stub.port)),
        "PIPEHOOK_GITHUB_TOKEN": "ghs_ExampleExampleExampleExampleExample00",
    }


# ---- The cases.


def event(name):
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def batch(body):
    """A queue's event with one message, made after the sample."""
    one = copy.deepcopy(event("sqs-eventbridge"))
    record = one["Records"][0]
    record["messageId"] = str(uuid.uuid4())
    record["body"] = body
    record["md5OfBody"] = md5(body)
    now = int(time.time() * 1000)
    record["attributes"]["SentTimestamp"] = str(now - 40)
    record["attributes"]["ApproximateFirstReceiveTimestamp"] = str(now)
    return one


def names(value, wanted):
    """Whether a string in a JSON value is exactly the wanted one."""
    if isinstance(value, dict):
        return any(names(inner, wanted) for inner in value.values())
    if isinstance(value, list):
        return any(names(inner, wanted) for inner in value)
    return value == wanted


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 600 else f"{text[:600]}…"


def answered(answer, status):
    check(isinstance(answer, dict) and answer.get("statusCode") == status, f"not {status}: {short(answer)}")
    return answer.get("body") or ""


def accepted(answer):
    body = answered(answer, 202)
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    check(isinstance(said, dict), f"202 without a JSON object: {body[:300]!r}")
    return body


def push_is_queued(answer, stub):
    body = accepted(answer)
    check(PIPELINE in body, f"an answer that does not name the pipeline: {body[:300]!r}")
    check(len(stub.messages) == 1, f"{len(stub.messages)} messages: {short(stub.messages)}")
    text = stub.messages[0]["MessageBody"]
    try:
        message = json.loads(text)
    except ValueError:
        raise Failed(f"a message that is not JSON: {text[:300]!r}") from None
    check(names(message, PIPELINE), f"a message that does not name the pipeline: {text[:300]}")
    check(COMMIT in text, f"a message without the commit: {text[:300]}")
    return text


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


def all_done(answer):
    check(answer == {"batchItemFailures": []}, short(answer))


def wake_up_is_queued(stub):
    check(len(stub.messages) == 1, f"{len(stub.messages)} wake-ups: {short(stub.messages)}")
    delay = stub.messages[0].get("DelaySeconds")
    check(isinstance(delay, int) and 1 <= delay <= 900, f"a wake-up after {delay!r} s: {short(stub.messages)}")


def run_is_started(answer, stub):
    all_done(answer)
    check(len(stub.started) == 1, f"{len(stub.started)} starts: {short(stub.started)}")
    start = stub.started[0]
    check(start.get("name") == PIPELINE, f"a start of another pipeline: {short(start)}")
    revision = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": COMMIT}
    check(start.get("sourceRevisions") == [revision], f"a start that is not pinned to the commit: {short(start)}")
    token = start.get("clientRequestToken")
    check(re.fullmatch(r"[a-zA-Z0-9-]{1,128}", token or ""), f"the client request token {token!r}")
    pending = [
        status
        for sha, status in stub.statuses
        if sha == COMMIT and status.get("state") == "pending" and status.get("context") == f"codepipeline/{PIPELINE}"
    ]
    check(len(pending) == 1 and len(stub.statuses) == 1, f"the statuses {short(stub.statuses)}")
    check(len(pending[0].get("description") or "") <= 140, f"a description that is too long: {short(pending)}")
    wake_up_is_queued(stub)


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
