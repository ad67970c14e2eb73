//! The walk over the graph: what each tensor has become so far, and the faults found on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::data::Loader;
use super::super::messages::{GraphProto, ModelProto, NodeProto, TensorProto};
use super::call::{Call, Fault};
use super::constant::Budget;
use super::model::shown;
use super::structure::{place, quoted, sort};
use super::{ImportOptions, Imported, Level, declared, functions, model, ports, rules, table};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::Value;
use crate::names::Names;
use crate::network::{Batch, Edit, Network};
use crate::tensor::Tensor;

/// Faults beyond these are only counted: nobody reads more, and a hostile file has millions.
const MAX_FAULTS: usize = 100;

/// What a tensor of the file has become.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// Numbers known here and now.
    Const(Arc<Tensor>),
    /// A value of the network; `fixed` where it depends on constants alone.
    Value { value: Value, fixed: bool },
    /// Nothing, for a reason that is reported already; `fixed` as above.
    Unknown { fixed: bool },
}

impl Item {
    /// Whether the item depends on constants alone.
    pub(super) fn fixed(&self) -> bool {
        match self {
            Item::Const(_) => true,
            Item::Value { fixed, .. } | Item::Unknown { fixed } => *fixed,
        }
    }
}

/// The state of the walk.
pub(super) struct Importer<'m> {
    pub(super) network: Network,
    pub(super) level: Level,
    /// Frames that activations hold during the walk: a fixed batch as it is, 1 for a dynamic one.
    pub(super) frames: usize,
    pub(super) budget: Budget,
    items: BTreeMap<&'m str, Item>,
    initialisers: BTreeMap<&'m str, &'m TensorProto>,
    loader: Loader,
    faults: Diagnostics,
    /// Faults that were found beyond the most that are kept.
    unsaid: usize,
    notes: Vec<String>,
    /// Constants that are nodes of the network already, by the address of their numbers, which they hold.
    nodes: BTreeMap<usize, (Arc<Tensor>, Value)>,
}

