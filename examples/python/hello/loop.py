"""Follows a channel and answers calls at the same time, in one event loop."""
import asyncio

import weir


async def follow(reader):
    async for message in reader:
        print(message.seq, message.type, flush=True)


async def main():
    with weir.reader("lab/spectrum") as reader, weir.server("lab/calculator") as server:
        await asyncio.gather(follow(reader), server.aserve({"double": lambda request: 2 * request.data}))


asyncio.run(main())
