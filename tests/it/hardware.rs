//! Generated hardware in Verilator, against the integer network and the schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nonresc_backends::rtl::{Trial, project};
use nonresc_ir::network::{Element, Network};
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::device::Device;
use nonresc_passes::engine::Given;
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::plan::{Serve, Site};
use nonresc_passes::quantise::{QuantiseOptions, Scales};
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::hardware::{bench, designed, designed_for, faults, with_shorter_skips};
use nonresc_tests::networks::Maker;
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;
use nonresc_tests::seed::Seed;
use nonresc_tests::target::unlimited;

use crate::program::{example, names, nonresc_in};
#[cfg(unix)]
use crate::program::{path_with_tools, program, tool};

/// Random networks that are simulated here; `cargo bench --bench hardware` does more.
const NETWORKS: usize = 6;

#[test]
fn random_networks_run_as_scheduled() {
    let mut done = 0;
    for seed in 0.. {
        if done == NETWORKS {
            break;
        }
        assert!(seed < 20 * NETWORKS as u64, "{done} networks of {seed} have hardware");
        let Some(network) = quantised(&random::network(seed), &options(seed, None)) else { continue };
        let rate = if seed % 2 == 0 { Rate::Fastest } else { Rate::Fps(100e6 / 2_000.0) };
        let Ok(design) = designed(&network, "keep", rate) else { continue };
        let Ok((found, wrong)) = faults(&design, 3) else { continue };
        assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
        assert!(found.numbers > 0 && found.starts > 0);
        done += 1;
    }
}

/// The example ResNet8 with codes of so many bits, calibrated on inputs that are made up.
fn resnet8(bits: u32) -> Network {
    let bytes = std::fs::read(example("resnet8.onnx")).unwrap();
    let read = import_bytes(bytes, "resnet8", &ImportOptions::default()).unwrap().network;
    let bits = Bits { weights: bits, activations: bits };
    let options =
        QuantiseOptions { bits, scales: Scales::PowerOfTwo, samples: 4, ..QuantiseOptions::default() };
    quantised(&read, &options).unwrap()
}

fn runs(network: &Network, plan: &str, cycles: f64) {
    let design = designed(network, plan, Rate::Fps(100e6 / cycles)).unwrap();
    let (found, wrong) = faults(&design, 3).unwrap();
    assert_eq!(wrong, Vec::<String>::new(), "{plan}");
    assert!(found.starts > 50_000);
}

#[test]
fn resnet8_runs_as_scheduled() {
    runs(&resnet8(8), "keep", 8_200.0);
}

#[test]
fn resnet8_of_4_bits_runs_with_its_skips_out_of_the_convolutions() {
    runs(&resnet8(4), "reuse", 8_200.0);
}

/// Weights behind dequantisers do not hide that a projection reads what the convolution beside it reads.
#[test]
fn projections_of_codes_are_fused() {
    let (mut maker, x) = Maker::new(3, 8);
    let x = maker.conv("stem", x, 4, 3, 1);
    let x = maker.relu("stem.relu", x);
    let x = maker.block("block", x, 8, 2);
    let network = quantised(&maker.classify(x, 4), &QuantiseOptions::default()).unwrap();
    let sites = |plan: &str| designed(&network, plan, Rate::Fastest).unwrap().source.planned.unwrap().sites;
    assert!(matches!(sites("tap")[..], [Site { how: Serve::Tap(_), .. }]));
    assert!(matches!(sites("share")[..], [Site { how: Serve::Share, .. }]));
    let design = designed(&network, "fuse", Rate::Fastest).unwrap();
    assert!(matches!(design.source.planned.as_ref().unwrap().sites[..], [Site { how: Serve::Fuse, .. }]));
    let (found, wrong) = faults(&design, 3).unwrap();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(found.numbers > 0 && found.starts > 0);
}

/// One word less in any skip's FIFO: slower, or no end.
#[test]
fn no_skip_can_lose_a_word() {
    let design = designed(&resnet8(8), "keep", Rate::Fps(100e6 / 8_200.0)).unwrap();
    let shorter = with_shorter_skips(&design, 12).unwrap();
    assert_eq!(shorter.len(), 3);
    let interval = design.sizing.as_ref().unwrap().timing.interval_clocks;
    for (skip, found) in shorter {
        assert!(found.is_none_or(|found| found > interval), "{skip}: {found:?} and not more than {interval}");
    }
}

/// The scripts are those of the device's family, its chip and the wanted clock.
#[test]
fn scripts_are_for_the_device() {
    let network = quantised(&random::network(13), &options(13, Some(Scales::PowerOfTwo))).unwrap();
    let made = integers(&network, Rule::AsGiven).unwrap();
    let scripts = |name: &str, clock_mhz: f64| {
        let target = Target { clock_mhz, ..Target::of(Device::find(name).unwrap()) };
        let design = designed_for(&network, "keep", target.clone()).unwrap();
        project(&design.stream, &made, design.binding.as_ref(), &target, None).unwrap().files
    };
    let (lattice, amd) = (scripts("LFE5U-85F", 66.0), scripts("xc7a100t", 125.0));
    assert!(
        lattice["yosys.ys"].contains("synth_ecp5") && amd["yosys.ys"].contains("synth_xilinx -family xc7")
    );
    let route = &lattice["nextpnr.sh"];
    assert!(route.contains("--85k") && route.contains("${1:-66}"), "{route}");
    assert!(amd["vivado.tcl"].contains(" : 125}"));
    assert!(!scripts("xck26", 250.0).contains_key("nextpnr.sh"));
    places_and_routes(&amd["nextpnr.sh"]);
}

