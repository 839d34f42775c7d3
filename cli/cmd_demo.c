/* weir demo: the whole story, running. Python sensors, a C++ and Fortran computation, and a PHP page, joined by
 * channels.
 *
 * This file says what the parts are and what each is told; demo_parts.c finds and tries them, supervisor.c keeps them
 * running. The mechanism is chosen here and nowhere else: the programs get addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "demo_parts.h"
#include "supervisor.h"

enum {
    PROGRAM_SIZE = PATH_MAX + 64,
    ADDRESS_SIZE = 160,
    ARGUMENTS_MAX = 20,
    WORKERS = 12,
    VIEWERS = 8,
    PAGE_WAIT_S = 10
};
#define SECOND INT64_C(1000000000)

static struct {
    const char *transport;
    const char *copy;
    uint64_t port;
    int64_t delay_ns;
} args = {.transport = "shm", .port = 8080, .delay_ns = 5 * SECOND};

static const struct cli_option options[] = {
    {"transport", CLI_TEXT, &args.transport, "T",
     "what the sensors send through: shm (default), sysv, unix, tcp, fifo or file"},
    {"port", CLI_PORT, &args.port, "N", "the page's port on 127.0.0.1 (default 8080; 0: any that is free)"},
    {"dir", CLI_TEXT, &args.copy, "DIR", "run copies of the programs, put there for you to edit"},
    {"restart-after", CLI_DURATION, &args.delay_ns, "D", "how long a part that died stays down (default 5s)"},
    {0},
};

enum channel { HOST, JITTER, SPECTRUM, VITALS, ALARMS, RECENT, CONTROL, CHANNELS };
static const char *const names[CHANNELS] = {"host", "jitter", "spectrum", "vitals", "alarms", "recent", "control"};

/* In the order of their start; a sensor has the number of its channel. */
enum part { PART_HOST = HOST, PART_JITTER = JITTER, PART_ANALYSE, PART_PAGE, PART_BRIDGE, PARTS };

struct demo;

/* What can carry the sensors' messages. Everything else goes through shared memory. */
struct mechanism {
    const char *name;
    void (*address_make)(const struct demo *demo, enum channel channel, char *ret); /* ADDRESS_SIZE bytes */
    int has_one_reader; /* and the readings have two: a bridge takes them on to shared memory */
};

struct demo {
    struct demo_parts found;
    unsigned port;
    char folder[64]; /* sockets and logs */
    const struct mechanism *mechanism;
    char addresses[CHANNELS][ADDRESS_SIZE]; /* where they are read */
    char sent[2][ADDRESS_SIZE];             /* where a sensor sends: the same, but for a bridge */
    char host[PROGRAM_SIZE], jitter[PROGRAM_SIZE], bridge[PROGRAM_SIZE], router[PROGRAM_SIZE], listen[32],
        extension[PROGRAM_SIZE];
    const char *arguments[PARTS][ARGUMENTS_MAX];
    struct supervisor supervisor;
};

/* ---- before the start ---- */

/* A pid that writes @address; 0 for none. */
static int64_t writer_of(const weir_value *list, const char *address) {
    weir_iter channel, end;
    weir_view name, role;
    const weir_value *ends = NULL;
    int64_t pid = 0;
    weir_iter_init(&channel, list);
    while (weir_iter_next(&channel)) {
        if (weir_get_text(channel.value, "address", &name) || !cli_view_is(name, address) ||
            weir_get(channel.value, "ends", &ends))
            continue;
        weir_iter_init(&end, ends);
        while (weir_iter_next(&end))
            if (weir_get_text(end.value, "role", &role) == WEIR_OK && cli_view_is(role, "writer"))
                weir_get_i64(end.value, "pid", &pid);
    }
    return pid;
}

/* Two demos would mix their messages. */
static int other_check(void) {
    weir_doc *doc = NULL;
    weir_error err = {0};
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_directory_list(doc, &err);
    int64_t pid = status == WEIR_OK ? writer_of(weir_doc_root(doc), "shm://demo/vitals") : 0;
    weir_doc_free(doc);
    if (status)
        return cli_error(status, &err);
    if (pid)
        return cli_fail(CLI_FAILURE,
                        "a demo is running already (pid %" PRId64
                        " writes demo/vitals); stop it, or give this one a place of "
                        "its own: mkdir /dev/shm/other; WEIR_SHM_DIR=/dev/shm/other weir demo",
                        pid);
    return CLI_OK;
}

