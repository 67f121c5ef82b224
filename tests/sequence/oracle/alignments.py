"""Writes alignments.json: random process trees, noisy traces, and the optimal cost of aligning them, by pm4py.

pm4py is under the AGPL. It is a yardstick for development: nothing of it is linked or shipped, and the tests read only the
costs that it found. To write the file anew, with a Python that has pm4py:

    python alignments.py > alignments.json

The seed is fixed, so the same version writes the same file. A cost is the number of events without a step and of steps
without an event: pm4py takes 10,000 for each of these and 1 for each silent transition.

As a tool of the benchmark, `python alignments.py --time < cases.json` prints how many traces a second pm4py aligns.
"""

import json
import random
import sys
import time

import pm4py
from pm4py.algo.conformance.alignments.petri_net import algorithm as alignments
from pm4py.objects.conversion.process_tree import converter
from pm4py.objects.log.obj import Event, Trace
from pm4py.objects.process_tree.obj import Operator, ProcessTree

SEED = 20_240_601
TREES = 160
TRACES = 4
# pm4py's search grows with the product of both; larger ones take minutes each.
LEAVES = 12
EVENTS = 16
OPERATORS = {"seq": Operator.SEQUENCE, "alt": Operator.XOR, "par": Operator.PARALLEL, "loop": Operator.LOOP}


def grow(rng, depth, labels):
    """A tree as nested lists: a label, "" for nothing, or an operator and its operands."""
    if depth == 0 or rng.random() < 0.2:
        if rng.random() < 0.1:
            return ""
        # Mostly a label of its own, sometimes one that stands elsewhere too.
        if labels and rng.random() < 0.25:
            return rng.choice(labels)
        labels.append(chr(ord("a") + len(labels)) if len(labels) < 26 else f"x{len(labels)}")
        return labels[-1]
    operator = rng.choices(["seq", "alt", "par", "loop"], [5, 2, 3, 2])[0]
    operands = 2 if operator == "loop" else rng.randint(2, 3)
    return [operator] + [grow(rng, depth - 1, labels) for _ in range(operands)]


def leaves(tree):
    return sum(leaves(operand) for operand in tree[1:]) if isinstance(tree, list) else 1


def play(rng, tree):
    """The labels of a random run."""
    if tree == "":
        return []
    if isinstance(tree, str):
        return [tree]
    operator, operands = tree[0], tree[1:]
    if operator == "seq":
        return [label for operand in operands for label in play(rng, operand)]
    if operator == "alt":
        return play(rng, rng.choice(operands))
    if operator == "par":
        left = [run for run in (play(rng, operand) for operand in operands) if run]
        mixed = []
        while left:
            run = rng.choice(left)
            mixed.append(run.pop(0))
            left = [run for run in left if run]
        return mixed
    run = play(rng, operands[0])
    while rng.random() < 0.4 and len(run) < 20:
        run = run + play(rng, operands[1]) + play(rng, operands[0])
    return run


def disturb(rng, run, labels, share):
    """Some events are dropped, doubled, exchanged or replaced."""
    events = []
    for label in run:
        if rng.random() >= share:
            events.append(label)
            continue
        change = rng.randrange(4)
        if change == 1:
            events += [label, label]
        elif change == 2:
            events.append(rng.choice(labels))
        elif change == 3:
            events.insert(max(0, len(events) - 1), label)
    return events


def known(tree):
    """The tree as pm4py has it."""
    if isinstance(tree, str):
        return ProcessTree(label=tree or None)
    node = ProcessTree(operator=OPERATORS[tree[0]])
    for operand in tree[1:]:
        child = known(operand)
        child.parent = node
        node.children.append(child)
    return node


def log_trace(events):
    return Trace([Event({"concept:name": label}) for label in events])


def aligner(tree):
    net, begin, end = converter.apply(known(tree))
    variant = alignments.Variants.VERSION_DIJKSTRA_NO_HEURISTICS

    def cost(events):
        return alignments.apply(log_trace(events), net, begin, end, variant=variant)["cost"] // 10_000

    return cost


def write():
    rng = random.Random(SEED)
    cases = []
    for number in range(TREES):
        labels, tree = [], None
        while tree is None or leaves(tree) > LEAVES:
            labels = []
            tree = grow(rng, rng.randint(1, 4), labels)
        cost = aligner(tree)
        traces = []
        for _ in range(TRACES):
            run = play(rng, tree)
            events = disturb(rng, run, labels + ["?"], rng.choice([0.0, 0.1, 0.3, 0.6]))[:EVENTS]
            traces.append({"events": " ".join(events), "cost": cost(events)})
        cases.append({"tree": tree, "traces": traces})
        print(f"{number + 1} of {TREES}", file=sys.stderr)
    rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    print(f'{{"pm4py":"{pm4py.__version__}","seed":{SEED},"cases":[\n{rows}\n]}}')


def measure():
    case = json.load(sys.stdin)
    cost = aligner(case["tree"])
    begun = time.perf_counter()
    costs = [cost(trace.split()) for trace in case["traces"]]
    print(json.dumps({"pm4py": pm4py.__version__, "seconds": time.perf_counter() - begun, "cost": sum(costs)}))


if __name__ == "__main__":
    measure() if "--time" in sys.argv else write()
