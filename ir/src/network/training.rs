//! The operators that steps of training have and inference has not, in one place, for matches that treat them all alike.

/// A pattern that takes each of them.
#[macro_export]
macro_rules! training_op {
    () => {
        $crate::network::Op::ConvGradX(_)
            | $crate::network::Op::ConvGradW(_)
            | $crate::network::Op::ChannelSum(_)
            | $crate::network::Op::ChannelVariance(_)
            | $crate::network::Op::BatchNormGradScale(_)
            | $crate::network::Op::BatchNormGradX(_)
            | $crate::network::Op::Gate(_)
            | $crate::network::Op::MaxPoolGrad(_)
            | $crate::network::Op::AvgPoolGrad(_)
            | $crate::network::Op::Spread(_)
            | $crate::network::Op::LogSoftmax(_)
    };
}
