//! What functions of other libraries are called here: users come with the names of NumPy, JAX, PyTorch, SciPy and Julia.

/// Names elsewhere, the functions that do it here, and how.
const NAMES: [(&[&str], &[&str], &str); 33] = [
    (&["numpy", "tolist", "to_list", "to_array", "to_vec", "collect"], &["array"], "array(x) gives the numbers"),
    (&["size", "numel", "ndim", "dim"], &["len"], "x.shape, x.rank and x.len()"),
    (&["dtype"], &["precision"], "x.precision"),
    (&["real", "imag"], &["re", "im"], "z.re, z.im"),
    (&["mT"], &["T", "transpose"], "x.T, transpose(x)"),
    (&["view", "ravel"], &["reshape", "flatten"], "reshape(x, shape), flatten(x)"),
    (&["astype", "double", "to"], &["cast"], "cast(x, \"f64\"); a script's device is chosen with device(name)"),
    (&["cat", "concatenate", "hstack", "vstack"], &["concat", "stack"], "concat(parts, axis), stack(parts, axis)"),
    (&["expand_dims"], &["unsqueeze"], "unsqueeze(x, axis)"),
    (&["swapaxes", "moveaxis"], &["swap_axes", "permute"], "swap_axes(x, a, b), permute(x, order)"),
    (&["broadcast_to", "tile"], &["expand", "repeat"], "expand(x, shape), repeat(x, axis, times)"),
    (&["clip"], &["clamp"], "clamp(x, low, high)"),
    (&["power"], &["pow"], "x ** y, pow(x, y)"),
    (&["log"], &["ln"], "ln(x)"),
    (&["fabs", "absolute"], &["abs"], "abs(x)"),
    (&["var"], &["variance"], "variance(x)"),
    (&["amax", "amin", "nanmax"], &["max", "min"], "max(x), min(x)"),
    (&["mm", "bmm", "tensordot"], &["matmul", "einsum"], "matmul(a, b), einsum(spec, operands)"),
    (&["inv"], &["inverse", "linear_solve"], "inverse(a), linear_solve(a, b)"),
    (&["identity"], &["eye"], "eye(n)"),
    (&["isnan", "isfinite", "isinf"], &["is_finite"], "is_finite(x)"),
    (&["rand", "uniform"], &["random::uniform"], "random::uniform(shape)"),
    (&["randn", "normal", "gaussian"], &["random::normal"], "random::normal(shape)"),
    (&["manual_seed", "PRNGKey"], &["random::normal"], "random::normal(shape, #{ seed: 1 }), or --seed for the script"),
    (&["backward", "requires_grad", "requires_grad_"], &["grad"], "grad(|x| …, x): a gradient is that of a closure"),
    (&["jacobian", "jacfwd", "jacrev", "hessian"], &["vjp", "jvp", "grad"], "vjp(f, x, v), jvp(f, x, v), grad in grad"),
    (&["jit", "compile"], &["solve"], "nothing to do: solve and its kin compile equations by themselves"),
    (&["vmap", "pmap"], &["solve"], "samples are the first axis of tensors and fields"),
    (
        &["odeint", "solve_ivp", "diffeqsolve", "ODEProblem"],
        &["solve", "equation"],
        "solve(equation(|u, t| dt(u) - …), #{ u: 1.0 }, times)",
    ),
    (&["trapz", "trapezoid"], &["integral"], "integral(u) of a field"),
    (&["gradient", "diff"], &["dx"], "dx(u) of a field; of a function, grad(f, x)"),
    (&["interp", "interp1d"], &["interpolate", "resample"], "interpolate(u, points), resample(u, grid)"),
    (&["plot", "imshow", "figure"], &["plot::lines", "plot::heat_map"], "plot::lines(series), plot::heat_map(field)"),
];
/// What other libraries are called in a program.
const LIBRARIES: [&str; 7] = ["np", "jnp", "jax", "torch", "nn", "scipy", "plt"];

/// How to do here what a function or property of this name does elsewhere.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(names, ..)| names.contains(&name)).map(|(.., advice)| *advice)
}

/// What to write in the place of the name of a library.
pub(super) fn library(name: &str) -> Option<&'static str> {
    LIBRARIES
        .contains(&name)
        .then_some("functions stand alone: sin(x), or in a namespace: fft::rfft(x), nn::linear(2, 64)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Registry;
    use crate::script::tests::host;

    #[test]
    fn advice_names_functions_that_exist() {
        let registry = Registry::new();
        for (names, ours, _) in NAMES {
            for own in ours {
                assert!(registry.entries().iter().any(|e| e.full_name() == *own), "{own}, of {names:?}");
            }
            for name in names {
                assert!(registry.find(name).iter().all(|e| !e.namespace.is_empty()), "{name} is a function here");
            }
        }
    }

    #[test]
    fn errors_give_it() {
        let cases = [
            ("tensor([1.0]).numpy()", "array(x)"),
            ("tensor([1.0]).to_array()", "array(x)"),
            ("log(tensor([1.0]))", "ln(x)"),
            ("randn([3])", "random::normal(shape)"),
            ("gradient(tensor([1.0]))", "dx(u)"),
            ("tensor([1.0]).dtype", "x.precision"),
            ("np.sin(1.0)", "functions stand alone"),
            ("let y = jnp; y", "functions stand alone"),
        ];
        for (code, advice) in cases {
            let error = host().evaluate("case", code).map(|_| String::new()).unwrap_or_else(|e| e.to_string());
            assert!(error.contains(advice), "{code}\n{error}");
        }
        // A function of the script's own keeps its error.
        let own = host().evaluate("case", "fn numpy(x) { x } numpy(1, 2)").map(|_| String::new());
        assert!(!own.unwrap_or_else(|e| e.to_string()).contains("array(x)"));
    }
}
