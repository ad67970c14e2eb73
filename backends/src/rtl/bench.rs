//! What lies beside the design: a testbench with its stimulus, and a page about the pins.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::{Kind, Stream};
use nonresc_passes::engine::Given;
use nonresc_passes::integers::Integers;
use nonresc_passes::random::Random;
use nonresc_passes::target::Target;

use super::reference::{Code, Frames, Reference, at_pin, meaning};
use super::scripts::scripts;
use super::word::image;
use super::{Pin, Rtl, TOP};
use nonresc_passes::images::Word;

/// Frames of the testbench.
const FRAMES: usize = 2;

/// The files, by name.
///
/// # Errors
/// Pins whose numbers are not whole; arrays that are not the network's inputs.
pub(super) fn files(
    stream: &Stream,
    integers: &Integers,
    rtl: &Rtl,
    target: &Target,
    given: Option<&Given>,
) -> Result<BTreeMap<String, String>, Diagnostics> {
    let reference = Reference::new(stream, integers, given)?;
    let frames = reference.frames(FRAMES, &mut Random(target.seed))?;
    let mut files = BTreeMap::new();
    let (inputs, outputs): (Vec<&Pin>, Vec<&Pin>) = rtl.pins.iter().partition(|pin| pin.input);
    for (pins, numbers) in [(&inputs, &frames.inputs), (&outputs, &frames.outputs)] {
        for (pin, frames) in pins.iter().zip(numbers) {
            let words = frames.iter().flat_map(|frame| words(pin, frame));
            files.insert(format!("{}.hex", pin.prefix), image(words));
        }
    }
    files.insert("testbench.sv".into(), testbench(&inputs, &outputs, &frames));
    let modules: Vec<&str> =
        rtl.files.keys().filter(|file| file.ends_with(".sv")).map(String::as_str).collect();
    files.extend(scripts(&modules, &rtl.pins, target));
    let mut meanings = Vec::new();
    for id in stream.actors() {
        let input = matches!(stream.actor(id).kind, Kind::Source(_));
        if input || matches!(stream.actor(id).kind, Kind::Sink(_)) {
            meanings.push((input, meaning(integers, at_pin(stream, integers, id)?, input)));
        }
    }
    meanings.sort_by_key(|(input, _)| !input);
    files.insert("README.md".into(), page(&rtl.pins, &meanings));
    Ok(files)
}

/// The beats of a frame.
fn words<'a>(pin: &'a Pin, frame: &'a [i64]) -> impl Iterator<Item = Word> + 'a {
    let beats = frame.chunks(pin.map.channels).flat_map(|pixel| pixel.chunks(pin.lanes));
    beats.map(|beat| {
        let mut word = Word::default();
        (0..pin.lanes).for_each(|lane| word.push(beat.get(lane).copied().unwrap_or(0).into(), pin.bits));
        word.push(0, pin.width() - pin.lanes * pin.bits);
        word
    })
}

