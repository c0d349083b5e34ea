//! `pipehook completions` and `pipehook man`: what is made from the command line's own description.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man as Page;

use super::{Cli, Error};

/// What `completions` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook completions bash > ~/.local/share/bash-completion/completions/pipehook\n  \
                  pipehook completions zsh > \"${fpath[1]}/_pipehook\"\n  \
                  pipehook completions fish > ~/.config/fish/completions/pipehook.fish\n\n\
                  Exits with 0, and with 2 where there are no completions for the shell."
)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<(), Error> {
        // The generator does not survive that its output is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pipehook", &mut script);
        io::stdout().lock().write_all(&script).map_err(Error::Output)
    }
}

/// What `man` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook man | man -l -\n  \
                  pipehook man --dir ~/.local/share/man/man1\n\n\
                  Exits with 0, with 1 where a page can't be written, and with 2 where it is called wrongly.")]
pub(super) struct Man {
    /// Write pipehook.1 and a page for each command into this folder, which is made where it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self) -> Result<(), Error> {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let Some(dir) = &self.dir else {
            let page = rendered(command).map_err(Error::Output)?;
            return io::stdout().lock().write_all(&page).map_err(Error::Output);
        };
        std::fs::create_dir_all(dir).map_err(|cause| Error::Write { path: dir.clone(), cause })?;
        pages(command).into_iter().try_for_each(|command| {
            let name = command.get_display_name().unwrap_or_else(|| command.get_name());
            let path = dir.join(format!("{name}.1"));
            rendered(command).and_then(|page| std::fs::write(&path, page)).map_err(|cause| Error::Write { path, cause })
        })
    }
}

/// The command and those in it.
fn pages(command: Command) -> Vec<Command> {
    let inner: Vec<Command> = command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned().collect();
    let mut all = vec![command];
    all.extend(inner.into_iter().flat_map(pages));
    all
}

fn rendered(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Page::new(command).render(&mut page)?;
    // What a command's help ends with has no better name to the generator.
    Ok(String::from_utf8_lossy(&page).replace(".SH EXTRA\n", ".SH EXAMPLES\n").into_bytes())
}
