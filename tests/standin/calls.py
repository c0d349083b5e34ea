"""What drive.py asks with boto3. Each function is a check; they are in order, and later ones look at what earlier ones
have left. `plain` is `pipehook dev` as it is, `full` has approvals, batches and load balancers."""

import hashlib
import json
import time
from datetime import datetime

from botocore.exceptions import ClientError, WaiterError

from scene import Failed, check, until

# What `pipehook dev` fails the build of, a commit as its sample names them.
FAILING = hashlib.sha256(b"Rewrite the router").hexdigest()[:40]
GOOD = hashlib.sha256(b"Answer health checks").hexdigest()[:40]
NOBODYS = "12345678-1234-1234-1234-123456789012"
RUN_SECONDS = 120
WAIT = {"Delay": 1, "MaxAttempts": RUN_SECONDS}
ALL = []


def case(function):
    ALL.append(function)
    return function


def refused(client, exception, call, *, status=400):
    """That a call is refused, with an exception of this name: one of the client's, or just a code where there is none."""
    try:
        answer = call()
    except ClientError as error:
        kind = getattr(client.exceptions, exception, None) if exception in dir(client.exceptions) else None
        if kind:
            check(type(error) is kind, f"{error!r} is no {exception}")
        else:
            check(error.response["Error"]["Code"] == exception, f"{error!r} is no {exception}")
        metadata = error.response["ResponseMetadata"]
        check(metadata["HTTPStatusCode"] == status and metadata["RequestId"], metadata)
        return
    raise Failed(f"{exception} was expected, not {answer}")


def is_moment(*values):
    for value in values:
        check(isinstance(value, datetime) and value.tzinfo is not None, f"{value!r} is no moment")
        check(abs(time.time() - value.timestamp()) < 7 * 86_400, f"{value!r} is not of these days")


def is_recent(*values):
    for value in values:
        check(isinstance(value, datetime) and value.tzinfo is not None, f"{value!r} is no moment")


def start(account, pipeline, commit, **more):
    override = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": commit}
    answer = account.codepipeline.start_pipeline_execution(name=pipeline, sourceRevisions=[override], **more)
    return answer["pipelineExecutionId"]


def execution(account, pipeline, identity):
    asked = account.codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=identity)
    return asked["pipelineExecution"]


def ended(account, pipeline, identity, status):
    def over():
        now = execution(account, pipeline, identity)
        return now if now["status"] not in ("InProgress", "Stopping") else None

    last = until(RUN_SECONDS, lambda: execution(account, pipeline, identity), over)
    check(last["status"] == status, last)
    return last


def waits(account, pipeline, stage, status):
    """The state of a stage once its latest execution has a status."""

    def look():
        stages = account.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]
        (found,) = (one for one in stages if one["stageName"] == stage)
        return found if found.get("latestExecution", {}).get("status") == status else None

    return until(RUN_SECONDS, f"{stage} is not {status}", look)


def answer(account, pipeline, token, status="Approved"):
    return account.codepipeline.put_approval_result(
        pipelineName=pipeline,
        stageName="Staging",
        actionName="Approve",
        result={"summary": "looked at", "status": status},
        token=token,
    )


# ---- CodePipeline.


@case
def stacks_tell_what_they_hold(plain, full):
    """a stack tells its outputs and resources, and one that is not there is refused"""
    (stack,) = plain.cloudformation.describe_stacks(StackName="pipehook")["Stacks"]
    is_moment(stack["CreationTime"])
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    resources = plain.cloudformation.list_stack_resources(StackName="pipehook")["StackResourceSummaries"]
    physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    check(physical["Queue"] == outputs["Queue"], (physical, outputs))
    check(outputs["ConfigurationParameter"] == physical["Configuration"], (physical, outputs))
    refused(plain.cloudformation, "ValidationError", lambda: plain.cloudformation.describe_stacks(StackName="nobodys"))
    refused(plain.cloudformation, "ValidationError", lambda: plain.cloudformation.list_stack_resources(StackName="nobodys"))


@case
def a_pipeline_is_described(plain, full):
    """a pipeline is described, with its moments, and unknown pipelines and versions have exceptions of their own"""
    client = full.codepipeline
    found = client.get_pipeline(name="api")
    stages = {stage["name"]: [action["name"] for action in stage["actions"]] for stage in found["pipeline"]["stages"]}
    check(stages == {"Source": ["Source"], "Build": ["Build"], "Staging": ["Approve", "Deploy"]}, stages)
    check(found["pipeline"]["pipelineType"] == "V2" and type(found["pipeline"]["version"]) is int, found["pipeline"])
    is_moment(found["metadata"]["created"], found["metadata"]["updated"])
    check(client.get_pipeline(name="legacy")["pipeline"]["pipelineType"] == "V1", "the other is no V1")
    refused(client, "PipelineNotFoundException", lambda: client.get_pipeline(name="nope"))
    refused(client, "PipelineVersionNotFoundException", lambda: client.get_pipeline(name="api", version=99))
    refused(client, "ValidationException", lambda: client.get_pipeline(name="no blanks"))


