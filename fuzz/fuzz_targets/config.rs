//! A configuration: it is read, or its mistake is told with the line.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use pipehook::config::{Config, ConfigError};
use pipehook::domain::event::RepositoryName;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let lines = text.lines().count().max(1);
    match Config::parse(text) {
        Ok(config) => {
            for route in &config.routes.0 {
                assert!(RepositoryName::parse(route.repository.as_str()).is_some());
                assert!((1..=100).contains(&route.pipeline.len()));
                assert!(route.options.superseded.is_final());
                assert!(route.variables.len() <= 50);
            }
            let api_url = &config.github.api_url;
            assert!(api_url.starts_with("https://") || api_url.starts_with("http://"));
        }
        Err(ConfigError::Value { line, problem }) => {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            assert!(!problem.is_empty());
        }
        Err(ConfigError::Parse(told)) => {
            let line = told.split("line ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
            // The end of a file that ends in a line break is a line of its own.
            assert!(line.is_some_and(|line: usize| (1..=lines + 1).contains(&line)), "no line of {lines}: {told}");
        }
    }
    Corpus::Keep
});
