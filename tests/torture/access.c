/* Four users on every mechanism that has a path, a key or a port: the owner of a channel, a member of its group, a
 * stranger, and somebody who was at the place first. torture_users does the same, and more, for shared memory in files.
 *
 *     access
 *
 * The owner holds a channel open in a directory that only he writes. Each operation of each user on each mode has one
 * outcome, which is compared: 0, or an error number (errno for what goes past the library, enum weir_err for ends).
 * Afterwards the owner still sends, and receives it himself. Needs root, to become them. Prints TAP. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/weir.h>

#include "common.h"

enum { OWNER = 61001, MEMBER = 61002, STRANGER = 61003, GROUP = 62000, CASES = 8, KEY = 0x7e57 };
#define SECOND INT64_C(1000000000)

static int number, failures, checks;
static char base[64], path[128], address[256];

static void result(int holds, const char *what, const char *which, const char *detail) {
    failures += !holds;
    printf("%s %d - %s%s%s%s\n", holds ? "ok" : "not ok", ++number, what, which, holds ? "" : "; ",
           holds ? "" : detail);
    fflush(stdout);
}

static void become(uid_t uid) {
    gid_t groups = GROUP, own = uid == OWNER ? GROUP : uid;
    if (uid == 0)
        return;
    if (setgroups(uid == MEMBER, &groups) != 0 || setresgid(own, own, own) != 0 || setresuid(uid, uid, uid) != 0)
        _exit(251);
}

static int as_user(uid_t uid, int (*run)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        become(uid);
        _exit(run());
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- operations; each returns 0 or an error number ---- */

static const char *with(const char *options) {
    static char text[400];
    snprintf(text, sizeof(text), "%s%c%s", address, strchr(address, '?') ? '&' : '?', options);
    return text;
}

static int reader_try(const char *options) {
    weir_reader *reader = NULL;
    int status = weir_reader_open(with(options), &reader, NULL);
    weir_reader_close(reader);
    return status;
}

static int try_observe(void) {
    return reader_try("observe=1&create=0&timeout=2s");
}

static int try_read(void) {
    return reader_try("create=0&timeout=2s");
}

static int try_write(void) {
    weir_writer *writer = NULL;
    int status = weir_writer_open(with("create=0&timeout=2s"), &writer, NULL);
    weir_writer_close(writer);
    return status;
}

static int try_latest(void) {
    weir_message *message = NULL;
    int status = weir_latest(with("timeout=2s"), &message, NULL);
    weir_message_free(message);
    return status;
}

static int try_remove(void) {
    weir_doc *doc = NULL;
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_channel_remove(address, doc, 0, NULL);
    weir_doc_free(doc);
    return status;
}

static int path_open(int flags) {
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 ? 0 : errno;
}

static int try_bytes_read(void) {
    return path_open(O_RDONLY);
}

static int try_bytes_write(void) {
    return path_open(O_RDWR);
}

static int try_truncate(void) {
    return truncate(path, 16) == 0 ? 0 : errno;
}

static int try_chmod(void) {
    return chmod(path, 0666) == 0 ? 0 : errno;
}

static int try_move(void) {
    char there[160];
    snprintf(there, sizeof(there), "%s.stolen", path);
    return rename(path, there) == 0 ? 0 : errno;
}

static int try_unlink(void) {
    return unlink(path) == 0 ? 0 : errno;
}

static int try_plant(void) {
    char there[160];
    snprintf(there, sizeof(there), "%s.lock", path);
    int fd = open(there, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    return fd >= 0 ? 0 : errno;
}

static int try_connect(void) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path, path, strlen(path) + 1);
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
}

static int try_attach(int flags) {
    int id = shmget(KEY, 0, 0);
    return id >= 0 && shmat(id, NULL, flags) != (void *)-1 ? 0 : errno;
}

static int try_attach_read(void) {
    return try_attach(SHM_RDONLY);
}

static int try_attach_write(void) {
    return try_attach(0);
}

static int try_segment_remove(void) {
    return shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL) == 0 ? 0 : errno;
}

static int try_semaphore_change(void) {
    struct sembuf up = {.sem_num = 0, .sem_op = 1, .sem_flg = IPC_NOWAIT};
    return semop(semget(KEY, 0, 0), &up, 1) == 0 ? 0 : errno;
}

static int try_set_remove(void) {
    return semctl(semget(KEY, 0, 0), 0, IPC_RMID) == 0 ? 0 : errno;
}

/* ---- what a squatter makes ---- */

static int make_file(void) {
    return open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666) >= 0 ? 0 : errno;
}

static int make_directory(void) {
    return mkdir(path, 0777) == 0 ? 0 : errno;
}

static int make_fifo(void) {
    return mkfifo(path, 0666) == 0 && chmod(path, 0666) == 0 ? 0 : errno;
}

static int make_link(void) {
    return symlink("/etc/passwd", path) == 0 ? 0 : errno;
}

static int make_socket(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(at.sun_path, path, strlen(path) + 1);
    return bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && chmod(path, 0777) == 0 ? 0 : errno;
}

