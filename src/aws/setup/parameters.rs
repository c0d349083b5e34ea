//! Systems Manager's parameters, and by them Secrets Manager's secrets: one at a time, so that one which can't be read says
//! nothing of the others.

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;

use super::found;
use crate::aws::unread::{Unread, sort};
use crate::settings::Secret;

/// The value of a parameter, decrypted; `None` where there is none of this name.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn parameter(sdk_config: &SdkConfig, name: &str) -> Result<Option<Secret>, Unread> {
    let call = Client::new(sdk_config).get_parameters().names(name).with_decryption(true);
    let Some(answer) = found(call.send().await.map_err(sort))? else { return Ok(None) };
    let value = answer.parameters.unwrap_or_default().into_iter().find_map(|parameter| parameter.value);
    Ok(value.map(Secret::new))
}
