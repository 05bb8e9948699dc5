"""Hypothesis strategies: every MQTT packet there is, as a correct peer could build it."""

from __future__ import annotations

from hypothesis import strategies as st

from protocols.codec.mqtt import packets as p
from protocols.codec.mqtt import reasons as r
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from router import topics

SWITCH = st.integers(0, 1)
TWO = st.integers(0, 65_535)
FOUR = st.integers(0, 2**32 - 1)
IDS = st.integers(1, 65_535)
QOS = st.integers(0, 2)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
NAMES = st.text(st.characters(exclude_characters="\0+#", codec="utf-8"), min_size=1, max_size=20)
BYTES = st.binary(max_size=40)
LEVELS = st.one_of(st.just("+"), st.text(st.characters(codec="ascii", exclude_characters="\0+#/")))
FILTERS = st.one_of(
    NAMES,
    st.just("#"),
    st.lists(LEVELS, min_size=1, max_size=4).map("/".join),
    st.lists(LEVELS, min_size=1, max_size=3).map(lambda levels: "/".join([*levels, "#"])),
    st.sampled_from(["$share/group/a", "$share/group/+/b/#"]),
).filter(lambda f: topics.is_shared_filter(f) if topics.is_shared(f) else topics.is_filter(f))
VERSIONS = st.sampled_from([p.V3_1, p.V3_1_1, p.V5])

_REASON_STRING = {"reason_string": TEXT}
_MESSAGE = {
    "payload_format_indicator": SWITCH,
    "message_expiry_interval": FOUR,
    "content_type": TEXT,
    "response_topic": NAMES,
    "correlation_data": BYTES,
}


def properties(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[Properties]:
    """Some of these properties, and user properties, which may stand in every packet."""
    pairs = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
    chosen = st.fixed_dictionaries({}, optional={**fields, "user_properties": pairs})
    return chosen.map(lambda found: Properties(**found)).map(_canonical)


def _canonical(found: Properties) -> Properties:
    # Without any property, the codec leaves out what may be left out.
    return NO_PROPERTIES if found == NO_PROPERTIES else found


def _at(version: int, found: st.SearchStrategy[Properties]) -> st.SearchStrategy[Properties]:
    return found if version == p.V5 else st.just(NO_PROPERTIES)


def _reason(version: int, allowed: frozenset[int]) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(allowed)) if version == p.V5 else st.just(0)


def wills(version: int) -> st.SearchStrategy[p.Will | None]:
    """A will, or none."""
    found = st.builds(
        p.Will,
        topic=NAMES,
        payload=BYTES,
        qos=QOS,
        retain=st.booleans(),
        properties=_at(version, properties(will_delay_interval=FOUR, **_MESSAGE)),
    )
    return st.one_of(st.none(), found)


def connects(version: int) -> st.SearchStrategy[p.Connect]:
    """A CONNECT; a password without a user name in MQTT 5 only."""
    found = st.builds(
        p.Connect,
        client_id=TEXT,
        version=st.just(version),
        clean_start=st.booleans(),
        keep_alive_s=TWO,
        will=wills(version),
        username=st.one_of(st.none(), TEXT),
        password=st.one_of(st.none(), BYTES),
        properties=_at(
            version,
            properties(
                session_expiry_interval=FOUR,
                receive_maximum=IDS,
                maximum_packet_size=st.integers(1, 2**32 - 1),
                topic_alias_maximum=TWO,
                request_response_information=SWITCH,
                request_problem_information=SWITCH,
                authentication_method=TEXT,
            ),
        ),
    )
    return found.filter(lambda c: version == p.V5 or c.username is not None or c.password is None)


def connacks(version: int) -> st.SearchStrategy[p.Connack]:
    """A CONNACK."""
    return st.builds(
        p.Connack,
        session_present=st.booleans(),
        reason=_reason(version, r.CONNACK_REASONS) if version == p.V5 else st.integers(0, 5),
        properties=_at(
            version,
            properties(
                session_expiry_interval=FOUR,
                receive_maximum=IDS,
                maximum_qos=SWITCH,
                retain_available=SWITCH,
                maximum_packet_size=st.integers(1, 2**32 - 1),
                assigned_client_identifier=TEXT,
                topic_alias_maximum=TWO,
                wildcard_subscription_available=SWITCH,
                subscription_identifier_available=SWITCH,
                shared_subscription_available=SWITCH,
                server_keep_alive=TWO,
                response_information=TEXT,
                server_reference=TEXT,
                authentication_method=TEXT,
                authentication_data=BYTES,
                **_REASON_STRING,
            ),
        ),
    )


