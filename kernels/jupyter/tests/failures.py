"""Fifty cells that fail, one after the other: errors, panics, want of memory, in Rhai and in Rust. One of them crashes."""

import unittest

from notebook import Notebook

# What fails, and a word of what is said.
RHAI = [
    ('throw "no"', "no"),
    ("1 +", "incomplete"),
    ("nothing_such()", "nothing_such"),
    ("ones([2]) + ones([3])", "shapes"),
    ("ones([1000000, 1000000])", "%limits tensor_bytes="),
    ("fn deep(n) { deep(n + 1) } deep(0)", "too deeply"),
    ("[1][5]", "outside of the array"),
    ('let s = "x"; loop { s += s; }', "a string passes its limit"),
    ("let a = []; loop { a += [1, 2, 3, 4, 5, 6, 7, 8]; a += a; }", "an array passes its limit"),
    ("linspace(0, 1, 5).reshape([2, 2])", "the number of elements must stay"),
    ("panics(1)", "a panic in Rust: on purpose"),
]
RUST = [
    ("let x: i32 = \"text\";", "mismatched types"),
    ("panic!(\"in a cell\");", "in a cell"),
    ("let v: Vec<i32> = vec![]; v[3]", "index out of bounds"),
    ("let big: Vec<u64> = Vec::with_capacity(usize::MAX);", "capacity overflow"),
]
CRASH = "unsafe { *(8 as *mut u8) = 1; }"


def prepare(book):
    for code in ["let kept = linspace(0, 1, 11);", "%limits array=100000",
                 '%%rust\nansatz_cell::function("panics", ["x"], |_| panic!("on purpose"));']:
        assert book.run(code, timeout=120).status == "ok"


class Failures(unittest.TestCase):
    def test_fifty_failing_cells(self):
        with Notebook() as book:
            prepare(book)
            front = book.manager.provisioner.process.pid
            lost = []
            for turn in range(50):
                if turn == 25:
                    code, said = f"%%rust\n{CRASH}", "segmentation fault in native code. Variables and functions are gone"
                elif turn % 4 == 3:
                    code, said = RUST[turn // 4 % len(RUST)]
                    code = f"%%rust\n{code}"
                else:
                    code, said = RHAI[turn % len(RHAI)]
                ran = book.run(code, timeout=60)
                self.assertEqual(ran.status, "error", f"{code}: {ran}")
                self.assertIn(said, ran.error["evalue"] + "\n".join(ran.error["traceback"]), code)
                if ran.error["ename"] == "SessionLost":
                    lost.append(turn)
                    self.assertIn("no variable `kept`", book.run("kept").error["evalue"])
                    prepare(book)
                self.assertEqual(book.run("kept.shape[0]").result.get("text/plain"), "11", f"after {code}")
            self.assertEqual(lost, [25], "only the crash loses the session")
            self.assertEqual(book.manager.provisioner.process.pid, front)
            self.assertTrue(book.manager.is_alive())


if __name__ == "__main__":
    unittest.main(verbosity=2)
