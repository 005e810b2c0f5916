//! Gradients in scripts: parameters are tracked only inside the closure.

use rhai::{Array, Dynamic};

use super::tape::refuse_cut;
use super::{Complex, Precision, Tensor, jvp, value_and_gradient, vjp};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::script::Call;
use crate::script::closure::Closure;
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe};

/// The arguments of a differentiated function.
struct Inputs {
    form: Form,
    values: Vec<Operand>,
}

/// How the arguments are handed over.
enum Form {
    /// One value.
    One,
    /// An array: one value for each parameter of the closure.
    Several,
    /// A map with these keys, for a closure of one parameter.
    Named(Vec<rhai::Identifier>),
}

impl Inputs {
    fn read(c: &Call, i: usize) -> Result<Self> {
        let value = c.value(i)?;
        if let Some(one) = Operand::of(&value) {
            return Ok(Self { form: Form::One, values: vec![one] });
        }
        let wrong = || {
            c.wrong(
                i,
                "a number, tensor or field; an array of them for a closure of as many parameters; or a map of them",
            )
        };
        if let Some(map) = value.read_lock::<rhai::Map>() {
            let values: Vec<Operand> = map.values().map(|v| Operand::of(v).ok_or_else(wrong)).collect::<Result<_>>()?;
            if values.is_empty() {
                return Err(wrong());
            }
            return Ok(Self { form: Form::Named(map.keys().cloned().collect()), values });
        }
        let array = value.into_array().map_err(|_| wrong())?;
        let values: Vec<Operand> = array.iter().map(|v| Operand::of(v).ok_or_else(wrong)).collect::<Result<_>>()?;
        if values.is_empty() {
            return Err(wrong());
        }
        Ok(Self { form: Form::Several, values })
    }
    /// The real tensors that are varied: two for a complex one.
    fn tensors(&self, c: &Call) -> Result<Vec<Tensor>> {
        let context = c.session.context();
        let mut tensors = Vec::new();
        for value in &self.values {
            match value {
                Operand::Complex(z) => tensors.extend([z.re.clone(), z.im.clone()]),
                other => tensors.extend(other.clone().into_tensor(context)),
            }
        }
        Ok(tensors)
    }
    /// Puts tracked or differentiated numbers back into the kind of value they came from.
    fn dress(&self, tensors: &[Tensor]) -> Result<Vec<Dynamic>> {
        let mut tensors = tensors.iter().cloned();
        let mut next = || tensors.next().ok_or_else(|| Error::internal("fewer tensors than inputs"));
        self.values
            .iter()
            .map(|kind| match kind {
                Operand::Field(field) => Field::new(next()?, field.grid().clone()).map(Dynamic::from),
                Operand::Complex(_) => Complex::new(next()?, next()?).map(Dynamic::from),
                _ => next().map(Dynamic::from),
            })
            .collect()
    }
    /// Gradients in the form of the inputs; a number's is a number.
    fn answer(&self, gradients: &[Tensor]) -> Result<Dynamic> {
        let mut dressed = self.dress(gradients)?;
        for (value, kind) in dressed.iter_mut().zip(&self.values) {
            let number = value
                .read_lock::<Tensor>()
                .filter(|t| matches!(kind, Operand::Number(_)) && !t.is_tracked())
                .map(|t| t.item());
            if let Some(number) = number {
                *value = Dynamic::from(number?);
            }
        }
        Ok(match &self.form {
            Form::One => dressed.into_iter().next().unwrap_or_default(),
            Form::Several => Dynamic::from(dressed),
            Form::Named(keys) => map_of(keys, dressed),
        })
    }
    /// How many parameters the closure has.
    fn count(&self) -> usize {
        if matches!(self.form, Form::Several) { self.values.len() } else { 1 }
    }
}

fn scalar_of(c: &Call, value: &Dynamic) -> Result<Tensor> {
    Operand::of(value).and_then(|o| o.into_tensor(c.session.context())).ok_or_else(|| {
        Error::typ("the closure returned something unfit")
            .got(describe(value))
            .expected("a number or a tensor of one element")
    })
}

