"""Tables of the settings: who may come in, and what is written down of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from router.section import Section


class LoginSettings(Section):
    """How often somebody may fail to log in before having to wait."""

    failures: int = Field(
        5, ge=1, description="Failed logins of a user from one address before the next has to wait."
    )
    failures_per_address: int = Field(
        50, ge=1, description="Failed logins from one address, of whatever users, before the same."
    )
    failures_per_user: int = Field(
        100,
        ge=1,
        description="Failed logins of a user from whatever addresses; beyond them an address that "
        "the user never logged in from has one try before it has to wait.",
    )
    delay_s: float = Field(
        1.0, gt=0, description="Seconds of the first wait; each further failure doubles it."
    )
    delay_max_s: float = Field(900.0, gt=0, description="Seconds of the longest wait.")
    forget_s: float = Field(3_600.0, gt=0, description="Seconds until failures are forgotten.")
    familiar_days: float = Field(
        30.0, gt=0, description="Days that an address a user logged in from counts as the user's."
    )
    remembered: int = Field(
        20_000, ge=100, description="Users, addresses and pairs of them remembered, of each kind."
    )


class AccessSettings(Section):
    """Tokens: what signs them, and how long they live."""

    key_file: str = Field(
        "", description="File of the signing keys; empty keeps them beside the users."
    )
    token_ttl_s: float = Field(3_600.0, gt=0, description="Seconds; Kuzzle's one hour.")
    token_max_ttl_s: float = Field(
        0.0, ge=0, description="Most seconds that a login may ask for; 0 allows any time."
    )
    api_key_max_ttl_s: float = Field(
        0.0, ge=0, description="Most seconds of an API key made by its user; 0 allows any time."
    )
    grace_s: float = Field(
        1.0, ge=0, description="Seconds that a token goes on for once another took its place."
    )
    cookies: bool = Field(True, description="Whether browsers may hold their token in a cookie.")
    tokens_cached: int = Field(
        20_000, ge=1, description="Tokens that need not be verified again at each request."
    )


class AuditSettings(Section):
    """The record of who did what to what."""

    enabled: bool = Field(True, description="Whether to keep one.")
    requests: Literal["security", "writes", "all"] = Field(
        "security",
        description="Which are recorded: those of security, auth and admin and everybody who was "
        "kept out (by rights, token, origin, failed login); or writes of documents, too; or all.",
    )
    folder: str = Field("", description="Where its files are; empty for audit in storage.data.")
    days: int = Field(90, ge=1, description="Days that entries are kept.")
    mb: int = Field(1_024, ge=1, description="MB that are kept, whichever comes first.")
    fsync: Literal["batch", "second", "never"] = Field(
        "second", description="When entries are made safe from a power cut; a crash loses none."
    )
    waiting: int = Field(
        100_000, ge=1, description="Entries that wait for the disk; more are dropped, and counted."
    )
    when_failing: Literal["serve", "refuse"] = Field(
        "serve",
        description="What becomes of requests to be recorded while the disk refuses entries: "
        "served all the same, or refused with 503.",
    )
