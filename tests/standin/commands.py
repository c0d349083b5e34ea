"""What drive.py asks with the AWS CLI: some of what calls.py asks with boto3, as people type it."""

import concurrent.futures
import json
import subprocess
import sys
from pathlib import Path

from calls import GOOD, RUN_SECONDS
from scene import check

# A few at a time: nearly all of the time goes into Python's start.
AT_A_TIME = 3
ALL = []


def case(function):
    ALL.append(function)
    return function


def run(account, *words):
    """What a command writes, once it is done well or not."""
    variables = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(account.home),
        "AWS_ACCESS_KEY_ID": "driver",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "AWS_DEFAULT_REGION": account.place["region"],
        "AWS_PAGER": "",
    }
    aws = str(Path(sys.executable).parent / "aws")
    # Its first version passes over AWS_ENDPOINT_URL where the service is SQS.
    command = [aws, "--endpoint-url", account.place["aws"], *words]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=RUN_SECONDS)


def aws(account, *words):
    """The answer of a command that has to go well: its JSON, or its text where it asks for that; None for nothing."""
    done = run(account, *words)
    check(done.returncode == 0 and not done.stderr, f"aws {' '.join(words)}: {done.returncode}: {done.stderr}")
    return done.stdout.strip() if "text" in words else json.loads(done.stdout or "null")


def fails(account, code, operation, *words):
    """That a command fails as the CLI shows an error of the service."""
    done = run(account, *words)
    told = f"An error occurred ({code}) when calling the {operation} operation"
    check(done.returncode != 0 and told in done.stderr, f"aws {' '.join(words)}: {done.returncode}: {done.stderr}")


def together(*asked):
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        return [one.result() for one in [pool.submit(call, *arguments) for call, *arguments in asked]]


@case
def a_pipeline_from_a_shell(plain, full):
    """aws codepipeline starts, lists by page, and reads; its moments are as on the wire"""
    override = f"actionName=Source,revisionType=COMMIT_ID,revisionValue={GOOD}"
    words = ["codepipeline", "start-pipeline-execution", "--name", "web", "--source-revisions", override]
    identity = aws(plain, *words, "--query", "pipelineExecutionId", "--output", "text")
    listing = ["codepipeline", "list-pipeline-executions", "--pipeline-name", "web", "--max-items", "2", "--page-size", "1"]
    asked = ["--pipeline-name", "web", "--pipeline-execution-id", identity]
    listed, found, state, _ = together(
        (aws, plain, *listing),
        (aws, plain, "codepipeline", "get-pipeline-execution", *asked),
        (aws, plain, "codepipeline", "get-pipeline-state", "--name", "web", "--query", "stageStates[].stageName"),
        (fails, plain, "PipelineNotFoundException", "GetPipeline", "codepipeline", "get-pipeline", "--name", "nope"),
    )
    summaries = listed["pipelineExecutionSummaries"]
    check(len(summaries) == 2 and summaries[0]["pipelineExecutionId"] == identity and listed["NextToken"], listed)
    check(type(summaries[0]["startTime"]) in (int, float), summaries[0])
    check(found["pipelineExecution"]["pipelineExecutionId"] == identity, found)
    check(state == ["Source", "Build", "Staging"], state)
    rest = aws(plain, *listing, "--starting-token", listed["NextToken"])["pipelineExecutionSummaries"]
    check(not {one["pipelineExecutionId"] for one in rest} & {one["pipelineExecutionId"] for one in summaries}, rest)


