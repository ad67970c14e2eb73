//! The network under `examples/` is what its maker makes, byte for byte.

#[path = "../../examples/make_resnet8.rs"]
#[allow(dead_code, reason = "the maker's own entry is not called here")]
mod make_resnet8;

#[test]
fn resnet8_is_what_its_maker_makes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/resnet8.onnx");
    let made = nonresc_ir::onnx::export::export(&make_resnet8::resnet8().unwrap()).unwrap();
    assert!(std::fs::read(file).unwrap() == made, "run the command in examples/README.md again");
}