/// The script for 7 series gives every port a pin of the package, and says so where there are too few. A stand-in
/// takes the place of nextpnr; it is given no netlist, but one lies there.
fn places_and_routes(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    let tool = "#!/bin/sh\necho \"Info: Max frequency for clock 'aclk': 99.00 MHz $*\"\n";
    std::fs::create_dir_all(at("database/artix7/xc7a100tcsg324-1")).unwrap();
    for (file, text) in [("nextpnr.sh", script), ("nextpnr-himbaechel-xilinx", tool), ("pads.json", "{}")] {
        std::fs::write(at(file), text).unwrap();
    }
    std::fs::set_permissions(at("nextpnr-himbaechel-xilinx"), PermissionsExt::from_mode(0o755)).unwrap();
    let ports = script.lines().find_map(|l| l.split_once("ports=\"")?.1.split_once('"')).unwrap().0;
    let ports: BTreeSet<&str> = ports.split(' ').collect();
    assert!(ports.contains("m_axis_tvalid") && ports.contains("s_axis_tdata[7]"), "{ports:?}");
    let run = |pins: usize| {
        let lines = (0..pins).map(|i| format!("B{i},1,IOB,T,IO_L{i}N_T0_13\n"));
        let table =
            "pin,bank,site,tile,pin_function\nA1,0,P,T,PS_DDR\nC1,1,I,T,IO_L12P_T1_MRCC_13\n".to_owned();
        std::fs::write(
            at("database/artix7/xc7a100tcsg324-1/package_pins.csv"),
            table + &lines.collect::<String>(),
        )
        .unwrap();
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.arg("nextpnr.sh").current_dir(folder.path()).env("PATH", path);
        let output = shell.env("PRJXRAY_DATABASE", at("database")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
    };
    let (success, said) = run(ports.len());
    assert!(success && said.contains("99.00 MHz --device xc7a100tcsg324-1"), "{said}");
    let placed = std::fs::read_to_string(at("pins.xdc")).unwrap();
    let pin_of = |line: &str| {
        let (pin, port) = line.strip_prefix("set_property LOC ")?.split_once(" [get_ports {")?;
        Some((port.strip_suffix("}]")?.to_owned(), pin.to_owned()))
    };
    let placed: BTreeMap<String, String> = placed.lines().filter_map(pin_of).collect();
    assert_eq!(placed["aclk"], "C1");
    assert_eq!(
        placed.keys().map(String::as_str).filter(|port| *port != "aclk").collect::<BTreeSet<_>>(),
        ports
    );
    assert_eq!(placed.values().collect::<BTreeSet<_>>().len(), placed.len());
    let (success, said) = run(ports.len() - 1);
    assert!(!success && said.contains("too few pins"), "{said}");
}

/// The testbench that is written beside a design passes in Icarus Verilog, and fails where a number is expected that
/// does not come out.
#[test]
fn the_testbench_says_what_is_right_and_what_is_wrong() {
    let network = quantised(&random::network(13), &options(13, Some(Scales::PowerOfTwo))).unwrap();
    let design = designed(&network, "keep", Rate::Fastest).unwrap();
    let made = integers(&design.source.network, Rule::AsGiven).unwrap();
    let written =
        project(&design.stream, &made, design.binding.as_ref(), &unlimited(Rate::Fastest), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in &written.files {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let says = || {
        let output = Command::new("sh").arg("icarus.sh").current_dir(folder.path()).output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("iverilog: not found"), "install the package iverilog");
        text
    };
    assert!(says().contains("PASS: 2 frames"), "{}", says());
    let expected = folder.path().join("m_axis.hex");
    let text = std::fs::read_to_string(&expected).unwrap();
    let last = text.trim_end().len() - 1;
    let digit = if text.as_bytes()[last] == b'0' { "1" } else { "0" };
    std::fs::write(&expected, text[..last].to_owned() + digit + "\n").unwrap();
    assert!(says().contains("FAIL: 1 faults"), "{}", says());
}

/// The user's own frames are streamed, in codes by the definition of `QuantizeLinear`.
#[test]
fn frames_that_are_given_are_those_that_are_streamed() {
    let network = quantised(&random::network(13), &options(13, Some(Scales::PowerOfTwo))).unwrap();
    let design = designed(&network, "keep", Rate::Fastest).unwrap();
    let port = &network.inputs()[0];
    let shape = network.ty(port.node.into()).shape.clone();
    assert_eq!((network.inputs().len(), shape.0[0], port.perm.is_sorted()), (1, 1, true));
    let mut seed = Seed(5);
    let frames: Vec<f64> = (0..2 * shape.len()).map(|_| seed.within(-4000, 4000) as f64 / 1000.0).collect();
    let two = [&[2], &shape.0[1..]].concat();
    let given =
        Given::from([("input".to_owned(), Tensor::from_f64(Element::F32, &two[..], &frames).unwrap())]);

    let made = integers(&design.source.network, Rule::AsGiven).unwrap();
    let target = unlimited(Rate::Fastest);
    let written = project(&design.stream, &made, design.binding.as_ref(), &target, Some(&given)).unwrap();
    let quantiser = network.users(port.node.into())[0].0;
    let operands = network.operands(quantiser);
    let scale = network.constant(operands[1]).unwrap().to_f64()[0];
    let zero = network.constant(operands[2]).unwrap().to_i64().unwrap()[0];
    let pin = &written.pins[0];
    let (low, high) = match pin.signed {
        true => (-(1i64 << (pin.bits - 1)), (1i64 << (pin.bits - 1)) - 1),
        false => (0, (1i64 << pin.bits) - 1),
    };
    let code = |x: f64| ((f64::from(x as f32) / scale).round_ties_even() as i64 + zero).clamp(low, high);
    let (channels, pixels) = (pin.map.channels, pin.map.pixels());
    let mut words = written.files["s_axis.hex"].lines().map(|line| u128::from_str_radix(line, 16).unwrap());
    for frame in frames.chunks(shape.len()) {
        for pixel in 0..pixels {
            for first in (0..channels).step_by(pin.lanes) {
                let word = words.next().unwrap();
                for (lane, channel) in (first..channels.min(first + pin.lanes)).enumerate() {
                    let number = word >> (lane * pin.bits) & ((1 << pin.bits) - 1);
                    let wanted = code(frame[channel * pixels + pixel]) & ((1 << pin.bits) - 1);
                    assert_eq!(number, wanted as u128, "channel {channel} of pixel {pixel}");
                }
            }
        }
    }
    assert_eq!(words.next(), None);

    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(&design, folder.path(), true).unwrap();
    bench.give(&given).unwrap();
    let found = bench.run(Trial { frames: 3, seed: 1, stalled: false, reset: false }).unwrap();
    assert_eq!((found.wrong, found.frames), (Vec::new(), 3));
    let other =
        Given::from([("input".to_owned(), Tensor::from_f64(Element::F32, &[1, 1][..], &[0.0]).unwrap())]);
    assert!(bench.give(&other).unwrap_err().to_string().contains("expects"));
}

/// The design is not at fault where a tool finds the disk full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_said_to_be_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let said = "cc1plus: fatal error: error writing to x.s: No space left on device";
    tool(home, "verilator", &format!("echo '{said}' >&2\nexit 1\n"));
    let block = example("block.onnx");
    nonresc_in(home, &["quantise", block.to_str().unwrap(), "--out", "q", "-q"]).done();
    let mut run = program(home, &["q/quantised.onnx", "--fps", "2000", "--verify"]);
    let ended = run.env("PATH", path_with_tools(home)).output().unwrap();
    let text = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains(said) && text.contains("TMPDIR") && !text.contains("report this"), "{text}");
}

