//! Metrics, as lines on standard output in CloudWatch's embedded metric format: Lambda's log is all it takes.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::clock::Clock;

/// Namespace of all metrics.
const NAMESPACE: &str = "pipehook";

/// Counts one occurrence, outside Lambda (where nothing reads the format) not at all.
pub(crate) fn count(clock: &Clock, name: &str, dimensions: &[(&str, &str)]) {
    if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_none() {
        return;
    }
    let line = line(clock, name, dimensions);
    // A metric that can't be written is no reason to fail what it counts.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn line(clock: &Clock, name: &str, dimensions: &[(&str, &str)]) -> Value {
    let keys: Vec<_> = dimensions.iter().map(|(key, _)| *key).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": clock.now().as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [keys],
                "Metrics": [{ "Name": name, "Unit": "Count" }],
            }],
        }),
    );
    line.extend(dimensions.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    line.insert(name.to_owned(), json!(1));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_count_is_a_line_that_cloudwatch_reads() {
        let clock = Clock::from_fn(|| Timestamp::from_millis(1_700_000_000_123));
        let line = line(&clock, "GitHubRefused", &[("Pipeline", "node-server")]);
        insta::assert_snapshot!(line, @r#"{"GitHubRefused":1,"Pipeline":"node-server","_aws":{"CloudWatchMetrics":[{"Dimensions":[["Pipeline"]],"Metrics":[{"Name":"GitHubRefused","Unit":"Count"}],"Namespace":"pipehook"}],"Timestamp":1700000000123}}"#);
    }
}