static int make_segment(void) {
    return shmget(KEY, 17405, IPC_CREAT | IPC_EXCL | 0666) >= 0 ? 0 : errno;
}

static int make_set(void) {
    return semget(KEY, 135, IPC_CREAT | IPC_EXCL | 0666) >= 0 ? 0 : errno;
}

/* ---- what comes out ---- */

static const struct {
    const char *name;
    uid_t uid;
    uint32_t mode;
} cases[CASES] = {
    {"a member of the group, mode 0600", MEMBER, 0600}, {"a member of the group, mode 0640", MEMBER, 0640},
    {"a member of the group, mode 0660", MEMBER, 0660}, {"a stranger, mode 0600", STRANGER, 0600},
    {"a stranger, mode 0640", STRANGER, 0640},          {"a stranger, mode 0644", STRANGER, 0644},
    {"a stranger, mode 0666", STRANGER, 0666},          {"the owner, mode 0600", OWNER, 0600}};

/* Not tried: the owner may, and would break it. */
enum { NOT = -1 };

struct operation {
    const char *name;
    int (*run)(void);
    int outcomes[CASES];
};

enum { OPERATIONS_MAX = 16 };
struct mechanism {
    const char *name;
    const char *own;    /* the owner's address: %1$s directory, %2$o mode, %3$d group */
    const char *others; /* everybody's: %1$s directory, %2$d owner */
    const char *path;   /* what lies there; NULL: nothing */
    uint32_t may_not;   /* modes with these bits are refused (WEIR_EADDRESS) */
    struct operation operations[OPERATIONS_MAX];
};

#include "access_table.h"

/* ---- the owner ---- */

static struct {
    pid_t pid;
    int ready, go_on;
} owner;

/* Return: 0 when a message that is sent now comes. */
static int round_trip(weir_writer *writer, const char *others) {
    weir_reader *reader = NULL;
    weir_message *message = NULL;
    int status = weir_reader_open(others, &reader, NULL);
    if (status == WEIR_OK)
        status = weir_writer_wait_readers(writer, 1, 10 * SECOND, NULL);
    if (status == WEIR_OK || status == WEIR_ETIMEOUT)
        status = weir_writer_send_bytes(writer, "x", NULL, WEIR_CODEC_RAW, NULL, "after", 5, NULL);
    if (status == WEIR_OK)
        status = weir_reader_next(reader, 10 * SECOND, &message, NULL);
    weir_reader_close(reader);
    return status;
}

/* Makes the channel, sends, holds on until told, and tries whether it still works. */
static void owner_run(const char *own, const char *others, int ready, int go_on) {
    weir_writer *writer = NULL;
    become(OWNER);
    int status = weir_writer_open(own, &writer, NULL);
    if (status == WEIR_OK && strncmp(own, "fifo", 4) != 0) /* what lies in a pipe is somebody's to take */
        status = weir_writer_send_bytes(writer, "x", NULL, WEIR_CODEC_RAW, NULL, "before", 6, NULL);
    char byte = (char)status;
    if (write(ready, &byte, 1) != 1 || read(go_on, &byte, 1) < 0)
        _exit(1);
    if (status == WEIR_OK)
        status = round_trip(writer, others);
    weir_writer_close(writer);
    _exit(status);
}

static int owner_start(const char *own) {
    int up[2], down[2];
    char byte = 1;
    if (pipe(up) != 0 || pipe(down) != 0)
        return -1;
    owner.pid = fork();
    if (owner.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(down[1]);
        owner_run(own, address, up[1], down[0]);
    }
    close(up[1]);
    close(down[0]);
    owner.ready = up[0];
    owner.go_on = down[1];
    return read(owner.ready, &byte, 1) == 1 ? byte : -1;
}

