"""All sessions of one listener, by their users and client ids."""

from __future__ import annotations

from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.state import Link, SessionState
from protocols.mqtt.terms import Terms


class Sessions:
    """Gives each client its session. A client id is one user's own: two users may have the same."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._states: dict[tuple[str, str], SessionState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def claim(self, id: str, owner: str, client_id: str, link: Link) -> SessionState:
        """The session of a client that has come; an older connection of that client gives way.

        Args:
            id: What the session is called if it is new.

        Source: [MQTT-3.1.4-3], in MQTT 3.1.1 [MQTT-3.1.4-2].
        """
        older = self._states.get((owner, client_id))
        if older is not None and older.link is not None:
            older.link.end(Reason.SESSION_TAKEN_OVER, "the client has connected anew")
            older.link.wake()
        state = SessionState(id, owner, client_id, self.terms)
        state.link = link
        self._states[owner, client_id] = state
        return state

    def leave(self, state: SessionState, link: Link) -> None:
        """The client's connection is done with; does nothing if it has another by now."""
        if state.link is link:
            state.link = None
            self.release(state)

    def release(self, state: SessionState) -> None:
        """The client has hung up: when it comes back, it finds a new session."""
        if self._states.get((state.owner, state.client_id)) is state:
            del self._states[state.owner, state.client_id]
