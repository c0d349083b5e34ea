#!/usr/bin/env python3
"""Holds what the functions were seen to call against the roles that the template gives them.

Usage: permissions.py JOURNAL...    (exit code 0: all holds; 1: what does not, one a line)

The journals are what the stand-ins were asked in all scenarios of the tests, with who asked: the functions sign with
access keys of their own. From each call come the action and the resource that IAM would be asked about. Then:

1. Each call is allowed by the role of the function that made it.
2. Each action that a role grants on a resource is one that the function was seen to need there, or stands in UNSEEN with
   its reason; and each line of UNSEEN is needed.
3. No action is granted by a wildcard, and no resource but where WIDE has the reason: what a wildcard lets through beyond
   what was seen would go unnoticed.
4. What a function is told to read (its variables *_PARAMETER), its role lets it read.
5. What must never be allowed is not (NEVER), which shows, too, that the evaluation can say no.

The scenarios run in a stack called `pipehook` whose queue is called `pipehook`. Policies are evaluated as IAM does:
actions without regard to case, resources with it, `*` and `?` in both. The functions' roles know neither conditions nor
denials; one that did is refused here rather than misread.
"""

import functools
import json
import re
import sys
from collections import Counter
from pathlib import Path

from check import Stack, as_list

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "pipehook",
}
HERE = f"{PSEUDO['AWS::Region']}:{PSEUDO['AWS::AccountId']}"
ROLES = {"webhook": "Webhook", "worker": "Worker"}
REFERENCE = "/aws/reference/secretsmanager/"
# Secrets Manager ends each secret's ARN in six characters of its own.
SUFFIX = "-AbCdEf"

# Operations that IAM knows under another one's name.
ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage"}

# What is granted and no scenario shows: who needs it.
LAMBDA_LOGS = "Lambda writes the function's log with the function's role"
POLLER = "Lambda's poller empties the queue with the function's role"
TRACES = "Lambda sends its traces with the function's role, where Tracing is on"
UNSEEN = {
    ("webhook", "logs:CreateLogStream"): LAMBDA_LOGS,
    ("webhook", "logs:PutLogEvents"): LAMBDA_LOGS,
    ("worker", "logs:CreateLogStream"): LAMBDA_LOGS,
    ("worker", "logs:PutLogEvents"): LAMBDA_LOGS,
    ("worker", "sqs:ReceiveMessage"): POLLER,
    ("worker", "sqs:DeleteMessage"): POLLER,
    ("worker", "sqs:GetQueueAttributes"): POLLER,
    ("webhook", "xray:PutTraceSegments"): TRACES,
    ("webhook", "xray:PutTelemetryRecords"): TRACES,
    ("worker", "xray:PutTraceSegments"): TRACES,
    ("worker", "xray:PutTelemetryRecords"): TRACES,
}

