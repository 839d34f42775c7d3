/* Finding the demo's programs, and trying whether this machine can run them, before anything is started.
 *
 * In a build tree the sources stand where they were compiled from, and the compiled program, the Python package and the
 * PHP extension in the build tree; installed, all of it stands below the prefix. Both are found from where this
 * command's own file is, so a moved tree works. */
#include "demo_parts.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

#ifndef WEIR_DEMO_SOURCE
#error                                                                                                                 \
    "the build says where the demo is: WEIR_DEMO_SOURCE, WEIR_DEMO_DATA, WEIR_DEMO_LIBEXEC, WEIR_DEMO_PYTHON, WEIR_DEMO_PHP"
#endif

static int exists(const char *path) {
    return access(path, R_OK) == 0;
}

/* Join three texts to a path. Return: 1 when it fits. */
static int path_join(char path[PATH_MAX], const char *a, const char *b, const char *c) {
    int size = snprintf(path, PATH_MAX, "%s%s%s", a, b, c);
    if (size >= 0 && size < PATH_MAX)
        return 1;
    path[0] = '\0';
    return 0;
}

/* The folder above the one that this command stands in: the build tree, or the prefix. */
static int root_find(char root[PATH_MAX]) {
    ssize_t size = readlink("/proc/self/exe", root, PATH_MAX - 1);
    root[size < 0 ? 0 : size] = '\0';
    for (int i = 0; i < 2; i++) {
        char *end = strrchr(root, '/');
        if (!end)
            return cli_fail(CLI_FAILURE, "cannot tell where this command stands: /proc/self/exe is not readable");
        *end = '\0';
    }
    return CLI_OK;
}

/* Run a shell command and keep the last line of what it said. Return: its exit code. */
static int attempt(const char *command, char *words, size_t size) {
    struct cli_shell shell = {.command = command};
    weir_buffer *out = NULL;
    int status = -1;
    words[0] = '\0';
    if (weir_buffer_new(&out) != WEIR_OK)
        return -1;
    shell.out = shell.talk = out;
    if (weir_buffer_append(out, "\n", 1) != WEIR_OK || cli_child_run(&shell, &status) != CLI_OK ||
        weir_buffer_append(out, "", 1) != WEIR_OK)
        status = -1;
    if (status > 0) {
        char *text = (char *)weir_buffer_view(out).data;
        size_t length = strlen(text);
        while (length > 0 && text[length - 1] == '\n')
            text[--length] = '\0';
        const char *line = strrchr(text, '\n');
        snprintf(words, size, "%s", line ? line + 1 : text);
    }
    weir_buffer_free(out);
    return status;
}

/* ---- where things are ---- */

static int sources_find(struct demo_parts *parts, const char *root) {
    const char *given = getenv("WEIR_DEMO_DIR");
    char compiled[PATH_MAX], sensor[PATH_MAX];
    path_join(compiled, root, "/examples/telemetry/processing/", "analyse");
    int is_build = exists(compiled);
    if (is_build)
        path_join(parts->analyse, compiled, "", "");
    else
        path_join(parts->analyse, root, "/" WEIR_DEMO_LIBEXEC, "/analyse");
    if (given && *given)
        path_join(parts->folder, given, "", "");
    else if (is_build)
        path_join(parts->folder, WEIR_DEMO_SOURCE, "", "");
    else
        path_join(parts->folder, root, "/" WEIR_DEMO_DATA, "");
    if (!path_join(sensor, parts->folder, "/sensors/", "host.py") || !exists(sensor))
        return cli_fail(CLI_FAILURE, "the demo is not in %s; name the folder examples/telemetry in WEIR_DEMO_DIR",
                        parts->folder);
    if (!exists(parts->analyse))
        return cli_fail(
            CLI_FAILURE,
            "the demo's computation is not at %s; build it: apt install gfortran g++ libfftw3-dev, then make build",
            parts->analyse);
    return CLI_OK;
}

static int is_empty(const char *folder) {
    DIR *files = opendir(folder);
    int count = 0;
    if (!files)
        return errno == ENOENT;
    while (readdir(files))
        count++;
    closedir(files);
    return count <= 2; /* . and .. */
}

/* Run from @copy, and put copies there when it is new. A program compiled there, in build/, is preferred. */
static int copy_use(struct demo_parts *parts, const char *copy) {
    char sensor[PATH_MAX], compiled[PATH_MAX], words[300];
    path_join(sensor, copy, "/sensors/", "host.py");
    if (!exists(sensor)) {
        if (!is_empty(copy))
            return cli_fail(CLI_USAGE, "%s holds something else than the demo; name a new or empty folder", copy);
        setenv("WEIR_DEMO_FROM", parts->folder, 1);
        setenv("WEIR_DEMO_TO", copy, 1);
        if (attempt("mkdir -p \"$WEIR_DEMO_TO\" && tar -C \"$WEIR_DEMO_FROM\" --exclude=playwright-core "
                    "--exclude=__pycache__ "
                    "--exclude=./tests -cf - . | tar -C \"$WEIR_DEMO_TO\" -xf -",
                    words, sizeof(words)) != 0)
            return cli_fail(CLI_FAILURE, "cannot copy the demo to %s: %s", copy, words);
        cli_say("the demo's programs are in %s now; edit them, then start this again", copy);
    }
    if (!realpath(copy, parts->folder))
        return cli_fail(CLI_FAILURE, "%s: %s", copy, strerror(errno));
    if (path_join(compiled, parts->folder, "/build/", "analyse") && exists(compiled))
        path_join(parts->analyse, compiled, "", "");
    return CLI_OK;
}

