"""Cells in Rust: compiled by evcxr, run in the session."""

import os
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
        self.assertRegex("\n".join(wrong.error["traceback"]), r"mismatched types(.|\n)*In \[\d+\]:2:\d+")
        panicked = self.run_cell("%%rust\nlet v: Vec<i32> = vec![]; v[3]")
        self.assertEqual(panicked.status, "error", panicked)
        self.assertEqual(panicked.error["ename"], "Panic")
        self.assertIn("index out of bounds", panicked.error["evalue"])
        self.assertEqual(panicked.text("stderr"), "")

    def test_text_without_a_line_end(self):
        ran = self.run_cell("%%rust\nprint!(\"half a line\"); 3")
        self.assertEqual((ran.text(), ran.result.get("text/plain")), ("half a line\n", "3"), ran)

    def test_errors_in_other_letters(self):
        trace = "\n".join(self.run_cell("%%rust\nlet é: i32 = 1;\nprinln!(\"{é}\");").error["traceback"])
        self.assertRegex(trace, r"In \[\d+\]:3:1")
        self.assertIn("prinln!", trace)

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

    def test_rich_results(self):
        ran = self.run_cell("""%%rust
pub struct Bold(pub String);
impl Bold { pub fn evcxr_display(&self) { println!("EVCXR_BEGIN_CONTENT text/html\\n<b>{}</b>\\nEVCXR_END_CONTENT", self.0); } }
Bold("x".to_string())""")
        self.assertEqual(ran.result.get("text/html"), "<b>x</b>", ran)

    def test_a_second_interrupt_ends_what_does_not_stop(self):
        with Notebook() as book:
            book.run("%%rust\nlet n = 1;", timeout=120)
            message = book.send("%%rust\nloop { std::thread::sleep(std::time::Duration::from_millis(10)); }")
            time.sleep(4)
            book.interrupt()
            time.sleep(1.2)
            book.interrupt()
            self.assertEqual(book.collect(message).error["ename"], "SessionLost")
            self.assertEqual(book.run("1 + 1").result["text/plain"], "2")

    def test_interrupts_of_the_compiler(self):
        slow = ("%%rust\n#[allow(long_running_const_eval)]\n"
                "const SLOW: u64 = { let mut i = 0u64; while i < 100_000_000_000 { i += 1; } i };\nSLOW")
        for before_the_first in [True, False]:
            with Notebook() as book:
                if not before_the_first:
                    book.run("%%rust\nlet kept: i32 = 7;", timeout=120)
                book.run("let a = 1;")
                message = book.send(slow)
                time.sleep(6 if before_the_first else 2)
                began = time.perf_counter()
                book.interrupt()
                ran = book.collect(message, timeout=20)
                self.assertEqual(ran.error.get("ename"), "Interrupted", ran)
                self.assertLess(time.perf_counter() - began, 3)
                self.assertEqual(book.run("a").result["text/plain"], "1")
                again = book.run("%%rust\n1 + 1" if before_the_first else "%%rust\nkept", timeout=120)
                self.assertEqual(again.result.get("text/plain"), "2" if before_the_first else "7", again)

    def test_input(self):
        ran = self.run_cell("%%rust\nlet name: String = ansatz_cell::input(\"who? \");\nname", typed="Ada")
        self.assertEqual(ran.of("input_request"), [{"prompt": "who? ", "password": False}], ran)
        self.assertEqual(ran.result.get("text/plain"), '"Ada"', ran)
        refused = self.run_cell("%%rust\nansatz_cell::input(\"who? \");", allow_stdin=False)
        self.assertIn("nobody to ask", refused.error["evalue"])
        # The standard input is at its end: reading it neither waits nor takes what the kernel says.
        empty = self.run_cell("%%rust\nlet mut line: String = String::new();\nstd::io::stdin().read_line(&mut line).unwrap()")
        self.assertEqual(empty.result.get("text/plain"), "0", empty)
        self.assertIn("ansatz_cell::input(prompt) asks", empty.text("stderr"))
        self.assertEqual(self.run_cell("1 + 1").result["text/plain"], "2")

    def test_time(self):
        for head in ["%%time\n%%rust", "%%rust\n%%time"]:
            ran = self.run_cell(head + "\nstd::thread::sleep(std::time::Duration::from_millis(200)); 5")
            self.assertRegex(ran.text(), r"^2\d\d\.\d+ms \(compiled in [\d.]+m?s\)\n$")
            self.assertEqual(ran.result.get("text/plain"), "5")
        self.assertIn("a magic of Rhai cells", self.run_cell("%%rust\n%who").error["evalue"])

    def test_names_of_the_language_are_refused(self):
        for name in ["sin", "let", "TAU"]:
            ran = self.run_cell(f"%%rust\nansatz_cell::function(\"{name}\", [\"x\"], |a| Ok(a[0].clone()));")
            self.assertIn("choose another name", ran.error.get("evalue", ""), ran)

    def test_arrays_are_numbers_too(self):
        self.run_cell("let listed = [[1, 2], [3, 4]]; let text = \"a\";")
        ran = self.run_cell("%%rust\nansatz_cell::variable(\"listed\").shape")
        self.assertEqual(ran.result.get("text/plain"), "[2, 2]", ran)
        self.assertIn("holds no numbers", self.run_cell("%%rust\nansatz_cell::variable(\"text\")").error["evalue"])

    def test_a_function_that_looks_is_interrupted(self):
        self.run_cell("%%rust\nansatz_cell::function(\"waits\", [\"x\"], |_| {\n"
                      "while !ansatz_cell::interrupted() { std::thread::sleep(std::time::Duration::from_millis(1)); }\n"
                      "Err(\"stopped\".into()) });")
        message = self.book.send("waits(1)")
        self.book.begun(message)
        time.sleep(0.2)
        self.book.interrupt()
        self.assertEqual(self.book.collect(message).error.get("ename"), "Interrupted")

    def test_nothing_is_not_shown(self):
        ran = self.run_cell("%%rust\nprintln!(\"said\")")
        self.assertEqual((ran.text(), ran.result), ("said\n", {}))

    def test_after_clear_the_crate_for_cells_is_there(self):
        with Notebook() as book:
            book.run("%%rust\nlet cleared: i32 = 1;", timeout=120)
            self.assertEqual(book.run("%%rust\n:clear").status, "ok")
            self.assertEqual(book.run("%%rust\ncleared", timeout=60).error["ename"], "CompilationError")
            ran = book.run("%%rust\nansatz_cell::function(\"same\", [\"x\"], |a| Ok(a[0].clone()));", timeout=60)
            self.assertEqual(ran.status, "ok", ran)
            self.assertEqual(book.run("same(2)").result["text/plain"], "2.0")

    def test_quit_does_not_end_the_kernel(self):
        self.assertIn(":quit would end the kernel", self.run_cell("%%rust\n:quit").error["evalue"])
        self.assertEqual(self.run_cell("%%rust\n6 * 7").result.get("text/plain"), "42")

    def ask(self, kind, code):
        message = getattr(self.book.client, kind)(code, len(code))
        reply = self.book.client.get_shell_msg(timeout=10)
        self.assertEqual(reply["parent_header"]["msg_id"], message)
        return reply["content"]

    def test_completion_and_tooltips(self):
        self.run_cell("%%rust\nfn halved(number: f64) -> f64 { number / 2.0 }\nlet hallmark: i32 = 1;")
        self.assertEqual(self.ask("complete", "%%rust\nlet b = hal")["matches"], ["hallmark", "halved"])
        reply = self.ask("complete", "%%rust\nansatz_cell::oper")
        self.assertEqual((reply["matches"], reply["cursor_start"], reply["cursor_end"]), (["operator"], 20, 24))
        about = self.ask("inspect", "%%rust\nhalved")["data"]["text/plain"]
        self.assertIn("fn halved(number: f64) -> f64", about)
        about = self.ask("inspect", "%%rust\nansatz_cell::operator")["data"]["text/plain"]
        self.assertIn("a function whose gradient is known", about)
        self.assertFalse(self.ask("inspect", "%%rust\nnothing_such")["found"])

    def test_reset_forgets_functions_of_rust_cells(self):
        with Notebook() as book:
            book.run("%%rust\nansatz_cell::function(\"doubled\", [\"x\"], |a| Ok(a[0].map(|x| 2.0 * x)));", timeout=120)
            self.assertEqual(book.run("doubled(2)").result["text/plain"], "4.0")
            book.run("%reset")
            self.assertIn("doubled", book.run("doubled(2)").error["evalue"])
            self.assertNotIn("doubled", str(book.run("%who").messages))

    def test_two_notebooks_have_a_compiler_each(self):
        with Notebook() as other:
            other.run("%%rust\nlet mine: i32 = 2;", timeout=120)
            self.run_cell("%%rust\nlet mine: i32 = 1;")
            self.assertEqual(other.run("%%rust\nmine").result.get("text/plain"), "2")
        self.assertEqual(self.run_cell("%%rust\nmine").result.get("text/plain"), "1")

    def test_without_a_compiler_a_message_says_so(self):
        with Notebook(env={**os.environ, "PATH": "/nowhere"}) as book:
            self.assertIn("need cargo and rustc on the PATH", book.run("%%rust\n1").error["evalue"])
            self.assertEqual(book.run("1 + 1").result["text/plain"], "2")

    def test_a_crash_loses_the_session_only(self):
        with Notebook() as book:
            book.run("let a = 1;")
            book.run("%%rust\nfn item() -> i32 { 7 }", timeout=120)
            ran = book.run("%%rust\nunsafe { *(8 as *mut u8) = 1; }", timeout=60)
            self.assertEqual(ran.error["ename"], "SessionLost", ran)
            self.assertEqual(book.run("1 + 1").result["text/plain"], "2")
            ended = book.run("%%rust\nstd::process::exit(3);", timeout=60)
            self.assertIn("native code ended the process", ended.error["evalue"])
            again = book.run("%%rust\nitem()", timeout=60)
            self.assertEqual(again.result.get("text/plain"), "7", again)


if __name__ == "__main__":
    unittest.main(verbosity=2)