# Resources with a wildcard, and why they are no narrower.
WIDE = {
    ("codepipeline:*", f"arn:aws:codepipeline:{HERE}:*"): "PipelineNamePattern, which narrows it",
    ("logs:*", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/pipehook-webhook:*"): "the streams of one log group",
    ("logs:*", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/pipehook-worker:*"): "the streams of one log group",
    ("xray:*", "*"): "X-Ray has no resources",
}

QUEUE = f"arn:aws:sqs:{HERE}:pipehook"
PIPELINE = f"arn:aws:codepipeline:{HERE}:node-server"


def secret(name):
    return f"arn:aws:secretsmanager:{HERE}:secret:{name}{SUFFIX}"


def parameter(name):
    return f"arn:aws:ssm:{HERE}:parameter{name if name.startswith('/') else f'/{name}'}"


NEVER = [
    ("webhook", "codepipeline:StartPipelineExecution", PIPELINE),
    ("webhook", "codepipeline:GetPipelineState", PIPELINE),
    ("webhook", "secretsmanager:GetSecretValue", secret("pipehook-github-token")),
    ("webhook", "ssm:GetParameters", parameter(f"{REFERENCE}pipehook-github-token")),
    ("webhook", "sqs:ReceiveMessage", QUEUE),
    ("webhook", "sqs:SendMessage", f"{QUEUE}-of-somebody-else"),
    ("webhook", "ssm:PutParameter", parameter("/pipehook/config")),
    ("worker", "secretsmanager:GetSecretValue", secret("pipehook-webhook")),
    ("worker", "ssm:GetParameters", parameter(f"{REFERENCE}pipehook-webhook")),
    ("worker", "ssm:GetParameters", parameter("/pipehook/config/other")),
    ("worker", "ssm:PutParameter", parameter("/pipehook/config")),
    ("worker", "codepipeline:UpdatePipeline", PIPELINE),
    ("worker", "codepipeline:PutApprovalResult", PIPELINE),
    ("worker", "codepipeline:StartPipelineExecution", f"arn:aws:codepipeline:{HERE.replace('us-east-1', 'eu-west-1')}:node-server"),
    ("worker", "sqs:PurgeQueue", QUEUE),
    ("worker", "iam:PassRole", f"arn:aws:iam::{PSEUDO['AWS::AccountId']}:role/any"),
]


# ---- What was called.


def calls(journal):
    """(caller, action, resource) of each call of a journal to AWS."""
    for number, line in enumerate(Path(journal).read_text(encoding="utf-8").splitlines(), 1):
        call = json.loads(line)
        if call["service"] == "github":
            continue
        if call.get("caller") not in ROLES:
            raise ValueError(f"{journal}:{number}: {call['service']} was asked by {call.get('caller')!r}, who is no function")
        for action, resource in needs(call["service"], call["operation"], call["request"]):
            yield call["caller"], action, resource


def needs(service, operation, request):
    """What IAM is asked about for one call (Service Authorization Reference: SSM, SQS, CodePipeline)."""
    action = f"{service}:{operation}"
    action = ACTIONS.get(action, action)
    match service:
        case "ssm":
            for name in request["Names"]:
                yield action, parameter(name)
                if name.startswith(REFERENCE):
                    # SSM asks Secrets Manager with the caller's own permissions.
                    yield "secretsmanager:GetSecretValue", secret(name.removeprefix(REFERENCE))
        case "sqs":
            yield action, f"arn:aws:sqs:{HERE}:{request['QueueUrl'].rsplit('/', 1)[1]}"
        case "codepipeline":
            name = request.get("pipelineName") or request["name"]
            yield action, f"arn:aws:codepipeline:{HERE}:{name}"
        case _:
            raise ValueError(f"{action}: which resource is this about?")


# ---- What is allowed.


def text(stack, node):
    """A node of a policy or a variable, with what only a stack knows filled in."""
    match node:
        case str():
            return node
        case {"Fn::Sub": str(template)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda name: text(stack, {"Ref": name[1]}), template)
        case {"Ref": name} if name in PSEUDO:
            return PSEUDO[name]
        case {"Ref": name}:
            resource = stack.resources[name]
            if resource["Type"] == "AWS::SecretsManager::Secret":
                return secret(text(stack, resource["Properties"]["Name"]))
            if resource["Type"] == "AWS::SSM::Parameter":
                return text(stack, resource["Properties"]["Name"])
        case {"Fn::GetAtt": [name, "Arn"]}:
            resource = stack.resources[name]
            if name == "Queue":
                return QUEUE
            if resource["Type"] == "AWS::Logs::LogGroup":
                return f"arn:aws:logs:{HERE}:log-group:{text(stack, resource['Properties']['LogGroupName'])}:*"
    raise ValueError(f"what is {json.dumps(node)} in a stack?")


def grants(stack, function):
    """(action, resource) patterns of a function's role."""
    role = stack.properties(ROLES[function])["Role"]["Fn::GetAtt"][0]
    assert "ManagedPolicyArns" not in stack.properties(role), f"{role} has policies from elsewhere"
    for statement in stack.statements(role):
        extra = set(statement) - {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow" and not extra, f"{role}: {statement} is not understood here"
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield action, text(stack, resource)


@functools.cache
def pattern(glob, flags=0):
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in glob), flags | re.DOTALL)


def covers(grant, action, resource):
    return bool(pattern(grant[0], re.IGNORECASE).fullmatch(action) and pattern(grant[1]).fullmatch(resource))


def is_wild(glob):
    return "*" in glob or "?" in glob


# ---- Comparing.


def compare(seen):
    stacks = {
        "as it is deployed by default": Stack(),
        "without a pipeline of its own": Stack(CreatePipeline="false"),
        "with tracing": Stack(Tracing="true"),
    }
    unseen = set()
    for which, stack in stacks.items():
        for function in ROLES:
            granted = list(grants(stack, function))
            own = [(action, resource) for caller, action, resource in seen if caller == function]
            for action, resource in own:
                if not any(covers(grant, action, resource) for grant in granted):
                    yield f"{which}: {function} calls {action} on {resource}, which its role does not allow"
            for grant in granted:
                wide = any(grant[1] == resource and covers((action, "*"), *grant) for action, resource in WIDE)
                if is_wild(grant[0]) or is_wild(grant[1]) and not wide:
                    yield f"{which}: {function} may {grant[0]} on {grant[1]}, which lets through what nobody sees"
                if any(covers(grant, *call) for call in own):
                    continue
                reasons = {(function, grant[0]), (function, *grant)} & set(UNSEEN)
                unseen |= reasons
                if not reasons:
                    yield f"{which}: {function} may {grant[0]} on {grant[1]}, which no scenario needs"
            for variable, value in stack.properties(ROLES[function])["Environment"]["Variables"].items():
                if variable.endswith("_PARAMETER"):
                    for action, resource in needs("ssm", "GetParameters", {"Names": [text(stack, value)]}):
                        if not any(covers(grant, action, resource) for grant in granted):
                            yield f"{which}: {function} is told to read {variable}, but not allowed {action} on {resource}"
            for caller, action, resource in NEVER:
                if caller == function and any(covers(grant, action, resource) for grant in granted):
                    yield f"{which}: {function} may {action} on {resource}, which it never must"
    for line in sorted(set(UNSEEN) - unseen):
        yield f"UNSEEN has {line}, which is not granted or is seen"

    team = list(grants(Stack(PipelineNamePattern="team-*"), "worker"))
    for name, allowed in (("team-api", True), ("node-server", False)):
        for action in {action for caller, action, _ in seen if action.startswith("codepipeline:")}:
            if any(covers(grant, action, f"arn:aws:codepipeline:{HERE}:{name}") for grant in team) != allowed:
                yield f"PipelineNamePattern team-* and {action} on {name}: {'not ' if allowed else ''}allowed"


def main():
    journals = sys.argv[1:]
    if not journals:
        print(__doc__)
        return 1
    counted = Counter(call for journal in journals for call in calls(journal))
    for function in ROLES:
        actions = Counter()
        resources = {}
        for (caller, action, resource), count in counted.items():
            if caller == function:
                actions[action] += count
                resources.setdefault(action, set()).add(resource)
        print(f"{function} was seen to call")
        for action in sorted(actions):
            print(f"    {action} on {', '.join(sorted(resources[action]))} ({actions[action]})")
    wrong = sorted(compare(set(counted)))
    if not counted:
        wrong.append("the journals hold no call")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{counted.total()} needs of permissions in {len(journals)} journals, {len(UNSEEN)} grants by reason, {len(wrong)} mismatches")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
