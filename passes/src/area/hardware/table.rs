//! Made by `cargo bench -p nonresc-tests --bench area -- refit`: LUTs of each [`Price`](super::Price), of six inputs and of four.

#[rustfmt::skip]
pub(super) const TABLE: [[f64; 2]; super::Price::ALL.len()] = [
    [1.76, 3.57], // CounterBit
    [0.97, 1.93], // Tally
    [0.47, 0.84], // TallyBit
    [3.0, 6.0], // Loop
    [1.49, 3.05], // LoopBit
    [3.85, 6.2], // Run
    [0.95, 1.79], // RunBit
    [0.68, 1.64], // PlaceBit
    [1.13, 3.89], // NextBit
    [3.24, 5.36], // NextBitOfMore
    [1.01, 3.71], // Kind
    [50.0, 100.0], // Banked
    [8.0, 16.0], // BankedBit
    [2.45, 7.08], // RoundBit
    [0.1, 0.24], // TieBit
    [0.5, 1.23], // CodeBit
    [0.5, 1.23], // LimitedBit
    [0.2, 0.47], // ComparedBit
    [0.7, 1.44], // SplitBit
    [1.58, 3.86], // GivenBit
    [0.89, 1.15], // Choose2
    [0.82, 1.84], // Choose4
    [4.0, 5.0], // Choose5
    [8.0, 4.47], // Choose6
    [3.98, 8.6], // Choose8
    [0.43, 1.64], // OneOf16
    [0.6, 0.9], // OneOf32
    [0.4, 0.9], // OneOfMore
];