@case
def what_is_behind_it_from_a_shell(plain, full):
    """aws codebuild, logs, ecs, ec2 and elbv2 describe what is behind a pipeline, and wait for it"""
    actions = ["codepipeline", "list-action-executions", "--pipeline-name", "api", "--output", "text", "--query"]
    chosen = "actionExecutionDetails[?actionName=='Build']|[-1].output.executionResult.externalExecutionId"
    identity = aws(plain, *actions, chosen)
    cluster = ["--cluster", "staging"]
    build, service, _, addresses, balancers, *_ = together(
        (aws, plain, "codebuild", "batch-get-builds", "--ids", identity, "--query", "builds[0]"),
        (aws, plain, "ecs", "describe-services", *cluster, "--services", "api", "--query", "services[0]"),
        (aws, plain, "ecs", "wait", "services-stable", *cluster, "--services", "api"),
        (aws, plain, "ec2", "describe-network-interfaces", "--query", "NetworkInterfaces[].Association.PublicIp"),
        (aws, full, "elbv2", "describe-load-balancers", "--query", "LoadBalancers[].DNSName"),
        (aws, full, "elbv2", "wait", "load-balancer-available", "--names", "api", "web"),
        (fails, plain, "ClusterNotFoundException", "ListTasks", "ecs", "list-tasks", "--cluster", "nope"),
        (fails, full, "LoadBalancerNotFound", "DescribeLoadBalancers", "elbv2", "describe-load-balancers", "--names", "nope"),
    )
    check(build["buildStatus"] == "SUCCEEDED" and build["phases"][-1]["phaseType"] == "COMPLETED", build)
    check(service["serviceName"] == "api" and service["deployments"][0]["rolloutState"] == "COMPLETED", service)
    check(len(addresses) >= 6 and len(balancers) == 4, (addresses, balancers))
    place = ["--log-group-name", build["logs"]["groupName"], "--log-stream-name", build["logs"]["streamName"]]
    log = aws(plain, "logs", "get-log-events", *place, "--limit", "1", "--query", "events[].message")
    check(len(log) == 1, log)


@case
def a_queue_from_a_shell(plain, full):
    """aws sqs sends to a queue, reads it and counts it; a batch of eleven is refused"""
    # The clock is fast here, so that the usual timeout is over at once.
    create = ["sqs", "create-queue", "--queue-name", "shell", "--attributes", "VisibilityTimeout=43200"]
    url = aws(plain, *create, "--query", "QueueUrl", "--output", "text")
    place = ["--queue-url", url]
    eleven = json.dumps([{"Id": str(at), "MessageBody": "x"} for at in range(11)])
    batch = ["sqs", "send-message-batch", *place, "--entries", eleven]
    refusal = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    attributes = '{"Kind": {"DataType": "String", "StringValue": "push"}}'
    sent, _, _ = together(
        (aws, plain, "sqs", "send-message", *place, "--message-body", "hello", "--message-attributes", attributes),
        (fails, plain, refusal, "SendMessageBatch", *batch),
        (fails, plain, "AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl", "sqs", "get-queue-url", "--queue-name", "nope"),
    )
    (got,) = aws(plain, "sqs", "receive-message", *place, "--message-attribute-names", "All")["Messages"]
    check(got["MessageId"] == sent["MessageId"] and got["MessageAttributes"]["Kind"]["StringValue"] == "push", got)
    asked = ["sqs", "get-queue-attributes", *place, "--attribute-names", "ApproximateNumberOfMessagesNotVisible"]
    counted = aws(plain, *asked)["Attributes"]
    check(counted == {"ApproximateNumberOfMessagesNotVisible": "1"}, counted)
    check(aws(plain, "sqs", "delete-message", *place, "--receipt-handle", got["ReceiptHandle"]) is None, "an answer")


@case
def parameters_from_a_shell(plain, full):
    """aws ssm puts a parameter, reads several, and says which are none"""
    name = "/shell/secret"
    put = aws(plain, "ssm", "put-parameter", "--name", name, "--value", "s3cret", "--type", "SecureString")
    check(put["Version"] == 1, put)
    names = [name, "/nope", "/aws/reference/secretsmanager/pipehook-webhook"]
    found, _ = together(
        (aws, plain, "ssm", "get-parameters", "--names", *names, "--with-decryption"),
        (fails, plain, "ParameterNotFound", "GetParameter", "ssm", "get-parameter", "--name", "/nope"),
    )
    check(found["InvalidParameters"] == ["/nope"], found)
    check({one["Value"] for one in found["Parameters"]} == {"s3cret", plain.place["webhook_secret"]}, found)
