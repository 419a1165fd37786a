//! The `howdah` command: reads the arguments, runs one verb, turns its outcome into an exit code. What a verb does is in `cmd`.
//!
//! Invariant: data goes to standard output, talk to standard error, and the exit codes are those of [`exit::Exit`].

mod args;
mod cmd;
mod configuration;
mod console;
mod ending;
mod exit;
mod logging;
mod probe;
mod signals;
mod table;
mod takeover;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Verb};
use exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no mistakes. Nothing can be done when the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let outcome = match cli.verb {
        Verb::Demo(args) => cmd::demo::run(&args),
        Verb::Up(args) => cmd::up::run(&args),
        Verb::Restart(args) => cmd::restart::run(&args),
        Verb::Check(args) => cmd::check::run(&args),
        Verb::Setup(args) => cmd::setup::run(&args),
        Verb::Status(args) => cmd::status::run(&args),
        Verb::Nodes(args) => cmd::nodes::run(&args),
        Verb::Ha(args) => cmd::ha::run(&args),
        Verb::Pools(args) => cmd::pools::run(&args),
        Verb::Clients(args) => cmd::clients::run(&args),
        Verb::Queries(args) => cmd::queries::run(&args),
        Verb::Top(args) => cmd::top::run(&args),
        Verb::Cache(args) => cmd::cache::run(&args),
        Verb::Alerts(args) => cmd::alerts::run(&args),
        Verb::Metrics(args) => cmd::metrics::run(&args),
        Verb::Rules(args) => cmd::rules::run(&args),
        Verb::Route(args) => cmd::route::run(&args),
        Verb::Mark(args) => cmd::control::mark(&args),
        Verb::Reload(args) => cmd::control::reload(&args),
        Verb::Pause(args) => cmd::control::pause(&args),
        Verb::Resume(args) => cmd::control::resume(&args),
        Verb::Recommendations(args) => cmd::recommendations::run(&args),
        Verb::Advise(args) => cmd::advise::run(&args),
        Verb::Report(args) => cmd::report::run(&args),
        Verb::Config(args) => cmd::config::run(&args),
        Verb::Version(args) => cmd::version::run(&args),
        Verb::Completions(args) => cmd::completions::run(&args),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell();
            failure.exit.into()
        }
    }
}
