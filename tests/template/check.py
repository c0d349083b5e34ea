#!/usr/bin/env python3
"""Checks template.yaml as far as it can be without an account.

1. Every combination of the template's conditions is instantiated: the SAM transform is applied, conditions are decided,
   parameters replaced. Each must hold only references to what is there.
2. cfn-lint, with no warning left out, sees every resource in every form that it takes in any combination. (A combination in
   which each resource looks as in one that was seen would tell nothing new: what a resource refers to is in its form, and
   that it is there is 1.)
3. Facts: what must stay true of the template, each with its line below.

With --write it checks nothing, but writes templates for `sam validate --lint`: combinations decided before the transform,
so still with Globals and serverless functions, and again as few as show every form.

Needs aws-sam-translator, cfn-lint and PyYAML. Usage: check.py [--write DIRECTORY]
(exit code 0: all holds; 1: what does not, one a line)
"""

import argparse
import functools
import itertools
import json
import logging
import os
import re
import sys
import tomllib
from pathlib import Path

import yaml

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
from cfnlint.api import ManualArgs, lint  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

# The translator counts what it does, and says so.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

ROOT = Path(__file__).resolve().parents[2]
PSEUDO = {"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}
ABSENT = object()

# What the parameters that conditions look at can be. Those with conditions of their own come in two groups, and no resource
# depends on both (which is checked), so the groups are combined within themselves.
OF_THE_FUNCTIONS = {
    "FunctionArchitecture": ["arm64", "x86_64"],
    "GitHubToken": ["", "a-token"],
    "AlarmEmail": ["", "octocat@github.com"],
    "WebhookConcurrency": [0, 10],
    "Tracing": ["false", "true"],
}
OF_THE_PIPELINE = {
    "ConnectionArn": ["", "arn:aws:codeconnections:us-east-1:123456789012:connection/1fa1a1a1-0000-4000-8000-000000000000"],
    "ManualApproval": ["false", "true"],
    "ImageDefinitions": ["build", "committed"],
    "DockerHubRepository": ["", "octo-org/node-server"],
    "ServiceArchitecture": ["ARM64", "X86_64"],
    "InitialImage": ["", "public.ecr.aws/docker/library/httpd:2.4"],
    "FargateSpot": ["false", "true"],
    "VpcId": ["", "vpc-0123456789abcdef0"],
    "LoadBalancer": ["false", "true"],
    "CertificateArn": ["", "arn:aws:acm:us-east-1:123456789012:certificate/1fa1a1a1-0000-4000-8000-000000000000"],
}
ALWAYS = {"Repository": "octo-org/node-server"}
# What a value asks for beside it (the template's Rules).
WITH_IT = {
    "DockerHubRepository": {"DockerHubUser": "octocat", "DockerHubToken": "a-token"},
    "VpcId": {"SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1"},
}


# ---- Reading, transforming, instantiating.


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", short_form)


def read_template():
    return yaml.load((ROOT / "template.yaml").read_text(), Loader)


class NoManagedPolicies:
    """The template names none, so SAM needs none."""

    def load(self):
        return {}


@functools.cache
def transformed(architecture, concurrency, tracing):
    """The template as CloudFormation gets it: SAM reads the values of parameters that its own resources mention."""
    template = read_template()
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/functions.zip"
    values = defaults(template) | ALWAYS
    values |= {"FunctionArchitecture": architecture, "WebhookConcurrency": concurrency, "Tracing": tracing}
    return transform(template, values, NoManagedPolicies())


def defaults(template):
    return {name: parameter["Default"] for name, parameter in template["Parameters"].items() if "Default" in parameter}


def values_of(chosen):
    values = defaults(read_template_once()) | ALWAYS
    for name, value in chosen.items():
        values |= {name: value} | (WITH_IT.get(name, {}) if value else {})
    return values


class Decided:
    """A template with its conditions decided and its parameters replaced. What only AWS knows stays a reference."""

    def __init__(self, template, values):
        self.template, self.values = template, values
        self.conditions = {}
        for name in self.template["Conditions"]:
            self.decide(name)
        self.resources = self.section("Resources")
        self.outputs = self.section("Outputs")

    def section(self, name):
        found = {}
        for key, body in self.template[name].items():
            if "Condition" not in body or self.conditions[body["Condition"]]:
                found[key] = self.resolve({field: value for field, value in body.items() if field != "Condition"})
        return found

    def decide(self, name):
        if name not in self.conditions:
            self.conditions[name] = self.truth(self.template["Conditions"][name])
        return self.conditions[name]

    def truth(self, node):
        ((function, argument),) = node.items()
        match function:
            case "Condition":
                return self.decide(argument)
            case "Fn::Equals":
                left, right = (self.resolve(side) for side in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self.truth(argument[0])
            case "Fn::And":
                return all([self.truth(part) for part in argument])
            case "Fn::Or":
                return any([self.truth(part) for part in argument])
        raise ValueError(f"no condition: {node}")

    def resolve(self, node):
        if isinstance(node, list):
            return [value for value in map(self.resolve, node) if value is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            match function:
                case "Ref" if argument in self.values:
                    return self.values[argument]
                case "Ref" if argument == "AWS::NoValue":
                    return ABSENT
                case "Fn::If":
                    return self.resolve(argument[1 if self.conditions[argument[0]] else 2])
                case "Fn::Sub" if isinstance(argument, str):
                    text = re.sub(r"\$\{(\w+)\}", lambda name: str(self.values.get(name[1], name[0])), argument)
                    return {"Fn::Sub": text} if "${" in text else text
                case "Fn::Split":
                    source = self.resolve(argument[1])
                    return source.split(argument[0]) if isinstance(source, str) else {"Fn::Split": [argument[0], source]}
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not ABSENT}

    def lintable(self):
        """As a template of its own."""
        return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": self.resources, "Outputs": self.outputs}

    def forms(self):
        """What there is to see here, each resource and output with its form."""
        return {(name, json.dumps(body, sort_keys=True)) for name, body in (self.resources | self.outputs).items()}


class Untransformed(Decided):
    """As SAM gets it."""

    def __init__(self, **chosen):
        super().__init__(read_template_once(), values_of(chosen))
        self.globals = self.resolve(self.template["Globals"])

    def lintable(self):
        return {"Transform": self.template["Transform"], "Globals": self.globals} | super().lintable()

    def forms(self):
        # What Globals say is in no function yet, but belongs to the form of each.
        added = json.dumps(self.globals, sort_keys=True)
        functions = {name for name, body in self.resources.items() if body["Type"].startswith("AWS::Serverless::")}
        return {(name, form + added if name in functions else form) for name, form in super().forms()}


class Stack(Decided):
    """As CloudFormation gets it."""

    def __init__(self, **chosen):
        values = values_of(chosen)
        super().__init__(transformed(values["FunctionArchitecture"], values["WebhookConcurrency"], values["Tracing"]), values)

    def of_type(self, kind):
        return {name: body["Properties"] for name, body in self.resources.items() if body["Type"] == kind}

    def properties(self, name):
        return self.resources[name]["Properties"]

    def statements(self, role):
        policies = self.properties(role).get("Policies", [])
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def actions(self, role):
        return {action for statement in self.statements(role) for action in as_list(statement["Action"])}


read_template_once = functools.cache(read_template)


def as_list(value):
    return value if isinstance(value, list) else [value]


def references(node):
    """Names that a resolved node refers to."""
    if isinstance(node, list):
        for value in node:
            yield from references(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                yield from (name.split(".")[0] for name in re.findall(r"\$\{([\w:.]+)\}", text))
            elif key == "DependsOn":
                yield from as_list(value)
            if key not in ("Ref", "Fn::GetAtt", "DependsOn"):
                yield from references(value)


def mentions(node, kinds):
    """Conditions and parameters that an unresolved node depends on."""
    text = json.dumps(node)
    return {kind for kind in kinds if re.search(rf'["{{]{kind}["}}.]', text)}


# ---- 1 and 2: every combination.


def combinations():
    def products(choices):
        return [dict(zip(choices, values)) for values in itertools.product(*choices.values())]

    of_the_functions = products(OF_THE_FUNCTIONS)
    for functions in of_the_functions:
        yield functions | {"CreatePipeline": "false"}
        yield functions | {"CreatePipeline": "true"}
    # With each, one of the functions': what one template shows of both, two need not show.
    for pipeline, functions in zip(products(OF_THE_PIPELINE), itertools.cycle(of_the_functions)):
        if not pipeline["CertificateArn"] or pipeline["LoadBalancer"] == "true":
            yield pipeline | functions | {"CreatePipeline": "true"}


def check_groups():
    """No resource and no output depends on both groups of parameters."""
    template = read_template_once()

    def all_of(group):
        found = set(group)
        for _ in template["Conditions"]:
            found |= {name for name, body in template["Conditions"].items() if mentions(body, found - {"CreatePipeline", "WithPipeline"})}
        return found

    functions, pipeline = all_of(OF_THE_FUNCTIONS), all_of(OF_THE_PIPELINE)
    decided = {name for name, body in template["Conditions"].items() if name != "WithPipeline"}
    if left := decided - functions - pipeline:
        yield f"conditions that no combination decides: {', '.join(sorted(left))}"
    for section in ("Resources", "Outputs"):
        for name, body in template[section].items():
            if mentions(body, functions & decided) and mentions(body, pipeline & decided):
                yield f"{section}.{name} depends on both groups of parameters: combine them"


def check_references(stack, chosen):
    there = set(stack.resources) | PSEUDO
    for section in (stack.resources, stack.outputs):
        for name, body in section.items():
            for missing in sorted(set(references(body)) - there):
                yield f"{name} refers to {missing}, which is not there with {chosen}"


def fewest(stacks):
    """Which, the fewest roughly, show each resource and output in each of its forms; and how many forms these are."""
    forms = [stack.forms() for stack in stacks]
    left = set().union(*forms)
    every, shown = len(left), []
    while left:
        best = max(range(len(forms)), key=lambda index: len(forms[index] & left))
        left -= forms[best]
        shown.append(best)
    return shown, every


def check_lint(stacks):
    shown, forms = fewest(stacks)
    for index in shown:
        for match in lint(json.dumps(stacks[index].lintable()), config=ManualArgs(regions=["us-east-1"])):
            yield f"cfn-lint {match.rule.id}: {match.message} at {'/'.join(map(str, match.path or []))}"
    print(f"{len(stacks)} combinations hold only references to what is there")
    print(f"{forms} forms of resources and outputs, seen by cfn-lint in {len(shown)} templates")


def write(folder):
    every = list(combinations())
    stacks = [Untransformed(**chosen) for chosen in every]
    shown, forms = fewest(stacks)
    by_default = values_of({})
    folder.mkdir(parents=True)
    for number, index in enumerate(shown, 1):
        file = folder / f"{number:02}.json"
        file.write_text(json.dumps(stacks[index].lintable(), indent=2) + "\n")
        differs = [f"{name}={value}" for name, value in every[index].items() if value != by_default[name]]
        print(f"{file.name}: {' '.join(differs) or 'as it is by default'}")
    print(f"{forms} forms of resources and outputs as SAM gets them, in {len(shown)} templates")


# ---- 3: facts.

FACTS = []


def fact(line):
    def add(check):
        FACTS.append((line, check))
        return check

    return add


DEFAULT = {"CreatePipeline": "true"}


def stack_of(**chosen):
    return Stack(**(DEFAULT | chosen))


def source(*names):
    return "\n".join((ROOT / name).read_text() for name in names)


@fact("the webhook's URL is open to the internet by both permissions, and no other function's is")
def _(stack):
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    found = {permission["Action"]: permission for permission in permissions}
    assert len(permissions) == 2, permissions
    for action, condition in {
        "lambda:InvokeFunctionUrl": ("FunctionUrlAuthType", "NONE"),
        "lambda:InvokeFunction": ("InvokedViaFunctionUrl", True),
    }.items():
        assert found[action]["Principal"] == "*" and found[action][condition[0]] == condition[1]
        assert set(references(found[action]["FunctionName"])) == {"Webhook"}
    (url,) = stack.of_type("AWS::Lambda::Url").values()
    assert url["AuthType"] == "NONE" and set(references(url["TargetFunctionArn"])) == {"Webhook"}


@fact("functions: provided.al2023, one processor by parameter, a timeout within GitHub's 10 s and a sixth of the queue's visibility")
def _(stack):
    for architecture in ("arm64", "x86_64"):
        functions = Stack(FunctionArchitecture=architecture).of_type("AWS::Lambda::Function")
        assert set(functions) == {"Webhook", "Worker"}
        for function in functions.values():
            assert function["Runtime"] == "provided.al2023" and function["Architectures"] == [architecture]
    assert stack.properties("Webhook")["Timeout"] == 10
    assert stack.properties("Worker")["Timeout"] == 30
    assert stack.properties("Queue")["VisibilityTimeout"] == 180
    for name, function in read_template_once()["Resources"].items():
        if function["Type"] == "AWS::Serverless::Function":
            assert function["Metadata"] == {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": name.lower()}}
            binaries = [binary["name"] for binary in tomllib.loads(source("Cargo.toml"))["bin"]]
            assert name.lower() in binaries


@fact("the worker may wake itself more than 16 times in a row")
def _(stack):
    assert stack.properties("Worker")["RecursiveLoop"] == "Allow"
    assert "RecursiveLoop" not in stack.properties("Webhook")


@fact("the worker is fed by the queue, ten messages at a time, each failing for itself, with a cap that Lambda takes")
def _(stack):
    (mapping,) = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert set(references(mapping["FunctionName"])) == {"Worker"}
    assert mapping["BatchSize"] == 10 and mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert read_template_once()["Parameters"]["WorkerConcurrency"]["MinValue"] == 2


@fact("what fails five times lies in a dead-letter queue for 14 days; every queue is encrypted")
def _(stack):
    redrive = stack.properties("Queue")["RedrivePolicy"]
    assert redrive == {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}, "maxReceiveCount": 5}
    for name in ("DeadLetters", "EventDeadLetters"):
        assert stack.properties(name)["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    for queue in stack.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True


@fact("CodePipeline's three kinds of events go straight to the queue, what is not delivered to a dead-letter queue, and only they may")
def _(stack):
    (rule,) = stack.of_type("AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["EventDeadLetters", "Arn"]}
    assert not {"Input", "InputPath", "InputTransformer"} & set(target), "the worker reads whole events"
    pattern = rule["EventPattern"]
    assert set(pattern) == {"source", "detail-type"} and pattern["source"] == ["aws.codepipeline"]
    samples = [json.loads(file.read_text()) for file in (ROOT / "events").glob("codepipeline-*.json")]
    assert {sample["detail-type"] for sample in samples} == set(pattern["detail-type"])
    policies = stack.of_type("AWS::SQS::QueuePolicy")
    assert {policy["Queues"][0]["Ref"] for policy in policies.values()} == {"Queue", "EventDeadLetters"}
    for policy in policies.values():
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"} and statement["Action"] == "sqs:SendMessage"
        assert statement["Resource"] == {"Fn::GetAtt": [policy["Queues"][0]["Ref"], "Arn"]}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["PipelineEvents", "Arn"]}}}


@fact("each function has the variables that it reads, as names of parameters and never as secrets")
def _(stack):
    secret = "/aws/reference/secretsmanager/${AWS::StackName}-"
    expected = {
        "Webhook": {
            "PIPEHOOK_CONFIG": "",
            "PIPEHOOK_CONFIG_PARAMETER": {"Ref": "Configuration"},
            "PIPEHOOK_QUEUE_URL": {"Ref": "Queue"},
            "PIPEHOOK_WEBHOOK_SECRET": "",
            "PIPEHOOK_WEBHOOK_SECRET_PARAMETER": {"Fn::Sub": f"{secret}webhook"},
        },
        "Worker": {
            "PIPEHOOK_CONFIG": "",
            "PIPEHOOK_CONFIG_PARAMETER": {"Ref": "Configuration"},
            "PIPEHOOK_GITHUB_TOKEN": "",
            "PIPEHOOK_GITHUB_TOKEN_PARAMETER": {"Fn::Sub": f"{secret}github-token"},
            "PIPEHOOK_QUEUE_URL": {"Ref": "Queue"},
        },
    }
    names = {secret["Name"]["Fn::Sub"] for secret in stack.of_type("AWS::SecretsManager::Secret").values()}
    for function, variables in expected.items():
        assert stack.properties(function)["Environment"]["Variables"] == variables
        for value in variables.values():
            if isinstance(value, dict) and "Fn::Sub" in value:
                assert value["Fn::Sub"].removeprefix("/aws/reference/secretsmanager/") in names, value


@fact("no secret's name ends as a secret's ARN does; generated ones are long and without signs that a shell would read")
def _(stack):
    secrets = stack_of(DockerHubRepository="octo-org/node-server").of_type("AWS::SecretsManager::Secret")
    assert set(secrets) == {"WebhookSecret", "LinkSecret", "GitHubTokenSecret", "DockerHubSecret"}
    for secret in secrets.values():
        assert not re.search(r"-[A-Za-z0-9]{6}$", secret["Name"]["Fn::Sub"]), secret["Name"]
    for name in ("WebhookSecret", "LinkSecret"):
        assert secrets[name]["GenerateSecretString"] == {"PasswordLength": 40, "ExcludePunctuation": True}
    token = read_template_once()["Parameters"]
    assert all(token[name]["NoEcho"] for name in ("GitHubToken", "DockerHubToken"))
    assert Stack(GitHubToken="t").properties("GitHubTokenSecret")["SecretString"] == "t"
    assert Stack().properties("GitHubTokenSecret")["SecretString"], "an empty secret would keep the worker from its others"


@fact("the first configuration is one that pipehook reads, with and without a pipeline of its own")
def _(stack):
    route = {"repository": "octo-org/node-server", "branches": ["main"], "pipeline": "node-server"}
    github = {"api_url": "https://api.github.com"}
    own = route | {"environment": "staging", "variables": {"GIT_BRANCH": "{branch}"}}
    assert tomllib.loads(stack.properties("Configuration")["Value"]) == {"github": github, "route": [own]}
    given = Stack(CreatePipeline="false", SourceAction="Code").properties("Configuration")["Value"]
    assert tomllib.loads(given) == {"github": github, "route": [route | {"source_action": "Code"}]}
    known = tomllib.loads(source("pipehook.example.toml"))
    assert set(own) | {"source_action"} <= set(known["route"][0]) and set(github) <= set(known["github"])
    declared = {variable["Name"] for variable in stack.properties("Pipeline")["Variables"]}
    assert set(own["variables"]) == declared


@fact("each function has a role of its own; tracing adds what X-Ray needs")
def _(stack):
    # What the roles allow is held against what the functions call by permissions.py, and how names narrow them, too.
    for function in ("Webhook", "Worker"):
        assert stack.properties(function)["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}
        traced = Stack(Tracing="true").actions(f"{function}Role") - stack.actions(f"{function}Role")
        assert traced == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@fact("the stack's own project, its log group and the cluster are called as the stack, as the parameters that narrow by name say")
def _(stack):
    assert stack.properties("BuildProject")["Name"] == stack.properties("Cluster")["ClusterName"] == {"Ref": "AWS::StackName"}
    assert stack.properties("BuildLogs")["LogGroupName"] == {"Fn::Sub": "/aws/codebuild/${AWS::StackName}"}
    assert stack.properties("BuildProject")["LogsConfig"]["CloudWatchLogs"]["GroupName"] == {"Ref": "BuildLogs"}


@fact("README names what the worker may do, for those who deploy without the template")
def _(stack):
    rows = re.findall(r"^\| `(\w+:)` ([\w, ]+) \|", source("README.md"), re.MULTILINE)
    named = [service + action for service, actions in rows for action in actions.split(", ")]
    # Its own log, parameters, secrets and queue, it says in a sentence.
    own = {"logs:CreateLogStream", "logs:PutLogEvents"}
    granted = {action for action in stack.actions("WorkerRole") - own if action.split(":")[0] not in ("ssm", "secretsmanager", "sqs")}
    assert sorted(named) == sorted(granted), set(named) ^ granted


@fact("CodePipeline's role is what AWS documents for its actions: artifacts, connection, CodeBuild, ECS")
def _(stack):
    # User guide: the service role's policy, and the action references of CodeStarSourceConnection, CodeBuild and ECS.
    assert stack.actions("PipelineRole") == {
        "s3:GetBucketVersioning", "s3:GetBucketAcl", "s3:GetBucketLocation",
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectAcl",
        "codeconnections:UseConnection", "codestar-connections:UseConnection",
        "codebuild:BatchGetBuilds", "codebuild:StartBuild",
        "ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "ecs:TagResource",
        "ecs:DescribeServices", "ecs:UpdateService",
        "iam:PassRole",
    }  # fmt: skip
    by_sid = {statement["Sid"]: statement for statement in stack.statements("PipelineRole")}
    # A connection's ARN may begin with either prefix; the role names it by both.
    names = [joined["Fn::Join"][1] for joined in by_sid["Source"]["Resource"]]
    assert [name[0]["Fn::Sub"].rsplit(":", 1)[1] for name in names] == ["codeconnections", "codestar-connections"]
    # It may be another account's, which shares it.
    assert all(name[2]["Fn::Select"][0] == 4 for name in names)
    passed = by_sid["RolesOfTheTasks"]
    assert passed["Resource"] == [{"Fn::GetAtt": ["TaskRole", "Arn"]}, {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]}]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": ["ecs.amazonaws.com", "ecs-tasks.amazonaws.com"]}}
    assert by_sid["TagsOfTaskDefinitions"]["Condition"] == {"StringEquals": {"ecs:CreateAction": ["RegisterTaskDefinition"]}}
    task = stack.properties("TaskDefinition")
    assert [task["TaskRoleArn"], task["ExecutionRoleArn"]] == passed["Resource"]


@fact("CodeBuild's role pushes to the one repository, reads and writes artifacts, and writes its log")
def _(stack):
    common = {"logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}
    # User guide, Docker sample: to log in and to push; the last two read what is there.
    ecr = {
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    }  # fmt: skip
    assert stack.actions("BuildRole") == common | ecr
    docker_hub = stack_of(DockerHubRepository="octo-org/node-server")
    assert docker_hub.actions("BuildRole") == common | {"secretsmanager:GetSecretValue"}
    assert docker_hub.actions("TaskExecutionRole") == {
        "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue",
    }  # fmt: skip
    assert stack.actions("TaskRole") == set()


# Where a policy says "*" by itself, and why no narrower word is there.
EVERY_RESOURCE = {
    "xray:PutTraceSegments": "X-Ray has no resources for it",
    "xray:PutTelemetryRecords": "X-Ray has no resources for it",
    "ecs:DescribeTaskDefinition": "ECS has no resources for it",
    "ecs:RegisterTaskDefinition": "as AWS documents it for the deploy action",
    "ecr:GetAuthorizationToken": "a login is to the registry, not to a repository",
    "ecs:ListTasks": "a list by service is of no resource; the cluster is a condition",
    "ec2:DescribeNetworkInterfaces": "EC2 has no resources for it; the region is a condition",
    "elasticloadbalancing:DescribeTargetGroups": "load balancing has no resources for it; the region is a condition",
    "elasticloadbalancing:DescribeLoadBalancers": "load balancing has no resources for it; the region is a condition",
    "elasticloadbalancing:DescribeListeners": "load balancing has no resources for it; the region is a condition",
}


@fact("no policy allows every action, and every resource only where AWS knows no other")
def _(_stack):
    for chosen in ({"Tracing": "true"}, {"DockerHubRepository": "octo-org/node-server"}):
        stack = stack_of(**chosen)
        for role, properties in stack.of_type("AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in properties, role
            for statement in stack.statements(role):
                for action in as_list(statement["Action"]):
                    assert "*" not in action, f"{role}: {action}"
                    for resource in as_list(statement["Resource"]):
                        assert resource != "*" or action in EVERY_RESOURCE, f"{role}: {action} on {resource}"
                        # What the worker reads beyond a name is kept to a cluster or the region; permissions.py tries it.
                        kept = "Condition" in statement or action.startswith("xray:")
                        assert resource != "*" or role != "WorkerRole" or kept, f"{role}: {action} on {resource}"


@fact("a service may take a role only for this account, where AWS documents that it says so")
def _(stack):
    trusts = {}
    for role, properties in stack.of_type("AWS::IAM::Role").items():
        (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        trusts[role] = (statement["Principal"]["Service"], "Condition" in statement)
    assert trusts == {
        "WebhookRole": ("lambda.amazonaws.com", False),
        "WorkerRole": ("lambda.amazonaws.com", False),
        "PipelineRole": ("codepipeline.amazonaws.com", True),
        "BuildRole": ("codebuild.amazonaws.com", True),
        "TaskRole": ("ecs-tasks.amazonaws.com", True),
        "TaskExecutionRole": ("ecs-tasks.amazonaws.com", False),
    }


@fact("each log is JSON where Lambda writes it, kept for a time, and reaches the group that its writer may write to")
def _(stack):
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        assert group["RetentionInDays"] == 30, name
    for function in ("Webhook", "Worker"):
        logging = stack.properties(function)["LoggingConfig"]
        assert logging["LogFormat"] == "JSON" and logging["LogGroup"] == {"Ref": f"{function}Logs"}
    # Metrics are lines without a level, which Lambda takes for INFO.
    assert read_template_once()["Parameters"]["LogLevel"]["AllowedValues"] == ["TRACE", "DEBUG", "INFO"]


@fact("every alarm is on something that is there, is quiet where nothing happens, and tells the topic if there is one")
def _(stack):
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    with_topic = Stack(AlarmEmail="octocat@github.com")
    for name, alarm in alarms.items():
        assert alarm["TreatMissingData"] == "notBreaching" and alarm["AlarmDescription"], name
        assert "AlarmActions" not in alarm, name
        assert with_topic.properties(name)["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
    watched = {name: (alarm.get("Namespace"), alarm.get("MetricName"), list(references(alarm.get("Dimensions", [])))) for name, alarm in alarms.items()}
    assert watched == {
        "DeadLettersAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", ["DeadLetters"]),
        "EventDeadLettersAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", ["EventDeadLetters"]),
        "WebhookErrorsAlarm": ("AWS/Lambda", "Errors", ["Webhook"]),
        "WebhookFailsAlarm": ("AWS/Lambda", "Url5xxCount", ["Webhook"]),
        "WorkerErrorsAlarm": ("AWS/Lambda", "Errors", ["Worker"]),
        "NoWakeUpsAlarm": (None, None, []),
        "SignatureRefusedAlarm": ("pipehook", "SignatureRefused", []),
        "NeedsMendingAlarm": (None, None, []),
    }
    assert "KmsMasterKeyId" not in with_topic.properties("AlarmTopic"), "CloudWatch can't publish under AWS's own key"


@fact("the metrics that alarms watch are the ones that the functions count, with the same dimensions")
def _(stack):
    code = source(*(str(file.relative_to(ROOT)) for file in (ROOT / "src").rglob("*.rs")))
    counted = re.findall(r'metrics::count\(\s*&self\.clock,\s*"(\w+)",\s*&\[(.*?)\]', code)
    assert {(name, tuple(re.findall(r'\("(\w+)"', dimensions))) for name, dimensions in counted} == {
        ("SignatureRefused", ()),
        ("NeedsMending", ("Pipeline",)),
    }
    assert 'NAMESPACE: &str = "pipehook"' in code
    (query,) = stack.properties("NeedsMendingAlarm")["Metrics"]
    assert query["Expression"] == "SELECT SUM(NeedsMending) FROM SCHEMA(pipehook, Pipeline)"


@fact("the pipeline is V2, pinned by pipehook: it detects no changes itself, and its source action is the one that routes name")
def _(stack):
    pipeline = stack.properties("Pipeline")
    assert pipeline["PipelineType"] == "V2" and "Triggers" not in pipeline
    assert [stage["Name"] for stage in pipeline["Stages"]] == ["Source", "Build", "Staging"]
    (action,) = pipeline["Stages"][0]["Actions"]
    assert action["Name"] == "Source" and action["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert action["Configuration"]["DetectChanges"] == "false"
    assert action["Configuration"]["OutputArtifactFormat"] == "CODE_ZIP"
    for mode in ("SUPERSEDED", "QUEUED", "PARALLEL"):
        assert Stack(ExecutionMode=mode).properties("Pipeline")["ExecutionMode"] == mode
    variables = json.loads(pipeline["Stages"][1]["Actions"][0]["Configuration"]["EnvironmentVariables"])
    assert variables == [{"name": "GIT_BRANCH", "value": "#{variables.GIT_BRANCH}", "type": "PLAINTEXT"}]


@fact("Staging deploys the imagedefinitions.json of the build, or the committed one, after an approval if one is asked for")
def _(_stack):
    for definitions, artifact in {"build": "BuildOutput", "committed": "SourceOutput"}.items():
        stack = stack_of(ImageDefinitions=definitions)
        (deploy,) = stack.properties("Pipeline")["Stages"][2]["Actions"]
        assert deploy["ActionTypeId"]["Provider"] == "ECS" and deploy["InputArtifacts"] == [{"Name": artifact}]
        assert deploy["Configuration"]["ServiceName"] == {"Fn::GetAtt": ["Service", "Name"]}
        assert deploy["Configuration"]["ClusterName"] == {"Ref": "Cluster"} == stack.properties("Service")["Cluster"]
    approved = stack_of(ManualApproval="true").properties("Pipeline")["Stages"][2]["Actions"]
    assert [(action["Name"], action["RunOrder"]) for action in approved] == [("Approval", 1), ("Deploy", 2)]
    # A tag that moves can't be pushed twice where tags are immutable.
    assert stack_of().properties("ImageRepository")["ImageTagMutability"] == "IMMUTABLE"
    assert stack_of(ImageDefinitions="committed").properties("ImageRepository")["ImageTagMutability"] == "MUTABLE"


@fact("the build has a Docker daemon, a layer cache, and the processor that the service runs on")
def _(_stack):
    for processor, kind, image in (("ARM64", "ARM_CONTAINER", "aarch64"), ("X86_64", "LINUX_CONTAINER", "x86_64")):
        stack = stack_of(ServiceArchitecture=processor)
        environment = stack.properties("BuildProject")["Environment"]
        assert environment["PrivilegedMode"] is True and environment["Type"] == kind and image in environment["Image"]
        assert stack.properties("TaskDefinition")["RuntimePlatform"]["CpuArchitecture"] == processor
        assert stack.properties("BuildProject")["Cache"] == {"Type": "LOCAL", "Modes": ["LOCAL_DOCKER_LAYER_CACHE"]}


@fact("the service keeps the old tasks until new ones run, breaks off a rollout that fails, and goes back")
def _(_stack):
    for spot, provider in {"false": "FARGATE", "true": "FARGATE_SPOT"}.items():
        stack = stack_of(FargateSpot=spot)
        service = stack.properties("Service")
        assert service["DeploymentConfiguration"] == {
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        }
        assert "LaunchType" not in service
        assert service["CapacityProviderStrategy"] == [{"CapacityProvider": provider, "Weight": 1}]
        assert provider in stack.properties("Cluster")["CapacityProviders"]


@fact("the first task definition suits the placeholder and every image after it: same port, no command, no check inside")
def _(stack):
    (container,) = stack.properties("TaskDefinition")["ContainerDefinitions"]
    assert not {"Command", "EntryPoint", "HealthCheck"} & set(container)
    assert container["Name"] == "node-server" and container["PortMappings"][0]["ContainerPort"] == 8080
    assert container["Image"].startswith("public.ecr.aws/"), "there is nothing in ECR yet"
    (hub,) = stack_of(DockerHubRepository="octo-org/node-server").properties("TaskDefinition")["ContainerDefinitions"]
    assert hub["Image"].startswith("docker.io/") and hub["RepositoryCredentials"] == {"CredentialsParameter": {"Ref": "DockerHubSecret"}}
    (given,) = stack_of(InitialImage="example").properties("TaskDefinition")["ContainerDefinitions"]
    assert given["Image"] == "example"


@fact("a task can pull its image before it is started: routes and listener come first")
def _(_stack):
    certificates = ("", OF_THE_PIPELINE["CertificateArn"][1])
    for vpc, (balanced, certificate) in itertools.product(
        ("", "vpc-0123456789abcdef0"), [("false", ""), *(("true", certificate) for certificate in certificates)]
    ):
        stack = stack_of(VpcId=vpc, LoadBalancer=balanced, CertificateArn=certificate)
        needs = set(references(stack.resources["Service"]))
        assert ("SubnetARoutes" in needs) == (not vpc)
        # The one that leads to the tasks: with a certificate, the other only redirects.
        listener = {"false": None, "true": "HttpsListener" if certificate else "HttpListener"}[balanced]
        assert {name for name in needs if name.endswith("Listener")} == ({listener} if listener else set())
        if balanced == "true":
            assert ("SubnetARoutes" in set(references(stack.resources["PublicLoadBalancer"]))) == (not vpc)
        if not vpc:
            assert stack.resources["SubnetARoutes"]["DependsOn"] == "DefaultRoute"
            assert stack.resources["DefaultRoute"]["DependsOn"] == "InternetGatewayAttachment"


@fact("behind a load balancer, only it reaches the tasks; with a certificate, HTTP leads to HTTPS")
def _(stack):
    (open_to_all,) = stack.properties("ServiceSecurityGroup")["SecurityGroupIngress"]
    assert open_to_all["CidrIp"] == "0.0.0.0/0" and open_to_all["FromPort"] == 8080
    (from_balancer,) = stack_of(LoadBalancer="true").properties("ServiceSecurityGroup")["SecurityGroupIngress"]
    assert from_balancer["SourceSecurityGroupId"] == {"Ref": "LoadBalancerSecurityGroup"} and "CidrIp" not in from_balancer
    secure = stack_of(LoadBalancer="true", CertificateArn=OF_THE_PIPELINE["CertificateArn"][1])
    assert secure.properties("HttpListener")["DefaultActions"][0]["Type"] == "redirect"
    assert secure.properties("HttpsListener")["Certificates"] == [{"CertificateArn": OF_THE_PIPELINE["CertificateArn"][1]}]


@fact("the stack can be deleted: images go with their repository, and nothing is kept or protected")
def _(stack):
    assert stack.properties("ImageRepository")["EmptyOnDelete"] is True
    for name, body in stack.resources.items():
        assert body.get("DeletionPolicy", "Delete") == "Delete", name


@fact("artifacts are encrypted, private, asked for over TLS only, and deleted after a month")
def _(stack):
    bucket = stack.properties("Artifacts")
    assert all(bucket["PublicAccessBlockConfiguration"].values()) and len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 30
    (statement,) = stack.properties("ArtifactsPolicy")["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@fact("without a pipeline of its own the stack is pipehook alone")
def _(_stack):
    alone = Stack(CreatePipeline="false")
    services = {body["Type"].split("::")[1] for body in alone.resources.values()}
    assert services == {"CloudWatch", "Events", "IAM", "Lambda", "Logs", "SQS", "SSM", "SecretsManager"}, services


@fact("the outputs lead on: connection, token, webhook")
def _(stack):
    steps = [name for name in stack.outputs if name.startswith("NextStep")]
    assert steps == ["NextStep1Connection", "NextStep2Token", "NextStep3Webhook"]
    assert stack.outputs["WebhookUrl"]["Value"] == {"Fn::GetAtt": ["WebhookUrl", "FunctionUrl"]}
    given = stack_of(ConnectionArn=OF_THE_PIPELINE["ConnectionArn"][1])
    assert "NextStep1Connection" not in given.outputs and "Connection" not in given.resources


@fact("every parameter is described, used, and in the console's form; no region, account or partition is written down")
def _(_stack):
    template = read_template_once()
    used = json.dumps({key: value for key, value in template.items() if key not in ("Parameters", "Metadata")})
    shown = [name for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"] and mentions(json.loads(used), {name}), name
    assert not re.search(r"arn:aws:|[a-z]{2}-[a-z]+-\d\b|\b\d{12}\b", used)


@fact("the sample application fits: container, port, and the variables of its build")
def _(_stack):
    sample = ROOT / "examples/node-server"
    parameters = defaults(read_template_once())
    (definition,) = json.loads((sample / "imagedefinitions.json").read_text())
    assert definition["name"] == parameters["ServiceName"] and definition["imageUri"].endswith(":latest")
    assert f"EXPOSE {parameters['ContainerPort']}" in (sample / "Dockerfile").read_text()
    buildspec = (sample / "buildspec.yml").read_text()
    project = stack_of(DockerHubRepository="octo-org/node-server").properties("BuildProject")["Environment"]
    given = {variable["Name"] for variable in project["EnvironmentVariables"]} | {"GIT_BRANCH"}
    by_itself = {"IMAGE", "CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_BUILD_SUCCEEDING"}
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", buildspec))
    assert read == given | by_itself, read ^ (given | by_itself)
    assert yaml.safe_load(buildspec)["artifacts"]["files"] == ["imagedefinitions.json"]


@fact("samconfig.toml names parameters that the template has")
def _(_stack):
    config = tomllib.loads(source("samconfig.toml"))
    for environment, commands in config.items():
        if environment != "version":
            for command in commands.values():
                for override in as_list(command["parameters"].get("parameter_overrides", [])):
                    assert override.split("=")[0] in read_template_once()["Parameters"], override


def check_facts():
    stack = stack_of()
    for line, check in FACTS:
        try:
            check(stack)
        except (AssertionError, KeyError, IndexError, TypeError, ValueError, OSError) as error:
            yield f"NOT SO: {line}: {type(error).__name__} {error}"
        else:
            print(f"ok  {line}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path, metavar="DIRECTORY", help="write the combinations for sam validate --lint")
    if folder := parser.parse_args().write:
        write(folder)
        return 0
    wrong = list(check_groups())
    stacks = []
    for chosen in combinations():
        stack = Stack(**chosen)
        wrong += check_references(stack, chosen)
        stacks.append(stack)
    wrong += check_lint(stacks)
    wrong += check_facts()
    for line in dict.fromkeys(wrong):
        print(line)
    print(f"{len(wrong)} wrong" if wrong else f"{len(FACTS)} facts hold; nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
