//! A design built and run by Verilator: frames in, beats and start times out.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::stream::Stream;

use super::Rtl;
use super::top::{Pin, TOP, names};
use crate::transient;

const MAIN: &str = include_str!("../../rtl/simulate.cpp");

/// What of Verilator's own is the same in every simulator.
const LIBRARY: [&str; 2] = ["verilated.o", "verilated_threads.o"];

/// What tools say of a full disk.
const FULL: &str = "No space left on device";

/// Warnings that parameters cause: signals without a use, ports left open.
const LINTS: [&str; 4] = ["-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM", "-Wno-PINCONNECTEMPTY"];

/// What comes in at the pins, and when they are willing.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Seed of what registers and memories hold at first.
    pub seed: u64,
    /// For each input pin, the numbers of its frames in the order of the stream.
    pub frames: Vec<Vec<Vec<i64>>>,
    /// Frames awaited.
    pub awaited: usize,
    /// In each cycle whether the feeders, and whether the takers are willing; behind its end all are.
    pub pattern: Vec<(bool, bool)>,
    /// Input pin and beat whose TLAST is turned over, the first time that it is taken.
    pub turned: Option<(usize, usize)>,
    /// A cycle in which the design is reset; what came before is dropped.
    pub reset_at: Option<u32>,
    /// Cycles without anything after which the run is given up.
    pub patience: u32,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Cycles from reset on.
    pub cycles: u64,
    /// The cycles in which `frame_error` changed; it is low at first.
    pub frame_error: Vec<u64>,
    /// For each actor, in the order of ids, the cycles in which its phases started.
    pub starts: Vec<Vec<u64>>,
    /// For each output pin, the numbers that came out.
    pub outputs: Vec<Vec<i64>>,
    /// For each output pin, the cycle of each beat, and whether it was a frame's last.
    pub beats: Vec<Vec<(u64, bool)>>,
}

/// A built simulator.
#[derive(Debug)]
pub struct Simulator {
    folder: PathBuf,
    program: PathBuf,
    pins: Vec<Pin>,
    actors: usize,
}

fn failed(what: &str, why: impl Into<String>, remedy: &str) -> Diagnostic {
    Diagnostic::new("simulate/verilator", what, why, remedy)
}

fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    failed(&path.display().to_string(), error.to_string(), "make room, or allow writing there")
}

fn write<'a>(folder: &Path, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Diagnostic> {
    for (file, text) in files {
        let path = folder.join(file);
        fs::write(&path, text).map_err(|e| unwritable(&path, &e))?;
    }
    Ok(())
}