/* ---- whether they run ---- */

static void python_path_set(const char *root) {
    const char *before = getenv("PYTHONPATH");
    char built[PATH_MAX], installed[PATH_MAX], module[PATH_MAX], path[2 * PATH_MAX];
    path_join(built, root, "/bindings/python", "");
    path_join(installed, root, "/" WEIR_DEMO_PYTHON, "");
    path_join(module, built, "/weir/", "__init__.py");
    const char *ours = exists(module) ? built : installed;
    snprintf(path, sizeof(path), "%s%s%s", ours, before && *before ? ":" : "", before ? before : "");
    setenv("PYTHONPATH", path, 1);
    setenv("PYTHONDONTWRITEBYTECODE", "1", 0);
}

static int python_find(struct demo_parts *parts) {
    static const char *const candidates[] = {"/usr/bin/python3", "python3"};
    char words[300], first[300] = "";
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        setenv("WEIR_DEMO_TRY", candidates[i], 1);
        if (attempt("\"$WEIR_DEMO_TRY\" -c 'import weir, numpy, psutil'", words, sizeof(words)) == 0) {
            path_join(parts->python, candidates[i], "", "");
            return CLI_OK;
        }
        if (i == 0)
            memcpy(first, words, sizeof(first));
    }
    return cli_fail(CLI_FAILURE,
                    "python3 cannot import weir, numpy and psutil (%s); apt install python3-numpy python3-psutil "
                    "python3-dev, then make build",
                    first);
}

static int extension_works(const char *extension, char *words, size_t size) {
    setenv("WEIR_DEMO_TRY", extension, 1);
    return attempt(
        "php ${WEIR_DEMO_TRY:+-d \"extension=$WEIR_DEMO_TRY\"} -r 'exit(class_exists(Weir\\Reader::class) ? 0 : 1);'",
        words, size);
}

static int php_find(struct demo_parts *parts, const char *root) {
    char built[PATH_MAX], installed[PATH_MAX], words[300];
    path_join(built, root, "/php/", "weir.so");
    path_join(installed, root, "/" WEIR_DEMO_PHP, "/weir.so");
    const char *candidates[] = {exists(built) ? built : exists(installed) ? installed : "", "", "weir"};
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        int status = extension_works(candidates[i], words, sizeof(words));
        if (status == 127)
            return cli_fail(CLI_FAILURE, "there is no php for the page; apt install php-cli");
        if (status == 0) {
            path_join(parts->extension, candidates[i], "", "");
            return CLI_OK;
        }
    }
    return cli_fail(CLI_FAILURE, "php has no extension \"weir\"; apt install php-dev, then make build");
}

static int page_check(const struct demo_parts *parts) {
    char charts[PATH_MAX];
    if (path_join(charts, parts->folder, "/web/node_modules/uplot/dist/", "uPlot.esm.js") && exists(charts))
        return CLI_OK;
    return cli_fail(CLI_FAILURE, "the page's charts are missing; tools/setup demo, or npm ci in %s/web", parts->folder);
}

int demo_find(struct demo_parts *parts, const char *copy) {
    char root[PATH_MAX];
    memset(parts, 0, sizeof(*parts));
    int exit = root_find(root);
    if (exit == CLI_OK)
        exit = sources_find(parts, root);
    if (exit == CLI_OK && copy)
        exit = copy_use(parts, copy);
    if (exit == CLI_OK)
        exit = page_check(parts);
    if (exit == CLI_OK) {
        python_path_set(root);
        exit = python_find(parts);
    }
    if (exit == CLI_OK)
        exit = php_find(parts, root);
    unsetenv("WEIR_DEMO_TRY");
    return exit;
}

/* ---- the port ---- */

/* Try to listen on a port. Return: the port that was given, 0 when it is taken or not ours. */
static unsigned port_try(unsigned port) {
    struct sockaddr_in place = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(place);
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    int is_free = bind(fd, (struct sockaddr *)&place, size) == 0 && listen(fd, 1) == 0 &&
                  getsockname(fd, (struct sockaddr *)&place, &size) == 0;
    close(fd);
    return is_free ? ntohs(place.sin_port) : 0;
}

int demo_port(unsigned wanted, unsigned *ret) {
    *ret = port_try(wanted);
    if (*ret)
        return CLI_OK;
    unsigned other = wanted ? port_try(0) : 0;
    return cli_fail(CLI_FAILURE, "port %u of 127.0.0.1 is taken or not allowed; choose another: weir demo --port %u",
                    wanted, other ? other : 8081);
}
