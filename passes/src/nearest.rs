//! What a word was meant to be.

/// How much alike two words are that one is taken for the other, from 0 to 1.
const LIKELY: f64 = 0.7;

/// The word of `known` that is most like `word`, the first of several, by the measure of Jaro and Winkler.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    scored(word, known).map(|(_, nearest)| nearest)
}

/// The same, where the two are so much alike that one is likely the other.
pub fn likely<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    scored(word, known).filter(|(alike, _)| *alike >= LIKELY).map(|(_, nearest)| nearest)
}

fn scored<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(f64, &'a str)> {
    let word = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for other in known {
        let alike = strsim::jaro_winkler(&word, &other.to_lowercase());
        if best.is_none_or(|(most, _)| alike > most) {
            best = Some((alike, other));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{likely, nearest};

    #[test]
    fn words_are_taken_for_others_where_they_are_alike() {
        let known = ["quantise", "eval", "explain", "evals"];
        assert_eq!(nearest("quantize", known), Some("quantise"));
        assert_eq!(likely("EVAL", known), Some("eval"));
        assert_eq!(likely("zzz", known), None);
        assert!(nearest("zzz", known).is_some());
        assert_eq!(nearest("eval", []), None);
    }
}
