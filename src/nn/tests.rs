//! Every layer: its shapes, its number of parameters, its gradients against central differences, and what it refuses.

use std::rc::Rc;

use super::*;
use crate::error::{Kind, Result};
use crate::tensor::random::{Key, normal};
use crate::tensor::{Context, Precision, Tensor, Unary, value_and_gradient};

fn context() -> Context {
    Context::cpu(Precision::F64)
}
fn sample(context: &Context, shape: &[usize], seed: u64) -> Tensor {
    normal(context, Key::new(seed), shape).unwrap()
}
fn layer<M: Module>(module: M) -> Layer {
    Rc::new(module)
}

/// A layer with shapes of its inputs and output and the number of its parameters.
struct Case {
    name: &'static str,
    module: Layer,
    inputs: Vec<Vec<usize>>,
    output: Vec<usize>,
    count: usize,
}

fn cases() -> Vec<Case> {
    let case = |name, module, inputs: &[&[usize]], output: &[usize], count| Case {
        name,
        module,
        inputs: inputs.iter().map(|s| s.to_vec()).collect(),
        output: output.to_vec(),
        count,
    };
    let small = |surround| ResNet { width: 3, blocks: 3, surround, ..ResNet::default() };
    // first, 2 × 3 blocks of 2, bottleneck, spread, last
    let small_count = (2 * 16 + 1) * 3 + 12 * (9 * 16 + 3) + 4 + (16 + 1) * 3 + 3 * 25 + 1;
    let dilated = Conv { dilation: vec![2], groups: 2, ..Conv::new(4, 2, &[3]) };
    let double = Custom {
        name: "two of one".into(),
        parts: vec![("a".into(), layer(Linear::new(2, 2)))],
        forward: Rc::new(|scope, x| {
            let a = Linear::new(2, 2);
            let once = scope.run("a", &a, x)?;
            scope.run("a", &a, &[once.unary(Unary::Tanh)?])
        }),
    };
    vec![
        case("linear", layer(Linear::new(3, 2)), &[&[4, 3]], &[4, 2], 8),
        case("linear of rank 3", layer(Linear { bias: false, ..Linear::new(3, 2) }), &[&[2, 4, 3]], &[2, 4, 2], 6),
        case("mlp", layer(Mlp::new(2, &[5, 4], 1, Activation::Tanh)), &[&[6, 2]], &[6, 1], 15 + 24 + 5),
        case("mlp of columns", layer(Mlp::new(2, &[5], 1, Activation::Silu)), &[&[6], &[6]], &[6, 1], 15 + 6),
        case(
            "sequential",
            layer(Sequential {
                layers: vec![layer(Linear::new(3, 4)), layer(Activation::Gelu), layer(Linear::new(4, 1))],
            }),
            &[&[2, 3]],
            &[2, 1],
            21,
        ),
        case("residual", layer(Residual { body: layer(Linear::new(3, 3)), shortcut: None }), &[&[2, 3]], &[2, 3], 12),
        case(
            "residual with a shortcut",
            layer(Residual { body: layer(Linear::new(3, 2)), shortcut: Some(layer(Linear::new(3, 2))) }),
            &[&[2, 3]],
            &[2, 2],
            16,
        ),
        case("custom", layer(double), &[&[3, 2]], &[3, 2], 6),
        case("conv 1-d", layer(Conv::new(2, 3, &[4])), &[&[2, 2, 7]], &[2, 3, 7], 27),
        case("conv valid", layer(Conv::new(2, 3, &[3]).with_edges(Edges::Valid)), &[&[2, 2, 7]], &[2, 3, 5], 21),
        case("conv dilated in groups", layer(dilated), &[&[2, 4, 7]], &[2, 2, 7], 14),
        case("conv with a stride", layer(Conv::new(1, 2, &[3, 3]).with_stride(2)), &[&[2, 1, 5, 6]], &[2, 2, 3, 3], 20),
        case(
            "conv periodic",
            layer(Conv::new(1, 2, &[4, 3]).with_edges(Edges::Periodic)),
            &[&[2, 1, 5, 4]],
            &[2, 2, 5, 4],
            26,
        ),
        case(
            "conv explicit",
            layer(Conv::new(1, 1, &[2, 2]).with_edges(Edges::Zeros(vec![(1, 0), (1, 1)]))),
            &[&[1, 1, 3, 3]],
            &[1, 1, 3, 4],
            5,
        ),
        case("conv 3-d", layer(Conv::new(1, 2, &[2, 2, 2])), &[&[1, 1, 3, 3, 2]], &[1, 2, 3, 3, 2], 18),
        case("transposed conv", layer(ConvTranspose(Conv::new(2, 3, &[4]))), &[&[2, 2, 6]], &[2, 3, 6], 27),
        case(
            "transposed conv with a stride",
            layer(ConvTranspose(Conv::new(2, 1, &[4, 3]).with_stride(2))),
            &[&[1, 2, 3, 3]],
            &[1, 1, 6, 6],
            25,
        ),
        case(
            "transposed conv, short kernel",
            layer(ConvTranspose(Conv::new(1, 1, &[2]).with_stride(3))),
            &[&[1, 1, 3]],
            &[1, 1, 9],
            3,
        ),
        case(
            "transposed conv periodic",
            layer(ConvTranspose(Conv::new(2, 1, &[4, 4]).with_edges(Edges::Periodic))),
            &[&[1, 2, 4, 5]],
            &[1, 1, 4, 5],
            33,
        ),
        case("layer norm", layer(LayerNorm::new(4)), &[&[3, 4]], &[3, 4], 8),
        case("group norm", layer(GroupNorm::new(4, 2)), &[&[2, 4, 3]], &[2, 4, 3], 8),
        case("instance norm", layer(GroupNorm::instance(2)), &[&[2, 2, 3, 2]], &[2, 2, 3, 2], 4),
        case("batch norm", layer(BatchNorm::new(3)), &[&[2, 3, 4]], &[2, 3, 4], 6),
        case("dropout", layer(Dropout::new(0.3)), &[&[4, 5]], &[4, 5], 0),
        case(
            "dropout of channels",
            layer(Dropout { channels: true, ..Dropout::new(0.5) }),
            &[&[2, 4, 3]],
            &[2, 4, 3],
            0,
        ),
        case("sinusoidal", layer(Sinusoidal { scale: 3.0, ..Sinusoidal::new(6) }), &[&[4]], &[4, 6], 0),
        case("Fourier features", layer(FourierFeatures { features: 4, scale: 0.5 }), &[&[]], &[4], 0),
        case("resnet, tiled", layer(small(Surround::Tiled(2))), &[&[1, 1, 5, 4], &[]], &[1, 1, 5, 4], small_count),
        case("resnet, periodic", layer(small(Surround::Periodic)), &[&[2, 1, 4, 5], &[2]], &[2, 1, 4, 5], small_count),
        case(
            "resnet, published",
            layer(ResNet { published: true, dropout: 0.2, ..small(Surround::Zeros) }),
            &[&[1, 1, 4, 4], &[1]],
            &[1, 1, 4, 4],
            small_count,
        ),
    ]
}

