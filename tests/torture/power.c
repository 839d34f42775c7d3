/* The power goes while writers append with sync=always. The log lies on an ext4 file system of its own, in an image in
 * memory that is mounted through a loop device; EXT4_IOC_SHUTDOWN without a flush of the journal is the cut: from that
 * moment nothing reaches the image, and what the kernel had not written is lost when it is unmounted. Mounted again,
 * the journal is replayed as after a reboot, and the log is judged: every message whose send had returned WEIR_OK
 * before the cut is there, once and in order; what was on its way may be there or not, or be damaged; and a writer that
 * comes now repairs what is there and goes on. (What is acknowledged after the cut does not count: in truth nobody
 * would live to hear it, and a sync that the cut meets may go well for the program though the journal was broken off.)
 *
 * Shortly before a cut something else is sometimes brought to the disk, as the kernel may at any time: the lock file,
 * or the log's pages without its size. Then half of what belongs together is there.
 *
 *     power [--cuts N] [--seed S]
 *
 * The second check is that all this would notice: with an fdatasync that does nothing, or every other time, messages
 * must be lost. Needs root, loop devices and mkfs.ext4. Prints TAP. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#include "common.h"

enum {
    IMAGE_SIZE = 24 << 20,
    WRITERS = 4,
    LOG_CUTS = 6, /* that one log goes through before the next one begins */
    PROCESSES_MAX = LOG_CUTS * (WRITERS + 1),
    PADDING_MAX = 6000,
    RUN_US_MAX = 40000,
    MUTANT_CUTS = 40,
    MARK = -1
};
/* linux/ext4.h has them only since 2024. */
#define CUT_THE_POWER _IOR('X', 125, uint32_t)
static uint32_t without_flush = 2;

static const char *const kinds[] = {"log.weir", "log.jsonl", "turn.weir?rotate=64K&files=400", "log.cborseq"};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

enum mutant { AS_IT_IS, NO_SYNC, HALF_THE_SYNCS };

/* Shared with the writers. */
struct shared {
    enum mutant mutant;
    _Atomic uint64_t acked[PROCESSES_MAX];
};

/* What the power cut found acknowledged. */
static uint64_t owed[PROCESSES_MAX];

static struct shared *shared;
static struct dice dice;
static char base[64], image[100], place[100];

struct tally {
    uint64_t cuts, acked, on_their_way, damaged, repaired, lost;
};

/* The library's, which is linked in here, so that it can be left out. */
int fdatasync(int fd) {
    static int count;
    if (shared && (shared->mutant == NO_SYNC || (shared->mutant == HALF_THE_SYNCS && ++count % 2)))
        return 0;
    return (int)syscall(SYS_fdatasync, fd);
}

/* ---- the disk ---- */

