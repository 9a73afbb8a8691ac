"""What the tokens of a server allow. Apart from the rest of its words, because every command loads it."""

from enum import StrEnum


class Scope(StrEnum):
    """What a token allows. None of them includes another."""

    SCORE = "score"  # hand in radiographs and get their answers
    READ = "read"  # see the answers and pictures of nights
    REVIEW = "review"  # record readings of radiographs
    ADMIN = "admin"  # see the server's metrics, change the bundle
