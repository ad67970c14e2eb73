//! From a parsed command line to what was asked for.
//!
//! Flags become the passes' options here and nowhere else; nothing is computed here.

mod compare;
mod compile;
mod devices;
mod doing;
mod engine;
mod eval;
mod explain;
mod frames;
mod hardware;
mod interrupt;
mod layers;
mod measured;
mod model;
mod options;
mod quantise;
mod retrain;
mod synthesis;
mod telling;
mod together;
mod verbose;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use nonresc_passes::distill::group::Group;
use nonresc_passes::nearest::likely;

use crate::args::{Cli, Command, Format};
use crate::exit::{self, Failure};

/// The program: reads the process's arguments and gives its exit code.
pub fn entry() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) if !asked.use_stderr() => return exit::end(help(&asked), Format::Text),
        Err(fault) => refuse(&fault),
    };
    exit::set_quiet(cli.quiet);
    exit::set_verbose(cli.verbose);
    interrupt::watch();
    let format = match &cli.command {
        None => cli.compile.format,
        Some(Command::Eval(eval)) => eval.format,
        Some(Command::Devices(devices)) => devices.format,
        Some(Command::Compare(compare)) => compare.format,
        Some(_) => Format::Text,
    };
    match &cli.command {
        None if cli.compile.retrain.retrain => {
            together::together(format, |group| compile::compile(&cli.compile, group))
        }
        _ => exit::end(dispatch(&cli), format),
    }
}

/// The help or the version that was asked for.
fn help(asked: &clap::Error) -> Result<(), Failure> {
    asked.print()?;
    Ok(io::stdout().lock().flush()?)
}

/// Ends with a fault of the command line; says which command its first word was likely meant to be.
fn refuse(fault: &clap::Error) -> ! {
    let command = Cli::command();
    let commands = command.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name);
    let is_word = |word: &String| {
        !word.starts_with('-') && command.find_subcommand(word).is_none() && !Path::new(word).exists()
    };
    let word = std::env::args().nth(1).filter(is_word);
    if let Some(meant) = word.and_then(|word| likely(&word, commands)) {
        // Where standard error is closed there is nobody left to tell.
        let _ = fault.print();
        exit::tell(format!("\nDid you mean the command '{meant}'?\n"));
        std::process::exit(fault.exit_code());
    }
    fault.exit()
}

fn dispatch(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Some(Command::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "nonresc", &mut text);
            exit::print(text)
        }
        Some(Command::Man) => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            exit::print(text)
        }
        Some(Command::Run(args)) => frames::run(args),
        Some(Command::Eval(args)) => eval::eval(args),
        Some(Command::Quantise(args)) => quantise::quantise(args),
        Some(Command::Explain(args)) => explain::explain(args),
        Some(Command::Compare(args)) => compare::compare(args),
        Some(Command::Devices(args)) => devices::devices(args),
        None if cli.compile.list_passes => exit::print(nonresc_passes::table::listing()),
        None => compile::compile(&cli.compile, &Group::alone()),
    }
}