fn testbench(inputs: &[&Pin], outputs: &[&Pin], frames: &Frames) -> String {
    let count = frames.inputs.first().map_or(0, Vec::len);
    let mut text = format!(
        "// Written by nonresc: streams {count} frames through the design and holds what comes out against what the integer\n\
         // network says, with pauses at all pins. Ends with PASS or FAIL.\n\
         `timescale 1ns / 1ps\nmodule testbench;\n\
         \x20   logic aclk = 1'b0, aresetn = 1'b0, frame_error;\n    always #2 aclk = !aclk;\n\
         \x20   // Pauses follow a shift register.\n\
         \x20   logic [15:0] pauses = 16'hace1;\n\
         \x20   always @(posedge aclk) pauses <= {{pauses[14:0], pauses[15] ^ pauses[13] ^ pauses[12] ^ pauses[10]}};\n\
         \x20   integer faults = 0, quiet = 0;\n"
    );
    let mut ports =
        vec![".aclk(aclk)".to_owned(), ".aresetn(aresetn)".into(), ".frame_error(frame_error)".into()];
    for pin in inputs.iter().chain(outputs) {
        let (p, high) = (&pin.prefix, pin.width() - 1);
        let _ =
            writeln!(text, "    logic [{high}:0] {p}_tdata;\n    logic {p}_tvalid, {p}_tready, {p}_tlast;");
        ports.extend(["tdata", "tvalid", "tready", "tlast"].map(|wire| format!(".{p}_{wire}({p}_{wire})")));
    }
    let _ = writeln!(text, "    {TOP} under_test (\n        {}\n    );", ports.join(",\n        "));
    for (i, pin) in inputs.iter().enumerate() {
        let (p, high, beats, all) = (&pin.prefix, pin.width() - 1, pin.beats(), pin.beats() * count);
        let bit = i % 16;
        let _ = write!(
            text,
            "\n    logic [{high}:0] {p}_beats[0:{last}];\n    integer {p}_fed = 0;\n    logic {p}_offered = 1'b0;\n\
             \x20   initial $readmemh(\"{p}.hex\", {p}_beats);\n\
             \x20   assign {p}_tvalid = {p}_offered;\n    assign {p}_tdata = {p}_beats[{p}_fed];\n\
             \x20   assign {p}_tlast = {p}_fed % {beats} == {frame};\n\
             \x20   always @(posedge aclk)\n        if (!aresetn) {p}_offered <= 1'b0;\n        else begin\n\
             \x20           if ({p}_tvalid && {p}_tready) begin\n                {p}_fed <= {p}_fed == {last} ? {p}_fed : {p}_fed + 1;\n\
             \x20               {p}_offered <= {p}_fed != {last} && pauses[{bit}];\n\
             \x20           end else if (!{p}_offered && ({p}_fed != {last} || !{p}_done)) {p}_offered <= pauses[{bit}];\n        end\n\
             \x20   logic {p}_done = 1'b0;\n\
             \x20   always @(posedge aclk) if ({p}_tvalid && {p}_tready && {p}_fed == {last}) {p}_done <= 1'b1;\n",
            last = all - 1,
            frame = beats - 1,
        );
    }
    let mut done = Vec::new();
    for (i, pin) in outputs.iter().enumerate() {
        let (p, high, beats, all) = (&pin.prefix, pin.width() - 1, pin.beats(), pin.beats() * count);
        let per_pixel = pin.map.beats(pin.lanes);
        let rest = pin.map.channels - (per_pixel - 1) * pin.lanes;
        let mask = |lanes: usize| {
            format!("{{{}'d0, {{{}{{1'b1}}}}}}", pin.width() - lanes * pin.bits + 1, lanes * pin.bits)
        };
        let _ = write!(
            text,
            "\n    logic [{high}:0] {p}_beats[0:{last}];\n    integer {p}_taken = 0;\n    logic {p}_willing = 1'b0;\n\
             \x20   logic [{width}:0] {p}_mask;\n\
             \x20   initial $readmemh(\"{p}.hex\", {p}_beats);\n\
             \x20   assign {p}_tready = {p}_willing;\n\
             \x20   // Filler lanes of a pixel's last beat say nothing.\n\
             \x20   assign {p}_mask = {p}_taken % {per_pixel} == {per_pixel} - 1 ? {part} : {whole};\n\
             \x20   always @(posedge aclk) begin\n        {p}_willing <= pauses[{bit}];\n\
             \x20       if (aresetn && {p}_tvalid && {p}_tready && {p}_taken != {all}) begin\n\
             \x20           if (({{1'b0, {p}_tdata ^ {p}_beats[{p}_taken]}} & {p}_mask) != 0) begin\n\
             \x20               faults <= faults + 1;\n\
             \x20               if (faults < 10) $display(\"{p}: beat %0d is %h and not %h\", {p}_taken, {p}_tdata, {p}_beats[{p}_taken]);\n\
             \x20           end\n\
             \x20           if ({p}_tlast != ({p}_taken % {beats} == {frame})) begin\n\
             \x20               faults <= faults + 1;\n                $display(\"{p}: TLAST of beat %0d\", {p}_taken);\n            end\n\
             \x20           {p}_taken <= {p}_taken + 1;\n        end\n    end\n",
            last = all - 1,
            width = pin.width(),
            part = mask(rest),
            whole = mask(pin.lanes),
            frame = beats - 1,
            bit = (i + 5) % 16,
        );
        done.push(format!("{p}_taken == {all}"));
    }
    let quiet = outputs.iter().map(|pin| format!("({0}_tvalid && {0}_tready)", pin.prefix));
    let quiet: Vec<String> =
        quiet.chain(inputs.iter().map(|pin| format!("({0}_tvalid && {0}_tready)", pin.prefix))).collect();
    let _ = write!(
        text,
        "\n    initial begin\n        repeat (4) @(posedge aclk);\n        aresetn <= 1'b1;\n    end\n\
         \x20   always @(posedge aclk) begin\n        quiet <= {busy} ? 0 : quiet + 1;\n\
         \x20       if (quiet > 1000000) begin\n            $display(\"FAIL: nothing moves\");\n            $finish;\n        end\n\
         \x20       if ({done}) begin\n            if (faults == 0 && !frame_error) $display(\"PASS: {count} frames\");\n\
         \x20           else $display(\"FAIL: %0d faults\", faults);\n            $finish;\n        end\n    end\nendmodule\n",
        busy = quiet.join(" || "),
        done = done.join(" && "),
    );
    text
}

