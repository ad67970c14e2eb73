//! The engine tract, and what it refuses.

use nonresc_ir::network::Network;
use nonresc_ir::tensor::Tensor;
use nonresc_ir::text::parse;
use nonresc_passes::engine::Engine;

use crate::exported::{self, case, resnet8};

#[test]
fn random_networks_in_batches_of_one_and_three() {
    exported::random_networks_in_batches_of_one_and_three(Engine::Tract);
}

#[test]
fn ports_are_the_users() {
    exported::ports_are_the_users(Engine::Tract);
}

#[test]
fn preprocessing_is_part_of_what_runs() {
    exported::preprocessing_is_part_of_what_runs(Engine::Tract);
}

#[test]
fn any_number_of_frames() {
    exported::any_number_of_frames(Engine::Tract);
}

#[test]
fn what_cannot_run_is_refused() {
    let fault_of = |network: &Network| Engine::Tract.load(network).err().expect("it is refused");
    // tract rounds to other codes than ONNX.
    let fault = fault_of(&case("text/operators"));
    assert_eq!((fault.code, fault.remedy.as_str()), ("engine/tract", "use `--engine native`"));
    assert!(fault.what.starts_with("quantise"), "{fault}");

    // Integers of 4 bits that are no codes: no ONNX of the operator sets that are written.
    let narrow = "nir 1\ninput \"x\" %0\noutput \"y\" %2\n\n%0 = input : f32 1x2\n%1 = cast %0 to=i4\n\
                  %2 = cast %1 to=f32\n";
    let fault = fault_of(&parse(narrow, None).unwrap());
    assert_eq!(fault.what, "engine tract, which reads the network as ONNX");
    assert_eq!(fault.why.matches("to i4: standard ONNX has no element").count(), 1, "{fault}");

    // tract multiplies matrices of 64-bit floats by its own scale of 32.
    let double = "nir 1\ninput \"x\" %0\noutput \"y\" %3\n\n%0 = input : f64 1x4\n\
                  %1 = const seed=1 : f64 3x4\n%2 = const seed=2 : f64 3\n%3 = dense %0, %1, %2 \"fc\"\n";
    let fault = fault_of(&parse(double, None).unwrap());
    assert_eq!((fault.code, fault.remedy.as_str()), ("engine/tract", "use `--engine native`"));
    assert!(fault.what.contains("cannot run the network") && fault.why.contains("fc"), "{fault}");
    assert!(!fault.why.contains('\n'), "{fault}");

    let network = resnet8();
    let session = Engine::Tract.load(&network).unwrap();
    let run = |inputs: &[Tensor]| session.run(inputs).expect_err("it is refused");
    let small = Tensor::f32([1, 3, 16, 16], vec![0.0; 768]).unwrap();
    let fault = run(std::slice::from_ref(&small));
    assert_eq!((fault.code, fault.what.as_str()), ("run/shape", "input \"image\" of shape 1x3x16x16"));
    assert_eq!(run(&[small.clone(), small]).code, "run/inputs");
}