/* A store that is not there would only be found by the parts, one after the other and for ever. */
static int store_check(void) {
    const char *store = getenv("WEIR_SHM_DIR");
    if (!store || !*store || access(store, W_OK | X_OK) == 0)
        return CLI_OK;
    return cli_fail(CLI_FAILURE, "WEIR_SHM_DIR is %s: %s; mkdir it, or choose another", store, strerror(errno));
}

static void shm_address(const struct demo *demo, enum channel channel, char *ret) {
    (void)demo;
    snprintf(ret, ADDRESS_SIZE, "shm://demo/%s?keep=0", names[channel]);
}

/* Keys are numbers of the whole machine: those of this demo are made from its folder's name, which is random. */
static void sysv_address(const struct demo *demo, enum channel channel, char *ret) {
    uint32_t key = 2166136261; /* FNV-1a */
    for (const char *c = demo->folder; *c; c++)
        key = (key ^ (unsigned char)*c) * 16777619;
    snprintf(ret, ADDRESS_SIZE, "sysv://0x%x?keep=0", (unsigned)((key & 0x7ffffff0) | (unsigned)(channel + 1)));
}

static void unix_address(const struct demo *demo, enum channel channel, char *ret) {
    snprintf(ret, ADDRESS_SIZE, "unix://%s/%s.sock", demo->folder, names[channel]);
}

/* A port that is free when it is first asked for; 0 is refused by who opens it, with a sentence. */
static void tcp_address(const struct demo *demo, enum channel channel, char *ret) {
    static unsigned ports[CHANNELS];
    (void)demo;
    if (ports[channel] == 0)
        demo_port(0, &ports[channel]);
    snprintf(ret, ADDRESS_SIZE, "tcp://127.0.0.1:%u", ports[channel]);
}

static void fifo_address(const struct demo *demo, enum channel channel, char *ret) {
    snprintf(ret, ADDRESS_SIZE, "fifo://%s/%s.fifo", demo->folder, names[channel]);
}

static void file_address(const struct demo *demo, enum channel channel, char *ret) {
    snprintf(ret, ADDRESS_SIZE, "file://%s/%s.weir?rotate=16M&files=1", demo->folder, names[channel]);
}

static const struct mechanism mechanisms[] = {
    {"shm", shm_address, 0}, {"sysv", sysv_address, 0}, {"unix", unix_address, 0},
    {"tcp", tcp_address, 0}, {"fifo", fifo_address, 1}, {"file", file_address, 0},
};
enum { MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

static int transport_find(const struct mechanism **ret) {
    char known[128] = "";
    for (size_t i = 0; i < MECHANISMS; i++) {
        *ret = &mechanisms[i];
        if (strcmp(args.transport, mechanisms[i].name) == 0)
            return CLI_OK;
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "", mechanisms[i].name);
    }
    return cli_fail(CLI_USAGE, "demo: there is no transport %s here; there are: %s", args.transport, known);
}

/* A folder of our own; short, because it becomes part of socket paths. */
static int folder_make(struct demo *demo) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int is_usable = runtime && runtime[0] == '/' && strlen(runtime) < 40 && access(runtime, W_OK | X_OK) == 0;
    snprintf(demo->folder, sizeof(demo->folder), "%s/weir-demo-XXXXXX", is_usable ? runtime : "/tmp");
    return mkdtemp(demo->folder) ? CLI_OK
                                 : cli_fail(CLI_FAILURE, "cannot make a folder %s: %s", demo->folder, strerror(errno));
}

/* ---- what each part is told ---- */

static void addresses_make(struct demo *demo) {
    for (enum channel i = 0; i < CHANNELS; i++) {
        int is_reading = i == HOST || i == JITTER;
        if (i == CONTROL)
            unix_address(demo, i, demo->addresses[i]);
        else if (is_reading && !demo->mechanism->has_one_reader)
            demo->mechanism->address_make(demo, i, demo->addresses[i]);
        else
            shm_address(demo, i, demo->addresses[i]);
        if (is_reading)
            demo->mechanism->address_make(demo, i, demo->sent[i]);
    }
}

/* The page's scripts find their addresses in the environment. On a socket they never listen: a script that is busy with
 * a browser would hold up everybody else. */
static void environment_set(const struct demo *demo) {
    char name[64], text[ADDRESS_SIZE + 16];
    for (int i = 0; i < CHANNELS; i++) {
        int is_socket = strncmp(demo->addresses[i], "unix:", 5) == 0 || strncmp(demo->addresses[i], "tcp:", 4) == 0;
        int must_connect = i != CONTROL && is_socket;
        snprintf(name, sizeof(name), "WEIR_DEMO_%s", names[i]);
        for (char *c = name; *c; c++)
            *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        snprintf(text, sizeof(text), "%s%s", demo->addresses[i], must_connect ? "?connect=1" : "");
        setenv(name, text, 1);
    }
    snprintf(text, sizeof(text), "%d", VIEWERS);
    setenv("WEIR_DEMO_VIEWERS", text, 1);
    snprintf(text, sizeof(text), "%d", WORKERS);
    setenv("PHP_CLI_SERVER_WORKERS", text, 1);
    setenv("WEIR_DEMO_RUN", demo->folder, 1);
}