@case
def an_execution_runs(plain, full):
    """an execution is started once with its token, pinned, with its variables, and runs to its end"""
    client = plain.codepipeline
    variables = [{"name": "GIT_BRANCH", "value": "main"}]
    first = start(plain, "api", GOOD, clientRequestToken="one-push", variables=variables)
    check(start(plain, "api", GOOD, clientRequestToken="one-push", variables=variables) == first, "started twice")
    last = ended(plain, "api", first, "Succeeded")
    (revision,) = last["artifactRevisions"]
    check(revision["revisionId"] == GOOD, revision)
    is_moment(revision["created"])
    check(last["variables"] == [{"name": "GIT_BRANCH", "resolvedValue": "main"}], last["variables"])
    unknown = lambda: client.get_pipeline_execution(pipelineName="api", pipelineExecutionId=NOBODYS)
    refused(client, "PipelineExecutionNotFoundException", unknown)
    refused(client, "PipelineNotFoundException", lambda: start(plain, "nope", GOOD))
    refused(client, "ValidationException", lambda: start(plain, "legacy", GOOD))
    undeclared = [{"name": "NOPE", "value": "x"}]
    refused(client, "ValidationException", lambda: start(plain, "api", GOOD, variables=undeclared))
    refused(client, "ValidationException", lambda: client.start_pipeline_execution(name="api", clientRequestToken="a_b"))


@case
def executions_are_listed(plain, full):
    """executions are listed newest first, page by page, filtered, and a made-up token is refused"""
    client = plain.codepipeline
    identities = [start(plain, "web", hashlib.sha1(bytes([at])).hexdigest()) for at in range(5)]
    pages = list(client.get_paginator("list_pipeline_executions").paginate(pipelineName="web", PaginationConfig={"PageSize": 2}))
    check([len(page["pipelineExecutionSummaries"]) for page in pages] == [2, 2, 1], pages)
    listed = [one for page in pages for one in page["pipelineExecutionSummaries"]]
    check([one["pipelineExecutionId"] for one in listed] == identities[::-1], listed)
    is_moment(*(one[member] for one in listed for member in ("startTime", "lastUpdateTime")))
    check(listed[0]["trigger"]["triggerType"] == "StartPipelineExecution", listed[0])
    filtered = {"succeededInStage": {"stageName": "Staging"}}
    succeeded = client.list_pipeline_executions(pipelineName="api", filter=filtered)["pipelineExecutionSummaries"]
    check(len(succeeded) == 1 and succeeded[0]["status"] == "Succeeded", succeeded)
    listing = lambda: client.list_pipeline_executions(pipelineName="web", nextToken="made up")
    refused(client, "InvalidNextTokenException", listing)
    too_many = lambda: client.list_pipeline_executions(pipelineName="web", maxResults=101)
    refused(client, "ValidationException", too_many)


@case
def actions_are_listed(plain, full):
    """actions are listed page by page, of one execution, with what they gave and where their work is"""
    client = plain.codepipeline
    (run,) = client.list_pipeline_executions(pipelineName="api")["pipelineExecutionSummaries"]
    asked = {"pipelineName": "api", "filter": {"pipelineExecutionId": run["pipelineExecutionId"]}}
    pages = list(client.get_paginator("list_action_executions").paginate(**asked, PaginationConfig={"PageSize": 1}))
    actions = [one for page in pages for one in page["actionExecutionDetails"]]
    check([one["actionName"] for one in actions] == ["Deploy", "Build", "Source"], actions)
    check(len(pages) == 3 and {one["status"] for one in actions} == {"Succeeded"}, actions)
    is_moment(*(one[member] for one in actions for member in ("startTime", "lastUpdateTime")))
    check(":" in actions[1]["output"]["executionResult"]["externalExecutionId"], actions[1])
    latest = {"latestInPipelineExecution": {"pipelineExecutionId": run["pipelineExecutionId"], "startTimeRange": "Latest"}}
    found = client.list_action_executions(pipelineName="api", filter=latest)["actionExecutionDetails"]
    check(len(found) == 3, found)
    unknown = {"pipelineExecutionId": NOBODYS}
    refused(client, "PipelineExecutionNotFoundException", lambda: client.list_action_executions(pipelineName="api", filter=unknown))