def publishes(version: int) -> st.SearchStrategy[p.Publish]:
    """A PUBLISH; DUP and a packet id only above QoS 0."""
    extra = {
        "topic_alias": IDS,
        "subscription_identifiers": st.lists(st.integers(1, 268_435_455), max_size=3).map(tuple),
    }
    return QOS.flatmap(
        lambda qos: st.builds(
            p.Publish,
            topic=NAMES,
            payload=BYTES,
            qos=st.just(qos),
            retain=st.booleans(),
            dup=st.booleans() if qos else st.just(False),
            packet_id=IDS if qos else st.just(0),
            properties=_at(version, properties(**_MESSAGE, **extra)),
        )
    )


def acknowledgements(version: int) -> st.SearchStrategy[p.Packet]:
    """A PUBACK, PUBREC, PUBREL or PUBCOMP."""
    kinds = (
        (p.Puback, r.PUBACK_REASONS),
        (p.Pubrec, r.PUBREC_REASONS),
        (p.Pubrel, r.PUBREL_REASONS),
        (p.Pubcomp, r.PUBCOMP_REASONS),
    )
    return st.one_of(
        st.builds(
            kind,
            packet_id=IDS,
            reason=_reason(version, allowed),
            properties=_at(version, properties(**_REASON_STRING)),
        )
        for kind, allowed in kinds
    )


def subscriptions(version: int) -> st.SearchStrategy[p.Subscription]:
    """A filter with its options; no local never on a shared one."""
    if version != p.V5:
        return st.builds(p.Subscription, topic_filter=FILTERS, qos=QOS)
    return st.builds(
        p.Subscription,
        topic_filter=FILTERS,
        qos=QOS,
        no_local=st.booleans(),
        retain_as_published=st.booleans(),
        retain_handling=QOS,
    ).filter(lambda s: not (s.no_local and topics.is_shared(s.topic_filter)))


def subscribing(version: int) -> st.SearchStrategy[p.Packet]:
    """A SUBSCRIBE, SUBACK, UNSUBSCRIBE or UNSUBACK."""
    identifier = st.integers(1, 268_435_455).map(lambda value: (value,))
    answer = _at(version, properties(**_REASON_STRING))
    granted = r.SUBACK_REASONS if version == p.V5 else frozenset({0, 1, 2, 0x80})
    unsuback = st.lists(st.sampled_from(sorted(r.UNSUBACK_REASONS)), min_size=1, max_size=4)
    return st.one_of(
        st.builds(
            p.Subscribe,
            packet_id=IDS,
            subscriptions=st.lists(subscriptions(version), min_size=1, max_size=4).map(tuple),
            properties=_at(version, properties(subscription_identifiers=identifier)),
        ),
        st.builds(
            p.Suback,
            packet_id=IDS,
            reasons=st.lists(st.sampled_from(sorted(granted)), min_size=1, max_size=4).map(tuple),
            properties=answer,
        ),
        st.builds(
            p.Unsubscribe,
            packet_id=IDS,
            topic_filters=st.lists(FILTERS, min_size=1, max_size=4).map(tuple),
            properties=_at(version, properties()),
        ),
        st.builds(
            p.Unsuback,
            packet_id=IDS,
            reasons=unsuback.map(tuple) if version == p.V5 else st.just(()),
            properties=answer,
        ),
    )


def endings(version: int) -> st.SearchStrategy[p.Packet]:
    """A PINGREQ, PINGRESP, DISCONNECT or, in MQTT 5, AUTH."""
    expiry = {"session_expiry_interval": FOUR, "server_reference": TEXT}
    simple = st.one_of(
        st.just(p.Pingreq()),
        st.just(p.Pingresp()),
        st.builds(
            p.Disconnect,
            reason=_reason(version, r.DISCONNECT_REASONS),
            properties=_at(version, properties(**expiry, **_REASON_STRING)),
        ),
    )
    method = {"authentication_method": TEXT, "authentication_data": BYTES}
    auth = st.builds(
        p.Auth,
        reason=_reason(version, r.AUTH_REASONS),
        properties=properties(**method, **_REASON_STRING),
    )
    return st.one_of(simple, auth) if version == p.V5 else simple


def packets(version: int) -> st.SearchStrategy[p.Packet]:
    """Any packet of a version."""
    return st.one_of(
        connects(version),
        connacks(version),
        publishes(version),
        acknowledgements(version),
        subscribing(version),
        endings(version),
    )


def versioned() -> st.SearchStrategy[tuple[int, p.Packet]]:
    """A version and one of its packets."""
    return VERSIONS.flatmap(lambda version: st.tuples(st.just(version), packets(version)))
