//! A named equation from its text and the parameters that a script gives.

use rhai::{Dynamic, FnPtr};

use super::Named;
use crate::error::Result;
use crate::script::Call;
use crate::script::closure::evaluate;

impl Named {
    /// What its text gives in the engine of the running script, with the options in argument 0 in the place of its own values.
    pub(super) fn evaluate(&self, c: &Call) -> Result<Dynamic> {
        let options = c.options(0)?;
        let mut variables: Vec<(&str, Dynamic)> = Vec::new();
        for (name, value, _) in self.parameters {
            let value = match options.get(name) {
                Some(given) if given.is::<FnPtr>() => {
                    let advice = "a closure of coordinates becomes a field on a grid: grid.sample(|x, y| …)";
                    return Err(options.wrong(name, "a number, a tensor or a field").advice(advice));
                }
                Some(given) => given.clone().flatten(),
                // A value may be written in terms of those before it.
                None => evaluate(value, variables.clone())?,
            };
            variables.push((name, value));
        }
        evaluate(self.source, variables).map_err(|e| e.within(c.name()))
    }
    /// Its text as a script of its own: each parameter as a variable, then the source.
    pub fn script(&self) -> String {
        let values = self.parameters.iter().map(|(name, value, _)| format!("let {name} = {value};\n"));
        values.chain([self.source.to_string()]).collect()
    }
}