/// Runs a tool to its end; its temporary files go to the folder.
fn succeed(command: &mut Command, folder: &Path, tool: &str, packages: &str) -> Result<(), Diagnostic> {
    let output = transient::output(command, folder).map_err(|e| {
        let remedy = format!("install {packages} of your system");
        Diagnostic::new("tool/absent", tool, e.to_string(), remedy)
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if let Some(line) = text.lines().find(|line| line.contains(FULL)) {
        return Err(failed(&format!("{tool} in {}", folder.display()), line, "make room, or set TMPDIR"));
    }
    Err(failed(
        &format!("{tool} refuses the design"),
        text.lines().take(20).collect::<Vec<_>>().join("\n"),
        "report this as a fault of nonresc; versions of Verilator from 5.006 on are known to work",
    ))
}

impl Simulator {
    /// Builds the design with Verilator in a folder that is its own. Verilator's library is taken from the folder
    /// `library`, and put there where it is not there yet.
    ///
    /// # Errors
    /// Verilator or a compiler of C++ missing; a design that they refuse.
    pub fn build(
        stream: &Stream,
        rtl: &Rtl,
        folder: &Path,
        library: Option<&Path>,
    ) -> Result<Simulator, Diagnostic> {
        let written = rtl.files.iter().map(|(file, text)| (file.as_str(), text.as_str()));
        write(folder, written)?;
        write(folder, [("simulate.cpp", MAIN), ("pins.h", &pins(stream, rtl))])?;
        let mut command = Command::new("verilator");
        command.args(["--cc", "--exe", "--top-module", TOP, "-O3", "--output-split", "20000"]).args(LINTS);
        command.args(["--x-initial", "unique", "--x-assign", "unique", "-CFLAGS", "-O1 -w"]);
        command.args(["--Mdir", "build", "-o", "simulate", "-y", ".", &format!("{TOP}.sv"), "simulate.cpp"]);
        succeed(command.current_dir(folder), folder, "verilator", "verilator (version 5)")?;
        let build = folder.join("build");
        let kept = |from: &Path, to: &Path| {
            for part in LIBRARY {
                // What cannot be kept is built again.
                let _ = fs::copy(from.join(part), to.join(part));
            }
        };
        if let Some(library) = library {
            kept(library, &build);
        }
        let mut command = Command::new("make");
        command.args(["-s", "-j", "2", "-f", &format!("V{TOP}.mk"), "simulate"]).current_dir(&build);
        succeed(&mut command, folder, "make", "make and g++")?;
        if let Some(library) = library.filter(|library| !library.join(LIBRARY[0]).exists()) {
            kept(&build, library);
        }
        let program = folder.join("build/simulate");
        let program = program.canonicalize().map_err(|e| unwritable(&program, &e))?;
        let actors = stream.actors().count();
        Ok(Simulator { folder: folder.to_owned(), program, pins: rtl.pins.clone(), actors })
    }

    /// Takes other memory images of the same design.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn reload(&self, rtl: &Rtl) -> Result<(), Diagnostic> {
        let images = rtl.files.iter().filter(|(file, _)| file.ends_with(".hex"));
        write(&self.folder, images.map(|(file, text)| (file.as_str(), text.as_str())))
    }

    /// Runs the design.
    ///
    /// # Errors
    /// A program that cannot be run, or does not come to its end.
    pub fn run(&self, run: &Run) -> Result<Seen, Diagnostic> {
        let words = self.words(run);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let (input, output) = (self.folder.join("in.bin"), self.folder.join("out.bin"));
        fs::write(&input, bytes).map_err(|e| unwritable(&input, &e))?;
        let mut command = Command::new(&self.program);
        command.args(["in.bin", "out.bin"]).current_dir(&self.folder);
        let ended =
            transient::output(&mut command, &self.folder).map_err(|e| unwritable(&self.program, &e))?;
        if !ended.status.success() {
            let text = String::from_utf8_lossy(&ended.stderr).into_owned();
            return Err(failed("the simulation stopped", text, "report this as a fault of nonresc"));
        }
        let bytes = fs::read(&output).map_err(|e| unwritable(&output, &e))?;
        let words = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        self.seen(&mut words.into_iter()).ok_or_else(|| {
            failed("the simulation's answer", "it is not whole", "report this as a fault of nonresc")
        })
    }

    fn words(&self, run: &Run) -> Vec<u32> {
        let mut words = vec![run.seed as u32, run.reset_at.unwrap_or(u32::MAX), run.patience];
        let inputs = self.pins.iter().filter(|pin| pin.input);
        for (i, (pin, frames)) in inputs.zip(&run.frames).enumerate() {
            let width = pin.width().div_ceil(32);
            let turned = run.turned.filter(|&(of, _)| of == i).map_or(u32::MAX, |(_, beat)| beat as u32);
            let beats_in = (frames.len() * pin.beats()) as u32;
            words.extend([beats_in, pin.beats() as u32, turned, width as u32]);
            for beat in frames.iter().flat_map(|frame| beats(pin, frame)) {
                words.extend(packed(pin, &beat, width));
            }
        }
        for pin in self.pins.iter().filter(|pin| !pin.input) {
            words.push((pin.beats() * run.awaited) as u32);
        }
        words.push(run.pattern.len() as u32);
        words.extend(run.pattern.iter().map(|&(feed, take)| u32::from(feed) | u32::from(take) << 1));
        words
    }

    fn seen(&self, words: &mut dyn Iterator<Item = u32>) -> Option<Seen> {
        let mut seen = Seen { cycles: words.next()?.into(), ..Seen::default() };
        let mut cycles = || {
            let count = words.next()?;
            (0..count).map(|_| words.next().map(u64::from)).collect::<Option<_>>()
        };
        seen.frame_error = cycles()?;
        seen.starts = (0..self.actors).map(|_| cycles()).collect::<Option<_>>()?;
        for pin in self.pins.iter().filter(|pin| !pin.input) {
            let (count, width) = (words.next()? as usize, words.next()? as usize);
            let (mut numbers, mut beats) = (Vec::new(), Vec::new());
            for k in 0..count {
                beats.push((words.next()?.into(), words.next()? != 0));
                let beat: Vec<u32> = (0..width).map(|_| words.next()).collect::<Option<_>>()?;
                let first = k % pin.map.beats(pin.lanes) * pin.lanes;
                let lanes = pin.lanes.min(pin.map.channels - first);
                numbers.extend((0..lanes).map(|lane| unpacked(pin, &beat, lane)));
            }
            seen.outputs.push(numbers);
            seen.beats.push(beats);
        }
        Some(seen)
    }
}

/// The beats of a frame's numbers, which are in the order of the stream.
fn beats(pin: &Pin, frame: &[i64]) -> Vec<Vec<i64>> {
    frame.chunks(pin.map.channels).flat_map(|pixel| pixel.chunks(pin.lanes)).map(<[i64]>::to_vec).collect()
}

fn packed(pin: &Pin, beat: &[i64], width: usize) -> Vec<u32> {
    let mut words = vec![0u32; width];
    for (lane, &number) in beat.iter().enumerate() {
        for bit in (0..pin.bits).filter(|bit| number >> bit & 1 == 1) {
            let at = lane * pin.bits + bit;
            words[at / 32] |= 1 << (at % 32);
        }
    }
    words
}

fn unpacked(pin: &Pin, beat: &[u32], lane: usize) -> i64 {
    let bit = |at: usize| i64::from(beat.get(at / 32).is_some_and(|word| word >> (at % 32) & 1 == 1));
    let number: i64 = (0..pin.bits).map(|i| bit(lane * pin.bits + i) << i).sum();
    let negative = pin.signed && number >> (pin.bits - 1) & 1 == 1;
    if negative { number - (1 << pin.bits) } else { number }
}

/// What the fixed program has to know of the design's pins and actors.
fn pins(stream: &Stream, rtl: &Rtl) -> String {
    let (inputs, outputs): (Vec<&Pin>, Vec<&Pin>) = rtl.pins.iter().partition(|pin| pin.input);
    let names = names(stream);
    let mut text = format!(
        "enum {{ INPUTS = {}, OUTPUTS = {}, ACTORS = {} }};\n",
        inputs.len(),
        outputs.len(),
        names.len()
    );
    let mut idle = String::new();
    let mut offer = String::new();
    let mut observe = String::new();
    for (i, pin) in inputs.iter().enumerate() {
        let p = &pin.prefix;
        let _ = writeln!(idle, "    top.{p}_tvalid = 0;\n    top.{p}_tlast = 0;");
        let _ = write!(
            offer,
            "    top.{p}_tvalid = feeds[{i}].offered;\n\
             \x20   if (feeds[{i}].offered) put(top.{p}_tdata, feeds[{i}].data + std::size_t(feeds[{i}].fed) * feeds[{i}].words, feeds[{i}].words);\n\
             \x20   top.{p}_tlast = ((feeds[{i}].fed + 1) % feeds[{i}].frame == 0) != (feeds[{i}].fed == feeds[{i}].turned);\n"
        );
        let _ = write!(
            observe,
            "    if (feeds[{i}].offered && top.{p}_tready) {{\n\
             \x20       if (feeds[{i}].fed == feeds[{i}].turned) feeds[{i}].turned = 0xffffffff;\n\
             \x20       feeds[{i}].fed++;\n        feeds[{i}].offered = false;\n        seen = true;\n    }}\n"
        );
    }
    for (i, pin) in outputs.iter().enumerate() {
        let p = &pin.prefix;
        let _ = writeln!(idle, "    top.{p}_tready = 0;");
        let _ = writeln!(offer, "    top.{p}_tready = take;");
        let _ = write!(
            observe,
            "    if (top.{p}_tvalid && top.{p}_tready) {{\n\
             \x20       taken[{i}].beats++;\n        taken[{i}].data.push_back(cycle);\n\
             \x20       taken[{i}].data.push_back(top.{p}_tlast);\n        get(top.{p}_tdata, taken[{i}].data);\n\
             \x20       seen = true;\n    }}\n"
        );
    }
    for (i, name) in names.values().enumerate() {
        let name = name.replace("__", "___05F");
        let _ = write!(
            observe,
            "    if (top.rootp->{TOP}__DOT__{name}__DOT__phases__DOT__fires) {{\n\
             \x20       starts[{i}].push_back(cycle);\n        seen = true;\n    }}\n"
        );
    }
    let _ = write!(
        text,
        "static void idle(V{TOP}& top) {{\n{idle}}}\n\
         static void offer(V{TOP}& top, std::vector<Feed>& feeds, bool take) {{\n{offer}}}\n\
         static bool observe(V{TOP}& top, std::vector<std::vector<uint32_t>>& starts, std::vector<Feed>& feeds,\n\
         \x20                   std::vector<Taken>& taken, uint32_t cycle) {{\n    bool seen = false;\n{observe}    return seen;\n}}\n"
    );
    text
}
