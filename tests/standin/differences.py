"""Where the stand-in says something else than moto or MiniStack, and why it is right.

Each reason is followed by what it is the reason of: who was asked, the case and the name of the outcome, and what they say.
Where the reason names an operation, the AWS API reference says so on its page, and mostly in botocore's model too.
"""

from collections import namedtuple

Difference = namedtuple("Difference", "theirs why")

REASONS = [
    (
        "The SQS API reference bounds these: DelaySeconds 0 to 900, VisibilityTimeout 0 to 43,200, WaitTimeSeconds 0 to 20, "
        "MessageRetentionPeriod 60 to 1,209,600, maxReceiveCount 1 to 1,000. What is out of bounds is refused.",
        {
            ("moto", "a_delay_that_is_refused: -1 s"): "ok",
            ("moto", "a_visibility_timeout_that_is_changed: to -1"): "ok",
            ("moto", "queue_settings: a redrive of 0"): "ok",
            ("moto", "queue_settings: a redrive of 1,001"): "ok",
            ("moto", "queue_settings: retention of 59"): "ok",
            ("moto", "queue_settings: visibility of 43,201"): "ok",
            ("moto", "what_may_be_received: hidden for -1 s"): "ok",
            ("MiniStack", "a_delay_that_is_refused: -1 s"): "ok",
            ("MiniStack", "a_delay_that_is_refused: 901 s"): "ok",
            ("MiniStack", "a_delay_that_is_refused: in a batch"): "done: bad good; failed: ",
            ("MiniStack", "a_visibility_timeout_that_is_changed: to -1"): "ok",
            ("MiniStack", "a_visibility_timeout_that_is_changed: to 43,201"): "ok",
            ("MiniStack", "what_may_be_received: hidden for -1 s"): "ok",
            ("MiniStack", "what_may_be_received: hidden for 43,201 s"): "ok",
            ("MiniStack", "what_may_be_received: waiting for 21 s"): "ok",
        },
    ),
    (
        "A queue's name has 1 to 80 letters, digits, hyphens and underscores (CreateQueue), and one that has not is an "
        "InvalidParameterValue, as moto has it.",
        {
            ("MiniStack", "queue_settings: a name of 81"): "ok",
            ("MiniStack", "queue_settings: a name with a blank"): "ok",
            ("MiniStack", "queue_settings: without a name"): "MissingParameter as ClientError",
        },
    ),
    (
        "A redrive policy that can't be is an InvalidParameterValue for what the policy is a value of; so it is recorded from "
        "the service where the target does not exist.",
        {
            ("moto", "queue_settings: a redrive that is no JSON"): "500 as ClientError",
            ("moto", "queue_settings: a redrive to nowhere"): "AWS.SimpleQueueService.NonExistentQueue as QueueDoesNotExist",
            ("MiniStack", "queue_settings: a redrive of 0"): "InvalidAttributeValue as InvalidAttributeValue",
            ("MiniStack", "queue_settings: a redrive of 1,001"): "InvalidAttributeValue as InvalidAttributeValue",
            ("MiniStack", "queue_settings: a redrive that is no JSON"): "InvalidAttributeValue as InvalidAttributeValue",
            ("MiniStack", "queue_settings: a redrive to nowhere"): "InvalidAttributeValue as InvalidAttributeValue",
        },
    ),
    (
        "CreateQueue has an error InvalidAttributeName, and GetQueueAttributes too. A misspelt setting must not be passed over.",
        {
            ("moto", "queue_settings: an unknown setting"): "ok",
            ("MiniStack", "queue_settings: an unknown setting"): "ok",
            ("MiniStack", "what_is_asked_of_a_queue: an unknown one"): "",
        },
    ),
    (
        "ReceiveMessage's model names the attributes that can be asked for. A misspelt one must not be passed over.",
        {
            ("moto", "what_may_be_received: an unknown attribute"): "ok",
            ("MiniStack", "what_may_be_received: an unknown attribute"): "ok",
        },
    ),
    (
        "Without names GetQueueAttributes tells none: AttributeNames is the list of what is wanted (moto does the same).",
        {
            ("MiniStack", "what_is_asked_of_a_queue: none"): "ApproximateNumberOfMessages ApproximateNumberOfMessagesDelayed ApproximateNumberOfMessagesNotVisible CreatedTimestamp DelaySeconds LastModifiedTimestamp MaximumMessageSize MessageRetentionPeriod QueueArn ReceiveMessageWaitTimeSeconds VisibilityTimeout",
        },
    ),
    (
        "New queues are encrypted with SQS's own keys unless they are told otherwise (CreateQueue, SqsManagedSseEnabled).",
        {
            ("MiniStack", "queue_as_created: SqsManagedSseEnabled"): None,
        },
    ),
    (
        "The moments are given in epoch time, in whole seconds (GetQueueAttributes).",
        {
            ("moto", "queue_as_created: moments are whole seconds"): False,
        },
    ),
    (
        "A body has at least one character of those that XML 1.0 allows (SendMessage: InvalidMessageContents), alone or in a "
        "batch.",
        {
            ("moto", "a_batch: left"): "1 8 0",
            ("moto", "a_batch: with an empty body"): "done: a; failed: ",
            ("moto", "what_may_be_sent: a NUL"): "ok",
            ("moto", "what_may_be_sent: an escape"): "ok",
            ("moto", "what_may_be_sent: nothing"): "ok",
        },
    ),
    (
        "A message has at most ten attributes, each of type String, Number or Binary and with a value; names, types and values "
        "count towards the message's size (Amazon SQS message metadata; quotas).",
        {
            ("moto", "what_may_be_sent: a mebibyte with its attribute"): "ok",
            ("moto", "what_may_be_sent: an empty attribute"): "ok",
            ("moto", "what_may_be_sent: eleven attributes"): "ok",
            ("MiniStack", "what_may_be_sent: a mebibyte with its attribute"): "ok",
            ("MiniStack", "what_may_be_sent: an attribute of no type"): "ok",
            ("MiniStack", "what_may_be_sent: an empty attribute"): "ok",
            ("MiniStack", "what_may_be_sent: eleven attributes"): "ok",
        },
    ),
    (
        "SendMessage's answer has the digest of system attributes where some were sent (MD5OfMessageSystemAttributes).",
        {
            ("moto", "a_message_and_its_digests: sent system attributes"): False,
            ("MiniStack", "a_message_and_its_digests: sent system attributes"): False,
        },
    ),
    (
        "A batch of eleven is refused before its entries are looked at: MiniStack does the same. No documentation has an order.",
        {
            ("moto", "a_batch: deleted, eleven"): "AWS.SimpleQueueService.BatchEntryIdsNotDistinct as BatchEntryIdsNotDistinct",
        },
    ),
    (
        "DeleteMessage succeeds for a message that is deleted already, and for a handle that is not the last one, which deletes "
        "nothing (DeleteMessage).",
        {
            ("moto", "an_older_handle: then visible, in flight, delayed"): "0 0 0",
            ("MiniStack", "a_message_is_deleted: again"): "ReceiptHandleIsInvalid as ReceiptHandleIsInvalid",
            ("MiniStack", "a_message_is_deleted: by an older handle"): "ReceiptHandleIsInvalid as ReceiptHandleIsInvalid",
            ("MiniStack", "an_older_handle: deletes"): "ReceiptHandleIsInvalid as ReceiptHandleIsInvalid",
        },
    ),
    (
        "A request without a handle lacks a parameter that it has to have, as the service was recorded to say.",
        {
            ("moto", "a_message_is_deleted: by an empty handle"): "ReceiptHandleIsInvalid as ReceiptHandleIsInvalid",
        },
    ),
    (
        "A deleted message's handle is one, but what it stands for does not exist: that is an InvalidParameterValue where its "
        "visibility is changed, as people have recorded the service.",
        {
            ("moto", "a_visibility_timeout_that_is_changed: of one that is deleted"): "ReceiptHandleIsInvalid as ReceiptHandleIsInvalid",
            ("MiniStack", "a_visibility_timeout_that_is_changed: of one that is deleted"): "ReceiptHandleIsInvalid as ReceiptHandleIsInvalid",
        },
    ),
    (
        "ChangeMessageVisibility has an error for a message that is not in flight, and hiding it all the same would take it from "
        "whoever receives it next. (The service may also do nothing and say nothing.)",
        {
            ("moto", "a_visibility_timeout_of_what_is_visible: changed"): "ok",
            ("MiniStack", "a_visibility_timeout_of_what_is_visible: changed"): "ok",
        },
    ),
    (
        "A message in a dead-letter queue has the attribute DeadLetterQueueSourceArn (ReceiveMessage).",
        {
            ("moto", "a_redrive: came from"): None,
        },
    ),
    (
        "A standard parameter has at most 4,096 bytes, an advanced one 8,192, and none is empty; the tier of the answer is the "
        "one that the parameter got, which is never Intelligent-Tiering (PutParameter).",
        {
            ("moto", "parameters_that_are_refused: 4,097"): "Standard",
            ("moto", "parameters_that_are_refused: 4,097, intelligent"): "Intelligent-Tiering",
            ("moto", "parameters_that_are_refused: 8,193, advanced"): "Advanced",
            ("MiniStack", "parameters_that_are_refused: 4,097"): "Standard",
            ("MiniStack", "parameters_that_are_refused: 4,097, intelligent"): "Intelligent-Tiering",
            ("MiniStack", "parameters_that_are_refused: 8,193, advanced"): "Advanced",
            ("MiniStack", "parameters_that_are_refused: empty"): "Standard",
        },
    ),
    (
        "Names consist of letters, digits, and . - _ /, begin with a slash where they have one, and have at most 15 levels "
        "(PutParameter).",
        {
            ("moto", "parameters_that_are_refused: 16 levels"): "Standard",
            ("moto", "parameters_that_are_refused: a blank in the name"): "Standard",
            ("moto", "parameters_that_are_refused: a colon in the name"): "Standard",
            ("moto", "parameters_that_are_refused: no slash first"): "Standard",
            ("MiniStack", "parameters_that_are_refused: 16 levels"): "Standard",
            ("MiniStack", "parameters_that_are_refused: a blank in the name"): "Standard",
            ("MiniStack", "parameters_that_are_refused: a colon in the name"): "Standard",
            ("MiniStack", "parameters_that_are_refused: no slash first"): "Standard",
        },
    ),
    (
        "PutParameter's Type is one of String, StringList and SecureString.",
        {
            ("MiniStack", "parameters_that_are_refused: of another type"): "Standard",
        },
    ),
    (
        "A reserved beginning without a path below it is a ValidationException (moto does the same).",
        {
            ("MiniStack", "parameters_that_are_refused: aws first, as a word's beginning"): "AccessDeniedException as AccessDeniedException",
        },
    ),
    (
        "GetParameters takes 1 to 10 names (the model's bounds).",
        {
            ("moto", "parameters_that_there_are_not: none"): "found: ; invalid: ",
            ("MiniStack", "parameters_that_there_are_not: eleven"): "found: /there=yes; invalid: /nope0 /nope1 /nope2 /nope3 /nope4 /nope5 /nope6 /nope7 /nope8 /nope9",
            ("MiniStack", "parameters_that_there_are_not: none"): "found: ; invalid: ",
        },
    ),
    (
        "No documentation says what a name gets that is asked for twice. It is a mistake of the client's, and so an error here.",
        {
            ("moto", "parameters_that_there_are_not: the same twice"): "found: /there=yes; invalid: ",
            ("MiniStack", "parameters_that_there_are_not: the same twice"): "found: /there=yes /there=yes; invalid: ",
        },
    ),
    (
        "A parameter that is there without the version or label that is asked for is ParameterVersionNotFound (GetParameter); "
        "MiniStack does the same for labels.",
        {
            ("moto", "a_parameter_that_is_put_again: label that there is not"): "ParameterNotFound as ParameterNotFound",
        },
    ),
    (
        "An answer has the selector by which its parameter was asked for (Parameter, Selector).",
        {
            ("moto", "a_parameter_that_is_put_again: first version's selector"): None,
            ("moto", "a_parameter_that_is_put_again: versions among others"): "found: /again=one /again=two; invalid: /again:9",
        },
    ),
    (
        "MiniStack knows no references to secrets.",
        {
            ("MiniStack", "secrets_by_reference: among others"): "found: /beside=yes; invalid: /aws/reference/secretsmanager/pipehook-webhook",
            ("MiniStack", "secrets_by_reference: among others, not decrypted"): "found: /beside=yes; invalid: /aws/reference/secretsmanager/pipehook-webhook",
            ("MiniStack", "secrets_by_reference: decrypted"): "ParameterNotFound as ParameterNotFound",
            ("MiniStack", "secrets_by_reference: name"): "ParameterNotFound as ParameterNotFound",
            ("MiniStack", "secrets_by_reference: not decrypted"): "ParameterNotFound as ParameterNotFound",
            ("MiniStack", "secrets_by_reference: type"): "ParameterNotFound as ParameterNotFound",
            ("MiniStack", "secrets_by_reference: version"): "ParameterNotFound as ParameterNotFound",
        },
    ),
    (
        "A secret's parameter is called as it was asked for, with the reference's prefix (Systems Manager user guide, "
        '"Referencing AWS Secrets Manager secrets from Parameter Store parameters").',
        {
            ("moto", "secrets_by_reference: among others"): "found: /beside=yes pipehook-webhook=development-secret; invalid: ",
            ("moto", "secrets_by_reference: name"): "pipehook-webhook",
        },
    ),
    (
        "The same page: a reference has to be asked for with decryption.",
        {
            ("moto", "secrets_by_reference: among others, not decrypted"): "found: /beside=yes pipehook-webhook=kms:alias/aws/ssm:development-secret; invalid: ",
        },
    ),
    (
        "GetParameters has no error ParameterNotFound; what is not there is in InvalidParameters.",
        {
            ("moto", "secrets_by_reference: among others, one that there is not"): "ParameterNotFound as ParameterNotFound",
        },
    ),
]
KNOWN = {at: Difference(theirs, why) for why, group in REASONS for at, theirs in group.items()}