@case
def a_failed_stage_is_retried(plain, full):
    """a failed stage is retried; one that has not failed is not"""
    client = plain.codepipeline
    failed = start(plain, "jobs", FAILING)
    ended(plain, "jobs", failed, "Failed")
    actions = client.list_action_executions(pipelineName="jobs", filter={"pipelineExecutionId": failed})["actionExecutionDetails"]
    details = actions[0]["output"]["executionResult"]["errorDetails"]
    check(details["code"] and details["message"], details)

    def retry(stage, identity=failed):
        asked = {"pipelineName": "jobs", "stageName": stage, "retryMode": "FAILED_ACTIONS"}
        return client.retry_stage_execution(pipelineExecutionId=identity, **asked)

    refused(client, "StageNotRetryableException", lambda: retry("Source"))
    refused(client, "StageNotFoundException", lambda: retry("Nope"))
    check(retry("Build")["pipelineExecutionId"] == failed, "another execution")

    def tried_twice():
        asked = {"pipelineName": "jobs", "filter": {"pipelineExecutionId": failed}}
        actions = client.list_action_executions(**asked)["actionExecutionDetails"]
        return [one["status"] for one in actions if one["actionName"] == "Build"] == ["Failed", "Failed"]

    until(RUN_SECONDS, "the build was not tried again", tried_twice)
    ended(plain, "jobs", failed, "Failed")


@case
def an_execution_is_stopped(plain, full):
    """an execution is stopped, or abandoned while it stops, and one that is over is not"""
    client = full.codepipeline
    identity = start(full, "jobs", GOOD)
    # The approval keeps it where it is.
    waits(full, "jobs", "Staging", "InProgress")

    def stop(**more):
        return client.stop_pipeline_execution(pipelineName="jobs", pipelineExecutionId=identity, reason="driven", **more)

    check(stop()["pipelineExecutionId"] == identity, "another execution")
    refused(client, "DuplicatedStopRequestException", stop)
    stop(abandon=True)
    ended(full, "jobs", identity, "Stopped")
    refused(client, "PipelineExecutionNotStoppableException", stop)


@case
def a_transition_is_held(plain, full):
    """a stage's transition is disabled with a reason, and enabled again"""
    client = plain.codepipeline
    asked = {"pipelineName": "jobs", "stageName": "Build", "transitionType": "Inbound"}
    client.disable_stage_transition(**asked, reason="Driven by boto3")
    (state,) = (one for one in client.get_pipeline_state(name="jobs")["stageStates"] if one["stageName"] == "Build")
    held = state["inboundTransitionState"]
    check(held["enabled"] is False and held["disabledReason"] == "Driven by boto3", held)
    is_moment(held["lastChangedAt"])
    client.enable_stage_transition(**asked)
    (state,) = (one for one in client.get_pipeline_state(name="jobs")["stageStates"] if one["stageName"] == "Build")
    check(state["inboundTransitionState"]["enabled"] is True, state)
    refused(client, "StageNotFoundException", lambda: client.enable_stage_transition(**asked | {"stageName": "Nope"}))
    refused(client, "ValidationException", lambda: client.disable_stage_transition(**asked, reason="no <tags>"))


@case
def an_approval_is_answered(plain, full):
    """an approval is answered once, by its token, and the stage goes on"""
    client = full.codepipeline
    identity = start(full, "api", GOOD)
    state = waits(full, "api", "Staging", "InProgress")
    (action,) = (one for one in state["actionStates"] if one["actionName"] == "Approve")
    token = action["latestExecution"]["token"]
    refused(client, "InvalidApprovalTokenException", lambda: answer(full, "api", NOBODYS))
    is_moment(answer(full, "api", token)["approvedAt"])
    refused(client, "ApprovalAlreadyCompletedException", lambda: answer(full, "api", token))
    result = {"summary": "", "status": "Approved"}
    nowhere = {"pipelineName": "api", "stageName": "Staging", "actionName": "Nope", "result": result, "token": token}
    refused(client, "ActionNotFoundException", lambda: client.put_approval_result(**nowhere))
    ended(full, "api", identity, "Succeeded")


