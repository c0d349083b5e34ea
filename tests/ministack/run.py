#!/usr/bin/env python3
"""Deploys template.yaml to an emulator of AWS (MiniStack) and has the deployed functions do their work.

    tests/ministack/run.py --webhook PATH --worker PATH --tool PATH

What is MiniStack's own: CloudFormation with the SAM transform, the functions (the release bootstraps, run as they are)
with the credentials of the template's roles, which it enforces at the queue, the Function URL, the queue with its event
source mapping and its dead-letter queue, Parameter Store, Secrets Manager.
CodePipeline, CodeBuild, ECS, what tells where a service answers, and GitHub are the stand-ins of `pipehook dev`. Between the
functions and these stands a front (below), which writes down what passes, so that what GitHub shows is known to be the
deployed worker's doing.

What differs from a deploy to AWS, each for a reason:

- CreatePipeline is false: MiniStack has no CodePipeline and no connections. With false, the template has no resource of
  these types.
- What WITHOUT lists is left out of the template.
- WorkerConcurrency is put in where the template refers to it: MiniStack hands it to the mapping as a text.
- The functions get two variables more, for the endpoints (ENDPOINTS).
- MiniStack's Parameter Store does not know /aws/reference/secretsmanager/NAME. The front answers for these, with what
  MiniStack's Secrets Manager has at that moment. It asks with an administrator's credentials, so that whether the roles
  may read is not shown here, but by tests/template/permissions.py.
- The configuration's api_url is put in with PutParameter, as an edit of the parameter: the template's own parameter takes
  https only, which no stand-in speaks.
- MiniStack's EventBridge takes no event of a source `aws.*`: an event is put on the queue as the rule would put it.
- The queue's visibility timeout is lowered before a message is sent that can't be read. It is tried five times, and with
  the template's 180 s that takes a quarter of an hour.

A rotated secret is waited for: the webhook keeps what it read for five minutes, and so this takes five minutes. Nothing is
asserted about how long anything took but that.

Needs ministack, aws-sam-translator and boto3. It prints one line a check and exits 1 if one failed.
"""

import argparse
import concurrent.futures
import hashlib
import hmac
import http.client
import io
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import uuid
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.exceptions
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
STACK = "pipehook"
REGION = "us-east-1"
REPOSITORY = "octo-org/node-server"
PIPELINE = "node-server"
CONTEXTS = {f"codepipeline/{PIPELINE}{part}" for part in ("", "/Source", "/Build", "/Staging")}
BUCKET = "deployment"
# What `pipehook dev` says that its GitHub takes.
TOKEN = "development-token"

# Resources that MiniStack refuses to make.
WITHOUT = {
    "NoWakeUpsAlarm": "its alarms know no metric math",
    "NeedsMendingAlarm": "its alarms know no metric queries",
}
# Services that the functions ask through the front.
FRONTED = ("CODEPIPELINE", "SSM", "CODEBUILD", "ECS", "EC2", "ELASTIC_LOAD_BALANCING_V2", "CLOUDWATCH_LOGS")
ENDPOINTS = tuple(f"AWS_ENDPOINT_URL_{service}" for service in FRONTED)
# What the stand-ins answer, by the beginning of its X-Amz-Target. Forms have none.
STOOD_IN = ("CodePipeline_", "CodeBuild_", "AmazonEC2ContainerService", "Logs_")
FORM = "application/x-www-form-urlencoded"
REFERENCE = "/aws/reference/secretsmanager/"

START_SECONDS = 30
STACK_SECONDS = 60
RUN_SECONDS = 240
DEAD_LETTER_SECONDS = 120
# What README.md promises, and a little for the way.
ROTATION_SECONDS = 5 * 60 + 30


class Failed(Exception):
    """A check that did not hold; its text is what was got."""


def check(holds, got):
    if not holds:
        raise Failed(got)