/// Reads a decoded model.
pub(super) fn import(
    mut model: ModelProto,
    file: &str,
    bytes: usize,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Imported, Diagnostics> {
    let mut faults = Diagnostics::default();
    let opsets = model::check(&model, &mut faults);
    let Some(mut graph) = model.graph.take() else {
        faults.push(Diagnostic::new(
            "import/graph",
            format!("{file} has no graph"),
            "the model's graph field is missing",
            "export the model again",
        ));
        return Err(faults);
    };
    let written = std::mem::take(&mut graph.node);
    let nodes = functions::inline(written, &model.functions, &opsets, bytes, &mut faults);
    let structure = sort(&graph, &nodes, &mut faults);
    let outputs = chosen(&graph, options, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let names: Vec<&str> = outputs.iter().map(|&i| graph.output[i].name()).collect();
    let live = structure.live(&nodes, &names);

    let mut importer = Importer {
        network: Network::new(),
        level: options.level,
        frames: 1,
        budget: Budget::for_file(bytes),
        items: BTreeMap::new(),
        initialisers: graph.initializer.iter().map(|t| (t.name(), t)).collect(),
        loader: Loader::new(folder.map(Path::to_path_buf)),
        faults,
        unsaid: 0,
        notes: Vec::new(),
        nodes: BTreeMap::new(),
    };
    importer.inputs(&graph, &nodes, &live, options);
    let readers = readers(&nodes, &live, &names);
    for &i in structure.order.iter().filter(|&&i| live[i]) {
        importer.node(&nodes[i], &opsets, &readers);
    }
    let skipped = live.iter().filter(|l| !**l).count();
    if skipped > 0 {
        importer.notes.push(format!("{skipped} nodes that no chosen output depends on were left out"));
    }
    importer.sparse(&graph, &nodes, &live);
    importer.finish(&graph, &outputs)
}

/// Indices of the outputs to keep.
fn chosen(graph: &GraphProto, options: &ImportOptions, faults: &mut Diagnostics) -> Vec<usize> {
    let all = || graph.output.iter().map(|o| quoted(o.name())).collect::<Vec<_>>().join(", ");
    let mut fault = |what: String, why: &str, remedy: String| {
        faults.push(Diagnostic::new("import/output", what, why, remedy));
    };
    if graph.output.is_empty() {
        fault("the graph has no output".into(), "nothing is to be computed", "export the model again".into());
    }
    if !options.outputs.is_empty() {
        let mut found = Vec::new();
        for name in &options.outputs {
            match graph.output.iter().position(|o| o.name() == name) {
                Some(i) if !found.contains(&i) => found.push(i),
                Some(_) => {}
                None => fault(
                    format!("--output {}", quoted(name)),
                    "the graph has no output of that name",
                    format!("choose among {}", all()),
                ),
            }
        }
        return found;
    }
    if graph.output.len() > 1 && options.level == Level::Network && !options.all_outputs {
        fault(
            format!("the graph has {} outputs: {}", graph.output.len(), all()),
            "which of them are wanted is unknown",
            "choose with --output NAME, once for each that is wanted".into(),
        );
    }
    (0..graph.output.len()).collect()
}

/// How many live nodes and chosen outputs read each tensor.
fn readers<'n>(nodes: &'n [NodeProto], live: &[bool], outputs: &[&'n str]) -> BTreeMap<&'n str, usize> {
    let mut readers = BTreeMap::new();
    let read = nodes.iter().zip(live).filter(|(_, l)| **l).flat_map(|(n, _)| &n.input);
    for tensor in read.map(String::as_str).chain(outputs.iter().copied()) {
        *readers.entry(tensor).or_insert(0) += 1;
    }
    readers
}

impl<'m> Importer<'m> {
    pub(super) fn fault(&mut self, diagnostic: Diagnostic) {
        if self.faults.len() < MAX_FAULTS { self.faults.push(diagnostic) } else { self.unsaid += 1 }
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn inputs(&mut self, graph: &'m GraphProto, nodes: &[NodeProto], live: &[bool], options: &ImportOptions) {
        let inputs: Vec<_> =
            graph.input.iter().filter(|i| !self.initialisers.contains_key(i.name())).collect();
        if self.level == Level::Network && inputs.len() != 1 {
            let reader = |name: &str| {
                let at = nodes.iter().zip(live).find(|(n, l)| **l && n.input.iter().any(|i| i == name));
                at.map_or(String::new(), |(n, _)| format!(" (read by {})", place(n)))
            };
            let names: Vec<String> =
                inputs.iter().map(|i| format!("{}{}", quoted(i.name()), reader(i.name()))).collect();
            self.fault(Diagnostic::new(
                "import/input",
                format!("the graph has {} inputs without values: {}", inputs.len(), names.join(", ")),
                "a stream has one image input",
                "give weights as initialisers, and leave one input",
            ));
        }
        for (i, info) in inputs.into_iter().enumerate() {
            if i > 0 && self.level == Level::Network {
                self.items.insert(info.name(), Item::Unknown { fixed: false });
                continue;
            }
            let item = match ports::input(info, options) {
                Ok(input) => {
                    if let Batch::Fixed(n) = input.batch {
                        self.frames = n;
                    }
                    let value = Edit::new(&mut self.network).input(info.name(), input.ty, input.batch);
                    Item::Value { value, fixed: false }
                }
                Err(mut fault) => {
                    let readers = nodes.iter().filter(|n| n.input.iter().any(|i| i == info.name()));
                    let readers: Vec<&str> = readers.map(|n| n.op_type()).collect();
                    if !readers.is_empty() {
                        fault.what += &format!(", read by {}", readers.join(", "));
                    }
                    self.fault(fault);
                    Item::Unknown { fixed: false }
                }
            };
            self.items.insert(info.name(), item);
        }
    }

    /// Sparse initialisers are refused where a live node reads them.
    fn sparse(&mut self, graph: &GraphProto, nodes: &[NodeProto], live: &[bool]) {
        for sparse in &graph.sparse_initializer {
            let name = sparse.values.as_ref().map_or("", |v| v.name());
            if nodes.iter().zip(live).any(|(n, l)| *l && n.input.iter().any(|i| i == name)) {
                self.fault(Diagnostic::new(
                    "import/tensor",
                    format!("initialiser {}", quoted(name)),
                    "it is sparse",
                    "store it as a dense tensor",
                ));
            }
        }
    }

    fn node(&mut self, node: &'m NodeProto, opsets: &BTreeMap<String, i64>, readers: &BTreeMap<&str, usize>) {
        let unknown = Item::Unknown { fixed: self.fixed(node) };
        let item = match table::find(node, opsets) {
            Err(fault) => {
                self.fault(fault);
                unknown.clone()
            }
            Ok((operator, opset)) => {
                let mut call = Call { importer: self, node, opset };
                let outcome = call.checked(operator, readers).and_then(|()| (operator.import)(&mut call));
                match outcome {
                    Ok(item) => item,
                    Err(Fault::Known) => unknown.clone(),
                    Err(Fault::New { why, remedy }) => {
                        let diagnostic = call.diagnostic(why, remedy);
                        self.fault(diagnostic);
                        unknown.clone()
                    }
                }
            }
        };
        for (i, output) in node.output.iter().enumerate().filter(|(_, o)| !o.is_empty()) {
            self.items.insert(output, if i == 0 { item.clone() } else { unknown.clone() });
        }
    }

    /// Whether what a node gives depends on constants alone, as extents of an activation do.
    fn fixed(&mut self, node: &'m NodeProto) -> bool {
        matches!(node.op_type(), "Shape" | "Size")
            || node.input.iter().filter(|i| !i.is_empty()).all(|i| self.item(i).fixed())
    }

    /// What a tensor has become; initialisers are read when they are first asked for.
    pub(super) fn item(&mut self, name: &'m str) -> Item {
        if let Some(item) = self.items.get(name) {
            return item.clone();
        }
        let Some(message) = self.initialisers.get(name) else {
            return Item::Unknown { fixed: true };
        };
        let item = match self.loader.load(message) {
            Ok(tensor) => Item::Const(tensor),
            Err(why) => {
                self.fault(Diagnostic::new(
                    "import/tensor",
                    format!("initialiser {}", quoted(name)),
                    why,
                    "export the model again, with its side files beside it",
                ));
                Item::Unknown { fixed: true }
            }
        };
        self.items.insert(name, item.clone());
        item
    }

    /// What a tensor has become, where the walk has met it.
    pub(super) fn met(&self, name: &str) -> Option<&Item> {
        self.items.get(name)
    }

    /// The tensor of an attribute.
    pub(super) fn load(&mut self, message: &TensorProto) -> Result<Arc<Tensor>, String> {
        self.loader.load(message)
    }

    /// A constant as a node of the network, one node for all its readers.
    pub(super) fn constant(&mut self, tensor: &Arc<Tensor>) -> Value {
        let key = Arc::as_ptr(tensor) as usize;
        if let Some((_, value)) = self.nodes.get(&key) {
            return *value;
        }
        let value = Edit::new(&mut self.network).named(Names::default()).constant(tensor.clone());
        self.nodes.insert(key, (tensor.clone(), value));
        value
    }

    fn finish(mut self, graph: &'m GraphProto, outputs: &[usize]) -> Result<Imported, Diagnostics> {
        self.outputs(graph, outputs);
        declared::check(&mut self, graph);
        if self.unsaid > 0 {
            self.faults.push(Diagnostic::new(
                "import/more",
                format!("{} more faults are not shown", self.unsaid),
                format!("a list ends after {MAX_FAULTS}"),
                "repair those above first",
            ));
        }
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let mut edit = Edit::new(&mut self.network);
        edit.remove_dead();
        if self.level == Level::Network {
            if self.frames != 1 {
                edit.set_batch(1).map_err(|e| {
                    Diagnostic::new(
                        "import/batch",
                        format!("the batch of {} frames", self.frames),
                        format!("the graph cannot be brought to one frame: {e}"),
                        "export the model with an open batch",
                    )
                })?;
            }
            let faults = rules::check(&self.network);
            if !faults.is_empty() {
                return Err(faults);
            }
        }
        Ok(Imported { network: self.network, notes: self.notes })
    }

    fn outputs(&mut self, graph: &'m GraphProto, outputs: &[usize]) {
        let batch = self.network.inputs().first().map_or(Batch::Absent, |i| i.batch.clone());
        for &i in outputs {
            let name = graph.output[i].name();
            let what = || format!("graph output {}", quoted(name));
            let value = match self.item(name) {
                Item::Unknown { .. } => continue,
                Item::Const(tensor) if self.level == Level::Operator => self.constant(&tensor),
                Item::Const(_) | Item::Value { fixed: true, .. } if self.level == Level::Network => {
                    self.fault(Diagnostic::new(
                        "import/output",
                        what(),
                        "it does not depend on the input",
                        "choose another output with --output NAME",
                    ));
                    continue;
                }
                Item::Const(tensor) => self.constant(&tensor),
                Item::Value { value, .. } => value,
            };
            if self.level == Level::Network && self.network.inputs().iter().any(|i| i.node == value.node) {
                self.fault(Diagnostic::new(
                    "import/output",
                    what(),
                    format!("it is the input {} itself; nothing is computed", quoted(name)),
                    "export a model with layers",
                ));
                continue;
            }
            Edit::new(&mut self.network).output(name, value, batch.clone());
        }
    }
}

/// The opset that a node means, or a fault where its domain is not imported.
pub(super) fn opset(node: &NodeProto, opsets: &BTreeMap<String, i64>) -> Result<i64, Diagnostic> {
    let domain = model::domain(node.domain());
    opsets.get(domain).copied().ok_or_else(|| {
        Diagnostic::new(
            "import/opset",
            place(node),
            format!("the model imports no opset of domain {}", shown(domain)),
            "export the model again; without a version the operator has no meaning",
        )
    })
}