#[test]
fn shapes_and_counts() {
    let c = context();
    for case in cases() {
        let net = Net::new(&c, case.module, 1).unwrap();
        let inputs: Vec<Tensor> = case.inputs.iter().enumerate().map(|(i, s)| sample(&c, s, i as u64)).collect();
        let y = net.call(&inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!((y.shape(), net.count()), (case.output, case.count), "{}", case.name);
        assert!(!y.is_tracked());
        assert_eq!(net.summary().count, case.count);
        assert_eq!(net.summary().rows.iter().map(|r| r.count).sum::<usize>(), case.count, "{}", case.name);
    }
}

#[test]
fn gradients_against_central_differences() {
    let c = context();
    for case in cases() {
        let net = Net::new(&c, case.module, 1).unwrap();
        // Zero biases would hide a mistake in them, and put leaky ReLUs on their kink.
        let moved =
            net.parameters().map(|name, p| p.add(&sample(&c, &p.shape(), name.len() as u64 + 50).scale(0.1)?)).unwrap();
        net.set_parameters(&moved).unwrap();
        let inputs: Vec<Tensor> =
            case.inputs.iter().enumerate().map(|(i, s)| sample(&c, s, i as u64).scale(0.7).unwrap()).collect();
        let weights = sample(&c, &case.output, 99);
        let loss = |parameters: &Parameters, inputs: &[Tensor]| -> Result<(f64, Vec<Tensor>, Vec<Tensor>)> {
            let mut of_inputs = Vec::new();
            let found = net.value_and_gradient(parameters, Key::new(3), &mut |net| {
                let project = |x: &[Tensor]| net.call(x)?.mul(&weights)?.sum_all();
                of_inputs = value_and_gradient(&c, inputs, |x| project(x))?.1;
                project(inputs)
            });
            // A network without parameters does not depend on them.
            if parameters.is_empty() {
                let (value, gradients) = value_and_gradient(&c, inputs, |x| net.call(x)?.mul(&weights)?.sum_all())?;
                return Ok((value.item()?, Vec::new(), gradients));
            }
            let found = found?;
            Ok((found.loss.item()?, found.gradients.values().to_vec(), of_inputs))
        };
        let parameters = net.parameters();
        let (_, by_parameter, by_input) = loss(&parameters, &inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let all: Vec<Tensor> = parameters.values().iter().chain(&inputs).cloned().collect();
        let exact: Vec<Tensor> = by_parameter.into_iter().chain(by_input).collect();
        let random = case.name.starts_with("dropout") || case.name.contains("published");
        let (mut worst, mut scale) = (0.0f64, 1e-12f64);
        for (i, tensor) in all.iter().enumerate() {
            let values = tensor.to_vec().unwrap();
            let slopes = exact[i].to_vec().unwrap();
            // A few elements of each tensor: the networks of many layers have thousands.
            for j in (0..values.len()).step_by(values.len().div_ceil(7).max(1)) {
                let at = |delta: f64| {
                    let mut moved = values.clone();
                    moved[j] += delta;
                    let mut changed = all.clone();
                    changed[i] = Tensor::new(&c, moved, &tensor.shape()).unwrap();
                    let inputs = changed.split_off(parameters.len());
                    loss(&parameters.with_values(changed).unwrap(), &inputs).unwrap().0
                };
                let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
                // Two calls in one step have two masks, so the inputs' gradient belongs to the other one.
                if random && i >= parameters.len() && !parameters.is_empty() {
                    continue;
                }
                worst = worst.max((numeric - slopes[j]).abs());
                scale = scale.max(numeric.abs());
            }
        }
        assert!(worst / scale < 1e-6, "{}: {:e}", case.name, worst / scale);
    }
}

#[test]
fn activations() {
    let c = context();
    let x = Tensor::new(&c, vec![-2.0, -0.5, 0.0, 0.5, 2.0, 800.0, -800.0], &[7]).unwrap();
    for (name, activation) in Activation::NAMED {
        let y = activation.apply(&x).unwrap().to_vec().unwrap();
        assert!(y.iter().all(|y| y.is_finite()), "{name}: {y:?}");
        assert_eq!(activation.name(), name);
        let expected: fn(f64) -> f64 = match activation {
            Activation::Identity => |x| x,
            Activation::Relu => |x| x.max(0.0),
            Activation::LeakyRelu(_) => |x| if x > 0.0 { x } else { 0.01 * x },
            Activation::Silu => |x| x / (1.0 + (-x).exp()),
            Activation::Tanh => f64::tanh,
            Activation::Sigmoid => |x| 1.0 / (1.0 + (-x).exp()),
            Activation::Softplus => |x| if x > 30.0 { x } else { x.exp().ln_1p() },
            Activation::Elu(_) => |x| if x > 0.0 { x } else { x.exp_m1() },
            Activation::Sin => f64::sin,
            Activation::Gelu => continue,
        };
        for (x, y) in x.to_vec().unwrap().into_iter().zip(y) {
            assert!((y - expected(x)).abs() < 1e-12, "{name} at {x}: {y}");
        }
    }
}

#[test]
fn the_papers_network() {
    let c = Context::cpu(Precision::F32);
    let net = |surround| Net::new(&c, layer(ResNet { surround, ..ResNet::default() }), 3).unwrap();
    for surround in [Surround::Tiled(16), Surround::Periodic, Surround::Zeros] {
        assert_eq!(net(surround).count(), 330_754);
    }
    // The periodic one commutes with shifts of the field.
    let net = net(Surround::Periodic);
    let x = sample(&c, &[1, 1, 16, 16], 4);
    let t = Tensor::scalar(&c, 0.1);
    let shift = |x: &Tensor| x.roll(5, 2).unwrap().roll(3, 3).unwrap();
    let a = shift(&net.call(&[x.clone(), t.clone()]).unwrap());
    let b = net.call(&[shift(&x), t]).unwrap();
    let difference = a.sub(&b).unwrap().unary(Unary::Abs).unwrap().max(&[], false).unwrap().item().unwrap();
    assert!(difference < 1e-5, "{difference:e}");
    let text = net.summary().to_string();
    assert!(text.contains("330,754 parameters") && text.contains("encoder.3.1"), "{text}");
}

#[test]
fn lectures_network() {
    let net = Net::new(&context(), layer(Mlp::new(2, &[20; 8], 1, Activation::Tanh)), 0).unwrap();
    assert_eq!(net.count(), 3021);
}

#[test]
fn transposed_convolutions_are_adjoint() {
    // ⟨conv x, y⟩ = ⟨x, convᵀ y⟩ with the same weight.
    let c = context();
    for (edges, stride, kernel, len) in [
        (Edges::Same, 1, 4, 6),
        (Edges::Same, 2, 4, 6),
        (Edges::Periodic, 1, 4, 6),
        (Edges::Periodic, 2, 4, 6),
        (Edges::Periodic, 3, 2, 6),
        (Edges::Periodic, 1, 5, 5),
        (Edges::Periodic, 2, 5, 8),
    ] {
        let conv = Conv { bias: false, ..Conv::new(2, 3, &[kernel]).with_edges(edges.clone()).with_stride(stride) };
        let back = Conv { inputs: 3, outputs: 2, ..conv.clone() };
        let (forth, back) =
            (Net::new(&c, layer(conv), 1).unwrap(), Net::new(&c, layer(ConvTranspose(back)), 1).unwrap());
        back.set_parameter("weight", &forth.parameter("weight").unwrap()).unwrap();
        let (x, y) = (sample(&c, &[1, 2, len], 1), sample(&c, &[1, 3, len / stride], 2));
        let a = forth.forward(&x).unwrap().mul(&y).unwrap().sum_all().unwrap().item().unwrap();
        let b = back.forward(&y).unwrap().mul(&x).unwrap().sum_all().unwrap().item().unwrap();
        assert!((a - b).abs() < 1e-12, "{edges:?} {stride} {kernel}: {a} {b}");
    }
}

#[test]
fn draws_depend_on_seed_and_path_only() {
    let c = context();
    let of = |hidden: &[usize], seed| {
        Net::new(&c, layer(Mlp::new(2, hidden, 1, Activation::Tanh)), seed)
            .unwrap()
            .parameter("0.weight")
            .unwrap()
            .to_vec()
            .unwrap()
    };
    assert_eq!(of(&[8], 1), of(&[8, 8, 8], 1));
    assert_ne!(of(&[8], 1), of(&[8], 2));
    // Spreads of the initialisers at fan_in 200, fan_out 100.
    for (initializer, variance) in [
        (Initializer::KaimingNormal, 2.0 / 200.0),
        (Initializer::KaimingUniform, 2.0 / 200.0),
        (Initializer::XavierNormal, 2.0 / 300.0),
        (Initializer::XavierUniform, 2.0 / 300.0),
        (Initializer::LecunNormal, 1.0 / 200.0),
        (Initializer::LecunUniform, 1.0 / 200.0),
        (Initializer::FanInUniform, 1.0 / 600.0),
        (Initializer::Normal { mean: 0.0, std: 0.5 }, 0.25),
        (Initializer::Constant(3.0), 0.0),
    ] {
        let net = Net::new(&c, layer(Linear::new(200, 100).with_weight_init(initializer)), 5).unwrap();
        let got = net.parameter("weight").unwrap().variance(&[], false, 0.0).unwrap().item().unwrap();
        assert!((got - variance).abs() <= 0.03 * variance + 1e-12, "{initializer:?}: {got} instead of {variance}");
    }
}

#[test]
fn batch_norm_remembers() {
    let c = context();
    let net = Net::new(&c, layer(BatchNorm::new(1)), 0).unwrap();
    let x = Tensor::new(&c, vec![1.0, 2.0, 3.0, 6.0], &[4, 1]).unwrap();
    let train = |net: &Net| {
        crate::train::step(&mut crate::train::Optimizer::sgd(0.0), net, |net| {
            net.forward(&x)?.unary(Unary::Square)?.sum_all()
        })
        .unwrap()
    };
    train(&net);
    let buffer = |name: &str| net.buffers().get(name).unwrap().to_vec().unwrap()[0];
    assert!((buffer("mean") - 0.3).abs() < 1e-12);
    assert!((buffer("variance") - (0.9 + 0.1 * 14.0 / 3.0)).abs() < 1e-12);
    for _ in 0..400 {
        train(&net);
    }
    let y = net.forward(&Tensor::full(&c, &[1, 1], 3.0).unwrap()).unwrap().item().unwrap();
    assert!(y.abs() < 1e-6, "{y}");
    // A failed step leaves them.
    let before = buffer("mean");
    let failed = crate::train::step(&mut crate::train::Optimizer::sgd(0.0), &net, |net| {
        net.forward(&x.scale(100.0)?)?;
        Err(crate::Error::value("no"))
    });
    assert!(failed.is_err() && buffer("mean") == before);
    assert!(!net.parameter("weight").unwrap().is_tracked());
}

#[test]
fn groups_parts_and_frozen_parameters() {
    let c = context();
    let field = Net::new(&c, layer(Mlp::new(1, &[4], 1, Activation::Tanh)), 1).unwrap();
    let unknown = Net::new(&c, layer(Variables { list: vec![("nu".into(), vec![], 0.5)] }), 0).unwrap();
    let both = Net::group(vec![("field".into(), field), ("unknown".into(), unknown)]).unwrap();
    assert_eq!(both.count(), 14);
    both.freeze("field.0").unwrap();
    assert!(both.freeze("nothing").is_err());
    let before = both.parameters();
    let x = sample(&c, &[5, 1], 1);
    crate::train::step(&mut crate::train::Optimizer::adam(0.1), &both, |both| {
        // The handle outside of the closure sees the same variables.
        both.child("field")?.forward(&x)?.mul(&both.child("unknown")?.parameter("nu")?)?.sum_all()
    })
    .unwrap();
    let after = both.parameters();
    for (name, changes) in [("field.0.weight", false), ("field.1.weight", true), ("unknown.nu", true)] {
        assert_eq!(
            before.get(name).unwrap().to_vec().unwrap() != after.get(name).unwrap().to_vec().unwrap(),
            changes,
            "{name}"
        );
    }
    let copy = both.copy();
    both.set_parameter("unknown.nu", &Tensor::scalar(&c, 9.0)).unwrap();
    assert_ne!(copy.parameter("unknown.nu").unwrap().item().unwrap(), 9.0);
    assert!(both.clone().same(&both) && !copy.same(&both));
}

#[test]
fn wrong_inputs_name_the_layer() {
    let c = context();
    let t = |shape: &[usize]| sample(&c, shape, 1);
    let nested = || {
        layer(Sequential {
            layers: vec![layer(Activation::Relu), layer(Residual { body: layer(Linear::new(3, 3)), shortcut: None })],
        })
    };
    let cases: Vec<(Layer, Vec<Tensor>, &str)> = vec![
        (nested(), vec![t(&[2, 4])], "1.body (linear 3 → 3)"),
        (nested(), vec![], "0 (relu)"),
        (layer(Conv::new(2, 3, &[3])), vec![t(&[1, 3, 8])], "conv 2 → 3, 3"),
        (layer(Conv::new(2, 3, &[3, 3])), vec![t(&[1, 2, 8])], "conv 2 → 3, 3×3"),
        (layer(Conv::new(1, 1, &[9]).with_edges(Edges::Periodic)), vec![t(&[1, 1, 2])], "conv 1 → 1, 9 periodic"),
        (layer(Conv::new(1, 1, &[9]).with_edges(Edges::Valid)), vec![t(&[1, 1, 2])], "conv"),
        (layer(Mlp::new(2, &[3], 1, Activation::Tanh)), vec![t(&[4, 3])], "x0, x1"),
        (layer(Mlp::new(2, &[3], 1, Activation::Tanh)), vec![t(&[4]), t(&[5])], "mlp"),
        (layer(Mlp::new(2, &[3], 1, Activation::Tanh)), vec![], "mlp"),
        (layer(BatchNorm::new(2)), vec![t(&[4])], "batch norm 2"),
        (layer(GroupNorm::new(4, 2)), vec![t(&[1, 3])], "group norm 4 in 2"),
        (layer(LayerNorm::new(4)), vec![t(&[])], "layer norm 4"),
        (layer(ResNet::default()), vec![t(&[1, 1, 8, 8]), t(&[])], "16 points"),
        (layer(ResNet::default()), vec![t(&[1, 1, 32, 32])], "a state and a time"),
        (layer(ResNet::default()), vec![t(&[2, 1, 32, 32]), t(&[3])], "resnet"),
        (layer(ResNet::default()), vec![t(&[2, 2, 32, 32]), t(&[2])], "resnet"),
    ];
    for (i, (module, inputs, expected)) in cases.into_iter().enumerate() {
        let error = Net::new(&c, module, 0).unwrap().call(&inputs).err().unwrap_or_else(|| panic!("case {i}"));
        assert_eq!(error.kind(), Kind::Shape, "case {i}: {error}");
        assert!(error.to_string().contains(expected), "case {i}: {error}");
    }
    let unfit: Vec<Layer> = vec![
        layer(Linear::new(0, 3)),
        layer(Sequential { layers: vec![] }),
        layer(Conv::new(1, 1, &[])),
        layer(Conv::new(1, 1, &[0])),
        layer(Conv { groups: 2, ..Conv::new(3, 4, &[3]) }),
        layer(Conv::new(usize::MAX, 4, &[3, 3])),
        layer(GroupNorm::new(4, 3)),
        layer(Dropout::new(1.0)),
        layer(Dropout::new(f64::NAN)),
        layer(Sinusoidal::new(3)),
        layer(BatchNorm { epsilon: 0.0, ..BatchNorm::new(2) }),
        layer(ResNet { blocks: 0, ..ResNet::default() }),
        layer(Mlp::new(0, &[3], 1, Activation::Tanh)),
        layer(Linear::new(2, 2).with_weight_init(Initializer::Normal { mean: 0.0, std: -1.0 })),
        layer(Variables { list: vec![("a".into(), vec![1], 0.0), ("a".into(), vec![1], 0.0)] }),
    ];
    for (i, module) in unfit.into_iter().enumerate() {
        assert!(Net::new(&c, module, 0).is_err(), "case {i}");
    }
}
