"""The provider simulator: an SMS provider over HTTP and a mail catcher in a process of their own.

It misbehaves by a seeded script and writes down what really happened before it answers, so that its log, not our own
view, says what every message's effect was.
"""
