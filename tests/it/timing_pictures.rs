//! The pictures of `docs/timing.md` are what the phase lists and the simulator say. With UPDATE_DOCS set they are drawn
//! anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Activation, Kind, Stream, Sum, phases};
use nonresc_passes::fifo::{FifoOptions, size};
use nonresc_passes::fold::fold;
use nonresc_passes::target::Rate;
use nonresc_tests::reference::simulator::{Stop, levels, simulate};
use nonresc_tests::streams::{Builder, square};
use nonresc_tests::target::unlimited;

const MOST_FRAMES: u64 = 1_000;
/// Clocks that a column stands for, and columns.
const STEP: usize = 2;
const COLUMNS: usize = 68;
/// Phases that are shown of a list.
const PHASES: usize = 22;

/// The picture behind a line of the page, between its fences.
fn held_against(page: &mut String, line: &str, picture: &str) -> bool {
    let at = page.find(line).unwrap_or_else(|| panic!("docs/timing.md does not say \"{line}\""));
    let begin = at + page[at..].find("```text\n").expect("a picture follows") + "```text\n".len();
    let end = begin + page[begin..].find("```").expect("it ends");
    let same = &page[begin..end] == picture;
    page.replace_range(begin..end, picture);
    same
}

#[test]
fn the_pictures_of_the_timing_contract_are_seen() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/timing.md");
    let mut page = fs::read_to_string(&path).unwrap();
    let same = [
        held_against(&mut page, "The counts of such a convolution", &counts()),
        held_against(&mut page, "Such a block, simulated", &block_over_time()),
    ];
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, page).unwrap();
    } else {
        assert_eq!(same, [true; 2], "run this test with UPDATE_DOCS=1, and read the difference");
    }
}

/// A map of one channel through two convolutions, and beside them.
fn block(extent: usize) -> Stream {
    let mut b = Builder::default();
    let x = b.source(square(1, extent));
    let y = b.conv("a", x, 1, 3, 1, None);
    let y = b.conv("b", y, 1, 3, 1, None);
    let sum = Sum { output: square(1, extent), channels: 1, offset: 0, activation: Activation::Relu };
    let z = b.add("sum", Kind::Sum(sum), &[y, x]);
    b.mark_skip(1);
    let mut stream = b.finish(z);
    fold(&mut stream, &unlimited(Rate::Fastest)).unwrap();
    size(&mut stream, &FifoOptions::default()).unwrap();
    stream
}

/// `need` and `free` of the first convolution, phase by phase.
fn counts() -> String {
    let stream = block(4);
    let list = phases(&stream, ActorId(1));
    let preset = list.preset(0);
    assert_eq!((preset.unread_head, preset.unread_tail), (0, 0));
    let mut rows = ["phase", "need", "free", "held", "gives"].map(|name| format!("{name:<6}"));
    let (mut need, mut free, mut most, mut k, mut given) = (0, 0, 0, 0, 0);
    let mut show = |cells: [String; 4]| {
        if k < PHASES {
            for (row, cell) in rows.iter_mut().zip([k.to_string()].iter().chain(&cells)) {
                let _ = write!(row, "{cell:>4}");
            }
        }
        k += 1;
    };
    for phase in list.iter() {
        for _ in 0..phase.idle {
            show([need.to_string(), free.to_string(), ".".into(), ".".into()]);
        }
        let (before, needs) = (free, phase.takes.iter().any(|take| take.need > 0));
        for take in &phase.takes {
            need += u64::from(take.need);
            free += u64::from(take.free);
        }
        let held = need.saturating_sub(before);
        most = if needs { most.max(held) } else { most };
        let gives = match phase.gives {
            0 => ".".into(),
            _ => format!("y{given}"),
        };
        given += usize::from(phase.gives > 0);
        show([need.to_string(), free.to_string(), held.to_string(), gives]);
    }
    assert_eq!(most, list.least_depth(0), "the least depth is the most that is held");
    let _ = write!(rows[3], "   most in the frame: {most}");
    rows.map(|row| row.trim_end().to_owned() + "\n").concat()
}

/// Words in each channel of a block, and in its skip's with fewer places.
fn block_over_time() -> String {
    let stream = block(8);
    let depth = |id: ChannelId| stream.channel(id).depth.unwrap();
    let skip = stream.channels().find(|&id| stream.channel(id).skip.is_some()).unwrap();
    let with = |words: u64| {
        let mut stream = stream.clone();
        stream.channel_mut(skip).depth = Some(words);
        stream
    };
    let over_time = |stream: &Stream| levels(stream, (STEP * COLUMNS) as u64);
    let full = over_time(&stream);
    let mut text = format!("{:<9}", "clock");
    for column in (0..COLUMNS).step_by(10) {
        let _ = write!(text, "{:<10}", column * STEP);
    }
    text.truncate(text.trim_end().len());
    text += "\n";
    let mut line = |name: &str, levels: &[u64], places: u64, said: String| {
        let bars: String =
            levels.chunks(STEP).map(|c| bar(c.iter().copied().max().unwrap_or(0), places)).collect();
        let _ = writeln!(text, "{name:<9}{bars}  {places:>2} {said}");
    };
    let channel = |from: u32, to: u32| {
        let is_it = |&id: &ChannelId| {
            let channel = stream.channel(id);
            channel.writer == ActorId(from)
                && channel.readers.iter().any(|reader| reader.actor == ActorId(to))
        };
        stream.channels().find(is_it).unwrap()
    };
    for (name, id) in
        [("x to a", channel(0, 1)), ("a to b", channel(1, 2)), ("b to sum", channel(2, 3)), ("skip", skip)]
    {
        line(name, &full[id.index()], depth(id), "places".into());
    }
    let whole = simulate(&stream, MOST_FRAMES).unwrap();
    assert_eq!(whole.frames, 1);
    let less = with(depth(skip) - 1);
    let slower = simulate(&less, MOST_FRAMES).unwrap();
    let clocks = slower.clocks.div_ceil(slower.frames);
    assert!(clocks > whole.clocks);
    line(
        "skip",
        &over_time(&less)[skip.index()],
        depth(skip) - 1,
        format!("places: {clocks} clocks a frame, not {}", whole.clocks),
    );
    let hangs = |words: &u64| matches!(simulate(&with(*words), MOST_FRAMES), Err(Stop::Hangs(_)));
    let most = (1..depth(skip)).rev().find(hangs).expect("few enough places hang");
    line("skip", &over_time(&with(most))[skip.index()], most, "places: hangs".into());
    text
}

/// A bar as high as the channel is full.
fn bar(level: u64, places: u64) -> char {
    let bars = ['.', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    // A single word is seen, and only a full channel is a full bar.
    let eighths = (8 * level / places).max(u64::from(level > 0));
    bars[eighths as usize]
}