fn map_of(keys: &[rhai::Identifier], values: Vec<Dynamic>) -> Dynamic {
    keys.iter().cloned().zip(values).collect::<rhai::Map>().into()
}

fn call_on(closure: &Closure, inputs: &Inputs, tensors: &[Tensor]) -> Result<Dynamic> {
    let values = inputs.dress(tensors)?;
    match &inputs.form {
        Form::Named(keys) => closure.call([map_of(keys, values)]),
        _ => closure.call(values),
    }
}

fn differentiate(c: &Call) -> Result<(Tensor, Dynamic)> {
    let inputs = Inputs::read(c, 1)?;
    let closure = c.closure(0, inputs.count())?;
    let (value, gradients) = value_and_gradient(c.session.context(), &inputs.tensors(c)?, |leaves| {
        scalar_of(c, &call_on(&closure, &inputs, leaves)?)
    })?;
    Ok((value, inputs.answer(&gradients)?))
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        entry("grad(f, x)")
            .brief("The gradient of a scalar function at x.")
            .text("x is a number, tensor or field, an array of them for a closure of as many parameters, or a map of them for a closure of one; the gradient has the same form. \
                   That of a complex z = x + iy is ∂f/∂x + i ∂f/∂y, so that a step against it lowers f. \
                   Values are tracked only inside the closure, and gradients nest: grad(|x| grad(f, x), x) is a second derivative.")
            .example("grad(|x| sum(x * x), tensor([1, 2]))", "[2, 4]")
            .example("grad(|x| grad(|y| y ** 3, x), 2.0)", "12")
            .example("grad(|a, b| a * b, [2.0, 5.0])", "[5, 2]")
            .example("grad(|p| p.a * p.b, #{ a: 2.0, b: 5.0 }).a", "5")
            .run(|c| differentiate(c).map(|(_, gradient)| gradient)),
        entry("value_and_grad(f, x)")
            .brief("The value of a scalar function at x and its gradient, as [value, gradient].")
            .example("value_and_grad(|x| x * x, 3.0)", "[9, 6]")
            .run(|c| {
                let (value, gradient) = differentiate(c)?;
                let value = if value.is_tracked() { Dynamic::from(value) } else { Dynamic::from(value.item()?) };
                Ok(vec![value, gradient].into())
            }),
        entry("vjp(f, x, v)")
            .brief("The vector-Jacobian product vᵀ ∂f/∂x, as [f(x), product].")
            .text("v has the shape of f(x).")
            .example("vjp(|x| x * x, tensor([1, 2]), tensor([1, 10]))", "[[1, 4], [2, 40]]")
            .run(|c| {
                let inputs = Inputs::read(c, 1)?;
                let (closure, seed) = (c.closure(0, inputs.count())?, c.tensor(2)?);
                let context = c.session.context();
                let done = vjp(context, &inputs.tensors(c)?, |leaves| {
                    let taken = context.taken_out();
                    let value = scalar_of(c, &call_on(&closure, &inputs, leaves)?)?;
                    refuse_cut(context, &value, taken)?;
                    if value.shape() != seed.shape() {
                        return Err(Error::shape("vjp: v must have the shape of f(x)").got(format!("{:?}", seed.shape())).expected(format!("{:?}", value.shape())));
                    }
                    let kept = context.kept(&value);
                    Ok((vec![(value, seed.clone())], kept))
                })?;
                Ok(vec![Dynamic::from(done.result), inputs.answer(&done.gradients)?].into())
            }),
        entry("jvp(f, x, v)")
            .brief("The Jacobian-vector product ∂f/∂x v, as [f(x), product].")
            .text("v has the shape of x. Computed as the derivative of the vector-Jacobian product, at the cost of two reverse passes.")
            .example("jvp(|x| x * x, tensor([1, 2]), tensor([1, 10]))", "[[1, 4], [2, 40]]")
            .run(|c| {
                let (closure, x, v) = (c.closure(0, 1)?, c.tensor(1)?, c.tensor(2)?);
                if x.shape() != v.shape() {
                    return Err(Error::shape("jvp: v must have the shape of x").got(format!("{:?}", v.shape())).expected(format!("{:?}", x.shape())));
                }
                let context = c.session.context();
                let (value, tangent) = jvp(context, &x, &v, |x| closure.tensor(context, std::slice::from_ref(x)))?;
                Ok(vec![Dynamic::from(value), Dynamic::from(tangent)].into())
            }),
        entry("check::gradient(f, x, [options])")
            .brief("Compares the gradient of a scalar function with central differences.")
            .text("Returns #{ error, worst, exact, numeric, ok }: the largest difference relative to the largest difference quotient, where it \
                   is, and both values there. Run it with --precision f64, or give x in f64: in f32 rounding limits it to about 1e-3.")
            .option("step", "the distance h of the central difference (1e-5 in f64, 1e-2 in f32, times the size of x)")
            .option("tolerance", "up to which error ok is true (1e-6 in f64, 1e-2 in f32)")
            .option("samples", "how many elements are tried, spread evenly (64)")
            .example("check::gradient(|x| sum(sin(x)), tensor([0.1, 0.2])).ok", "true")
            .example("check::gradient(|x| sum(sin(x)), tensor([0.1, 0.2]).cast(\"f64\")).error < 1e-8", "true")
            .run(check_gradient),
    ]
}

