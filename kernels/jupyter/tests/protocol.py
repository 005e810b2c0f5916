"""The protocol as Jupyter's own suite asks for it: jupyter_kernel_test, all tests that apply."""

import unittest

import jupyter_kernel_test


class Protocol(jupyter_kernel_test.KernelTests):
    kernel_name = "ansatz"
    language_name = "rhai"
    file_extension = ".rhai"
    code_hello_world = 'print("hello, world")'
    code_stderr = 'note("test")'
    completion_samples = [
        {"text": "let x = linsp", "matches": ["linspace"]},
        {"text": "check::gr", "matches": ["check::gradient"]},
        {"text": "sum(x, 0, #{ ", "matches": ["keep: "]},
        {"text": "%res", "matches": ["%reset"]},
    ]
    complete_code_samples = ["1 + 1", "let f = |x| x * x;", 'print("hello")', "fn f(x) {\n    x\n}", "%time 1"]
    incomplete_code_samples = ["fn f(x) {", "let a = [1,", 'print("hello', "1 +", "/* why"]
    invalid_code_samples = ["let = 3", "1 )", "a b"]
    code_page_something = "?linspace"
    code_generate_error = 'throw "an error"'
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "1 / 2", "result": "0.5"},
        {"code": '"text"', "result": '"text"'},
        {"code": "1+2", "result": "3"},
        {"code": "tensor([1, 2])"},
        {"code": "equation(|u| dt(u) - laplacian(u))", "mime": "text/latex"},
        {"code": "linspace(0, 1, 50)", "mime": "text/html"},
        {"code": "plot::lines([[0, 1]])", "mime": "image/svg+xml"},
        {"code": "1+2+3 + 0", "result": "6"},
        {"code": "1+2+3 + 1", "result": "7"},
    ]
    code_display_data = [
        {"code": "show(plot::lines([[0, 1]]))", "mime": "image/png"},
        {"code": "show(plot::lines([[0, 1]]));", "mime": "image/svg+xml"},
        {"code": "report(#{ a: 1 })", "mime": "text/html"},
    ]
    supported_history_operations = ("tail", "range", "search")
    # One code alone fits, several times: what `unique` and `n` are about.
    code_history_pattern = "1?2"
    code_inspect_sample = "linspace"
    code_clear_output = "clear_output()"


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "ansatz"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
