//! The generated top: it only instantiates, and joins ports to wires.

use std::fmt::Write;

use super::bench::Layout;
use super::design::{Design, Layer, Part};

/// Bits of a count.
pub(super) const COUNT: usize = 16;

/// SystemVerilog of the top; `phases` are each part's phases a frame.
pub(super) fn top(d: &Design, layout: &Layout, phases: &[usize]) -> String {
    let mut text = String::from(
        "module top(input logic clk, input logic reset, input logic [1023:0] settings, output logic [31:0] fire,\n\
         \x20   output logic [31:0] written, output logic [8191:0] beats,\n\
         \x20   input logic in_valid, output logic in_ready, input logic [255:0] in_data,\n\
         \x20   output logic out_valid, input logic out_ready, output logic [255:0] out_data);\n",
    );
    for (w, wire) in d.wires.iter().enumerate() {
        let (readers, banks, address) = (wire.readers.len(), d.banks(w), layout.address[w]);
        let width = wire.lanes * 8;
        let row = if banks > 1 { wire.beats().0 } else { 1 };
        let _ = write!(
            text,
            "    logic w{w}_write;\n    logic [{}:0] w{w}_data;\n    logic [{}:0] w{w}_address;\n    logic [{}:0] w{w}_read;\n\
             \x20   storage #(.WIDTH({width}), .BANKS({banks}), .ROW({row}), .ADDRESS({address}), .READERS({readers})) w{w}(\n\
             \x20       .clk(clk), .reset(reset), .write(w{w}_write), .write_data(w{w}_data), .read_address(w{w}_address), .read_data(w{w}_read));\n",
            width - 1,
            readers * banks * address - 1,
            readers * banks * width - 1,
        );
    }
    for (p, part) in d.parts.iter().enumerate() {
        let _ = writeln!(text, "    logic [{}:0] p{p}_released;", inputs(part) * COUNT - 1);
    }
    for (p, part) in d.parts.iter().enumerate() {
        let instance = Instance { d, layout, p, phases: phases[p] };
        match part {
            Part::Source => instance.source(&mut text),
            Part::Sink => instance.sink(&mut text),
            Part::Layer(a) => instance.layer(&mut text, a),
        }
    }
    for w in 0..d.wires.len() {
        let (low, width) = (w * 256, d.wires[w].lanes * 8);
        let _ = writeln!(
            text,
            "    assign written[{w}] = w{w}_write;\n    assign beats[{low}+:{width}] = w{w}_data;"
        );
        if width < 256 {
            let _ = writeln!(text, "    assign beats[{}+:{}] = 0;", low + width, 256 - width);
        }
    }
    let (parts, wires) = (d.parts.len(), d.wires.len());
    let _ = writeln!(text, "    assign fire[31:{parts}] = 0;\n    assign written[31:{wires}] = 0;");
    let _ = writeln!(text, "    assign beats[8191:{}] = 0;\nendmodule", wires * 256);
    text
}

fn inputs(part: &Part) -> usize {
    match part {
        Part::Layer(a) => 1 + usize::from(a.add.is_some()),
        _ => 1,
    }
}

/// A part to be instantiated.
struct Instance<'a> {
    d: &'a Design,
    layout: &'a Layout,
    p: usize,
    phases: usize,
}

/// What an input reads: its wire, and its slices of the wire's addresses and words.
struct Reading {
    wire: usize,
    address: String,
    data: String,
}

