//! The verbs and what they have in common. The arguments of a verb are beside its code.

use clap::{Parser, Subcommand};

use crate::cmd;

/// One engine between applications and PostgreSQL: change the connection string, keep everything else.
#[derive(Debug, Parser)]
#[command(
    name = "howdah",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "First steps:\n  howdah demo                                             see it work, on servers it starts itself\n  DATABASE_URL=postgres://user:password@host/db howdah up  put it before a database of yours\n\nExit status: 0 done · 1 failed · 2 usage · 3 bad configuration · 4 cannot connect · 5 check failed · 130 interrupted"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a PostgreSQL cluster of its own with sample data and load, and show Howdah at work
    Demo(cmd::demo::Args),
    /// Run: listen for applications and pool their connections
    Up(cmd::up::Args),
    /// Put a new process in place of the running one, without a client noticing
    Restart(cmd::restart::Args),
    /// Validate the configuration, log in to every node, say what is missing
    Check(cmd::check::Args),
    /// What a running Howdah is doing
    Status(crate::console::Args),
    /// The nodes of a running Howdah: roles, lag; take one out and put it back
    Nodes(cmd::nodes::Args),
    /// The pools of a running Howdah
    Pools(cmd::pools::Args),
    /// Who is connected to a running Howdah; disconnect somebody
    Clients(cmd::clients::Args),
    /// What the rules about statements have done in a running Howdah; try them out on a statement
    Rules(cmd::rules::Args),
    /// Where a statement goes, and why
    Route(cmd::route::Args),
    /// Have a running Howdah read its configuration again
    Reload(crate::console::Args),
    /// Hold the clients of a running Howdah back and disconnect it from PostgreSQL, for a restart or a switchover
    Pause(cmd::control::Scope),
    /// Let them go on
    Resume(cmd::control::Scope),
    /// Write or show the configuration
    Config(cmd::config::Args),
    /// Print the version
    Version(cmd::version::Args),
    /// Print completions for a shell
    Completions(cmd::completions::Args),
}
