"""The program that is killed, cut off and refused: appends, seals, and says each word of the store as it is given."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from cultureops.clock import HOUR_MS
from cultureops.errors import CultureOpsError, StorageError
from cultureops.telemetry import EmbeddedStore
from proof.course import CHANNELS, MOST_AT_ONCE, Course, Shown

__all__ = ["main"]

RECOVERY_S = 8.0
SEAL_S = 4.0
REFUSED = 3


def say(*words: object) -> None:
    """One write of one whole line, so that the order of words and system calls is on record."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Writer:
    def __init__(self, store: EmbeddedStore, course: Course) -> None:
        self.store = store
        self.course = course
        self.sealing: asyncio.Future[int] | None = None
        known = Shown(course).with_total(store.count())
        if known is None:
            raise AssertionError(f"{store.count()} readings are no whole number of appends")
        self.number = known.number

    async def append(self, count: int) -> None:
        """Append so many; up to three are under way at once, and a pass of sealing beside them."""
        last = self.number + count
        while self.number < last:
            numbers = range(self.number + 1, min(last, self.number + 1 + self.number % MOST_AT_ONCE) + 1)
            self.number = numbers[-1]
            futures = [self.store.append(self.course.readings(number)) for number in numbers]
            for number, durable in zip(numbers, futures, strict=True):
                try:
                    await durable
                    say("durable", number)
                except StorageError:
                    say("failed", number)
            if any(number % self.course.appends_a_seal == 0 for number in numbers):
                await self.seal_beside()
        await self.sealed()

    async def seal_beside(self) -> None:
        await self.sealed()
        self.sealing = asyncio.ensure_future(self.store.seal(self.course.at(self.number)))

    async def sealed(self) -> None:
        if self.sealing is not None:
            sealing, self.sealing = self.sealing, None
            try:
                async with asyncio.timeout(SEAL_S):
                    say("sealed", await sealing)
            except StorageError as error:
                say("unsealed", error)
            except TimeoutError:
                say("unanswered", "a seal that neither ends nor fails")

    async def recover(self) -> None:
        """Wait until everything that was accepted is kept and sealed, as a lab would go on to ask for."""
        async with asyncio.timeout(RECOVERY_S):
            while True:
                await self.store.flush()
                self.sealing = asyncio.ensure_future(self.store.seal(self.course.at(self.number) // HOUR_MS * HOUR_MS))
                await self.sealed()
                if self.store.failure is None:
                    return
                await asyncio.sleep(0.05)


async def run(options: argparse.Namespace) -> None:
    course = Course(*options.course)
    for _ in range(options.sessions):
        store = EmbeddedStore.open(options.folder, seals_apart=options.apart)
        try:
            store.declare(CHANNELS)
            writer = Writer(store, course)
            say("opened", writer.number)
            await writer.append(options.appends)
            if options.recover:
                try:
                    await writer.recover()
                except TimeoutError:
                    say("unrecovered")
            say("failure" if store.failure else "sound", store.failure)
            say("count", store.count())
        finally:
            await store.close()
        say("closed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--appends", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--course", type=int, nargs=3, default=(20, 12, 40))
    parser.add_argument("--recover", action="store_true")
    parser.add_argument("--apart", action="store_true")
    try:
        asyncio.run(run(parser.parse_args()))
    except CultureOpsError as error:
        say("refused", error)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