impl Instance<'_> {
    fn reading(&self, input: usize) -> Reading {
        let (d, port) = (self.d, (self.p, input));
        let wire = d.input(self.p, input);
        let r = d.wires[wire].readers.iter().position(|&x| x == port).expect("the part reads the wire");
        let (banks, address) = (d.banks(wire), self.layout.address[wire]);
        let width = d.wires[wire].lanes * 8;
        Reading {
            wire,
            address: format!("w{wire}_address[{}+:{}]", r * banks * address, banks * address),
            data: format!("w{wire}_read[{}+:{}]", r * banks * width, banks * width),
        }
    }

    /// Parameters of a memory that is read, their names behind `prefix`.
    fn memory(&self, wire: usize, prefix: &str) -> String {
        let (banks, address) = (self.d.banks(wire), self.layout.address[wire]);
        let row = if banks > 1 { self.d.wires[wire].beats().0 } else { 1 };
        format!(".{prefix}BANKS({banks}), .{prefix}ROW({row}), .{prefix}ADDRESS({address})")
    }

    /// Depths and releases of the part's links; the first link is the low field.
    fn links(&self) -> String {
        let links = &self.layout.links[self.p];
        let released = |&(w, r): &(usize, usize)| {
            let (reader, input) = self.d.wires[w].readers[r];
            format!("p{reader}_released[{}+:{COUNT}]", input * COUNT)
        };
        let freed: Vec<String> = links.iter().rev().map(released).collect();
        let depth = setting(self.layout.depth_slot[self.p], links.len());
        format!(".depth({depth}), .freed({{{}}})", freed.join(", "))
    }

    /// The first wire of an output, and the text that hands its beats to the others.
    fn output(&self, output: usize) -> (usize, String) {
        let own = |w: &usize| self.d.wires[*w].writer == (self.p, output);
        let mut wires = (0..self.d.wires.len()).filter(own);
        let first = wires.next().expect("every output is wired");
        let copy = |w: usize| {
            format!("    assign w{w}_write = w{first}_write;\n    assign w{w}_data = w{first}_data;\n")
        };
        (first, wires.map(copy).collect())
    }

    fn source(&self, text: &mut String) {
        let (p, phases, links) = (self.p, self.phases, self.layout.links[self.p].len());
        let (w, copies) = self.output(0);
        let width = self.d.wires[w].lanes * 8;
        let _ = write!(
            text,
            "    source #(.WIDTH({width}), .LINKS({links}), .PHASES({phases}), .IMAGE(\"p{p}.hex\")) p{p}(\n\
             \x20       .clk(clk), .reset(reset), .valid(in_valid), .ready(in_ready), .data(in_data[{}:0]),\n\
             \x20       {}, .fire(fire[{p}]), .write(w{w}_write), .write_data(w{w}_data));\n\
             \x20   assign p{p}_released = 0;\n{copies}",
            width - 1,
            self.links(),
        );
    }

    fn sink(&self, text: &mut String) {
        let (p, phases, Reading { wire, address, data }) = (self.p, self.phases, self.reading(0));
        let width = self.d.wires[wire].lanes * 8;
        let _ = write!(
            text,
            "    sink #(.WIDTH({width}), {}, .PHASES({phases}), .IMAGE(\"p{p}.hex\")) p{p}(\n\
             \x20       .clk(clk), .reset(reset), .arrived(w{wire}_write), .released(p{p}_released),\n\
             \x20       .read_address({address}), .read_data({data}), .fire(fire[{p}]),\n\
             \x20       .valid(out_valid), .ready(out_ready), .data(out_data[{}:0]));\n",
            self.memory(wire, ""),
            width - 1,
        );
        if width < 256 {
            let _ = writeln!(text, "    assign out_data[255:{width}] = 0;");
        }
    }

    fn layer(&self, text: &mut String, a: &Layer) {
        let (p, Reading { wire, address, data }) = (self.p, self.reading(0));
        let mut arrived = format!("w{wire}_write");
        let mut skip = format!(".skip_address(), .skip_data({}'b0)", a.lanes_out * 8);
        let mut skip_memory = String::new();
        if a.add.is_some() {
            let Reading { wire, address, data } = self.reading(1);
            skip_memory = format!(", {}", self.memory(wire, "SKIP_"));
            arrived = format!("w{wire}_write, {arrived}");
            skip = format!(".skip_address({address}), .skip_data({data})");
        }
        let (out, mut copies) = self.output(0);
        let mut tap = ".tap_write(), .tap_data()".to_owned();
        if a.tap.is_some() {
            let (t, more) = self.output(1);
            copies += &more;
            tap = format!(".tap_write(w{t}_write), .tap_data(w{t}_data)");
        }
        let files = ["", ".weights", ".bias", ".scales"].map(|kind| format!("\"p{p}{kind}.hex\""));
        let _ = write!(
            text,
            "    matrix_vector #({}, .BANKS({}), .ADDRESS({}){skip_memory},\n\
             \x20       .IMAGE({}), .WEIGHTS({}), .BIAS({}), .SCALES({})) p{p}(\n\
             \x20       .clk(clk), .reset(reset), .preset({}), {}, .arrived({{{arrived}}}),\n\
             \x20       .released(p{p}_released), .fire(fire[{p}]), .read_address({address}), .read_data({data}),\n\
             \x20       {skip}, .write(w{out}_write), .write_data(w{out}_data), {tap});\n{copies}",
            self.parameters(a),
            self.d.banks(wire),
            self.layout.address[wire],
            files[0],
            files[1],
            files[2],
            files[3],
            setting(self.layout.preset_slot[p], inputs(&self.d.parts[p])),
            self.links(),
        );
    }

    /// Parameters of a layer but for its memories and images.
    fn parameters(&self, a: &Layer) -> String {
        let (low, high) = a.format_out.limits();
        let all: [(&str, i64); 24] = [
            ("KH", a.window.kernel.h as i64),
            ("KW", a.window.kernel.w as i64),
            ("CHANNELS", a.input.channels as i64),
            ("ROWS", a.input.height as i64),
            ("ROW", (a.input.width * a.input.channels.div_ceil(a.lanes_in)) as i64),
            ("LANES", a.lanes_in as i64),
            ("SIGNED", i64::from(a.format_in.signed)),
            ("ZERO", a.format_in.zero & 255),
            ("COLUMNS", a.window.stride.w.min(a.window.kernel.w) as i64),
            ("SLOTS", a.slots as i64),
            ("PORTS", a.ports as i64),
            ("SIMD", a.simd as i64),
            ("PE", a.pe as i64),
            ("GROUPS", a.groups as i64),
            ("PAIR", i64::from(a.pair)),
            ("OUTPUTS", a.output.channels as i64),
            ("OUT_LANES", a.lanes_out as i64),
            ("LOW", low),
            ("HIGH", high),
            ("SHIFT", i64::from(a.values.shift)),
            ("ADD", i64::from(a.add.is_some())),
            ("SKIP_SIGNED", i64::from(a.format_add.signed)),
            ("TAP_ROW", a.tap.unwrap_or(0) as i64),
            ("LINKS", self.layout.links[self.p].len() as i64),
        ];
        let list: Vec<String> = all.iter().map(|(name, value)| format!(".{name}({value})")).collect();
        format!("{}, .PHASES({})", list.join(", "), self.phases)
    }
}

/// `n` of the settings from a slot on.
fn setting(slot: usize, n: usize) -> String {
    format!("settings[{}+:{}]", slot * COUNT, n * COUNT)
}
