"""What compare.py asks: of SQS and Parameter Store what the functions of pipehook rely on, and what they must not do."""

import hashlib
import json
import struct
import time
from collections import namedtuple

from botocore.exceptions import ClientError

Secret = namedtuple("Secret", "name value")
# The secret that `pipehook dev` begins with.
SECRET = Secret("pipehook-webhook", "development-secret")
REFERENCE = "/aws/reference/secretsmanager/"
ALL = []


def case(function):
    ALL.append(function)
    return function


def outcome(call, show=lambda answer: "ok"):
    """What a call gives: what is shown of its answer, or its error."""
    try:
        return show(call())
    except ClientError as error:
        # The type is what people catch: client.exceptions.X.
        return f"{error.response['Error']['Code']} as {type(error).__name__}"


# ---- SQS.


def make(cloud, name, **attributes):
    settings = {key: str(value) for key, value in attributes.items()}
    return cloud.sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]


def send(cloud, url, body="hello", **more):
    return cloud.sqs.send_message(QueueUrl=url, MessageBody=body, **more)


def receive(cloud, url, most=10, **more):
    answer = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, MessageSystemAttributeNames=["All"], **more)
    return answer.get("Messages", [])


def one(cloud, url, **more):
    (message,) = receive(cloud, url, **more)
    return message


def counts(cloud, url):
    """Visible, in flight, delayed."""
    names = ["", "NotVisible", "Delayed"]
    asked = [f"ApproximateNumberOfMessages{name}" for name in names]
    found = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]
    return " ".join(found[name] for name in asked)


def arn(name):
    return f"arn:aws:sqs:us-east-1:123456789012:{name}"


def policy(cloud, target, receives):
    return json.dumps({"deadLetterTargetArn": arn(target).replace("123456789012", cloud.account), "maxReceiveCount": receives})


def md5_of_attributes(attributes):
    """As SQS's developer guide has it, "Calculating the MD5 message digest for message attributes"."""
    digest = hashlib.md5()
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name, value["DataType"]):
            digest.update(struct.pack(">I", len(part.encode())) + part.encode())
        text = value["StringValue"].encode()
        digest.update(b"\x01" + struct.pack(">I", len(text)) + text)
    return digest.hexdigest()


@case
def queue_as_created(cloud):
    url = make(cloud, "created")
    found = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    stable = {name: value for name, value in found.items() if not name.endswith("Timestamp")}
    return {
        "path": url.split("/", 3)[3].replace(cloud.account, "ACCOUNT"),
        "found by name": cloud.sqs.get_queue_url(QueueName="created")["QueueUrl"] == url,
        "moments are whole seconds": all(found[f"{name}Timestamp"].isdigit() for name in ("Created", "LastModified")),
    } | stable


@case
def queue_settings(cloud):
    def create(name, **attributes):
        return outcome(lambda: make(cloud, name, **attributes))

    make(cloud, "settings-dead")
    return {
        "made": create("settings", VisibilityTimeout=7),
        "made again": create("settings", VisibilityTimeout=7),
        "made with another setting": create("settings", VisibilityTimeout=8),
        "without a name": create(""),
        "a name with a blank": create("a b"),
        "a name of 81": create("a" * 81),
        "visibility of 43,201": create("settings-1", VisibilityTimeout=43_201),
        "retention of 59": create("settings-2", MessageRetentionPeriod=59),
        "an unknown setting": create("settings-3", Nonsense=1),
        "a redrive to nowhere": create("settings-4", RedrivePolicy=policy(cloud, "nowhere", 3)),
        "a redrive of 0": create("settings-5", RedrivePolicy=policy(cloud, "settings-dead", 0)),
        "a redrive of 1,001": create("settings-6", RedrivePolicy=policy(cloud, "settings-dead", 1_001)),
        "a redrive that is no JSON": create("settings-7", RedrivePolicy="settings-dead"),
        "a redrive whose number is a text": create("settings-8", RedrivePolicy=policy(cloud, "settings-dead", "3")),
    }


