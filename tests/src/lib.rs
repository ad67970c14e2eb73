//! What the tests share: references that share no code with what they test.
