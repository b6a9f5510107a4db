"""The verb bench: figures beside their goals, measured on the user's machine."""

import argparse
from pathlib import Path
from typing import Any

from revsim.cli.options import add_verb, check_kernels, check_writable, print_json, progress


def add_verbs(verbs: Any) -> None:
    """Register the verb."""
    bench = add_verb(
        verbs, "bench", _bench, "speed, memory and start-up on this machine, beside goals and peers"
    )
    bench.add_argument(
        "--only", metavar="N,...", help="numbers of the goals to measure, such as 1,3"
    )
    bench.add_argument(
        "--models",
        metavar="DIR",
        type=Path,
        help="folder with the models of MLPerf Tiny (ad01_int8.tflite, "
        "pretrainedResnet_quant.tflite), for whole networks",
    )
    bench.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")


def _bench(options: argparse.Namespace) -> int:
    from revsim.bench import text
    from revsim.bench.goals import Asked, numbers_of, run_goals

    numbers, asked = numbers_of(options.only), Asked(options.models)
    check_kernels("bench")
    check_writable(options.plot)
    if options.plot is not None:
        from revsim.report.plots import kind_of

        kind_of(options.plot)

    def say(words: str) -> None:
        if not options.json:
            print(words, end="", flush=True)

    say(text.opening())
    titles = text.Titles()
    bench = run_goals(
        numbers,
        asked,
        lambda goal: progress(f"measuring: {goal.title}"),
        lambda row: say(titles.before(row) + text.row_lines(row)),
    )
    say(text.closing(bench))
    if options.plot is not None:
        from revsim.bench.figure import draw
        from revsim.report.plots import save

        save(draw(bench), options.plot)
    if options.json:
        print_json(text.as_dict(bench))
    return 0