@case
def no_such_queue(cloud):
    url = make(cloud, "existing").replace("existing", "missing")
    sqs = cloud.sqs
    return {
        "GetQueueUrl": outcome(lambda: sqs.get_queue_url(QueueName="missing")),
        "SendMessage": outcome(lambda: send(cloud, url)),
        "SendMessageBatch": outcome(lambda: sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "b"}])),
        "ReceiveMessage": outcome(lambda: receive(cloud, url)),
        "DeleteMessage": outcome(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle="x")),
        "GetQueueAttributes": outcome(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])),
    }


@case
def a_message_and_its_digests(cloud):
    url = make(cloud, "digests")
    body = "deploy ✓ \U0001f680\n"
    attributes = {
        "Trace.Id": {"DataType": "String", "StringValue": "één"},
        "Trace.Try": {"DataType": "Number", "StringValue": "3"},
        "Other": {"DataType": "String.json", "StringValue": "{}"},
    }
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    sent = send(cloud, url, body, MessageAttributes=attributes, MessageSystemAttributes=header)
    got = one(cloud, url, MessageAttributeNames=["Trace.*"])
    chosen = {name: value for name, value in attributes.items() if name.startswith("Trace.")}
    shown = {name: {key: value[key] for key in ("DataType", "StringValue")} for name, value in got.get("MessageAttributes", {}).items()}
    return {
        "sent body": sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest(),
        "sent attributes": sent.get("MD5OfMessageAttributes") == md5_of_attributes(attributes),
        "sent system attributes": sent.get("MD5OfMessageSystemAttributes") == md5_of_attributes(header),
        "same id": sent["MessageId"] == got["MessageId"],
        "body": got["Body"] == body and got["MD5OfBody"] == sent["MD5OfMessageBody"],
        "attributes by a prefix": shown == chosen,
        "digest of those": got.get("MD5OfMessageAttributes") == md5_of_attributes(chosen),
        "trace header": got["Attributes"].get("AWSTraceHeader") == header["AWSTraceHeader"]["StringValue"],
        "system attributes": " ".join(sorted(got["Attributes"])),
    }


@case
def attributes_that_are_not_asked_for(cloud):
    url = make(cloud, "not-asked")
    send(cloud, url, MessageAttributes={"Kind": {"DataType": "String", "StringValue": "push"}})
    (got,) = cloud.sqs.receive_message(QueueUrl=url)["Messages"]
    return {"members": " ".join(sorted(got))}


@case
def nothing_to_receive(cloud):
    url = make(cloud, "empty")
    answer = cloud.sqs.receive_message(QueueUrl=url)
    answer.pop("ResponseMetadata")
    return {"answer": json.dumps(answer)}


@case
def a_delay(cloud):
    url = make(cloud, "delay")
    send(cloud, url, "now")
    send(cloud, url, "later", DelaySeconds=2)
    first = [message["Body"] for message in receive(cloud, url, VisibilityTimeout=60)]
    counted = counts(cloud, url)
    time.sleep(2.3)
    later = one(cloud, url)
    return {
        "at once": " ".join(first),
        "visible, in flight, delayed": counted,
        "later": later["Body"],
        "received": later["Attributes"]["ApproximateReceiveCount"],
    }


@case
def a_delay_that_is_refused(cloud):
    url = make(cloud, "delays")
    said = {f"{seconds} s": outcome(lambda: send(cloud, url, DelaySeconds=seconds)) for seconds in (901, -1, 900)}
    entries = [{"Id": "good", "MessageBody": "a", "DelaySeconds": 900}, {"Id": "bad", "MessageBody": "b", "DelaySeconds": 901}]
    return said | {"in a batch": outcome(lambda: cloud.sqs.send_message_batch(QueueUrl=url, Entries=entries), batch)}


@case
def a_visibility_timeout(cloud):
    url = make(cloud, "visibility", VisibilityTimeout=2)
    send(cloud, url)
    first = one(cloud, url)
    hidden = len(receive(cloud, url))
    counted = counts(cloud, url)
    time.sleep(2.3)
    second = one(cloud, url, VisibilityTimeout=60)
    since = "ApproximateFirstReceiveTimestamp"
    return {
        "meanwhile": hidden,
        "visible, in flight, delayed": counted,
        "same id": first["MessageId"] == second["MessageId"],
        "same handle": first["ReceiptHandle"] == second["ReceiptHandle"],
        "received": [message["Attributes"]["ApproximateReceiveCount"] for message in (first, second)],
        "first received at the same moment": first["Attributes"][since] == second["Attributes"][since],
        "sent at the same moment": first["Attributes"]["SentTimestamp"] == second["Attributes"]["SentTimestamp"],
        "the receive's own timeout holds": len(receive(cloud, url)),
    }


