"""The demo's day: the steps of the first run, in order. Each is in the room of what it makes."""

from nestling.demo.steps import Step

STEPS: tuple[Step, ...] = ()
