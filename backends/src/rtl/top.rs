//! The generated top: it only instantiates, and joins channels and actors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Kind, Map, Stream, stages};
use nonresc_passes::arithmetic::Arithmetic;
use nonresc_passes::bind::Binding;
use nonresc_passes::control::{Layout, links};

use super::actor::{Made, Making};
use super::instance::{Instance, Parameters};
use super::memory;
use super::synthesis::channel_name;
use super::{Part, Rtl};

/// The top's module, and its file without ending.
pub const TOP: &str = "nonresc_top";

/// An AXI4-Stream pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// In front of the names of its wires: `s_axis`, `m_axis`.
    pub prefix: String,
    /// The graph's name of the input or output.
    pub name: String,
    /// Whether frames come in here.
    pub input: bool,
    /// The pixels of a frame.
    pub map: Map,
    /// Numbers a beat.
    pub lanes: usize,
    /// Bits of a number.
    pub bits: usize,
    /// Whether numbers are signed.
    pub signed: bool,
}

impl Pin {
    /// Bits of TDATA: whole bytes.
    pub fn width(&self) -> usize {
        (self.lanes * self.bits).div_ceil(8) * 8
    }

    /// Beats a frame.
    pub fn beats(&self) -> usize {
        self.map.pixels() * self.map.beats(self.lanes)
    }
}

/// The instance of each actor, by its id: legal and unique whatever the ONNX names are.
pub fn names(stream: &Stream) -> BTreeMap<ActorId, String> {
    let legal = |name: &str| -> String {
        let kept = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let kept: String = kept.take(40).collect();
        kept.trim_matches('_').to_owned()
    };
    let name = |id: ActorId| {
        let first = stream.actor(id).names.iter().next().map(&legal).unwrap_or_default();
        let name = format!("a{}_{first}", id.index());
        (id, name.trim_end_matches('_').to_owned())
    };
    stream.actors().map(name).collect()
}

/// Pins of all sources and sinks; where there are several their names stand behind the prefix.
fn pins(stream: &Stream) -> BTreeMap<ActorId, Pin> {
    let of = |input: bool| {
        let is = move |id: &ActorId| match stream.actor(*id).kind {
            Kind::Source(_) => input,
            Kind::Sink(_) => !input,
            _ => false,
        };
        stream.actors().filter(is).collect::<Vec<_>>()
    };
    let mut all = BTreeMap::new();
    for (input, prefix) in [(true, "s_axis"), (false, "m_axis")] {
        let ids = of(input);
        for (i, &id) in ids.iter().enumerate() {
            let channel = if input { stream.outputs(id, 0).first().copied() } else { stream.input(id, 0) };
            let Some(channel) = channel.map(|c| stream.channel(c)) else { continue };
            let prefix = if ids.len() == 1 { prefix.to_owned() } else { format!("{prefix}_{i}") };
            let pin = Pin {
                prefix,
                name: stream.actor(id).names.to_string(),
                input,
                map: channel.map,
                lanes: channel.lanes,
                bits: channel.bits as usize,
                signed: channel.signed,
            };
            all.insert(id, pin);
        }
    }
    all
}