@case
def a_visibility_timeout_that_is_changed(cloud):
    url = make(cloud, "change")
    send(cloud, url)
    first = one(cloud, url)

    def change(handle, seconds):
        call = cloud.sqs.change_message_visibility
        return outcome(lambda: call(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=seconds))

    said = {
        "to 43,201": change(first["ReceiptHandle"], 43_201),
        "to -1": change(first["ReceiptHandle"], -1),
        "to 0": change(first["ReceiptHandle"], 0),
        "then visible, in flight, delayed": counts(cloud, url),
    }
    second = one(cloud, url)
    cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    return said | {
        "received": second["Attributes"]["ApproximateReceiveCount"],
        "of one that is deleted": change(second["ReceiptHandle"], 5),
        "of no handle": change("no handle", 5),
    }


@case
def a_visibility_timeout_of_what_is_visible(cloud):
    url = make(cloud, "visible", VisibilityTimeout=0)
    send(cloud, url)
    handle = one(cloud, url)["ReceiptHandle"]
    call = cloud.sqs.change_message_visibility
    return {"changed": outcome(lambda: call(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=5))}


@case
def a_message_is_deleted(cloud):
    url = make(cloud, "delete", VisibilityTimeout=1)
    send(cloud, url)
    old = one(cloud, url)["ReceiptHandle"]
    time.sleep(1.3)
    new = one(cloud, url, VisibilityTimeout=60)["ReceiptHandle"]

    def delete(handle):
        return outcome(lambda: cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=handle))

    return {
        "by its last handle": delete(new),
        "then visible, in flight, delayed": counts(cloud, url),
        "again": delete(new),
        "by an older handle": delete(old),
        "by no handle": delete("no handle"),
        "by an empty handle": delete(""),
    }


@case
def an_older_handle(cloud):
    url = make(cloud, "older", VisibilityTimeout=1)
    send(cloud, url)
    old = one(cloud, url)["ReceiptHandle"]
    time.sleep(1.3)
    one(cloud, url, VisibilityTimeout=60)
    said = outcome(lambda: cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=old))
    return {"deletes": said, "then visible, in flight, delayed": counts(cloud, url)}


@case
def a_redrive(cloud):
    dead = make(cloud, "redrive-dead")
    url = make(cloud, "redrive", VisibilityTimeout=0, RedrivePolicy=policy(cloud, "redrive-dead", 2))
    sent = send(cloud, url, "poison")
    receives = [len(receive(cloud, url)) for _ in range(3)]
    letter = one(cloud, dead)
    return {
        "receives": receives,
        "left": counts(cloud, url),
        "same id": letter["MessageId"] == sent["MessageId"],
        "received": letter["Attributes"]["ApproximateReceiveCount"],
        "came from": letter["Attributes"].get("DeadLetterQueueSourceArn"),
    }


def batch(answer):
    done = " ".join(sorted(entry["Id"] for entry in answer.get("Successful", [])))
    failed = [f"{entry['Id']}: {entry['Code']}{' (sender)' if entry['SenderFault'] else ''}" for entry in answer.get("Failed", [])]
    return f"done: {done}; failed: {', '.join(failed)}"


@case
def a_batch(cloud):
    url = make(cloud, "batch")

    def entries(*ids, body="x"):
        listed = [{"Id": one, "MessageBody": body} for one in ids]
        return outcome(lambda: cloud.sqs.send_message_batch(QueueUrl=url, Entries=listed), batch)

    said = {
        "of ten": entries(*"abcdefghij"),
        "of eleven": entries(*"abcdefghijk"),
        "of none": entries(),
        "of the same ids": entries("a", "a"),
        "of a wrong id": entries("a b"),
        "of an empty id": entries(""),
        "of an id of 81": entries("a" * 81),
        "of two that are too long together": entries("a", "b", body="x" * 600_000),
        "with an empty body": entries("a", body=""),
    }
    got = receive(cloud, url)
    handles = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(got)]

    def delete(listed):
        return outcome(lambda: cloud.sqs.delete_message_batch(QueueUrl=url, Entries=listed), batch)

    return said | {
        "received": len(got),
        "deleted, with a handle that is none": delete([*handles[:2], {"Id": "bad", "ReceiptHandle": "no handle"}]),
        "deleted, of the same ids": delete([handles[2], handles[2]]),
        "deleted, none": delete([]),
        "deleted, eleven": delete([{"Id": str(at), "ReceiptHandle": "x"} for at in range(11)]),
        "left": counts(cloud, url),
    }


