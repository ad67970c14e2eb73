//! Rows of devices: the table that comes with the compiler, and a user's file with the keys of one row.
//! Every key is checked and unknown ones are refused.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use toml::{Table, Value};

use super::{Device, Family, Limits};

const KEYS: [&str; 11] = [
    "name",
    "boards",
    "family",
    "luts",
    "memory_luts",
    "ffs",
    "dsps",
    "bram18",
    "urams",
    "clock_mhz",
    "source",
];

/// The largest count that a part may have: some hundred times today's largest.
const MOST: i64 = 1_000_000_000;

/// The rows of the table that comes with the compiler.
pub(super) fn builtin() -> Vec<Device> {
    let text = include_str!("devices.toml");
    let table: Table = text.parse().expect("the table of devices is TOML");
    let rows = table.get("device").and_then(Value::as_array).expect("the table of devices has rows");
    rows.iter()
        .map(|row| row.as_table().expect("a row of the table of devices is a table"))
        .map(|row| device(row, "devices.toml").expect("a row of the table of devices is right"))
        .collect()
}

/// A user's file.
pub(super) fn parse(text: &str, file: &str) -> Result<Device, Diagnostics> {
    let table: Table = text.parse().map_err(|e: toml::de::Error| {
        Diagnostics::from(Diagnostic::new(
            "device/syntax",
            format!("device file \"{file}\""),
            e.to_string().trim_end().to_string(),
            "write it as TOML, one `key = value` a line",
        ))
    })?;
    device(&table, file)
}

/// The checked reading of one row: faults are collected while it goes on.
struct Row<'a> {
    table: &'a Table,
    file: &'a str,
    faults: Diagnostics,
}

impl Row<'_> {
    fn fault(&mut self, key: &str, why: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Diagnostic::new(
            "device/field",
            format!("`{key}` of device file \"{}\"", self.file),
            why,
            remedy,
        ));
    }

    fn text(&mut self, key: &str, fallback: Option<&str>) -> String {
        match (self.table.get(key), fallback) {
            (Some(Value::String(text)), _) if !text.trim().is_empty() => text.trim().to_string(),
            (Some(_), _) => {
                self.fault(key, "it is no text, or empty", format!("write {key} = \"...\""));
                String::new()
            }
            (None, Some(fallback)) => fallback.to_string(),
            (None, None) => {
                self.fault(key, "it is missing", format!("write {key} = \"...\""));
                String::new()
            }
        }
    }

    fn count(&mut self, key: &str, least: i64, fallback: Option<u64>) -> u64 {
        match (self.table.get(key), fallback) {
            (Some(Value::Integer(n)), _) if (least..=MOST).contains(n) => n.unsigned_abs(),
            (Some(value), _) => {
                let why = format!("{value} is no whole number from {least} to {MOST}");
                self.fault(key, why, "write how many of them the part has");
                0
            }
            (None, Some(fallback)) => fallback,
            (None, None) => {
                self.fault(key, "it is missing", format!("write {key} = how many of them the part has"));
                0
            }
        }
    }

    fn clock(&mut self, key: &str) -> f64 {
        let mhz = match self.table.get(key) {
            Some(Value::Float(mhz)) => *mhz,
            Some(Value::Integer(mhz)) => *mhz as f64,
            Some(_) => f64::NAN,
            None => {
                self.fault(key, "it is missing", "write clock_mhz = the clock in MHz");
                return 1.0;
            }
        };
        if !(1.0..=2000.0).contains(&mhz) {
            self.fault(key, "it is no number from 1 to 2000", "write the clock in MHz");
        }
        mhz
    }
}

fn device(table: &Table, file: &str) -> Result<Device, Diagnostics> {
    let mut row = Row { table, file, faults: Diagnostics::default() };
    for key in table.keys().filter(|k| !KEYS.contains(&k.as_str())) {
        let remedy = format!("remove it; the keys are {}", KEYS.join(", "));
        row.fault(key, "no such key is known", remedy);
    }
    let name = row.text("name", None);
    if name.eq_ignore_ascii_case("none") {
        row.fault("name", "`none` stands for no limits", "name the part");
    }
    let family_name = row.text("family", None);
    let family = Family::find(&family_name);
    if family.is_none() && !family_name.is_empty() {
        let known: Vec<&str> = Family::ALL.iter().map(|f| f.name()).collect();
        let why = format!("\"{family_name}\" is not a family that is known");
        row.fault("family", why, format!("use one of {}", known.join(", ")));
    }
    let luts = row.count("luts", 1, None);
    let limits = Limits {
        luts,
        memory_luts: row.count("memory_luts", 0, None),
        ffs: row.count("ffs", 1, None),
        dsps: row.count("dsps", 0, None),
        bram18: row.count("bram18", 0, None),
        urams: row.count("urams", 0, Some(0)),
    };
    if limits.memory_luts > luts {
        row.fault(
            "memory_luts",
            "it is larger than `luts`",
            "count the LUTs that can be memory, of all LUTs",
        );
    }
    if let Some(family) = family
        && family.uram().is_none()
        && limits.urams > 0
    {
        let why = format!("the family {} has no such blocks", family.name());
        row.fault("urams", why, "write urams = 0, or leave it out");
    }
    let clock_mhz = row.clock("clock_mhz");
    let boards = row.text("boards", Some(""));
    let source = row.text("source", Some("the user's file"));
    let family = family.unwrap_or(Family::UltraScalePlus);
    let device = Device { name, boards, family, limits: Some(limits), clock_mhz, source };
    row.faults.or(device)
}