static void part_add(struct demo *demo, const char *name, const char **arguments) {
    struct supervisor *supervisor = &demo->supervisor;
    supervisor->parts[supervisor->count++] = (struct supervisor_part){.name = name, .argv = arguments};
}

static void sensor_add(struct demo *demo, enum channel channel, char *program) {
    const char **arguments = demo->arguments[channel];
    snprintf(program, PROGRAM_SIZE, "%s/sensors/%s.py", demo->found.folder, names[channel]);
    arguments[0] = demo->found.python;
    arguments[1] = program;
    arguments[2] = demo->sent[channel];
    part_add(demo, names[channel], arguments);
}

static void bridge_add(struct demo *demo) {
    const char **next = demo->arguments[PART_BRIDGE];
    snprintf(demo->bridge, PROGRAM_SIZE, "%s/sensors/bridge.py", demo->found.folder);
    *next++ = demo->found.python;
    *next++ = demo->bridge;
    for (int i = HOST; i <= JITTER; i++) {
        *next++ = demo->sent[i];
        *next++ = demo->addresses[i];
    }
    part_add(demo, "bridge", demo->arguments[PART_BRIDGE]);
}

static void analyse_add(struct demo *demo) {
    static char flags[CHANNELS][16];
    const char **next = demo->arguments[PART_ANALYSE];
    *next++ = demo->found.analyse;
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(flags[i], sizeof(flags[i]), "--%s", names[i]);
        *next++ = flags[i];
        *next++ = demo->addresses[i];
    }
    part_add(demo, "analyse", demo->arguments[PART_ANALYSE]);
}

static void page_add(struct demo *demo) {
    const char **next = demo->arguments[PART_PAGE];
    snprintf(demo->router, sizeof(demo->router), "%s/page/router.php", demo->found.folder);
    snprintf(demo->listen, sizeof(demo->listen), "127.0.0.1:%u", demo->port);
    *next++ = "php";
    *next++ = "-q"; /* no line for each request */
    if (demo->found.extension[0]) {
        snprintf(demo->extension, sizeof(demo->extension), "extension=%s", demo->found.extension);
        *next++ = "-d";
        *next++ = demo->extension;
    }
    *next++ = "-d";
    *next++ = "display_errors=0";
    *next++ = "-S";
    *next++ = demo->listen;
    *next++ = demo->router;
    part_add(demo, "page", demo->arguments[PART_PAGE]);
    demo->supervisor.parts[PART_PAGE].has_workers = 1;
}

static void parts_make(struct demo *demo) {
    demo->supervisor.folder = demo->folder;
    demo->supervisor.delay = args.delay_ns < 0 ? INT64_MAX / 4 : args.delay_ns; /* forever */
    sensor_add(demo, HOST, demo->host);
    sensor_add(demo, JITTER, demo->jitter);
    analyse_add(demo);
    page_add(demo);
    if (demo->mechanism->has_one_reader)
        bridge_add(demo);
}

/* ---- what the person at the terminal is told ---- */

