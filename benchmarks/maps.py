"""How long a live map takes: PCA, t-SNE and, where umap-learn is installed, UMAP of the codes of vae_16d.

    python benchmarks/maps.py [--points 500 1000 2000] [--rounds 3]

Each measurement runs in a fresh process with the threads that `course lab` sets. Prints a markdown table: the median of
the rounds in seconds (the embedding alone, without imports), CPU seconds, and trustworthiness. The course promises at
most 10 seconds for a t-SNE of 2,000 points on two cores; the exit status is 1 where that does not hold.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from course_utils.command.machine import let_threads_sleep
from course_utils.embedding import has_umap

LIMIT = 10.0  # seconds, for 2,000 points
MEASURE = """
import json, sys, time
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.latents import encode_dataset
from course_utils.embedding import embed
from course_utils.metrics import trustworthiness
method, count = sys.argv[1], int(sys.argv[2])
z = encode_dataset(load_reference("vae_16d"), fashion_mnist("test", limit=count))
embed(z[:50], method, random_state=0)  # imports, and what UMAP compiles
wall, cpu = time.perf_counter(), time.process_time()
points = embed(z, method, random_state=0)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, trustworthiness(z, points, 10)]))
"""


def measure(method: str, count: int) -> list[float]:
    """Seconds, CPU seconds and trustworthiness of one map, in a process of its own."""
    variables = dict(os.environ)
    let_threads_sleep(variables)
    command = [sys.executable, "-c", MEASURE, method, str(count)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[500, 1000, 2000], help="codes, at most 2,000")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each")
    options = parser.parse_args()
    print("| method | points | seconds | CPU seconds | trustworthiness |\n|---|---:|---:|---:|---:|")
    kept = True
    for method in ("pca", "tsne", *(["umap"] if has_umap() else [])):
        for count in options.points:
            rounds = [measure(method, count) for _ in range(options.rounds)]
            wall, cpu, trust = map(statistics.median, zip(*rounds, strict=True))
            print(f"| {method} | {count:,} | {wall:.1f} | {cpu:.1f} | {trust:.3f} |", flush=True)
            kept = kept and (method != "tsne" or count > 2000 or wall <= LIMIT)
    print(f"\n{os.cpu_count()} cores; a t-SNE of up to 2,000 points in {LIMIT:.0f} s: {'yes' if kept else 'NO'}.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