fn page(pins: &[Pin], meanings: &[(bool, Vec<Code>)]) -> String {
    let mut text = format!(
        "# The design `{TOP}`\n\n\
         One clock, `aclk`; `aresetn` resets, active low, for one cycle or more. Behind a reset a new frame begins; what was\n\
         on its way is dropped. `frame_error` rises and stays when a TLAST was not on the last beat of a frame; frames are\n\
         counted by beats whatever TLAST says.\n\n## Pins\n\n\
         All are AXI4-Stream: TDATA, TVALID, TREADY, TLAST. TVALID never waits for TREADY. A frame goes pixel by pixel, row\n\
         by row from the top, each pixel in beats of so many numbers, the first channels first. Number i of a beat lies in\n\
         bits i x bits up to (i + 1) x bits - 1 of TDATA, the least significant bit first (so byte 0 is the lowest); bits\n\
         above the last number are zero, and numbers beyond the last channel of a pixel mean nothing.\n\n\
         | pin | name | frame | beats a frame | TDATA bits | numbers a beat | number |\n|---|---|---|---|---|---|---|\n"
    );
    for pin in pins {
        let (sign, map) = (if pin.signed { "signed" } else { "unsigned" }, pin.map);
        let _ = writeln!(
            text,
            "| `{}` | {} | {} x {} x {} | {} | {} | {} | {sign}, {} bits |",
            pin.prefix,
            pin.name.replace('|', "/"),
            map.channels,
            map.height,
            map.width,
            pin.beats(),
            pin.width(),
            pin.lanes,
            pin.bits,
        );
    }
    text += "\n## What numbers stand for\n\n`scale x (number - zero point)`; what the network does behind the outputs' numbers, such as a softmax, the host does.\n\n\
             | pin | scale | zero point |\n|---|---|---|\n";
    for (pin, (_, codes)) in pins.iter().zip(meanings) {
        let list = |of: &dyn Fn(&Code) -> String| {
            let all: Vec<String> = codes.iter().map(of).collect();
            match &all[..] {
                [] => "the number itself".to_owned(),
                [first, ..] if all.iter().all(|one| one == first) => first.clone(),
                _ => format!("by channel: {}", all.join(", ")),
            }
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            pin.prefix,
            list(&|c| c.0.to_string()),
            list(&|c| c.1.to_string())
        );
    }
    text += &format!(
        "\n## Files\n\n\
         - `{TOP}.sv`: the top; it only instantiates. An instance `aN_NAME` is an actor, `cN` a channel; comments in front say\n\
         \x20 what they are in the model.\n\
         - `*.hex`: programs, weights, biases, factors, by instance; they are read with `$readmemh` from the working folder.\n\
         - `testbench.sv`, `s_axis*.hex`, `m_axis*.hex`: a testbench that checks itself: `sh icarus.sh` or `sh verilator.sh`.\n\
         - `yosys.ys`: synthesis with Yosys; `nextpnr.sh`, on ECP5 and 7 series: place and route with nextpnr. `vivado.tcl`: an\n\
         \x20 IP core for Vivado.\n"
    );
    text
}
