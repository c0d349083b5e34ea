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
6. Each parameter that narrows the worker by a name (NARROWED) narrows it to that name, in all that the name stands in.

The scenarios run in a stack called `pipehook` whose queue is called `pipehook`. Policies are evaluated as IAM does:
actions without regard to case, resources with it, `*` and `?` in both, conditions on what IAM knows of a call. The
functions' roles know few operators (OPERATORS) and no denials; one that did is refused here rather than misread.
"""

import functools
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from check import Stack, as_list

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "pipehook",
}
HERE = f"{PSEUDO['AWS::Region']}:{PSEUDO['AWS::AccountId']}"
ROLES = {"webhook": "Webhook", "worker": "Worker"}
# Who runs the tool in the stories, with credentials of their own.
PERSON = "person"
REFERENCE = "/aws/reference/secretsmanager/"
# Secrets Manager ends each secret's ARN in six characters of its own.
SUFFIX = "-AbCdEf"

# Operations that IAM knows under another one's name, and services that journals know under another one.
ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage"}
SERVICES = {"elbv2": "elasticloadbalancing"}

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
NO_RESOURCE = "the service has no resources for it; it is kept to the region"
OF_CLUSTERS = "ClusterNamePattern, and what is in the clusters"
WIDE = {
    ("codepipeline:*", f"arn:aws:codepipeline:{HERE}:*"): "PipelineNamePattern, which narrows it",
    ("codepipeline:*", f"arn:aws:codepipeline:{HERE}:*/*"): "PipelineNamePattern, and what is in the pipelines",
    ("codebuild:*", f"arn:aws:codebuild:{HERE}:project/*"): "ProjectNamePattern, which narrows it",
    ("logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/aws/codebuild/*:log-stream:*"): "ProjectNamePattern, too",
    ("ecs:*", f"arn:aws:ecs:{HERE}:service/*/*"): OF_CLUSTERS,
    ("ecs:*", f"arn:aws:ecs:{HERE}:service-deployment/*/*"): OF_CLUSTERS,
    ("ecs:*", f"arn:aws:ecs:{HERE}:service-revision/*/*"): OF_CLUSTERS,
    ("ecs:*", f"arn:aws:ecs:{HERE}:task/*/*"): OF_CLUSTERS,
    ("ecs:ListTasks", "*"): "a list by service is of no resource; ClusterNamePattern is a condition",
    ("ecs:DescribeTaskDefinition", "*"): NO_RESOURCE,
    ("ec2:DescribeNetworkInterfaces", "*"): NO_RESOURCE,
    ("elasticloadbalancing:*", "*"): NO_RESOURCE,
    ("logs:*", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/pipehook-webhook:*"): "the streams of one log group",
    ("logs:*", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/pipehook-worker:*"): "the streams of one log group",
    ("xray:*", "*"): "X-Ray has no resources",
}

# What a parameter narrows: the name of a pipeline, project or cluster, after what stands before it.
NARROWED = {
    "PipelineNamePattern": rf"(arn:aws:codepipeline:{HERE}:)[^/]+",
    "ProjectNamePattern": rf"(arn:aws:codebuild:{HERE}:project/|arn:aws:logs:{HERE}:log-group:/aws/codebuild/)[^:]+",
    "ClusterNamePattern": rf"(arn:aws:ecs:{HERE}:[a-z-]+/)[^/]+",
}
# (its value, a name, whether that is among what it names)
NARROWINGS = [("team-*", "team-api", True), ("team-*", "node-server", False), ("team", "team", True), ("team", "team-api", False)]

QUEUE = f"arn:aws:sqs:{HERE}:pipehook"
PIPELINE = f"arn:aws:codepipeline:{HERE}:node-server"
SERVICE = f"arn:aws:ecs:{HERE}:service/staging/node-server"
ELSEWHERE = HERE.replace("us-east-1", "eu-west-1")


def secret(name):
    return f"arn:aws:secretsmanager:{HERE}:secret:{name}{SUFFIX}"


def parameter(name):
    return f"arn:aws:ssm:{HERE}:parameter{name if name.startswith('/') else f'/{name}'}"


NEVER = [
    ("webhook", "codepipeline:StartPipelineExecution", PIPELINE),
    ("webhook", "codepipeline:GetPipelineState", PIPELINE),
    ("webhook", "codepipeline:PutApprovalResult", f"{PIPELINE}/Staging/Approval"),
    ("webhook", "ecs:DescribeServices", SERVICE),
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
    ("worker", "codepipeline:DeletePipeline", PIPELINE),
    ("worker", "codepipeline:StartPipelineExecution", f"arn:aws:codepipeline:{ELSEWHERE}:node-server"),
    ("worker", "codepipeline:PutApprovalResult", f"arn:aws:codepipeline:{ELSEWHERE}:node-server/Staging/Approval"),
    ("worker", "codepipeline:DisableStageTransition", f"{PIPELINE}/Staging"),
    ("worker", "codepipeline:RollbackStage", f"{PIPELINE}/Staging"),
    ("worker", "codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/node-server"),
    ("worker", "codebuild:BatchGetProjects", f"arn:aws:codebuild:{HERE}:project/node-server"),
    ("worker", "logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/aws/ecs/pipehook:log-stream:service/node-server/1"),
    ("worker", "logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/pipehook-worker:log-stream:1"),
    ("worker", "ecs:UpdateService", SERVICE),
    ("worker", "ecs:RegisterTaskDefinition", "*"),
    ("worker", "ecs:StopServiceDeployment", SERVICE.replace(":service/", ":service-deployment/") + "/1"),
    ("worker", "ecs:StopTask", f"arn:aws:ecs:{HERE}:task/staging/1"),
    ("worker", "ecs:ExecuteCommand", f"arn:aws:ecs:{HERE}:task/staging/1"),
    ("worker", "ecs:DescribeServices", SERVICE.replace(HERE, ELSEWHERE)),
    # Of another region's cluster, and of none.
    ("worker", "ecs:ListTasks", "*", (("ecs:cluster", f"arn:aws:ecs:{ELSEWHERE}:cluster/staging"),)),
    ("worker", "ecs:ListTasks", "*"),
    ("worker", "ec2:DescribeNetworkInterfaces", "*", (("aws:RequestedRegion", "eu-west-1"),)),
    ("worker", "ec2:CreateNetworkInterface", "*"),
    ("worker", "elasticloadbalancing:ModifyListener", "*"),
    ("worker", "sqs:PurgeQueue", QUEUE),
    ("worker", "iam:PassRole", f"arn:aws:iam::{PSEUDO['AWS::AccountId']}:role/any"),
]


# ---- What was called.


class Need(NamedTuple):
    """What IAM is asked about: an action on a resource, and what else it knows of the call."""

    action: str
    resource: str
    context: tuple = ()

    def known(self):
        return {"aws:RequestedRegion": PSEUDO["AWS::Region"]} | dict(self.context)

    def mapped(self, change):
        return Need(self.action, change(self.resource), tuple((key, change(value)) for key, value in self.context))


def calls(journal):
    """(caller, need) of each call of a journal to AWS."""
    for number, line in enumerate(Path(journal).read_text(encoding="utf-8").splitlines(), 1):
        call = json.loads(line)
        if call["service"] == "github" or call.get("caller") == PERSON:
            continue
        if call.get("caller") not in ROLES:
            raise ValueError(f"{journal}:{number}: {call['service']} was asked by {call.get('caller')!r}, who is no function")
        for need in needs(call["service"], call["operation"], call["request"]):
            yield call["caller"], need


def needs(service, operation, request):
    """What IAM is asked about for one call (Service Authorization Reference: the tables of each service)."""
    action = f"{SERVICES.get(service, service)}:{operation}"
    action = ACTIONS.get(action, action)
    match action.split(":")[0]:
        case "ssm":
            for name in request["Names"]:
                yield Need(action, parameter(name))
                if name.startswith(REFERENCE):
                    # SSM asks Secrets Manager with the caller's own permissions.
                    yield Need("secretsmanager:GetSecretValue", secret(name.removeprefix(REFERENCE)))
        case "sqs":
            yield Need(action, f"arn:aws:sqs:{HERE}:{request['QueueUrl'].rsplit('/', 1)[1]}")
        case "codepipeline":
            names = [request.get("pipelineName") or request["name"]]
            match operation:
                case "RetryStageExecution":
                    names += [request["stageName"]]
                case "PutApprovalResult":
                    names += [request["stageName"], request["actionName"]]
            yield Need(action, f"arn:aws:codepipeline:{HERE}:{'/'.join(names)}")
        case "codebuild":
            for build in request["ids"]:
                # PROJECT:UUID, or the ARN that ends so.
                yield Need(action, f"arn:aws:codebuild:{HERE}:project/{last(build).rsplit(':', 1)[0]}")
        case "logs":
            group = request.get("logGroupName") or request["logGroupIdentifier"].split(":log-group:")[-1]
            yield Need(action, f"arn:aws:logs:{HERE}:log-group:{group}:log-stream:{request['logStreamName']}")
        case "ecs":
            yield from needs_of_ecs(action, operation, request)
        case "ec2" | "elasticloadbalancing" if operation.startswith("Describe"):
            yield Need(action, "*")
        case _:
            raise ValueError(f"{action}: which resource is this about?")


def needs_of_ecs(action, operation, request):
    def arn(kind, *names):
        return f"arn:aws:ecs:{HERE}:{'/'.join((kind, *names))}"

    cluster = last(request.get("cluster") or "default")
    match operation:
        case "DescribeServices":
            for service in request["services"]:
                yield Need(action, arn("service", cluster, last(service)))
        case "ListServiceDeployments":
            yield Need(action, arn("service", cluster, last(request["service"])))
        case "DescribeServiceDeployments" | "DescribeServiceRevisions":
            for described in request.get("serviceDeploymentArns") or request["serviceRevisionArns"]:
                _, cluster, service, _ = described.split("/")
                yield Need(action, described)
                yield Need(action, arn("service", cluster, service))
        case "DescribeTasks":
            for task in request["tasks"]:
                yield Need(action, arn("task", cluster, last(task)))
        case "ListTasks" if "containerInstance" not in request:
            # What IAM is asked about would be the container instance. Without one, only the cluster is known.
            yield Need(action, "*", (("ecs:cluster", arn("cluster", cluster)),))
        case "DescribeTaskDefinition":
            yield Need(action, "*")
        case _:
            raise ValueError(f"{action}: which resource is this about?")


def last(name):
    """The last part of a name that may be an ARN."""
    return name.rsplit("/", 1)[-1]


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


class Grant(NamedTuple):
    """What a statement of a role allows: patterns of an action and a resource, and what has to be so besides."""

    action: str
    resource: str
    conditions: tuple = ()

    def __str__(self):
        return " ".join([f"{self.action} on {self.resource}", *(f"if {key} is {value}" for _, key, value in self.conditions)])


def grants(stack, function):
    """What a function's role allows."""
    role = stack.properties(ROLES[function])["Role"]["Fn::GetAtt"][0]
    assert "ManagedPolicyArns" not in stack.properties(role), f"{role} has policies from elsewhere"
    for statement in stack.statements(role):
        extra = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow" and not extra, f"{role}: {statement} is not understood here"
        conditions = tuple(
            (operator, key, text(stack, value))
            for operator, keys in statement.get("Condition", {}).items()
            for key, value in keys.items()
        )
        unknown = {operator for operator, _, _ in conditions} - set(OPERATORS)
        assert not unknown, f"{role}: {statement} is not understood here"
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield Grant(action, text(stack, resource), conditions)


