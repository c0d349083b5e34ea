//! STS, as far as it says who asks.

use super::account::ACCOUNT;
use super::query::{Form, element, only, text, texts};
use super::wire::{AwsError, AwsService};

/// Says of a caller that it is a user called as its access key.
pub(crate) fn call(operation: &str, form: &Form, caller: &str, request_id: &str) -> Result<String, AwsError> {
    if operation != "GetCallerIdentity" {
        return Err(AwsService::Sts.unknown(operation));
    }
    only(form, &[], &[], "ValidationError")?;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{caller}");
    let result = texts(&[("Arn", arn.as_str()), ("UserId", caller), ("Account", ACCOUNT)]);
    Ok(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{}{}</GetCallerIdentityResponse>",
        element("GetCallerIdentityResult", &result),
        element("ResponseMetadata", &text("RequestId", request_id)),
    ))
}
