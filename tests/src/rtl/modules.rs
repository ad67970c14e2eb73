//! Modules alone, each in a case of `tests/rtl/vectors` that takes what goes in and what must come out from files.

use std::fmt::Write as _;
use std::process::Command;

use super::build::{Patch, Tool};

/// A module under parameters, and its vectors.
#[derive(Clone, Debug)]
pub struct Case {
    /// The module of `tests/rtl/vectors`.
    pub module: &'static str,
    /// Its parameters.
    pub parameters: Vec<(&'static str, String)>,
    /// Parameters that are files, and what stands in these.
    pub files: Vec<(&'static str, String)>,
    /// Clocks until all has been compared, at the most.
    pub clocks: usize,
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Words that came out.
    pub words: usize,
    /// Those that are wrong: case, word, what it is and should be.
    pub differs: Vec<String>,
}

/// Runs all cases in one simulation.
///
/// # Panics
/// Where Verilator or g++ is missing; where a case does not come to its end.
pub fn compare(tool: &Tool, cases: &[Case], patch: Option<Patch>) -> Compared {
    let program = tool.build(&top(cases), patch);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (i, case) in cases.iter().enumerate() {
        for (file, text) in &case.files {
            std::fs::write(folder.path().join(name(i, file)), text).expect("a file in a temporary folder");
        }
    }
    let output = Command::new(program).current_dir(folder.path()).output().expect("a program that was built");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut found = Compared::default();
    let mut ended = 0;
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("compared ") {
            found.words += words.trim().parse::<usize>().expect("a count");
            ended += 1;
        }
        found.differs.extend(line.strip_prefix("differs ").map(str::to_owned));
    }
    assert_eq!(ended, cases.len(), "cases that came to their end: {text}");
    found
}

fn name(case: usize, file: &str) -> String {
    format!("c{case}_{}.hex", file.to_lowercase())
}

fn top(cases: &[Case]) -> String {
    let last = cases.iter().map(|case| case.clocks).max().unwrap_or(0);
    let mut text = format!(
        "module top (\n    input logic clk\n);\n    logic [31:0] at;\n    initial at = 0;\n\
         \x20   always_ff @(posedge clk) begin\n        at <= at + 1;\n        if (at == {last}) $finish;\n    end\n"
    );
    for (i, case) in cases.iter().enumerate() {
        let mut parameters = vec![format!(".CASE({i})")];
        parameters.extend(case.parameters.iter().map(|(name, value)| format!(".{name}({value})")));
        parameters.extend(case.files.iter().map(|(file, _)| format!(".{file}(\"{}\")", name(i, file))));
        let _ = writeln!(text, "    {} #({}) c{i} (.clk(clk), .at(at));", case.module, parameters.join(", "));
    }
    text + "endmodule\n"
}
