"""As little of AWS and GitHub as the shipped functions ask for, and what is asked of the functions in return.

For the checks that run the bootstraps themselves: tests/emulator/run.py and tests/sam_local/run.py.
"""

import copy
import hashlib
import json
import re
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

CONFIG = f"""\
[github]
api_url = "URL/github"

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
    """An HTTP server that answers as SQS, SSM, CodePipeline and GitHub. It listens at `address`; functions know it by `name`."""

    def __init__(self, address="127.0.0.1", name="127.0.0.1"):
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

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{name}:{self.server.server_address[1]}"
        self.config = CONFIG.replace("URL", self.url)
        self.queue_url = f"{self.url}/{ACCOUNT}/pipehook"
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
        known = {"/pipehook/config": self.config, "/pipehook/webhook-secret": SECRET}
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


# ---- What the functions are given, and what has to come of it.


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