static int run(const char *program, const char *first, const char *second, const char *third, const char *fourth) {
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", 1);
        execlp(program, program, first, second, third, fourth, NULL);
        _exit(127);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static int disk_mount(void) {
    return run("mount", "-o", "loop", image, place);
}

static int disk_unmount(void) {
    for (int i = 0; i < 100; i++) {
        if (umount(place) == 0)
            return 0;
        usleep(10000);
    }
    return -1;
}

static int disk_make(void) {
    int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int is_there = fd >= 0 && ftruncate(fd, IMAGE_SIZE) == 0;
    if (fd >= 0)
        close(fd);
    return is_there ? run("mkfs.ext4", "-q", "-F", image, NULL) : -1;
}

static int power_cut(void) {
    int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 ? -1 : ioctl(fd, CUT_THE_POWER, &without_flush);
    if (fd >= 0)
        close(fd);
    return status;
}

/* Return: NULL, or why there can be no cut here. */
static const char *wanting(void) {
    static char why[160];
    if (geteuid() != 0)
        return "only root may mount";
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return "no right to mount here";
    int status = disk_make();
    if (status == 0)
        status = disk_mount();
    else
        return "mkfs.ext4 is not there";
    if (status != 0)
        return "no loop device can be mounted here";
    if (power_cut() != 0)
        snprintf(why, sizeof(why), "this kernel cannot shut an ext4 file system down: %s", strerror(errno));
    disk_unmount();
    return why[0] ? why : NULL;
}

/* ---- messages ---- */

static void address_of(const char *kind, const char *more, char *ret, size_t size) {
    snprintf(ret, size, "file://%s/%s%c%s", place, kind, strchr(kind, '?') ? '&' : '?', more);
}

static int send_one(weir_writer *writer, int64_t process, uint64_t number, uint32_t padding, weir_error *err) {
    static char bytes[PADDING_MAX + 1];
    weir_doc *doc = NULL;
    const weir_value *root;
    memset(bytes, 'a' + (int)(number % 26), padding);
    bytes[padding] = 0;
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_pack(doc, &root, NULL, "{s:i, s:i, s:s}", "p", (long)process, "n", (long)number, "pad", bytes);
    if (status == WEIR_OK)
        status = weir_writer_send(writer, NULL, NULL, root, err);
    weir_doc_free(doc);
    return status;
}

/* Until something fails, which is the cut, or we are killed. */
static void write_on(const char *kind, int64_t process, uint64_t seed) {
    char address[256];
    weir_writer *writer = NULL;
    weir_error err = {0};
    struct dice own = {seed};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    address_of(kind, "sync=always", address, sizeof(address));
    if (weir_writer_open(address, &writer, &err) != WEIR_OK)
        _exit(0);
    for (uint64_t number = 1;; number++) {
        uint32_t padding = dice_roll(&own, 8) ? dice_roll(&own, 200) : dice_roll(&own, PADDING_MAX);
        if (send_one(writer, process, number, padding, &err) != WEIR_OK)
            _exit(0);
        atomic_store(&shared->acked[process], number);
    }
}

/* ---- judging ---- */

struct verdict {
    uint64_t seen[PROCESSES_MAX];
    int marks;
    int faults;
};

static void fault(struct verdict *verdict, const char *what, int64_t process, uint64_t number) {
    if (verdict->faults++ < 3 && shared->mutant == AS_IT_IS)
        printf("# %s: writer %lld, message %llu\n", what, (long long)process, (unsigned long long)number);
}

/* A plain log has no checksums: zeros where a message was on its way may be read as one. */
static void strange(struct verdict *verdict, struct tally *tally, const char *kind, int64_t process, uint64_t number) {
    if (strstr(kind, ".weir"))
        fault(verdict, "no message of ours", process, number);
    else
        tally->damaged++;
}

static void message_judge(struct verdict *verdict, struct tally *tally, const char *kind, weir_message *message) {
    const weir_value *data = NULL;
    int64_t process = 0;
    uint64_t number = 0;
    weir_view pad;
    if (weir_message_data(message, &data, NULL) != WEIR_OK || weir_get_i64(data, "p", &process) != WEIR_OK ||
        weir_get_u64(data, "n", &number) != WEIR_OK || weir_get_text(data, "pad", &pad) != WEIR_OK) {
        strange(verdict, tally, kind, 0, 0);
        return;
    }
    for (size_t i = 0; i < pad.size; i++)
        if (pad.data[i] != 'a' + (char)(number % 26)) {
            strange(verdict, tally, kind, process, number);
            return;
        }
    if (process == MARK) {
        verdict->marks++;
        return;
    }
    if (process < 0 || process >= PROCESSES_MAX || number <= verdict->seen[process]) {
        fault(verdict, "twice, or out of order", process, number);
        return;
    }
    /* Between two messages of a writer one may only be missing that was not acknowledged, and his last one is that. */
    if (number != verdict->seen[process] + 1)
        fault(verdict, "some are missing before", process, number);
    verdict->seen[process] = number;
}

/* Read all there is. */
static void log_read(const char *kind, struct verdict *verdict, struct tally *tally) {
    char address[256];
    weir_reader *reader = NULL;
    weir_message *message;
    weir_error err = {0};
    int status;
    address_of(kind, "from=oldest", address, sizeof(address));
    if (weir_reader_open(address, &reader, &err) != WEIR_OK) {
        printf("# %s\n", err.text);
        verdict->faults++;
        return;
    }
    while ((status = weir_reader_next(reader, 0, &message, &err)) == WEIR_OK || status == WEIR_ECORRUPT) {
        if (status == WEIR_OK)
            message_judge(verdict, tally, kind, message);
        else
            tally->damaged++;
    }
    if (status != WEIR_ETIMEOUT) {
        printf("# reading: %s\n", err.text);
        verdict->faults++;
    }
    weir_reader_close(reader);
}

static off_t log_size(const char *kind) {
    char path[200];
    struct stat about;
    snprintf(path, sizeof(path), "%s/%.*s", place, (int)strcspn(kind, "?"), kind);
    return stat(path, &about) == 0 ? about.st_size : 0;
}

/* Whoever writes next repairs the log. */
static void mark_leave(const char *kind, struct verdict *verdict, struct tally *tally) {
    char address[256];
    weir_writer *writer = NULL;
    weir_error err = {0};
    off_t before = log_size(kind);
    address_of(kind, "sync=always", address, sizeof(address));
    int status = weir_writer_open(address, &writer, &err);
    tally->repaired += log_size(kind) < before;
    if (status == WEIR_OK)
        status = send_one(writer, MARK, 0, 0, &err);
    if (status != WEIR_OK) {
        printf("# the next writer: %s\n", err.text);
        verdict->faults++;
    }
    weir_writer_close(writer);
}

/* Return: how many acknowledged messages are lost, or other faults. */
static uint64_t judge(const char *kind, int cuts, struct tally *tally) {
    struct verdict verdict = {0};
    uint64_t lost = 0;
    mark_leave(kind, &verdict, tally);
    log_read(kind, &verdict, tally);
    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (verdict.seen[i] < owed[i]) {
            lost += owed[i] - verdict.seen[i];
            fault(&verdict, "acknowledged, and not there", i, verdict.seen[i] + 1);
        }
        /* What a cut has left is there at the next one too: the next writer has brought it to the disk. */
        tally->on_their_way += verdict.seen[i] - (verdict.seen[i] < owed[i] ? verdict.seen[i] : owed[i]);
        owed[i] = verdict.seen[i];
    }
    if (verdict.marks != cuts) {
        fault(&verdict, "messages of those who came after a cut", MARK, (uint64_t)verdict.marks);
        lost++;
    }
    tally->lost += lost;
    return lost + (uint64_t)verdict.faults;
}

