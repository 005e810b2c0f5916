//! The language itself: constants, whole numbers, parameters of the command line, checks.

use rhai::Dynamic;

use super::registry::{Entry, constant, entry};
use super::value::{All, describe, number_of};
use crate::error::{Error, Kind};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        constant("PI").brief("π = 3.14159…").example("PI", "3.1416").run(|_| Ok(std::f64::consts::PI.into())),
        constant("TAU").brief("2π = 6.28318…").example("TAU / 2", "3.1416").run(|_| Ok(std::f64::consts::TAU.into())),
        constant("E").brief("e = 2.71828…").example("ln(E)", "1").run(|_| Ok(std::f64::consts::E.into())),
        constant("INFINITY").brief("∞").example("1 / INFINITY", "0").run(|_| Ok(f64::INFINITY.into())),
        constant("NAN").brief("Not a number.").example("is_finite(tensor(NAN))", "0").run(|_| Ok(f64::NAN.into())),
        constant("ALL").brief("All positions of an axis in an index.").example("tensor([[1, 2], [3, 4]])[[ALL, 0]]", "[1, 3]").run(|_| Ok(Dynamic::from(All))),
        entry("int(x)")
            .brief("The whole part of a number, towards 0.")
            .text("Whole numbers divide into fractions (1 / 2 is 0.5), so the whole division is int(a / b).")
            .example("int(7 / 2)", "3")
            .example("int(-1.5)", "-1")
            .run(|c| {
                let value = c.value(0)?;
                if let Ok(text) = value.clone().into_immutable_string() {
                    return text.trim().parse::<i64>().map(Dynamic::from).map_err(|_| c.wrong(0, "a whole number as text"));
                }
                let number = c.finite(0)?.trunc();
                if number.abs() >= 9.0e18 {
                    return Err(c.unfit(0, number, "a number that fits into 64 bits"));
                }
                Ok(Dynamic::from(number as i64))
            }),
        entry("float(x)").brief("A number as a float; text is read as one.").example("float(\"2.5e-1\")", "0.25").run(|c| {
            let value = c.value(0)?;
            if let Ok(text) = value.clone().into_immutable_string() {
                return text.trim().parse::<f64>().map(Dynamic::from).map_err(|_| c.wrong(0, "a number as text"));
            }
            c.number(0).map(Dynamic::from)
        }),
        entry("map(range, f)")
            .brief("The values of a closure for each number of a range, as an array.")
            .text("Arrays have the same method.")
            .example("(0..4).map(|i| i * i)", "[0, 1, 4, 9]")
            .run(|c| {
                let (numbers, closure) = (c.ints(0)?, c.closure(1, 1)?);
                let values = numbers.into_iter().map(|n| closure.call([Dynamic::from(n)])).collect::<crate::Result<rhai::Array>>()?;
                Ok(values.into())
            }),
        entry("param(name, default_value)")
            .brief("A value that `--set name=value` on the command line replaces.")
            .text("The type of the default decides how the text is read: a number, true or false, or a string. A value that does not \
                   read as that type is an error. What a script asked for, and what it got, is kept in the run folder.")
            .example("param(\"steps\", 32)", "32")
            .run(|c| {
                let (name, default) = (c.string(0)?, c.value(1)?);
                let value = match c.session.parameters().get(&name) {
                    None => default,
                    Some(text) => {
                        let unfit = |expected: &str| {
                            Error::value(format!("--set {name}={text} does not fit")).expected(format!("{expected}, as its default {}", describe(&default)))
                        };
                        if default.is_int() {
                            text.parse::<i64>().map(Dynamic::from).map_err(|_| unfit("a whole number"))?
                        } else if default.is_float() {
                            text.parse::<f64>().map(Dynamic::from).map_err(|_| unfit("a number"))?
                        } else if default.is_bool() {
                            text.parse::<bool>().map(Dynamic::from).map_err(|_| unfit("true or false"))?
                        } else if default.is_string() {
                            Dynamic::from(text.clone())
                        } else {
                            return Err(c.wrong(1, "a number, a string, true or false"));
                        }
                    }
                };
                c.session.note_parameter(&name, value.to_string());
                Ok(value)
            }),
        entry("assert(condition, [message])")
            .brief("Stops with an error when the condition does not hold.")
            .text("A tensor holds when all its elements are different from 0.")
            .example("assert(1 + 1 == 2, \"arithmetic\")", "")
            .run(|c| {
                let value = c.value(0)?;
                let holds = match value.as_bool() {
                    Ok(truth) => truth,
                    Err(_) => match number_of(&value) {
                        Some(n) => n != 0.0,
                        None => c.tensor(0)?.to_vec()?.iter().all(|&v| v != 0.0),
                    },
                };
                if holds {
                    return super::engine::nothing();
                }
                let message = if c.has(1) { super::value::compact(&c.value(1)?) } else { "an assertion does not hold".into() };
                Err(Error::new(Kind::Script, message))
            }),
        entry("sleep(duration)").brief("Waits for a number of seconds; Ctrl-C and the limit of time end the wait.").example("sleep(0.001)", "").run(|c| {
            let wanted = c.finite(0)?;
            let start = std::time::Instant::now();
            loop {
                crate::session::interrupt::poll()?;
                let left = wanted - start.elapsed().as_secs_f64();
                if left <= 0.0 {
                    return super::engine::nothing();
                }
                std::thread::sleep(std::time::Duration::from_secs_f64(left.min(0.02)));
            }
        }),
        entry("show(value)")
            .brief("Shows a value as richly as can be: in a notebook a figure as a picture, an equation as a formula; elsewhere as print does.")
            .text("The value of a cell's last expression is shown without it.")
            .example("show(plot::lines([[0, 1]]))", "")
            .run(|c| {
                let (value, text) = (c.value(0)?, c.shown(0)?);
                c.session.sink().show(&value, &text);
                super::engine::nothing()
            }),
        entry("input([prompt])")
            .brief("Asks the user for a line of text.")
            .text("In a notebook a field below the cell, in a terminal a line of standard input. float(…) and int(…) read a number from it.")
            .example("let ask = || input(\"how many? \"); type_name(ask)", "function")
            .run(|c| {
                let prompt = if c.has(0) { c.string(0)? } else { String::new() };
                c.session.sink().input(&prompt, false).map(Dynamic::from)
            }),
        entry("password([prompt])")
            .brief("Asks the user for a line that is not to be seen; in notebooks.")
            .example("let ask = || password(\"token: \"); type_name(ask)", "function")
            .run(|c| {
                let prompt = if c.has(0) { c.string(0)? } else { String::new() };
                c.session.sink().input(&prompt, true).map(Dynamic::from)
            }),
        entry("clear_output([wait])")
            .brief("Removes what a notebook cell has shown; with true only when the next output comes. Elsewhere it does nothing.")
            .example("clear_output()", "")
            .run(|c| {
                let wait = c.has(0) && c.boolean(0)?;
                c.session.sink().clear(wait);
                super::engine::nothing()
            }),
        entry("type_name(value)").brief("The name of a value's type.").example("type_name(tensor([1]))", "Tensor").run(|c| {
            Ok(super::value::type_name(&c.value(0)?).to_string().into())
        }),
        entry("seconds()").brief("Seconds since the session began, for timing.").example("seconds() >= 0", "true").run(|c| {
            Ok(c.session.age().as_secs_f64().into())
        }),
        entry("device([name])")
            .brief("What tensors are computed on; with a name, the device that they are computed on from now on.")
            .text("\"cpu\", \"cuda\" or \"vulkan\" (the first card), \"cuda:N\" or \"vulkan:N\"; `ansatz devices` lists them. The device is chosen before the first tensor is \
                   made: operands must be on one device. The command line chooses it with --device.")
            .example("device()", "cpu")
            .example("device(\"cpu\"); zeros(2).device", "cpu")
            .run(|c| {
                let context = c.session.context();
                if c.has(0) {
                    context.set_device(crate::tensor::Device::named(&c.string(0)?)?)?;
                }
                Ok(context.device().to_string().into())
            }),
    ]
}
