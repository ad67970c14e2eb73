//! The backends: a finished design as files. A backend checks what it needs and then writes; it decides nothing
//! that a pass could.
//!
//! The whole way as a library, from a model to its schedule without skips:
//!
//! ```
//! use nonresc_backends::{out, schedule};
//! use nonresc_ir::onnx::import::{ImportOptions, import_file};
//! use nonresc_passes::design::{Design, NetworkDesign, Options};
//! use nonresc_passes::{device::Device, manager, plan::Request, target::Target};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/block.onnx");
//! # let home = tempfile::tempdir()?;
//! # let folder = home.path().join("build");
//! let network = import_file(&model, &ImportOptions::default())?.network;
//! let target = Target::of(Device::find("xc7z020")?);
//! let options = Options { skips: Request::parse("remove")?, ..Options::of(target) };
//! let design = Design::Network(NetworkDesign::new(network));
//! let design = manager::compile(design, &options, &manager::Checks::default())?.design;
//! let stream = design.stream().ok_or("no design")?;
//! let schedule = schedule::schedule(stream, &options, None, &[])?;
//! println!("{} frames/s", schedule.timing.frames_per_second);
//! let bytes = schedule::text(&schedule).into_bytes();
//! out::write(&folder, &[out::OutFile { name: "schedule.json".into(), bytes }])?;
//! # assert!(schedule.timing.frames_per_second > 1000.0);
//! # assert!(schedule.channels.iter().all(|channel| channel.skip.is_none()));
//! # assert!(folder.join("schedule.json").exists());
//! # Ok(())
//! # }
//! ```

pub mod dot;
pub mod out;
pub mod out_file;
pub mod page;
pub mod rtl;
pub mod schedule;
pub mod transient;
