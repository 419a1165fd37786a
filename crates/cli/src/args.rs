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
    /// Make in PostgreSQL what following changes needs, after showing it
    Setup(cmd::setup::Args),
    /// What a running Howdah is doing
    Status(crate::console::Args),
    /// The nodes of a running Howdah: roles, lag; take one out and put it back
    Nodes(cmd::nodes::Args),
    /// Hand the part of the primary to another node
    Ha(cmd::ha::Args),
    /// The pools of a running Howdah
    Pools(cmd::pools::Args),
    /// Who is connected to a running Howdah; disconnect somebody
    Clients(cmd::clients::Args),
    /// What statements do in a running Howdah: which take the time, which fail
    Queries(cmd::queries::Args),
    /// What a running Howdah does, all the time: the statements that take the most, pools, alerts
    Top(cmd::top::Top),
    /// What the result cache of a running Howdah does; turn it on and off; why answers are not kept
    Cache(cmd::cache::Args),
    /// What is wrong in a running Howdah; the rules for that; silences; whether messages arrive
    Alerts(cmd::alerts::Args),
    /// The families of metrics, and a dashboard for Grafana made from them
    Metrics(cmd::metrics::Args),
    /// What the rules about statements have done in a running Howdah; try them out on a statement
    Rules(cmd::rules::Args),
    /// Where a statement goes, and why
    Route(cmd::route::Args),
    /// Mark this moment in the history of a running Howdah: a deployment, a change elsewhere
    Mark(cmd::control::Mark),
    /// Have a running Howdah read its configuration again
    Reload(crate::console::Args),
    /// Hold the clients of a running Howdah back and disconnect it from PostgreSQL, for a restart or a switchover
    Pause(cmd::control::Scope),
    /// Let them go on
    Resume(cmd::control::Scope),
    /// What would make the databases better: look at it, carry it out after a yes, take it back
    Recommendations(cmd::recommendations::Args),
    /// What would make a database, a plan or a statement better
    Advise(cmd::advise::Args),
    /// A day or a week of the past in one page, of a Howdah that runs or not
    Report(cmd::report::Args),
    /// Write or show the configuration
    Config(cmd::config::Args),
    /// Print the version
    Version(cmd::version::Args),
    /// Print completions for a shell
    Completions(cmd::completions::Args),
}
