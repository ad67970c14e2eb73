//! The networks under `examples/` are what their maker makes, byte for byte.

#[path = "../../examples/make_resnet8.rs"]
#[allow(dead_code, reason = "the maker's own entry is not called here")]
mod make_resnet8;

#[test]
fn examples_are_what_their_maker_makes() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let made = [("resnet8", make_resnet8::resnet8()), ("block", make_resnet8::block())];
    for (name, network) in made {
        let made = nonresc_ir::onnx::export::export(&network.unwrap()).unwrap();
        let file = std::fs::read(format!("{examples}/{name}.onnx")).unwrap();
        assert!(file == made, "run the command in examples/README.md again: {name}");
    }
}
