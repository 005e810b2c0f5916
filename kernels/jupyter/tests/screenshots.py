"""JupyterLab in headless Chromium: opens the tour, runs all, watches a progress bar move, interrupts a training and goes on.

Usage: screenshots.py FOLDER. Pictures of each step go into FOLDER, and with page.png the one of docs/notebooks.md. Needs jupyterlab, playwright and Chromium (CHROMIUM names it).
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[3]
PORT = int(os.environ.get("PORT", "8899"))
TRAINING = """let net = nn::net(nn::linear(1, 1));
let x = ones([4, 1]);
train(net, #{ loss: |net, batch| { sleep(0.01); mse(net.forward(x), 2 * x) }, steps: 3000 })"""

PAGE = [
    """let nu = 0.02;
let burgers = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
burgers""",
    """let line = grid::periodic([256], [TAU]);
let start = line.sample(|x| sin(x) + 0.5 * cos(2 * x));
plot::space_time(solve(burgers, start, linspace(0, 2, 41)), #{ label: "u", size: [640, 300] })""",
    """let energy = |viscosity| mean(square(solve(burgers, start, 2.0, #{ nu: viscosity, quiet: true })));
#{ energy: energy.call(0.02), slope: grad(energy, 0.02) }""",
    """let plane = grid::periodic([96, 96], [TAU, TAU]);
let field = random::gaussian_field(plane, #{ power: 3, seed: 1 });
solve(equation(|u| dt(u) - laplacian(u)), field, linspace(0, 0.3, 4))""",
    TRAINING,
]


def notebook(cells):
    """A notebook of cells that were not run, as a file has it."""
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"name": "ansatz", "display_name": "Ansatz (Rhai)", "language": "rhai"}
    listed = [{**cell, "id": f"cell-{at}", "source": code} for at, code in enumerate(cells)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": listed}


def serve(folder):
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={PORT}", "--allow-root", f"--notebook-dir={folder}",
         "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", "--LabApp.news_url=None",
         "--LabApp.expose_app_in_browser=True"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://localhost:{PORT}/api", timeout=1)
            return server
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server does not come up")


def command(page, name):
    """A command of JupyterLab by its name; a cell that runs is not waited for."""
    page.evaluate(f"() => {{ window.jupyterapp.commands.execute('{name}'); }}")


def add_cell(page, code):
    command(page, "notebook:move-cursor-down")
    page.evaluate(
        """code => {
            const panel = window.jupyterapp.shell.currentWidget;
            const cells = panel.content;
            panel.context.model.sharedModel.addCell({ cell_type: 'code', source: code });
            cells.activeCellIndex = cells.widgets.length - 1;
        }""", code)
    command(page, "notebook:run-cell")
    return page.locator(".jp-CodeCell").last


def wait_idle(page, seconds):
    """Until the kernel has nothing to do. Between two cells it is idle too, so no cell may wait."""
    page.wait_for_function(
        """() => {
            const panel = window.jupyterapp.shell.currentWidget;
            const prompts = [...panel.node.querySelectorAll('.jp-InputPrompt')].map(prompt => prompt.textContent);
            return panel.sessionContext.session?.kernel?.status === 'idle' && !prompts.some(text => text.includes('*'));
        }""",
        timeout=1000 * seconds)


def page_of_the_manual(browser, picture):
    """One page with a formula, figures, a table and a training that runs."""
    page = browser.new_page(viewport={"width": 1060, "height": 1120})
    page.goto(f"http://localhost:{PORT}/lab/workspaces/page/tree/page/page.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel", timeout=60_000)
    wait_idle(page, 60)
    command(page, "application:toggle-left-area")
    command(page, "notebook:run-all-cells")
    page.locator("progress").wait_for(timeout=60_000)
    time.sleep(3)
    page.locator(".jp-CodeCell").first.scroll_into_view_if_needed()
    page.screenshot(path=picture)
    page.close()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp())
    shutil.copy(ROOT / "examples/notebooks/1_tour.ipynb", work)
    (work / "page").mkdir()
    (work / "page/page.ipynb").write_text(json.dumps(notebook(PAGE)))
    server = serve(work)
    try:
        with sync_playwright() as playwright:
            chromium = os.environ.get("CHROMIUM", shutil.which("chromium"))
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1400, "height": 1500})
            page.goto(f"http://localhost:{PORT}/lab/tree/1_tour.ipynb?reset")
            page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
            page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel", timeout=60_000)
            wait_idle(page, 60)
            if page.get_by_role("button", name="No", exact=True).count():
                page.get_by_role("button", name="No", exact=True).click()
            command(page, "notebook:run-all-cells")
            time.sleep(1)
            wait_idle(page, 180)
            time.sleep(1)
            page.screenshot(path=folder / "1_tour_end.png")
            page.locator(".jp-Cell").first.scroll_into_view_if_needed()
            time.sleep(1)
            page.screenshot(path=folder / "1_tour_top.png")
            errors = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count()
            assert errors == 0, f"{errors} cells of the tour failed"
            pictures = page.locator(".jp-OutputArea-output img, .jp-OutputArea-output svg").count()
            assert pictures >= 3, f"only {pictures} pictures"

            cell = add_cell(page, TRAINING)
            bar = cell.locator("progress")
            bar.wait_for(timeout=20_000)
            cell.scroll_into_view_if_needed()
            time.sleep(1)
            first = float(bar.get_attribute("value"))
            page.screenshot(path=folder / "2_training.png")
            time.sleep(1.5)
            second = float(cell.locator("progress").get_attribute("value"))
            assert cell.locator("progress").count() == 1, "the bar moves in its place"
            assert second > first, f"the bar stands at {first}"
            command(page, "notebook:interrupt-kernel")
            expect(cell.locator(".jp-OutputArea")).to_contain_text(re.compile("nterrupted"), timeout=10_000)
            wait_idle(page, 10)
            cell.scroll_into_view_if_needed()
            page.screenshot(path=folder / "3_interrupted.png")

            cell = add_cell(page, "net.forward(ones([1, 1]))")
            expect(cell.locator(".jp-OutputArea")).to_contain_text("f32 on cpu", timeout=20_000)
            cell = add_cell(page, "let a = 1;\nones([2, 3]) + ones([4])")
            expect(cell.locator(".jp-OutputArea")).to_contain_text("shapes do not fit together", timeout=20_000)
            time.sleep(0.5)
            cell.scroll_into_view_if_needed()
            page.screenshot(path=folder / "4_going_on.png")
            page.close()
            page_of_the_manual(browser, folder / "page.png")
            print(f"the bar moved from {first:.0f} to {second:.0f}; {pictures} pictures in the tour; screenshots in {folder}")
            browser.close()
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
