"""docs/remediation.md, made from the tables of decide/: faults, ladder, bounds."""

from __future__ import annotations

from itertools import pairwise

from agent.decide import aftercare, climb
from agent.decide.faults import FAULTS, Fault
from agent.decide.ladder import LADDER
from agent.model.policy import Policy

_HEAD = """\
# How a NIC is brought back

Made from `agent/decide/faults.py` and `agent/decide/ladder.py` by `make generated`.

In mode `remediate`, and on USB NICs that `usb_nic.match` names, a fault that lasts earns steps,
from the least to the most that they take with them. In mode `observe` the first of them is told
(`step_withheld`). One NIC at a time is on the ladder.

## Faults

| fault | in `act_on` | evidence | lasts for | asked anew before each step | steps |
|---|---|---|---|---|---|
"""
_LADDER_HEAD = """
Asked anew is always what sits in the plug. Where the gateway must be asked and none is known, or an
answer does not come, nothing is done: unknown never acts. While the gateway answers, a wedge is
none. A NIC that somebody set down is left alone. A router that restarts is silent on every node:
silence alone earns a step, one, only where the k3s server, too, answered on this NIC for as long as
the gateway did, and is silent (its address is what k3s's own configuration says; without one,
nothing is done). A generic driver stays where r8152 was never seen to have the adapter.

## The ladder

{diagram}

| step | what it does | interface number stays | verified within |
|---|---|---|---|
"""
_TAIL = """
`tune` (USB autosuspend and USB 3 link power management off) is taken once for each device, without
a fault.

From a step's start to its verdict, what happens to the link is the step's own doing and not counted
as a fault. An interface that was made anew comes down, and is set up. Verified is a step when the
link has a carrier, no fault is left and the gateway has answered since; where none is known, when
a register could be read. A link that is well while its gateway stays silent gets no further step
(`nic_link_only`): none would move whoever is silent.

First the link, then the node: where the interface has another number than before, k3s and Cilium
may hold on to the old one. Then the step is verified once k3s's agent has heard from its server
since (by the kernel's own sockets), and Cilium's agent calls itself healthy; each where it is there
and can be asked. Where not, within {check_seconds} s, `usb_nic.remediation.aftercare` names the
units that are restarted, once (`aftercare_began`), and another {care_seconds} s decide. Without
such units, or if that did not help, it is `nic_link_only`.

## Bounds

- Before a step, what it is and how to take it back is on disk; without that, no step: what was not
  begun costs nothing, and is due again in a minute. What a step
  left off when it was cut off (a kill, a crash, the daemon's end) is switched on: by the daemon, by
  the unit's `ExecStopPost=nodemend undo`, or with the next start.
- A machine that stood still (paused, suspended) waits anew for what it was waiting for.
- `usb_nic.remediation.budget`, for each adapter, over restarts and reboots; spent before the step.
- What did not help is not repeated in the same climb. Without a rung left it says so once
  (`nic_beyond_repair`), rests for {rest_hours} hours, and notices when the NIC is well again.
- However long it lasts, this earns its steps once, until it has passed or somebody says `resume`:
  {once}.
- Well for `usb_nic.remediation.settle`, and the climb is over; the same fault before that goes on
  with the next rung.
"""


def page() -> str:
    """The whole file."""
    faults = "".join(f"{_row(fault)}\n" for fault in FAULTS)
    rungs = "".join(
        f"| `{r.step}` | {r.what} | {r.keeps_ifindex} | {r.verify_seconds} s |\n" for r in LADDER
    )
    tail = _TAIL.format(
        rest_hours=climb.REST_SECONDS // 3600,
        check_seconds=aftercare.CHECK_SECONDS,
        care_seconds=aftercare.CHECK_AFTER_CARE_SECONDS,
        once="; ".join(fault.words for fault in FAULTS if fault.once),
    )
    return f"{_HEAD}{faults}{_LADDER_HEAD.format(diagram=_diagram())}{rungs}{tail}"


def _diagram() -> str:
    """Where each fault begins to climb, and where each step may lead."""
    lines = ["```mermaid", "flowchart LR"]
    follows: dict[tuple[str, str], None] = {}  # in the order of the ladder, each once
    for fault in FAULTS:
        steps = [rung.step for rung in LADDER if rung.step in fault.steps]
        lines.append(f'    {fault.name}(["{fault.words}"]) --> {steps[0]}')
        follows |= dict.fromkeys(pairwise(steps))
        follows[steps[-1], "rest"] = None
    lines += [f"    {step} -. no effect .-> {then}" for step, then in follows]
    lines += ['    rest(["nic_beyond_repair, rest"])', "```"]
    return "\n".join(lines)


def _row(fault: Fault) -> str:
    seconds = fault.grace_ns(Policy()) // 10**9
    lasts = f"{seconds} to {seconds + fault.jitter_seconds} s" if fault.jitter_seconds else ""
    lasts = lasts or ("`down_grace`" if fault.kind == "down" else f"{seconds} s")
    gateway = {"": [], "ask": ["the gateway, where known"], "must": ["the gateway"]}[fault.gateway]
    gateway += ["the k3s server"] if fault.witness else []
    asked = ", ".join([*gateway, *(["then a register"] if fault.registers else [])]) or "-"
    checks = ", ".join(f"`{check}`" for check in fault.checks)
    steps = ", ".join(f"`{step}`" for step in fault.steps)
    return f"| {fault.words} | `{fault.kind}` | {checks} | {lasts} | {asked} | {steps} |"
