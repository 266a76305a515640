//! Boots and manages x86 machines over the public Internet: the operator's command line.

mod assign;
mod audit;
mod backup;
mod bundle;
mod completions;
mod fleet;
mod image;
mod image_pack;
mod keyfile;
mod keygen;
mod machine;
mod operator;
mod policy;
mod power;
mod proxy;
mod push;
mod run;
mod serve;
mod session;
mod simulate;
mod ssh;
mod time;
mod token;
mod ui;
mod units;
mod webhook;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Boots and manages x86 machines over the public Internet.
#[derive(Parser)]
#[command(name = "xenoboot", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    output: ui::Output,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make and show fleets: the signers that machines trust
    Fleet(fleet::Args),
    /// Make a signing key or a machine key
    Keygen(keygen::Args),
    /// Build, sign, verify, inspect, push and list bundles
    Bundle(bundle::Args),
    /// Build, stamp and inspect boot images
    Image(image::Args),
    /// Pack a disk's image, for machines to write it to theirs
    ImagePack(image_pack::Args),
    /// Run the central server
    Serve(serve::Args),
    /// Copy a server's folder into one file, while it runs
    Backup(backup::Args),
    /// Make a server's folder of a backup
    Restore(backup::RestoreArgs),
    /// List, show, approve and refuse machines
    Machine(machine::Args),
    /// Say what machines shall do: boot, install, rescue, or nothing
    Assign(assign::Args),
    /// Show and set what is done about machines that fail, and how long logs are kept
    Policy(policy::Args),
    /// Switch a machine on or off, by its management controller or an outlet
    Power(power::Args),
    /// List runs, show one, read its log
    Run(run::Args),
    /// A shell, or a command, on a machine
    Ssh(ssh::Args),
    /// Watch a machine's console
    Console(ssh::ConsoleArgs),
    /// Connect standard input and output with a machine's SSH server, for ProxyCommand
    Proxy(proxy::Args),
    /// Give out, list and revoke tokens for the server
    Token(token::Args),
    /// List who has logged in to the dashboard, and end that
    Session(session::Args),
    /// Say which URLs are told of machines that fail, fall silent, are cloned or pending
    Webhook(webhook::Args),
    /// Show who changed what, and check that the log is whole
    Audit(audit::Args),
    /// Play many machines, to see what a server stands
    Simulate(simulate::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.verb {
        Verb::Fleet(args) => fleet::run(args, &cli.output),
        Verb::Keygen(args) => keygen::run(args, &cli.output),
        Verb::Bundle(args) => bundle::run(args, &cli.output),
        Verb::Image(args) => image::run(args, &cli.output),
        Verb::ImagePack(args) => image_pack::run(&args, &cli.output),
        Verb::Serve(args) => serve::run(&args, &cli.output),
        Verb::Backup(args) => backup::run(&args, &cli.output),
        Verb::Restore(args) => backup::restore(&args, &cli.output),
        Verb::Machine(args) => machine::run(args, &cli.output),
        Verb::Assign(args) => assign::run(args, &cli.output),
        Verb::Policy(args) => policy::run(args, &cli.output),
        Verb::Power(args) => power::run(args, &cli.output),
        Verb::Run(args) => run::run(args, &cli.output),
        Verb::Ssh(args) => ssh::run(args),
        Verb::Console(args) => ssh::console(args),
        Verb::Proxy(args) => proxy::run(&args),
        Verb::Token(args) => token::run(args, &cli.output),
        Verb::Session(args) => session::run(args, &cli.output),
        Verb::Webhook(args) => webhook::run(args, &cli.output),
        Verb::Audit(args) => audit::run(&args, &cli.output),
        Verb::Simulate(args) => simulate::run(&args, &cli.output),
        Verb::Completions(args) => completions::run(&args),
    };
    ui::exit(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