fn check_gradient(c: &mut Call) -> Result<Dynamic> {
    let (options, inputs) = (c.options(2)?, Inputs::read(c, 1)?);
    let closure = c.closure(0, inputs.count())?;
    let context = c.session.context();
    let tensors = inputs.tensors(c)?;
    let double = tensors.iter().all(|t| t.precision() == Precision::F64);
    let (step, tolerance) = if double { (1e-5, 1e-6) } else { (1e-2, 1e-2) };
    let (step, tolerance) = (options.positive("step", step)?, options.positive("tolerance", tolerance)?);
    let most = options.count("samples", 64)?.max(1);
    let evaluate = |at: &[Tensor]| scalar_of(c, &call_on(&closure, &inputs, at)?);
    let (_, gradients) = value_and_gradient(context, &tensors, evaluate)?;
    let (mut worst, mut scale) = ((0.0f64, 0usize, 0usize, 0.0f64, 0.0f64), 0.0f64);
    for (which, tensor) in tensors.iter().enumerate() {
        let values = tensor.to_vec()?;
        let exact = gradients.get(which).map(Tensor::to_vec).transpose()?.unwrap_or_default();
        let stride = values.len().div_ceil(most).max(1);
        for at in (0..values.len()).step_by(stride) {
            let h = step * values[at].abs().max(1.0);
            let moved = |delta: f64| -> Result<f64> {
                let mut values = values.clone();
                values[at] += delta;
                let mut all = tensors.clone();
                all[which] = Tensor::from_vec::<f64>(context, values, &tensor.shape())?.cast(tensor.precision())?;
                evaluate(&all)?.item()
            };
            let numeric = (moved(h)? - moved(-h)?) / (2.0 * h);
            let difference = (numeric - exact[at]).abs();
            scale = scale.max(numeric.abs());
            if difference > worst.0 || difference.is_nan() {
                worst = (difference, which, at, exact[at], numeric);
            }
        }
    }
    let error = worst.0 / scale.max(f64::MIN_POSITIVE.sqrt());
    let mut map = rhai::Map::new();
    map.insert("error".into(), error.into());
    map.insert("ok".into(), (error <= tolerance).into());
    map.insert("worst".into(), Array::from([Dynamic::from(worst.1 as i64), Dynamic::from(worst.2 as i64)]).into());
    map.insert("exact".into(), worst.3.into());
    map.insert("numeric".into(), worst.4.into());
    Ok(map.into())
}