pub(super) fn top(
    stream: &Stream,
    arithmetic: &Arithmetic,
    bound: Option<&Binding>,
) -> Result<Rtl, Diagnostics> {
    let names = names(stream);
    let (mut faults, mut rtl) = (Diagnostics::default(), Rtl::default());
    let fault = |id: ActorId, why: String, remedy: &str| {
        Diagnostic::new("hardware/actor", format!("\"{}\"", stream.actor(id).names), why, remedy)
    };
    let (mut memories, mut styles) = (BTreeMap::new(), BTreeMap::new());
    for id in stream.channels() {
        match memory::channel(stream, id, bound) {
            Some((layout, style)) => {
                memories.insert(id, layout);
                styles.insert(id, style);
            }
            None => {
                let writer = stream.channel(id).writer;
                let why = "its readers would read its memory side by side in different ways".into();
                faults.push(fault(writer, why, "keep the skips that share it"));
            }
        }
    }
    faults.or(())?;
    let mut faults = Diagnostics::default();
    let mut made = BTreeMap::new();
    for id in stream.actors() {
        let (name, parts) = (&names[&id], Made::default());
        let making = Making { stream, arithmetic, bound, actor: id, name, memories: &memories, made: parts };
        match making.make() {
            Ok(actor) => {
                made.insert(id, actor);
            }
            Err((why, remedy)) => faults.push(fault(id, why, remedy)),
        }
    }
    faults.or(())?;

    let pins = pins(stream);
    let deepest = |id: ActorId| (0..2).map(move |output| (id, output));
    let second =
        |&(id, output): &(ActorId, u16)| usize::from(output) < stream.actor(id).kind.outputs().into();
    let most = stream.actors().flat_map(deepest).filter(second).map(|(id, o)| stages(stream, id, o)).max();
    rtl.settling = most.unwrap_or(0) as usize + 4;
    let joined = Joined { stream, names: &names, memories: &memories, styles: &styles, pins: &pins };
    rtl.files.insert(format!("{TOP}.sv"), joined.text(&made, rtl.settling));
    let none = BTreeMap::new();
    for (&id, memory) in &memories {
        let contents = joined.parameters(id, memory).contents("storage", &none);
        rtl.parts.insert(channel_name(id), Part { contents, multipliers: 0 });
    }
    for (id, actor) in &made {
        let multipliers = match &stream.actor(*id).kind {
            Kind::MatVec(a) => a.multipliers(),
            _ => 0,
        };
        let contents = actor.parameters.contents(actor.module, &actor.images);
        rtl.parts.insert(names[id].clone(), Part { contents, multipliers });
    }
    let (inputs, outputs): (Vec<Pin>, Vec<Pin>) = pins.into_values().partition(|pin| pin.input);
    rtl.pins = inputs.into_iter().chain(outputs).collect();
    for actor in made.into_values() {
        rtl.files.extend(actor.images);
    }
    Ok(rtl)
}

struct Joined<'a> {
    stream: &'a Stream,
    names: &'a BTreeMap<ActorId, String>,
    memories: &'a BTreeMap<ChannelId, Layout>,
    styles: &'a BTreeMap<ChannelId, &'static str>,
    pins: &'a BTreeMap<ActorId, Pin>,
}

