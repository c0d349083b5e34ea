//! What SSM does not take as a parameter's value, whatever the functions would make of it.

use super::Finding;

/// The largest value of a standard parameter in bytes, and of an advanced one (botocore: `PutParameterRequest`).
const STANDARD: usize = 4096;
const ADVANCED: usize = 8192;

pub(super) fn find(text: &str) -> Vec<Finding> {
    [size(text), reference(text)].into_iter().flatten().collect()
}

fn size(text: &str) -> Option<Finding> {
    let length = text.len();
    let ways = "comments and blank lines count; globs such as `{main,release/*}` can stand for several";
    if length > ADVANCED {
        let message = format!("the configuration is {length} bytes; an SSM parameter holds {ADVANCED} at most");
        return Some(Finding::error(ADVANCED..length, message).help(ways));
    }
    let message = format!(
        "the configuration is {length} bytes; beyond {STANDARD} its parameter becomes an advanced one, which AWS charges for"
    );
    (length > STANDARD).then(|| Finding::warning(STANDARD..length, message).help(ways))
}

/// SSM takes double braces for a reference to another parameter, wherever they stand.
fn reference(text: &str) -> Option<Finding> {
    let start = text.find("{{")?;
    let end = start + text[start..].find("}}")? + 2;
    let message = "SSM takes no value that holds {{…}}, not even in a comment";
    Some(Finding::error(start..end, message).help("the fields of variables have single braces, as in {branch}"))
}
