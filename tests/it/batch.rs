//! Frames of a batch never meet: each gives what it gives alone.

use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Edit, Network, Op};
use nonresc_ir::tensor::Tensor;
use nonresc_ir::text::parse;
use nonresc_tests::random;

/// Whether three frames together give what each gives alone, number by number.
fn apart(network: &Network) -> Result<(), String> {
    let mut all = network.clone();
    Edit::new(&mut all).set_batch(3).map_err(|e| e.to_string())?;
    let inputs = random::input(&all, 9);
    let together = evaluate::<f32>(&all, &inputs).map_err(|d| d.to_string())?;
    for frame in 0..3 {
        let cut = |tensor: &Tensor| {
            let numbers = tensor.to_f32();
            let one = numbers.len() / 3;
            numbers[frame * one..(frame + 1) * one].to_vec()
        };
        let types = network.inputs().iter().map(|port| network.ty(port.node.into()).shape.clone());
        let alone: Vec<Tensor> =
            types.zip(&inputs).map(|(shape, input)| Tensor::f32(shape, cut(input)).unwrap()).collect();
        let alone = evaluate::<f32>(network, &alone).map_err(|d| d.to_string())?;
        for (alone, together) in alone.iter().zip(&together) {
            if alone.to_f32() != cut(together) {
                return Err(format!("frame {frame} is another one in a batch"));
            }
        }
    }
    Ok(())
}

#[test]
fn random_networks() {
    random::for_each(0..100, apart);
}

#[test]
fn shortcuts_that_skip_pixels() {
    let text = "nir 1\ninput \"x\" %0\noutput \"y\" %4\n\n%0 = input : f32 1x2x4x4\n\
                %1 = slice %0 start=[0,0,0,0] step=[1,1,2,2] len=[1,2,2,2]\n\
                %2 = pad %1 before=[0,1,0,0] after=[0,1,0,0]\n\
                %3 = const seed=1 : f32 4x2x1x1\n%5 = conv %0, %3 stride=2x2\n%4 = add %2, %5\n";
    let network = parse(text, None).unwrap();
    apart(&network).unwrap();
    // There and back: the text is the same.
    let mut back = network.clone();
    Edit::new(&mut back).set_batch(3).unwrap();
    let slice = back.node_ids().find(|&n| matches!(back.op(n), Op::Slice(_))).unwrap();
    assert_eq!(back.ty(slice.into()).shape.0, [3, 2, 2, 2]);
    Edit::new(&mut back).set_batch(1).unwrap();
    assert_eq!(nonresc_ir::text::print(&back), nonresc_ir::text::print(&network));
}
