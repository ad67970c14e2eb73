//! Text becomes a network, or a list of everything that is wrong with it, line by line.
//!
//! Nodes are taken as the text states them; whether they are sound is the verifier's question alone. A node
//! without a type gets the inferred one. Nothing nests, so nothing recurses; no line can ask for more memory
//! than its own length, made-up constants excepted, which have a bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::HEADER;
use super::cursor::{Cursor, shown};
use super::interface::{Port, preprocess};
use super::numbers::{self, MAX_MADE};
use super::phrases::{attributes, names, types};
use super::sidecar::Sidecar;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::{NodeId, Value};
use crate::network::{Edit, InputPort, Network, Node, Op, OutputPort, ValueType, infer, verify};
use crate::tensor::Tensor;

/// Faults beyond these are only counted.
const MAX_FAULTS: usize = 100;

/// Why a line gave no node.
enum Fault {
    /// A fault of its own.
    New(Diagnostic),
    /// An operand whose line has a fault, which is reported there; or weights that are not there.
    Known,
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        Fault::New(diagnostic)
    }
}

/// Reads a network as text, and the weights that it names by digest from the bytes of a safetensors file.
///
/// # Errors
/// Every line that is wrong, with its line and column, what was found there and what was expected; weights
/// that are missing; and, where all lines are well, what the network itself violates.
pub fn parse(text: &str, weights: Option<&[u8]>) -> Result<Network, Diagnostics> {
    let sidecar = weights.map(Sidecar::open).transpose();
    let sidecar = sidecar.map_err(|why| weights_fault("the weights beside the text".into(), why))?;
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let first = lines.by_ref().map(|(i, line)| Cursor::new(line, i + 1)).find(|c| !c.is_end());
    let mut header = first.unwrap_or_else(|| Cursor::new("", 1));
    let place = header.clone();
    if !HEADER.split(' ').all(|word| header.word() == word) || !header.is_end() {
        return Err(place.expected(&format!("\"{HEADER}\", the first line of a network as text")).into());
    }
    let mut reader = Reader { sidecar, ..Reader::default() };
    for (i, line) in lines {
        reader.line(Cursor::new(line, i + 1));
    }
    reader.finish()
}

fn weights_fault(what: String, why: String) -> Diagnostic {
    Diagnostic::new("text/weights", what, why, "give the safetensors file that was written with the text")
}

#[derive(Default)]
struct Reader<'t> {
    network: Network,
    sidecar: Option<Sidecar<'t>>,
    /// What each number of the text is; nothing where its line has a fault.
    nodes: BTreeMap<u32, Option<NodeId>>,
    inputs: Vec<Port<'t>>,
    outputs: Vec<Port<'t>>,
    /// Numbers made so far.
    made: usize,
    /// Lines of constants whose weights are not there.
    absent: Vec<usize>,
    faults: Diagnostics,
    unsaid: usize,
}

impl<'t> Reader<'t> {
    fn fault(&mut self, diagnostic: Diagnostic) {
        if self.faults.len() < MAX_FAULTS { self.faults.push(diagnostic) } else { self.unsaid += 1 }
    }

    fn line(&mut self, mut c: Cursor<'t>) {
        if c.is_end() {
            return;
        }
        let outcome =
            if c.sees('%') { self.node(&mut c) } else { self.interface(&mut c).map_err(Fault::New) };
        if let Err(Fault::New(diagnostic)) = outcome {
            self.fault(diagnostic);
        }
    }

    fn interface(&mut self, c: &mut Cursor<'t>) -> Result<(), Diagnostic> {
        let place = c.clone();
        match c.word() {
            "input" => self.inputs.push(Port::read(c)?),
            "output" => self.outputs.push(Port::read(c)?),
            "preprocess" if self.network.preprocess().is_some() => {
                return Err(place.fault("a network has one preprocessing".into()));
            }
            "preprocess" => {
                let preprocess = preprocess(c)?;
                Edit::new(&mut self.network).set_preprocess(Some(preprocess));
            }
            _ => return Err(place.expected("a node (%0 = ...), input, output or preprocess")),
        }
        Ok(())
    }

    fn node(&mut self, c: &mut Cursor<'t>) -> Result<(), Fault> {
        let place = c.clone();
        let (id, port) = c.reference("a node as %0")?;
        if port != 0 {
            return Err(place.expected("a node as %0, without a result").into());
        }
        if self.nodes.contains_key(&id) {
            return Err(place.fault(format!("%{id} is there already, further up")).into());
        }
        self.nodes.insert(id, None);
        c.want('=')?;
        let place = c.clone();
        let node = match c.word() {
            "const" => self.constant(c)?,
            name => self.operator(c, &place, name)?,
        };
        self.nodes.insert(id, Some(node));
        Ok(())
    }

    fn operator(&mut self, c: &mut Cursor<'t>, place: &Cursor<'t>, name: &str) -> Result<NodeId, Fault> {
        if !Op::NAMES.contains(&name) {
            return Err(place.expected(&format!("an operator: const, {}", Op::NAMES.join(", "))).into());
        }
        let operands = self.operands(c);
        let op = attributes(c, name)?;
        let types = types(c)?;
        let names = names(c)?;
        let operands = operands?;
        let results = match (types, &op) {
            (Some(types), _) => types,
            (None, Op::Input(_)) => return Err(c.expected("the input's type, as : f32 1x3x32x32").into()),
            (None, op) => {
                let ins: Vec<&ValueType> = operands.iter().map(|&v| self.network.ty(v)).collect();
                infer(op, &ins).map_err(|why| place.fault(format!("{name}: {why}")))?
            }
        };
        Ok(Edit::new(&mut self.network).stated(Node { op, names, results }, &operands))
    }

