#!/usr/bin/env python3
"""Can the single-stepping test fail? Each mutant below is a defect put into a copy of one source file of the library; the test is linked
with it, and must find a fault.

    mutants.py --build DIR [--images N] [--brief] [NAME...]

DIR is a build tree of this checkout: its libweir_static.a has everything but the changed file. Prints TAP. A mutant whose text is no longer
found in the source counts as a failure: it must be written anew. So does one that is "caught" without a fault that was named.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
SHM = "src/transport/shm/"
PROGRAM = ["common.c", "image.c", "ledger.c", "check.c", "script.c", "step.c"]
SEEDS = 12

# name, file, [(text that is there once, text in its place)...]
MUTANTS = [
    ("the commit word is stored before the word behind is cleared", "lane.c", [
        ("    zero_at(lane, at + span);\n    lane->head = at + span;",
         "    if (!(flags & WEIR_COMMIT_MORE) && !lane->cork_word)\n"
         "        atomic_store_explicit(weir_segment_word(&lane->segment, at), word, memory_order_seq_cst);\n"
         "    zero_at(lane, at + span);\n"
         "    lane->head = at + span;")]),
    ("the word behind is not cleared", "lane.c", [
        ("    zero_put(lane, position);\n    lane->zero_from", "    lane->zero_from"),
        ("        zero_put(lane, lane->zero_to);\n", "        (void)zero_put;\n")]),
    ("a batch that ends with a discard clears the ring", "lane.c", [
        ("    zero_at(lane, lane->head); /* a reservation given back since may have had us forget what is clear */\n", "")]),
    ("words are cleared that readers need", "lane.c", [
        ("    if (__builtin_expect(end > lane->limit, 0))\n        return;\n", "")]),
    ("oldest is stored only after the bytes were overwritten", "lane.c", [
        ("goal, bound);\n        atomic_store_explicit(&page->oldest, oldest, memory_order_release);\n",
         "goal, bound);\n        lane->looked_at = -(int64_t)oldest;\n"),
        ("    struct weir_lane_page *page = lane->segment.page;\n    atomic_store_explicit(&page->next_seq",
         "    struct weir_lane_page *page = lane->segment.page;\n"
         "    if (lane->looked_at < 0)\n"
         "        atomic_store_explicit(&page->oldest, (uint64_t)-lane->looked_at, memory_order_relaxed);\n"
         "    lane->looked_at = 0;\n"
         "    atomic_store_explicit(&page->next_seq")]),
    ("stores in another order: the page tells of a frame before its commit word", "lane.c", [
        ("    atomic_store_explicit(weir_segment_word(&lane->segment, at), word, memory_order_release);\n"
         "    page_update(lane, at);\n",
         "    page_update(lane, at);\n"
         "    atomic_signal_fence(memory_order_seq_cst);\n"
         "    atomic_store_explicit(weir_segment_word(&lane->segment, at), word, memory_order_release);\n")]),
    ("stores in another order: flush tells of frames before the first commit word", "lane.c", [
        ("    atomic_store_explicit(weir_segment_word(&lane->segment, lane->cork_at), lane->cork_word, memory_order_release);\n"
         "    uint64_t span = lane->head - lane->cork_last;\n"
         "    lane->cork_word = 0;\n"
         "    page_update(lane, lane->cork_last);\n",
         "    uint64_t span = lane->head - lane->cork_last;\n"
         "    page_update(lane, lane->cork_last);\n"
         "    atomic_signal_fence(memory_order_seq_cst);\n"
         "    atomic_store_explicit(weir_segment_word(&lane->segment, lane->cork_at), lane->cork_word, memory_order_release);\n"
         "    lane->cork_word = 0;\n")]),
    ("many: published before the word behind them is cleared", "lane.c", [
        ("    zero_at(lane, at);\n    if (!lane->cork_word) {", "    if (!lane->cork_word) {")]),
    ("many: the first one's word is stored with the others", "lane.c", [
        ("        if (first)\n            atomic_store_explicit((_Atomic(uint64_t) *)(void *)to, word + size, memory_order_relaxed);\n        else\n",
         "        atomic_store_explicit((_Atomic(uint64_t) *)(void *)to, word + size, memory_order_relaxed);\n        if (!first)\n")]),
    ("many: the page tells only of the first", "lane.c", [
        ("    lane->cork_last = last;\n    lane->head = at;", "    lane->cork_last = begin;\n    lane->head = at;")]),
    ("many: more is written than there is room for", "lane.c", [
        ("|| lane->limit - at < span + WEIR_SHM_LINE)\n            break;\n        unsigned char *to",
         ")\n            break;\n        unsigned char *to")]),
    ("a reader in the way is removed without asking for its lease", "slot.c", [
        ("    if (weir_lease_take(channel, WEIR_LEASE_SLOT + slot, 1) != WEIR_OK)\n        return 0;\n    weir_slot_drop(channel, slot);",
         "    slot_clear(channel, slot);")]),
    ("a dead reader is never removed", "slot.c", [
        ("    if (weir_lease_take(channel, WEIR_LEASE_SLOT + slot, 1) != WEIR_OK)\n        return 0;\n",
         "    if (slot <= WEIR_SHM_SLOTS)\n        return 0;\n")]),
    ("the epoch is not bumped", "lane.c", [
        ("    lane->epoch = atomic_load(&mine->epoch) + 1;", "    lane->epoch = atomic_load(&mine->epoch);")]),
    ("forward is stored before the new segment is complete", "lane.c", [
        ("    int status = weir_segment_make(lane->channel, &wish, err);\n    if (status == WEIR_OK)\n        status = weir_segment_open(lane",
         "    atomic_store(&lane->segment.page->forward, wish.generation);\n"
         "    int status = weir_segment_make(lane->channel, &wish, err);\n    if (status == WEIR_OK)\n        status = weir_segment_open(lane")]),
    ("the new segment does not go on with the seq", "lane.c", [
        ("        .next_seq = lane->seq,\n", "        .next_seq = 1,\n"),
        ("    lane->freed = wish.base;\n", "    lane->freed = wish.base;\n    lane->seq = 1;\n")]),
    ("next_seq is not recovered from the frames", "lane.c", [
        ("        lane->seq = clamp(seq_at(lane, tail) + 1, lane->seq, UINT64_MAX);\n", "")]),
    ("frames that the page does not tell of are not recovered", "lane.c", [
        ("    while ((span = span_of(lane, word_at(lane, tail))) != 0 &&\n", "    while ((span = 0) != 0 &&\n")]),
    ("recovery forgets what readers hold and what is retained", "lane.c", [
        ("    limit_set(lane);\n    return WEIR_OK;\n}\n\n/* Open the newest",
         "    lane->limit = tail + lane->segment.capacity;\n    return WEIR_OK;\n}\n\n/* Open the newest")]),
    ("the newest frame is given up", "lane.c", [
        ("last < held ? last : held;", "held;"),
        ("    uint64_t goal = needed + capacity / CHUNKS;", "    uint64_t goal = needed + 2 * capacity;")]),
    ("a reader's cursor moves before it has read", "reader.c", [
        ("    reader->held = view;\n    *ret",
         "    if (view->cursor)\n        atomic_store_explicit(view->cursor, view->next, memory_order_release);\n"
         "    reader->held = view;\n    *ret")]),
    ("older segments are unlinked before the new one has a frame", "lane.c", [
        ("    if (atomic_load_explicit(&segment->page->last, memory_order_relaxed) == WEIR_SHM_NO_FRAME)\n        return;\n", "")]),
    ("a channel has its name before it is complete", "files.c", [
        ("    making.directory = openat(files->store.fd, name,",
         "    renameat(files->store.fd, name, files->store.fd, files->entry);\n"
         "    memcpy(name, files->entry, 39);\n"
         "    making.directory = openat(files->store.fd, name,")]),
    ("a channel is taken away under its own name", "files.c", [
        ("    if (renameat(store->fd, entry, store->fd, name) != 0)\n        return WEIR_ESYSTEM;\n",
         "    snprintf(name, sizeof(name), \"%s\", entry);\n")]),
    ("who finds nobody there takes away also what is kept", "files.c", [
        ("    if (is_alone && weir_channel_kept(backing) != WEIR_CHANNEL_KEEP) {", "    if (is_alone) {")]),
    ("keep is not stored", "channel.c", [
        ("        atomic_store(&channel->page->keep, wanted);\n", "        (void)wanted;\n"),
        ("        atomic_compare_exchange_strong(&channel->page->keep, &undecided, wanted);\n", "        (void)undecided;\n")]),
    ("clean takes away what is kept", "files_clean.c", [
        ("    if (fd >= 0 && !is_kept(backing) &&", "    if (fd >= 0 &&"),
        ("        if (!is_kept(backing))\n            status", "            status"),
        ("!to->is_dry_run && !is_kept(backing))", "!to->is_dry_run)")]),
    ("clean leaves what is half made", "files_clean.c", [
        ("            hidden_remove(&files->store, files->entry);\n", "            (void)hidden_remove;\n")]),
]

# These need a coincidence: up to two minutes of stepping. The others are caught within seconds.
RARE = ["cursor moves", "before the word behind is cleared", "ends with a discard"]


def mutate(path, changes):
    with open(path) as file:
        text = file.read()
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{os.path.basename(path)} has {text.count(old)} times: {old.strip().splitlines()[0]}")
        text = text.replace(old, new)
    return text


def compile_file(compiler, source, target):
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", "-march=x86-64-v2", "-w"]
    subprocess.run([compiler, *flags, f"-I{SOURCE}/include", f"-I{SOURCE}/src", "-c", source, "-o", target], check=True)


def build(arguments, objects, folder, file, changes):
    """Link the program with the library, in which @file has @changes. Return its path."""
    source, program = os.path.join(folder, file), os.path.join(folder, "step")
    with open(source, "w") as out:
        out.write(mutate(os.path.join(SOURCE, SHM, file), changes))
    compile_file(arguments.compiler, source, source + ".o")
    subprocess.run([arguments.compiler, "-o", program, *objects, source + ".o", arguments.library, "-lpthread", "-lm"], check=True)
    return program


def try_program(program, arguments, seeds):
    """Return (fault, what was seen). Without a fault that the program names itself nothing is found: a disk that is full, or a machine
    that is slow, must not count."""
    begin = time.monotonic()
    for seed in range(1, seeds + 1):
        command = [program, "--images", str(arguments.images), "--seed", str(seed), "--jobs", str(arguments.jobs)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=arguments.patience)
        faults = [line[9:] for line in done.stdout.splitlines() if line.startswith("# fault: ")]
        if faults and done.returncode != 0:
            return faults[0], f"seed {seed}, {time.monotonic() - begin:.0f} s: {faults[0]}"
        if faults or done.returncode != 0:
            raise ValueError(f"seed {seed}: exit code {done.returncode} and {len(faults)} faults: {done.stdout}")
    return None, f"{seeds} seeds of {arguments.images} images saw nothing, {time.monotonic() - begin:.0f} s"


def case(number, name, wants_fault, changed, arguments, objects, folder):
    """Run one case, which prints its lines. Return: 1 when it failed."""
    try:
        program = build(arguments, objects, folder, *changed)
        fault, seen = try_program(program, arguments, SEEDS if wants_fault else 1)
        is_right = (fault is not None) == wants_fault
    except (ValueError, subprocess.SubprocessError) as error:
        is_right, seen = False, str(error).replace("\n", "\n# ")
    print(f"# {seen}\n{'ok' if is_right else 'not ok'} {number} - {name}", flush=True)
    return not is_right


def choose(arguments):
    """The mutants to be tried. A name that is none's is an error: it would leave out what it means to name."""
    for name in [*RARE, *arguments.names]:
        if not any(name in mutant[0] for mutant in MUTANTS):
            sys.exit(f"mutants.py: no mutant has {name!r} in its name")
    chosen = [m for m in MUTANTS if not arguments.names or any(name in m[0] for name in arguments.names)]
    return [m for m in chosen if not arguments.brief or not any(name in m[0] for name in RARE)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--images", type=int, default=250000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--patience", type=float, default=1800, help="seconds; who needs longer was not judged, which is a failure")
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--brief", action="store_true", help="only those that are caught within seconds, without the control")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    arguments.library = os.path.join(arguments.build, "src", "libweir_static.a")
    cases = [(f"caught: {name}", True, (file, changes)) for name, file, changes in choose(arguments)]
    if not arguments.brief:
        cases.insert(0, ("control: nothing is found where nothing was changed", False, ("lane.c", [])))
    print(f"1..{len(cases)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for file in PROGRAM:
            objects.append(os.path.join(folder, "test-" + file + ".o"))
            compile_file(arguments.compiler, os.path.join(HERE, file), objects[-1])
        failed = sum([case(number, *one, arguments, objects, folder) for number, one in enumerate(cases, 1)])
    print(f"# {len(cases) - failed} as they must be, {failed} not")
    return 1 if failed else 0


sys.exit(main())
