//! Numbers as people read them, for reports and pages.

/// A whole number with its thousands apart.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bits in units of 1,000.
pub fn kbit(bits: u64) -> String {
    format!("{}.{}", grouped(bits / 1000), bits % 1000 / 100)
}