impl Joined<'_> {
    fn text(&self, made: &BTreeMap<ActorId, Made>, settling: usize) -> String {
        let mut ports = vec!["input  logic aclk".to_owned(), "input  logic aresetn".to_owned()];
        for pin in self.pins.values() {
            let (prefix, high) = (&pin.prefix, pin.width() - 1);
            let (toward, back) = if pin.input { ("input ", "output") } else { ("output", "input ") };
            ports.push(format!("{toward} logic [{high}:0] {prefix}_tdata"));
            ports.push(format!("{toward} logic {prefix}_tvalid"));
            ports.push(format!("{back} logic {prefix}_tready"));
            ports.push(format!("{toward} logic {prefix}_tlast"));
        }
        ports.push("output logic frame_error".to_owned());
        let bits = settling.ilog2() + 1;
        let mut text = format!(
            "// Written by nonresc: it only instantiates. `frame_error` rises, and stays, when a TLAST is not on the last\n\
             // beat of a frame. Behind a reset the design settles for {settling} cycles, in which it takes nothing.\n\
             module {TOP} (\n    {}\n);\n\
             \x20   logic clk, reset;\n    logic [{high}:0] settling;\n    assign clk = aclk;\n\
             \x20   always_ff @(posedge clk) begin\n\
             \x20       reset <= !aresetn || settling != {bits}'d0;\n\
             \x20       if (!aresetn) settling <= {bits}'d{settling};\n\
             \x20       else if (settling != {bits}'d0) settling <= settling - {bits}'d1;\n\
             \x20   end\n",
            ports.join(",\n    "),
            high = bits - 1,
        );
        for (&id, memory) in self.memories {
            text += &self.channel(id, memory);
        }
        for &id in self.names.keys() {
            let kind = &self.stream.actor(id).kind;
            if kind.inputs() > 0 {
                let _ = writeln!(
                    text,
                    "    logic [{}:0] {}_released;",
                    24 * usize::from(kind.inputs()) - 1,
                    self.names[&id]
                );
            }
        }
        let errors: BTreeSet<String> = self
            .pins
            .iter()
            .filter(|(_, pin)| pin.input)
            .map(|(id, _)| format!("{}_misplaced", self.names[id]))
            .collect();
        for error in &errors {
            let _ = writeln!(text, "    logic {error};");
        }
        let all: Vec<String> = errors.into_iter().collect();
        let _ = writeln!(
            text,
            "    assign frame_error = {};",
            if all.is_empty() { "1'b0".into() } else { all.join(" | ") }
        );
        for (&id, actor) in made {
            text += &self.actor(id, actor);
        }
        text + "endmodule\n"
    }

    fn parameters(&self, id: ChannelId, memory: &Layout) -> Parameters {
        let (readers, banks) = (self.stream.channel(id).readers.len(), memory.banks);
        let mut parameters = Parameters::default();
        for (name, value) in [
            ("BITS", memory.bits),
            ("ROWS", banks.h),
            ("COLUMNS", banks.w),
            ("WIDTH", memory.width),
            ("BEATS", memory.beats),
            ("ROW_WORDS", memory.row_words),
            ("ADDRESS", memory.address),
            ("SPAN", memory.span),
            ("READERS", readers),
            ("SHIFT", memory.shift),
        ] {
            parameters.number(name, value);
        }
        parameters.file("STYLE", self.styles.get(&id).copied().unwrap_or("auto"));
        parameters
    }

    fn channel(&self, id: ChannelId, memory: &Layout) -> String {
        let channel = self.stream.channel(id);
        let (readers, banks, c) = (channel.readers.len(), memory.banks.h * memory.banks.w, id.index());
        let parameters = self.parameters(id, memory);
        let names = |id: ActorId| self.stream.actor(id).names.to_string();
        let to: Vec<String> = channel.readers.iter().map(|r| names(r.actor)).collect();
        let map = channel.map;
        let remark = format!(
            "{} -> {}: {}x{}x{}, {} lanes of {} bits, {} places",
            legal_comment(&names(channel.writer)),
            legal_comment(&to.join(", ")),
            map.channels,
            map.height,
            map.width,
            channel.lanes,
            channel.bits,
            channel.depth.unwrap_or(1),
        );
        let instance = Instance {
            module: "storage",
            name: format!("c{c}"),
            remark,
            parameters,
            ports: vec![
                ("clk", "clk".into()),
                ("reset", "reset".into()),
                ("write", format!("c{c}_write")),
                ("write_data", format!("c{c}_data")),
                ("read_address", format!("c{c}_address")),
                ("read_data", format!("c{c}_read")),
            ],
        };
        format!(
            "    logic c{c}_write;\n    logic [{}:0] c{c}_data;\n    logic [{}:0] c{c}_address;\n    logic [{}:0] c{c}_read;\n{}",
            memory.bits - 1,
            readers * banks * memory.address - 1,
            readers * banks * memory.bits - 1,
            instance.text()
        )
    }

    /// Slices of a channel's addresses and words that belong to an input of an actor.
    fn reading(&self, id: ActorId, input: u16) -> Option<(usize, String, String)> {
        let channel = self.stream.input(id, input)?;
        let memory = self.memories.get(&channel)?;
        let c = channel.index();
        let reader = self.stream.channel(channel).readers.iter();
        let r = reader.into_iter().position(|r| r.actor == id && r.input == input)?;
        let banks = memory.banks.h * memory.banks.w;
        let slice = |bits: usize| format!("[{}+:{}]", r * banks * bits, banks * bits);
        Some((
            c,
            format!("c{c}_address{}", slice(memory.address)),
            format!("c{c}_read{}", slice(memory.bits)),
        ))
    }

    fn actor(&self, id: ActorId, made: &Made) -> String {
        let (stream, name) = (self.stream, &self.names[&id]);
        let kind = &stream.actor(id).kind;
        let mut ports: Vec<(&'static str, String)> = vec![("clk", "clk".into()), ("reset", "reset".into())];
        let freed = |&(channel, reader): &(ChannelId, usize)| {
            let reader = stream.channel(channel).readers[reader];
            format!("{}_released[{}+:24]", self.names[&reader.actor], 24 * reader.input)
        };
        let freed: Vec<String> = links(stream, id).iter().rev().map(freed).collect();
        if !freed.is_empty() {
            ports.push(("freed", format!("{{{}}}", freed.join(", "))));
        }
        let inputs: Vec<_> = (0..kind.inputs()).filter_map(|i| self.reading(id, i)).collect();
        if !inputs.is_empty() {
            let arrived: Vec<String> = inputs.iter().rev().map(|(c, ..)| format!("c{c}_write")).collect();
            ports.push(("arrived", format!("{{{}}}", arrived.join(", "))));
            ports.push(("released", format!("{name}_released")));
            ports.push(("read_address", inputs[0].1.clone()));
            ports.push(("read_data", inputs[0].2.clone()));
        }
        match inputs.get(1) {
            Some((_, address, data)) => {
                ports.push(("skip_address", address.clone()));
                ports.push(("skip_data", data.clone()));
            }
            None if matches!(kind, Kind::MatVec(_)) => {
                let (lanes, skip) =
                    (stream.outputs(id, 0).first().map_or(1, |&c| stream.channel(c).lanes), 8);
                ports.push(("skip_address", String::new()));
                ports.push(("skip_data", format!("{}'d0", lanes * skip)));
            }
            None => {}
        }
        let mut copies = String::new();
        for output in 0..kind.outputs() {
            let channels = stream.outputs(id, output);
            let (write, data) =
                if output == 0 { ("write", "write_data") } else { ("second_write", "second_data") };
            let Some(first) = channels.first().map(|c| c.index()) else { continue };
            ports.push((write, format!("c{first}_write")));
            ports.push((data, format!("c{first}_data")));
            for c in channels[1..].iter().map(|c| c.index()) {
                let _ = writeln!(
                    copies,
                    "    assign c{c}_write = c{first}_write;\n    assign c{c}_data = c{first}_data;"
                );
            }
        }
        if made.module == "held" && kind.outputs() == 1 {
            ports.push(("second_write", String::new()));
            ports.push(("second_data", String::new()));
        }
        if let Some(pin) = self.pins.get(&id) {
            let (prefix, bits) = (&pin.prefix, pin.lanes * pin.bits);
            ports.push(("valid", format!("{prefix}_tvalid")));
            ports.push(("ready", format!("{prefix}_tready")));
            ports.push(("last", format!("{prefix}_tlast")));
            ports.push(("data", format!("{prefix}_tdata[{}:0]", bits - 1)));
            if pin.input {
                ports.push(("misplaced", format!("{name}_misplaced")));
            } else if pin.width() > bits {
                let _ = writeln!(
                    copies,
                    "    assign {prefix}_tdata[{}:{bits}] = {}'d0;",
                    pin.width() - 1,
                    pin.width() - bits
                );
            }
        }
        let remark = legal_comment(&stream.actor(id).names.to_string());
        let instance = Instance {
            module: made.module,
            name: name.clone(),
            remark,
            parameters: made.parameters.clone(),
            ports,
        };
        instance.text() + &copies
    }
}

/// A name as it may stand in a comment of one line.
fn legal_comment(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