@case
def a_stage_is_rolled_back(plain, full):
    """a stage is rolled back to an execution that went well there, which is an execution of its own"""
    client = plain.codepipeline
    (first,) = client.list_pipeline_executions(pipelineName="api")["pipelineExecutionSummaries"]

    def back(stage="Staging", target=first["pipelineExecutionId"], pipeline="api"):
        asked = {"pipelineName": pipeline, "stageName": stage, "targetPipelineExecutionId": target}
        return client.rollback_stage(**asked)["pipelineExecutionId"]

    (failed,) = client.list_pipeline_executions(pipelineName="jobs")["pipelineExecutionSummaries"]
    refused(client, "UnableToRollbackStageException", lambda: back("Build", failed["pipelineExecutionId"], "jobs"))
    refused(client, "PipelineExecutionNotFoundException", lambda: back(target=NOBODYS))
    refused(client, "StageNotFoundException", lambda: back("Nope"))
    rolled = ended(plain, "api", back(), "Succeeded")
    check(rolled["executionType"] == "ROLLBACK", rolled)
    check(rolled["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == first["pipelineExecutionId"], rolled)


# ---- CodeBuild and CloudWatch Logs.


def build_of(account, pipeline):
    """The id of a pipeline's last build, or batch of builds."""
    actions = account.codepipeline.list_action_executions(pipelineName=pipeline)["actionExecutionDetails"]
    (latest, *_) = (one for one in actions if one["actionName"] == "Build")
    return latest["output"]["executionResult"]["externalExecutionId"]


@case
def builds_are_read(plain, full):
    """builds are read by their ids, with their phases, and ids of nothing are told"""
    client = plain.codebuild
    identity = build_of(plain, "api")
    found = client.batch_get_builds(ids=[identity, "api:nope"])
    check(found["buildsNotFound"] == ["api:nope"], found["buildsNotFound"])
    (build,) = found["builds"]
    check(build["id"] == identity and build["buildStatus"] == "SUCCEEDED" and build["buildComplete"] is True, build)
    is_moment(build["startTime"], build["endTime"], *(phase["startTime"] for phase in build["phases"]))
    check(all(type(phase.get("durationInSeconds", 0)) is int for phase in build["phases"]), build["phases"])
    check(build["resolvedSourceVersion"] == GOOD, build)
    refused(client, "InvalidInputException", lambda: client.batch_get_builds(ids=[identity] * 101))


@case
def batches_are_read(plain, full):
    """batches of builds are read by their ids, and lead to their builds"""
    client = full.codebuild
    identity = build_of(full, "api")
    found = client.batch_get_build_batches(ids=[identity, "api:nope"])
    check(found["buildBatchesNotFound"] == ["api:nope"], found["buildBatchesNotFound"])
    (batch,) = found["buildBatches"]
    check(batch["buildBatchStatus"] == "SUCCEEDED" and batch["complete"] is True, batch)
    is_moment(batch["startTime"], batch["endTime"], *(phase["startTime"] for phase in batch["phases"]))
    arns = [group["currentBuildSummary"]["arn"] for group in batch["buildGroups"]]
    builds = client.batch_get_builds(ids=[arn.split(":build/")[1] for arn in arns])["builds"]
    check([build["buildBatchArn"] for build in builds] == [batch["arn"]] * len(arns), builds)


@case
def a_log_is_read(plain, full):
    """a build's log is read from its end, and page by page from its beginning, until a token leads nowhere new"""
    client = plain.logs
    (build,) = plain.codebuild.batch_get_builds(ids=[build_of(plain, "api")])["builds"]
    place = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
    whole = client.get_log_events(**place, startFromHead=True)["events"]
    check(len(whole) > 3 and all(type(event["timestamp"]) is int for event in whole), whole)
    last = client.get_log_events(**place, limit=2)["events"]
    check(last == whole[-2:], last)
    events, token = [], None
    while True:
        page = client.get_log_events(**place, startFromHead=True, limit=3, **({"nextToken": token} if token else {}))
        events += page["events"]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    check(events == whole, events)
    between = client.get_log_events(**place, startTime=whole[1]["timestamp"], endTime=whole[-1]["timestamp"])["events"]
    check(all(whole[1]["timestamp"] <= one["timestamp"] < whole[-1]["timestamp"] for one in between), between)
    refused(client, "ResourceNotFoundException", lambda: client.get_log_events(**place | {"logGroupName": "nope"}))
    refused(client, "ResourceNotFoundException", lambda: client.get_log_events(**place | {"logStreamName": "nope"}))
    refused(client, "InvalidParameterException", lambda: client.get_log_events(**place, nextToken="made up"))
    refused(client, "InvalidParameterException", lambda: client.get_log_events(**place, limit=10_001))


# ---- ECS.


@case
def services_are_described(plain, full):
    """services are described and waited for, and what is missing is told"""
    client = plain.ecs
    # The last of the executions that were listed, for no task is to come and go from here on.
    newest = plain.codepipeline.list_pipeline_executions(pipelineName="web", maxResults=1)["pipelineExecutionSummaries"][0]
    ended(plain, "web", newest["pipelineExecutionId"], "Succeeded")
    found = client.describe_services(cluster="staging", services=["api", "nope"])
    (service,), (failure,) = found["services"], found["failures"]
    check(failure["reason"] == "MISSING" and failure["arn"].endswith("/nope"), failure)
    check(service["status"] == "ACTIVE" and type(service["runningCount"]) is int, service)
    is_moment(service["createdAt"], *(one[member] for one in service["deployments"] for member in ("createdAt", "updatedAt")))
    client.get_waiter("services_stable").wait(cluster="staging", services=["api", "web", "jobs"], WaiterConfig=WAIT)
    try:
        client.get_waiter("services_stable").wait(cluster="staging", services=["nope"], WaiterConfig=WAIT)
    except WaiterError as error:
        check("MISSING" in str(error), error)
    else:
        raise Failed("a service that there is not is stable")
    refused(client, "ClusterNotFoundException", lambda: client.describe_services(cluster="nope", services=["api"]))
    refused(client, "InvalidParameterException", lambda: client.describe_services(cluster="staging", services=["a"] * 11))
    refused(client, "InvalidParameterException", lambda: client.describe_services(cluster="staging", services=[]))


@case
def deployments_are_described(plain, full):
    """a service's deployments are listed with tokens, newest first, and described, with their revisions"""
    client = plain.ecs
    listed, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = client.list_service_deployments(cluster="staging", service="api", maxResults=1, **more)
        listed += page["serviceDeployments"]
        token = page.get("nextToken")
        if not token:
            break
    check(len(listed) >= 2, listed)
    is_moment(*(one["createdAt"] for one in listed))
    check([one["createdAt"] for one in listed] == sorted((one["createdAt"] for one in listed), reverse=True), listed)
    after = client.list_service_deployments(cluster="staging", service="api", createdAt={"after": listed[1]["createdAt"]})
    check(listed[0] in after["serviceDeployments"] and listed[1] not in after["serviceDeployments"], after)
    arns = [one["serviceDeploymentArn"] for one in listed]
    found = client.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    check([one["serviceDeploymentArn"] for one in found] == arns, found)
    check(found[0]["status"] == "SUCCESSFUL" and type(found[0]["deploymentCircuitBreaker"]["threshold"]) is int, found[0])
    revision = found[0]["targetServiceRevision"]["arn"]
    (shown,) = client.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    check(shown["serviceRevisionArn"] == revision, shown)
    is_moment(shown["createdAt"])
    definition = client.describe_task_definition(taskDefinition=shown["taskDefinition"])["taskDefinition"]
    check(type(definition["revision"]) is int and definition["containerDefinitions"][0]["image"], definition)
    refused(client, "ClientException", lambda: client.describe_task_definition(taskDefinition="api:9999"))
    refused(client, "ServiceNotFoundException", lambda: client.list_service_deployments(cluster="staging", service="nope"))
    refused(client, "InvalidParameterException", lambda: client.describe_service_deployments(serviceDeploymentArns=[]))
    missing = client.describe_service_revisions(serviceRevisionArns=[revision + "0"])
    check(missing["failures"][0]["reason"] == "MISSING", missing)


@case
def tasks_are_described(plain, full):
    """tasks are listed page by page, described, and waited for"""
    client = plain.ecs
    pages = list(client.get_paginator("list_tasks").paginate(cluster="staging", PaginationConfig={"PageSize": 4}))
    arns = [arn for page in pages for arn in page["taskArns"]]
    check([len(page["taskArns"]) for page in pages] == [4, len(arns) - 4] and len(arns) >= 6, pages)
    found = client.describe_tasks(cluster="staging", tasks=arns)["tasks"]
    check([task["taskArn"] for task in found] == arns, found)
    is_moment(*(task["createdAt"] for task in found), *(task["startedAt"] for task in found))
    client.get_waiter("tasks_running").wait(cluster="staging", tasks=arns[:2], WaiterConfig=WAIT)
    stopped = client.list_tasks(cluster="staging", serviceName="api", desiredStatus="STOPPED")["taskArns"]
    client.get_waiter("tasks_stopped").wait(cluster="staging", tasks=stopped, WaiterConfig=WAIT)
    gone = client.describe_tasks(cluster="staging", tasks=[arns[0].rsplit("/", 1)[0] + "/" + "0" * 32])
    check(gone["failures"][0]["reason"] == "MISSING" and not gone["tasks"], gone)
    refused(client, "ServiceNotFoundException", lambda: client.list_tasks(cluster="staging", serviceName="nope"))
    refused(client, "ClusterNotFoundException", lambda: client.list_tasks(cluster="nope"))


# ---- EC2 and Elastic Load Balancing.


@case
def interfaces_are_described(plain, full):
    """the tasks' network interfaces are described, by their ids and page by page"""
    client = plain.ec2
    pages = list(client.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5}))
    interfaces = [one for page in pages for one in page["NetworkInterfaces"]]
    check([len(page["NetworkInterfaces"]) for page in pages] == [5, len(interfaces) - 5] and len(interfaces) >= 6, pages)
    one = interfaces[0]
    check(one["Association"]["PublicIp"] and one["Status"] == "in-use" and one["SourceDestCheck"] is True, one)
    asked = client.describe_network_interfaces(NetworkInterfaceIds=[one["NetworkInterfaceId"]])["NetworkInterfaces"]
    check(asked == [one], asked)
    arns = plain.ecs.list_tasks(cluster="staging")["taskArns"]
    tasks = plain.ecs.describe_tasks(cluster="staging", tasks=arns)["tasks"]
    details = [detail for task in tasks for attachment in task["attachments"] for detail in attachment["details"]]
    named = {detail["value"] for detail in details if detail["name"] == "networkInterfaceId"}
    check(named == {one["NetworkInterfaceId"] for one in interfaces}, named)
    check(not any("Association" in one for one in full.ec2.describe_network_interfaces()["NetworkInterfaces"]), "a public address")

    def describe(*ids, **more):
        return lambda: client.describe_network_interfaces(NetworkInterfaceIds=list(ids), **more)

    refused(client, "InvalidNetworkInterfaceID.NotFound", describe("eni-00000000000000000"))
    refused(client, "InvalidNetworkInterfaceId.Malformed", describe("nope"))
    refused(client, "InvalidParameterCombination", describe(one["NetworkInterfaceId"], MaxResults=5))
    refused(client, "InvalidParameterValue", lambda: client.describe_network_interfaces(MaxResults=1_001))
    waiter = client.get_waiter("network_interface_available")
    try:
        waiter.wait(NetworkInterfaceIds=["eni-00000000000000000"], WaiterConfig=WAIT)
    except WaiterError as error:
        check("InvalidNetworkInterfaceID.NotFound" in str(error), error)
    else:
        raise Failed("an interface that there is not is available")


