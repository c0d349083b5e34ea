//! A command that goes on while the story does.

#![allow(dead_code, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // As in the scene.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::scene::{Desk, Ran};

/// No line takes this long, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: ChildStderr,
    out: String,
}

impl Watching {
    pub(crate) fn begin(desk: &Desk, arguments: &[&str]) -> Self {
        let mut command = desk.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let errors = child.stderr.take().unwrap();
        Self { child, lines, errors, out: String::new() }
    }

    /// Waits for a line with this text in it.
    pub(crate) async fn says(&mut self, text: &str) {
        let search = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.out += &line;
                self.out += "\n";
                if line.contains(text) {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(PATIENCE, search).await.unwrap_or(false);
        if !found {
            let mut errors = String::new();
            let _ = tokio::time::timeout(Duration::from_secs(1), self.errors.read_to_string(&mut errors)).await;
            panic!("it does not say \"{text}\", but:\n{}--- standard error\n{errors}", self.out);
        }
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Ran {
        let rest = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.out += &line;
                self.out += "\n";
            }
            let mut err = String::new();
            self.errors.read_to_string(&mut err).await.unwrap();
            let code = self.child.wait().await.unwrap().code().unwrap_or(-1);
            (err, code)
        };
        let (err, code) = tokio::time::timeout(PATIENCE, rest).await.expect("an end");
        Ran { code, out: self.out, err }
    }
}