static int owner_finish(void) {
    int status = -1;
    close(owner.go_on);
    waitpid(owner.pid, &status, 0);
    close(owner.ready);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* A directory of the owner's, where everybody may look. */
static void place_make(char directory[96], const char *name) {
    static int count;
    snprintf(directory, 96, "%s/%.20s%d", base, name, ++count);
    if (mkdir(directory, 0755) != 0 || chown(directory, OWNER, GROUP) != 0)
        exit(2);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void case_run(const struct mechanism *of, size_t index) {
    char directory[96], own[256], detail[600] = "", which[64];
    place_make(directory, of->name);
    snprintf(own, sizeof(own), of->own, directory, cases[index].mode, GROUP);
    snprintf(address, sizeof(address), of->others, directory, OWNER);
    snprintf(path, sizeof(path), of->path ? of->path : "", directory);
    snprintf(which, sizeof(which), ": %s", cases[index].name);
    int is_refused = (cases[index].mode & of->may_not) != 0, status = owner_start(own);
    checks++;
    if (status != (is_refused ? WEIR_EADDRESS : WEIR_OK))
        snprintf(detail, sizeof(detail), "the owner got %d. ", status);
    for (const struct operation *try = of->operations; status == 0 && try->name; try++) {
        int expected = try->outcomes[index];
        if (expected == NOT)
            continue;
        int seen = as_user(cases[index].uid, try->run);
        checks++;
        if (seen != expected)
            snprintf(detail + strlen(detail), sizeof(detail) - strlen(detail), "%.30s: %d, not %d. ", try->name, seen,
                     expected);
    }
    int finished = owner_finish();
    if (finished != status)
        snprintf(detail + strlen(detail), sizeof(detail) - strlen(detail), "then the owner got %d", finished);
    result(detail[0] == 0, of->name, which, detail);
    shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
    semctl(semget(KEY, 0, 0), 0, IPC_RMID);
}

/* ---- who was there first ---- */

static int owner_writes(void) {
    weir_writer *writer = NULL;
    int status = weir_writer_open(with("timeout=2s"), &writer, NULL);
    weir_writer_close(writer);
    return status;
}

/* In a place where everybody may put things, as /tmp is, @make stands where the owner's channel is to be. */
static void squat_run(const struct squat *squat) {
    char directory[96], detail[100];
    place_make(directory, "squat");
    if (chmod(directory, 01777) != 0)
        exit(2);
    snprintf(address, sizeof(address), squat->address, directory);
    snprintf(path, sizeof(path), "%s/x", directory);
    int made = as_user(STRANGER, squat->make), seen = as_user(OWNER, owner_writes);
    snprintf(detail, sizeof(detail), "made: %d; the owner got %d, not %d", made, seen, squat->outcome);
    checks++;
    result(made == 0 && seen == squat->outcome, squat->name, "", detail);
    shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
    semctl(semget(KEY, 0, 0), 0, IPC_RMID);
}

/* ---- a port ---- */

static char secrets[2][160]; /* the owner's, and one that a stranger made up */

static void secret_make(char to[160], const char *name, uid_t uid, const char *digits) {
    snprintf(to, 160, "%s/%s", base, name);
    FILE *file = fopen(to, "w");
    if (!file || fprintf(file, "%s\n", digits) < 0 || fclose(file) != 0 || chmod(to, 0600) != 0 ||
        chown(to, uid, uid) != 0)
        exit(2);
}

/* Who listens on a port nobody uses. */
static unsigned port_free(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(fd, (struct sockaddr *)&at, sizeof(at));
    getsockname(fd, (struct sockaddr *)&at, &size);
    close(fd);
    return ntohs(at.sin_port);
}

static void port_run(const struct port_case *of) {
    char own[256], detail[300] = "";
    unsigned port = port_free();
    snprintf(own, sizeof(own), "tcp://127.0.0.1:%u?psk=%s&listen=1", port, secrets[0]);
    if (of->secret < 0)
        snprintf(address, sizeof(address), "tcp://127.0.0.1:%u?connect=1", port);
    else
        snprintf(address, sizeof(address), "tcp://127.0.0.1:%u?psk=%s&connect=1", port, secrets[of->secret]);
    int status = owner_start(own);
    int read = as_user(of->uid, try_read), wrote = as_user(of->uid, try_write), latest = as_user(of->uid, try_latest);
    checks += 3;
    snprintf(own, sizeof(own), "%s", address);
    snprintf(detail, sizeof(detail), "owner %d; read %d, not %d; write %d, not %d; latest %d, not %d", status, read,
             of->outcomes[0], wrote, of->outcomes[1], latest, of->outcomes[2]);
    int holds = status == 0 && read == of->outcomes[0] && wrote == of->outcomes[1] && latest == of->outcomes[2];
    kill(owner.pid, SIGKILL); /* its own round trip would connect to itself */
    owner_finish();
    result(holds, "tcp: ", of->name, detail);
}

int main(void) {
    const size_t mechanism_count = sizeof(mechanisms) / sizeof(mechanisms[0]);
    const size_t squat_count = sizeof(squats) / sizeof(squats[0]), port_count = sizeof(ports) / sizeof(ports[0]);
    if (geteuid() != 0) {
        printf("1..1\nok 1 - access # SKIP only root can become other users\n");
        return 0;
    }
    if (unshare(CLONE_NEWIPC) != 0) {
        printf("1..1\nok 1 - access # SKIP no namespace for System V: %s\n", strerror(errno));
        return 0;
    }
    unsetenv("WEIR_SHM_DIR"); /* where others may not enter, all of this must lie elsewhere */
    scratch_make(base, "access");
    if (chmod(base, 01777) != 0)
        return 2;
    secret_make(secrets[0], "secret", OWNER, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    secret_make(secrets[1], "guess", STRANGER, "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    printf("1..%zu\n", mechanism_count * CASES + squat_count + port_count);
    fflush(stdout);
    for (size_t i = 0; i < mechanism_count; i++)
        for (size_t j = 0; j < CASES; j++)
            case_run(&mechanisms[i], j);
    for (size_t i = 0; i < squat_count; i++)
        squat_run(&squats[i]);
    for (size_t i = 0; i < port_count; i++)
        port_run(&ports[i]);
    printf("# %d checks\n", checks);
    tree_remove(base);
    return failures != 0;
}
