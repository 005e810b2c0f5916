use burn::tensor::Tensor;
fn main(){ let t: Tensor<1> = Tensor::from_floats([1.0f32,2.0], &Default::default()); println!("{}", t); }