/// Nobody waits for a design that no tool could be run over: what is told ends with the reading of the model.
#[test]
fn networks_of_floats_are_refused_before_anything_is_computed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let block = example("block.onnx");
    let block = block.to_str().unwrap();
    for flags in [
        &[block, "--fps", "2000", "--verify"][..],
        &[block, "--fps", "2000", "--synth", "yosys"],
        &[block, "--fps", "2000", "--emit", "rtl", "--out", "build"],
        &["compare", block, "--fps", "2000", "--synth", "yosys"],
    ] {
        let said = nonresc_in(home, &[flags, &["-v"]].concat()).refused(1);
        assert!(said.contains("nonresc quantise"), "{flags:?}: {said}");
        let (steps, faults) = said.split_at(said.find("error[integers/operator]").unwrap());
        assert_eq!(
            steps.lines().map(|line| line.split_whitespace().next()).collect::<Vec<_>>(),
            [Some("read")]
        );
        assert_eq!(faults.matches("error[").count(), 1, "{faults}");
    }
    assert_eq!(names(home), [""; 0]);
    // Where none was named, hardware is left out and said to be.
    let ended = nonresc_in(home, &[block, "--fps", "2000", "--out", "build"]);
    assert!(ended.stderr.contains("no rtl/ is written"), "{}", ended.stderr);
    ended.done();
}

/// Nothing is proven of a design that is not made, and nobody is told otherwise.
#[test]
fn tools_want_a_whole_design() {
    let home = tempfile::tempdir().unwrap();
    let block = example("block.onnx");
    let block = block.to_str().unwrap();
    for flags in [["--verify", "--stop-after", "fold"], ["--synth=yosys", "--stop-after", "plan"]] {
        let said = nonresc_in(home.path(), &[&[block][..], &flags].concat()).refused(2);
        assert!(said.contains("error[usage/hardware]"), "{said}");
    }
}