@case
def what_may_be_received(cloud):
    url = make(cloud, "receives")

    def ask(**more):
        return outcome(lambda: cloud.sqs.receive_message(QueueUrl=url, **more))

    return {
        "eleven": ask(MaxNumberOfMessages=11),
        "none": ask(MaxNumberOfMessages=0),
        "hidden for 43,201 s": ask(VisibilityTimeout=43_201),
        "hidden for -1 s": ask(VisibilityTimeout=-1),
        "waiting for 21 s": ask(WaitTimeSeconds=21),
        "an unknown attribute": ask(AttributeNames=["Nonsense"]),
    }


@case
def what_may_be_sent(cloud):
    url = make(cloud, "sends")

    def attempt(body="x", **attributes):
        return outcome(lambda: send(cloud, url, body, MessageAttributes=attributes))

    def text(value, kind="String"):
        return {"DataType": kind, "StringValue": value}

    return {
        "nothing": attempt(""),
        "1 MiB": attempt("x" * 1_048_576),
        "1 MiB and a byte": attempt("x" * 1_048_577),
        "a mebibyte with its attribute": attempt("x" * 1_048_570, Kind=text("push")),
        "a NUL": attempt("a\0b"),
        "an escape": attempt("\x1b[31m"),
        "a tab": attempt("a\tb"),
        "ten attributes": attempt(**{f"A{at}": text("v") for at in range(10)}),
        "eleven attributes": attempt(**{f"A{at}": text("v") for at in range(11)}),
        "an empty attribute": attempt(Kind=text("")),
        "an attribute of no type": attempt(Kind=text("v", "Text")),
    }


@case
def what_is_asked_of_a_queue(cloud):
    url = make(cloud, "asked")

    def ask(*names):
        call = cloud.sqs.get_queue_attributes
        return outcome(lambda: call(QueueUrl=url, AttributeNames=list(names)), lambda answer: " ".join(sorted(answer.get("Attributes", {}))))

    return {
        "one": ask("VisibilityTimeout"),
        "none": ask(),
        "an unknown one": ask("Nonsense"),
        "a redrive policy that there is not": ask("RedrivePolicy"),
    }


# ---- Parameter Store.


def put(cloud, name, value="v", kind="String", **more):
    return cloud.ssm.put_parameter(Name=name, Value=value, **({"Type": kind} if kind else {}), **more)


def show(parameter):
    """A parameter without when it was changed."""
    return {name: value for name, value in parameter.items() if name != "LastModifiedDate"}


def get(cloud, name, decrypted=False, part="Value"):
    call = cloud.ssm.get_parameter
    return outcome(lambda: call(Name=name, WithDecryption=decrypted), lambda answer: answer["Parameter"].get(part))


def get_all(cloud, *names, decrypted=True):
    def told(answer):
        found = sorted(f"{one['Name']}{one.get('Selector', '')}={one['Value']}" for one in answer["Parameters"])
        return f"found: {' '.join(found)}; invalid: {' '.join(sorted(answer['InvalidParameters']))}"

    return outcome(lambda: cloud.ssm.get_parameters(Names=list(names), WithDecryption=decrypted), told)


@case
def a_parameter(cloud):
    answer = put(cloud, "/parameter/plain", "[github]")
    parameter = cloud.ssm.get_parameter(Name="/parameter/plain")["Parameter"]
    shown = show(parameter)
    return {
        "put": f"version {answer['Version']}, {answer.get('Tier')}",
        "changed at": type(parameter["LastModifiedDate"]).__name__,
    } | shown


