//! What generated hardware makes of pins that break the rules of the stream.

use nonresc_backends::rtl::Trial;
use nonresc_ir::stream::{Kind, phases};
use nonresc_passes::quantise::QuantiseOptions;
use nonresc_passes::target::Rate;
use nonresc_tests::hardware::{bench, designed};
use nonresc_tests::networks::Maker;
use nonresc_tests::quantised::quantised;

const FRAMES: usize = 3;

/// A TLAST where a frame does not end, or none where it does: `frame_error` rises in the cycle behind the phase that gives
/// the beat and stays until a reset; frames are counted by beats, so that numbers and start times are those of a run without.
#[test]
fn a_misplaced_tlast_is_remembered_and_changes_no_number() {
    let (mut maker, x) = Maker::new(2, 3);
    let x = maker.conv("stem", x, 3, 1, 1);
    let x = maker.relu("relu", x);
    let x = maker.block("block", x, 3, 1);
    let network = quantised(&maker.classify(x, 4), &QuantiseOptions::default()).unwrap();
    let design = designed(&network, "keep", Rate::Fastest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(&design, folder.path(), true).unwrap();
    let stream = &design.stream;
    let sources: Vec<_> =
        stream.actors().filter(|&id| matches!(stream.actor(id).kind, Kind::Source(_))).collect();
    assert_eq!(sources.len(), 1);
    let mut turned = 0;
    for (stalled, reset) in [(false, false), (true, false), (false, true)] {
        let trial = Trial { frames: FRAMES, seed: 3, stalled, reset };
        let right = bench.run(trial).unwrap();
        assert_eq!(right.wrong, Vec::<String>::new());
        for (pin, &source) in sources.iter().enumerate() {
            let beats = phases(stream, source).len() as usize;
            // Before the reset only a first beat is taken for certain.
            for beat in 0..if reset { 1 } else { FRAMES * beats } {
                let seen = bench.misplaced(trial, pin, beat).unwrap();
                let shown = format!("pin {pin}, beat {beat}, {trial:?}");
                assert_eq!(seen.found, right, "{shown}");
                let risen = if reset { vec![] } else { vec![seen.given.unwrap() + 1] };
                assert_eq!(seen.frame_error, risen, "{shown}");
                turned += 1;
            }
        }
    }
    assert!(turned > 2 * FRAMES * 9, "{turned}");
}
