"""What spinning threads cost on a busy machine: training speed with OpenMP's default, and as `course lab` sets it.

    python benchmarks/threads.py [--rounds 3] [--neighbours 0 1 3]

Measures `training.measure_speed` in fresh processes, the two settings taking turns, while so many other processes keep
a core busy each with matrix products. Prints a markdown table of medians, in images a second, and their ratio.
"""

import argparse
import os
import statistics
import subprocess
import sys

from course_utils.command.machine import let_threads_sleep

MEASURE = "from course_utils.training import measure_speed; print(measure_speed('cpu', 2.0))"
NEIGHBOUR = "import torch; torch.set_num_threads(1); x = torch.randn(1000, 1000)\nwhile True: x @ x"
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")


def speed(sleeping: bool) -> float:
    variables = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if sleeping:
        let_threads_sleep(variables)
    done = subprocess.run([sys.executable, "-c", MEASURE], env=variables, capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(neighbours: int, rounds: int) -> tuple[float, float]:
    """Median speed with OpenMP's default and with sleeping threads, beside so many busy processes."""
    busy = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) for _ in range(neighbours)]
    try:
        pairs = [(speed(False), speed(True)) for _ in range(rounds)]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return tuple(map(statistics.median, zip(*pairs, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each setting")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 3], help="busy processes beside it")
    options = parser.parse_args()
    print("| busy neighbours | default, images a second | threads that sleep | ratio |\n|---:|---:|---:|---:|")
    for neighbours in options.neighbours:
        default, sleeping = compare(neighbours, options.rounds)
        print(f"| {neighbours} | {default:,.0f} | {sleeping:,.0f} | {sleeping / default:.1f} |", flush=True)
    print(f"\n{os.cpu_count()} cores, torch's default number of threads.")


if __name__ == "__main__":
    main()