@case
def a_parameter_that_is_put_again(cloud):
    def again(value, **more):
        return outcome(lambda: put(cloud, "/again", value, **more), lambda answer: answer["Version"])

    return {
        "first": again("one"),
        "again": again("two"),
        "overwritten": again("two", Overwrite=True),
        "overwritten without a type": again("three", kind=None, Overwrite=True),
        "then": get(cloud, "/again"),
        "version": get(cloud, "/again", part="Version"),
        "first version": get(cloud, "/again:1"),
        "first version's name": get(cloud, "/again:1", part="Name"),
        "first version's selector": get(cloud, "/again:1", part="Selector"),
        "version that there is not": get(cloud, "/again:9"),
        "version 0": get(cloud, "/again:0"),
        "label that there is not": get(cloud, "/again:prod"),
        "versions among others": get_all(cloud, "/again:1", "/again:2", "/again:9"),
    }


@case
def a_secret_parameter(cloud):
    put(cloud, "/secure", "s3cret", "SecureString")
    hidden = get(cloud, "/secure")
    return {
        "encrypted": hidden != "s3cret",
        "decrypted": get(cloud, "/secure", True),
        "type": get(cloud, "/secure", True, "Type"),
        "among others": get_all(cloud, "/secure"),
        "among others, encrypted": "=s3cret;" not in get_all(cloud, "/secure", decrypted=False),
    }


@case
def parameters_that_there_are_not(cloud):
    put(cloud, "/there", "yes")
    put(cloud, "relative", "also")
    return {
        "one": get(cloud, "/nope"),
        "among others": get_all(cloud, "/there", "/nope", "/nor-this"),
        "all": get_all(cloud, "/nope"),
        "a relative name": get(cloud, "relative"),
        "by its ARN": get(cloud, f"arn:aws:ssm:us-east-1:{cloud.account}:parameter/there"),
        "ten": get_all(cloud, "/there", *(f"/nope{at}" for at in range(9))),
        "eleven": get_all(cloud, "/there", *(f"/nope{at}" for at in range(10))),
        "none": get_all(cloud),
        "the same twice": get_all(cloud, "/there", "/there"),
    }


@case
def secrets_by_reference(cloud):
    name = REFERENCE + SECRET.name
    put(cloud, "/beside", "yes")
    return {
        "decrypted": get(cloud, name, True),
        "name": get(cloud, name, True, "Name"),
        "type": get(cloud, name, True, "Type"),
        "version": get(cloud, name, True, "Version"),
        "not decrypted": get(cloud, name),
        "one that there is not": get(cloud, f"{REFERENCE}nope", True),
        "among others": get_all(cloud, name, "/beside"),
        "among others, not decrypted": get_all(cloud, name, "/beside", decrypted=False),
        "among others, one that there is not": get_all(cloud, f"{REFERENCE}nope", "/beside"),
        "put": outcome(lambda: put(cloud, f"{REFERENCE}mine")),
    }


@case
def parameters_that_are_refused(cloud):
    def attempt(name, value="v", kind="String", **more):
        return outcome(lambda: put(cloud, name, value, kind, **more), lambda answer: answer.get("Tier"))

    return {
        "without a type": attempt("/refused/typeless", kind=None),
        "of another type": attempt("/refused/type", kind="Text"),
        "empty": attempt("/refused/empty", ""),
        "4,096": attempt("/refused/4096", "x" * 4096),
        "4,097": attempt("/refused/4097", "x" * 4097),
        "8,192, advanced": attempt("/refused/8192", "x" * 8192, Tier="Advanced"),
        "8,193, advanced": attempt("/refused/8193", "x" * 8193, Tier="Advanced"),
        "4,097, intelligent": attempt("/refused/intelligent", "x" * 4097, Tier="Intelligent-Tiering"),
        "a blank in the name": attempt("/refused/a b"),
        "a colon in the name": attempt("/refused/a:b"),
        "no slash first": attempt("refused/relative"),
        "a slash last": attempt("/refused/last/"),
        "aws first": attempt("/aws/refused"),
        "aws first, as a word's beginning": attempt("/awsome"),
        "ssm first": attempt("ssm-refused"),
        "15 levels": attempt("/a" * 15),
        "16 levels": attempt("/a" * 16),
    }
