//! Facts about graphs that several passes share: pure functions, recomputed when asked, never patched.