def until(seconds, what, ask, every=0.5):
    """Asks until the answer is something, and gives it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        check(time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


# ---- Programs.


class Program:
    """A program in a group of its own, with as little of this environment as it needs; its output is kept."""

    def __init__(self, command, home, **environment):
        self.log = tempfile.TemporaryFile()
        kept = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": home}
        self.process = subprocess.Popen(
            command,
            env=kept | environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            # What it starts goes when it goes.
            start_new_session=True,
        )

    def output(self):
        # Read where it is, not where it is written: the offset is shared with the program.
        return os.pread(self.log.fileno(), 16_000_000, 0).decode(errors="replace")

    def close(self):
        for end in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, end)
            except ProcessLookupError:
                return
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


# ---- The front: what the functions ask of Parameter Store, CodePipeline and GitHub passes here.


class Front:
    def __init__(self, standins, emulated):
        self.lock = threading.Lock()
        self.operations = set()  # of the AWS stand-ins, that the functions called
        self.posted = []  # (sha, context, state) of each status that GitHub took from them
        self.unknown = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target = self.headers.get("X-Amz-Target", "")
                if target == "AmazonSSM.GetParameters":
                    status, headers, data = front.parameters(emulated, json.loads(body))
                elif target.startswith(STOOD_IN) or self.path.startswith("/github/") or self.is_form():
                    status, headers, data = forward(standins, self.command, self.path, self.headers, body)
                    front.note(self.command, self.path, target, body, status)
                else:
                    front.unknown.append(f"{self.command} {self.path} {target}")
                    status, headers, data = 404, {}, b"{}"
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def is_form(self):
                return self.headers.get("Content-Type", "").startswith(FORM)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def note(self, method, path, target, body, status):
        post = re.fullmatch(r"/github/repos/[^/]+/[^/]+/statuses/([0-9a-f]{40})", path)
        with self.lock:
            if target:
                self.operations.add(target.split(".")[1])
            elif method == "POST" and post and status == 201:
                sent = json.loads(body)
                self.posted.append((post[1], sent["context"], sent["state"]))

    def parameters(self, emulated, request):
        """GetParameters as SSM answers it, references to secrets included."""
        kind = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
        found, missing = [], []
        plain = [name for name in request["Names"] if not name.startswith(REFERENCE)]
        if plain:
            answer = emulated("ssm").get_parameters(Names=plain, WithDecryption=True)
            missing += answer["InvalidParameters"]
            for parameter in answer["Parameters"]:
                found.append(parameter | {"LastModifiedDate": parameter["LastModifiedDate"].timestamp()})
        for name in request["Names"]:
            if name.startswith(REFERENCE):
                try:
                    secret = emulated("secretsmanager").get_secret_value(SecretId=name.removeprefix(REFERENCE))
                except botocore.exceptions.ClientError:
                    missing.append(name)
                    continue
                found.append({
                    "Name": name,
                    "Type": "SecureString",
                    "Value": secret["SecretString"],
                    "Version": 0,
                    "SourceResult": json.dumps({"ARN": secret["ARN"], "versionId": secret["VersionId"]}),
                    "LastModifiedDate": secret["CreatedDate"].timestamp(),
                    "ARN": secret["ARN"],
                    "DataType": "text",
                })  # fmt: skip
        return 200, kind, json.dumps({"Parameters": found, "InvalidParameters": missing}).encode()


def forward(address, method, path, headers, body):
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        kept = {name: value for name, value in headers.items() if name.lower() not in ("connection", "content-length")}
        connection.request(method, path, body, kept)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


# ---- The stack.


def template(front):
    """The template, with what docs and comments above name and nothing else changed."""
    body = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    for name in WITHOUT:
        del body["Resources"][name]
    # A parameter is a text to MiniStack even where its type is Number, and its mapping wants a number here.
    scaling = body["Resources"]["Worker"]["Properties"]["Events"]["Queue"]["Properties"]["ScalingConfig"]
    scaling["MaximumConcurrency"] = body["Parameters"]["WorkerConcurrency"]["Default"]
    for name, key in (("Webhook", "webhook.zip"), ("Worker", "worker.zip")):
        properties = body["Resources"][name]["Properties"]
        properties["CodeUri"] = {"Bucket": BUCKET, "Key": key}
        properties["Environment"]["Variables"] |= {variable: front for variable in ENDPOINTS}
    return body


def packed(bootstrap):
    """A function's zip as `sam build` makes it: the binary, executable, and called bootstrap."""
    file = io.BytesIO()
    member = zipfile.ZipInfo("bootstrap")
    member.create_system = 3
    member.external_attr = 0o100755 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, Path(bootstrap).read_bytes())
    return file.getvalue()