static void line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void line(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    cli_print(text, size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

/* An address as it is typed: without options, and without what a bare name means anyway. @text: ADDRESS_SIZE bytes. */
static const char *address_typed(const char *address, char *text) {
    if (strncmp(address, "shm://", 6) == 0)
        address += 6;
    snprintf(text, ADDRESS_SIZE, "%.*s", (int)strcspn(address, "?"), address);
    return text;
}

static const char *typed(const struct demo *demo, enum channel channel) {
    static char texts[CHANNELS][ADDRESS_SIZE];
    return address_typed(demo->addresses[channel], texts[channel]);
}

static const char *typed_sent(const struct demo *demo, enum channel channel) {
    static char texts[2][ADDRESS_SIZE];
    return address_typed(demo->sent[channel], texts[channel]);
}

static void parts_tell(const struct demo *demo) {
    const struct supervisor_part *parts = demo->supervisor.parts;
    line("%sweir demo%s  the programs are in %s\n\n", cli_style(CLI_BOLD), cli_style(CLI_PLAIN), demo->found.folder);
    line("  %-8s pid %-7d Python        10 a second    -> %s\n", "host", (int)parts[PART_HOST].pid,
         typed_sent(demo, HOST));
    line("  %-8s pid %-7d Python        1000 a second  -> %s\n", "jitter", (int)parts[PART_JITTER].pid,
         typed_sent(demo, JITTER));
    if (demo->mechanism->has_one_reader)
        line("  %-8s pid %-7d Python        both           -> %s, %s\n", "bridge", (int)parts[PART_BRIDGE].pid,
             typed(demo, HOST), typed(demo, JITTER));
    line("  %-8s pid %-7d C++, Fortran  both           -> %s, vitals, alarms, recent\n", "analyse",
         (int)parts[PART_ANALYSE].pid, typed(demo, SPECTRUM));
    line("  %-8s pid %-7d PHP           all            -> your browser\n\n", "page", (int)parts[PART_PAGE].pid);
    line("  what they say is in %s/*.log\n\n", demo->folder);
}

/* The command as it can be typed: straight from a build tree it is not on the PATH. */
static const char *command_typed(void) {
    const char *path = getenv("PATH");
    char found[PATH_MAX];
    for (size_t size; strchr(program_invocation_name, '/') && path && *path; path += size + (path[size] == ':')) {
        size = strcspn(path, ":");
        snprintf(found, sizeof(found), "%.*s/weir", (int)size, path);
        if (access(found, X_OK) == 0)
            return "weir";
    }
    return strchr(program_invocation_name, '/') ? program_invocation_name : "weir";
}

static void hints_tell(const struct demo *demo) {
    const char *weir = command_typed();
    line("  %shttp://127.0.0.1:%u/%s\n\n", cli_style(CLI_BOLD), demo->port, cli_style(CLI_PLAIN));
    line("  try   %s ls\n", weir);
    line("        %s sub %s\n", weir, typed(demo, VITALS));
    line("        %s call %s set_window 256\n", weir, typed(demo, CONTROL));
    line("        kill -9 %d     the page says stale, the others go on, and it comes back\n",
         (int)demo->supervisor.parts[PART_JITTER].pid);
    line("  Ctrl-C ends everything and leaves nothing behind.\n");
    cli_flush();
}

/* ---- running ---- */

static int page_answers(unsigned port) {
    struct sockaddr_in place = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int is_there = fd >= 0 && connect(fd, (struct sockaddr *)&place, sizeof(place)) == 0;
    if (fd >= 0)
        close(fd);
    return is_there;
}

/* Run until somebody ends it. Ctrl-C is how it is meant to end, so no failure. Return: exit code. */
static int demo_run(struct demo *demo) {
    int number = 0;
    int64_t patience = cli_clock() + PAGE_WAIT_S * SECOND;
    parts_tell(demo);
    while (!number && !page_answers(demo->port) && cli_clock() < patience)
        number = supervisor_run(&demo->supervisor, cli_clock() + SECOND / 20);
    if (!number) {
        hints_tell(demo);
        number = supervisor_run(&demo->supervisor, INT64_MAX);
    }
    return number == SIGINT ? CLI_OK : CLI_SIGNAL + number;
}

static int run(int argc, char **argv) {
    static struct demo demo;
    (void)argc, (void)argv;
    int exit = transport_find(&demo.mechanism);
    if (exit == CLI_OK)
        exit = demo_port((unsigned)args.port, &demo.port);
    if (exit == CLI_OK)
        exit = store_check();
    if (exit == CLI_OK)
        exit = other_check();
    if (exit == CLI_OK)
        exit = demo_find(&demo.found, args.copy);
    if (exit == CLI_OK)
        exit = folder_make(&demo);
    if (exit)
        return exit;
    addresses_make(&demo);
    environment_set(&demo);
    parts_make(&demo);
    exit = supervisor_start(&demo.supervisor);
    if (exit == CLI_OK)
        exit = demo_run(&demo);
    supervisor_stop(&demo.supervisor);
    return exit;
}

const struct cli_command cli_demo = {
    .name = "demo",
    .summary = "the whole story: Python sensors, C++ and Fortran, a live PHP page",
    .usage = "[--transport shm|sysv|unix|tcp|fifo|file] [--port N] [--dir DIR] [--restart-after D]",
    .examples =
        "  weir demo                        then open http://127.0.0.1:8080/\n"
        "  weir demo --transport unix       the same programs, the sensors on sockets; or sysv, tcp, fifo, file\n"
        "  weir demo --dir mine             copies of the programs in ./mine, to edit\n",
    .options = options,
    .arguments_max = 0,
    .run = run,
};