/* ---- a cut ---- */

/* The kernel brings to the disk what it likes, when it likes. */
static void something_sync(const char *kind) {
    char path[200];
    uint32_t what = dice_roll(&dice, 3);
    if (what == 0)
        return;
    snprintf(path, sizeof(path), "%s/%.*s%s", place, (int)strcspn(kind, "?"), kind, what == 1 ? ".lock" : "");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    if (what == 1)
        syscall(SYS_fdatasync, fd);
    else
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    close(fd);
}

/* Return: 0, or the number of faults; -1: the machinery failed. */
static int64_t cut_once(const char *kind, int number, struct tally *tally) {
    pid_t children[WRITERS];
    if (disk_mount() != 0)
        return -1;
    for (int i = 0; i < WRITERS; i++) {
        uint64_t seed = dice_next(&dice);
        children[i] = fork();
        if (children[i] == 0)
            write_on(kind, (int64_t)number * WRITERS + i, seed);
    }
    usleep(1000 + dice_roll(&dice, RUN_US_MAX));
    something_sync(kind);
    usleep(dice_roll(&dice, 2000));
    for (int i = 0; i < WRITERS; i++) {
        int process = number * WRITERS + i;
        owed[process] = atomic_load(&shared->acked[process]);
        tally->acked += owed[process];
    }
    int status = power_cut();
    for (int i = 0; i < WRITERS; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    if (status != 0 || disk_unmount() != 0 || disk_mount() != 0)
        return -1;
    tally->cuts++;
    uint64_t faults = judge(kind, number + 1, tally);
    return disk_unmount() == 0 ? (int64_t)faults : -1;
}

/* Return: 0; 1 with faults; -1 when the machinery failed. With a mutant the first loss is enough. */
static int cuts_run(uint64_t count, enum mutant mutant, struct tally *tally) {
    uint64_t faults = 0;
    shared->mutant = mutant;
    for (uint64_t done = 0; done < count; done++) {
        int number = (int)(done % LOG_CUTS);
        const char *kind = kinds[done / LOG_CUTS % KIND_COUNT];
        if (number == 0) {
            memset((void *)shared->acked, 0, sizeof(shared->acked));
            memset(owed, 0, sizeof(owed));
            if (disk_make() != 0)
                return -1;
        }
        int64_t more = cut_once(kind, number, tally);
        if (more < 0)
            return -1;
        if (more > 0 && mutant == AS_IT_IS)
            printf("# cut %llu, %s: %lld faults\n", (unsigned long long)done, kind, (long long)more);
        faults += (uint64_t)more;
        if (faults && mutant != AS_IT_IS)
            break;
    }
    return faults > 0;
}

static int told(int number, int holds, const char *what, const struct tally *tally) {
    printf("%s %d - %s: %llu cuts, %llu messages acknowledged, %llu of them lost, %llu more were on their way, damage "
           "told of "
           "%llu times, %llu logs repaired\n",
           holds ? "ok" : "not ok", number, what, (unsigned long long)tally->cuts, (unsigned long long)tally->acked,
           (unsigned long long)tally->lost, (unsigned long long)tally->on_their_way, (unsigned long long)tally->damaged,
           (unsigned long long)tally->repaired);
    fflush(stdout);
    return !holds;
}

int main(int argc, char **argv) {
    uint64_t cuts = argument(argc, argv, "--cuts", 24), seed = argument(argc, argv, "--seed", 1);
    struct tally whole = {0}, none = {0}, half = {0};
    int failed = 0;
    printf("1..3\n# seed %llu\n", (unsigned long long)seed);
    scratch_make(base, "power");
    dice.state = seed;
    snprintf(image, sizeof(image), "%s/image", base);
    snprintf(place, sizeof(place), "%s/disk", base);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *why = mkdir(place, 0700) != 0 || shared == MAP_FAILED ? "no scratch folder" : wanting();
    if (why) {
        for (int i = 1; i <= 3; i++)
            printf("ok %d - power cuts # SKIP %s\n", i, why);
        tree_remove(base);
        return 0;
    }
    int status = cuts_run(cuts, AS_IT_IS, &whole);
    failed |= told(1, status == 0 && whole.acked > 0, status < 0 ? "the machinery failed" : "power cuts", &whole);
    status = cuts_run(MUTANT_CUTS, NO_SYNC, &none);
    failed |= told(2, status == 1 && none.lost > 0, "syncs left out are noticed", &none);
    status = cuts_run(MUTANT_CUTS, HALF_THE_SYNCS, &half);
    failed |= told(3, status == 1 && half.lost > 0, "every other sync left out is noticed", &half);
    umount2(place, MNT_DETACH);
    tree_remove(base);
    return failed;
}