class Scene:
    """MiniStack with the stack on it, and the stand-ins."""

    def __init__(self, arguments, home):
        self.programs = []
        self.front = None
        self.home = home
        self.arguments = arguments
        self.is_over = threading.Event()
        # One delivery at a time: there is one instance of the webhook then, which keeps what it has read.
        self.delivering = threading.Lock()

    def start(self):
        routes = self.write("dev.toml", route("Source"))
        self.dev = self.run([self.arguments.tool, "dev", "--port", "0", "--speed", "10", "--config", routes], NO_COLOR="1")
        found = until(START_SECONDS, self.dev.output, lambda: re.search(r"AWS +http://(127\.0\.0\.1:\d+) ", self.dev.output()))
        self.standins = found[1]
        self.rest_the_own_functions()

        port = free_port()
        self.gateway = f"127.0.0.1:{port}"
        # Functions are told where MiniStack is by AWS_ENDPOINT_URL.
        self.ministack = self.run(
            [str(Path(sys.executable).parent / "ministack")],
            BIND_HOST="127.0.0.1",
            MINISTACK_HOST="127.0.0.1",
            GATEWAY_PORT=str(port),
            AWS_ENDPOINT_URL=f"http://{self.gateway}",
            # What a role does not allow, it refuses.
            AUTH="true",
        )
        until(START_SECONDS, self.ministack.output, lambda: listens(port))
        self.front = Front(self.standins, self.client)

    def run(self, command, **environment):
        program = Program(command, self.home, **environment)
        self.programs.append(program)
        return program

    def close(self):
        for program in reversed(self.programs):
            program.close()
        if self.front:
            self.front.close()

    def write(self, name, text):
        path = Path(self.home) / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def client(self, service, address=None):
        return boto3.session.Session().client(
            service,
            region_name=REGION,
            endpoint_url=f"http://{address or self.gateway}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(
                retries={"max_attempts": 3}, s3={"addressing_style": "path"}, ignore_configured_endpoint_urls=True
            ),
        )

    def rest_the_own_functions(self):
        """`pipehook dev` runs functions of its own, which its pipelines' events reach. They get a configuration without a
        route for the pipeline, and leave it alone."""
        other = route("Source").replace(PIPELINE, "not-deployed-here").replace("octo-org", "nobody")
        self.client("ssm", self.standins).put_parameter(Name="/pipehook/config", Value=other, Type="String", Overwrite=True)

    # -- What the checks use.

    def deploy(self):
        storage = self.client("s3")
        storage.create_bucket(Bucket=BUCKET)
        for key, path in (("webhook.zip", self.arguments.webhook), ("worker.zip", self.arguments.worker)):
            storage.put_object(Bucket=BUCKET, Key=key, Body=packed(path))
        storage.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template(self.front.url)).encode())
        processor = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
        parameters = {
            "CreatePipeline": "false",
            "Repository": REPOSITORY,
            "PipelineName": PIPELINE,
            "GitHubToken": TOKEN,
            "FunctionArchitecture": processor,
        }
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=STACK,
            TemplateURL=f"http://{self.gateway}/{BUCKET}/template.json",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )

        def ended():
            (stack,) = formation.describe_stacks(StackName=STACK)["Stacks"]
            return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

        stack = until(STACK_SECONDS, "the stack is not there", ended)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            events = formation.describe_stack_events(StackName=STACK)["StackEvents"]
            raise Failed([(one["LogicalResourceId"], one.get("ResourceStatusReason")) for one in events if "FAILED" in one["ResourceStatus"]])
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.resources = formation.describe_stack_resources(StackName=STACK)["StackResources"]

    def secret(self):
        return self.client("secretsmanager").get_secret_value(SecretId=f"{STACK}-webhook")["SecretString"]

    def deliver(self, event, payload, secret):
        """Sends a delivery to the Function URL as GitHub does."""
        signature = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
        headers = {
            "Host": urlsplit(self.outputs["WebhookUrl"]).netloc,
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        with self.delivering:
            status, _, body = forward(self.gateway, "POST", "/", headers, payload)
        return status, body.decode(errors="replace")

    def statuses(self, sha):
        """What GitHub shows on a commit: the newest status of each context."""
        status, _, body = forward(
            self.standins,
            "GET",
            f"/github/repos/{REPOSITORY}/commits/{sha}/status",
            {"Authorization": f"Bearer {TOKEN}", "User-Agent": "tests"},
            b"",
        )
        check(status == 200, (status, body))
        return {one["context"]: one["state"] for one in json.loads(body)["statuses"]}

    def count(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def route(source_action):
    return f"""\
[[route]]
repository = "{REPOSITORY}"
branches = ["main"]
pipeline = "{PIPELINE}"
source_action = "{source_action}"
"""


# ---- The checks, in order: each needs what came before it.


def comes_up(scene):
    """the template comes up, with the functions' zips and the SAM transform"""
    scene.deploy()
    kinds = {one["ResourceType"] for one in scene.resources}
    wanted = {
        "AWS::Lambda::Function", "AWS::Lambda::Url", "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping",
        "AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Events::Rule", "AWS::SSM::Parameter",
        "AWS::SecretsManager::Secret", "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm",
    }  # fmt: skip
    check(kinds == wanted, kinds ^ wanted)
    # Taken now, for it is rotated beside the other checks. It stays good all the while.
    scene.known = scene.secret()
    # MiniStack's generated secrets have punctuation, whatever the template says (ExcludePunctuation).
    check(len(scene.known) == 40, "the generated secret is not as long as it should be")
    return f"{len(scene.resources)} resources"


def is_configured(scene):
    """the first configuration is the route that was asked for; it is edited in place to name the stand-in"""
    name = scene.outputs["ConfigurationParameter"]
    store = scene.client("ssm")
    first = store.get_parameter(Name=name)["Parameter"]["Value"]
    check(tomllib.loads(first)["route"] == tomllib.loads(route("Source"))["route"], first)
    edited = re.sub(r'api_url = ".*"', f'api_url = "{scene.front.url}/github"', first)
    store.put_parameter(Name=name, Value=edited, Type="String", Overwrite=True)


def refuses_a_forgery(scene):
    """a delivery with another signature is answered with 401, and nothing comes onto the queue"""
    status, body = scene.deliver("push", push(), "another secret")
    check(status == 401, (status, body))
    check(scene.count(scene.outputs["Queue"]) == 0, "a message")


def reports_a_push(scene):
    """a signed push to the Function URL is answered with 202; queue, worker: GitHub shows the run until it is final"""
    payload = push()
    sha = json.loads(payload)["after"]
    status, body = scene.deliver("push", payload, scene.known)
    check(status == 202, (status, body))

    def final():
        shown = scene.statuses(sha)
        return shown if set(shown) == CONTEXTS and "pending" not in shown.values() else None

    shown = until(RUN_SECONDS, lambda: (scene.statuses(sha), scene.front.posted), final)
    check(set(shown.values()) == {"success"}, shown)
    posted = [(context, state) for commit, context, state in scene.front.posted if commit == sha]
    check(len(posted) == len(scene.front.posted), scene.front.posted)
    check({state for context, state in posted if context == f"codepipeline/{PIPELINE}"} == {"pending", "success"}, posted)
    for operation in ("StartPipelineExecution", "BatchGetBuilds", "DescribeServices"):
        check(operation in scene.front.operations, scene.front.operations)
    until(RUN_SECONDS, "wake-ups go on after the end", lambda: scene.count(scene.outputs["Queue"]) == 0)
    check(scene.count(scene.outputs["DeadLetters"]) == 0, "a dead letter")
    return f"{len(posted)} statuses, {len(scene.front.operations)} operations of AWS"


def starts_once(scene):
    """the same push again is answered with 202 and starts nothing"""
    before = len(executions(scene))
    check(before == 1, before)
    status, body = scene.deliver("push", push(), scene.known)
    check(status == 202, (status, body))
    until(RUN_SECONDS, "messages are left", lambda: scene.count(scene.outputs["Queue"]) == 0)
    check(len(executions(scene)) == before, executions(scene))


def takes_an_event(scene):
    """an event of CodePipeline on the queue makes the worker look, which changes nothing on a run that is over"""
    posted = list(scene.front.posted)
    (execution,) = executions(scene)
    event = json.loads((ROOT / "events/codepipeline-pipeline-succeeded.json").read_text(encoding="utf-8"))
    event["detail"] |= {"pipeline": PIPELINE, "execution-id": execution}
    scene.client("sqs").send_message(QueueUrl=scene.outputs["Queue"], MessageBody=json.dumps(event))
    until(RUN_SECONDS, "the event is left", lambda: scene.count(scene.outputs["Queue"]) == 0)
    check(scene.front.posted == posted, scene.front.posted[len(posted) :])
    check(scene.count(scene.outputs["DeadLetters"]) == 0, "a dead letter")


def puts_aside_what_it_cannot_read(scene):
    """a message that can't be read is tried five times and lies in the dead-letter queue, and others are worked off"""
    queue = scene.client("sqs")
    there = scene.outputs["Queue"]
    attributes = queue.get_queue_attributes(QueueUrl=there, AttributeNames=["VisibilityTimeout", "RedrivePolicy"])["Attributes"]
    check(attributes["VisibilityTimeout"] == "180", attributes)
    check(int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"]) == 5, attributes)
    queue.set_queue_attributes(QueueUrl=there, Attributes={"VisibilityTimeout": "2"})
    unreadable = "This is no message of pipehook's."
    queue.send_message(QueueUrl=there, MessageBody=unreadable)

    def dead():
        answer = queue.receive_message(QueueUrl=scene.outputs["DeadLetters"], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return answer.get("Messages")

    letters = until(DEAD_LETTER_SECONDS, "no dead letter", dead)
    check([letter["Body"] for letter in letters] == [unreadable], letters)
    check(scene.count(there) == 0, "it is still on the queue")
    queue.set_queue_attributes(QueueUrl=there, Attributes={"VisibilityTimeout": "180"})


def rotates(scene):
    """a rotated webhook secret is in force within five minutes, without a deploy"""
    old = scene.known
    new = hashlib.sha256(old.encode()).hexdigest()[:40]
    began = time.monotonic()
    # As README.md has it: both, one a line. The old one goes on being good.
    scene.client("secretsmanager").put_secret_value(SecretId=f"{STACK}-webhook", SecretString=f"{new}\n{old}")
    ping = (ROOT / "events/ping.json").read_bytes()
    refused = 0
    while True:
        status, body = scene.deliver("ping", ping, new)
        if status == 202:
            break
        check(status == 401, (status, body))
        refused += 1
        check(time.monotonic() - began < ROTATION_SECONDS, f"refused {refused} times in {ROTATION_SECONDS} s")
        check(not scene.is_over.wait(5), "interrupted")
    took = time.monotonic() - began
    status, body = scene.deliver("ping", ping, old)
    check(status == 202, ("the old one", status, body))
    # Otherwise it was a new instance, and says nothing about the one that had read the old one.
    check(refused, "it was taken at once")
    return f"refused {refused} times by the instance that had read the old one, taken after {took:.0f} s"


def goes_away(scene):
    """the stack can be deleted"""
    formation = scene.client("cloudformation")
    formation.delete_stack(StackName=STACK)

    def gone():
        try:
            (stack,) = formation.describe_stacks(StackName=STACK)["Stacks"]
        except botocore.exceptions.ClientError:
            return True
        check(stack["StackStatus"] != "DELETE_FAILED", stack)
        return stack["StackStatus"] == "DELETE_COMPLETE"

    until(STACK_SECONDS, "the stack is still there", gone)


def push():
    return (ROOT / "events/push-main.json").read_bytes()


def executions(scene):
    answer = scene.client("codepipeline", scene.standins).list_pipeline_executions(pipelineName=PIPELINE)
    return [one["pipelineExecutionId"] for one in answer["pipelineExecutionSummaries"]]


def attempt(case, scene):
    """Whether it holds."""
    try:
        said = case(scene)
    except (Failed, OSError, http.client.HTTPException, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        print(f"FAILED  {case.__doc__}: {error!r}", flush=True)
        return False
    print(f"ok  {case.__doc__}{f' ({said})' if said else ''}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, what in (("webhook", "bootstrap of the webhook"), ("worker", "bootstrap of the worker"), ("tool", "pipehook itself")):
        parser.add_argument(f"--{name}", required=True, type=os.path.abspath, help=what)
    arguments = parser.parse_args()
    # What was started is ended however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="pipehook-ministack-") as home:
        scene = Scene(arguments, home)
        try:
            scene.start()
            held = run(scene)
            held.append(attempt(knows_all_that_is_asked, scene))
        finally:
            scene.close()
        if not all(held):
            print(f"---- MiniStack\n{scene.ministack.output()[-8000:]}\n---- pipehook dev\n{scene.dev.output()[-2000:]}")
    print(f"{sum(held)} of {len(held)} checks hold on MiniStack")
    return 0 if all(held) else 1


def knows_all_that_is_asked(scene):
    """the functions asked for nothing that is not there"""
    check(not scene.front.unknown, scene.front.unknown)


def run(scene):
    held = []
    for case in (comes_up, is_configured, refuses_a_forgery):
        held.append(attempt(case, scene))
        if not held[-1]:
            return held
    # The webhook has read its secret; while it keeps it, the rest is looked at.
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        rotation = beside.submit(attempt, rotates, scene)
        try:
            for case in (reports_a_push, starts_once, takes_an_event, puts_aside_what_it_cannot_read):
                held.append(attempt(case, scene))
                if not held[-1]:
                    break
            held.append(rotation.result())
        finally:
            scene.is_over.set()
    held.append(attempt(goes_away, scene))
    return held


if __name__ == "__main__":
    sys.exit(main())
