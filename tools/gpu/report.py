"""Makes report.json and report.md from what run.sh left in a folder."""
import json, pathlib, re, sys

# What each large workload moves and computes at least: bytes of memory, and multiplications with additions counted as two.
BYTES = {"add_256m": 2 * 4 * 2**28, "tanh_256m": 2 * 4 * 2**28}
FLOPS = {"matmul_8192": 2 * 8192**3}


def lines(path):
    text = path.read_text(errors="replace") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def main(folder):
    steps = lines(folder / "steps.jsonl")
    read = lambda name: (folder / name).read_text(errors="replace") if (folder / name).exists() else ""
    tests = read("tests.txt")
    verdicts = dict(re.findall(r"^test (\S+) \.\.\. .*?(ok|FAILED)$", tests, re.M | re.S))
    ours = {line["workload"]: line for line in lines(folder / "benchmarks.txt")}
    peers = {}
    for line in lines(folder / "peers.txt"):
        peers.setdefault(line["workload"], []).append(line)
    rows = []
    for name, line in ours.items():
        row = {"workload": name, "ms": line["ms"], "first_s": line["first_s"], "checked": line["checked"]["error"],
               **{key: line.get(key) for key in ("operations", "copies_to_host", "copies_to_device", "peak_bytes")}}
        if name in BYTES and line["ms"]:
            row["bytes_per_second"] = BYTES[name] / line["ms"] * 1e3
        if name in FLOPS and line["ms"]:
            row["flops_per_second"] = FLOPS[name] / line["ms"] * 1e3
        for peer in peers.get(name, []):
            row[peer["peer"].split()[0]] = peer["ms"]
            row["ratio_" + peer["peer"].split()[0]] = line["ms"] / peer["ms"]
        rows.append(row)
    training = None
    run = folder / "runs/resnet/run.json"
    if run.exists():
        metrics = lines(folder / "runs/resnet/metrics.jsonl")
        training = {"run": json.loads(run.read_text()), "metrics": len(metrics), "last": metrics[-1:]}
    report = {"card": read("card.txt"), "devices": read("devices.txt"), "steps": steps, "tests": verdicts, "benchmarks": rows, "training": training}
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    number = lambda x: "" if x is None else f"{x:.3g}" if isinstance(x, float) else str(x)
    out = ["# Report", "", "```", report["devices"].strip(), "```", "", "## Steps", "", "| step | exit | s |", "|---|---|---|"]
    out += [f"| {s['step']} | {s['exit']} | {s['seconds']} |" for s in steps]
    out += ["", "## Tests", "", *([f"- {name}: {verdict}" for name, verdict in verdicts.items()] or ["none ran"])]
    out += ["", "## Benchmarks", "", "| workload | ms | first, s | JAX, ms | ratio | PyTorch, ms | ratio | operations | copies to host | share |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        rate = f"{row['bytes_per_second'] / 1e12:.2f} TB/s" if "bytes_per_second" in row else f"{row['flops_per_second'] / 1e12:.1f} Tflop/s" if "flops_per_second" in row else ""
        cells = [row["ms"], row["first_s"], row.get("jax"), row.get("ratio_jax"), row.get("torch"), row.get("ratio_torch"), row["operations"], row["copies_to_host"]]
        out.append(f"| {row['workload']} | " + " | ".join(number(c) for c in cells) + f" | {rate} |")
    if training:
        out += ["", "## Training", "", f"status {training['run'].get('status')}, {training['run'].get('seconds')} s, {training['metrics']} lines of metrics, "
                f"peak of tensors {training['run'].get('peak_tensor_bytes')} bytes", "", "```", json.dumps(training["last"]), "```"]
    failures = [s["step"] for s in steps if s["exit"] != 0]
    out += ["", f"Failed steps: {', '.join(failures) if failures else 'none'}.", ""]
    (folder / "report.md").write_text("\n".join(out))
    print(folder / "report.md")


main(pathlib.Path(sys.argv[1]))
