"""weir and its peers on the same random documents and the same damaged bytes: README.md."""
import collections
import random
import re

import known
import pytest
from fold import difference, parse
from peers import ALL, NEAR_DECIMALS, PLAIN, Refusal


def short(data, limit=3000):
    text = data if isinstance(data, str) else data.decode(errors="backslashreplace")
    return text if len(text) < limit else text[:limit] + "... (%d)" % len(text)


def check(is_right, what, seed, data, *texts):
    if not is_right:
        pytest.fail("%s\nseed %d\nbytes %s\n%s" % (what, seed, short(data.hex()), "\n".join(map(short, texts))), False)


def accepted(answer, who, seed, data):
    check(not isinstance(answer, Refusal), "%s refuses" % who, seed, data, answer)
    return answer


def compare(peer, one, two):
    """Where two neutral texts differ, "" for nowhere."""
    return difference(parse(one, peer.folds), parse(two, peer.folds))


def check_same(peer, what, seed, data, one, two):
    where = compare(peer, one, two)
    check(not where, "%s: %s" % (what, where), seed, data, one, two)


def same_bytes(peer, one, two):
    """Byte for byte; in Smile but for the three spare bits of a float32, which take the sign in Jackson up to 2.14 and
    in weir, and are 0 in Jackson since."""
    if peer.codec != "smile" or len(one) != len(two):
        return one == two
    return all(a == b or (one[i - 1] == 0x28 and a & 15 == b & 15) for i, (a, b) in enumerate(zip(one, two)))


def native(weir, peer, seed):
    """A document of what the peer can carry, as weir says it and encodes it."""
    text, data = accepted(weir.generate(seed, peer.codec, peer.flags, peer.kinds, peer.manners), "weir", seed, b"")
    if peer.flags:  # the canonical form has another order
        text, _ = accepted(weir.decode(data, peer.codec, peer.flags), "weir", seed, data)
    return text, data


def test_peer_reads_what_weir_writes(weir, peer, other, seeds):
    for seed in seeds:
        text, data = native(weir, peer, seed)
        read, again = accepted(other.decode(data), peer.name, seed, data)
        check_same(peer, "weir says, %s reads" % peer.name, seed, data, text, read)
        if peer.same_bytes:
            check(same_bytes(peer, again, data), "%s writes other bytes" % peer.name, seed, data, text, again.hex())
        else:
            check(again, "%s does not write it again" % peer.name, seed, data, text)
            text, _ = accepted(weir.decode(again, peer.codec, peer.flags), "weir", seed, again)
            check_same(peer, "weir reads again, %s says" % peer.name, seed, again, text, read)


def test_weir_reads_what_peer_writes(weir, peer, other, seeds):
    for seed in seeds:
        text, data = accepted(other.generate(seed), peer.name, seed, b"")
        if peer.flags:
            text, _ = accepted(other.decode(data), peer.name, seed, data)
        read, again = accepted(weir.decode(data, peer.codec, peer.flags), "weir", seed, data)
        check_same(peer, "%s says, weir reads" % peer.name, seed, data, text, read)
        if peer.same_bytes and peer.name != "libcbor":  # whose items are longer than they must be
            check(same_bytes(peer, again, data), "weir writes other bytes", seed, data, text, again.hex())
        else:
            text, _ = accepted(other.decode(again), peer.name, seed, again)
            check_same(peer, "%s reads again, weir says" % peer.name, seed, again, text, read)


def test_wrappers_are_what_the_format_says(weir, peer, other, seeds):
    """Kinds that the format has not: the peer reads the maps that weir makes of them."""
    for seed in seeds:
        _, data = accepted(weir.generate(seed, peer.codec, 0, ALL, peer.manners & NEAR_DECIMALS), "weir", seed, b"")
        text, _ = accepted(weir.decode(data, peer.codec, PLAIN), "weir", seed, data)
        read, _ = accepted(other.decode(data), peer.name, seed, data)
        check_same(peer, "weir says, %s reads" % peer.name, seed, data, text, read)


# ---- damage ----

def damaged(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        at = chance.randrange(len(data) + 1)
        size = chance.choice([1, 1, 1, 2, 4, 8])
        some = bytes(chance.choice([0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)]) for _ in range(size))
        choice = chance.randrange(6)
        if choice == 0:
            data[at:at] = some
        elif choice == 1:
            del data[at:at + size]
        elif choice == 2:
            del data[at:]
        elif choice == 3 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        else:
            data[at:at + size] = some
    return bytes(data)


def disagreement(weir, peer, other, data):
    """What the peer does otherwise, the sentence about it, and the value that one of them has; None for nothing."""
    mine, theirs = weir.decode(data, peer.codec, PLAIN), other.decode(data)
    if isinstance(mine, Refusal):
        return None if isinstance(theirs, Refusal) else ("accepts", mine, theirs[0])
    if isinstance(theirs, Refusal):
        return "refuses", theirs, mine[0]
    where = compare(peer, mine[0], theirs[0])
    return ("reads", where, theirs[0]) if where else None


def test_damage_is_judged_alike(weir, peer, other, seeds):
    counts, strange = collections.Counter(), {}
    for seed in seeds:
        chance = random.Random(seed)
        _, good = native(weir, peer, seed) if chance.random() < 0.7 else other.generate(seed)
        for _ in range(4):
            data = damaged(good if len(good) < 300 else good[:300], chance)
            found = disagreement(weir, peer, other, data)
            if not found:
                continue
            listed = known.find(peer, *found, data)
            if listed:
                counts[listed.why] += 1
            else:
                label = (found[0], re.sub(r"\d+", "N", found[1])[:60])
                if label not in strange or len(data) < len(strange[label][0]):
                    strange[label] = data, found
    for why, count in counts.most_common():
        print("%6d %s" % (count, why))
    assert not strange, "\n".join("%s %s: %s\n    bytes %s\n    value %s" % (
        peer.name, found[0], short(found[1], 400), data.hex(), short(found[2], 400))
        for data, found in list(strange.values())[:12])
