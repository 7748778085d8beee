"""The header by which a caller names a request that starts work, so that sending it twice starts it once."""

from typing import Annotated

from litestar.params import HeaderParameter

REPLAYED = "Idempotency-Replayed"
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="A name of your own for this request, such as a UUID: sent again within 24 hours, with the same "
        "body, it answers with the execution it has started.",
    ),
]