@case
def load_balancers_are_described(plain, full):
    """load balancers, their target groups and listeners are described, page by page, and waited for"""
    client = full.elbv2

    def paged(operation, member, size, **asked):
        pages = list(client.get_paginator(operation).paginate(**asked, PaginationConfig={"PageSize": size}))
        check(len(pages) > 1 or len(pages[0][member]) <= size, pages)
        return [one for page in pages for one in page[member]]

    balancers = paged("describe_load_balancers", "LoadBalancers", 2)
    check([one["LoadBalancerName"] for one in balancers] == sorted(one["LoadBalancerName"] for one in balancers), balancers)
    check(len(balancers) == 4 and all(one["State"]["Code"] == "active" for one in balancers), balancers)
    arn = next(one["LoadBalancerArn"] for one in balancers if one["LoadBalancerName"] == "api")
    groups = paged("describe_target_groups", "TargetGroups", 3)
    check(len(groups) == 4 and all(type(one["Port"]) is int and one["HealthCheckEnabled"] is True for one in groups), groups)
    (group,) = client.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    check(group["LoadBalancerArns"] == [arn], group)
    (listener,) = paged("describe_listeners", "Listeners", 1, LoadBalancerArn=arn)
    check(listener["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}], listener)
    (service,) = full.ecs.describe_services(cluster="staging", services=["api"])["services"]
    check(service["loadBalancers"][0]["targetGroupArn"] == group["TargetGroupArn"], service)
    for waiter, names in (("load_balancer_exists", ["api"]), ("load_balancer_available", ["api"]), ("load_balancers_deleted", ["nope"])):
        client.get_waiter(waiter).wait(Names=names, WaiterConfig=WAIT)
    refused(client, "LoadBalancerNotFoundException", lambda: client.describe_load_balancers(Names=["nope"]))
    refused(client, "LoadBalancerNotFoundException", lambda: client.describe_listeners(LoadBalancerArn=arn + "0"))
    refused(client, "TargetGroupNotFoundException", lambda: client.describe_target_groups(Names=["nope"]))
    refused(client, "ValidationError", lambda: client.describe_listeners())
    refused(client, "ValidationError", lambda: client.describe_load_balancers(Marker="made up"))
    check(plain.elbv2.describe_load_balancers()["LoadBalancers"] == [], "a load balancer where there is none")


# ---- SQS and Parameter Store. How they behave in time, compare.py compares with others.


@case
def a_queue_is_used(plain, full):
    """a queue is created, found, written to, read, and emptied, alone and in batches"""
    client = plain.sqs
    dead = client.create_queue(QueueName="driven-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    settings = {"VisibilityTimeout": "43200", "RedrivePolicy": policy}
    url = client.create_queue(QueueName="driven", Attributes=settings)["QueueUrl"]
    check(client.get_queue_url(QueueName="driven")["QueueUrl"] == url, url)
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    check(json.loads(attributes["RedrivePolicy"]) == json.loads(policy), attributes)
    kind = {"Kind": {"DataType": "String", "StringValue": "push"}}
    sent = client.send_message(QueueUrl=url, MessageBody="one", MessageAttributes=kind)
    check(sent["MD5OfMessageBody"] == hashlib.md5(b"one").hexdigest(), sent)
    entries = [{"Id": str(at), "MessageBody": f"of {at}"} for at in range(9)]
    entries.append({"Id": "late", "MessageBody": "never", "DelaySeconds": 901})
    answer = client.send_message_batch(QueueUrl=url, Entries=entries)
    check(len(answer["Successful"]) == 9 and answer["Failed"][0]["SenderFault"] is True, answer)
    got = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"]
    check(len(got) == 10 and got[0]["MessageAttributes"] == kind, got)
    check(got[0]["Attributes"]["SentTimestamp"].isdigit(), got[0])
    last = got.pop()
    client.change_message_visibility(QueueUrl=url, ReceiptHandle=last["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = client.receive_message(QueueUrl=url)["Messages"]
    check(again["MessageId"] == last["MessageId"], again)
    client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    handles = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(got)]
    check(len(client.delete_message_batch(QueueUrl=url, Entries=handles)["Successful"]) == 9, "not all are deleted")
    check("Messages" not in client.receive_message(QueueUrl=url), "a message is left")
    refused(client, "QueueDoesNotExist", lambda: client.get_queue_url(QueueName="nope"))
    refused(client, "QueueNameExists", lambda: client.create_queue(QueueName="driven", Attributes={"VisibilityTimeout": "1"}))
    refused(client, "ReceiptHandleIsInvalid", lambda: client.delete_message(QueueUrl=url, ReceiptHandle="made up"))
    refused(client, "InvalidMessageContents", lambda: client.send_message(QueueUrl=url, MessageBody="\x00"))
    refused(client, "EmptyBatchRequest", lambda: client.send_message_batch(QueueUrl=url, Entries=[]))


@case
def dead_letters_are_moved(plain, full):
    """messages are moved out of a dead-letter queue, the task is listed, and it is cancelled"""
    client = plain.sqs
    dead = client.create_queue(QueueName="moved-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    work = client.create_queue(QueueName="moved", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    target = client.get_queue_attributes(QueueUrl=work, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    entries = [{"Id": str(at), "MessageBody": f"of {at}"} for at in range(10)]
    # So many that at one a second, in hurried seconds, the first task is still at it when it is cancelled.
    for _ in range(30):
        check(len(client.send_message_batch(QueueUrl=dead, Entries=entries)["Successful"]) == 10, "not all are sent")
    slowly = dict(SourceArn=arn, DestinationArn=target, MaxNumberOfMessagesPerSecond=1)
    handle = client.start_message_move_task(**slowly)["TaskHandle"]
    refused(client, "UnsupportedOperation", lambda: client.start_message_move_task(**slowly))
    (task,) = client.list_message_move_tasks(SourceArn=arn)["Results"]
    check(task["Status"] == "RUNNING" and task["TaskHandle"] == handle, task)
    check(task["ApproximateNumberOfMessagesToMove"] == 300 and task["SourceArn"] == arn, task)
    check(type(client.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]) is int, task)
    client.start_message_move_task(SourceArn=arn, DestinationArn=target)
    newest = lambda: client.list_message_move_tasks(SourceArn=arn, MaxResults=10)["Results"][0]
    until(20, newest, lambda: newest()["Status"] == "COMPLETED")
    check(client.list_message_move_tasks(SourceArn=arn, MaxResults=10)["Results"][1]["Status"] == "CANCELLED", newest())
    check("Messages" not in client.receive_message(QueueUrl=dead), "a message is left")
    missing = lambda: client.start_message_move_task(SourceArn=arn + "-nope")
    refused(client, "ResourceNotFoundException", missing, status=404)
    refused(client, "ResourceNotFoundException", lambda: client.cancel_message_move_task(TaskHandle="made up"), status=404)


@case
def parameters_are_used(plain, full):
    """parameters are put, read with and without decryption, and versions are kept"""
    client = plain.ssm
    first = client.put_parameter(Name="/driven/one", Value="1", Type="String")
    check(first["Version"] == 1 and first["Tier"] == "Standard", first)
    client.put_parameter(Name="/driven/two", Value="2", Type="SecureString")
    parameter = client.get_parameter(Name="/driven/two", WithDecryption=True)["Parameter"]
    check(parameter["Value"] == "2" and type(parameter["Version"]) is int, parameter)
    is_moment(parameter["LastModifiedDate"])
    check(client.get_parameter(Name="/driven/two")["Parameter"]["Value"] != "2", "it was decrypted")
    names = ["/driven/one", "/driven/nope", "/aws/reference/secretsmanager/pipehook-webhook"]
    found = client.get_parameters(Names=names, WithDecryption=True)
    check(found["InvalidParameters"] == ["/driven/nope"], found)
    check({one["Value"] for one in found["Parameters"]} == {"1", plain.place["webhook_secret"]}, found)
    refused(client, "ParameterNotFound", lambda: client.get_parameter(Name="/driven/nope"))
    refused(client, "ParameterVersionNotFound", lambda: client.get_parameter(Name="/driven/one:2"))
    refused(client, "ParameterAlreadyExists", lambda: client.put_parameter(Name="/driven/one", Value="2", Type="String"))
    braces = lambda: client.put_parameter(Name="/driven/braces", Value="{{x}}", Type="String")
    refused(client, "ValidationException", braces)
    deep = lambda: client.put_parameter(Name="/a" * 16, Value="v", Type="String")
    refused(client, "HierarchyLevelLimitExceededException", deep)
    refused(client, "ValidationException", lambda: client.get_parameters(Names=[f"/p{at}" for at in range(11)]))


# ---- What the functions are set up as.


@case
def functions_are_described(plain, full):
    """functions are described with their URL, its permissions, and what feeds them"""
    client = plain.__dict__["lambda"]
    resources = plain.cloudformation.list_stack_resources(StackName="pipehook")["StackResourceSummaries"]
    physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    webhook, worker = physical["Webhook"], physical["Worker"]
    configuration = client.get_function_configuration(FunctionName=worker)
    check(configuration["Timeout"] == 30 and configuration["State"] == "Active", configuration)
    check(configuration["Environment"]["Variables"]["PIPEHOOK_QUEUE_URL"] == physical["Queue"], configuration)
    check(client.get_function_url_config(FunctionName=webhook)["AuthType"] == "NONE", "the URL is not public")
    statements = json.loads(client.get_policy(FunctionName=webhook)["Policy"])["Statement"]
    actions = {statement["Action"] for statement in statements}
    check(actions == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}, statements)
    (mapping,) = client.list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    is_recent(mapping["LastModified"])
    check(mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], mapping)
    arn = mapping["EventSourceArn"]
    check(not client.list_event_source_mappings(FunctionName=webhook, EventSourceArn=arn)["EventSourceMappings"], "fed")
    check(client.get_function_recursion_config(FunctionName=worker)["RecursiveLoop"] == "Allow", "it is stopped")
    check("ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=worker), "reserved")
    for call in (client.get_function_configuration, client.get_function_url_config, client.get_policy):
        refused(client, "ResourceNotFoundException", lambda call=call: call(FunctionName="nope"), status=404)
    refused(client, "ResourceNotFoundException", lambda: client.get_policy(FunctionName=worker), status=404)


@case
def a_rule_is_described(plain, full):
    """a rule of EventBridge is described with its pattern and its targets"""
    client = plain.events
    resources = plain.cloudformation.list_stack_resources(StackName="pipehook")["StackResourceSummaries"]
    (name,) = (one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == "PipelineEvents")
    rule = client.describe_rule(Name=name)
    check(rule["State"] == "ENABLED" and json.loads(rule["EventPattern"])["source"] == ["aws.codepipeline"], rule)
    (target,) = client.list_targets_by_rule(Rule=name)["Targets"]
    check(target["Arn"].endswith(":pipehook"), target)
    refused(client, "ResourceNotFoundException", lambda: client.describe_rule(Name="nope"))
    refused(client, "ResourceNotFoundException", lambda: client.list_targets_by_rule(Rule="nope"))


@case
def a_connection_is_described(plain, full):
    """the connection that a source action names is available, and one that is not there is refused"""
    stages = plain.codepipeline.get_pipeline(name="api")["pipeline"]["stages"]
    arn = stages[0]["actions"][0]["configuration"]["ConnectionArn"]
    found = plain.codeconnections.get_connection(ConnectionArn=arn)["Connection"]
    check(found["ConnectionStatus"] == "AVAILABLE" and found["ConnectionArn"] == arn, found)
    missing = lambda: plain.codeconnections.get_connection(ConnectionArn=arn[:-1] + "0")
    refused(plain.codeconnections, "ResourceNotFoundException", missing)


@case
def who_asks_is_told(plain, full):
    """who asks is told who it is"""
    found = plain.sts.get_caller_identity()
    check(found["Account"] == plain.place["account"] and found["Arn"].endswith(":user/driver"), found)


@case
def what_is_not_stood_in_for(plain, full):
    """what the stand-in has not is refused, and not made up"""
    refused(plain.codepipeline, "UnknownOperationException", plain.codepipeline.list_pipelines)
    refused(plain.ecs, "UnknownOperationException", plain.ecs.list_clusters)
    refused(plain.sqs, "InvalidAction", plain.sqs.list_queues)
    refused(plain.ec2, "InvalidAction", plain.ec2.describe_vpcs)
    refused(plain.elbv2, "InvalidAction", plain.elbv2.describe_account_limits)