    /// Operands with commas between them; all are read, so that what follows is read too.
    fn operands(&self, c: &mut Cursor<'t>) -> Result<Vec<Value>, Fault> {
        let mut operands = Ok(Vec::new());
        if !c.sees('%') {
            return operands;
        }
        loop {
            let place = c.clone();
            let (node, port) = c.reference("an operand as %0")?;
            match (self.value(&place, node, port), &mut operands) {
                (Ok(value), Ok(all)) if all.len() < usize::from(u16::MAX) => all.push(value),
                (Ok(_), Ok(_)) => return Err(place.fault("no operator has so many operands".into()).into()),
                (Err(fault @ Fault::New(_)), _) => return Err(fault),
                (Err(Fault::Known), _) => operands = Err(Fault::Known),
                (Ok(_), Err(_)) => {}
            }
            if !c.takes(',') {
                return operands;
            }
        }
    }

    fn value(&self, place: &Cursor<'t>, node: u32, port: u16) -> Result<Value, Fault> {
        match self.nodes.get(&node) {
            None => Err(place.expected("a value of a line further up").into()),
            Some(None) => Err(Fault::Known),
            Some(&Some(node)) if usize::from(port) < self.network.node(node).results.len() => {
                Ok(Value { node, port })
            }
            Some(_) => Err(place.fault(format!("its node has no result {port}")).into()),
        }
    }

    fn constant(&mut self, c: &mut Cursor<'t>) -> Result<NodeId, Fault> {
        let place = c.clone();
        let contents = c.value();
        let at = c.clone();
        let ty = match types(c)?.map(<[ValueType; 1]>::try_from) {
            Some(Ok([ty])) => ty,
            _ => return Err(at.expected("the constant's one type, as : f32 16x3x3x3").into()),
        };
        let names = names(c)?;
        let tensor = self.numbers(&place, &contents, &ty)?;
        Ok(Edit::new(&mut self.network).named(names).constant(tensor).node)
    }

    fn numbers(&mut self, place: &Cursor<'t>, contents: &str, ty: &ValueType) -> Result<Arc<Tensor>, Fault> {
        let wrong = |why| Fault::New(place.fault(why));
        if let Some(key) = contents.strip_prefix("blake3:") {
            if let Some(sidecar) = &mut self.sidecar {
                let tensor = sidecar.tensor(key, ty.element, &ty.shape);
                return tensor.map_err(|why| Fault::New(weights_fault(place.place(&shown(contents)), why)));
            }
            self.absent.push(place.number());
            return Err(Fault::Known);
        }
        let make = match contents.split_once('=') {
            Some(("seed", seed)) => Some((numbers::seeded as fn(_, &_, &_) -> _, seed)),
            Some(("all", value)) => Some((numbers::all as fn(_, &_, &_) -> _, value)),
            _ => None,
        };
        let tensor = match make {
            None => numbers::read(ty.element, &ty.shape, contents),
            Some((make, argument)) => {
                let made = self.made.saturating_add(ty.shape.len());
                if made > MAX_MADE {
                    return Err(wrong(format!("a text makes up at most {MAX_MADE} numbers")));
                }
                self.made = made;
                make(ty.element, &ty.shape, argument)
            }
        };
        tensor.map(Arc::new).map_err(wrong)
    }

    fn finish(mut self) -> Result<Network, Diagnostics> {
        for port in std::mem::take(&mut self.inputs) {
            match self.value(&port.place, port.node, port.port) {
                Ok(value) if value.port == 0 => {
                    let (element, perm) = port.layout(self.network.ty(value));
                    let port =
                        InputPort { node: value.node, name: port.name, element, perm, batch: port.batch };
                    Edit::new(&mut self.network).stated_input(port);
                }
                Ok(_) => self.fault(port.place.expected("an input node")),
                Err(Fault::New(diagnostic)) => self.fault(diagnostic),
                Err(Fault::Known) => {}
            }
        }
        for port in std::mem::take(&mut self.outputs) {
            match self.value(&port.place, port.node, port.port) {
                Ok(value) => {
                    let (element, perm) = port.layout(self.network.ty(value));
                    let port = OutputPort { value, name: port.name, element, perm, batch: port.batch };
                    Edit::new(&mut self.network).stated_output(port);
                }
                Err(Fault::New(diagnostic)) => self.fault(diagnostic),
                Err(Fault::Known) => {}
            }
        }
        if let Some(line) = self.absent.first() {
            let what = format!("line {line}: a constant named by digest, the first of {}", self.absent.len());
            self.fault(weights_fault(what, "there are no weights beside the text".into()));
        }
        if self.unsaid > 0 {
            self.faults.push(Diagnostic::new(
                "text/more",
                format!("{} more faults are not shown", self.unsaid),
                format!("a list ends after {MAX_FAULTS}"),
                "repair those above first",
            ));
        }
        let network = self.faults.or(self.network)?;
        verify(&network)?;
        Ok(network)
    }
}
