"""How much longer ten times the text of `port show` takes to parse, beside the ten that linear time would give."""

import statistics
import time

from parsers import parse
from tests.bench.measure import Figure, in_turns

PORTS, TIMES, RUNS = 200, 10, 5
GOAL = 12.0

HEAD = """\
+-------------------------------------------------------------------------------+
| Port Table        |           Operational Status            |  Admin Config   |
|---------+---------+----+--------------+----+---+-------+----+----+-------+----|
| Port    | Port    |    |  Link State  |    |   |       |Auto|    |       |Auto|
| Name    | Type    |Link|   Duration   |XCVR|STP| Mode  |Neg |Link| Mode  |Neg |
|---------+---------+----+--------------+----+---+-------+----+----+-------+----|
"""
ROWS = (
    "|{:<9}|10/100/G | Up | 211d23h59m59s|    |FWD|1000/FD| On |Ena |1000/FD| On |\n",
    "|{:<9}| G/10Gig | Up |   3d 2h 7m 3s|Ena |FWD| 10G/FD| Off|Ena | 10G/FD| Off|\n",
    "|{:<9}|10/100/G |Down|   0d 0h 0m 0s|    |Dis|       |    | Dis|Auto/FD| On |\n",
)
FOOT = "+---------+---------+----+--------------+----+---+-------+----+----+-------+----+\n"


def measure() -> list[Figure]:
    """Parse 200 and 2,000 ports, and return how many times as long the larger table takes."""
    small, large = _table(PORTS), _table(PORTS * TIMES)
    smalls, larges = in_turns(lambda: _seconds(small, PORTS), lambda: _seconds(large, PORTS * TIMES), RUNS)
    growth = statistics.median(larges) / statistics.median(smalls)
    return [Figure(work=f"{TIMES} times the text", figure=growth, unit="× time", peer=TIMES, goal=GOAL)]


def _table(ports: int) -> str:
    return HEAD + "".join(ROWS[port % len(ROWS)].format(port) for port in range(1, ports + 1)) + FOOT


def _seconds(text: str, ports: int) -> float:
    begin = time.process_time()
    records = parse("ciena_saos", "port show", text)
    took_s = time.process_time() - begin
    if len(records) != ports:
        raise RuntimeError(f"{len(records)} of {ports} ports were read")
    return took_s
