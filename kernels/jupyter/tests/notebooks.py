"""Every notebook that is shipped runs from beginning to end, and shows what it has shown.

Usage: notebooks.py FOLDER [--store]. With --store the outputs go into the files. Text is compared without what depends on the machine: times.
"""

import pathlib
import re
import sys
import tempfile

import nbformat
from nbclient import NotebookClient

PICTURES = ("image/png", "image/svg+xml", "text/html", "image/gif")


def executed(path):
    notebook = nbformat.read(path, 4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=1800, kernel_name="ansatz", resources={"metadata": {"path": folder}})
        client.execute()
    return notebook


def tidy(notebook):
    """As it is stored: no times of execution, of two pictures of one figure the PNG, which every page shows."""
    for cell in notebook.cells:
        cell.get("metadata", {}).pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data.pop("image/svg+xml", None)
            if "transient" in output:
                del output["transient"]
    return notebook


def shown(cell):
    """Kinds of outputs, and their text without numbers, which may differ in the last digits from machine to machine."""
    out = []
    for output in cell.get("outputs", []):
        data = output.get("data", {"text/plain": output.get("text", "")})
        if "░" in str(data.get("text/plain")) or "█" in str(data.get("text/plain")):
            # A bar: shown only where the work takes its time.
            continue
        text = re.sub(r"[-+]?\d[\d.e+-]*(?:[µmn]?s\b)?", "#", str(data.get("text/plain", "")))
        out.append((output["output_type"], output.get("name"), sorted(k for k in data if k in PICTURES), text.split()))
    return out


def main(folder, store):
    failed = []
    for path in sorted(folder.glob("*.ipynb")):
        before = nbformat.read(path, 4)
        after = tidy(executed(path))
        if store:
            nbformat.write(after, path)
        for number, (old, new) in enumerate(zip(before.cells, after.cells)):
            if not store and shown(tidy(nbformat.v4.new_notebook(cells=[old])).cells[0]) != shown(new):
                failed.append(f"{path.name}, cell {number + 1}:\n  stored {shown(old)}\n  now    {shown(new)}")
        print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in after.cells)} cells ran")
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), "--store" in sys.argv)
