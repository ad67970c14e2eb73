//! Made by `cargo bench -p nonresc-tests --bench area -- refit`: LUTs of each [`Price`](super::Price), of six inputs and of four.

#[rustfmt::skip]
pub(super) const TABLE: [[f64; 2]; super::Price::ALL.len()] = [
    [1.76, 3.37], // CounterBit
    [0.98, 2.08], // Tally
    [0.48, 0.97], // TallyBit
    [3.07, 6.72], // Loop
    [1.51, 3.27], // LoopBit
    [3.87, 6.67], // Run
    [0.98, 2.08], // RunBit
    [0.69, 1.56], // PlaceBit
    [1.31, 3.61], // NextBit
    [3.2, 5.47], // NextBitOfMore
    [1.02, 3.79], // Kind
    [50.0, 95.16], // Banked
    [8.0, 15.26], // BankedBit
    [2.51, 6.66], // RoundBit
    [0.1, 0.23], // TieBit
    [0.5, 1.17], // CodeBit
    [0.5, 1.17], // LimitedBit
    [0.2, 0.44], // ComparedBit
    [0.7, 1.61], // SplitBit
    [1.56, 3.47], // GivenBit
    [0.9, 0.8], // Choose2
    [0.98, 1.9], // Choose4
    [4.0, 5.0], // Choose5
    [8.0, 5.56], // Choose6
    [3.5, 8.3], // Choose8
    [0.46, 1.81], // OneOf16
    [0.6, 0.9], // OneOf32
    [0.4, 0.9], // OneOfMore
];
