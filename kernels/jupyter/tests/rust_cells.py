"""Cells in Rust: compiled by evcxr, run in the session."""

import time
import unittest

from notebook import Notebook

OPERATOR = """%%rust
use ansatz_cell::*;
operator("cube", ["x"],
    |a| Ok(a[0].map(|x| x * x * x)),
    |a, _, g| Ok(vec![a[0].zip(g, |x, g| 3.0 * x * x * g)]));
function("fails", ["x"], |a| if a[0].values[0] < 0.0 { panic!("negative") } else { Err("no way".into()) });
"""


class RustCells(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.book = Notebook()
        cls.first = cls.book.run("%%rust\nlet mut n = 1;", timeout=120)

    @classmethod
    def tearDownClass(cls):
        cls.book.__exit__()

    def run_cell(self, code, **options):
        return self.book.run(code, **options)

    def test_a_first_and_later_ones(self):
        self.assertEqual(self.first.status, "ok", self.first)
        later = self.run_cell("%%rust\nn += 1;\nprintln!(\"n is {n}\");\nn * 21")
        self.assertEqual((later.text(), later.result.get("text/plain")), ("n is 2\n", "42"), later)
        print(f"\nfirst cell in Rust {self.first.seconds:.2f} s, a later one {later.seconds:.2f} s")

    def test_operators_and_their_gradients(self):
        self.assertEqual(self.run_cell(OPERATOR).status, "ok")
        self.assertEqual(self.run_cell("cube(2)").result["text/plain"], "8.0")
        self.assertIn("8, 27", self.run_cell("print(cube(tensor([2, 3])))").text())
        self.assertEqual(self.run_cell("print(`${grad(|x| sum(cube(x)), tensor([1, 2]))}`)").text(), "[3, 12]\n")
        self.assertLess(float(self.run_cell("check::gradient(|x| sum(cube(sin(x))), linspace(-1, 1, 9)).error").result["text/plain"]), 1e-2)
        twice = self.run_cell("grad(|x| sum(grad(|y| sum(cube(y)), x)), tensor([1, 2]))")
        self.assertIn("the gradient of its gradient is not known", twice.error["evalue"])
        field = self.run_cell("type_name(cube(grid::periodic([8], [TAU]).sample(|x| sin(x))))")
        self.assertEqual(field.result["text/plain"], '"Field"')
        self.assertIn("no way", self.run_cell("fails(1)").error["evalue"])
        panicked = self.run_cell("fails(-1)")
        self.assertIn("negative", panicked.error["evalue"])
        self.assertEqual(panicked.text("stderr"), "")
        self.book.client.complete("cub", 3)
        self.assertEqual(self.book.client.get_shell_msg(timeout=5)["content"]["matches"], ["cube"])

    def test_errors(self):
        wrong = self.run_cell("%%rust\nlet x: i32 = \"text\";")
        self.assertEqual(wrong.error["ename"], "CompilationError")
        self.assertIn("mismatched types", "\n".join(wrong.error["traceback"]))
        panicked = self.run_cell("%%rust\nlet v: Vec<i32> = vec![]; v[3]")
        self.assertEqual(panicked.status, "error", panicked)
        self.assertEqual(panicked.error["ename"], "Panic")
        self.assertIn("index out of bounds", panicked.error["evalue"])
        self.assertEqual(panicked.text("stderr"), "")

    def test_variables_go_both_ways(self):
        self.run_cell("let given = tensor([1, 2, 3]);")
        ran = self.run_cell("%%rust\nuse ansatz_cell::*;\nlet a = variable(\"given\");\n"
                            "set_variable(\"doubled\", &a.map(|x| 2.0 * x));")
        self.assertEqual(ran.status, "ok", ran)
        self.assertEqual(self.run_cell("print(`${doubled}`)").text(), "[2, 4, 6]\n")
        missing = self.run_cell("%%rust\nansatz_cell::variable(\"nothing_such\");")
        self.assertEqual(missing.error["evalue"], "there is no variable nothing_such")

    def test_interrupts(self):
        message = self.book.send("%%rust\nuse ansatz_cell::*;\nlet mut turns = 0u64;\n"
                                 "while !interrupted() { turns += 1; std::thread::sleep(std::time::Duration::from_millis(1)); }\nturns > 0")
        time.sleep(4)
        began = time.perf_counter()
        self.book.interrupt()
        ran = self.book.collect(message)
        self.assertEqual(ran.status, "ok", ran)
        self.assertLess(time.perf_counter() - began, 1)

    def test_a_crash_loses_the_session_only(self):
        with Notebook() as book:
            book.run("let a = 1;")
            book.run("%%rust\nfn item() -> i32 { 7 }", timeout=120)
            ran = book.run("%%rust\nunsafe { *(8 as *mut u8) = 1; }", timeout=60)
            self.assertEqual(ran.error["ename"], "SessionLost", ran)
            self.assertEqual(book.run("1 + 1").result["text/plain"], "2")
            again = book.run("%%rust\nitem()", timeout=60)
            self.assertEqual(again.result.get("text/plain"), "7", again)


if __name__ == "__main__":
    unittest.main(verbosity=2)
