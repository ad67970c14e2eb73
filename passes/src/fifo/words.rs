//! Why a channel is as deep as it is, in words.

use nonresc_ir::stream::Stream;

use super::{Depth, Evidence, Link};
use crate::bind::actor_label;
use crate::numerals::grouped;

/// Why a channel is not shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// In a sentence; it ends in a colon where a circle follows.
    pub sentence: String,
    /// The steps of the circle of waiting that one word less would bring, in order of arrival.
    pub circle: Vec<Step>,
}

/// A step of a circle of waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who waits for what of whom.
    pub words: String,
    /// How often it comes in the circle.
    pub times: usize,
}

/// Why a channel of `stream` is as deep as it is.
pub fn why(stream: &Stream, depth: &Depth) -> Why {
    let less = grouped(depth.words.saturating_sub(1));
    let mut circle: Vec<Step> = Vec::new();
    let sentence = match &depth.evidence {
        Evidence::ReaderHangs => {
            let readers = stream.channel(depth.channel).readers.iter();
            let readers: Vec<String> = readers.map(|r| actor_label(stream, r.actor)).collect();
            format!(
                "With {less} it hangs: {} needs {} words at once.",
                readers.join(" or "),
                grouped(depth.words)
            )
        }
        Evidence::Single => "One word is the least there is.".to_string(),
        Evidence::Feasible => "That less would do was not ruled out.".to_string(),
        Evidence::Chosen => "A whole frame was asked for.".to_string(),
        Evidence::Cycle(links) => {
            for link in links {
                let words = step(stream, link);
                match circle.iter_mut().find(|known| known.words == words) {
                    Some(known) => known.times += 1,
                    None => circle.push(Step { words, times: 1 }),
                }
            }
            format!(
                "With {less} each frame would take longer, since these wait for each other in a circle of {} steps:",
                grouped(links.len() as u64)
            )
        }
    };
    Why { sentence, circle }
}

fn step(stream: &Stream, link: &Link) -> String {
    let (waiter, holder) = (actor_label(stream, link.waiter), actor_label(stream, link.holder));
    match (stream.channel(link.channel).skip, link.place) {
        (Some(_), true) => format!("{waiter} waits until {holder} frees a place of the skip"),
        (Some(_), false) => format!("{waiter} waits for data of {holder} in the skip"),
        (None, true) => format!("{waiter} waits until {holder} frees a place of the channel between them"),
        (None, false) => format!("{waiter} waits for data of {holder}"),
    }
}
