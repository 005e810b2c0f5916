"""A kernel as a notebook talks to it: start it, run cells, collect what they show."""

import time
from queue import Empty

from jupyter_client.manager import start_new_kernel


class Ran:
    """What a cell has shown."""

    def __init__(self):
        self.reply = {}
        self.messages = []
        self.seconds = 0.0

    def of(self, kind):
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def status(self):
        return self.reply["status"]

    def text(self, stream="stdout"):
        return "".join(c["text"] for c in self.of("stream") if c["name"] == stream)

    @property
    def result(self):
        found = self.of("execute_result")
        return found[0]["data"] if found else {}

    @property
    def error(self):
        found = self.of("error")
        return found[0] if found else {}

    def __repr__(self):
        return f"{self.reply} {[(m['msg_type'], m['content']) for m in self.messages]}"


class Notebook:
    def __init__(self, kernel="ansatz", **options):
        began = time.perf_counter()
        self.manager, self.client = start_new_kernel(kernel_name=kernel, **options)
        self.ready = time.perf_counter() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_channels()
        self.manager.shutdown_kernel()

    def send(self, code, **options):
        return self.client.execute(code, **options)

    def collect(self, message, timeout=30, typed=None):
        """Waits for the end of a cell that was sent."""
        ran, began, replied, idle = Ran(), time.perf_counter(), False, False
        while not (replied and idle):
            assert time.perf_counter() - began < timeout, f"no end after {timeout} s: {ran}"
            if not replied:
                try:
                    reply = self.client.get_shell_msg(timeout=0.002)
                    if reply["parent_header"].get("msg_id") == message:
                        ran.reply, replied = reply["content"], True
                except Empty:
                    pass
            if typed is not None:
                try:
                    question = self.client.get_stdin_msg(timeout=0.002)
                    ran.messages.append({"msg_type": "input_request", "content": question["content"]})
                    self.client.input(typed)
                except Empty:
                    pass
            try:
                said = self.client.get_iopub_msg(timeout=0.002)
                if said["parent_header"].get("msg_id") == message:
                    if said["msg_type"] == "status":
                        idle = said["content"]["execution_state"] == "idle"
                    else:
                        ran.messages.append(said)
            except Empty:
                pass
        ran.seconds = time.perf_counter() - began
        return ran

    def run(self, code, timeout=30, typed=None, **options):
        return self.collect(self.send(code, **options), timeout, typed)

    def begun(self, message):
        """Waits until a cell that was sent is taken up: before that there is nothing to interrupt."""
        while True:
            said = self.client.get_iopub_msg(timeout=30)
            if said["msg_type"] == "execute_input" and said["parent_header"].get("msg_id") == message:
                return

    def interrupt(self):
        self.manager.interrupt_kernel()