@functools.cache
def pattern(glob, flags=0):
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in glob), flags | re.DOTALL)


# A condition's value against what IAM knows of a call. What it does not know makes none of these true.
OPERATORS = {
    "ArnLike": lambda value, known: bool(pattern(value).fullmatch(known)),
    "StringEquals": lambda value, known: value == known,
}


def covers(grant, need):
    known = need.known()
    return (
        bool(pattern(grant.action, re.IGNORECASE).fullmatch(need.action))
        and bool(pattern(grant.resource).fullmatch(need.resource))
        and all(key in known and OPERATORS[operator](value, known[key]) for operator, key, value in grant.conditions)
    )


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
            own = [need for caller, need in seen if caller == function]
            for need in own:
                if not any(covers(grant, need) for grant in granted):
                    yield f"{which}: {function} calls {need.action} on {need.resource}, which its role does not allow"
            for grant in granted:
                wide = any(pattern(action).fullmatch(grant.action) and grant.resource == resource for action, resource in WIDE)
                if is_wild(grant.action) or is_wild(grant.resource) and not wide:
                    yield f"{which}: {function} may {grant}, which lets through what nobody sees"
                if any(covers(grant, need) for need in own):
                    continue
                reasons = {(function, grant.action), (function, grant.action, grant.resource)} & set(UNSEEN)
                unseen |= reasons
                if not reasons:
                    yield f"{which}: {function} may {grant}, which no scenario needs"
            for variable, value in stack.properties(ROLES[function])["Environment"]["Variables"].items():
                if variable.endswith("_PARAMETER"):
                    for need in needs("ssm", "GetParameters", {"Names": [text(stack, value)]}):
                        if not any(covers(grant, need) for grant in granted):
                            yield f"{which}: {function} is told to read {variable}, but not allowed {need.action} on {need.resource}"
            for caller, *never in NEVER:
                if caller == function and any(covers(grant, Need(*never)) for grant in granted):
                    yield f"{which}: {function} may {' on '.join(never[:2])}, which it never must"
    for line in sorted(set(UNSEEN) - unseen):
        yield f"UNSEEN has {line}, which is not granted or is seen"
    yield from narrow({need for caller, need in seen if caller == "worker"})


def narrow(seen):
    for chosen, named in NARROWED.items():
        about = {need for need in seen if need.mapped(lambda value: re.sub(named, "", value)) != need}
        if not about:
            yield f"no scenario needs what {chosen} narrows"
        for value, name, allowed in NARROWINGS:
            granted = list(grants(Stack(**{chosen: value}), "worker"))
            for need in {need.mapped(lambda value: re.sub(named, rf"\g<1>{name}", value)) for need in about}:
                if any(covers(grant, need) for grant in granted) != allowed:
                    yield f"{chosen} {value} and {need.action} on {need.resource}: {'not ' if allowed else ''}allowed"


def main():
    journals = sys.argv[1:]
    if not journals:
        print(__doc__)
        return 1
    counted = Counter(call for journal in journals for call in calls(journal))
    for function in ROLES:
        actions = Counter()
        resources = {}
        for (caller, need), count in counted.items():
            if caller == function:
                actions[need.action] += count
                resources.setdefault(need.action, set()).add(need.resource)
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
