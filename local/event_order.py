"""The order in which the local Prefect server handles events: causal, as usual, but with less patience.

A change of state names the change before it, and waits until that was handled. A server that was killed has
forgotten what it handled: every run that was under way would have its next change of state (it crashed, say)
put aside for a quarter of an hour, and be restarted only then. On one machine nothing is late by more than
moments. Named in PREFECT_SERVER_EVENTS_CAUSAL_ORDERING, which is the seam that Prefect offers for this.
"""

from datetime import timedelta

from prefect.server.events.ordering import memory

PATIENCE = timedelta(seconds=10)

memory.PRECEDING_EVENT_LOOKBACK = PATIENCE

CausalOrdering = memory.CausalOrdering
